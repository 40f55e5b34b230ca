//! The JSON decoder against the conformance logs and against another JSON parser.
//! Promise: a line is refused on the way in exactly where the logs' expected decisions say so, and
//! what is a JSON object is judged as `serde_json` judges it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;
use tollgate::fold::event::{Change, Input, Reason, Refusal};
use tollgate::wire::json::decode_line;

const LOGS: [&str; 6] = ["plain-1", "plain-2", "plain-3", "stress-1", "stress-2", "stress-3"];

fn lines(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(name);
    let bytes = fs::read(path).expect("a conformance log");
    let full = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    full.map(<[u8]>::to_vec).collect()
}

/// What a rejection shows: the reason and the ids it names.
type Shown = (String, Option<String>, Option<String>, Option<String>);

fn shown(refusal: Refusal) -> Shown {
    let reason = refusal.reason.as_str().to_owned();
    (reason, refusal.account_id, refusal.event_id, refusal.command_id)
}

#[test]
fn exactly_the_expected_lines_of_the_conformance_logs_are_refused() {
    for log in LOGS {
        let mut refused = Vec::new();
        let mut removals = HashSet::new();
        for line in lines(&format!("{log}.ndjson")) {
            match decode_line(&line).input {
                Input::Rejected(refusal) => refused.push(shown(refusal)),
                // Whether a limit to remove is known needs the state.
                Input::Command(command)
                    if matches!(command.change, Change::LimitRemoved { .. }) =>
                {
                    removals.insert(command.command_id.to_string());
                }
                Input::Billed(_) | Input::Command(_) | Input::Tick => {}
            }
        }
        let expected: Vec<Shown> = lines(&format!("{log}.decisions.ndjson"))
            .iter()
            .map(|line| serde_json::from_slice::<Value>(line).expect("a decision"))
            .filter(|it| matches!(it["reason"].as_str(), Some("invalid" | "undecodable")))
            .map(|it| {
                let text = |key: &str| it[key].as_str().map(str::to_owned);
                let reason = text("reason").expect("a reason");
                (reason, text("account_id"), text("event_id"), text("command_id"))
            })
            .filter(|(_, _, _, command_id)| {
                command_id.as_ref().is_none_or(|id| !removals.contains(id))
            })
            .collect();
        assert_eq!(refused, expected, "{log}");
    }
}

/// Valid or broken JSON, made from the pieces in which decoders like to differ.
fn scraps() -> impl Strategy<Value = Vec<u8>> {
    let scrap = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\"a\"",
        "\"a\":",
        "\"\"",
        "null",
        "true",
        "false",
        "0",
        "1",
        "-",
        "01",
        "1.5",
        "1e5",
        "1E+5",
        ".",
        "e",
        " ",
        "\t",
        "\r",
        "\n",
        "\u{c}",
        "\u{b}",
        "\"\\n\"",
        "\"\\u0041\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\x\"",
        "\"\u{1f}\"",
        "\"\u{7f}\"",
        "é",
        "\u{feff}",
        "nul",
        "NaN",
        "{\"a\":1}",
        "[1,2]",
        "{}",
        "[]",
    ]);
    let bytes = prop::collection::vec(scrap, 0..8).prop_map(|it| it.concat().into_bytes());
    prop_oneof![
        bytes.clone(),
        bytes.clone().prop_map(|inner| [b"{\"a\":".as_slice(), &inner, b"}"].concat()),
        bytes.prop_map(|inner| [b"{\"a\":[".as_slice(), &inner, b"]}"].concat()),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(|inner| [
            b"{\"a\":\"".as_slice(),
            &inner,
            b"\"}"
        ]
        .concat()),
    ]
}

fn undecodable(line: &[u8]) -> bool {
    match decode_line(line).input {
        Input::Rejected(refusal) => refusal.reason == Reason::Undecodable,
        Input::Billed(_) | Input::Command(_) | Input::Tick => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn what_is_a_json_object_agrees_with_another_parser(line in scraps()) {
        let object = match serde_json::from_slice::<Value>(&line) {
            Ok(value) => value.is_object(),
            // The grammar has no greatest number, and what nobody reads is no fault.
            Err(fault) if fault.to_string().contains("number out of range") => return Ok(()),
            Err(_) => false,
        };
        prop_assert_eq!(!undecodable(&line), object, "{:?}", String::from_utf8_lossy(&line));
    }

    #[test]
    fn no_bytes_make_it_panic(
        at in 0_usize..400, bytes in prop::collection::vec(any::<u8>(), 0..4), line in 0_usize..300,
    ) {
        let log = lines("stress-2.ndjson");
        let mut line = log[line % log.len()].clone();
        let at = at % (line.len() + 1);
        line.splice(at..at, bytes);
        let decoded = decode_line(&line);
        prop_assert_eq!(decoded.recorded_at.is_none(), matches!(decoded.input, Input::Rejected(_)));
    }
}

#[test]
fn nesting_without_end_is_refused_and_no_stack_overflows() {
    let deep = |levels: usize| format!("{{\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(!undecodable(deep(126).as_bytes()));
    assert!(undecodable(deep(127).as_bytes()));
    assert!(undecodable(deep(1_000_000).as_bytes()));
    assert!(undecodable("{\"a\":".repeat(1_000_000).as_bytes()));
}

#[test]
fn a_number_nobody_reads_may_have_any_size() {
    assert!(!undecodable(b"{\"x\":1e400,\"y\":123456789012345678901234567890}"));
}
