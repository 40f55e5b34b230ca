//! Generated lines as records: events (and garbage) on the billed topic, commands on theirs.
//! Promise: an account's records stand in order on the partition where Java's client puts its key.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::{Body, Error, Generated, TopicOptions};
use crate::time::Millis;

/// Records whose delivery failed; the first failure is the one told.
#[derive(Default)]
struct Deliveries {
    failed: AtomicU64,
    first: std::sync::OnceLock<KafkaError>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((cause, _)) = result {
            self.failed.fetch_add(1, Ordering::Relaxed);
            let _ = self.first.set(cause.clone());
        }
    }
}

pub struct Publisher {
    producer: BaseProducer<Deliveries>,
    topics: TopicOptions,
}

/// How long the last records may take.
const CLOSE: Duration = Duration::from_secs(60);

impl Publisher {
    pub fn connect(topics: &TopicOptions) -> Result<Publisher, Error> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &topics.bootstrap)
            .set("partitioner", "murmur2_random")
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("compression.type", "lz4");
        for (name, value) in &topics.settings {
            config.set(name, value);
        }
        let producer = config
            .create_with_context(Deliveries::default())
            .map_err(|cause| failed(&topics.billed, cause))?;
        Ok(Publisher { producer, topics: topics.clone() })
    }

    /// Hands the record over; waits while the producer's queue is full.
    pub fn publish(&self, line: &Generated, payload: &[u8]) -> Result<(), Error> {
        let topic = match line.body {
            Body::Billed(_) | Body::Garbage { .. } => &self.topics.billed,
            Body::Setting(_) => &self.topics.commands,
        };
        self.send(topic, line.account_id(), line.recorded_at, payload)
    }

    /// The same for bytes of any account and topic.
    pub fn send(
        &self,
        topic: &str,
        account_id: &str,
        recorded_at: Millis,
        payload: &[u8],
    ) -> Result<(), Error> {
        let mut record =
            BaseRecord::to(topic).key(account_id).payload(payload).timestamp(recorded_at.0);
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((cause, _)) => return Err(failed(topic, cause)),
            }
        }
        self.producer.poll(Duration::ZERO);
        self.delivered()
    }

    pub fn close(self) -> Result<(), Error> {
        self.producer.flush(CLOSE).map_err(|cause| failed(&self.topics.billed, cause))?;
        self.delivered()
    }

    fn delivered(&self) -> Result<(), Error> {
        match self.producer.context().first.get() {
            None => Ok(()),
            Some(cause) => Err(failed(&self.topics.billed, cause.clone())),
        }
    }
}

fn failed(topic: &str, cause: KafkaError) -> Error {
    Error::Publish { topic: topic.to_owned(), cause }
}
