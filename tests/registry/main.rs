//! The Confluent framing between Tollgate and people who did not write it: a Schema Registry in Go
//! and Confluent's Python client. A misreading that our writer and our reader share cannot hide here.

#![cfg(feature = "engine")]

#[path = "../suite/mod.rs"]
mod suite;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use tollgate::fold::State;
use tollgate::fold::decision::Decision;
use tollgate::fold::event::{BilledEvent, Input, Line, Position, Reason};
use tollgate::money::Money;
use tollgate::time::Millis;
use tollgate::wire::json::decode_line;
use tollgate::wire::{
    Decoder, Encoder, Error, InputFormat, Options, OutputFormat, RegistryOptions, Topics,
};

const BILLED_SUBJECT: &str = "messages.billed-value";
const OCCURRED_AT: &str = "2024-08-20T19:17:08.918+00:00";

/// A registry of its own for each test; it ends when its standard input does.
struct Peers {
    url: String,
    python: String,
    registry: Child,
}

impl Peers {
    /// `None` where a program is missing, which is told, and which is a failure under `CI=true`.
    fn ready() -> Option<Peers> {
        let found = peer("registry").and_then(|registry| Ok((registry, peer("python")?)));
        let (registry, python) = match found {
            Ok(found) => found,
            Err(missing) => {
                suite::skipped("registry", &missing);
                return None;
            }
        };
        let mut registry = Command::new(registry)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the registry starts");
        let mut url = String::new();
        let out = registry.stdout.take().expect("stdout is piped");
        BufReader::new(out).read_line(&mut url).expect("the registry says its URL");
        Some(Peers { url: url.trim().to_owned(), python, registry })
    }

    fn options(&self) -> RegistryOptions {
        RegistryOptions { url: self.url.clone(), timeout_ms: 5_000, user: None, password: None }
    }

    fn decoder(&self) -> Decoder {
        let options = Options {
            format: InputFormat::Auto,
            registry: Some(self.options()),
            ..Options::default()
        };
        Decoder::new(&options).expect("the options are fine")
    }

    fn encoder(&self) -> Encoder {
        let options = self.options();
        Encoder::new(OutputFormat::Confluent, Topics::default(), Some(&options))
            .expect("the options are fine")
    }

    /// Runs the Python client over `lines` and returns its own.
    fn python(&self, verb: &str, subject: &str, lines: &[String]) -> Vec<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry/peer.py");
        let mut child = Command::new(&self.python)
            .arg(script)
            .args([verb, &self.url, subject])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all((lines.join("\n") + "\n").as_bytes()).expect("the client reads");
        drop(stdin);
        let output = child.wait_with_output().expect("the client ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "peer.py {verb}: {said}");
        String::from_utf8(output.stdout).expect("it is text").lines().map(str::to_owned).collect()
    }

    /// Their client writes these events with their schema.
    fn write(&self, events: &[Value]) -> Vec<Vec<u8>> {
        let lines: Vec<String> = events.iter().map(Value::to_string).collect();
        let framed = self.python("write", BILLED_SUBJECT, &lines);
        framed.iter().map(|line| BASE64_STANDARD.decode(line).expect("it is base64")).collect()
    }

    /// Their client reads records of ours.
    fn read(&self, subject: &str, records: &[Vec<u8>]) -> Vec<Value> {
        let lines: Vec<String> = records.iter().map(|r| BASE64_STANDARD.encode(r)).collect();
        let read = self.python("read", subject, &lines);
        read.iter().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.registry.kill();
        let _ = self.registry.wait();
    }
}

fn peer(name: &str) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry/peers");
    let output = Command::new(script).arg(name).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

fn their_event(number: usize, cost: &str) -> Value {
    json!({"occurred_at": OCCURRED_AT, "invoice": {"number": "7", "lines": [1, 2]}, "cost": cost,
        "account_id": "acme", "event_id": format!("e-{number}"), "feature": "sms",
        "country": "it", "recipient": null})
}

fn billed(input: Input<'_>) -> BilledEvent<'_> {
    match input {
        Input::Billed(event) => event,
        other => panic!("not a billed event: {other:?}"),
    }
}

/// Decisions of every kind, each with the line it came from.
fn decisions() -> Vec<(Decision, Vec<u8>)> {
    let command = json!({"type": "limit_set", "command_id": "c-1", "account_id": "acme",
        "issued_at": OCCURRED_AT, "actor": "ops", "limit": {"limit_id": "limit_7",
        "scope": {"kind": "profile", "id": "p-1"}, "measure": "cost", "window": "day",
        "amount": "10.00", "action": "block", "thresholds": [50, 100]}});
    let event = |id: &str, cost: &str, at: &str| {
        json!({"event_id": id, "account_id": "acme", "profile_id": "p-1", "feature": "sms",
            "cost": cost, "occurred_at": at})
    };
    let lines = [
        command,
        event("e-1", "6.5", OCCURRED_AT),
        event("e-2", "3.5", OCCURRED_AT),
        event("e-3", "-5.1", OCCURRED_AT),
        event("e-4", "1.00", "2024-09-20T19:17:08.918+00:00"),
    ];
    let (mut state, mut found) = (State::new(10), Vec::new());
    for (number, line) in lines.iter().enumerate() {
        let bytes = line.to_string().into_bytes();
        let input = decode_line(&bytes).input;
        let recorded_at = Millis::parse(OCCURRED_AT).expect("a time");
        let position = Position { source: Arc::from("messages.billed/3"), at: number as u64 };
        let mut out = Vec::new();
        state.fold_line(&Line { input, recorded_at, position }, &mut out);
        found.extend(out.into_iter().map(|decision| (decision, bytes.clone())));
    }
    found
}

fn topic_of(decision: &Decision) -> &'static str {
    match decision {
        Decision::ThresholdCrossed(_) => "tollgate.threshold-crossed",
        Decision::LimitReached(_) => "tollgate.limit-reached",
        Decision::BlockChanged(_) => "tollgate.block-state",
        Decision::Rejected(_) => "tollgate.dead-letter",
    }
}

/// Without nulls, at every depth.
fn bare(value: &Value) -> Value {
    let Value::Object(fields) = value else { return value.clone() };
    let kept = fields.iter().filter(|(_, inner)| !inner.is_null());
    Value::Object(kept.map(|(name, inner)| (name.clone(), bare(inner))).collect::<Map<_, _>>())
}

#[test]
fn events_of_a_schema_that_grew_apart_are_read_as_ours() {
    let Some(peers) = Peers::ready() else { return };
    let written = peers.write(&[their_event(1, "0.0075"), their_event(2, "-12345678.9012")]);
    let decoder = peers.decoder();
    let read = |at: usize| decoder.decode_billed(&written[at]).expect("the registry answers");
    let decoded = read(0);
    let occurred_at = Millis::parse(OCCURRED_AT).expect("a time");
    assert_eq!(decoded.recorded_at, Some(occurred_at));
    let expected = BilledEvent {
        event_id: "e-1".into(),
        idempotency_key: None,
        account_id: "acme".into(),
        profile_id: None,
        feature: "sms".into(),
        country: Some("IT".into()),
        sender: None,
        recipient: None,
        purpose: None,
        requests: 1,
        cost: Money(7_500),
        occurred_at,
    };
    assert_eq!(billed(decoded.input), expected);
    let correction = billed(read(1).input);
    assert_eq!((correction.cost, correction.requests), (Money(-12_345_678_901_200), 0));
    suite::verdict("registry", "ran: their writer, our reader");
}

#[test]
fn decisions_of_ours_are_read_by_their_client() {
    let Some(peers) = Peers::ready() else { return };
    let (framed, plain) =
        (peers.encoder(), Encoder::new(OutputFormat::Json, Topics::default(), None));
    let plain = plain.expect("JSON needs nothing");
    let decisions = decisions();
    for topic in [
        "tollgate.threshold-crossed",
        "tollgate.limit-reached",
        "tollgate.block-state",
        "tollgate.dead-letter",
    ] {
        let of_topic: Vec<_> = decisions.iter().filter(|(d, _)| topic_of(d) == topic).collect();
        assert!(!of_topic.is_empty(), "no decision for {topic}");
        let encode = |encoder: &Encoder| -> Vec<Vec<u8>> {
            let record = |(decision, line): &&(Decision, Vec<u8>)| {
                encoder.encode_decision(decision, Some(line), false).expect("the registry answers")
            };
            of_topic.iter().map(record).collect()
        };
        let theirs = peers.read(&format!("{topic}-value"), &encode(&framed));
        let parse = |bytes: &Vec<u8>| serde_json::from_slice::<Value>(bytes).expect("it is JSON");
        let ours: Vec<Value> = encode(&plain).iter().map(parse).collect();
        let theirs: Vec<Value> = theirs.iter().map(bare).collect();
        assert_eq!(theirs, ours.iter().map(bare).collect::<Vec<_>>(), "{topic}");
    }
    suite::verdict("registry", "ran: our writer, their reader");
}

#[test]
fn an_id_that_nobody_registered_is_a_reject_and_no_fault() {
    let Some(peers) = Peers::ready() else { return };
    let decoded = peers.decoder().decode_billed(&[0, 0, 0, 0x30, 0x39, 2, 4]);
    match decoded.expect("the registry answers").input {
        Input::Rejected(refusal) => assert_eq!(refusal.reason, Reason::Undecodable),
        other => panic!("not rejected: {other:?}"),
    }
}

#[test]
fn a_registry_that_is_away_rejects_nothing() {
    let Some(mut peers) = Peers::ready() else { return };
    let written = peers.write(&[their_event(1, "1.0000")]);
    let known = peers.decoder();
    assert!(known.decode_billed(&written[0]).is_ok());
    peers.registry.kill().expect("it runs");
    peers.registry.wait().expect("it ends");
    let fresh = peers.decoder().decode_billed(&written[0]);
    assert!(matches!(fresh, Err(Error::Registry { .. })), "{fresh:?}");
    let remembered = known.decode_billed(&written[0]).expect("what is known needs no registry");
    assert_eq!(billed(remembered.input).event_id, "e-1");
}
