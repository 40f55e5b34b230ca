//! The naive model against the logs whose outcome is known. It proves that the model reads
//! FORMATS.md as its authors do; it says nothing about the product.

#[path = "model/mod.rs"]
mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use model::compare::{compare, records};
use model::logs::{Flavour, random_log};
use model::shrink::smallest;
use serde_json::Value;

fn agrees_on(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let read = |file: String| std::fs::read(folder.join(&file)).expect("a conformance file");
    let outcome = model::run(&read(format!("{name}.ndjson")), name, 10);
    let decisions = records(&read(format!("{name}.decisions.ndjson")));
    let totals = records(&read(format!("{name}.totals.ndjson")));
    compare(&decisions, &outcome.decisions).unwrap_or_else(|d| panic!("{name}, decisions: {d}"));
    compare(&totals, &outcome.totals).unwrap_or_else(|d| panic!("{name}, totals: {d}"));
}

#[test]
fn model_agrees_on_everyday_log_1() {
    agrees_on("plain-1");
}

#[test]
fn model_agrees_on_everyday_log_2() {
    agrees_on("plain-2");
}

#[test]
fn model_agrees_on_everyday_log_3() {
    agrees_on("plain-3");
}

#[test]
fn model_agrees_on_edges_log_1() {
    agrees_on("stress-1");
}

#[test]
fn model_agrees_on_edges_log_2() {
    agrees_on("stress-2");
}

#[test]
fn model_agrees_on_edges_log_3() {
    agrees_on("stress-3");
}

/// What the random logs lead to, so that no kind of decision is missing from them unnoticed.
#[test]
fn random_logs_bring_about_every_kind_of_decision() {
    let mut kinds = BTreeMap::new();
    for seed in 0..300 {
        let flavour = if seed % 2 == 0 { Flavour::Plain } else { Flavour::Stress };
        let outcome = model::run(&random_log(seed, 150, flavour), "random", 10);
        for record in &outcome.decisions {
            for trait_of in traits(record) {
                *kinds.entry(trait_of).or_insert(0) += 1;
            }
        }
        *kinds.entry("events".to_owned()).or_insert(0) += outcome.events;
        *kinds.entry("duplicates".to_owned()).or_insert(0) += outcome.duplicates;
    }
    for (k, v) in &kinds {
        println!("{k}: {v}");
    }
}

fn traits(record: &Value) -> Vec<String> {
    let of = |key: &str| record.get(key).map_or("-".to_owned(), |v| v.to_string().replace('"', ""));
    let kind = of("type");
    if kind == "rejected" {
        return vec![format!("rejected {}", of("reason"))];
    }
    let cause = record["cause"]["kind"].as_str().unwrap_or("-");
    let window = if of("window").starts_with("PT") { "sliding".to_owned() } else { of("window") };
    vec![
        format!("{kind} {} {} {cause}", of("direction"), of("blocked")),
        format!("{kind} {} {} {window}", record["scope"]["kind"], of("measure")),
        format!("arming {}", of("arming")),
        format!("{kind} version {}", of("limit_version").parse::<u64>().unwrap_or(0).min(5)),
    ]
}

/// No decision may be told twice: ids are unique, and each block record has the next number.
#[test]
fn every_decision_has_an_id_of_its_own() {
    for seed in 0..400 {
        let flavour = if seed % 2 == 0 { Flavour::Plain } else { Flavour::Stress };
        let log = random_log(seed, 200, flavour);
        if let Err(fault) = told_twice(&log) {
            let least = smallest(&log, |log| told_twice(log).is_err());
            panic!("seed {seed}: {fault}\n{}", String::from_utf8_lossy(&least));
        }
    }
}

fn told_twice(log: &[u8]) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    let mut sequences: BTreeMap<String, u64> = BTreeMap::new();
    for record in &model::run(log, "random", 10).decisions {
        if let Some(id) = record.get("id")
            && !ids.insert(id.to_string())
        {
            return Err(format!("told twice: {record}"));
        }
        if let Some(sequence) = record.get("sequence") {
            let last = sequences.entry(record["account_id"].to_string()).or_default();
            *last += 1;
            if *sequence != *last {
                return Err(format!("not number {last}: {record}"));
            }
        }
    }
    Ok(())
}
