//! The engine's seams on Apache Kafka: `KafkaLog` is the log of one owned partition, `Membership`
//! tells which partitions are owned, `Kafka` holds the clients that all of them share.
//! Promise: nothing here decides; records pass unread, faults are named and sorted by what the
//! caller does about them. It refuses to read a clock and to wait, save where a function says so.

mod acks;
mod client;
mod log;
mod membership;
mod polled;
mod producer;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;

pub use log::KafkaLog;
pub use membership::{Change, Membership};

use crate::engine::log::{Source, Topic};
use client::Context;
use membership::Commits;
use producer::{JournalProducers, Outputs};

/// Called, from a thread of the client, when something has arrived for a log: it must return at
/// once and not call the log. After a call, poll and take acks until both give `None`.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// How the brokers are reached and what the topics are called.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port`, comma-separated.
    pub bootstrap: String,
    /// The consumer group in which engine processes share the partitions of billed.
    pub group: String,
    /// librdkafka properties of the user (TLS, SASL, sizes). They override the defaults of each
    /// client, but not what the promises of the engine rest on.
    pub client: BTreeMap<String, String>,
    /// Milliseconds of silence after which the group gives a member's partitions to another.
    pub session_timeout_ms: u32,
    /// Name of this process in the group: one that comes back under it has its partitions again at
    /// once, and does not give them up when it stops.
    pub instance_id: Option<String>,
    pub topics: Topics,
}

/// Names of the topics.
#[derive(Clone, Debug)]
pub struct Topics {
    pub billed: String,
    pub commands: String,
    pub journal: String,
    pub threshold_crossed: String,
    pub limit_reached: String,
    pub block_state: String,
    pub dead_letter: String,
}

impl Topics {
    #[must_use]
    pub fn source(&self, source: Source) -> &str {
        match source {
            Source::Billed => &self.billed,
            Source::Commands => &self.commands,
            Source::Journal => &self.journal,
            Source::BlockState => &self.block_state,
        }
    }

    #[must_use]
    pub fn output(&self, topic: Topic) -> &str {
        match topic {
            Topic::ThresholdCrossed => &self.threshold_crossed,
            Topic::LimitReached => &self.limit_reached,
            Topic::BlockState => &self.block_state,
            Topic::DeadLetter => &self.dead_letter,
        }
    }
}

/// A client that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make {client}")]
pub struct Error {
    client: &'static str,
    #[source]
    source: Fault,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("no thread")]
    Thread(#[from] std::io::Error),
}

/// The clients that all partitions of a process share.
pub struct Kafka {
    options: Options,
    outputs: Outputs,
    journals: JournalProducers,
    /// Reads what trickles in: commands, journal and block state.
    trickle: Arc<BaseConsumer<Context>>,
    commits: Arc<Commits>,
}

impl Kafka {
    /// Makes the shared clients; they connect by themselves, now or when brokers can be reached.
    ///
    /// # Errors
    /// When a property is refused, or threads run out.
    pub fn new(options: Options) -> Result<Arc<Kafka>, Error> {
        let outputs = Outputs::new(&options)?;
        let journals = JournalProducers::new(&options)?;
        let trickle = log::consumer(&options)?;
        Ok(Arc::new(Kafka { options, outputs, journals, trickle, commits: Arc::default() }))
    }

    /// The log of partition `partition`. `wake` is called when something has arrived for it.
    ///
    /// # Errors
    /// When a property is refused, or threads run out.
    pub fn log(self: &Arc<Self>, partition: i32, wake: Waker) -> Result<KafkaLog, Error> {
        KafkaLog::new(Arc::clone(self), partition, wake)
    }

    /// Joins the consumer group of billed. What is owned comes by the channel.
    ///
    /// # Errors
    /// When a property is refused, or threads run out.
    pub fn join(&self) -> Result<(Membership, std::sync::mpsc::Receiver<Change>), Error> {
        Membership::join(&self.options, Arc::clone(&self.commits))
    }
}
