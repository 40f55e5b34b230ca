//! Asks before a send: may it go, or does a block hold it? For the send path, inside its process.
//! Promise: `Gate::check` takes no lock, and when the answer is yes it allocates nothing (a
//! thread's first check aside). It answers from the last record of each block key (L6), lets blocks
//! end by themselves at `blocked_until`, and knows how old its knowledge may be. It refuses to
//! count: what was sent is told by billed events alone.

mod blocks;
mod filters;
mod key;
mod sessions;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use verdict::{Cause, Denial, Send, Verdict};

use crate::tail::{self, Record, SharedClock, Start, Tail, Taken};
use crate::telemetry::SystemClock;
use crate::time::{DAY_MS, Millis};
use crate::wire::{self, Decoder};
use blocks::Blocks;
use filters::Filters;
use sessions::Sessions;

/// What a gate reads, and what it answers when it does not know.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port`, comma-separated.
    pub bootstrap: String,
    /// librdkafka properties of the user (TLS, SASL).
    pub client: BTreeMap<String, String>,
    /// Topic of the block records.
    pub block_state: String,
    /// Topic of the commands: which sends a limit of numbers holds is told there alone.
    pub commands: String,
    /// Whether WhatsApp session messages need an inbound message within 24 hours (O5).
    pub session_rule: bool,
    /// Topic of the inbound messages; read only under `session_rule`.
    pub received: String,
    /// Contacts with an open session that are kept, about 200 bytes each. Beyond, the sessions that
    /// end first are forgotten, and their sends are denied.
    pub sessions_max: usize,
    /// How records are encoded.
    pub wire: wire::Options,
    /// Milliseconds for which the gate may have been without news from the brokers; beyond, or
    /// before it has read everything once, `when_stale` answers.
    pub staleness_max_ms: u32,
    pub when_stale: WhenStale,
    /// Milliseconds that `connect` waits until everything is read once.
    pub ready_timeout_ms: u32,
    /// Milliseconds between two questions to the brokers whether there is news.
    pub probe_interval_ms: u32,
}

impl Options {
    /// The defaults, for brokers at `bootstrap`.
    #[must_use]
    pub fn new(bootstrap: &str) -> Options {
        Options {
            bootstrap: bootstrap.to_owned(),
            client: BTreeMap::new(),
            block_state: "tollgate.block-state".to_owned(),
            commands: "tollgate.commands".to_owned(),
            session_rule: false,
            received: "messages.received".to_owned(),
            sessions_max: 1_000_000,
            wire: wire::Options::default(),
            staleness_max_ms: 10_000,
            when_stale: WhenStale::LastKnown,
            ready_timeout_ms: 30_000,
            probe_interval_ms: 500,
        }
    }
}

/// What a gate answers once it is too stale, or before it has read everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenStale {
    /// From what it knows: blocks that it has read hold until they end, and all else goes (fails
    /// open for what is news).
    #[default]
    LastKnown,
    /// Everything goes (fails open).
    Allow,
    /// Nothing goes (fails closed).
    Deny,
}

impl WhenStale {
    pub const ALL: [WhenStale; 3] = [WhenStale::LastKnown, WhenStale::Allow, WhenStale::Deny];

    /// As it is spelled in the config.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WhenStale::LastKnown => "last_known",
            WhenStale::Allow => "allow",
            WhenStale::Deny => "deny",
        }
    }
}

/// Why there is no gate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Wire(#[from] wire::Error),
    #[error(transparent)]
    Topic(#[from] tail::Error),
}

/// The topics that a gate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    BlockState,
    Commands,
    Received,
}

/// Cheap to share between threads behind an `Arc`; checks do not disturb each other.
pub struct Gate {
    known: Arc<Known>,
    /// Of block-state and commands; empty for a gate that is fed by hand.
    tails: Vec<Tail>,
    received: Option<Tail>,
    session_rule: bool,
    staleness_max_us: i64,
    when_stale: WhenStale,
    clock: SharedClock,
    /// For records given by hand.
    decoder: Mutex<Decoder>,
}

/// Everything that was read.
struct Known {
    blocks: Blocks,
    filters: Filters,
    sessions: Sessions,
    undecodable: AtomicU64,
    clock: SharedClock,
}

impl Gate {
    /// A gate that has read everything there is.
    ///
    /// # Errors
    /// When a topic is missing, cannot be read, or was not read within `ready_timeout_ms`.
    pub fn connect(options: &Options) -> Result<Gate, Error> {
        let gate = Gate::start(options, Arc::new(SystemClock))?;
        gate.ready(Duration::from_millis(options.ready_timeout_ms.into()))?;
        Ok(gate)
    }

    /// As `connect`, without waiting: until everything is read, `when_stale` answers.
    ///
    /// # Errors
    /// When the options are wrong. Missing topics and brokers show in `ready` and `fault`.
    pub fn start(options: &Options, clock: SharedClock) -> Result<Gate, Error> {
        let mut gate = Gate::by_hand(options, Arc::clone(&clock))?;
        for topic in [Topic::BlockState, Topic::Commands] {
            gate.tails.push(gate.follow(options, topic)?);
        }
        if options.session_rule {
            gate.received = Some(gate.follow(options, Topic::Received)?);
        }
        Ok(gate)
    }

    /// A gate without brokers that knows what `feed` gives it, and is never stale: for tests, and
    /// for hosts that have the records from elsewhere.
    ///
    /// # Errors
    /// When `wire` says what cannot be decoded by.
    pub fn by_hand(options: &Options, clock: SharedClock) -> Result<Gate, Error> {
        Ok(Gate {
            known: Arc::new(Known {
                blocks: Blocks::new(),
                filters: Filters::new(),
                sessions: Sessions::new(options.sessions_max),
                undecodable: AtomicU64::new(0),
                clock: Arc::clone(&clock),
            }),
            tails: Vec::new(),
            received: None,
            session_rule: options.session_rule,
            staleness_max_us: i64::from(options.staleness_max_ms) * 1_000,
            when_stale: options.when_stale,
            clock,
            decoder: Mutex::new(Decoder::new(&options.wire)?),
        })
    }

    fn follow(&self, options: &Options, topic: Topic) -> Result<Tail, Error> {
        let (name, start) = match topic {
            Topic::BlockState => (&options.block_state, Start::Beginning),
            Topic::Commands => (&options.commands, Start::Beginning),
            Topic::Received => {
                (&options.received, Start::Since(Millis(self.clock.now().0 - DAY_MS)))
            }
        };
        let wanted = tail::Options {
            bootstrap: options.bootstrap.clone(),
            client: options.client.clone(),
            topic: name.clone(),
            start,
            probe_interval_ms: options.probe_interval_ms,
        };
        let (known, decoder) = (Arc::clone(&self.known), Decoder::new(&options.wire)?);
        let sink = move |record: Record<'_>| {
            known.take(&decoder, topic, record.key, record.value).unwrap_or_else(|error| {
                let (partition, offset) = (record.partition, record.offset);
                let so_far = known.undecodable.load(Ordering::Relaxed);
                // Ever more rarely: a producer gone wrong would fill the log.
                if so_far.is_power_of_two() {
                    let said = "a record that the gate cannot read";
                    tracing::warn!(%error, ?topic, partition, offset, so_far, "{said}");
                }
                Taken::Yes
            })
        };
        Ok(Tail::start(&wanted, Arc::clone(&self.clock), sink)?)
    }

    /// Whether the send may go. Thread-safe, well under a microsecond.
    #[must_use]
    pub fn check(&self, send: &Send<'_>) -> Verdict {
        let session = self.session_rule && send.needs_session();
        let stale = self.is_stale(session);
        if stale && self.when_stale == WhenStale::Allow {
            return Verdict::Allow;
        }
        let known = &self.known;
        let blocks = known.blocks.holding(send, &known.filters, &*self.clock);
        let stale = stale && self.when_stale == WhenStale::Deny;
        let unanswered = session && !known.sessions.open(send, self.clock.now());
        if blocks.is_empty() && !unanswered && !stale {
            return Verdict::Allow;
        }
        Verdict::Deny(Denial::new(blocks, unanswered, stale, self.clock.now()))
    }

    /// Whether too much time passed without news from a topic that matters for the send.
    fn is_stale(&self, session: bool) -> bool {
        if self.tails.is_empty() {
            return false;
        }
        let now_us = self.clock.micros();
        let late = |tail: &Tail| {
            tail.staleness_us(now_us).is_none_or(|stale_us| stale_us > self.staleness_max_us)
        };
        self.tails.iter().any(late) || (session && self.received.as_ref().is_none_or(late))
    }

    /// How old what it knows may be at most; `None` before everything was read once.
    #[must_use]
    pub fn staleness(&self) -> Option<Duration> {
        let now_us = self.clock.micros();
        let mut oldest_us = 0;
        for tail in self.tails.iter().chain(&self.received) {
            oldest_us = oldest_us.max(tail.staleness_us(now_us)?);
        }
        Some(Duration::from_micros(u64::try_from(oldest_us).unwrap_or(0)))
    }

    /// Waits until everything that the topics held at the start is read.
    ///
    /// # Errors
    /// The first topic of which that is not so, and why.
    pub fn ready(&self, timeout: Duration) -> Result<(), Error> {
        let started_us = self.clock.micros();
        for tail in self.tails.iter().chain(&self.received) {
            let spent_us = u64::try_from(self.clock.micros() - started_us).unwrap_or(0);
            tail.ready(timeout.saturating_sub(Duration::from_micros(spent_us)))?;
        }
        Ok(())
    }

    /// Why a topic is followed no more, if so: the gate gets stale from then on.
    #[must_use]
    pub fn fault(&self) -> Option<tail::Error> {
        self.tails.iter().chain(&self.received).find_map(Tail::fault)
    }

    /// Blocks that are known; those that have ended by themselves and whose lifting is yet to be
    /// told among them.
    #[must_use]
    pub fn blocks_held(&self) -> usize {
        self.known.blocks.count()
    }

    /// Records that were no such records and changed nothing.
    #[must_use]
    pub fn undecodable(&self) -> u64 {
        self.known.undecodable.load(Ordering::Relaxed)
    }

    /// Takes a record as if it stood in the topic.
    ///
    /// # Errors
    /// When it is no such record, or the schema registry does not answer.
    pub fn feed(
        &self,
        topic: Topic,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), wire::Error> {
        let decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        match self.known.take(&decoder, topic, key, value)? {
            Taken::Yes => Ok(()),
            Taken::Later => {
                let act = "reading a record".to_owned();
                Err(wire::Error::Registry { act, cause: "it does not answer".to_owned() })
            }
        }
    }
}

impl Known {
    /// An error says why the record changed nothing.
    fn take(
        &self,
        decoder: &Decoder,
        topic: Topic,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<Taken, wire::Error> {
        let taken = match topic {
            Topic::BlockState => self.blocks.take(decoder, key, value),
            Topic::Commands => self.filters.take(decoder, value),
            Topic::Received => self.sessions.take(decoder, value, self.clock.now()),
        };
        match taken {
            Ok(()) => Ok(Taken::Yes),
            Err(error) if error.passes() => {
                tracing::warn!(%error, ?topic, "the gate waits for the schema registry");
                Ok(Taken::Later)
            }
            Err(error) => {
                self.undecodable.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }
}
