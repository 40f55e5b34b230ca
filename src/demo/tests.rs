//! The demo's picture and summary, from what it would have seen.

use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::*;
use crate::fold::decision::Decision;
use crate::fold::event::{Line, Position};
use crate::fold::{Counts, RULES_VERSION, State};
use crate::journal::{Hash, Owner, Partitioner, Range, Record};
use crate::wire::json::{decode_line, write_decision};

struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "the demo runs as the clock does")]
    fn now(&self) -> Millis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Millis(i64::try_from(since.expect("after 1970").as_millis()).expect("before 2200"))
    }
}

/// One partition of an engine that trusts its broker: it folds, journals and publishes.
struct Folder {
    partition: i32,
    state: State,
    billed: u64,
    commands: u64,
    counts: Counts,
    seq: u64,
    prev: Hash,
}

impl Folder {
    fn journal(&mut self, billed: u64, commands: u64, producer: &BaseProducer) {
        let counts = self.state.counts();
        let control = Counts {
            events: counts.events - self.counts.events,
            duplicates: counts.duplicates - self.counts.duplicates,
            rejects: counts.rejects - self.counts.rejects,
            ..Counts::default()
        };
        let record = Record {
            seq: self.seq,
            prev: self.prev,
            billed: Range { from: self.billed, to: billed },
            commands: Range { from: self.commands, to: commands },
            now: self.state.now().unwrap_or(Millis(1)),
            dedup_minutes: 10,
            control,
            decisions: 0,
            decisions_hash: Hash::ZERO,
            published_through: None,
            owner: Owner { address: "here".to_owned(), run: "once".to_owned() },
            rules: RULES_VERSION,
            partitions: PARTITIONS,
            partitioner: Partitioner::Murmur2,
        };
        let bytes = record.encode();
        (self.billed, self.commands, self.counts) = (billed, commands, counts);
        (self.seq, self.prev) = (self.seq + 1, Hash::of(&bytes));
        send(producer, topics::JOURNAL, self.partition, &bytes);
    }
}

fn send(producer: &BaseProducer, topic: &str, partition: i32, payload: &[u8]) {
    let record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(payload);
    producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
}

fn trusting_engine(seat: Seat, stop: &AtomicBool) -> Result<(), String> {
    assert!(seat.state_dir.is_dir());
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &seat.bootstrap).set("group.id", "engine");
    config.set("fetch.wait.max.ms", "10");
    let consumer: BaseConsumer = config.create().map_err(|error| error.to_string())?;
    let producer: BaseProducer = config.create().map_err(|error| error.to_string())?;
    let mut assignment = TopicPartitionList::new();
    let partitions = i32::try_from(seat.partitions).expect("few");
    for topic in [topics::BILLED, topics::COMMANDS] {
        for partition in 0..partitions {
            assignment.add_partition_offset(topic, partition, Offset::Beginning).expect("valid");
        }
    }
    consumer.assign(&assignment).map_err(|error| error.to_string())?;
    let new = |partition| Folder {
        partition,
        state: State::new(10),
        billed: 0,
        commands: 0,
        counts: Counts::default(),
        seq: 0,
        prev: Hash::ZERO,
    };
    let mut folders: Vec<Folder> = (0..partitions).map(new).collect();
    let source: Arc<str> = "test".into();
    while !stop.load(Ordering::SeqCst) {
        let Some(record) = consumer.poll(Duration::from_millis(20)) else { continue };
        let record = record.map_err(|error| error.to_string())?;
        let folder = &mut folders[record.partition() as usize];
        let decoded = decode_line(record.payload().expect("a payload"));
        let recorded_at = Millis(record.timestamp().to_millis().expect("a timestamp"));
        let next = record.offset() as u64 + 1;
        let position = Position { source: source.clone(), at: next - 1 };
        let line = Line { input: decoded.input, recorded_at, position };
        let mut decisions = Vec::new();
        folder.state.fold_line(&line, &mut decisions);
        match record.topic() {
            topics::BILLED => folder.journal(next, folder.commands, &producer),
            _ => folder.journal(folder.billed, next, &producer),
        }
        for decision in &decisions {
            let topic = match decision {
                Decision::ThresholdCrossed(_) => topics::THRESHOLD_CROSSED,
                Decision::LimitReached(_) => topics::LIMIT_REACHED,
                Decision::BlockChanged(_) => topics::BLOCK_STATE,
                Decision::Rejected(_) => topics::DEAD_LETTER,
            };
            let mut bytes = Vec::new();
            write_decision(decision, &mut bytes);
            send(&producer, topic, record.partition(), &bytes);
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(5)).map_err(|error| error.to_string())
}

#[test]
fn blocks_appear_and_are_lifted_and_every_line_is_seen_folded() {
    let duration = Some(Duration::from_secs(20));
    let options = Options { rate: 200, seed: 1, duration, view: View::Nothing, guest: None };
    let (_running, stop) = channel();
    let summary = run(&options, &Wall, &stop, trusting_engine).expect("a demo");
    assert!(summary.lines_produced > 3_000, "{summary:?}");
    assert_eq!(summary.lines_journaled, summary.lines_produced, "{summary:?}");
    assert!(summary.decisions.blocked > 0, "{summary:?}");
    assert!(summary.decisions.lifted > 0, "{summary:?}");
    assert!(summary.rejects > 0, "{summary:?}");
}

#[test]
fn an_engine_that_fails_ends_the_demo_with_its_reason() {
    let options = Options { rate: 10, seed: 1, duration: None, view: View::Nothing, guest: None };
    let (_running, stop) = channel();
    let failed = run(&options, &Wall, &stop, |_, _| Err("no fuel".to_owned()));
    assert_eq!(failed.expect_err("no engine").to_string(), "the engine ended: no fuel");
}

#[test]
fn a_rate_that_the_embedded_broker_cannot_keep_is_refused() {
    let options =
        Options { rate: 5_001, seed: 1, duration: None, view: View::Nothing, guest: None };
    let (_running, stop) = channel();
    assert!(matches!(run(&options, &Wall, &stop, trusting_engine), Err(Error::Rate)));
}
