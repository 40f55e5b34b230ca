//! What the engine's clients have in common: their context, and which faults pass.
//! Promise: properties of the user cannot undo what the engine's promises rest on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use rdkafka::Statistics;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::Options;
use super::acks::Ticket;
use crate::engine::log::{Error, Place};
use crate::kafka::{self, STEADY};

/// As all clients are, with `defaults` of this one that the user may change too.
pub(super) fn config(
    options: &Options,
    defaults: &[(&str, &str)],
    pinned: &[(&str, &str)],
) -> ClientConfig {
    let defaults = STEADY.iter().chain(defaults);
    kafka::layered(&options.bootstrap, defaults, &options.client, pinned)
}

/// Drops what may take a while to close (clients wait for their threads) without being waited for.
pub(super) fn retire<T: Send + 'static>(client: T) {
    let closer = std::thread::Builder::new().name("kafka-close".to_owned());
    if let Err(error) = closer.spawn(move || drop(client)) {
        // The closure was dropped, and the client with it, in this thread.
        tracing::warn!(%error, "no thread to close a kafka client in");
    }
}

/// Sorts a fault by what the caller does about it.
pub(super) fn fault(place: Place, error: &KafkaError) -> Error {
    let reason = error.to_string();
    match error.rdkafka_error_code() {
        Some(Code::QueueFull) => Error::Full(place),
        Some(code) if lasts(code) => Error::Lasting { place, reason },
        _ => Error::Passing { place, reason },
    }
}

/// Whether waiting does not help. Bytes that the client cannot read are among them: it would skip
/// them, and records would be lost in silence (L7). Unknown topics are not: brokers learn of a new
/// one one by one, and topics were checked at the start.
pub(super) fn lasts(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::BadCompression
            | Code::BadMessage
            | Code::ClusterAuthorizationFailed
            | Code::Fatal
            | Code::Fenced
            | Code::GroupAuthorizationFailed
            | Code::InvalidArgument
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidSessionTimeout
            | Code::InvalidTopic
            | Code::MessageSizeTooLarge
            | Code::NotImplemented
            | Code::SaslAuthenticationFailed
            | Code::TopicAuthorizationFailed
            | Code::UnsupportedCompressionType
    )
}

/// The context of a client: its name in the log, and what it learns on the way.
pub(super) struct Context {
    pub client: &'static str,
    pub ends: Ends,
}

impl Context {
    pub(super) fn new(client: &'static str) -> Context {
        Context { client, ends: Ends::default() }
    }
}

/// Where the topic partitions that a client reads ended when it fetched last.
#[derive(Default)]
pub(super) struct Ends(Mutex<BTreeMap<(String, i32), u64>>);

impl Ends {
    pub(super) fn of(&self, topic: &str, partition: i32) -> Option<u64> {
        self.known().get(&(topic.to_owned(), partition)).copied()
    }

    fn learn(&self, statistics: Statistics) {
        let mut known = self.known();
        for (topic, found) in statistics.topics {
            for (number, partition) in found.partitions {
                // Negative: none was fetched yet.
                if let Ok(end) = u64::try_from(partition.hi_offset) {
                    known.insert((topic.clone(), number), end);
                }
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<(String, i32), u64>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        kafka::log(self.client, level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // These two come by the poll of their source, which knows what they mean.
        let told =
            matches!(error.rdkafka_error_code(), Some(Code::PartitionEOF | Code::AutoOffsetReset));
        if !told {
            tracing::warn!(client = self.client, %error, reason, "kafka client");
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.ends.learn(statistics);
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        ticket.settle(result);
    }
}
