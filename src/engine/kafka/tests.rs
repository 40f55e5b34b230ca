//! The Kafka log against librdkafka's mock cluster, which speaks the protocol over loopback.
//! Every wait is for the waker, so a wake-up that is forgotten fails a test.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::{Change, Kafka, KafkaLog, Options, Topics, Waker};
use crate::engine::log::{Ack, Bounds, Error, Log, Output, Read, Source, Stored, Topic};
use crate::journal::Hash;

const PATIENCE: Duration = Duration::from_secs(10);
const PARTITIONS: i32 = 2;

/// What the engine's thread would wait on.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    fn waker(self: &Arc<Self>) -> Waker {
        let bell = Arc::clone(self);
        Arc::new(move || {
            *bell.rung.lock().unwrap() = true;
            bell.ringing.notify_one();
        })
    }

    fn wait(&self, what: &str) {
        let rung = self.rung.lock().unwrap();
        let (mut rung, wait) =
            self.ringing.wait_timeout_while(rung, PATIENCE, |rung| !*rung).unwrap();
        assert!(!wait.timed_out(), "nothing woke the engine for {what}");
        *rung = false;
    }
}

struct Bench {
    cluster: MockCluster<'static, DefaultProducerContext>,
    kafka: Arc<Kafka>,
}

/// A log, and the bell that its waker rings.
struct Rig {
    log: KafkaLog,
    bell: Arc<Bell>,
}

impl Bench {
    fn new() -> Bench {
        let cluster = MockCluster::new(1).unwrap();
        let options = options(cluster.bootstrap_servers());
        let topics = &options.topics;
        for topic in [
            &topics.billed,
            &topics.commands,
            &topics.journal,
            &topics.threshold_crossed,
            &topics.limit_reached,
            &topics.block_state,
            &topics.dead_letter,
        ] {
            cluster.create_topic(topic, PARTITIONS, 1).unwrap();
        }
        Bench { kafka: Kafka::new(options).unwrap(), cluster }
    }

    fn rig(&self, partition: i32) -> Rig {
        let bell = Arc::new(Bell::default());
        Rig { log: self.kafka.log(partition, bell.waker()).unwrap(), bell }
    }
}

fn options(bootstrap: String) -> Options {
    let name = |name: &str| name.to_owned();
    Options {
        bootstrap,
        group: name("engines"),
        client: BTreeMap::new(),
        session_timeout_ms: 6_000,
        instance_id: None,
        topics: Topics {
            billed: name("billed"),
            commands: name("commands"),
            journal: name("journal"),
            threshold_crossed: name("threshold-crossed"),
            limit_reached: name("limit-reached"),
            block_state: name("block-state"),
            dead_letter: name("dead-letter"),
        },
    }
}

impl Rig {
    fn read(&mut self, source: Source) -> Result<Read, Error> {
        loop {
            if let Some(read) = self.log.poll(source)? {
                return Ok(read);
            }
            self.bell.wait("a read");
        }
    }

    fn record(&mut self, source: Source) -> Stored {
        loop {
            if let Read::Record(record) = self.read(source).unwrap() {
                return record;
            }
        }
    }

    fn ack(&mut self) -> Ack {
        loop {
            if let Some(ack) = self.log.acks() {
                return ack;
            }
            self.bell.wait("an acknowledgement");
        }
    }

    /// Appends `count` records; their bytes are their numbers.
    fn fill(&mut self, count: u64) {
        for id in 0..count {
            self.log.append(id, id.to_string().as_bytes()).unwrap();
        }
        for id in 0..count {
            let ack = self.ack();
            assert!(matches!(ack, Ack::Appended { id: acked, .. } if acked == id), "{ack:?}");
        }
    }
}

fn output(topic: Topic, key: &str, value: Option<&str>) -> Output {
    Output {
        topic,
        key: Some(key.as_bytes().to_vec()),
        value: value.map(|value| value.as_bytes().to_vec()),
    }
}

#[test]
fn appends_are_acknowledged_in_order_and_read_back() {
    let bench = Bench::new();
    let mut rig = bench.rig(1);
    for id in [7, 8, 9] {
        rig.log.append(id, format!("record {id}").as_bytes()).unwrap();
    }
    for (offset, id) in [7, 8, 9].into_iter().enumerate() {
        // The mock cluster tells no time of its own.
        let expected = Ack::Appended { id, offset: Some(offset as u64), timestamp: None };
        assert_eq!(rig.ack(), expected);
    }
    rig.log.seek(Source::Journal, 0).unwrap();
    for (offset, id) in [7, 8, 9].into_iter().enumerate() {
        let record = rig.record(Source::Journal);
        assert_eq!(record.offset, offset as u64);
        assert_eq!(record.value, Some(format!("record {id}").into()));
        assert_eq!(
            record.key,
            record.value.as_deref().map(|bytes| Hash::of(bytes).0.to_vec().into())
        );
        assert!(record.timestamp.0 > 0);
    }
    assert_eq!(rig.log.bounds(Source::Journal).unwrap(), Bounds { start: 0, end: 3 });
    assert_eq!(rig.log.bounds(Source::Billed).unwrap(), Bounds { start: 0, end: 0 });
}

#[test]
fn end_is_told_whenever_it_is_reached() {
    let bench = Bench::new();
    let mut rig = bench.rig(0);
    for source in [Source::Billed, Source::Commands, Source::Journal, Source::BlockState] {
        rig.log.seek(source, 0).unwrap();
        assert_eq!(rig.read(source).unwrap(), Read::End);
    }
    for id in 0..3 {
        rig.fill(1);
        assert_eq!(rig.record(Source::Journal).offset, id);
        assert_eq!(rig.read(Source::Journal).unwrap(), Read::End);
    }
}

#[test]
fn nothing_is_read_before_the_first_seek() {
    let bench = Bench::new();
    let mut rig = bench.rig(0);
    rig.fill(1);
    assert_eq!(rig.log.poll(Source::Journal).unwrap(), None);
}

#[test]
fn seek_drops_what_was_read_ahead() {
    let bench = Bench::new();
    let mut rig = bench.rig(0);
    rig.fill(2_000);
    // A walk that visits offsets near and far, forwards and backwards.
    for step in 0..100_u64 {
        let from = step * 977 % 2_000;
        rig.log.seek(Source::Journal, from).unwrap();
        for offset in from..(from + step % 7).min(2_000) {
            let record = rig.record(Source::Journal);
            assert_eq!(record.offset, offset);
            assert_eq!(record.value, Some(offset.to_string().into()));
        }
    }
}

#[test]
fn offset_beyond_the_log_is_truncated_until_the_next_seek() {
    let bench = Bench::new();
    let mut rig = bench.rig(0);
    rig.fill(3);
    rig.log.seek(Source::Journal, 4).unwrap();
    for _ in 0..2 {
        let error = rig.read(Source::Journal).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Truncated { place: Source::Journal, offset: 4, start: 0, end: 3 }
            ),
            "{error}"
        );
    }
    rig.log.seek(Source::Journal, 3).unwrap();
    assert_eq!(rig.read(Source::Journal).unwrap(), Read::End);
    rig.log.seek(Source::Journal, 2).unwrap();
    assert_eq!(rig.record(Source::Journal).offset, 2);
}

#[test]
fn renewed_producer_forgets_the_appends_of_the_old_one() {
    let bench = Bench::new();
    let mut rig = bench.rig(0);
    rig.fill(1);
    bench.cluster.broker_round_trip_time(1, Duration::from_millis(300)).unwrap();
    rig.log.append(10, b"old").unwrap();
    rig.log.renew().unwrap();
    rig.log.append(11, b"new").unwrap();
    let ack = rig.ack();
    assert!(matches!(ack, Ack::Appended { id: 11, .. }), "{ack:?}");
    assert_eq!(rig.log.acks(), None);
}

#[test]
fn acknowledgement_that_was_not_taken_yet_is_forgotten_too() {
    let bench = Bench::new();
    let mut rig = bench.rig(0);
    rig.log.append(1, b"old").unwrap();
    rig.log.publish(2, &output(Topic::LimitReached, "acme", Some("reached"))).unwrap();
    let first = rig.ack();
    if matches!(first, Ack::Appended { .. }) {
        rig.bell.wait("the publish");
    } else {
        rig.bell.wait("the append");
        rig.log.renew().unwrap();
        assert_eq!(rig.log.acks(), None);
    }
}

#[test]
fn refused_append_fails_with_its_reason() {
    let bench = Bench::new();
    let mut rig = bench.rig(0);
    rig.fill(1);
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    bench.cluster.request_errors(RDKafkaApiKey::Produce, &[refusal]);
    rig.log.append(5, b"refused").unwrap();
    match rig.ack() {
        Ack::AppendFailed { id: 5, reason } => assert!(reason.contains("authorization")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn publishes_are_acknowledged_to_the_partition_they_came_from() {
    let bench = Bench::new();
    let mut rigs = [bench.rig(0), bench.rig(1)];
    let mut expected = [const { Vec::new() }; 2];
    for id in 0..50 {
        for partition in [0, 1] {
            let text = format!("{partition} {id}");
            let output = output(Topic::BlockState, "acme/limit_7", Some(&text));
            rigs[partition].log.publish(id, &output).unwrap();
            expected[partition].push(output.value);
        }
    }
    for (rig, expected) in rigs.iter_mut().zip(expected) {
        for id in 0..50 {
            assert_eq!(rig.ack(), Ack::Published { id, offset: Some(id) });
        }
        rig.log.seek(Source::BlockState, 0).unwrap();
        for value in expected {
            let record = rig.record(Source::BlockState);
            assert_eq!(record.key, Some(b"acme/limit_7"[..].into()));
            assert_eq!(record.value, value.map(Into::into));
        }
    }
}

#[test]
fn tombstone_is_no_empty_value() {
    let bench = Bench::new();
    let mut rig = bench.rig(0);
    rig.log.publish(1, &output(Topic::BlockState, "a", None)).unwrap();
    rig.log.publish(2, &output(Topic::BlockState, "b", Some(""))).unwrap();
    rig.log.seek(Source::BlockState, 0).unwrap();
    assert_eq!(rig.record(Source::BlockState).value, None);
    assert_eq!(rig.record(Source::BlockState).value, Some(Vec::new().into()));
}

#[test]
fn record_too_large_is_a_lasting_fault() {
    let bench = Bench::new();
    let mut rig = bench.rig(0);
    let huge = "x".repeat(2_000_000);
    let fault = rig.log.publish(1, &output(Topic::DeadLetter, "a", Some(&huge))).unwrap_err();
    assert!(matches!(fault, Error::Lasting { .. }), "{fault}");
}

#[test]
fn too_many_appends_under_way_are_full() {
    let bench = Bench::new();
    let mut rig = bench.rig(0);
    bench.cluster.broker_down(-1).unwrap();
    let fault = (0..20_000).find_map(|id| rig.log.append(id, b"waits").err()).unwrap();
    assert!(matches!(fault, Error::Full(_)), "{fault}");
}

#[test]
fn properties_of_the_user_change_defaults_but_no_promise() {
    let mut options = options(String::new());
    options.client = [("linger.ms", "50"), ("acks", "1"), ("sasl.username", "ops")]
        .map(|(property, value)| (property.to_owned(), value.to_owned()))
        .into();
    let config = super::client::config(&options, &[("linger.ms", "0")], &[("acks", "all")]);
    assert_eq!(config.get("linger.ms"), Some("50"));
    assert_eq!(config.get("acks"), Some("all"));
    assert_eq!(config.get("sasl.username"), Some("ops"));
}

/// Follows changes until the member owns exactly `expected`.
fn until_owned(changes: &Receiver<Change>, owned: &mut Vec<i32>, expected: &[i32]) {
    while *owned != expected {
        match changes.recv_timeout(3 * PATIENCE).unwrap() {
            Change::Assigned(partitions) => owned.extend(partitions),
            Change::Revoked(partitions) => owned.retain(|one| !partitions.contains(one)),
            other => panic!("{other:?}"),
        }
        owned.sort_unstable();
    }
}

#[test]
fn member_owns_all_partitions_until_it_leaves() {
    let bench = Bench::new();
    let (member, changes) = bench.kafka.join().unwrap();
    let mut owned = Vec::new();
    until_owned(&changes, &mut owned, &[0, 1]);
    member.leave();
    until_owned(&changes, &mut owned, &[]);
}

#[test]
fn members_share_the_partitions() {
    let bench = Bench::new();
    let (first, changes) = bench.kafka.join().unwrap();
    let mut owned = Vec::new();
    until_owned(&changes, &mut owned, &[0, 1]);
    let (second, changes_of_second) = bench.kafka.join().unwrap();
    let mut owned_by_second = Vec::new();
    match changes.recv_timeout(3 * PATIENCE).unwrap() {
        Change::Revoked(partitions) => {
            until_owned(&changes_of_second, &mut owned_by_second, &partitions);
        }
        other => panic!("{other:?}"),
    }
    first.leave();
    until_owned(&changes_of_second, &mut owned_by_second, &[0, 1]);
    second.leave();
}
