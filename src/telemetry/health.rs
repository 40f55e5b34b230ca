//! Whether this process is ready (assigned, recovered, not far behind) and alive (its threads
//! move). Promise: the engine reports by atomics, so that a slow reader of /readyz never holds it
//! up; what is missing is said in words.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::Stopwatch;

/// What the engine reports of all partitions it owns; shared with /readyz.
#[derive(Debug, Default)]
pub struct Readiness {
    /// Whether the group has assigned partitions, even if none fell to this process.
    assigned: AtomicBool,
    partitions: Mutex<BTreeMap<i32, Arc<PartitionHealth>>>,
}

/// What the engine reports of one partition.
#[derive(Debug, Default)]
pub struct PartitionHealth {
    recovered: AtomicBool,
    lag_lines: AtomicU64,
    stopped: Mutex<Option<String>>,
}

impl Readiness {
    /// The group has assigned partitions; call it for an empty assignment too.
    pub fn assigned(&self) {
        self.assigned.store(true, Ordering::Relaxed);
    }

    /// The group has taken everything back (a rebalance, or the broker is out of reach).
    pub fn unassigned(&self) {
        self.assigned.store(false, Ordering::Relaxed);
    }

    /// A partition was assigned; it is not recovered yet.
    #[must_use]
    pub fn add(&self, partition: i32) -> Arc<PartitionHealth> {
        let health = Arc::new(PartitionHealth::default());
        lock(&self.partitions).insert(partition, Arc::clone(&health));
        health
    }

    /// A partition was given up.
    pub fn remove(&self, partition: i32) {
        lock(&self.partitions).remove(&partition);
    }

    /// What is missing, in words; empty when ready. `lag_max` in lines (`http.ready_lag_max`).
    #[must_use]
    pub fn missing(&self, lag_max: u64) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.assigned.load(Ordering::Relaxed) {
            missing.push("no partitions assigned by the group yet".to_owned());
        }
        for (partition, health) in lock(&self.partitions).iter() {
            if let Some(why) = &*lock(&health.stopped) {
                missing.push(format!("partition {partition} stopped: {why}"));
            } else if !health.recovered.load(Ordering::Relaxed) {
                missing.push(format!("partition {partition} is recovering from the journal"));
            } else if health.lag() > lag_max {
                let lag = health.lag();
                missing
                    .push(format!("partition {partition} is {lag} lines behind, over {lag_max}"));
            }
        }
        missing
    }

    /// The body of /readyz.
    #[must_use]
    pub fn report(&self, lag_max: u64) -> Value {
        let missing = self.missing(lag_max);
        let partitions: Vec<Value> = lock(&self.partitions)
            .iter()
            .map(|(partition, health)| {
                json!({
                    "partition": partition,
                    "recovered": health.recovered.load(Ordering::Relaxed),
                    "lag_lines": health.lag(),
                    "stopped": *lock(&health.stopped),
                })
            })
            .collect();
        json!({"ready": missing.is_empty(), "missing": missing, "partitions": partitions})
    }
}

impl PartitionHealth {
    /// The state is as of the journal's end.
    pub fn recovered(&self) {
        self.recovered.store(true, Ordering::Relaxed);
    }

    /// The state is being rebuilt (again).
    pub fn recovering(&self) {
        self.recovered.store(false, Ordering::Relaxed);
    }

    /// Lines of events and commands not yet folded.
    pub fn behind(&self, lines: u64) {
        self.lag_lines.store(lines, Ordering::Relaxed);
    }

    /// The partition stopped and needs a person; `why` goes into /readyz.
    pub fn stopped(&self, why: impl Into<String>) {
        *lock(&self.stopped) = Some(why.into());
    }

    fn lag(&self) -> u64 {
        self.lag_lines.load(Ordering::Relaxed)
    }
}

/// The heartbeats of all threads that must move; shared with /livez.
#[derive(Debug)]
pub struct Heartbeats {
    clock: Stopwatch,
    threads: Mutex<BTreeMap<String, Arc<Beat>>>,
}

#[derive(Debug, Default)]
struct Beat {
    /// Milliseconds on the stopwatch of `Heartbeats`.
    last_ms: AtomicU64,
    panicked: AtomicBool,
}

/// One thread's heartbeat. Dropped in order, the thread is no longer expected to move; dropped in
/// a panic, it counts as dead for good.
#[derive(Debug)]
pub struct Heartbeat {
    name: String,
    beat: Arc<Beat>,
    all: Arc<Heartbeats>,
}

impl Default for Heartbeats {
    fn default() -> Heartbeats {
        Heartbeats { clock: Stopwatch::start(), threads: Mutex::default() }
    }
}

impl Heartbeats {
    /// A thread starts and counts as alive from now; its name must be its own.
    #[must_use]
    pub fn register(self: &Arc<Self>, name: impl Into<String>) -> Heartbeat {
        let heartbeat =
            Heartbeat { name: name.into(), beat: Arc::default(), all: Arc::clone(self) };
        heartbeat.beat();
        lock(&self.threads).insert(heartbeat.name.clone(), Arc::clone(&heartbeat.beat));
        heartbeat
    }

    /// Threads that ended in a panic or were silent for longer than this, in words.
    #[must_use]
    pub fn missing(&self, silence_max: Duration) -> Vec<String> {
        let now_ms = self.now_ms();
        let mut missing = Vec::new();
        for (name, beat) in lock(&self.threads).iter() {
            let silence = now_ms.saturating_sub(beat.last_ms.load(Ordering::Relaxed));
            if beat.panicked.load(Ordering::Relaxed) {
                missing.push(format!("thread {name} panicked"));
            } else if u128::from(silence) > silence_max.as_millis() {
                missing.push(format!("thread {name} has been silent for {silence} ms"));
            }
        }
        missing
    }

    /// The body of /livez.
    #[must_use]
    pub fn report(&self, silence_max: Duration) -> Value {
        let missing = self.missing(silence_max);
        let threads = lock(&self.threads).len();
        json!({"live": missing.is_empty(), "missing": missing, "threads": threads})
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Heartbeat {
    /// The thread moves; cheap enough for each turn of a loop.
    pub fn beat(&self) {
        self.beat.last_ms.store(self.all.now_ms(), Ordering::Relaxed);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.beat.panicked.store(true, Ordering::Relaxed);
        } else {
            lock(&self.all.threads).remove(&self.name);
        }
    }
}

/// A thread that panicked leaves plain values behind, never half-made ones.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_assignment_recovery_and_little_lag() {
        let readiness = Readiness::default();
        assert_eq!(readiness.missing(10), ["no partitions assigned by the group yet"]);
        readiness.assigned();
        assert!(readiness.missing(10).is_empty());
        let third = readiness.add(3);
        assert_eq!(readiness.missing(10), ["partition 3 is recovering from the journal"]);
        third.recovered();
        third.behind(11);
        assert_eq!(readiness.missing(10), ["partition 3 is 11 lines behind, over 10"]);
        third.behind(10);
        assert!(readiness.missing(10).is_empty());
        third.stopped("the journal tells other decisions at 812");
        let report = readiness.report(10);
        assert_eq!(report["ready"], false);
        assert_eq!(
            report["missing"][0],
            "partition 3 stopped: the journal tells other decisions at 812"
        );
        readiness.remove(3);
        assert_eq!(readiness.report(10)["ready"], true);
    }

    #[test]
    fn a_silent_thread_is_missed_and_an_ended_one_is_not() {
        let all = Arc::new(Heartbeats::default());
        let ended = all.register("engine-0");
        let _silent = all.register("engine-1");
        drop(ended);
        assert!(all.missing(Duration::from_secs(60)).is_empty());
        while all.now_ms() < 2 {
            std::hint::spin_loop();
        }
        let missing = all.missing(Duration::ZERO);
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0].starts_with("thread engine-1 has been silent"), "{missing:?}");
    }

    #[test]
    fn a_thread_that_panicked_is_missed_for_good() {
        let all = Arc::new(Heartbeats::default());
        let heartbeat = all.register("engine-0");
        let died = std::thread::spawn(move || {
            let _heartbeat = heartbeat;
            panic!("on purpose");
        });
        assert!(died.join().is_err());
        assert_eq!(all.missing(Duration::from_secs(60)), ["thread engine-0 panicked"]);
    }
}
