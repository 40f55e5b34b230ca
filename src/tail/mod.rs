//! Follows every partition of one topic from a thread of its own, and gives each record to a sink.
//! Promise: records of a partition come in offset order; it is known when each partition was read
//! to the end that it had at the start, and how long ago it was last proven to be at its end. It
//! joins no group and commits nothing, and it refuses to go on when the topic is gone or has
//! another number of partitions: what was read would then mean something else.
//!
//! A record may come twice when the brokers lost a part of the log, as after an unclean election:
//! it is then read again from its beginning. Sinks of level-triggered topics do not mind (L6).

mod client;
mod follow;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

pub use watch::Progress;

use crate::time::{Clock, Millis};
use watch::Watch;

/// A clock that threads share.
pub type SharedClock = Arc<dyn Clock + Send + Sync>;

/// What is read, and how the brokers are reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port`, comma-separated.
    pub bootstrap: String,
    /// librdkafka properties of the user (TLS, SASL, sizes). They override the defaults, but not
    /// what the promise above rests on.
    pub client: BTreeMap<String, String>,
    pub topic: String,
    pub start: Start,
    /// Milliseconds between two questions for the ends of the partitions: by so much, and the time
    /// of an answer, `staleness` may be above zero while all is well.
    pub probe_interval_ms: u32,
}

impl Options {
    /// A whole topic, its ends asked for twice a second.
    #[must_use]
    pub fn new(bootstrap: &str, topic: &str) -> Options {
        Options {
            bootstrap: bootstrap.to_owned(),
            client: BTreeMap::new(),
            topic: topic.to_owned(),
            start: Start::Beginning,
            probe_interval_ms: 500,
        }
    }
}

/// Where reading begins in each partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Beginning,
    /// The first record with this timestamp or a later one; what comes next if there is none.
    Since(Millis),
    /// The last record there is, if any.
    Last,
}

/// A record as it stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub partition: i32,
    pub offset: u64,
    /// The record's own: of its producer or of the broker, as the topic is configured.
    pub timestamp: Millis,
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
}

/// What a sink says about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Yes,
    /// Something that passes kept it from it: the same record comes again in a moment, nothing
    /// before it.
    Later,
}

/// Why a topic is not followed. `Unreached` may pass; after any other the thread has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("topic {topic} does not exist: create it, or name the right one")]
    Absent { topic: String },
    #[error(
        "topic {topic} had {was} partitions and has {now}: records of a key may now lie in two; \
         start again once every process knows"
    )]
    Partitions { topic: String, was: usize, now: usize },
    #[error("cannot follow topic {topic}: {reason}")]
    Refused { topic: String, reason: String },
    #[error("topic {topic} was not read to its end in time: {reason}")]
    Unreached { topic: String, reason: String },
}

const WHOLE: &str = "no holder of this lock panics";
/// Stands for: not proven yet.
const UNPROVEN: i64 = i64::MIN;

/// A topic being followed. Dropping it stops the thread and waits for it: up to about a second
/// when the brokers are away.
pub struct Tail {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    topic: String,
    clock: SharedClock,
    /// When all partitions were last proven to be at their ends; read without the lock.
    proven_us: AtomicI64,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    stopping: bool,
    /// Why it ended, if it did.
    fault: Option<Error>,
    /// What it waits for, for people.
    waits_for: String,
    /// Empty until the partitions are known.
    watch: Watch,
}

impl Tail {
    /// Begins to follow; it connects by itself, now or when the brokers can be reached. `sink` runs
    /// on the thread of the tail and may take its time: no group waits for it. It must not drop the
    /// tail.
    ///
    /// # Errors
    /// `Refused`: a property is no librdkafka property, or threads ran out.
    pub fn start(
        options: &Options,
        clock: SharedClock,
        sink: impl FnMut(Record<'_>) -> Taken + Send + 'static,
    ) -> Result<Tail, Error> {
        let refused = |reason: String| Error::Refused { topic: options.topic.clone(), reason };
        let consumer = client::consumer(options).map_err(|error| refused(error.to_string()))?;
        let shared = Arc::new(Shared {
            topic: options.topic.clone(),
            clock,
            proven_us: AtomicI64::new(UNPROVEN),
            state: Mutex::new(State {
                stopping: false,
                fault: None,
                waits_for: "no broker has answered yet".to_owned(),
                watch: Watch::default(),
            }),
            changed: Condvar::new(),
        });
        let (theirs, wanted) = (Arc::clone(&shared), options.clone());
        let thread = std::thread::Builder::new()
            .name("tail".to_owned())
            .spawn(move || follow::run(&consumer, &wanted, &theirs, sink))
            .map_err(|error| refused(format!("no thread: {error}")))?;
        Ok(Tail { shared, thread: Some(thread) })
    }

    /// Whether every partition was read to the end that it had when the tail began.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        self.shared.state().watch.caught_up()
    }

    /// Waits until `caught_up`.
    ///
    /// # Errors
    /// `Unreached` when the time is over; else why the tail has ended.
    pub fn ready(&self, timeout: Duration) -> Result<(), Error> {
        let waiting = |state: &mut State| state.fault.is_none() && !state.watch.caught_up();
        let state = self.shared.state();
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, timeout, waiting).expect(WHOLE);
        if let Some(fault) = &state.fault {
            return Err(fault.clone());
        }
        if state.watch.caught_up() {
            return Ok(());
        }
        let (topic, reason) = (self.shared.topic.clone(), state.waits_for.clone());
        Err(Error::Unreached { topic, reason })
    }

    /// Why the tail has ended, if it has: what was read stays true and gets stale.
    #[must_use]
    pub fn fault(&self) -> Option<Error> {
        self.shared.state().fault.clone()
    }

    /// Microseconds since every partition was known to be read to its end; `None` before that was
    /// so for the first time. `now_us` is the tail's clock. Takes no lock.
    #[must_use]
    pub fn staleness_us(&self, now_us: i64) -> Option<i64> {
        let proven_us = self.shared.proven_us.load(Ordering::Acquire);
        (proven_us != UNPROVEN).then(|| now_us.saturating_sub(proven_us).max(0))
    }

    /// Each partition by number; empty until they are known.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        self.shared.state().watch.progress()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.shared.state().stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(topic = self.shared.topic, "the thread of a tail panicked");
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(WHOLE)
    }

    /// Waits so long, or until the tail is to stop or has ended; true then.
    fn stopped_within(&self, wait: Duration) -> bool {
        let going = |state: &mut State| !state.stopping && state.fault.is_none();
        let state = self.state();
        let (state, _) = self.changed.wait_timeout_while(state, wait, going).expect(WHOLE);
        state.stopping || state.fault.is_some()
    }

    /// Notes what happened to the partitions, and tells those who wait for it.
    fn note(&self, happened: impl FnOnce(&mut Watch)) {
        let mut state = self.state();
        let before = state.watch.caught_up();
        happened(&mut state.watch);
        if let Some(proven_us) = state.watch.proven_us() {
            self.proven_us.store(proven_us, Ordering::Release);
        }
        if state.watch.caught_up() != before {
            self.changed.notify_all();
        }
    }

    fn end(&self, fault: Error) {
        tracing::error!(topic = self.topic, %fault, "a topic is followed no more");
        self.state().fault = Some(fault);
        self.changed.notify_all();
    }
}
