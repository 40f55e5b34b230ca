//! `tollgate demo`: embedded broker, traffic, engine and a view of them in one process.
//! Promise: the engine runs the same code as on Apache Kafka, and everything shown is read from
//! topics as any consumer could. It keeps nothing: the broker and the state end with it.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use rdkafka::error::KafkaError;
use serde::Serialize;

use crate::generate::{self, Destination, Generated, LineWriter, Publisher, TopicOptions};
use crate::replay::DecisionCounts;
use crate::time::{Clock, Millis};

mod broker;
mod folder;
mod guest;
mod observer;
mod told;
mod traffic;
mod view;

use broker::Broker;
use folder::Folder;
pub use guest::Guest;
use observer::Observer;
use told::Told;
use view::Shown;
pub use view::View;

/// The topics of the embedded broker: the defaults of the configuration.
pub mod topics {
    pub const BILLED: &str = "messages.billed";
    pub const COMMANDS: &str = "tollgate.commands";
    pub const JOURNAL: &str = "tollgate.journal";
    pub const BLOCK_STATE: &str = "tollgate.block-state";
    pub const LIMIT_REACHED: &str = "tollgate.limit-reached";
    pub const THRESHOLD_CROSSED: &str = "tollgate.threshold-crossed";
    pub const DEAD_LETTER: &str = "tollgate.dead-letter";
    pub const RECEIVED: &str = "messages.received";
    pub const ALL: [&str; 8] = [
        BILLED,
        COMMANDS,
        JOURNAL,
        BLOCK_STATE,
        LIMIT_REACHED,
        THRESHOLD_CROSSED,
        DEAD_LETTER,
        RECEIVED,
    ];
    pub const OBSERVED: [&str; 5] =
        [JOURNAL, BLOCK_STATE, LIMIT_REACHED, THRESHOLD_CROSSED, DEAD_LETTER];
}

/// Partitions of every topic.
pub const PARTITIONS: u32 = 4;
/// More would outrun the 5 MiB that the embedded broker keeps of a partition whenever the engine
/// pauses for some seconds.
pub const RATE_MAX: u32 = 5_000;

pub struct Options {
    /// Events per second, 1..=`RATE_MAX`.
    pub rate: u32,
    pub seed: u64,
    /// `None` runs until it is stopped.
    pub duration: Option<Duration>,
    pub view: View,
    /// The viewer's account, if its control plane is served.
    pub guest: Option<Guest>,
}

/// What an engine needs to know to run in the demo.
#[derive(Clone, Debug)]
pub struct Seat {
    pub bootstrap: String,
    pub partitions: u32,
    /// Exists, is empty, and is removed in the end.
    pub state_dir: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the rate must lie between 1 and {RATE_MAX} events/s: the embedded broker keeps little"
    )]
    Rate,
    #[error("the embedded broker does not start")]
    Broker(#[source] KafkaError),
    #[error("the topics cannot be observed")]
    Observe(#[source] KafkaError),
    #[error("no folder for the state in {place}")]
    StateDir {
        place: String,
        #[source]
        cause: io::Error,
    },
    #[error("the traffic ended")]
    Traffic(#[source] generate::Error),
    #[error("the engine ended: {0}")]
    Engine(String),
    #[error("the terminal cannot be written")]
    Terminal(#[source] io::Error),
}

/// What happened, for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub elapsed_ms: u64,
    pub lines_produced: u64,
    /// Lines whose journal record was seen.
    pub lines_journaled: u64,
    pub events: u64,
    pub duplicates: u64,
    pub rejects: u64,
    pub decisions: DecisionCounts,
    pub blocked_now: usize,
    /// From a line's time in the log to its decision being read by a consumer, once the engine
    /// had caught up with what was produced while it started.
    pub latency_p50_ms: Option<u32>,
    pub latency_p99_ms: Option<u32>,
}

/// An operator answers a block so much later.
const RAISE_AFTER_MS: i64 = 10_000;
/// What is still under way in the end gets so long.
const DRAIN_MS: i64 = 5_000;
const POLL: Duration = Duration::from_millis(20);

/// Runs the demo until its time is over, `stop` says so, or someone presses q. `engine` runs in a
/// thread of its own until the flag it is given is set.
///
/// # Errors
/// Something that the demo stands on failed; the terminal is as before.
pub fn run(
    options: &Options,
    clock: &(dyn Clock + Sync),
    stop: &Receiver<()>,
    engine: impl FnOnce(Seat, &AtomicBool) -> Result<(), String> + Send,
) -> Result<Summary, Error> {
    if !(1..=RATE_MAX).contains(&options.rate) {
        return Err(Error::Rate);
    }
    let broker = Broker::start(PARTITIONS)?;
    let bootstrap = broker.bootstrap();
    let folder = Folder::create()?;
    let seat =
        Seat { bootstrap: bootstrap.clone(), partitions: PARTITIONS, state_dir: folder.state() };
    let start = clock.now();
    let lines = traffic::lines(options.rate, options.seed, start).map_err(Error::Traffic)?;
    let produced = AtomicU64::new(0);
    let topic_options = TopicOptions {
        bootstrap: bootstrap.clone(),
        billed: topics::BILLED.to_owned(),
        commands: topics::COMMANDS.to_owned(),
        settings: Vec::new(),
    };
    let operator = Operator::connect(&topic_options).map_err(Error::Traffic)?;
    let hints = match &options.guest {
        Some(guest) => folder.hints(guest, options.view)?,
        None => Vec::new(),
    };
    let mut demo = Demo {
        clock,
        start,
        observer: Observer::connect(&bootstrap, PARTITIONS)?,
        operator,
        produced: &produced,
        lag_when_running: u64::from(options.rate / 4).max(1),
        shown: Shown::open(options.view, &bootstrap, hints).map_err(Error::Terminal)?,
    };
    if let Some(guest) = &options.guest {
        demo.operator.invite(guest, start).map_err(Error::Traffic)?;
    }
    std::thread::scope(|scope| {
        let engine = Part::start(scope, move |stop, _| engine(seat, &stop));
        let destination = Destination::Topic(topic_options);
        let produced = &produced;
        let traffic = Part::start(scope, move |_, stop| {
            let lines = lines.inspect(|_| {
                produced.fetch_add(1, Ordering::Relaxed);
            });
            generate::write(lines, Some(start), &destination, clock, &stop)
        });
        let end = options.duration.map(|duration| {
            let duration_ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
            Millis(start.0.saturating_add(duration_ms))
        });
        demo.watch(end, stop, || engine.ended() || traffic.ended())?;
        let written = traffic.stop().map_err(Error::Traffic)?;
        // The last line was counted when its turn came, and may have been dropped while it waited.
        produced.store(written.lines, Ordering::Relaxed);
        demo.drain(|| engine.ended())?;
        engine.stop().map_err(Error::Engine)
    })?;
    let summary = demo.summary();
    demo.shown.close().map_err(Error::Terminal)?;
    Ok(summary)
}

/// A thread that ends when told, or when this is dropped.
struct Part<'scope, T> {
    stop: Stop,
    thread: ScopedJoinHandle<'scope, T>,
}

/// Tells by a channel for those who wait, and by a flag for those who look.
struct Stop {
    flag: Arc<AtomicBool>,
    /// Its going is the message.
    _sender: Sender<()>,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.flag.store(true, Ordering::SeqCst);
    }
}

impl<'scope, T: Send + 'scope> Part<'scope, T> {
    fn start(
        scope: &'scope Scope<'scope, '_>,
        work: impl FnOnce(Arc<AtomicBool>, Receiver<()>) -> T + Send + 'scope,
    ) -> Part<'scope, T> {
        let (sender, receiver) = channel();
        let flag = Arc::new(AtomicBool::new(false));
        let stop = Stop { flag: Arc::clone(&flag), _sender: sender };
        Part { stop, thread: scope.spawn(move || work(flag, receiver)) }
    }

    fn ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Tells it to end and waits for that; a panic goes on here.
    fn stop(self) -> T {
        drop(self.stop);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

struct Demo<'run> {
    clock: &'run dyn Clock,
    start: Millis,
    observer: Observer,
    operator: Operator,
    produced: &'run AtomicU64,
    /// Lines that are on their way at any time.
    lag_when_running: u64,
    shown: Shown,
}

impl Demo<'_> {
    /// Until the end comes, in one way or another.
    fn watch(
        &mut self,
        end: Option<Millis>,
        stop: &Receiver<()>,
        ended: impl Fn() -> bool,
    ) -> Result<(), Error> {
        loop {
            let now = self.step()?;
            let stopped = !matches!(stop.try_recv(), Err(TryRecvError::Empty));
            let over = end.is_some_and(|end| now >= end);
            if stopped || over || ended() || self.shown.quit_pressed() {
                return Ok(());
            }
            self.operator.raise(now, &self.observer).map_err(Error::Traffic)?;
        }
    }

    /// Until the engine has journaled what was produced.
    fn drain(&mut self, ended: impl Fn() -> bool) -> Result<(), Error> {
        let last = Millis(self.clock.now().0 + DRAIN_MS);
        while self.lag() > 0 && !ended() && self.step()? < last {}
        Ok(())
    }

    fn step(&mut self) -> Result<Millis, Error> {
        let now = self.clock.now();
        self.observer.poll(POLL, now);
        for block in std::mem::take(&mut self.observer.seen.fresh_blocks) {
            self.shown.block(now, &block).map_err(Error::Terminal)?;
            self.operator.notice(now, block);
        }
        let (produced, lag) = (self.lines_produced(), self.lag());
        let seen = &mut self.observer.seen;
        if seen.caught_up_at.is_none() && produced > lag && lag <= self.lag_when_running {
            seen.caught_up_at = Some(now);
        }
        self.shown
            .refresh(now, self.start, produced, &self.observer.seen)
            .map_err(Error::Terminal)?;
        Ok(now)
    }

    fn lines_produced(&self) -> u64 {
        self.produced.load(Ordering::Relaxed) + self.operator.commands
    }

    fn lag(&self) -> u64 {
        self.lines_produced().saturating_sub(self.observer.seen.lines_journaled())
    }

    fn summary(&self) -> Summary {
        let seen = &self.observer.seen;
        let elapsed_ms = self.clock.now().0.saturating_sub(self.start.0);
        Summary {
            elapsed_ms: u64::try_from(elapsed_ms).unwrap_or(0),
            lines_produced: self.lines_produced(),
            lines_journaled: seen.lines_journaled(),
            events: seen.events,
            duplicates: seen.duplicates,
            rejects: seen.rejects,
            decisions: seen.decisions,
            blocked_now: seen.blocked.len(),
            latency_p50_ms: seen.latency_ms(50),
            latency_p99_ms: seen.latency_ms(99),
        }
    }
}

/// Raises limits some seconds after they blocked, as a customer's operator would.
struct Operator {
    publisher: Publisher,
    writer: LineWriter,
    waiting: VecDeque<(Millis, Told)>,
    commands: u64,
}

impl Operator {
    fn connect(topics: &TopicOptions) -> Result<Operator, generate::Error> {
        let (writer, waiting) = (LineWriter::for_topic(), VecDeque::new());
        Ok(Operator { publisher: Publisher::connect(topics)?, writer, waiting, commands: 0 })
    }

    fn notice(&mut self, now: Millis, block: Told) {
        // The viewer's own block is the viewer's to lift.
        let is_guest = block.account_id.as_deref() == Some(guest::ACCOUNT);
        if block.blocked == Some(true) && !is_guest {
            self.waiting.push_back((Millis(now.0 + RAISE_AFTER_MS), block));
        }
    }

    /// Raises what is due and still blocks.
    fn raise(&mut self, now: Millis, observer: &Observer) -> Result<(), generate::Error> {
        while self.waiting.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, block)) = self.waiting.pop_front() else { break };
            let key = block.block_key.as_deref().unwrap_or("");
            let Some(present) = observer.seen.blocked.get(key) else { continue };
            if let Some(line) = traffic::raised(present, now) {
                self.publish(&line)?;
            }
        }
        Ok(())
    }

    /// Puts the viewer's own account on the topics.
    fn invite(&mut self, guest: &Guest, now: Millis) -> Result<(), generate::Error> {
        for (topic, bytes) in guest.records(now) {
            self.publisher.send(topic, guest::ACCOUNT, now, &bytes)?;
            self.commands += 1;
        }
        Ok(())
    }

    /// Raises a limit, by a command.
    fn publish(&mut self, line: &Generated) -> Result<(), generate::Error> {
        let mut bytes = Vec::new();
        self.writer.write(line, &mut bytes);
        bytes.pop();
        self.commands += 1;
        self.publisher.publish(line, &bytes)
    }
}

#[cfg(test)]
mod tests;
