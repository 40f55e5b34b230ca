//! A tail on librdkafka's own mock cluster, which speaks the real protocol.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

use super::*;
use crate::telemetry::SystemClock;

const PATIENCE: Duration = Duration::from_secs(20);

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).expect("a mock cluster");
    cluster.create_topic("facts", partitions, 1).expect("a topic");
    cluster
}

/// Appends each of (partition, timestamp, value), in order.
fn produce(cluster: &Cluster, records: &[(i32, i64, &str)]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .create()
        .expect("a producer");
    for (partition, timestamp, value) in records {
        let record = BaseRecord::to("facts")
            .partition(*partition)
            .timestamp(*timestamp)
            .key("k")
            .payload(*value);
        producer.send(record).expect("a queue with room");
    }
    producer.flush(PATIENCE).expect("delivered");
}

fn options(cluster: &Cluster, start: Start) -> Options {
    Options { start, probe_interval_ms: 50, ..Options::new(&cluster.bootstrap_servers(), "facts") }
}

/// A tail, and what it reads.
fn follow(options: &Options) -> (Tail, Receiver<(i32, u64, String)>) {
    let (told, heard) = channel();
    let tail = Tail::start(options, Arc::new(SystemClock), move |record| {
        let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).expect("a text");
        told.send((record.partition, record.offset, value)).expect("heard");
        Taken::Yes
    });
    (tail.expect("a tail"), heard)
}

fn values(heard: &Receiver<(i32, u64, String)>) -> Vec<String> {
    let mut values: Vec<_> = heard.try_iter().map(|(_, _, value)| value).collect();
    values.sort();
    values
}

#[test]
fn everything_before_the_end_is_read_before_it_is_ready_and_what_follows_comes_at_once() {
    let cluster = cluster(3);
    produce(&cluster, &[(0, 1_000, "a"), (2, 1_000, "b"), (0, 1_000, "c")]);
    let (tail, heard) = follow(&options(&cluster, Start::Beginning));
    tail.ready(PATIENCE).expect("caught up");
    assert_eq!(values(&heard), ["a", "b", "c"]);
    produce(&cluster, &[(1, 2_000, "d")]);
    assert_eq!(heard.recv_timeout(PATIENCE).expect("a record"), (1, 0, "d".to_owned()));
    let nexts: Vec<_> = tail.progress().iter().map(|partition| partition.next).collect();
    assert_eq!(nexts[0], 2);
    assert_eq!(nexts[2], 1);
}

#[test]
fn an_idle_topic_stays_fresh_and_one_without_brokers_gets_stale() {
    let cluster = cluster(2);
    produce(&cluster, &[(0, 1_000, "a")]);
    let (tail, _heard) = follow(&options(&cluster, Start::Beginning));
    tail.ready(PATIENCE).expect("caught up");
    let (_never, pause) = channel::<()>();
    let staleness_us = || tail.staleness_us(SystemClock.micros()).expect("caught up");
    let until = |what: &str, holds: &dyn Fn(i64) -> bool| {
        for _ in 0..200 {
            if holds(staleness_us()) {
                return;
            }
            let _ = pause.recv_timeout(Duration::from_millis(50));
        }
        panic!("{what}: stale by {} µs", staleness_us());
    };
    let _ = pause.recv_timeout(Duration::from_secs(1));
    until("idle", &|stale_us| stale_us < 500_000);
    cluster.broker_down(1).expect("a broker to stop");
    until("away", &|stale_us| stale_us > 1_500_000);
    cluster.broker_up(1).expect("a broker to start");
    until("back", &|stale_us| stale_us < 500_000);
    assert_eq!(tail.fault(), None);
}

/// The mock cluster does not look up timestamps; `tests/kafka` has `Since` on real brokers.
#[test]
fn it_begins_where_it_is_told() {
    let cluster = cluster(2);
    produce(&cluster, &[(0, 1_000, "a"), (0, 2_000, "b"), (0, 3_000, "c"), (1, 1_000, "d")]);
    for (start, expected) in
        [(Start::Last, vec!["c", "d"]), (Start::Beginning, vec!["a", "b", "c", "d"])]
    {
        let (tail, heard) = follow(&options(&cluster, start));
        tail.ready(PATIENCE).expect("caught up");
        assert_eq!(values(&heard), expected, "{start:?}");
    }
}

#[test]
fn a_record_that_is_not_taken_comes_again_before_any_other() {
    let cluster = cluster(1);
    produce(&cluster, &[(0, 1_000, "a"), (0, 1_000, "b")]);
    let (told, heard) = channel();
    let mut tries = 0;
    let tail =
        Tail::start(&options(&cluster, Start::Beginning), Arc::new(SystemClock), move |it| {
            tries += 1;
            told.send(it.offset).expect("heard");
            if tries < 3 { Taken::Later } else { Taken::Yes }
        });
    tail.expect("a tail").ready(PATIENCE).expect("caught up");
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [0, 0, 0, 1]);
}

#[test]
fn a_topic_that_does_not_exist_is_named() {
    let cluster = cluster(1);
    let absent = Options { topic: "fcats".to_owned(), ..options(&cluster, Start::Beginning) };
    let (tail, _heard) = follow(&absent);
    let fault = tail.ready(PATIENCE).expect_err("no such topic");
    assert_eq!(fault, Error::Absent { topic: "fcats".to_owned() });
    assert_eq!(tail.fault(), Some(fault));
}

#[test]
fn without_brokers_it_waits_and_says_so() {
    let nobody = Options::new("127.0.0.1:1", "facts");
    let (tail, _heard) = follow(&nobody);
    let fault = tail.ready(Duration::from_millis(300)).expect_err("nobody is there");
    assert!(matches!(fault, Error::Unreached { .. }), "{fault}");
    assert_eq!(tail.staleness_us(SystemClock.micros()), None);
    assert_eq!(tail.fault(), None, "it goes on trying");
}

#[test]
fn a_property_that_is_none_is_refused() {
    let mut options = Options::new("127.0.0.1:1", "facts");
    options.client.insert("fetch.wait".to_owned(), "1".to_owned());
    let refused = Tail::start(&options, Arc::new(SystemClock), |_| Taken::Yes);
    assert!(matches!(refused, Err(Error::Refused { .. })));
}
