//! Appends commands to their topic. Promise: what is given back as appended is acknowledged by the
//! brokers (acks=all) and stands in the order given; it is in force once the fold has passed it.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use crate::journal::Partitioner;
use crate::kafka;

/// Where commands go.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port`, comma-separated.
    pub bootstrap: String,
    /// librdkafka properties of the user.
    pub client: BTreeMap<String, String>,
    pub topic: String,
    pub partitions: u32,
    pub partitioner: Partitioner,
    /// Milliseconds after which an append that is not acknowledged has failed.
    pub timeout_ms: u32,
}

/// Why commands are not, or not surely, appended.
#[derive(Debug, thiserror::Error)]
#[error("commands could not be appended to {topic}")]
pub struct Error {
    topic: String,
    #[source]
    source: KafkaError,
}

pub struct Commands {
    options: Options,
    producer: FutureProducer,
}

impl Commands {
    /// Connects by itself, now or when brokers can be reached.
    ///
    /// # Errors
    /// When a property is refused.
    pub fn new(options: Options) -> Result<Commands, Error> {
        let config = kafka::writer(&options.bootstrap, &options.client, 0, options.timeout_ms);
        let topic = options.topic.clone();
        let producer = config.create().map_err(|source| Error { topic, source })?;
        Ok(Commands { options, producer })
    }

    /// The partition of the account's events and commands.
    #[must_use]
    pub fn partition(&self, account_id: &str) -> u32 {
        self.options.partitioner.place(account_id, self.options.partitions)
    }

    /// Appends commands of one account, in order; gives the offset behind the last one. `None`
    /// when the brokers did not tell it: it is at most the end of the partition.
    ///
    /// # Errors
    /// When one was not acknowledged in time; those before it, and perhaps itself, are appended.
    pub async fn append(
        &self,
        account_id: &str,
        commands: &[Vec<u8>],
    ) -> Result<Option<u64>, Error> {
        let partition = i32::try_from(self.partition(account_id)).unwrap_or(i32::MAX);
        let failed = |source| Error { topic: self.options.topic.clone(), source };
        let mut under_way = Vec::with_capacity(commands.len());
        for command in commands {
            let record = FutureRecord::to(&self.options.topic)
                .partition(partition)
                .key(account_id)
                .payload(command);
            under_way.push(self.producer.send_result(record).map_err(|(error, _)| failed(error))?);
        }
        let mut behind = None;
        for delivery in under_way {
            let delivery = delivery.await.map_err(|_| failed(KafkaError::Canceled))?;
            let delivered = delivery.map_err(|(error, _)| failed(error))?;
            behind = u64::try_from(delivered.offset).ok().map(|offset| offset + 1);
        }
        Ok(behind)
    }

    /// The end of the account's partition: an acknowledgement may come without an offset.
    ///
    /// # Errors
    /// When the brokers do not answer in time.
    pub fn end(&self, account_id: &str) -> Result<u64, Error> {
        let partition = i32::try_from(self.partition(account_id)).unwrap_or(i32::MAX);
        let timeout = Duration::from_millis(self.options.timeout_ms.into());
        let topic = &self.options.topic;
        let ends = self.producer.client().fetch_watermarks(topic, partition, timeout);
        let (_, end) = ends.map_err(|source| Error { topic: topic.clone(), source })?;
        Ok(u64::try_from(end).unwrap_or(0))
    }
}
