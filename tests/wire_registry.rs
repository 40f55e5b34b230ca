//! Confluent framing against a registry that answers as it is told, over real HTTP on loopback.
//! Promise: an unknown schema is a reject, a registry that fails is a fault to try again, and
//! each schema is asked for once.
#![cfg(feature = "engine")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use tollgate::fold::event::{BilledEvent, Input, Reason};
use tollgate::wire::json::decode_line;
use tollgate::wire::{
    Decoder, Encoder, Error, InputFormat, Options, OutputFormat, RegistryOptions, Topics,
};

/// Answers by path; everything else is 40403. Remembers what was asked.
#[derive(Default)]
struct Script {
    answers: HashMap<String, (u16, String)>,
    asked: Vec<(String, String)>,
}

struct Registry {
    url: String,
    script: Arc<Mutex<Script>>,
}

impl Registry {
    fn start() -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.expect("a connection"), &shared);
            }
        });
        Registry { url, script }
    }

    fn answers(&self, path: &str, status: u16, body: &str) {
        let mut script = self.script.lock().expect("no panic elsewhere");
        script.answers.insert(path.to_owned(), (status, body.to_owned()));
    }

    fn asked(&self, path: &str) -> usize {
        let script = self.script.lock().expect("no panic elsewhere");
        script.asked.iter().filter(|(asked, _)| asked == path).count()
    }

    fn options(&self) -> RegistryOptions {
        RegistryOptions { url: self.url.clone(), timeout_ms: 5000, user: None, password: None }
    }

    fn decoder(&self, format: InputFormat) -> Decoder {
        let registry = Some(self.options());
        Decoder::new(&Options { format, registry, ..Options::default() }).expect("a client")
    }

    fn encoder(&self) -> Encoder {
        let registry = Some(self.options());
        Encoder::new(OutputFormat::Confluent, Topics::default(), registry.as_ref())
            .expect("a client")
    }
}

fn answer(stream: TcpStream, script: &Mutex<Script>) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).expect("a request line");
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).expect("a header");
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let mut script = script.lock().expect("no panic elsewhere");
    let unknown = (404, r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned());
    let (status, text) = script.answers.get(&path).cloned().unwrap_or(unknown);
    script.asked.push((path, String::from_utf8(body).expect("UTF-8")));
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", text.len());
    let answer = format!("{head}Connection: close\r\n\r\n{text}");
    reader.get_mut().write_all(answer.as_bytes()).expect("an answer");
}

const BILLED: &str = include_str!("../schemas/billed-event.avsc");

fn schema_answer(schema: &str) -> String {
    serde_json::json!({ "schema": schema }).to_string()
}

fn event() -> BilledEvent<'static> {
    let line = br#"{"event_id":"e1","account_id":"acme","feature":"sms","cost":"0.0075",
        "occurred_at":"2024-08-20T19:17:08.918Z"}"#;
    match decode_line(line).input {
        Input::Billed(event) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_written_through_a_registry_is_read_through_it() {
    let registry = Registry::start();
    registry.answers("/subjects/messages.billed-value/versions", 200, r#"{"id":7}"#);
    registry.answers("/schemas/ids/7", 200, &schema_answer(BILLED));
    let encoder = registry.encoder();
    let bytes = encoder.encode_billed(&event(), None).expect("encoded");
    assert_eq!(bytes[..5], [0, 0, 0, 0, 7]);
    for format in [InputFormat::Auto, InputFormat::Confluent] {
        let decoder = registry.decoder(format);
        for _ in 0..3 {
            let decoded = decoder.clone().decode_billed(&bytes).expect("decoded");
            assert_eq!(decoded.input, Input::Billed(event()));
        }
    }
    assert_eq!(registry.asked("/schemas/ids/7"), 2, "once for each decoder and its clones");
    encoder.clone().encode_billed(&event(), None).expect("encoded");
    assert_eq!(registry.asked("/subjects/messages.billed-value/versions"), 1);
    let script = registry.script.lock().expect("no panic elsewhere");
    let posted: serde_json::Value = serde_json::from_str(&script.asked[0].1).expect("JSON");
    assert_eq!(posted["schema"], BILLED);
    assert_eq!(posted["schemaType"], "AVRO");
}

#[test]
fn an_unknown_schema_is_a_reject_and_is_asked_for_again() {
    let registry = Registry::start();
    registry.answers("/subjects/messages.billed-value/versions", 200, r#"{"id":7}"#);
    let bytes = registry.encoder().encode_billed(&event(), None).expect("encoded");
    let decoder = registry.decoder(InputFormat::Auto);
    match decoder.decode_billed(&bytes).expect("no fault").input {
        Input::Rejected(refusal) => {
            assert_eq!(refusal.reason, Reason::Undecodable);
            assert_eq!(refusal.detail, "schema 7 is not in the registry");
        }
        other => panic!("{other:?}"),
    }
    registry.answers("/schemas/ids/7", 200, &schema_answer(BILLED));
    let decoded = decoder.decode_billed(&bytes).expect("decoded");
    assert_eq!(decoded.input, Input::Billed(event()));
}

#[test]
fn a_registry_that_fails_is_a_fault_and_decides_nothing() {
    let registry = Registry::start();
    registry.answers("/subjects/messages.billed-value/versions", 200, r#"{"id":7}"#);
    let bytes = registry.encoder().encode_billed(&event(), None).expect("encoded");
    let decoder = registry.decoder(InputFormat::Auto);
    for (status, body) in [
        (500, r#"{"error_code":50001,"message":"store"}"#),
        (503, "down"),
        (404, "<html>a proxy's page</html>"),
        (401, r#"{"error_code":40101,"message":"who"}"#),
        (200, "no JSON"),
        (200, "{}"),
    ] {
        registry.answers("/schemas/ids/7", status, body);
        let fault = decoder.decode_billed(&bytes).expect_err("undecided");
        assert!(matches!(fault, Error::Registry { .. }) && fault.passes(), "{fault}");
    }
    registry.answers("/schemas/ids/7", 200, &schema_answer(BILLED));
    assert!(decoder.decode_billed(&bytes).is_ok());

    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr();
    let url = format!("http://{}", closed.expect("an address"));
    let nobody = RegistryOptions { url, ..registry.options() };
    let options = Options { registry: Some(nobody), ..Options::default() };
    let fault = Decoder::new(&options).expect("a client").decode_billed(&bytes);
    assert!(fault.expect_err("nobody answers").passes());
}

#[test]
fn a_schema_that_avro_cannot_use_is_a_reject_with_its_reason() {
    let registry = Registry::start();
    let proto = r#"{"schemaType":"PROTOBUF","schema":"syntax = \"proto3\";"}"#;
    registry.answers("/schemas/ids/1", 200, proto);
    registry.answers("/schemas/ids/2", 200, r#"{"schema":"{\"type\":\"recor\"}"}"#);
    registry.answers("/schemas/ids/3", 200, r#"{"schema":"\"string\""}"#);
    let decoder = registry.decoder(InputFormat::Confluent);
    for (id, why) in [(1, "Protobuf"), (2, "recor"), (3, "does not resolve")] {
        match decoder.decode_billed(&[0, 0, 0, 0, id, 2, 97]).expect("no fault").input {
            Input::Rejected(refusal) => {
                assert_eq!(refusal.reason, Reason::Undecodable);
                assert!(refusal.detail.contains(why), "{}", refusal.detail);
            }
            other => panic!("{other:?}"),
        }
    }
    for short in [&[0][..], &[0, 0, 0, 0], b""] {
        let decoded = decoder.decode_billed(short).expect("no fault");
        assert!(matches!(decoded.input, Input::Rejected(_)));
    }
}

#[test]
fn a_schema_of_parts_is_put_together() {
    let registry = Registry::start();
    let whole: serde_json::Value = serde_json::from_str(BILLED).expect("JSON");
    let mut outer = whole.clone();
    let money = serde_json::json!({"type": "record", "name": "Extra", "namespace": "acme",
        "fields": [{"name": "note", "type": "string"}]});
    let extra = serde_json::json!({"name": "extra", "type": "acme.Extra"});
    outer["fields"].as_array_mut().expect("fields").push(extra);
    let answer = serde_json::json!({"schema": outer.to_string(), "references": [
        {"name": "acme.Extra", "subject": "extra", "version": 3}]});
    registry.answers("/schemas/ids/9", 200, &answer.to_string());
    let part = serde_json::json!({"id": 8, "schema": money.to_string()});
    registry.answers("/subjects/extra/versions/3", 200, &part.to_string());
    registry.answers("/subjects/messages.billed-value/versions", 200, r#"{"id":9}"#);
    let mut bytes = registry.encoder().encode_billed(&event(), None).expect("encoded");
    bytes.extend(b"\x04hi");
    let decoded = registry.decoder(InputFormat::Auto).decode_billed(&bytes).expect("decoded");
    assert_eq!(decoded.input, Input::Billed(event()));
}
