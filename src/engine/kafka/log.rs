//! The log of one partition on Kafka: its four sources, its journal, its outputs.
//! Promise: the contracts of `engine::log::Log`. It keeps a consumer and a journal producer of its
//! own, so that one partition's faults and seeks touch no other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::BaseConsumer;

use super::acks::Acks;
use super::client::{Context, config, fault, retire};
use super::producer::{JournalProducer, Outgoing};
use super::reader::{Client, Reader};
use super::{Error as CreateError, Kafka, Options, Waker};
use crate::engine::log::{Ack, Bounds, Error, Log, Output, Place, Read, Source};

/// What the engine's promises rest on. The group of the readers is not the group of the members:
/// nobody joins it, but the client wants one.
const PINNED: [(&str, &str); 6] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
    ("allow.auto.create.topics", "false"),
    ("isolation.level", "read_committed"),
];

/// Reading ahead is bounded, for each source, by 8 MiB or 50,000 records, whichever comes first;
/// below, a full queue is looked at again after `fetch.queue.backoff.ms`. `fetch.wait.max.ms` is
/// how long a seek, or the notice that the end is reached, may wait for an idle broker.
const READING: [(&str, &str); 6] = [
    ("fetch.wait.max.ms", "100"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.error.backoff.ms", "100"),
    ("queued.max.messages.kbytes", "8192"),
    ("queued.min.messages", "50000"),
    ("check.crcs", "true"),
];

/// The consumer's own events (its log lines, faults of brokers) are looked at when a source has
/// nothing, but at least every so many records.
const EVENTS_EVERY: u32 = 4_096;

/// One partition of every topic, on Kafka.
pub struct KafkaLog {
    kafka: Arc<Kafka>,
    partition: i32,
    /// In the order of `SOURCES`. `None` only while being dropped.
    reading: Option<Reading>,
    journal: JournalProducer,
    acks: Arc<Acks>,
    taken: VecDeque<Ack>,
    records_since_events: u32,
}

/// Fields are dropped in this order: queues of a consumer go before it.
struct Reading {
    readers: [Reader; 4],
    client: Client,
}

const SOURCES: [Source; 4] =
    [Source::Billed, Source::Commands, Source::Journal, Source::BlockState];

impl Reading {
    fn new(options: &Options, partition: i32, wake: Waker) -> Result<Reading, CreateError> {
        let mut config = config(options, &READING, &PINNED);
        config.set("group.id", format!("{}.reader", options.group));
        let context = Context { client: "the reader" };
        let consumer = BaseConsumer::from_config_and_context(&config, context)
            .map_err(|error| CreateError { client: "the reader", source: error.into() })?;
        let readers =
            SOURCES.map(|source| Reader::new(source, options.topics.source(source), partition));
        Ok(Reading { readers, client: Client { consumer: Arc::new(consumer), wake } })
    }
}

impl KafkaLog {
    pub(super) fn new(
        kafka: Arc<Kafka>,
        partition: i32,
        wake: Waker,
    ) -> Result<KafkaLog, CreateError> {
        let reading = Reading::new(&kafka.options, partition, Arc::clone(&wake))?;
        let journal = kafka.journals.take()?;
        Ok(KafkaLog {
            kafka,
            partition,
            reading: Some(reading),
            journal,
            acks: Acks::new(wake),
            taken: VecDeque::new(),
            records_since_events: 0,
        })
    }

    fn source(&mut self, source: Source) -> (&mut Reader, &Client) {
        let reading = self.reading.as_mut().expect("only dropping takes it out");
        let at = match source {
            Source::Billed => 0,
            Source::Commands => 1,
            Source::Journal => 2,
            Source::BlockState => 3,
        };
        (&mut reading.readers[at], &reading.client)
    }

    /// Lets the consumer tell its events; records come by the queues of the sources only.
    fn serve_events(&mut self) {
        self.records_since_events = 0;
        let (_, client) = self.source(Source::Journal);
        if let Some(Ok(record)) = client.consumer.poll(Duration::ZERO) {
            use rdkafka::Message;
            let (topic, offset) = (record.topic(), record.offset());
            panic!("a record of {topic} at {offset} came past the queue of its source");
        }
    }
}

impl Log for KafkaLog {
    fn bounds(&mut self, source: Source) -> Result<Bounds, Error> {
        let (reader, client) = self.source(source);
        reader.bounds(client)
    }

    fn seek(&mut self, source: Source, offset: u64) -> Result<(), Error> {
        let (reader, client) = self.source(source);
        reader.seek(client, offset)
    }

    fn poll(&mut self, source: Source) -> Result<Option<Read>, Error> {
        let (reader, client) = self.source(source);
        let read = reader.poll(client);
        match read {
            Ok(Some(Read::Record(_))) if self.records_since_events < EVENTS_EVERY => {
                self.records_since_events += 1;
            }
            _ => self.serve_events(),
        }
        read
    }

    fn append(&mut self, id: u64, bytes: &[u8]) -> Result<(), Error> {
        self.journal
            .send(Outgoing {
                topic: &self.kafka.options.topics.journal,
                partition: self.partition,
                key: None,
                value: Some(bytes),
                ticket: self.acks.append_ticket(id),
            })
            .map_err(|error| fault(Place::Source(Source::Journal), &error))
    }

    fn renew(&mut self) -> Result<(), Error> {
        let fresh = self.kafka.journals.take().map_err(|error| Error::Passing {
            place: Place::Source(Source::Journal),
            reason: error.to_string(),
        })?;
        self.acks.forget_appends(&mut self.taken);
        self.journal = fresh;
        Ok(())
    }

    fn publish(&mut self, id: u64, output: &Output) -> Result<(), Error> {
        self.kafka
            .outputs
            .send(Outgoing {
                topic: self.kafka.options.topics.output(output.topic),
                partition: self.partition,
                key: output.key.as_deref(),
                value: output.value.as_deref(),
                ticket: self.acks.publish_ticket(id),
            })
            .map_err(|error| fault(Place::Topic(output.topic), &error))
    }

    fn acks(&mut self) -> Option<Ack> {
        if self.taken.is_empty() {
            self.acks.take(&mut self.taken);
        }
        self.taken.pop_front()
    }

    fn commit(&mut self, billed: u64, commands: u64) {
        self.kafka.commits.note(self.partition, billed, commands);
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            retire(reading);
        }
    }
}
