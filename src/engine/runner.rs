//! The engine of a process: threads that turn partitions, as the consumer group hands them out.
//! Promise: a partition's fault stays with it; a signal ends everything in order, within a bound;
//! a panic of any of its threads ends the process with an error, once the others are wound down.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::kafka::{Change, Kafka, KafkaLog, Waker};
use super::log::Source;
use super::options::Options;
use super::partition::{Fault, Partition, Turn};
use crate::store::Store;
use crate::store::rocks::{RocksStore, Shared};
use crate::telemetry::{PartitionHealth, PartitionMetrics, SystemClock, Telemetry};
use crate::time::{Clock, Millis};
use crate::wire::{Decoder, Encoder};

/// Milliseconds that a partition given up, or a process asked to stop, may take to publish what is
/// decided and to write its state.
const WIND_DOWN_MS: i64 = 10_000;
/// Milliseconds until a turn that failed for the time being is tried again.
const RETRY_MS: i64 = 200;
/// Milliseconds between looks at how far behind a partition is.
const LAG_EVERY_MS: i64 = 2_000;
/// A thread without news looks around this often.
const IDLE: Duration = Duration::from_millis(250);

/// What the engine of a process needs.
pub struct Setup {
    pub kafka: Arc<Kafka>,
    pub encoder: Encoder,
    /// As every partition gets it.
    pub options: Options,
    pub threads: usize,
    pub state_dir: PathBuf,
    pub telemetry: Telemetry,
}

/// Why the engine cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kafka(#[from] super::kafka::Error),
    #[error("no thread: {0}")]
    Thread(#[from] std::io::Error),
    #[error("the consumer group: {0}")]
    Group(String),
    #[error(
        "engine thread {0} broke a rule of its own (its words stand above): nothing that was \
         journaled is lost, so start again; if it comes back, report it"
    )]
    Broken(usize),
}

enum Order {
    Open(i32),
    Close(i32),
    WindDown,
}

/// Runs until `stop` is set, then winds down.
///
/// # Errors
/// When the engine cannot start, or the group cannot be kept.
pub fn run(setup: Setup, decoder: &Decoder, stop: &AtomicBool) -> Result<(), Error> {
    let setup = Arc::new(setup);
    let shared = Shared::new(crate::store::rocks::Options::default());
    let (membership, changes) = setup.kafka.join()?;
    let mut threads = Vec::new();
    for index in 0..setup.threads {
        threads.push(Thread::start(index, Arc::clone(&setup), shared.clone(), decoder.clone())?);
    }
    let mut outcome = hand_out(&setup, &changes, &threads, stop);
    for thread in &threads {
        thread.tell(Order::WindDown);
    }
    // The group hands the partitions on while the last outputs go out; the chain keeps both right.
    membership.leave();
    for thread in threads {
        if thread.join.join().is_err() && outcome.is_ok() {
            outcome = Err(Error::Broken(thread.index));
        }
    }
    outcome
}

/// Hands partitions to threads as the group assigns them.
fn hand_out(
    setup: &Setup,
    changes: &Receiver<Change>,
    threads: &[Thread],
    stop: &AtomicBool,
) -> Result<(), Error> {
    let thread = |partition: i32| &threads[partition.unsigned_abs() as usize % threads.len()];
    while !stop.load(Ordering::Relaxed) {
        match changes.recv_timeout(IDLE) {
            Ok(Change::Assigned(partitions)) => {
                tracing::info!(?partitions, "assigned");
                setup.telemetry.readiness.assigned();
                for partition in partitions {
                    thread(partition).tell(Order::Open(partition));
                }
            }
            Ok(Change::Revoked(partitions) | Change::Lost(partitions)) => {
                tracing::info!(?partitions, "given up");
                for partition in partitions {
                    thread(partition).tell(Order::Close(partition));
                }
            }
            Ok(Change::Failed(why)) => return Err(Error::Group(why)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::Group("the group member ended".to_owned()));
            }
        }
        if let Some(dead) = threads.iter().find(|thread| thread.join.is_finished()) {
            return Err(Error::Broken(dead.index));
        }
    }
    Ok(())
}

struct Thread {
    index: usize,
    orders: Sender<Order>,
    join: JoinHandle<()>,
}

impl Thread {
    fn start(
        index: usize,
        setup: Arc<Setup>,
        shared: Shared,
        decoder: Decoder,
    ) -> Result<Thread, Error> {
        let (orders, mailbox) = mpsc::channel();
        let name = format!("engine-{index}");
        let join = thread::Builder::new().name(name).spawn(move || {
            let running = BTreeMap::new();
            Worker { setup, shared, decoder, mailbox, running, ending: false }.work(index);
        })?;
        Ok(Thread { index, orders, join })
    }

    fn tell(&self, order: Order) {
        // A thread that ended is noticed by `hand_out`.
        if self.orders.send(order).is_ok() {
            self.join.thread().unpark();
        }
    }
}

/// A thread's partitions.
struct Worker {
    setup: Arc<Setup>,
    shared: Shared,
    decoder: Decoder,
    mailbox: Receiver<Order>,
    running: BTreeMap<i32, Running>,
    ending: bool,
}

type Owned = Partition<KafkaLog, RocksStore, SystemClock>;

struct Running {
    /// `None` until it could be opened, and once it stopped.
    partition: Option<Owned>,
    stopped: bool,
    metrics: PartitionMetrics,
    health: Arc<PartitionHealth>,
    retry_at: Millis,
    lag_at: Millis,
    /// Set when it is being given up: it goes at the latest then.
    gone_at: Option<Millis>,
    faults: u64,
}

impl Worker {
    fn work(mut self, index: usize) {
        let heartbeat = self.setup.telemetry.heartbeats.register(format!("engine-{index}"));
        loop {
            heartbeat.beat();
            self.take_orders();
            let now = SystemClock.now();
            let (mut progress, mut wake_at) = (false, Millis(now.0 + IDLE.as_millis() as i64));
            for (number, running) in &mut self.running {
                let turn = running.turn(
                    *number,
                    &|number| open(number, &self.setup, &self.shared, &self.decoder),
                    &self.setup.telemetry,
                    now,
                );
                progress |= turn.progress;
                wake_at = turn.wake_at.map_or(wake_at, |at| at.min(wake_at));
            }
            self.running.retain(|number, running| {
                let stays = !running.gone(now);
                if !stays {
                    tracing::info!(partition = number, "left");
                    self.setup.telemetry.metrics.forget(*number);
                    self.setup.telemetry.readiness.remove(*number);
                }
                stays
            });
            if self.ending && self.running.is_empty() {
                return;
            }
            if !progress {
                let pause = (wake_at.0 - SystemClock.now().0).max(1);
                thread::park_timeout(Duration::from_millis(pause.unsigned_abs()));
            }
        }
    }

    fn take_orders(&mut self) {
        let gone_at = Some(Millis(SystemClock.now().0 + WIND_DOWN_MS));
        while let Ok(order) = self.mailbox.try_recv() {
            match order {
                Order::Open(number) => {
                    // One that is still winding down goes first: its store must be closed.
                    self.running.remove(&number);
                    let telemetry = &self.setup.telemetry;
                    let running = Running {
                        partition: None,
                        stopped: false,
                        metrics: telemetry.metrics.partition(number),
                        health: telemetry.readiness.add(number),
                        retry_at: Millis(0),
                        lag_at: Millis(0),
                        gone_at: None,
                        faults: 0,
                    };
                    running.metrics.owned.set(1);
                    self.running.insert(number, running);
                }
                Order::Close(number) => {
                    if let Some(running) = self.running.get_mut(&number) {
                        running.give_up(gone_at);
                    }
                }
                Order::WindDown => {
                    self.ending = true;
                    for running in self.running.values_mut() {
                        running.give_up(gone_at);
                    }
                }
            }
        }
    }
}

impl Running {
    fn give_up(&mut self, gone_at: Option<Millis>) {
        self.gone_at = self.gone_at.or(gone_at);
        if let Some(partition) = &mut self.partition {
            partition.wind_down();
        }
    }

    fn gone(&self, now: Millis) -> bool {
        let Some(gone_at) = self.gone_at else { return false };
        now >= gone_at || self.partition.as_ref().is_none_or(Partition::wound_down)
    }

    fn turn(
        &mut self,
        number: i32,
        open: &dyn Fn(i32) -> Result<Owned, Fault>,
        telemetry: &Telemetry,
        now: Millis,
    ) -> Turn {
        if self.stopped || now < self.retry_at {
            return Turn {
                wake_at: Some(self.retry_at).filter(|_| !self.stopped),
                ..Turn::default()
            };
        }
        let opened = match self.partition.take() {
            Some(partition) => Ok(partition),
            None if self.gone_at.is_some() => return Turn::default(),
            None => open(number),
        };
        let turned = opened.and_then(|mut partition| {
            let turned = partition.turn();
            self.partition = Some(partition);
            turned
        });
        match turned {
            Ok(turn) => {
                self.faults = 0;
                self.observe(&turn, telemetry, now);
                turn
            }
            Err(fault) => self.failed(number, &fault, now),
        }
    }

    fn failed(&mut self, number: i32, fault: &Fault, now: Millis) -> Turn {
        match fault {
            Fault::Passing(why) => {
                if self.faults.is_multiple_of(50) {
                    tracing::warn!(partition = number, why, "waits for something outside");
                }
                self.faults += 1;
                self.retry_at = Millis(now.0 + RETRY_MS);
                Turn { wake_at: Some(self.retry_at), ..Turn::default() }
            }
            Fault::Stopped(why) => {
                tracing::error!(partition = number, why, "the partition stopped");
                self.health.stopped(why.as_str());
                self.metrics.stopped.set(1);
                self.partition = None;
                self.stopped = true;
                Turn::default()
            }
        }
    }

    fn observe(&mut self, turn: &Turn, telemetry: &Telemetry, now: Millis) {
        let (metrics, all) = (&self.metrics, &telemetry.metrics);
        for won in &turn.won {
            metrics.events.inc_by(won.control.events);
            metrics.commands.inc_by(won.commands);
            metrics.duplicates.inc_by(won.control.duplicates);
            metrics.journal_position.set(i64::try_from(won.seq).unwrap_or(i64::MAX));
            for decision in &won.decisions {
                metrics.decided(decision, won.won_at);
            }
            all.fold_seconds.observe(seconds(won.fold_us));
            if let Some(append_us) = won.append_us {
                all.append_seconds.observe(seconds(append_us));
                if let (Some(oldest), false) = (won.oldest, won.decisions.is_empty()) {
                    all.event_to_decision_seconds
                        .observe(seconds(1_000 * (won.won_at.0 - oldest.0)));
                }
            }
        }
        if turn.lost.is_some() {
            metrics.append_losses.inc();
        }
        metrics.output_retries.inc_by(turn.retries);
        if let Some(took_us) = turn.checkpoint_us {
            all.checkpoint_seconds.observe(seconds(took_us));
        }
        let Some(partition) = &mut self.partition else { return };
        if partition.owning() {
            self.health.recovered();
        } else {
            self.health.recovering();
        }
        if now >= self.lag_at {
            self.lag_at = Millis(now.0 + LAG_EVERY_MS);
            let (resident, evictable, ids) = partition.state().rows();
            metrics.state_rows.set((resident + evictable + ids) as i64);
            metrics.state_bytes.set(partition.state_bytes() as i64);
            let on_disk = partition.store_mut().bytes();
            metrics.store_bytes.set(i64::try_from(on_disk).unwrap_or(i64::MAX));
            if let Some(stored) = partition.stored() {
                metrics.checkpoint_position.set(i64::try_from(stored).unwrap_or(i64::MAX));
            }
            metrics.outputs_outstanding.set(partition.outputs_outstanding() as i64);
            if let Some(lag) = lag(partition) {
                metrics.lag_lines.set(i64::try_from(lag).unwrap_or(i64::MAX));
                self.health.behind(lag);
            }
        }
    }
}

fn seconds(micros: i64) -> f64 {
    micros.max(0) as f64 / 1_000_000.0
}

/// Lines of events and commands that are not in the chain yet; `None` while brokers do not tell.
fn lag(partition: &mut Owned) -> Option<u64> {
    let (billed, commands) = partition.chain().map(|tip| (tip.billed, tip.commands))?;
    let billed_end = partition.log_mut().known_end(Source::Billed)?;
    let commands_end = partition.log_mut().known_end(Source::Commands)?;
    Some(billed_end.saturating_sub(billed) + commands_end.saturating_sub(commands))
}

fn open(number: i32, setup: &Setup, shared: &Shared, decoder: &Decoder) -> Result<Owned, Fault> {
    let this_thread = thread::current();
    let wake: Waker = Arc::new(move || this_thread.unpark());
    let log = setup.kafka.log(number, wake).map_err(|error| Fault::Passing(error.to_string()))?;
    let store = RocksStore::open(&setup.state_dir, number.unsigned_abs(), shared)?;
    let mut options = setup.options.clone();
    options.partition = number.unsigned_abs();
    options.billed_topic = format!("{}/{number}", options.billed_topic);
    options.commands_topic = format!("{}/{number}", options.commands_topic);
    let (decoder, encoder) = (decoder.clone(), setup.encoder.clone());
    Ok(Partition::open(options, log, store, SystemClock, decoder, encoder))
}
