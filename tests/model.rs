//! The naive model against the logs whose outcome is known. It proves that the model reads
//! FORMATS.md as its authors do; it says nothing about the product.

#[path = "model/mod.rs"]
mod model;

use std::path::Path;

use model::compare::{compare, records};

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
