//! From the produce of an event that crosses a limit until a separate consumer of block-state has
//! the block, while other traffic flows at a rate and checkpoints run. Beside it the same client's
//! records to a topic that no engine reads: what Kafka and the cores take of one of its three legs;
//! and all of it with a bare relay in the engine's place.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::BaseConsumer;
use rdkafka::message::Message;
use serde_json::json;
use tollgate::generate::{Body, Generated, Options};
use tollgate::time::Millis;

use crate::Scale;
use crate::engine::{Engine, Settings, Topics};
use crate::journal::{Journal, consumer, lines_in};
use crate::relay::{self, CROSSING};
use crate::stage::Stage;
use crate::table::{Table, quantile};
use crate::throughput::{LIMITS_PER_ACCOUNT, PARTITIONS};
use crate::traffic::{self, Records, Writer, now_ms};

/// Crossing events a second, beside the other traffic.
const CROSSINGS_PER_SECOND: u64 = 100;
/// Seconds in which everybody warms up, the broker's compiler above all.
const WARM_UP_SECONDS: u64 = 10;
/// Seconds in which the other traffic comes as fast as it can.
const FLOOD_SECONDS: u64 = 10;
/// What limits are sized for meanwhile, in events a second.
const FLOOD_PER_SECOND: u64 = 200_000;
/// How long other producers let a batch wait, in ms: their default. Without, this one client sends
/// so many requests that it takes a core for itself.
const OTHERS_LINGER_MS: u32 = 5;

pub fn all(stage: &Stage, scale: Scale, table: &mut Table) {
    let mut rates = vec![scale.rate.unwrap_or(1_000)];
    if !scale.short && scale.rate.is_none() {
        rates.push(20_000);
        let most = flooded(stage);
        table.row("folded while it is produced on the same cores", most, "lines/s");
        rates.push(most as u64 / 2);
    }
    for rate in rates {
        let warm_up = if scale.short { 0 } else { WARM_UP_SECONDS };
        let through = |middle| measure(stage, warm_up + scale.latency_seconds, rate, middle);
        let (blocks, probes) = through(Middle::Engine);
        let (relayed, _) = through(Middle::Relay);
        for (what, mut times) in [
            ("event to block", blocks),
            ("  a record to a reader, no engine", probes),
            ("  event to block by a bare relay, no engine", relayed),
        ] {
            times.drain(..(warm_up * CROSSINGS_PER_SECOND) as usize);
            times.sort_by(f64::total_cmp);
            for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
                let what = format!("{what} at {rate} events/s, {name}");
                table.row(what, quantile(&times, share), "ms");
            }
        }
    }
}

/// Lines a second that the engine folds while the same machine produces them and the broker takes
/// them.
fn flooded(stage: &Stage) -> f64 {
    let topics = Topics::new("latency-flood", PARTITIONS);
    let mut engine = Engine::new(stage, "latency-flood", &topics, Settings::default());
    let mut journal = Journal::follow(&stage.bootstrap, &engine);
    engine.start();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| flow(stage, &topics, other_traffic(FLOOD_PER_SECOND), u64::MAX, &done));
        std::thread::sleep(Duration::from_secs(FLOOD_SECONDS));
        done.store(true, Ordering::Relaxed);
    });
    journal.until(lines_in(&stage.bootstrap, &topics), &mut engine);
    engine.stop();
    journal.lines as f64 * 1_000.0 / (journal.last_ms - journal.first_ms) as f64
}

/// What makes blocks of events.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Middle {
    Engine,
    Relay,
}

/// Milliseconds of each crossing, and of each record that is sent to another topic just before it,
/// in the order in which they came.
fn measure(stage: &Stage, seconds: u64, rate: u64, middle: Middle) -> (Vec<f64>, Vec<f64>) {
    let crossings = seconds * CROSSINGS_PER_SECOND;
    let name = format!("latency-{rate}-{middle:?}").to_lowercase();
    let topics = Topics::new(&name, PARTITIONS);
    // It makes its topics, whether it is started or not.
    let mut engine = Engine::new(stage, &name, &topics, Settings::default());
    let writer = Writer::new(&stage.bootstrap, 1);
    (0..crossings).for_each(|number| limit(&writer, &topics, number));
    let mut lines = other_traffic(rate).peekable();
    let (mut records, mut bytes, mut commands) = (Records::new(true), Vec::new(), crossings);
    // The accounts' opening limits: not a part of what is measured.
    while let Some(line) = lines.next_if(|line| matches!(line.body, Body::Setting(_))) {
        records.encode(&line, &mut bytes);
        writer.send(&topics.commands, line.account_id(), &bytes);
        commands += 1;
    }
    writer.flush();
    let mut journal = Journal::follow(&stage.bootstrap, &engine);
    let reader = |topic| consumer(&stage.bootstrap, topic, 0..PARTITIONS, Offset::Beginning);
    let (blocks, probes) = (reader(&engine.block_state), reader(&engine.unused));
    if middle == Middle::Engine {
        engine.start();
        journal.until(commands, &mut engine);
    }

    let done = AtomicBool::new(false);
    let (sent, probed) = (Sent::default(), Sent::default());
    let limit = Duration::from_secs(60 + 2 * seconds);
    let both = std::thread::scope(|scope| {
        if middle == Middle::Relay {
            scope.spawn(|| relay::run(stage, &engine, &done));
        }
        scope.spawn(|| flow(stage, &topics, lines, rate, &done));
        scope.spawn(|| {
            for number in 0..crossings {
                let (name, event) = crossing(number);
                probed.lock().unwrap().insert(name.clone(), Instant::now());
                writer.send(&engine.unused, &name, b"probe");
                sent.lock().unwrap().insert(name.clone(), Instant::now());
                writer.send(&topics.billed, &name, &event);
                std::thread::sleep(Duration::from_millis(1_000 / CROSSINGS_PER_SECOND));
            }
            writer.flush();
        });
        let probes = scope.spawn(|| arrivals(&probes, &probed, crossings, limit));
        let blocks = arrivals(&blocks, &sent, crossings, limit);
        let probes = probes.join().expect("the reader of probes lives");
        done.store(true, Ordering::Relaxed);
        (blocks, probes)
    });
    let came = (both.0.len() as u64, both.1.len() as u64);
    assert_eq!(came, (crossings, crossings), "some blocks or records never came");
    if middle == Middle::Engine {
        engine.stop();
    }
    both
}

/// When what is on its way was sent, by its name.
type Sent = Mutex<HashMap<String, Instant>>;

/// Milliseconds from `sent` until each of so many arrives, as far as they do within `limit`.
fn arrivals(reader: &BaseConsumer, sent: &Sent, count: u64, limit: Duration) -> Vec<f64> {
    let (mut times, begun) = (Vec::new(), Instant::now());
    while (times.len() as u64) < count && begun.elapsed() < limit {
        let Some(Ok(record)) = reader.poll(Duration::from_millis(100)) else { continue };
        let now = Instant::now();
        let key = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
        let name = key.split_once('/').map_or(&*key, |(account, _)| account);
        if let Some(at) = sent.lock().unwrap().remove(name) {
            times.push(now.duration_since(at).as_secs_f64() * 1_000.0);
        }
    }
    times
}

fn limit(writer: &Writer, topics: &Topics, number: u64) {
    let account = format!("{CROSSING}{number}");
    let command = json!({"type": "limit_set", "command_id": format!("c-{number}"),
        "account_id": account, "issued_at": Millis(now_ms()).to_string(), "actor": "bench",
        "limit": {"limit_id": "day", "scope": {"kind": "account"}, "measure": "cost",
        "window": "day", "amount": "1.00", "thresholds": [], "action": "block"}});
    writer.send(&topics.commands, &account, command.to_string().as_bytes());
}

fn crossing(number: u64) -> (String, Vec<u8>) {
    let account = format!("{CROSSING}{number}");
    let event = json!({"event_id": format!("e-{number}"), "account_id": account, "feature": "sms",
        "cost": "1.00", "occurred_at": Millis(now_ms()).to_string()});
    (account, event.to_string().into_bytes())
}

/// Without end; limits are sized for what really comes.
fn other_traffic(rate: u64) -> impl Iterator<Item = Generated> + Send {
    let options = traffic::options(u64::MAX, 100_000, LIMITS_PER_ACCOUNT);
    traffic::lines(&Options { limits_sized_for: Some(rate * 600), ..options })
}

/// The other traffic, evenly, until it is done.
fn flow(
    stage: &Stage,
    topics: &Topics,
    lines: impl Iterator<Item = Generated>,
    rate: u64,
    done: &AtomicBool,
) {
    let writer = Writer::new(&stage.bootstrap, OTHERS_LINGER_MS);
    let (mut records, mut bytes, mut written) = (Records::new(true), Vec::new(), 0_u64);
    let begun = Instant::now();
    for mut line in lines {
        if let Body::Billed(event) = &mut line.body {
            event.occurred_at = Millis(now_ms());
        }
        records.encode(&line, &mut bytes);
        let command = matches!(line.body, Body::Setting(_));
        let topic = if command { &topics.commands } else { &topics.billed };
        writer.send(topic, line.account_id(), &bytes);
        written += 1;
        while written as f64 > begun.elapsed().as_secs_f64() * rate as f64 {
            std::thread::sleep(Duration::from_millis(1));
        }
        if done.load(Ordering::Relaxed) {
            break;
        }
    }
    writer.flush();
}
