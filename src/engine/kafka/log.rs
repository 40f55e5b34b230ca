//! The log of one partition on Kafka: its four sources, its journal, its outputs.
//! Promise: the contracts of `engine::log::Log`. It keeps consumers and a journal producer of
//! its own, so that one partition's faults and seeks touch no other.

use std::collections::VecDeque;
use std::sync::Arc;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::acks::Acks;
use super::client::{Context, config, fault, retire};
use super::producer::{JournalProducer, Outgoing};
use super::reader::{Client, Reader};
use super::{Error as CreateError, Kafka, Options, Waker};
use crate::engine::log::{Ack, Bounds, Error, Log, Output, Place, Read, Source};
use crate::journal::Hash;

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
/// how long a seek, or the notice of the end, may wait for an idle broker.
const READING: [(&str, &str); 7] = [
    ("fetch.wait.max.ms", "100"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.error.backoff.ms", "100"),
    ("queued.max.messages.kbytes", "8192"),
    ("queued.min.messages", "50000"),
    ("check.crcs", "true"),
    // How old `known_end` may be.
    ("statistics.interval.ms", "1000"),
];

/// One partition of every topic, on Kafka.
pub struct KafkaLog {
    kafka: Arc<Kafka>,
    partition: i32,
    /// `None` only while being dropped.
    reading: Option<Reading>,
    journal: JournalProducer,
    acks: Arc<Acks>,
    taken: VecDeque<Ack>,
}

struct Reading {
    billed: Reader,
    commands: Reader,
    journal: Reader,
    block_state: Reader,
}

impl Reading {
    fn new(kafka: &Kafka, partition: i32, wake: &Waker) -> Result<Reading, CreateError> {
        // A client has one fetch under way at a time, and a source that was full when it was sent
        // waits until it returns. So billed, the one that fills up, has a client of its own: it
        // does not wait for those that are idle. These share one for all partitions, whose fetch
        // brings what came for any of them.
        let options = &kafka.options;
        let client = |consumer| Client { consumer, wake: Arc::clone(wake) };
        let (flood, trickle) = (client(consumer(options)?), client(Arc::clone(&kafka.trickle)));
        let reader =
            |client, source| Reader::new(client, source, options.topics.source(source), partition);
        Ok(Reading {
            billed: reader(&flood, Source::Billed),
            commands: reader(&trickle, Source::Commands),
            journal: reader(&trickle, Source::Journal),
            block_state: reader(&trickle, Source::BlockState),
        })
    }

    /// Whoever reads the same partition next, in this process, does so by the same client: what is
    /// read here must have ended by then.
    fn leave_shared(&mut self) {
        for reader in [&mut self.commands, &mut self.journal, &mut self.block_state] {
            if let Err(error) = reader.release() {
                tracing::warn!(%error, "a source is still being read");
            }
        }
    }
}

pub(super) fn consumer(options: &Options) -> Result<Arc<BaseConsumer<Context>>, CreateError> {
    let mut config = config(options, &READING, &PINNED);
    config.set("group.id", format!("{}.reader", options.group));
    let context = Context::new("the reader");
    let consumer = BaseConsumer::from_config_and_context(&config, context)
        .map_err(|error| CreateError { client: "the reader", source: error.into() })?;
    Ok(Arc::new(consumer))
}

impl KafkaLog {
    pub(super) fn new(
        kafka: Arc<Kafka>,
        partition: i32,
        wake: Waker,
    ) -> Result<KafkaLog, CreateError> {
        let reading = Reading::new(&kafka, partition, &wake)?;
        let journal = kafka.journals.take()?;
        Ok(KafkaLog {
            kafka,
            partition,
            reading: Some(reading),
            journal,
            acks: Acks::new(wake),
            taken: VecDeque::new(),
        })
    }

    /// Where `source` ended about a second ago, for those who watch the lag: unlike `bounds` it
    /// waits for nothing. `None` before the first fetch.
    pub fn known_end(&mut self, source: Source) -> Option<u64> {
        self.reader(source).known_end()
    }

    fn reader(&mut self, source: Source) -> &mut Reader {
        let reading = self.reading.as_mut().expect("only dropping takes it out");
        match source {
            Source::Billed => &mut reading.billed,
            Source::Commands => &mut reading.commands,
            Source::Journal => &mut reading.journal,
            Source::BlockState => &mut reading.block_state,
        }
    }
}

impl Log for KafkaLog {
    fn bounds(&mut self, source: Source) -> Result<Bounds, Error> {
        self.reader(source).bounds()
    }

    fn seek(&mut self, source: Source, offset: u64) -> Result<(), Error> {
        self.reader(source).seek(offset)
    }

    fn poll(&mut self, source: Source) -> Result<Option<Read>, Error> {
        self.reader(source).poll()
    }

    fn append(&mut self, id: u64, bytes: &[u8]) -> Result<(), Error> {
        let sent = self.journal.send(Outgoing {
            topic: &self.kafka.options.topics.journal,
            partition: self.partition,
            key: Some(&Hash::of(bytes).0),
            value: Some(bytes),
            ticket: self.acks.append_ticket(id),
        });
        match sent {
            Ok(()) => Ok(()),
            // The producer lost its place in the sequence. For the engine that is a loss like any
            // other, which a new producer mends, and no matter for a person.
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::Fatal)) => {
                self.acks.append_ticket(id).fail("the journal producer broke".to_owned());
                Ok(())
            }
            Err(error) => Err(fault(Place::Source(Source::Journal), &error)),
        }
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
        if let Some(mut reading) = self.reading.take() {
            reading.leave_shared();
            retire(reading);
        }
    }
}
