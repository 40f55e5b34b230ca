//! The logs of tests/conformance must give the decisions and totals that stand beside them.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tollgate::fold::State;
use tollgate::fold::event::{Line, Position};
use tollgate::time::Millis;
use tollgate::wire::json;

fn values(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Drops what the comparison leaves free: absent and null are the same, details and positions too.
fn strip(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|name, value| {
            !value.is_null() && !["detail", "position", "original"].contains(&name.as_str())
        });
        fields.values_mut().for_each(strip);
    }
}

#[test]
fn logs_give_the_decisions_and_totals_beside_them() {
    let folder = "tests/conformance";
    let mut differences = Vec::new();
    for name in ["plain-1", "plain-2", "plain-3", "stress-1", "stress-2", "stress-3"] {
        let read = |end: &str| {
            std::fs::read(Path::new(folder).join(format!("{name}{end}"))).expect("a log")
        };
        let mut state = State::new(10);
        let mut decisions = Vec::new();
        let source: Arc<str> = name.into();
        for (index, bytes) in read(".ndjson").split(|byte| *byte == b'\n').enumerate() {
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let decoded = json::decode_line(bytes);
            let line = Line {
                input: decoded.input,
                recorded_at: decoded.recorded_at.unwrap_or(Millis(0)),
                position: Position { source: source.clone(), at: index as u64 + 1 },
            };
            state.fold_line(&line, &mut decisions);
        }
        let mut written = Vec::new();
        for decision in &decisions {
            json::write_decision(decision, &mut written);
            written.push(b'\n');
        }
        let written = String::from_utf8(written).unwrap();
        let mut totals = Vec::new();
        for total in state.totals() {
            json::write_total(&total, &mut totals);
            totals.push(b'\n');
        }
        let totals = String::from_utf8(totals).unwrap();
        for (kind, end, written) in
            [("decision", ".decisions.ndjson", written), ("total", ".totals.ndjson", totals)]
        {
            let expected = String::from_utf8(read(end)).unwrap();
            differences.extend(difference(&format!("{name} {kind}"), &expected, &written));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The first difference of the lines, if they differ.
fn difference(what: &str, expected: &str, written: &str) -> Option<String> {
    let (mut expected, mut actual) = (values(expected), values(written));
    expected.iter_mut().chain(&mut actual).for_each(strip);
    for index in 0..expected.len().max(actual.len()) {
        let (a, b) = (expected.get(index), actual.get(index));
        if a != b {
            return Some(format!("{what} {index}:\n expected {a:#?}\n actual {b:#?}"));
        }
    }
    None
}
