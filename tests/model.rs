//! The naive model against the logs whose outcome is known, and tollgate's replay against the
//! model on random logs. The first proves that the model reads FORMATS.md as its authors do, the
//! second that the product does; neither says anything of Kafka, storage or crashes.

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

/// A random test proves nothing of a decision that its logs never bring about.
#[test]
fn random_logs_bring_about_every_kind_of_decision() {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..300 {
        let flavour = if seed % 2 == 0 { Flavour::Plain } else { Flavour::Stress };
        let outcome = model::run(&random_log(seed, 150, flavour), "random", 10);
        for record in &outcome.decisions {
            for what in traits(record) {
                *seen.entry(what).or_default() += 1;
            }
        }
        *seen.entry("event".to_owned()).or_default() += outcome.events;
        *seen.entry("duplicate".to_owned()).or_default() += outcome.duplicates;
    }
    let missing: Vec<_> = EVERY_KIND.iter().filter(|what| !seen.contains_key(**what)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}\nseen: {seen:#?}");
}

const EVERY_KIND: [&str; 50] = [
    "event",
    "duplicate",
    "rejected undecodable",
    "rejected invalid",
    "rejected future_event",
    "rejected conflict",
    "arming 1",
    "arming 2",
    "arming 3",
    "up event",
    "up correction",
    "up command",
    "up window_end",
    "down correction",
    "down command",
    "reached event",
    "reached correction",
    "reached command",
    "reached window_end",
    "opened event",
    "opened correction",
    "opened command",
    "opened window_end",
    "lifted correction",
    "lifted command",
    "lifted window_end",
    "block account cost day",
    "block account cost month",
    "block account requests day",
    "block account requests month",
    "block feature cost day",
    "block feature cost month",
    "block feature requests day",
    "block feature requests month",
    "block profile cost day",
    "block profile cost month",
    "block profile requests day",
    "block profile requests month",
    "block country cost day",
    "block country cost month",
    "block country requests day",
    "block country requests month",
    "block recipient requests sliding",
    "block recipient requests sliding one",
    "block sender requests sliding",
    "block sender requests sliding one",
    "block sender recipients day",
    "block sender recipients day one",
    "block otp version 1",
    "block otp version 2",
];

fn traits(record: &Value) -> Vec<String> {
    let of = |key: &str| record[key].as_str().unwrap_or_default();
    let cause = record["cause"]["kind"].as_str().unwrap_or_default();
    match of("type") {
        "rejected" => vec![format!("rejected {}", of("reason"))],
        "threshold_crossed" => {
            vec![format!("{} {cause}", of("direction")), format!("arming {}", record["arming"])]
        }
        "limit_reached" => vec![format!("reached {cause}")],
        _ => {
            let turn = if record["blocked"] == true { "opened" } else { "lifted" };
            let kind = record["scope"]["kind"].as_str().unwrap_or_default();
            let window = of("window");
            let window = if window.starts_with('P') { "sliding" } else { window };
            let each = of("block_key").matches('/').count() > 1;
            let numbers = matches!(kind, "recipient" | "sender");
            let one = if numbers && !each { " one" } else { "" };
            vec![
                format!("{turn} {cause}"),
                format!("block {kind} {} {window}{one}", of("measure")),
                format!("block {} version {}", of("limit_id"), record["limit_version"]),
            ]
        }
    }
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

#[cfg(feature = "engine")]
mod against_replay {
    use proptest::test_runner::{
        Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner,
    };

    use super::model;
    use super::model::compare::{compare, records};
    use super::model::logs::any_log;
    use super::model::shrink::smallest;

    /// Err with the first difference between tollgate's replay of a log and the model's.
    fn agree(log: &[u8], dedup_minutes: u32) -> Result<(), String> {
        let expected = model::run(log, "random", dedup_minutes);
        let replay = |threads| {
            let folded = tollgate::replay::fold_bytes(log, "random", dedup_minutes, threads);
            folded.expect("threads")
        };
        let folded = replay(1);
        if replay(3) != folded {
            return Err("three states that share the accounts give other bytes than one".to_owned());
        }
        compare(&expected.decisions, &records(&folded.decisions))
            .map_err(|difference| format!("decisions: {difference}"))?;
        compare(&expected.totals, &records(&folded.totals))
            .map_err(|difference| format!("totals: {difference}"))?;
        let counted = &folded.summary;
        let r = counted.rejects;
        let rejects = r.undecodable + r.invalid + r.future_event + r.conflict;
        let actual = (counted.events, counted.duplicates, rejects);
        let expected = (expected.events, expected.duplicates, expected.rejects);
        if actual != expected {
            return Err(format!("events, duplicates, rejects: {actual:?}, expected {expected:?}"));
        }
        Ok(())
    }

    /// tollgate's replay of random logs equals the model, decisions and totals, line by line.
    /// PROPTEST_CASES sets how many logs, TOLLGATE_TEST_SEED which; a failure names its seed and
    /// shows the shortest log found.
    #[test]
    fn replay_agrees_with_the_model_on_random_logs() {
        let seed: u64 = std::env::var("TOLLGATE_TEST_SEED")
            .map_or(1, |text| text.parse().expect("TOLLGATE_TEST_SEED is a whole number"));
        println!("TOLLGATE_TEST_SEED={seed}");
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = Config { failure_persistence: None, ..Config::default() };
        let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { 2000 };
        let mut runner = TestRunner::new_with_rng(Config { cases, ..config }, rng);
        let outcome = runner.run(&any_log(), |case| {
            agree(&case.log(), case.dedup_minutes).map_err(TestCaseError::fail)
        });
        if let Err(TestError::Fail(_, case)) = &outcome {
            let least = smallest(&case.log(), |log| agree(log, case.dedup_minutes).is_err());
            let fault = agree(&least, case.dedup_minutes).expect_err("it fails still");
            panic!("{case:?}: {fault}\n{}", String::from_utf8_lossy(&least));
        }
        outcome.expect("no log was given up");
    }
}
