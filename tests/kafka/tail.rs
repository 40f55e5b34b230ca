//! A tail on real brokers: what the mock cluster does not do as Kafka does it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tollgate::tail::{Error, Options, Start, Tail, Taken};
use tollgate::telemetry::SystemClock;
use tollgate::time::{Clock, Millis};

use crate::cluster;
use crate::rig::{PATIENCE, fresh_topics};

/// A topic of two partitions whose records keep the time of their producer.
fn options(bootstrap: &str, start: Start) -> Options {
    let topic = fresh_topics(bootstrap, 2).topics.block_state;
    Options { start, probe_interval_ms: 20, ..Options::new(bootstrap, &topic) }
}

fn follow(options: &Options) -> (Tail, Receiver<String>) {
    let (told, heard) = channel();
    let tail = Tail::start(options, Arc::new(SystemClock), move |record| {
        let value = record.value.unwrap_or_default();
        told.send(String::from_utf8_lossy(value).into_owned()).expect("heard");
        Taken::Yes
    });
    (tail.expect("a tail"), heard)
}

fn producer(options: &Options, id: Option<&str>) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.bootstrap);
    if let Some(id) = id {
        config.set("transactional.id", id);
    }
    config.create().expect("a producer")
}

fn put(producer: &BaseProducer, topic: &str, records: &[(i32, i64, &str)]) {
    for (partition, timestamp, value) in records {
        let record = BaseRecord::<(), str>::to(topic);
        let record = record.partition(*partition).timestamp(*timestamp).payload(value);
        producer.send(record).expect("a queue with room");
    }
    producer.flush(PATIENCE).expect("delivered");
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let (_never, pause) = channel::<()>();
    for _ in 0..PATIENCE.as_millis() / 20 {
        if holds() {
            return;
        }
        let _ = pause.recv_timeout(Duration::from_millis(20));
    }
    panic!("waited in vain until {what}");
}

#[test]
fn a_tail_begins_with_the_first_record_of_a_time() {
    let Some(cluster) = cluster::take() else { return };
    let now = SystemClock.now().0;
    let mut options = options(&cluster.bootstrap, Start::Beginning);
    let producer = producer(&options, None);
    let before = [(0, now - 3_000, "a"), (0, now - 2_000, "b"), (0, now - 1_000, "c")];
    put(&producer, &options.topic, &before);
    put(&producer, &options.topic, &[(1, now - 3_000, "d")]);
    options.start = Start::Since(Millis(now - 2_000));
    let (tail, heard) = follow(&options);
    tail.ready(PATIENCE).expect("caught up");
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), ["b", "c"]);
    options.start = Start::Since(Millis(now + 1_000));
    let (late, heard) = follow(&options);
    late.ready(PATIENCE).expect("caught up");
    assert_eq!(heard.try_iter().count(), 0);
    put(&producer, &options.topic, &[(1, now, "e")]);
    assert_eq!(heard.recv_timeout(PATIENCE).expect("what comes next"), "e");
    cluster.passed("a tail begins where a time says");
}

/// The mark of a transaction's end stands behind the last record, as an offset without one; so does
/// what compaction leaves of a tombstone.
#[test]
fn an_end_without_a_record_is_reached_and_stays_fresh() {
    let Some(cluster) = cluster::take() else { return };
    let options = options(&cluster.bootstrap, Start::Beginning);
    let producer = producer(&options, Some(&options.topic));
    producer.init_transactions(PATIENCE).expect("a transactional id");
    producer.begin_transaction().expect("a transaction");
    put(&producer, &options.topic, &[(0, SystemClock.now().0, "a")]);
    producer.commit_transaction(PATIENCE).expect("committed");
    let (tail, heard) = follow(&options);
    tail.ready(PATIENCE).expect("caught up");
    assert_eq!(heard.recv_timeout(PATIENCE).expect("a record"), "a");
    assert_eq!(tail.progress()[0].next, 1, "the mark is at offset 1");
    let proven = || tail.progress()[0].proven_us.expect("caught up");
    let first = proven();
    until("a later question is proof", || proven() > first + 2_000_000);
    let staleness_us = tail.staleness_us(SystemClock.micros()).expect("caught up");
    assert!(staleness_us < 2_000_000, "{staleness_us} µs");
    cluster.passed("a tail knows an end without a record");
}

#[test]
fn another_number_of_partitions_and_a_deleted_topic_end_a_tail() {
    let Some(cluster) = cluster::take() else { return };
    let options = options(&cluster.bootstrap, Start::Beginning);
    let (grown, _heard) = follow(&options);
    grown.ready(PATIENCE).expect("caught up");
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &options.bootstrap)
        .create()
        .expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let more = [NewPartitions::new(&options.topic, 3)];
    let made = runtime.block_on(admin.create_partitions(&more, &AdminOptions::new()));
    assert!(made.expect("brokers that answer").iter().all(Result::is_ok));
    until("the new partition is noticed", || grown.fault().is_some());
    let topic = options.topic.clone();
    assert_eq!(grown.fault(), Some(Error::Partitions { topic, was: 2, now: 3 }));

    let (gone, _heard) = follow(&options);
    gone.ready(PATIENCE).expect("caught up");
    let deleted = runtime.block_on(admin.delete_topics(&[&options.topic], &AdminOptions::new()));
    assert!(deleted.expect("brokers that answer").iter().all(Result::is_ok));
    until("the topic is missed", || gone.fault().is_some());
    assert_eq!(gone.fault(), Some(Error::Absent { topic: options.topic.clone() }));
    cluster.passed("a tail ends when its partitions are others");
}
