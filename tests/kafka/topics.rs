//! Reading and writing topics by librdkafka alone, without a line of Tollgate's: the suite's own eyes.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::engine::PARTITIONS;

const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Row {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

/// Reads every partition of one topic from its beginning, as far as it goes, again and again.
pub struct Tail {
    topic: String,
    consumer: BaseConsumer,
    ends: Ends,
}

impl Tail {
    pub fn new(bootstrap: &str, topic: &str) -> Tail {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "tollgate-suite")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10")
            .set("queued.max.messages.kbytes", "65536")
            .create()
            .expect("a consumer can be made");
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition_offset(topic, partition, Offset::Beginning).expect("it is added");
        }
        consumer.assign(&list).expect("it can be assigned");
        Tail { topic: topic.to_owned(), consumer, ends: Ends::new(bootstrap) }
    }

    /// Hands over each record up to the present ends of all partitions, and returns those ends.
    pub fn catch_up(&self, mut take: impl FnMut(i32, Row)) -> Vec<i64> {
        let ends = self.ends.of(&self.topic);
        let mut open: Vec<i32> =
            (0..PARTITIONS).filter(|p| self.position(*p) < ends[*p as usize]).collect();
        let begin = Instant::now();
        while !open.is_empty() {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let row = Row {
                        offset: message.offset(),
                        timestamp: message.timestamp().to_millis().expect("Kafka stamps records"),
                        key: message.key().map(<[u8]>::to_vec),
                        value: message.payload().map(<[u8]>::to_vec),
                    };
                    if row.offset + 1 >= ends[message.partition() as usize] {
                        open.retain(|p| *p != message.partition());
                    }
                    take(message.partition(), row);
                }
                // The last offsets of a compacted topic may hold nothing.
                Some(Err(KafkaError::PartitionEOF(partition)))
                    if self.position(partition) >= ends[partition as usize] =>
                {
                    open.retain(|p| *p != partition);
                }
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                // A broker that died and comes back.
                Some(Err(error)) if is_of_connection(&error) => {}
                Some(Err(error)) => panic!("reading {}: {error}", self.topic),
            }
            assert!(begin.elapsed() < 10 * ANSWER_TIME_MAX, "{} is not read up", self.topic);
        }
        ends
    }

    fn position(&self, partition: i32) -> i64 {
        let list = self.consumer.position().expect("an assigned consumer has a position");
        match list.find_partition(&self.topic, partition).map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => offset,
            _ => 0,
        }
    }
}

fn is_of_connection(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::AllBrokersDown
                | Code::BrokerTransportFailure
                | Code::OperationTimedOut
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::OffsetNotAvailable
        )
    )
}

/// Asks for end offsets, and reads nothing.
pub struct Ends(BaseConsumer);

impl Ends {
    pub fn new(bootstrap: &str) -> Ends {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("allow.auto.create.topics", "false")
            .create();
        Ends(consumer.expect("a consumer can be made"))
    }

    /// The end offset of each partition. Brokers under load lead partitions a little late.
    pub fn of(&self, topic: &str) -> Vec<i64> {
        (0..PARTITIONS).map(|partition| self.end(topic, partition)).collect()
    }

    fn end(&self, topic: &str, partition: i32) -> i64 {
        let begin = Instant::now();
        loop {
            match self.0.fetch_watermarks(topic, partition, ANSWER_TIME_MAX) {
                Ok((_, end)) => return end,
                Err(error) if begin.elapsed() > ANSWER_TIME_MAX => {
                    panic!("the end of {topic}/{partition}: {error}")
                }
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

/// All records of a topic, partition by partition.
pub fn read_all(bootstrap: &str, topic: &str) -> Vec<Vec<Row>> {
    let mut rows: Vec<Vec<Row>> = (0..PARTITIONS).map(|_| Vec::new()).collect();
    Tail::new(bootstrap, topic).catch_up(|partition, row| rows[partition as usize].push(row));
    rows
}

/// Writes keyed records to where Java's client would put them.
pub struct Writer {
    producer: ThreadedProducer<rdkafka::producer::DefaultProducerContext>,
}

impl Writer {
    pub fn new(bootstrap: &str) -> Writer {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("partitioner", "murmur2_random")
            .set("enable.idempotence", "true")
            .set("linger.ms", "1")
            .create()
            .expect("a producer can be made");
        Writer { producer }
    }

    pub fn send(&self, topic: &str, key: &str, value: &[u8]) {
        let mut record = BaseRecord::to(topic).key(key).payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((error, _)) => panic!("writing {topic}: {error}"),
            }
        }
    }

    pub fn flush(&self) {
        self.producer.flush(ANSWER_TIME_MAX).expect("the cluster takes what was sent");
    }
}
