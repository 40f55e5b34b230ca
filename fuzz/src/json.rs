//! JSON lines and records, beside serde_json.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use tollgate::fold::event::Input;
use tollgate::wire::json::decode_line;
use tollgate::wire::{Decoder, InputFormat};

use crate::agree::{assert_same, decoder, is_undecodable, lines_come_back};

thread_local! {
    static DECODERS: [Decoder; 2] = [InputFormat::Auto, InputFormat::Json].map(decoder);
}

pub fn json_line(bytes: &[u8]) {
    let decoded = decode_line(bytes);
    lines_come_back(&decoded);
    match serde_json::from_slice::<Object>(bytes) {
        Ok(Object(members)) => {
            assert_eq!(is_undecodable(&decoded), None, "serde_json takes it");
            names_ids(&decoded.input, &members);
            respelled(bytes, &members);
        }
        // A number beyond f64 is a number to us.
        Err(fault) if fault.to_string().starts_with("number out of range") => {}
        Err(fault) => {
            assert!(is_undecodable(&decoded).is_some(), "serde_json: {fault}, we: {decoded:?}");
        }
    }
}

/// A refusal names the ids that are texts and not empty; the last of a repeated key counts.
fn names_ids(input: &Input<'_>, members: &BTreeMap<String, Value>) {
    let Input::Rejected(refusal) = input else { return };
    let text = |key: &str| members.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
    assert_eq!(refusal.account_id.as_deref(), text("account_id"));
    assert_eq!(refusal.event_id.as_deref(), text("event_id"));
    assert_eq!(refusal.command_id.as_deref(), text("command_id"));
}

/// The same object with other blanks, escapes and order of keys means the same.
fn respelled(bytes: &[u8], members: &BTreeMap<String, Value>) {
    // serde_json writes 1e2 as 100.0, and -0 as -0.0, which is another spelling to us.
    if !members.values().all(is_plain) {
        return;
    }
    let other = serde_json::to_vec_pretty(members).expect("plain values");
    assert_same(&decode_line(bytes), &decode_line(&other), "respelled");
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::Array(elements) => elements.iter().all(is_plain),
        Value::Object(members) => members.values().all(is_plain),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

pub fn json_record(bytes: &[u8]) {
    let line = decode_line(bytes);
    DECODERS.with(|decoders| {
        let framed = matches!(bytes, [0, ..] | [0xc3, 0x01, ..]);
        for decoder in &decoders[usize::from(framed)..] {
            let billed = decoder.decode_billed(bytes).expect("no registry is asked");
            let command = decoder.decode_command(bytes).expect("no registry is asked");
            match &line.input {
                Input::Rejected(_) => {
                    assert_eq!((&billed, &command), (&line, &line));
                }
                Input::Billed(_) => assert_eq!(billed, line),
                Input::Command(_) => assert_eq!(command, line),
                Input::Tick => {}
            }
            for (taken, kind) in [(&billed, "billed"), (&command, "command")] {
                let fits = match &taken.input {
                    Input::Billed(_) => kind == "billed",
                    Input::Command(_) => kind == "command",
                    Input::Rejected(_) => true,
                    Input::Tick => false,
                };
                assert!(fits, "{taken:?} on the topic of {kind}");
                lines_come_back(taken);
            }
            if let Ok(block) = decoder.decode_block(bytes) {
                crate::avro::block_agrees(&block);
            }
        }
    });
}

/// Any JSON object; of a repeated key the last counts.
struct Object(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    members.insert(key, value);
                }
                Ok(Object(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Object, A::Error> {
                Err(A::Error::custom("an array"))
            }
        }
        from.deserialize_map(Members)
    }
}
