//! The engine's log and membership on real brokers: what no mock cluster does as Kafka does it.
//! Every wait is for the waker or the group, so a wake-up that is forgotten fails a test.

use std::collections::BTreeSet;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tollgate::engine::kafka::{Change, Kafka, Options};
use tollgate::engine::log::{Ack, Bounds, Error, Log, Output, Read, Source, Topic};

use crate::cluster;
use crate::rig::{PATIENCE, Rig, fresh_topics};

#[test]
fn acknowledgement_tells_where_and_when_the_broker_appended() {
    let Some(cluster) = cluster::take() else { return };
    let kafka = Kafka::new(fresh_topics(&cluster.bootstrap, 2)).expect("clients");
    let mut rig = Rig::new(&kafka, 1);
    rig.log.seek(Source::Journal, 0).expect("a seek");
    for id in 0..20 {
        rig.log.append(id, format!("record {id}").as_bytes()).expect("an append");
    }
    for expected in 0..20 {
        let Ack::Appended { id, offset, timestamp } = rig.ack() else { panic!("not appended") };
        let record = rig.record(Source::Journal);
        assert_eq!((id, offset), (expected, Some(expected)));
        assert_eq!((record.offset, Some(record.timestamp)), (expected, timestamp));
        assert_eq!(record.value, Some(format!("record {expected}").into()));
    }
    assert_eq!(rig.read(Source::Journal).expect("a read"), Read::End);
    rig.until("the end is known", |log| log.known_end(Source::Journal) == Some(20));
}

#[test]
fn each_renewed_producer_appends_behind_the_one_before() {
    let Some(cluster) = cluster::take() else { return };
    let kafka = Kafka::new(fresh_topics(&cluster.bootstrap, 1)).expect("clients");
    let mut rig = Rig::new(&kafka, 0);
    for id in 0..6 {
        rig.log.append(id, b"kept").expect("an append");
        let ack = rig.ack();
        assert!(matches!(ack, Ack::Appended { id: acked, .. } if acked == id), "{ack:?}");
        rig.log.append(100 + id, b"forgotten").expect("an append");
        rig.log.renew().expect("a producer");
        assert_eq!(rig.log.acks(), None);
    }
}

#[test]
fn what_the_broker_deleted_is_truncated() {
    let Some(cluster) = cluster::take() else { return };
    let options = fresh_topics(&cluster.bootstrap, 1);
    let kafka = Kafka::new(options.clone()).expect("clients");
    let mut rig = Rig::new(&kafka, 0);
    rig.append_all(10);
    delete_before(&options, 5);
    assert_eq!(rig.log.bounds(Source::Journal).expect("bounds"), Bounds { start: 5, end: 10 });
    for offset in [2, 11] {
        rig.log.seek(Source::Journal, offset).expect("a seek");
        match rig.read(Source::Journal) {
            Err(Error::Truncated { place: Source::Journal, offset: at, start: 5, end: 10 }) => {
                assert_eq!(at, offset);
            }
            other => panic!("{other:?}"),
        }
    }
    rig.log.seek(Source::Journal, 5).expect("a seek");
    assert_eq!(rig.record(Source::Journal).offset, 5);
}

fn delete_before(options: &Options, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &options.bootstrap)
        .create()
        .expect("an admin client");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&options.topics.journal, 0, Offset::Offset(offset)).expect("a list");
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(admin.delete_records(&list, &AdminOptions::new()))
        .expect("records that may be deleted");
}

fn producer(
    options: &Options,
    properties: &[(&str, &str)],
) -> ThreadedProducer<DefaultProducerContext> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.bootstrap).set("linger.ms", "0");
    for (property, value) in properties {
        config.set(*property, *value);
    }
    config.create().expect("a producer")
}

fn produce(producer: &ThreadedProducer<DefaultProducerContext>, options: &Options, text: &str) {
    let record = BaseRecord::to(&options.topics.billed).partition(0).key("acme").payload(text);
    producer.send(record).map_err(|(error, _)| error).expect("a record");
}

#[test]
fn each_record_wakes_an_idle_engine() {
    let Some(cluster) = cluster::take() else { return };
    let options = fresh_topics(&cluster.bootstrap, 1);
    let kafka = Kafka::new(options.clone()).expect("clients");
    let mut rig = Rig::new(&kafka, 0);
    let producer = producer(&options, &[]);
    rig.log.seek(Source::Billed, 0).expect("a seek");
    assert_eq!(rig.read(Source::Billed).expect("a read"), Read::End);
    for offset in 0..200 {
        produce(&producer, &options, &offset.to_string());
        let record = rig.record(Source::Billed);
        assert_eq!((record.offset, record.key), (offset, Some(b"acme"[..].into())));
        if offset % 20 == 0 {
            assert_eq!(rig.read(Source::Billed).expect("a read"), Read::End);
        }
    }
}

#[test]
fn aborted_records_are_not_read_and_the_end_comes_behind_them() {
    let Some(cluster) = cluster::take() else { return };
    let options = fresh_topics(&cluster.bootstrap, 1);
    let kafka = Kafka::new(options.clone()).expect("clients");
    let mut rig = Rig::new(&kafka, 0);
    let transactional = options.group.as_str();
    let producer = producer(&options, &[("transactional.id", transactional)]);
    producer.init_transactions(PATIENCE).expect("a coordinator");
    for (text, commits) in [("first", true), ("taken back", false), ("second", true)] {
        producer.begin_transaction().expect("a transaction");
        produce(&producer, &options, text);
        producer.flush(PATIENCE).expect("a flush");
        if commits {
            producer.commit_transaction(PATIENCE).expect("a commit");
        } else {
            producer.abort_transaction(PATIENCE).expect("an abort");
        }
    }
    rig.log.seek(Source::Billed, 0).expect("a seek");
    // Each transaction ends with a mark of its own, which has an offset too.
    for (offset, text) in [(0, "first"), (4, "second")] {
        let record = rig.record(Source::Billed);
        assert_eq!((record.offset, record.value), (offset, Some(text.as_bytes().to_vec().into())));
    }
    assert_eq!(rig.read(Source::Billed).expect("a read"), Read::End);
    assert_eq!(rig.log.bounds(Source::Billed).expect("bounds").end, 6);
}

#[test]
fn outputs_keep_their_order_and_their_tombstones() {
    let Some(cluster) = cluster::take() else { return };
    let kafka = Kafka::new(fresh_topics(&cluster.bootstrap, 2)).expect("clients");
    let mut rigs = [Rig::new(&kafka, 0), Rig::new(&kafka, 1)];
    let count = 2_000_u64;
    let value = |id: u64| (!id.is_multiple_of(3)).then(|| id.to_string().into_bytes());
    for id in 0..count {
        for rig in &mut rigs {
            let key = Some(format!("acme/limit_{}", id % 10).into_bytes());
            let output = Output { topic: Topic::BlockState, key, value: value(id) };
            rig.log.publish(id, &output).expect("a publish");
        }
    }
    for mut rig in rigs {
        for id in 0..count {
            assert_eq!(rig.ack(), Ack::Published { id, offset: Some(id) });
        }
        rig.log.seek(Source::BlockState, 0).expect("a seek");
        for id in 0..count {
            let record = rig.record(Source::BlockState);
            assert_eq!((record.offset, record.value), (id, value(id).map(Into::into)));
        }
    }
}

/// Follows changes until the member owns exactly `expected`.
fn until_owned(changes: &Receiver<Change>, owned: &mut BTreeSet<i32>, expected: &[i32]) {
    while !owned.iter().eq(expected) {
        match changes.recv_timeout(PATIENCE).expect("the group to change something") {
            Change::Assigned(partitions) => owned.extend(partitions),
            Change::Revoked(partitions) => owned.retain(|one| !partitions.contains(one)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn member_that_comes_gets_its_share_and_one_that_leaves_hands_it_on() {
    let Some(cluster) = cluster::take() else { return };
    // Longer than this test waits: whoever leaves without a word is not replaced in time.
    let mut options = fresh_topics(&cluster.bootstrap, 4);
    options.session_timeout_ms = 60_000;
    let kafka = Kafka::new(options).expect("clients");
    let (first, changes) = kafka.join().expect("a member");
    let mut owned = BTreeSet::new();
    until_owned(&changes, &mut owned, &[0, 1, 2, 3]);
    let (second, changes_of_second) = kafka.join().expect("a member");
    let Change::Revoked(shared) = changes.recv_timeout(PATIENCE).expect("a rebalance") else {
        panic!("the newcomer got nothing")
    };
    assert_eq!(shared.len(), 2, "{shared:?}");
    let mut owned_by_second = BTreeSet::new();
    until_owned(&changes_of_second, &mut owned_by_second, &shared);
    first.leave();
    until_owned(&changes_of_second, &mut owned_by_second, &[0, 1, 2, 3]);
    second.leave();
}

#[test]
fn ordinary_tools_see_how_far_a_member_has_folded() {
    let Some(cluster) = cluster::take() else { return };
    let options = fresh_topics(&cluster.bootstrap, 1);
    let kafka = Kafka::new(options.clone()).expect("clients");
    let mut rig = Rig::new(&kafka, 0);
    let (member, changes) = kafka.join().expect("a member");
    let mut owned = BTreeSet::new();
    until_owned(&changes, &mut owned, &[0]);
    rig.log.commit(5, 2);
    rig.log.commit(7, 3);
    // What is not committed yet goes out with the leaving.
    member.leave();
    let tool: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &options.bootstrap)
        .set("group.id", &options.group)
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition(&options.topics.billed, 0);
    list.add_partition(&options.topics.commands, 0);
    let committed = tool.committed_offsets(list, Duration::from_secs(10)).expect("offsets");
    let offset = |topic: &str| committed.find_partition(topic, 0).expect("asked for").offset();
    assert_eq!(offset(&options.topics.billed), Offset::Offset(7));
    assert_eq!(offset(&options.topics.commands), Offset::Offset(3));
}
