//! The engine of a process: threads that turn partitions, as the consumer group hands them out.
//! Promise: a partition's fault stays with it; a signal ends everything in order, within a bound;
//! a panic of any of its threads ends the process with an error, once the others are wound down.

mod desk;
mod observe;

pub use desk::Desk;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::kafka::{Change, Kafka, KafkaLog, Waker};
use super::options::Options;
use super::partition::{Ask, Fault, Partition, Turn};
use crate::store::rocks::{self, RocksStore, Shared};
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
    /// What the databases of all partitions share.
    pub databases: rocks::Options,
    pub telemetry: Telemetry,
    /// Takes questions once the engine runs.
    pub desk: Desk,
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
    Ask(i32, Box<Ask>),
    WindDown,
}

/// Runs until `stop` is set, then winds down.
///
/// # Errors
/// When the engine cannot start, or the group cannot be kept.
pub fn run(setup: Setup, decoder: &Decoder, stop: &AtomicBool) -> Result<(), Error> {
    let setup = Arc::new(setup);
    let shared = Shared::new(setup.databases);
    let (membership, changes) = setup.kafka.join()?;
    let mut threads = Vec::new();
    for index in 0..setup.threads {
        threads.push(Thread::start(index, Arc::clone(&setup), shared.clone(), decoder.clone())?);
    }
    setup.desk.open(&threads);
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
    /// These by the clock's `micros`, which nobody sets.
    retry_us: i64,
    lag_us: i64,
    /// Set when it is being given up: it goes at the latest then.
    gone_us: Option<i64>,
    faults: u64,
}

impl Worker {
    fn work(mut self, index: usize) {
        let heartbeat = self.setup.telemetry.heartbeats.register(format!("engine-{index}"));
        loop {
            heartbeat.beat();
            self.take_orders();
            let (now, micros) = (SystemClock.now(), SystemClock.micros());
            let (mut progress, mut wake_at) = (false, Millis(now.0 + IDLE.as_millis() as i64));
            for (number, running) in &mut self.running {
                let turn = running.turn(
                    *number,
                    &|number| open(number, &self.setup, &self.shared, &self.decoder),
                    &self.setup.telemetry,
                    now,
                    micros,
                );
                progress |= turn.progress;
                wake_at = turn.wake_at.map_or(wake_at, |at| at.min(wake_at));
            }
            self.running.retain(|number, running| {
                let stays = !running.gone(micros);
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
        let gone_us = Some(SystemClock.micros() + 1_000 * WIND_DOWN_MS);
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
                        retry_us: i64::MIN,
                        lag_us: i64::MIN,
                        gone_us: None,
                        faults: 0,
                    };
                    running.metrics.owned.set(1);
                    self.running.insert(number, running);
                }
                Order::Close(number) => {
                    if let Some(running) = self.running.get_mut(&number) {
                        running.give_up(gone_us);
                    }
                }
                Order::Ask(number, ask) => {
                    let running = self.running.get_mut(&number);
                    if let Some(partition) = running.and_then(|it| it.partition.as_mut()) {
                        partition.ask(*ask);
                    }
                }
                Order::WindDown => {
                    self.ending = true;
                    for running in self.running.values_mut() {
                        running.give_up(gone_us);
                    }
                }
            }
        }
    }
}

impl Running {
    fn give_up(&mut self, gone_us: Option<i64>) {
        self.gone_us = self.gone_us.or(gone_us);
        if let Some(partition) = &mut self.partition {
            partition.wind_down();
        }
    }

    fn gone(&self, micros: i64) -> bool {
        let Some(gone_us) = self.gone_us else { return false };
        micros >= gone_us || self.partition.as_ref().is_none_or(Partition::wound_down)
    }

    fn turn(
        &mut self,
        number: i32,
        open: &dyn Fn(i32) -> Result<Owned, Fault>,
        telemetry: &Telemetry,
        now: Millis,
        micros: i64,
    ) -> Turn {
        if self.stopped {
            return Turn::default();
        }
        if micros < self.retry_us {
            let wake_at = Some(Millis(now.0 + (self.retry_us - micros) / 1_000));
            return Turn { wake_at, ..Turn::default() };
        }
        let opened = match self.partition.take() {
            Some(partition) => Ok(partition),
            None if self.gone_us.is_some() => return Turn::default(),
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
                self.observe(&turn, telemetry, micros);
                turn
            }
            Err(fault) => self.failed(number, &fault, now, micros),
        }
    }

    fn failed(&mut self, number: i32, fault: &Fault, now: Millis, micros: i64) -> Turn {
        match fault {
            Fault::Passing(why) => {
                if self.faults.is_multiple_of(50) {
                    tracing::warn!(partition = number, why, "waits for something outside");
                }
                self.faults += 1;
                self.retry_us = micros + 1_000 * RETRY_MS;
                Turn { wake_at: Some(Millis(now.0 + RETRY_MS)), ..Turn::default() }
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
}

fn open(number: i32, setup: &Setup, shared: &Shared, decoder: &Decoder) -> Result<Owned, Fault> {
    let this_thread = thread::current();
    let wake: Waker = Arc::new(move || this_thread.unpark());
    // The store first: while its disk is full no clients are made in vain.
    let store = RocksStore::open(&setup.state_dir, number.unsigned_abs(), shared)?;
    let log = setup.kafka.log(number, wake).map_err(|error| Fault::Passing(error.to_string()))?;
    let mut options = setup.options.clone();
    options.partition = number.unsigned_abs();
    options.billed_topic = format!("{}/{number}", options.billed_topic);
    options.commands_topic = format!("{}/{number}", options.commands_topic);
    let (decoder, encoder) = (decoder.clone(), setup.encoder.clone());
    Ok(Partition::open(options, log, store, SystemClock, decoder, encoder))
}
