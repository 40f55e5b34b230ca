//! Measures the engine's log on a real broker, given by KAFKA_BOOTSTRAP: appends, drain, wake-up,
//! seek, renewal, outputs. A bare drain by the client runs beside for comparison.
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![allow(clippy::print_stdout, reason = "its figures are for a reader")]

#[path = "../tests/kafka/rig.rs"]
mod rig;

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rig::Rig;
use tollgate::engine::kafka::{Kafka, Options};
use tollgate::engine::log::{Ack, Log, Output, Read, Source, Topic};

const RECORDS: u64 = 2_000_000;

fn main() {
    let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") else {
        println!("KAFKA_BOOTSTRAP is not set: NOTHING WAS MEASURED");
        return;
    };
    let mut options = rig::fresh_topics(&bootstrap, 2);
    options.client = properties();
    let kafka = Kafka::new(options.clone()).expect("clients");
    let mut rig = Rig::new(&kafka, 0);
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|one| one == part);
    // The end of each source first: all four are read while the rest runs, as by the engine.
    first_ends(&mut rig);
    if wants("append") {
        appends(&mut rig, 1, 3_000);
        appends(&mut rig, 8, 8_000);
        appends(&mut rig, 64, 30_000);
        appends_read_back(&mut rig, 3_000);
        renewals(&mut rig, 5);
    }
    if wants("publish") {
        outputs(&mut rig, 200_000);
    }
    if wants("wake") {
        wake_ups(&options, &mut rig, 1_000);
    }
    if wants("drain") {
        drain(&options, &mut rig);
    }
    if wants("seek") {
        seeks(&mut rig, 50);
    }
}

/// KAFKA_CLIENT: `property=value,property=value`, to try other settings.
fn properties() -> std::collections::BTreeMap<String, String> {
    let list = std::env::var("KAFKA_CLIENT").unwrap_or_default();
    let pairs = list.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(property, value)| (property.to_owned(), value.to_owned())).collect()
}

fn first_ends(rig: &mut Rig) {
    let start = Instant::now();
    for source in [Source::Billed, Source::Commands, Source::Journal, Source::BlockState] {
        rig.log.bounds(source).expect("bounds");
        println!("bounds of {source:?}: {:?}", start.elapsed());
    }
    for source in [Source::Billed, Source::Commands, Source::Journal, Source::BlockState] {
        rig.log.seek(source, 0).expect("a seek");
    }
    for source in [Source::Billed, Source::Commands, Source::Journal, Source::BlockState] {
        assert_eq!(rig.read(source).expect("a read"), Read::End);
        println!("end of {source:?}: {:?}", start.elapsed());
    }
}

fn report(what: &str, mut latencies: Vec<Duration>, elapsed: Duration) {
    latencies.sort();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    let rate = latencies.len() as f64 / elapsed.as_secs_f64();
    println!(
        "{what}: p50 {:?}, p99 {:?}, max {:?}, {rate:.0}/s",
        at(50),
        at(99),
        latencies[latencies.len() - 1]
    );
}

fn appends(rig: &mut Rig, in_flight: u64, count: u64) {
    let bytes = [7; 200];
    let start = Instant::now();
    let (mut begun, mut latencies) = (Vec::new(), Vec::new());
    while (latencies.len() as u64) < count {
        while (begun.len() - latencies.len()) < in_flight as usize && (begun.len() as u64) < count {
            begun.push(Instant::now());
            rig.log.append(begun.len() as u64 - 1, &bytes).expect("an append");
        }
        match rig.ack() {
            Ack::Appended { id, .. } => latencies.push(begun[id as usize].elapsed()),
            other => panic!("{other:?}"),
        }
    }
    report(&format!("append, {in_flight} in flight"), latencies, start.elapsed());
}

fn appends_read_back(rig: &mut Rig, count: u64) {
    let end = rig.log.bounds(Source::Journal).expect("bounds").end;
    rig.log.seek(Source::Journal, end).expect("a seek");
    let start = Instant::now();
    let mut latencies = Vec::new();
    for id in 0..count {
        let begun = Instant::now();
        rig.log.append(id, &[7; 200]).expect("an append");
        assert_eq!(rig.record(Source::Journal).offset, end + id);
        rig.ack();
        latencies.push(begun.elapsed());
    }
    report("append until it is read back", latencies, start.elapsed());
}

fn renewals(rig: &mut Rig, count: u64) {
    for id in 0..count {
        let start = Instant::now();
        rig.log.renew().expect("a producer");
        let renewed = start.elapsed();
        rig.log.append(id, &[7; 200]).expect("an append");
        rig.ack();
        println!("renewal: {renewed:?}, with the first acknowledgement {:?}", start.elapsed());
    }
}

fn outputs(rig: &mut Rig, count: u64) {
    let output =
        Output { topic: Topic::LimitReached, key: Some(vec![1; 20]), value: Some(vec![7; 400]) };
    let start = Instant::now();
    let mut latencies = Vec::new();
    let mut begun = Vec::new();
    while (latencies.len() as u64) < count {
        while begun.len() - latencies.len() < 10_000 && (begun.len() as u64) < count {
            begun.push(Instant::now());
            rig.log.publish(begun.len() as u64 - 1, &output).expect("a publish");
        }
        match rig.ack() {
            Ack::Published { id, .. } => latencies.push(begun[id as usize].elapsed()),
            other => panic!("{other:?}"),
        }
    }
    report("publish, 10,000 in flight", latencies, start.elapsed());
}

fn producer(
    options: &Options,
    linger_ms: &str,
) -> ThreadedProducer<rdkafka::producer::DefaultProducerContext> {
    ClientConfig::new()
        .set("bootstrap.servers", &options.bootstrap)
        .set("linger.ms", linger_ms)
        .set("compression.type", "lz4")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .expect("a producer")
}

fn wake_ups(options: &Options, rig: &mut Rig, count: u64) {
    let producer = producer(options, "0");
    let end = rig.log.bounds(Source::Billed).expect("bounds").end;
    rig.log.seek(Source::Billed, end).expect("a seek");
    let start = Instant::now();
    let mut latencies = Vec::new();
    for _ in 0..count {
        // Idle for a moment, as between two messages of a quiet account.
        std::thread::sleep(Duration::from_millis(3));
        let begun = Instant::now();
        let record = BaseRecord::to(&options.topics.billed).partition(0).key("acme");
        producer.send(record.payload(&[7; 125][..])).map_err(|(error, _)| error).expect("a record");
        rig.record(Source::Billed);
        latencies.push(begun.elapsed());
    }
    report("from a producer's send to the engine's poll", latencies, start.elapsed());
}

fn drain(options: &Options, rig: &mut Rig) {
    let producer = producer(options, "20");
    let from = rig.log.bounds(Source::Billed).expect("bounds").end;
    for at in 0..RECORDS {
        let mut value = [0; 125];
        // Bytes about as repetitive as records of a few accounts.
        for (place, byte) in value.iter_mut().enumerate() {
            *byte = (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (place % 7 * 8)) as u8 & 0x1F;
        }
        let mut record = BaseRecord::to(&options.topics.billed).partition(0).key("account-17");
        record.payload = Some(&value[..]);
        while let Err((_, back)) = producer.send(record) {
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(60)).expect("a flush");
    for _ in 0..3 {
        bare_drain(options, from);
        rig.log.seek(Source::Billed, from).expect("a seek");
        let (start, mut count, mut waits) = (Instant::now(), 0, 0);
        let (thread, process) = (thread_cpu(), process_cpu());
        while count < RECORDS {
            match rig.log.poll(Source::Billed).expect("a poll") {
                Some(Read::Record(_)) => count += 1,
                Some(Read::End) | None => {
                    waits += 1;
                    rig.read(Source::Billed).map(|_| count += 1).expect("a read");
                }
            }
        }
        let rate = RECORDS as f64 / start.elapsed().as_secs_f64();
        let (thread, process) = (thread_cpu() - thread, process_cpu() - process);
        println!(
            "drain by Log::poll: {rate:.0}/s, {waits} waits; ns of processor for each record: \
             {thread} in the polling thread, {process} in all"
        );
    }
}

/// Time on a processor, in ns for each of `RECORDS`: it says more than a rate on a busy machine.
fn thread_cpu() -> u64 {
    schedstat("/proc/thread-self/schedstat") / RECORDS
}

fn process_cpu() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let tasks = tasks.map(|task| task.expect("a task").path().join("schedstat"));
    tasks.map(|path| schedstat(path.to_str().expect("digits"))).sum::<u64>() / RECORDS
}

fn schedstat(path: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

fn bare_drain(options: &Options, from: u64) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &options.bootstrap)
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    let offset = Offset::Offset(from as i64);
    list.add_partition_offset(&options.topics.billed, 0, offset).expect("a list");
    consumer.assign(&list).expect("an assignment");
    let (mut start, mut count) = (Instant::now(), 0);
    let (thread, process) = (thread_cpu(), process_cpu());
    while count < RECORDS {
        if let Some(record) = consumer.poll(Duration::from_secs(10)) {
            record.expect("a record");
            if count == 0 {
                start = Instant::now();
            }
            count += 1;
        }
    }
    let rate = RECORDS as f64 / start.elapsed().as_secs_f64();
    let (thread, process) = (thread_cpu() - thread, process_cpu() - process);
    println!(
        "bare drain by BaseConsumer::poll: {rate:.0}/s; ns of processor for each record: \
         {thread} in the polling thread, {process} in all"
    );
}

fn seeks(rig: &mut Rig, count: u64) {
    let end = rig.log.bounds(Source::Billed).expect("bounds").end;
    let (start, mut latencies, mut calls) = (Instant::now(), Vec::new(), Vec::new());
    for step in 0..count {
        let begun = Instant::now();
        let to = step * 7919 % end;
        rig.log.seek(Source::Billed, to).expect("a seek");
        calls.push(begun.elapsed());
        assert_eq!(rig.record(Source::Billed).offset, to);
        latencies.push(begun.elapsed());
    }
    report("seek (the call)", calls, start.elapsed());
    report("seek until the first record", latencies, start.elapsed());
}
