//! The README's figures, measured on whatever machine this runs: engine and bare drain of the same
//! topic in the same run, since only their ratio travels. Times of folding are the broker's stamps on
//! journal records, so nothing that watches is in the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tollgate::time::Millis;

use crate::chain::Journal;
use crate::chaos::wall_clock;
use crate::cluster::Cluster;
use crate::dice::seed;
use crate::engine::{Ground, PARTITIONS, pause, text, tollgate};
use crate::suite::say;
use crate::topics::{Ends, Tail, Writer};

const WAIT_MAX: Duration = Duration::from_secs(600);

pub fn all(cluster: &Cluster) {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    say(&format!("measured on {}, {profile} profile", cluster.told));
    throughput(cluster);
    latency(cluster);
    recovery(cluster);
}

fn throughput(cluster: &Cluster) {
    let events = std::env::var("TOLLGATE_TEST_EVENTS").unwrap_or_else(|_| "1000000".to_owned());
    let ground = Ground::new(cluster, "throughput");
    let config = ground.config("generate");
    let seed = seed().to_string();
    let arguments = ["generate", "--topic", "--config", text(&config), "--events", &events];
    tollgate(&[&arguments[..], &["--seed", &seed]].concat());
    let drained = bare_drain(&ground);

    let mut engine = ground.engine("engine");
    let mut journal = Journal::follow(&ground.bootstrap, &ground.names.journal);
    let begin = wall_clock();
    engine.start();
    folded_all(&ground, &mut journal);
    let stamps = journal.chains.iter().flat_map(|chain| {
        let busy = chain.records.iter().zip(&chain.appended);
        busy.filter(|(record, _)| record.billed.from < record.billed.to).map(|(_, at)| *at)
    });
    let (first, last) = stamps.fold((i64::MAX, 0), |(a, b), at| (a.min(at), b.max(at)));
    let lines = journal.lines() as f64;
    let folded = lines / ((last - first).max(1) as f64 / 1000.0);
    let with_start = lines / ((last - begin).max(1) as f64 / 1000.0);
    say(&format!("bare drain of the billed topic      {drained:>12.0} records/s"));
    say(&format!("tollgate run, first to last record  {folded:>12.0} lines/s"));
    say(&format!("tollgate run, from its start        {with_start:>12.0} lines/s"));
    say(&format!("ratio of run to bare drain          {:>12.3}", folded / drained));
    let megabytes = engine.memory_bytes_max() as f64 / 1e6;
    say(&format!("memory of the engine, at most       {megabytes:>12.0} MB"));
    engine.stop();
}

/// Records per second of a consumer that drops what it reads, from its first record to its last.
fn bare_drain(ground: &Ground) -> f64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &ground.bootstrap)
        .set("group.id", "bare-drain")
        .set("enable.auto.commit", "false")
        .set("queued.max.messages.kbytes", "1048576")
        .create()
        .expect("a consumer can be made");
    let topic = &ground.names.billed;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("it is added");
    }
    let total: i64 = Ends::new(&ground.bootstrap).of(topic).iter().sum();
    consumer.assign(&list).expect("it can be assigned");
    let (mut read, mut begin) = (0, None);
    while read < total {
        match consumer.poll(Duration::from_secs(10)) {
            Some(Ok(_)) => {
                begin.get_or_insert_with(Instant::now);
                read += 1;
            }
            Some(Err(error)) => panic!("bare drain: {error}"),
            None => panic!("bare drain: nothing for 10 s at {read} of {total}"),
        }
    }
    read as f64 / begin.expect("there were records").elapsed().as_secs_f64()
}

fn folded_all(ground: &Ground, journal: &mut Journal) {
    let ends = Ends::new(&ground.bootstrap);
    let total: i64 =
        [&ground.names.billed, &ground.names.commands].iter().flat_map(|t| ends.of(t)).sum();
    let begin = Instant::now();
    while journal.lines() < total as u64 {
        pause(100);
        journal.catch_up();
        assert!(begin.elapsed() < WAIT_MAX, "folded {} of {total}", journal.lines());
    }
}

/// From just before a record is handed to librdkafka until its decision is read: each event reaches
/// the limit of an account of its own.
fn latency(cluster: &Cluster) {
    let accounts = 3_000;
    let ground = Ground::new(cluster, "latency");
    let writer = Writer::new(&ground.bootstrap);
    for account in 0..accounts {
        let command = json!({"type": "limit_set", "command_id": format!("c-{account}"),
            "account_id": format!("a-{account}"), "issued_at": Millis(wall_clock()).to_string(),
            "actor": "measure", "limit": {"limit_id": "day", "scope": {"kind": "account"},
            "measure": "cost", "window": "day", "amount": "1.00", "thresholds": [],
            "action": "block"}});
        let bytes = command.to_string().into_bytes();
        writer.send(&ground.names.commands, &format!("a-{account}"), &bytes);
    }
    writer.flush();
    let mut engine = ground.engine("engine");
    let mut journal = Journal::follow(&ground.bootstrap, &ground.names.journal);
    engine.start();
    folded_all(&ground, &mut journal);

    let sent: Arc<Mutex<BTreeMap<String, Instant>>> = Arc::default();
    let decided = Tail::new(&ground.bootstrap, &ground.names.limit_reached);
    let (notes, billed) = (Arc::clone(&sent), ground.names.billed.clone());
    let sender = std::thread::spawn(move || {
        for account in 0..accounts {
            let name = format!("a-{account}");
            let event = json!({"event_id": format!("e-{account}"), "account_id": name,
                "feature": "sms", "cost": "1.00", "occurred_at": Millis(wall_clock()).to_string()});
            notes.lock().expect("nobody panicked").insert(name.clone(), Instant::now());
            writer.send(&billed, &name, event.to_string().as_bytes());
            pause(5);
        }
        writer.flush();
    });
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < accounts {
        assert!(begin.elapsed() < WAIT_MAX, "{} of {accounts} decisions came", times.len());
        let Some((_, row)) = decided.next(Duration::from_millis(100)) else { continue };
        let now = Instant::now();
        let decision: Value =
            serde_json::from_slice(row.value.as_deref().unwrap_or_default()).expect("it is JSON");
        let account = decision["account_id"].as_str().expect("a decision names its account");
        let notes = sent.lock().expect("nobody panicked");
        times.push(now.duration_since(notes[account]).as_secs_f64() * 1000.0);
    }
    sender.join().expect("all was sent");
    engine.stop();
    // The first hundred warm everybody up.
    let mut times = times.split_off(100);
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    say(&format!(
        "event to decision, sent to read     p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    ));
}

/// From `kill -9`, with a restart at once, to the journal record with the next folded events.
fn recovery(cluster: &Cluster) {
    let ground = Ground::new(cluster, "recovery");
    let mut traffic = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["generate", "--topic", "--config", text(&ground.config("generate"))])
        .args(["--rate", "2000"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("tollgate can be started");
    let mut engine = ground.engine("engine");
    let mut journal = Journal::follow(&ground.bootstrap, &ground.names.journal);
    engine.start();
    let mut times = Vec::new();
    for _ in 0..5 {
        pause(6_000);
        journal.catch_up();
        let before: Vec<usize> = journal.chains.iter().map(|chain| chain.records.len()).collect();
        let killed = wall_clock();
        engine.kill();
        engine.start();
        let begin = Instant::now();
        times.push(loop {
            journal.catch_up();
            let fresh = journal.chains.iter().zip(&before).flat_map(|(chain, before)| {
                let rows = chain.records.iter().zip(&chain.appended).skip(*before);
                rows.filter(|(record, at)| record.control.events > 0 && **at > killed + 100)
            });
            if let Some(at) = fresh.map(|(_, at)| *at).min() {
                break at - killed;
            }
            assert!(begin.elapsed() < WAIT_MAX, "nothing folded after a kill");
            pause(20);
        });
    }
    let _ = traffic.kill();
    let _ = traffic.wait();
    times.sort_unstable();
    let session = ground.session_timeout_ms;
    say(&format!(
        "kill -9 to the next folded event    {times:?} ms (session timeout {session} ms)"
    ));
    engine.stop();
}
