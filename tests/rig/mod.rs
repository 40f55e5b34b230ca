//! A partition on topics in memory, for tests: time moves by hand, a crash is one call, and what
//! the topics hold in the end is compared with a fold of the journal's own account.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value;
use tollgate::engine::log::{Source, Topic};
use tollgate::engine::memory::{MemoryLog, MemoryTopics};
use tollgate::engine::options::Options;
use tollgate::engine::partition::{Partition, Turn};
use tollgate::fold::event::{Input, Line, Position};
use tollgate::fold::{State, Total};
use tollgate::journal::{Hash, Owner, Partitioner, Record, Tip, extends};
use tollgate::store::Store;
use tollgate::time::{Clock, Millis};
use tollgate::wire::{self, Decoder, Encoder, OutputFormat, json};

/// A clock that tests set.
#[derive(Clone, Default)]
pub struct HandClock(Arc<AtomicI64>);

impl HandClock {
    pub fn set(&self, now: Millis) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::Relaxed))
    }
}

pub type Owned<S> = Partition<MemoryLog, S, HandClock>;

/// Options that cut often: small batches, a checkpoint as soon as one is possible.
pub fn options(run: &str) -> Options {
    Options {
        batch_lines_max: 7,
        batch_bytes_max: 1 << 20,
        appends_in_flight_max: 4,
        outputs_outstanding_max: 1_000,
        checkpoint_interval_ms: 60_000,
        checkpoint_lines_max: 20,
        gathered_at_once: 3,
        memory_bytes_max: 0,
        dedup_minutes: 10,
        retention_days: 36_500,
        retention_months: 1_200,
        clock_skew_max_ms: i64::MAX,
        owner: Owner { address: "here".to_owned(), run: run.to_owned() },
        partition: 0,
        partitions: 1,
        partitioner: Partitioner::Murmur2,
        billed_topic: "messages.billed/0".to_owned(),
        commands_topic: "tollgate.commands/0".to_owned(),
    }
}

/// The lines of a log of tests/conformance.
#[allow(dead_code, reason = "not every suite reads one")]
pub fn conformance_log(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let bytes = std::fs::read(folder.join(format!("{name}.ndjson"))).expect("a log");
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(<[u8]>::to_vec).collect()
}

/// Opens an owner of the partition.
pub fn open<S: Store>(
    options: Options,
    topics: &MemoryTopics,
    clock: &HandClock,
    store: S,
) -> Owned<S> {
    let decoder = Decoder::new(&wire::Options::default()).expect("plain options");
    let encoder = Encoder::new(OutputFormat::Json, wire::Topics::default(), None);
    let encoder = encoder.expect("JSON needs no registry");
    let log = MemoryLog::new(topics.clone());
    Partition::open(options, log, store, clock.clone(), decoder, encoder)
}

/// Turns until nothing moves. Panics when the partition stops.
pub fn settle<S: Store>(partition: &mut Owned<S>) -> Vec<Turn> {
    let mut turns = Vec::new();
    for _ in 0..100_000 {
        let turn = partition.turn().expect("nothing outside fails");
        let progress = turn.progress;
        turns.push(turn);
        if !progress && partition.quiet() {
            return turns;
        }
    }
    panic!("the partition does not come to rest");
}

/// Puts a log's line on its topic at the line's time. Ticks move the clock alone.
pub fn produce(topics: &MemoryTopics, clock: &HandClock, bytes: &[u8]) {
    let decoded = json::decode_line(bytes);
    if let Some(at) = decoded.recorded_at {
        let now = at.max(clock.now());
        clock.set(now);
        topics.set_now(now);
    }
    match decoded.input {
        Input::Tick => {}
        Input::Rejected(refusal) if refusal.command_id.is_some() => {
            topics.produce(Source::Commands, None, Some(bytes));
        }
        Input::Command(_) => {
            topics.produce(Source::Commands, None, Some(bytes));
        }
        Input::Billed(_) | Input::Rejected(_) => {
            topics.produce(Source::Billed, None, Some(bytes));
        }
    }
}

/// What the journal's valid chain says was folded, folded again by itself.
#[allow(dead_code, reason = "each suite looks at a part of it")]
pub struct Account {
    pub decisions: Vec<Value>,
    pub totals: Vec<Total>,
    pub records: Vec<Record>,
}

pub fn account(topics: &MemoryTopics) -> Account {
    let decoder = Decoder::new(&wire::Options::default()).expect("plain options");
    let (billed, commands) = (topics.source(Source::Billed), topics.source(Source::Commands));
    let mut state = State::new(10);
    let (mut decisions, mut records) = (Vec::new(), Vec::new());
    let mut tip: Option<Tip> = None;
    let (mut latest_billed, mut latest_command) = (Millis(0), Millis(0));
    for stored in topics.source(Source::Journal) {
        let bytes = stored.value.expect("a journal record has bytes");
        let record = Record::decode(&bytes).expect("a journal record");
        if extends(tip.as_ref(), &record).is_err() {
            continue;
        }
        tip = Some(Tip::after(&record, Hash::of(&bytes), stored.offset));
        let mut lines = Vec::new();
        for at in record.commands.from..record.commands.to {
            let stored = &commands[at as usize];
            latest_command = latest_command.max(stored.timestamp);
            let input = decoder.decode_command(stored.value.as_deref().unwrap_or_default());
            let position = Position { source: "tollgate.commands/0".into(), at };
            let input = input.expect("no registry").input;
            lines.push((latest_command, 0, Line { input, recorded_at: latest_command, position }));
        }
        for at in record.billed.from..record.billed.to {
            let stored = &billed[at as usize];
            latest_billed = latest_billed.max(stored.timestamp);
            let input = decoder.decode_billed(stored.value.as_deref().unwrap_or_default());
            let position = Position { source: "messages.billed/0".into(), at };
            let input = input.expect("no registry").input;
            lines.push((latest_billed, 1, Line { input, recorded_at: latest_billed, position }));
        }
        lines.sort_by_key(|(at, kind, _)| (*at, *kind));
        for (_, _, line) in &lines {
            state.fold_line(line, &mut decisions);
        }
        if lines.is_empty() {
            state.advance_slice(record.now, &mut decisions);
        } else {
            state.advance(record.now, &mut decisions);
        }
        records.push(record);
    }
    let shown = |decision| {
        let mut line = Vec::new();
        json::write_decision(decision, &mut line);
        serde_json::from_slice(&line).expect("its own JSON")
    };
    Account { decisions: decisions.iter().map(shown).collect(), totals: state.totals(), records }
}

fn values(records: &[tollgate::engine::log::Stored]) -> Vec<Value> {
    let value = |bytes| serde_json::from_slice(bytes).expect("an output in JSON");
    records.iter().filter_map(|stored| stored.value.as_deref().map(value)).collect()
}

/// Compares what the output topics hold with the journal's account: every decision at least once,
/// never with two contents, nothing else; block-state shows each key's last record.
pub fn check_outputs(topics: &MemoryTopics) -> Account {
    let account = account(topics);
    check_shown(topics, &account.decisions);
    account
}

/// Compares what the output topics hold with these decisions.
pub fn check_shown(topics: &MemoryTopics, decisions: &[Value]) {
    for (topic, kind) in [
        (Topic::ThresholdCrossed, "threshold_crossed"),
        (Topic::LimitReached, "limit_reached"),
        (Topic::DeadLetter, "rejected"),
    ] {
        let identity = |value: &Value| match kind {
            "rejected" => value["position"].as_str().map(str::to_owned),
            _ => value["id"].as_str().map(str::to_owned),
        };
        let mut published: BTreeMap<Option<String>, Value> = BTreeMap::new();
        for mut value in values(&topics.output(topic)) {
            if let Value::Object(fields) = &mut value {
                fields.remove("original");
                fields.remove("truncated");
            }
            if let Some(earlier) = published.insert(identity(&value), value.clone()) {
                assert_eq!(earlier, value, "published with two contents");
            }
        }
        let decided = decisions.iter().filter(|value| value["type"] == kind);
        let decided: BTreeMap<_, _> =
            decided.map(|value| (identity(value), value.clone())).collect();
        assert_eq!(published, decided, "what {kind} shows is not what was decided");
    }
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for value in decisions.iter().filter(|value| value["type"] == "block_changed") {
        last.insert(value["block_key"].as_str().expect("a key").to_owned(), value.clone());
    }
    let mut shown: BTreeMap<String, Option<Value>> = BTreeMap::new();
    for stored in topics.source(Source::BlockState) {
        let key = String::from_utf8(stored.key.expect("a key").into()).expect("UTF-8");
        let value = stored.value.map(|bytes| serde_json::from_slice(&bytes).expect("JSON"));
        shown.insert(key, value);
    }
    for (key, decided) in &last {
        match shown.get(key) {
            Some(Some(value)) => assert_eq!(value, decided, "{key}"),
            other => assert!(
                decided["blocked"] == false && key.matches('/').count() > 1,
                "{key} shows {other:?}, decided {decided}"
            ),
        }
    }
}
