//! The seam to the topics: one partition of each, read and written without waiting. Promise: the
//! engine learns everything that happens to it from `poll` and `acks`, so the same loop runs on
//! Kafka (`kafka`) and on a log in memory (`memory`), which a seeded simulation can drive.

use std::fmt;

use bytes::Bytes;

use crate::fault_point::{self, Injected};
use crate::time::Millis;

/// A topic partition that the engine reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    Billed,
    Commands,
    Journal,
    BlockState,
}

/// A topic partition that the engine writes to, beside the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    ThresholdCrossed,
    LimitReached,
    BlockState,
    DeadLetter,
}

/// Offsets `start..end` that a topic partition holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub start: u64,
    pub end: u64,
}

/// A record as it stands in its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub offset: u64,
    /// Of the broker, where the topic says LogAppendTime.
    pub timestamp: Millis,
    pub key: Option<Bytes>,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    Record(Stored),
    /// Everything that the topic partition held a moment ago was given; may come again at any
    /// time.
    End,
}

/// What goes to an output topic. `value` `None` is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub topic: Topic,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

/// What became of an append or a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ack {
    /// `offset` `None`: acknowledged, but where is to be judged by reading. `timestamp` is the
    /// broker's, where it tells.
    Appended {
        id: u64,
        offset: Option<u64>,
        timestamp: Option<Millis>,
    },
    /// Refused, lost, timed out or unknown: it may still land later.
    AppendFailed {
        id: u64,
        reason: String,
    },
    Published {
        id: u64,
        offset: Option<u64>,
    },
    PublishFailed {
        id: u64,
        reason: String,
    },
}

impl Ack {
    /// The acknowledgement as it arrives: a test may lose it on the way.
    #[must_use]
    pub(super) fn arrived(self) -> Ack {
        match self {
            Ack::Appended { id, offset, timestamp } => {
                match fault_point::at("journal.acknowledged") {
                    Ok(()) => Ack::Appended { id, offset, timestamp },
                    Err(lost) => Ack::AppendFailed { id, reason: lost.to_string() },
                }
            }
            Ack::Published { id, offset } => match fault_point::at("outputs.acknowledged") {
                Ok(()) => Ack::Published { id, offset },
                Err(lost) => Ack::PublishFailed { id, reason: lost.to_string() },
            },
            Ack::AppendFailed { .. } | Ack::PublishFailed { .. } => self,
        }
    }
}

/// What failed outside, and what the caller does about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Passes by itself: try again.
    #[error("{place:?}: {reason}")]
    Passing { place: Place, reason: String },
    /// The log no longer has, or never had, what must be there.
    #[error("{place:?}: offset {offset} is not in the log any more, which holds {start}..{end}")]
    Truncated { place: Source, offset: u64, start: u64, end: u64 },
    /// Too much is under way: try again after some acknowledgements.
    #[error("{0:?}: too much is under way")]
    Full(Place),
    /// Needs a person.
    #[error("{place:?}: {reason}")]
    Lasting { place: Place, reason: String },
}

impl From<Injected> for Error {
    fn from(injected: Injected) -> Error {
        Error::Passing { place: Place::Source(Source::Journal), reason: injected.to_string() }
    }
}

/// Where something failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Source(Source),
    Topic(Topic),
}

impl fmt::Debug for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Source(source) => source.fmt(out),
            Place::Topic(topic) => topic.fmt(out),
        }
    }
}

/// One partition of every topic. No call but `bounds` waits for the network.
pub trait Log {
    /// What the source holds now. May wait for the broker, for a bounded time.
    ///
    /// # Errors
    /// `Passing` when the broker does not answer in time.
    fn bounds(&mut self, source: Source) -> Result<Bounds, Error>;

    /// Lets reads of `source` begin at `offset`; what was read ahead is dropped.
    ///
    /// # Errors
    /// `Passing` or `Lasting`; a missing offset shows at the next `poll`.
    fn seek(&mut self, source: Source, offset: u64) -> Result<(), Error>;

    /// The next record of `source`, or its end; `None` when nothing has arrived yet. Reads of a
    /// source begin with its first `seek`.
    ///
    /// # Errors
    /// `Truncated` when the position is not in the log.
    fn poll(&mut self, source: Source) -> Result<Option<Read>, Error>;

    /// Begins to append to the journal; the record's key is the hash of its bytes. Its fate comes
    /// by `acks` under `id`; appends keep their order, and after one failed the later ones fail or
    /// are void.
    ///
    /// # Errors
    /// `Full`, or a client's fault; then nothing was begun.
    fn append(&mut self, id: u64, bytes: &[u8]) -> Result<(), Error>;

    /// Makes a new journal producer after a loss. Appends under way may still land, but are
    /// acknowledged no more.
    ///
    /// # Errors
    /// When the client cannot be made.
    fn renew(&mut self) -> Result<(), Error>;

    /// Begins to publish. Its fate comes by `acks` under `id`; publishes to a topic keep their
    /// order while none fails.
    ///
    /// # Errors
    /// `Full`, or a client's fault; then nothing was begun.
    fn publish(&mut self, id: u64, output: &Output) -> Result<(), Error>;

    /// The next acknowledgement that has come.
    fn acks(&mut self) -> Option<Ack>;

    /// Tells ordinary tools how far billed and commands are folded (the consumer group's offsets).
    /// Best effort: nothing depends on it.
    fn commit(&mut self, billed: u64, commands: u64);
}
