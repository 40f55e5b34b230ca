//! Inbound messages in both encodings: what is taken, and what is refused with which rule.

#![allow(clippy::unwrap_used, reason = "a test")]

use apache_avro::Schema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use tollgate::time::Millis;
use tollgate::wire::{Decoder, Error, Inbound, Options, fingerprint};

const SCHEMA: &str = include_str!("../schemas/inbound-message.avsc");
const WHOLE: &str = r#"{"type":"received","account_id":"acme","feature":"whatsapp","sender":
    "+393331234567","recipient":"+15550001","received_at":"2024-08-20T19:17:08.918+00:00"}"#;

fn decoder() -> Decoder {
    Decoder::new(&Options::default()).unwrap()
}

fn whole() -> Inbound<'static> {
    Inbound {
        account_id: "acme".into(),
        feature: "whatsapp".into(),
        sender: "+393331234567".into(),
        recipient: "+15550001".into(),
        received_at: Millis::parse("2024-08-20T19:17:08.918Z").unwrap(),
    }
}

/// The rule that the bytes break.
fn refused(bytes: &[u8]) -> String {
    match decoder().decode_inbound(bytes) {
        Err(Error::Inbound(rule)) => rule,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

#[test]
fn the_line_of_the_formats_page_is_taken() {
    assert_eq!(decoder().decode_inbound(WHOLE.as_bytes()).unwrap(), whole());
    for change in [("\"type\":\"received\",", ""), ("{", r#"{"unknown":[1],"sender":5,"#)] {
        let same = WHOLE.replacen(change.0, change.1, 1);
        assert_eq!(decoder().decode_inbound(same.as_bytes()).unwrap(), whole(), "{same}");
    }
}

#[test]
fn what_breaks_a_rule_is_refused_with_the_rule() {
    let long = format!("\"{}\"", "x".repeat(129));
    for (from, to, rule) in [
        ("\"received\"", "\"billed\"", "type: \"billed\" is not received"),
        ("\"received\"", "1", "type: a string is wanted, not a number"),
        ("\"acme\"", "null", "account_id: required"),
        ("\"acme\"", "\"\"", "account_id: required"),
        ("\"acme\"", &long, "account_id: longer than 128 characters"),
        (
            "\"whatsapp\"",
            "\"WhatsApp\"",
            "feature: not a lower-case word of at most 128 characters",
        ),
        ("\"+393331234567\"", "39", "sender: a string is wanted, not a number"),
        ("\"recipient\"", "\"to\"", "recipient: required"),
        ("2024-08-20", "2200-08-20", "received_at: outside the years 1970 to 2199"),
        ("+00:00", "", "received_at: not an RFC 3339 time with an offset"),
        ("}", "", "no JSON object: a comma or the object's end is wanted at byte 154"),
    ] {
        let broken = WHOLE.replacen(from, to, 1).replace("\n    ", "");
        assert_eq!(refused(broken.as_bytes()), rule, "{broken}");
    }
    assert_eq!(refused(b"\xff"), "not UTF-8 from byte 0");
}

fn avro(kind: &str, account_id: &str) -> Vec<u8> {
    let schema = Schema::parse_str(SCHEMA).unwrap();
    let text = |text: &str| Value::String(text.to_owned());
    let record = Value::Record(vec![
        ("type".to_owned(), text(kind)),
        ("account_id".to_owned(), text(account_id)),
        ("feature".to_owned(), text("whatsapp")),
        ("sender".to_owned(), text("+393331234567")),
        ("recipient".to_owned(), text("+15550001")),
        ("received_at".to_owned(), Value::TimestampMillis(1_724_181_428_918)),
    ]);
    let mut bytes = vec![0xc3, 0x01];
    bytes.extend(fingerprint(SCHEMA).unwrap());
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    writer.write_value(&mut bytes, record).unwrap();
    bytes
}

#[test]
fn avro_says_the_same() {
    let bytes = avro("received", "acme");
    assert_eq!(decoder().decode_inbound(&bytes).unwrap(), whole());
    assert_eq!(refused(&avro("billed", "acme")), "type: \"billed\" is not received");
    assert_eq!(refused(&avro("received", "")), "account_id: required");
    for cut in 10..bytes.len() {
        assert!(decoder().decode_inbound(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn records_of_other_topics_are_refused() {
    assert!(refused(br#"{"type":"limit_removed","limit_id":"l"}"#).starts_with("type: "));
    let tick = fingerprint(include_str!("../schemas/tick.avsc")).unwrap();
    let framed = [&[0xc3, 0x01], tick.as_slice(), b"\x08tick\x02"].concat();
    assert!(refused(&framed).contains("is not known"));
}
