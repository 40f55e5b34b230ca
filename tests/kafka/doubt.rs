//! Doubts the suite itself: with made-up topics and the model's decisions published by hand, the
//! comparison must agree, and must see each way in which an engine could be wrong. Needs no Kafka.

use serde_json::{Value, json};
use tollgate::journal::{Hash, Owner, Partitioner, Range, Record};
use tollgate::money::Money;
use tollgate::time::Millis;

use crate::chain::Chain;
use crate::reference::{Log, Published, compare};
use crate::topics::Row;
use crate::traffic::Traffic;
use crate::{engine::PARTITIONS, model};

const START: i64 = 1_724_180_000_000;

fn row(offset: usize, timestamp: i64, key: &str, value: Vec<u8>) -> Row {
    Row { offset: offset as i64, timestamp, key: Some(key.into()), value: Some(value) }
}

fn record(seq: u64, billed: Range, commands: Range, now: i64) -> Record {
    Record {
        seq,
        prev: Hash::ZERO,
        billed,
        commands,
        now: Millis(now),
        dedup_minutes: 10,
        control: tollgate::fold::Counts {
            events: 0,
            duplicates: 0,
            rejects: 0,
            cost: Money(0),
            requests: 0,
        },
        decisions: 0,
        decisions_hash: Hash::ZERO,
        published_through: None,
        owner: Owner { address: String::new(), run: String::new() },
        rules: 1,
        partitions: PARTITIONS as u32,
        partitioner: Partitioner::Murmur2,
    }
}

/// A partition with 3,000 lines, a chain of records over 50 lines each, and what the model says.
fn made_up() -> (Log, Vec<Value>, Published) {
    let (mut billed, mut commands, mut chain) = (Vec::new(), Vec::new(), Chain::default());
    let mut traffic = Traffic::new(5);
    let (mut events_from, mut settings_from) = (0, 0);
    for number in 0..3_000_i64 {
        let now = START + number * 25;
        let line = traffic.next(now);
        let topic = if line.command { &mut commands } else { &mut billed };
        topic.push(row(topic.len(), now + 3, &line.account, line.bytes));
        if number % 50 == 49 {
            let events = Range { from: events_from, to: billed.len() as u64 };
            let settings = Range { from: settings_from, to: commands.len() as u64 };
            (events_from, settings_from) = (events.to, settings.to);
            chain.records.push(record(chain.records.len() as u64, events, settings, now + 20));
        }
    }
    let log = Log::of(2, &chain, ("billed", &billed), ("commands", &commands));
    let decisions = model::run(&log.text, "log", 10).decisions;
    let published = publish(&log, &decisions);
    (log, decisions, published)
}

/// What a faultless engine would publish.
fn publish(log: &Log, decisions: &[Value]) -> Published {
    let mut out = Published {
        threshold_crossed: Vec::new(),
        limit_reached: Vec::new(),
        block_state: Vec::new(),
        dead_letter: Vec::new(),
    };
    for decision in decisions {
        let mut decision = decision.clone();
        log.relocate(&mut decision);
        let topic = match decision["type"].as_str() {
            Some("threshold_crossed") => &mut out.threshold_crossed,
            Some("limit_reached") => &mut out.limit_reached,
            Some("block_changed") => &mut out.block_state,
            _ => {
                decision["original"] = log.original(&decision);
                &mut out.dead_letter
            }
        };
        let key = decision["block_key"].as_str().unwrap_or("acct").to_owned();
        topic.push(row(topic.len(), START, &key, decision.to_string().into_bytes()));
    }
    out
}

fn altered(row: &Row, field: &str, value: Value) -> Row {
    let mut record: Value = serde_json::from_slice(row.value.as_deref().unwrap_or_default())
        .expect("it was written as JSON");
    record[field] = value;
    Row { value: Some(record.to_string().into_bytes()), ..row.clone() }
}

#[test]
fn a_faultless_engine_is_found_faultless() {
    let (log, decisions, mut out) = made_up();
    let again = out.threshold_crossed[3].clone();
    out.threshold_crossed.push(again);
    let tally = compare(&log, decisions, &out).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(tally.decisions > 500 && tally.rejected > 40, "the traffic decides too little");
    assert_eq!((tally.repeats, tally.overtaken), (1, 0));
}

#[test]
fn each_way_to_be_wrong_is_seen() {
    type Fault = (&'static str, fn(&mut Published));
    let faults: [Fault; 9] = [
        ("never published", |out| drop(out.threshold_crossed.remove(7))),
        ("never published", |out| drop(out.limit_reached.remove(0))),
        ("never published", |out| drop(out.dead_letter.pop())),
        ("two contents", |out| {
            let other = altered(&out.limit_reached[1], "current", json!("0.01"));
            out.limit_reached.push(other);
        }),
        ("got:", |out| out.limit_reached[1] = altered(&out.limit_reached[1], "now", json!("x"))),
        ("nothing leads to", |out| {
            let other = altered(&out.limit_reached[1], "id", json!("unheard"));
            out.limit_reached.push(other);
        }),
        ("not the bytes", |out| {
            out.dead_letter[2] = altered(&out.dead_letter[2], "original", json!("YQ=="));
        }),
        ("block state of", |out| {
            let stale = out.block_state[0].clone();
            out.block_state.push(stale);
        }),
        ("block state of", |out| drop(out.block_state.pop())),
    ];
    let (log, decisions, _) = made_up();
    for (told, fault) in faults {
        let mut out = publish(&log, &decisions);
        fault(&mut out);
        let wrong = compare(&log, decisions.clone(), &out).err().unwrap_or_default().to_string();
        assert!(wrong.contains(told), "{told:?} was not seen but {wrong:?}");
    }
}

#[test]
fn an_overtaken_block_record_may_be_missing() {
    let (log, decisions, mut out) = made_up();
    let key = out.block_state[0].key.clone();
    assert!(out.block_state.iter().filter(|row| row.key == key).count() > 1);
    out.block_state.remove(0);
    let tally = compare(&log, decisions, &out).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(tally.overtaken, 1);
}
