//! Follows an engine's journal: how many lines it has folded, and when the broker took which record.
//! It checks nothing: that is what the tests are for.

use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tollgate::journal::Record;

use crate::engine::{Engine, Topics};

/// Longest time without a new record while some must come.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// A consumer of these partitions of a topic, from `offset` on.
pub fn consumer(
    bootstrap: &str,
    topic: &str,
    partitions: Range<i32>,
    offset: Offset,
) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "100")
        // A reader slower than the broker would pause for a second each time its queue is full.
        .set("fetch.queue.backoff.ms", "2")
        .set("enable.partition.eof", "false")
        .set("allow.auto.create.topics", "false")
        .create()
        .expect("a consumer can be made");
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(topic, partition, offset).expect("it is added");
    }
    consumer.assign(&list).expect("it can be assigned");
    consumer
}

pub fn is_of_connection(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
    let code = error.rdkafka_error_code();
    matches!(code, Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut))
}

/// Records that the topics hold.
pub fn lines_in(bootstrap: &str, topics: &Topics) -> u64 {
    let asking: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let mut lines = 0;
    for topic in [&topics.billed, &topics.commands] {
        lines += records_in(&asking, topic, 0..topics.partitions);
    }
    lines
}

pub fn records_in(asking: &BaseConsumer, topic: &str, partitions: Range<i32>) -> u64 {
    let end = |partition| asking.fetch_watermarks(topic, partition, Duration::from_secs(10));
    let ends = partitions.map(|partition| end(partition).expect("the broker answers").1);
    ends.sum::<i64>() as u64
}

pub struct Journal {
    consumer: BaseConsumer,
    /// Lines that its records name.
    pub lines: u64,
    /// Broker's times of the first and last record with lines.
    pub first_ms: i64,
    pub last_ms: i64,
}

impl Journal {
    pub fn follow(bootstrap: &str, engine: &Engine) -> Journal {
        let partitions = engine.topics.partitions;
        let consumer = consumer(bootstrap, &engine.journal, 0..partitions, Offset::Beginning);
        Journal { consumer, lines: 0, first_ms: i64::MAX, last_ms: 0 }
    }

    /// Waits until so many lines are folded in all.
    pub fn until(&mut self, lines: u64, engine: &mut Engine) {
        let mut heard = Instant::now();
        while self.lines < lines {
            if self.next(Duration::from_millis(200)).is_some() {
                heard = Instant::now();
            }
            engine.assert_running();
            assert!(heard.elapsed() < SILENCE_MAX, "folded {} of {lines}, no more", self.lines);
        }
    }

    /// The next record with lines, if one comes in time: the broker's time of it.
    pub fn next(&mut self, wait: Duration) -> Option<i64> {
        let message = match self.consumer.poll(wait)? {
            Ok(message) => message,
            // Connections come and go under load.
            Err(error) if is_of_connection(&error) => return None,
            Err(error) => panic!("reading the journal: {error}"),
        };
        let bytes = message.payload().expect("a journal record has a value");
        let record = Record::decode(bytes).expect("a journal record decodes");
        let lines =
            record.billed.to - record.billed.from + record.commands.to - record.commands.from;
        if lines == 0 {
            return None;
        }
        let at = message.timestamp().to_millis().expect("the broker stamps records");
        self.lines += lines;
        (self.first_ms, self.last_ms) = (self.first_ms.min(at), self.last_ms.max(at));
        Some(at)
    }
}
