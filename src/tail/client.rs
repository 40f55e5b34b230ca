//! The consumer of a tail: its properties, what it logs, and what its statistics tell.
//! Promise: properties of the user cannot make it join a group, commit, or create a topic.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rdkafka::Statistics;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::Options;
use crate::kafka::{self, STEADY};

/// Properties that the user may change. `fetch.wait.max.ms` bounds how long the end of an idle
/// partition stays unknown; records wait for nothing. Nobody joins the group, but the client wants
/// one. Reading ahead is bounded by 8 MiB a partition.
const DEFAULTS: [(&str, &str); 7] = [
    ("group.id", "tollgate.tail"),
    ("fetch.wait.max.ms", "100"),
    ("fetch.min.bytes", "1"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.error.backoff.ms", "100"),
    ("queued.max.messages.kbytes", "8192"),
    ("check.crcs", "true"),
];

/// What the promise rests on. `earliest` is where reading goes on when the offset that comes next
/// is not in the log any more.
const PINNED: [(&str, &str); 7] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    ("enable.partition.eof", "true"),
    ("allow.auto.create.topics", "false"),
    ("isolation.level", "read_committed"),
    ("statistics.interval.ms", "1000"),
];

pub(super) type Consumer = BaseConsumer<Context>;

pub(super) fn consumer(options: &Options) -> Result<Consumer, KafkaError> {
    let defaults = STEADY.iter().chain(&DEFAULTS);
    let config = kafka::layered(&options.bootstrap, defaults, &options.client, &PINNED);
    let topic = options.topic.clone();
    let client = format!("the tail of {topic}");
    let context = Context { topic, client, ends: Mutex::default() };
    BaseConsumer::from_config_and_context(&config, context)
}

pub(super) struct Context {
    topic: String,
    /// For the log.
    client: String,
    /// By partition, where the broker told the end last; from the statistics, until taken.
    ends: Mutex<BTreeMap<i32, i64>>,
}

impl Context {
    /// What the statistics told since the last call.
    pub(super) fn take_ends(&self) -> BTreeMap<i32, i64> {
        std::mem::take(&mut self.ends.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        kafka::log(&self.client, level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(Code::PartitionEOF) {
            tracing::warn!(client = self.client, %error, reason, "kafka client");
        }
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, partition) in &topic.partitions {
            // Negative: none was told yet.
            if partition.eof_offset >= 0 {
                ends.insert(*number, partition.eof_offset);
            }
        }
    }
}

impl ConsumerContext for Context {}

/// Whether waiting does not help. What the group may or may not do is of no matter: nobody joins
/// it. Unknown topics are judged by asking for them.
pub(super) fn lasts(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::BadCompression
            | Code::ClusterAuthorizationFailed
            | Code::Fatal
            | Code::InvalidArgument
            | Code::InvalidTopic
            | Code::NotImplemented
            | Code::SaslAuthenticationFailed
            | Code::TopicAuthorizationFailed
            | Code::UnsupportedCompressionType
    )
}
