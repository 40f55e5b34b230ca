//! Writes of the notifier: deliveries, requests for short messages, what could not be delivered.
//! Promise: what is given back as written is acknowledged by the brokers (acks=all), and records of
//! a partition stand in the order in which they were begun.

use std::future::Future;

use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::options::{Options, Topics};
use super::record::Record;
use crate::kafka;

pub struct Log {
    producer: FutureProducer,
    topics: Topics,
}

impl Log {
    /// Connects by itself, now or when brokers can be reached.
    ///
    /// # Errors
    /// When a property is refused.
    pub fn new(options: &Options) -> Result<Log, KafkaError> {
        let config = kafka::writer(&options.bootstrap, &options.client, 1, 30_000);
        Ok(Log { producer: config.create()?, topics: options.topics.clone() })
    }

    /// Begins to write a record of the ledger; resolves when it is acknowledged.
    pub fn put(
        &self,
        partition: i32,
        record: &Record,
    ) -> impl Future<Output = Result<(), KafkaError>> + Send + use<> {
        self.send(&self.topics.deliveries, partition, &record.key(), Some(&record.bytes()))
    }

    /// A tombstone: the key need not be known any more.
    pub fn forget(
        &self,
        partition: i32,
        key: &str,
    ) -> impl Future<Output = Result<(), KafkaError>> + Send + use<> {
        self.send(&self.topics.deliveries, partition, key, None)
    }

    pub fn undelivered(
        &self,
        partition: i32,
        account_id: &str,
        record: &[u8],
    ) -> impl Future<Output = Result<(), KafkaError>> + Send + use<> {
        self.send(&self.topics.undelivered, partition, account_id, Some(record))
    }

    pub fn sms_request(
        &self,
        partition: i32,
        account_id: &str,
        record: &[u8],
    ) -> impl Future<Output = Result<(), KafkaError>> + Send + use<> {
        self.send(&self.topics.sms_requests, partition, account_id, Some(record))
    }

    fn send(
        &self,
        topic: &str,
        partition: i32,
        key: &str,
        value: Option<&[u8]>,
    ) -> impl Future<Output = Result<(), KafkaError>> + Send + use<> {
        let mut record = FutureRecord::<str, [u8]>::to(topic).partition(partition).key(key);
        record.payload = value;
        let begun = self.producer.send_result(record).map_err(|(error, _)| error);
        async move {
            match begun?.await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err((error, _))) => Err(error),
                Err(_) => Err(KafkaError::Canceled),
            }
        }
    }
}
