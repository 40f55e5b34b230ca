//! What must have come out: the topics' lines and the journal's ticks, put together as a log file
//! (FORMATS.md), evaluated by something that is not the engine, and compared record by record with
//! what the engine published. Nothing is forgiven but what delivery at least once allows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};
use tollgate::time::Millis;

use crate::chain::Chain;
use crate::model::stamp::stamped;
use crate::topics::Row;
use crate::wrong::Wrong;

/// The bytes of a rejected line that a dead letter carries at most.
const ORIGINAL_BYTES_MAX: usize = 512 * 1024;

/// One partition's log, and where each of its lines stands on the topics.
#[derive(Default)]
pub struct Log {
    pub text: Vec<u8>,
    /// The position of each line; empty for ticks.
    positions: Vec<String>,
    /// The bytes of the record at each position.
    originals: BTreeMap<String, Vec<u8>>,
}

/// A topic's rows with the running maximum of their timestamps.
struct Stamped<'a> {
    topic: &'a str,
    partition: usize,
    rows: Vec<(i64, &'a Row)>,
}

impl<'a> Stamped<'a> {
    fn new(topic: &'a str, partition: usize, rows: &'a [Row]) -> Stamped<'a> {
        let mut latest = i64::MIN;
        let stamp = |row: &'a Row| {
            latest = latest.max(row.timestamp);
            (latest, row)
        };
        for (index, row) in rows.iter().enumerate() {
            assert_eq!(row.offset, index as i64, "{topic}/{partition} has gaps");
        }
        Stamped { topic, partition, rows: rows.iter().map(stamp).collect() }
    }

    fn slice(&self, from: u64, to: u64) -> &[(i64, &'a Row)] {
        &self.rows[from as usize..to as usize]
    }
}

impl Log {
    /// The lines that the chain names, in the order of DESIGN.md ("Lines and now"), and its ticks.
    pub fn of(
        partition: usize,
        chain: &Chain,
        billed: (&str, &[Row]),
        commands: (&str, &[Row]),
    ) -> Log {
        let billed = Stamped::new(billed.0, partition, billed.1);
        let commands = Stamped::new(commands.0, partition, commands.1);
        let mut log = Log::default();
        for record in &chain.records {
            let mut events = billed.slice(record.billed.from, record.billed.to).iter().peekable();
            let settings = commands.slice(record.commands.from, record.commands.to);
            for (at, row) in settings {
                while let Some((earlier, event)) = events.next_if(|(time, _)| time < at) {
                    log.line(&billed, *earlier, event);
                }
                log.line(&commands, *at, row);
            }
            for (at, event) in events {
                log.line(&billed, *at, event);
            }
            let tick = format!("{{\"type\":\"tick\",\"now\":\"{}\"}}\n", record.now);
            log.text.extend_from_slice(tick.as_bytes());
            log.positions.push(String::new());
        }
        log
    }

    fn line(&mut self, source: &Stamped<'_>, at: i64, row: &Row) {
        let bytes = row.value.as_deref().unwrap_or_default();
        assert!(!bytes.contains(&b'\n'), "a record with a line feed is no line of a log");
        assert!(!bytes.trim_ascii().is_empty(), "a blank record is no line of a log");
        self.text.extend(stamped(bytes, &Millis(at).to_string()));
        self.text.push(b'\n');
        let position = format!("{}/{}:{}", source.topic, source.partition, row.offset);
        self.originals.insert(position.clone(), bytes.to_vec());
        self.positions.push(position);
    }

    /// What a dead letter at the decision's position carries.
    pub fn original(&self, decision: &Value) -> Value {
        let position = decision["position"].as_str().expect("a reject has a position");
        let bytes = &self.originals[position];
        Value::String(BASE64_STANDARD.encode(&bytes[..bytes.len().min(ORIGINAL_BYTES_MAX)]))
    }

    /// Turns `file:line` into the position on the topics.
    pub fn relocate(&self, decision: &mut Value) {
        let place = |value: &mut Value| {
            if let Some(told) = value.as_str() {
                let line = told.rsplit(':').next().and_then(|n| n.parse::<usize>().ok());
                let line = line.unwrap_or_else(|| panic!("no file and line: {told}"));
                *value = Value::String(self.positions[line - 1].clone());
            }
        };
        if let Some(position) = decision.get_mut("position") {
            place(position);
        }
        if let Some(position) = decision.get_mut("cause").and_then(|c| c.get_mut("position")) {
            place(position);
        }
    }
}

/// What the engine published for one partition.
pub struct Published {
    pub threshold_crossed: Vec<Row>,
    pub limit_reached: Vec<Row>,
    pub block_state: Vec<Row>,
    pub dead_letter: Vec<Row>,
}

/// What the comparison saw.
#[derive(Default)]
pub struct Tally {
    pub decisions: usize,
    pub rejected: usize,
    /// Records published more than once, with the same content.
    pub repeats: usize,
    /// Block records that a later one of their key overtook before they were published.
    pub overtaken: usize,
    /// Totals compared.
    pub totals: usize,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.decisions += other.decisions;
        self.rejected += other.rejected;
        self.repeats += other.repeats;
        self.overtaken += other.overtaken;
        self.totals += other.totals;
    }
}

/// Compares a partition's published records with the decisions that its log leads to.
///
/// # Errors
/// Every difference.
pub fn compare(log: &Log, mut decisions: Vec<Value>, out: &Published) -> Result<Tally, Wrong> {
    decisions.iter_mut().for_each(|decision| log.relocate(decision));
    let mut tally = Tally::default();
    let mut wrong = Wrong::default();
    for (kind, rows) in [
        ("threshold_crossed", &out.threshold_crossed),
        ("limit_reached", &out.limit_reached),
        ("block_changed", &out.block_state),
        ("rejected", &out.dead_letter),
    ] {
        let expected: BTreeMap<String, Value> = decisions
            .iter()
            .filter(|decision| decision["type"] == kind)
            .map(|decision| (identity(decision), bare(decision)))
            .collect();
        let seen = published(rows, log, &mut tally, &mut wrong);
        let overtaken =
            if kind == "block_changed" { overtaken(&expected) } else { BTreeSet::new() };
        differences(kind, &expected, &seen, &overtaken, &mut tally, &mut wrong);
    }
    block_state_ends_well(&decisions, &out.block_state, &mut wrong);
    if wrong.is_empty() { Ok(tally) } else { Err(wrong) }
}

/// A rejected line has no id; its position is as good as one.
fn identity(decision: &Value) -> String {
    let field = if decision["type"] == "rejected" { "position" } else { "id" };
    decision[field].as_str().unwrap_or_else(|| panic!("no {field}: {decision}")).to_owned()
}

/// The published records by identity; one that comes twice must say the same both times.
fn published(
    rows: &[Row],
    log: &Log,
    tally: &mut Tally,
    wrong: &mut Wrong,
) -> BTreeMap<String, Value> {
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for row in rows {
        let Some(bytes) = row.value.as_deref() else { continue };
        let record: Value = serde_json::from_slice(bytes).expect("output is JSON");
        if record["type"] == "rejected" {
            check_original(&record, log, wrong);
        }
        let (identity, content) = (identity(&record), bare(&record));
        match seen.get(&identity) {
            Some(earlier) if *earlier == content => tally.repeats += 1,
            Some(earlier) => {
                wrong.differs(format!("one id, two contents: {earlier} and {content}"))
            }
            None => {
                seen.insert(identity, content);
            }
        }
    }
    seen
}

fn check_original(letter: &Value, log: &Log, wrong: &mut Wrong) {
    let known = letter["position"].as_str().is_some_and(|p| log.originals.contains_key(p));
    if !known || letter["original"] != log.original(letter) {
        wrong.differs(format!("not the bytes of its position: {letter}"));
    }
}

fn differences(
    kind: &str,
    expected: &BTreeMap<String, Value>,
    seen: &BTreeMap<String, Value>,
    overtaken: &BTreeSet<String>,
    tally: &mut Tally,
    wrong: &mut Wrong,
) {
    for (identity, want) in expected {
        match seen.get(identity) {
            Some(got) if same(got, want) => {}
            Some(got) => wrong.differs(format!("{kind}\n  expected: {want}\n  got:      {got}")),
            None if overtaken.contains(identity) => tally.overtaken += 1,
            None => wrong.lost(format!("{kind} never published: {want}")),
        }
    }
    for (identity, got) in seen {
        if !expected.contains_key(identity) {
            wrong.invented(format!("{kind} that nothing leads to: {got}"));
        }
    }
    match kind {
        "rejected" => tally.rejected += expected.len(),
        _ => tally.decisions += expected.len(),
    }
}

/// Block records with a later one for their key: level-triggered, they may be skipped (L6).
fn overtaken(expected: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let key = |record: &Value| record["block_key"].as_str().expect("a block has a key").to_owned();
    let sequence = |record: &Value| record["sequence"].as_u64().expect("a block has a sequence");
    let keys: Vec<(String, &String, u64)> =
        expected.iter().map(|(id, record)| (key(record), id, sequence(record))).collect();
    for (key, _, sequence) in &keys {
        let latest = last.entry(key).or_default();
        *latest = (*latest).max(*sequence);
    }
    let earlier = |(key, _, sequence): &&(String, &String, u64)| *sequence < last[key.as_str()];
    keys.iter().filter(earlier).map(|(_, id, _)| (*id).clone()).collect()
}

/// The last record of each key is the whole truth about that key (L6).
fn block_state_ends_well(decisions: &[Value], rows: &[Row], wrong: &mut Wrong) {
    let mut expected: BTreeMap<String, Value> = BTreeMap::new();
    for decision in decisions.iter().filter(|decision| decision["type"] == "block_changed") {
        let key = decision["block_key"].as_str().expect("a block has a key").to_owned();
        expected.insert(key, bare(decision));
    }
    let mut ended: BTreeMap<String, Value> = BTreeMap::new();
    for row in rows {
        let key = row.key.clone().expect("a block record has a key");
        let record = row.value.as_deref().map(serde_json::from_slice::<Value>);
        let record = record.map_or(Value::Null, |value| bare(&value.expect("output is JSON")));
        ended.insert(String::from_utf8(key).expect("a key is UTF-8"), record);
    }
    for (key, want) in &expected {
        let got = ended.get(key).unwrap_or(&Value::Null);
        if !same(got, want) {
            wrong.differs(format!("block state of {key} ends\n  as:  {got}\n  not: {want}"));
        }
    }
    for key in ended.keys().filter(|key| !expected.contains_key(*key)) {
        wrong.invented(format!("block state of {key}, which nothing leads to"));
    }
}

/// Equal, where the reference tells no position of the cause that of the engine is free.
fn same(got: &Value, want: &Value) -> bool {
    if got == want {
        return true;
    }
    let mut got = got.clone();
    if want["cause"]["position"].is_null()
        && let Some(Value::Object(cause)) = got.get_mut("cause")
    {
        cause.remove("position");
    }
    got == *want
}

/// Without what is null or for people only. The bytes of dead letters are compared by themselves.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(name, inner)| !inner.is_null() && !FREE.contains(&name.as_str()))
                .map(|(name, inner)| (name.clone(), bare(inner)))
                .collect::<Map<String, Value>>(),
        ),
        Value::Array(members) => members.iter().map(bare).collect(),
        other => other.clone(),
    }
}

const FREE: [&str; 3] = ["detail", "original", "truncated"];

/// Totals as one sorted text, so that two of them can be compared at a glance.
pub fn totals_text(mut totals: Vec<Value>) -> String {
    let place = |total: &Value| {
        let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let scope = &total["scope"];
        (
            part(&total["account_id"]),
            part(&scope["kind"]),
            part(&scope["id"]),
            part(&total["window"]),
            part(&total["window_start"]),
        )
    };
    totals.sort_by_key(place);
    let mut text = String::new();
    for total in &totals {
        writeln!(text, "{}", bare(total)).expect("a String takes all");
    }
    text
}

/// The records of NDJSON bytes.
pub fn records(ndjson: &[u8]) -> Vec<Value> {
    let lines = ndjson.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("a line of output is JSON")).collect()
}
