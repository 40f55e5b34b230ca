//! Reads one topic partition, from any offset, without waiting.
//! Promise: records come in offset order from the offset of the last seek, none twice, none left
//! out; where that cannot be kept, reading stops with an error until the next seek.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::Waker;
use super::client::{Context, fault, lasts};
use crate::engine::log::{Bounds, Error, Place, Read, Source, Stored};
use crate::time::Millis;

/// How long a broker may take to say what a topic partition holds.
const BOUNDS_TIMEOUT: Duration = Duration::from_secs(3);
/// A broker may be asked so often while it answers that another leads, or none yet: about 1 s.
const BOUNDS_TRIES: u32 = 10;
const BOUNDS_RETRY_DELAY: Duration = Duration::from_millis(100);
/// Bytes of records that are let go together.
const COPIED_AT_ONCE: usize = 64 << 10;

/// A consumer of one or more sources, and who is told of arrivals.
#[derive(Clone)]
pub(super) struct Client {
    pub consumer: Arc<BaseConsumer<Context>>,
    pub wake: Waker,
}

impl Client {
    /// Lets the consumer tell its events, for up to `timeout`. Records do not come this way.
    pub(super) fn serve_events(&self, timeout: Duration) {
        if let Some(Ok(record)) = self.consumer.poll(timeout) {
            let (topic, offset) = (record.topic(), record.offset());
            panic!("a record of {topic} at {offset} came past the queue of its source");
        }
    }
}

pub(super) struct Reader {
    source: Source,
    topic: String,
    partition: i32,
    /// No record below is given.
    next: u64,
    copies: Copies,
    /// Dropped before the client: queues of a consumer go before it.
    state: State,
    client: Client,
}

enum State {
    /// Before the first seek.
    Unread,
    Reading(PartitionQueue<Context>),
    /// The offset is not in the log; what is there is being asked.
    Asking(Receiver<Result<Bounds, KafkaError>>),
    Stopped(Stop),
}

#[derive(Clone)]
enum Stop {
    Truncated(Bounds),
    Lasting(String),
}

impl Reader {
    pub(super) fn new(client: &Client, source: Source, topic: &str, partition: i32) -> Reader {
        Reader {
            source,
            topic: topic.to_owned(),
            partition,
            next: 0,
            copies: Copies::default(),
            state: State::Unread,
            client: client.clone(),
        }
    }

    /// Waits for the broker.
    pub(super) fn bounds(&self) -> Result<Bounds, Error> {
        let mut tries = 1;
        loop {
            match ask_bounds(&self.client.consumer, &self.topic, self.partition) {
                Ok(bounds) => return Ok(bounds),
                Err(error) if tries < BOUNDS_TRIES && is_of_leadership(&error) => tries += 1,
                Err(error) => return Err(fault(self.place(), &error)),
            }
            self.client.serve_events(BOUNDS_RETRY_DELAY);
        }
    }

    pub(super) fn known_end(&self) -> Option<u64> {
        self.client.consumer.context().ends.of(&self.topic, self.partition)
    }

    pub(super) fn seek(&mut self, offset: u64) -> Result<(), Error> {
        self.release()?;
        self.next = offset;
        // The queue is split off before anything is fetched, or the first records would come by
        // the queue of the consumer. Assigning anew, not the client's seek: that one fails on a
        // topic partition which is not being fetched yet.
        let Some(mut queue) =
            self.client.consumer.split_partition_queue(&self.topic, self.partition)
        else {
            return Err(Error::Lasting {
                place: self.place(),
                reason: format!("{:?} is no name of a topic", self.topic),
            });
        };
        let wake = Arc::clone(&self.client.wake);
        queue.set_nonempty_callback(move || wake());
        let start = i64::try_from(offset).expect("offsets are those of a log, below 2^63");
        self.client
            .consumer
            .incremental_assign(&self.list(Offset::Offset(start)))
            .map_err(|error| fault(self.place(), &error))?;
        self.state = State::Reading(queue);
        Ok(())
    }

    pub(super) fn poll(&mut self) -> Result<Option<Read>, Error> {
        let read = self.read();
        if !matches!(read, Ok(Some(Read::Record(_)))) {
            self.client.serve_events(Duration::ZERO);
        }
        read
    }

    fn read(&mut self) -> Result<Option<Read>, Error> {
        match &self.state {
            State::Unread => Ok(None),
            State::Reading(queue) => loop {
                match queue.poll(Duration::ZERO) {
                    None => return Ok(None),
                    Some(Ok(record)) => {
                        let record = self.copies.stored(&record);
                        if record.offset >= self.next {
                            self.next = record.offset + 1;
                            return Ok(Some(Read::Record(record)));
                        }
                    }
                    Some(Err(error)) => return self.judge(&error),
                }
            },
            State::Asking(answer) => match answer.try_recv() {
                Err(TryRecvError::Empty) => Ok(None),
                Ok(Ok(bounds)) if (bounds.start..=bounds.end).contains(&self.next) => {
                    self.again("the broker had the offset after all".to_owned())
                }
                Ok(Ok(bounds)) => self.stop(Stop::Truncated(bounds)),
                Ok(Err(error)) => self.again(error.to_string()),
                Err(TryRecvError::Disconnected) => {
                    self.again("nobody could be asked what the log holds".to_owned())
                }
            },
            State::Stopped(stop) => Err(self.stopped(stop.clone())),
        }
    }

    /// Says what an error between the records means.
    fn judge(&mut self, error: &KafkaError) -> Result<Option<Read>, Error> {
        match (error, error.rdkafka_error_code()) {
            (KafkaError::PartitionEOF(_), _) => Ok(Some(Read::End)),
            (_, Some(Code::AutoOffsetReset | Code::OffsetOutOfRange)) => {
                self.ask();
                Ok(None)
            }
            (KafkaError::MessageConsumptionFatal(_), _) => {
                self.stop(Stop::Lasting(error.to_string()))
            }
            (_, Some(code)) if lasts(code) => self.stop(Stop::Lasting(error.to_string())),
            _ => Err(Error::Passing { place: self.place(), reason: error.to_string() }),
        }
    }

    /// Asks in a thread of its own what the log holds: `poll` does not wait.
    fn ask(&mut self) {
        let (told, answer) = mpsc::channel();
        let (consumer, wake) = (Arc::clone(&self.client.consumer), Arc::clone(&self.client.wake));
        let (topic, partition) = (self.topic.clone(), self.partition);
        self.state = State::Asking(answer);
        let asker = std::thread::Builder::new().name("kafka-bounds".to_owned()).spawn(move || {
            // Nobody hears it when another seek came first.
            let _ = told.send(ask_bounds(&consumer, &topic, partition));
            drop(consumer);
            wake();
        });
        if let Err(error) = asker {
            tracing::warn!(%error, "no thread to ask for the bounds of a topic partition in");
            (self.client.wake)();
        }
    }

    /// Reads on from where it was; what came between passes.
    fn again(&mut self, reason: String) -> Result<Option<Read>, Error> {
        self.seek(self.next)?;
        Err(Error::Passing { place: self.place(), reason })
    }

    fn stop(&mut self, stop: Stop) -> Result<Option<Read>, Error> {
        self.release()?;
        self.state = State::Stopped(stop.clone());
        Err(self.stopped(stop))
    }

    fn stopped(&self, stop: Stop) -> Error {
        match stop {
            Stop::Truncated(Bounds { start, end }) => {
                Error::Truncated { place: self.source, offset: self.next, start, end }
            }
            Stop::Lasting(reason) => Error::Lasting { place: self.place(), reason },
        }
    }

    /// Gives up what was read ahead, and fetches no more.
    pub(super) fn release(&mut self) -> Result<(), Error> {
        let assigned = matches!(self.state, State::Reading(_) | State::Asking(_));
        // The queue goes first: dropping it takes the callback from the queue of the client, also
        // from one that was split off anew.
        self.state = State::Unread;
        if assigned {
            self.client
                .consumer
                .incremental_unassign(&self.list(Offset::Invalid))
                .map_err(|error| fault(self.place(), &error))?;
        }
        Ok(())
    }

    fn list(&self, offset: Offset) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&self.topic, self.partition, offset)
            .expect("an offset that fits, in a list that is new");
        list
    }

    fn place(&self) -> Place {
        Place::Source(self.source)
    }
}

/// Leaders move, and a new topic is not known to all brokers at once.
fn is_of_leadership(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::BrokerNotAvailable
                | Code::UnknownTopicOrPartition
        )
    )
}

fn ask_bounds(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
) -> Result<Bounds, KafkaError> {
    let (start, end) = consumer.fetch_watermarks(topic, partition, BOUNDS_TIMEOUT)?;
    let offset =
        |offset| u64::try_from(offset).map_err(|_| KafkaError::OffsetFetch(Code::NoOffset));
    Ok(Bounds { start: offset(start)?, end: offset(end)? })
}

/// Copies of what the client's records hold, many in one piece of memory, which is free when the
/// last of them is: to ask the allocator for each would take a tenth of the time of an engine.
#[derive(Default)]
struct Copies(BytesMut);

impl Copies {
    fn stored(&mut self, record: &BorrowedMessage<'_>) -> Stored {
        Stored {
            offset: u64::try_from(record.offset()).expect("a record that was read has an offset"),
            timestamp: Millis(record.timestamp().to_millis().unwrap_or(0)),
            key: record.key().map(|bytes| self.copy(bytes)),
            value: record.payload().map(|bytes| self.copy(bytes)),
        }
    }

    fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if self.0.capacity() < bytes.len() {
            self.0 = BytesMut::with_capacity(bytes.len().max(COPIED_AT_ONCE));
        }
        self.0.extend_from_slice(bytes);
        self.0.split().freeze()
    }
}
