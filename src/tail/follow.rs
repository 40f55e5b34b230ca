//! The thread of a tail: finds the partitions, reads them, and keeps asking where they end.
//! Promise: outages of brokers are waited out, without a bound; a topic that is gone or has another
//! number of partitions ends it with an error that says so.

use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Consumer, lasts};
use super::watch::{Asked, Watch};
use super::{Error, Options, Record, Shared, Start, Taken};
use crate::time::Millis;

/// How long a broker may take to answer a question; also bounds how long a drop waits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Between tries of what failed, and before a sink is given the same record again.
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// A topic that was just made is not known to all brokers at once: it is absent once it was not
/// found so often.
const ABSENT_TRIES: u32 = 10;
/// How often the number of partitions is looked at, in questions for their ends.
const LOOK_EVERY: u32 = 20;
/// How long one poll waits: a stop is noticed within this.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// Reads until the tail is dropped or cannot go on.
pub(super) fn run(
    consumer: &Consumer,
    options: &Options,
    shared: &Shared,
    mut sink: impl FnMut(Record<'_>) -> Taken,
) {
    let Some(partitions) = begin(consumer, options, shared) else { return };
    std::thread::scope(|scope| {
        let interval = Duration::from_millis(options.probe_interval_ms.max(1).into());
        let prober = std::thread::Builder::new().name("tail-ends".to_owned());
        let probing =
            prober.spawn_scoped(scope, move || probe(consumer, shared, partitions, interval));
        if let Err(error) = probing {
            shared.end(refused(shared, format!("no thread: {error}")));
            return;
        }
        while !shared.stopped_within(Duration::ZERO) {
            read(consumer, shared, &mut sink);
        }
    });
}

fn refused(shared: &Shared, reason: String) -> Error {
    Error::Refused { topic: shared.topic.clone(), reason }
}

/// Tries until it reads, is stopped, or a fault lasts. Gives the number of partitions.
fn begin(consumer: &Consumer, options: &Options, shared: &Shared) -> Option<usize> {
    let mut absent = 0;
    loop {
        // Faults of the client, such as of authentication, come by its poll alone.
        let polled = consumer.poll(Duration::ZERO);
        let begun = match polled {
            Some(Err(error)) if error.rdkafka_error_code().is_some_and(lasts) => Err(error),
            _ => count_partitions(consumer, &shared.topic),
        };
        let begun = match begun {
            Ok(0) => {
                absent += 1;
                if absent == ABSENT_TRIES {
                    shared.end(Error::Absent { topic: shared.topic.clone() });
                    return None;
                }
                Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition))
            }
            Ok(count) => assign(consumer, options, shared, count).map(|()| count),
            Err(error) => Err(error),
        };
        match begun {
            Ok(count) => return Some(count),
            Err(error) if error.rdkafka_error_code().is_some_and(lasts) => {
                shared.end(refused(shared, error.to_string()));
                return None;
            }
            Err(error) => {
                tracing::debug!(topic = shared.topic, %error, "a topic cannot be read yet");
                shared.state().waits_for = error.to_string();
            }
        }
        if shared.stopped_within(RETRY_DELAY) {
            return None;
        }
    }
}

/// 0 when the brokers know no such topic.
fn count_partitions(consumer: &Consumer, topic: &str) -> Result<usize, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_TIMEOUT)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(0);
    };
    match found.error().map(Code::from) {
        None => Ok(found.partitions().len()),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(0),
        Some(code) => Err(KafkaError::MetadataFetch(code)),
    }
}

/// Starts to read every partition.
fn assign(
    consumer: &Consumer,
    options: &Options,
    shared: &Shared,
    partitions: usize,
) -> Result<(), KafkaError> {
    let at_us = shared.clock.micros();
    let ends = ends(consumer, &shared.topic, partitions)?;
    let starts = match options.start {
        Start::Beginning => first_offsets(consumer, &shared.topic, partitions)?,
        Start::Since(time) => {
            let found = offsets(consumer, &shared.topic, partitions, Offset::Offset(time.0))?;
            let none = |(found, end): (Option<i64>, &i64)| found.unwrap_or(*end);
            found.into_iter().zip(&ends).map(none).collect()
        }
        Start::Last => {
            let firsts = first_offsets(consumer, &shared.topic, partitions)?;
            ends.iter().zip(firsts).map(|(end, first)| (end - 1).max(first)).collect::<Vec<_>>()
        }
    };
    let mut list = TopicPartitionList::with_capacity(partitions);
    for (number, start) in numbered(&starts) {
        list.add_partition_offset(&shared.topic, number, Offset::Offset(*start))?;
    }
    consumer.assign(&list)?;
    let starts: Vec<_> =
        starts.into_iter().zip(ends).map(|(start, end)| (start, Asked { at_us, end })).collect();
    shared.state().waits_for = "the records before its end are still being read".to_owned();
    shared.note(|watch| *watch = Watch::new(&starts));
    Ok(())
}

fn numbered<T>(partitions: &[T]) -> impl Iterator<Item = (i32, &T)> {
    (0..).zip(partitions)
}

/// What the log of each partition begins with: all of them in one question.
fn first_offsets(
    consumer: &Consumer,
    topic: &str,
    partitions: usize,
) -> Result<Vec<i64>, KafkaError> {
    answered(offsets(consumer, topic, partitions, Offset::Beginning)?)
}

fn ends(consumer: &Consumer, topic: &str, partitions: usize) -> Result<Vec<i64>, KafkaError> {
    answered(offsets(consumer, topic, partitions, Offset::End)?)
}

fn answered(offsets: Vec<Option<i64>>) -> Result<Vec<i64>, KafkaError> {
    let missing = || KafkaError::OffsetFetch(Code::NoOffset);
    offsets.into_iter().map(|offset| offset.ok_or_else(missing)).collect()
}

/// Asks for an offset of each partition. The protocol takes a timestamp, or for the two bounds of
/// the log the same numbers that the client has for them. `None` where nothing is that late.
fn offsets(
    consumer: &Consumer,
    topic: &str,
    partitions: usize,
    at: Offset,
) -> Result<Vec<Option<i64>>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions);
    for number in (0..).take(partitions) {
        list.add_partition_offset(topic, number, at)?;
    }
    let found = consumer.offsets_for_times(list, ANSWER_TIMEOUT)?;
    let mut offsets = vec![None; partitions];
    for element in found.elements() {
        element.error()?;
        let number = usize::try_from(element.partition()).ok();
        if let (Some(place), Offset::Offset(offset)) =
            (number.and_then(|number| offsets.get_mut(number)), element.offset())
        {
            *place = Some(offset);
        }
    }
    Ok(offsets)
}

/// Gives one record to the sink, or notes what came instead.
fn read(consumer: &Consumer, shared: &Shared, sink: &mut impl FnMut(Record<'_>) -> Taken) {
    match consumer.poll(POLL_TIMEOUT) {
        None => {}
        Some(Ok(message)) => {
            let record = record(&message);
            while sink(record) == Taken::Later {
                if shared.stopped_within(RETRY_DELAY) {
                    return;
                }
            }
            let (partition, next) = (message.partition(), message.offset() + 1);
            let mut onwards = true;
            shared.note(|watch| onwards = watch.took(partition, next));
            if !onwards {
                let (topic, offset) = (&shared.topic, record.offset);
                tracing::warn!(topic, partition, offset, "the log went back and is read again");
            }
        }
        Some(Err(KafkaError::PartitionEOF(partition))) => {
            shared.note(|watch| watch.met_end(partition));
        }
        Some(Err(error)) if error.rdkafka_error_code().is_some_and(lasts) => {
            shared.end(refused(shared, error.to_string()));
        }
        // The client has logged it, and tries again by itself.
        Some(Err(error)) => {
            tracing::debug!(topic = shared.topic, %error, "a topic cannot be read for now");
        }
    }
    let told = consumer.context().take_ends();
    if !told.is_empty() {
        shared.note(|watch| {
            told.iter().for_each(|(number, end)| watch.end_was_told(*number, *end));
        });
    }
}

fn record<'m>(message: &'m BorrowedMessage<'_>) -> Record<'m> {
    Record {
        partition: message.partition(),
        offset: u64::try_from(message.offset()).expect("a record that was read has an offset"),
        timestamp: Millis(message.timestamp().to_millis().unwrap_or(0)),
        key: message.key(),
        value: message.payload(),
    }
}

/// Asks for the ends again and again, and now and then for the number of partitions.
fn probe(consumer: &Consumer, shared: &Shared, partitions: usize, interval: Duration) {
    let (mut questions, mut absent) = (0_u32, 0);
    while !shared.stopped_within(interval) {
        let at_us = shared.clock.micros();
        match ends(consumer, &shared.topic, partitions) {
            Ok(ends) => shared.note(|watch| {
                let asked = |end: &i64| Asked { at_us, end: *end };
                numbered(&ends).for_each(|(number, end)| watch.was_asked(number, asked(end)));
            }),
            Err(error) => {
                tracing::debug!(topic = shared.topic, %error, "the ends are not told for now");
            }
        }
        questions = questions.wrapping_add(1);
        if absent == 0 && !questions.is_multiple_of(LOOK_EVERY) {
            continue;
        }
        match count_partitions(consumer, &shared.topic) {
            Ok(0) => {
                absent += 1;
                if absent == ABSENT_TRIES {
                    return shared.end(Error::Absent { topic: shared.topic.clone() });
                }
            }
            Ok(now) if now != partitions => {
                let topic = shared.topic.clone();
                return shared.end(Error::Partitions { topic, was: partitions, now });
            }
            Ok(_) => absent = 0,
            Err(error) => {
                tracing::debug!(topic = shared.topic, %error, "partitions are not told for now");
            }
        }
    }
}
