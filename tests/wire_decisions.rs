//! The records of decisions and totals: the JSON lines to the letter of FORMATS.md's page, and
//! their Avro twins. Promise: field order, null or left out, money and times are as on the page;
//! text is escaped; both encodings say the same.

use std::sync::Arc;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use tollgate::fold::decision::{
    BlockChanged, Cause, Decision, Direction, Evidence, LimitReached, Rejected, ThresholdCrossed,
};
use tollgate::fold::event::{Position, Reason};
use tollgate::fold::limit::{Action, Amount, Bounds, Measure, Scope, ScopeKind, Window};
use tollgate::fold::{Calendar, Tally, Total};
use tollgate::money::Money;
use tollgate::time::Millis;
use tollgate::wire::json::{write_decision, write_total};
use tollgate::wire::{BlockSeen, Decoder, Encoder, Error, Options, OutputFormat, Topics};
use uuid::Uuid;

fn time(text: &str) -> Millis {
    Millis::parse(text).expect("a time")
}

fn cost(text: &str) -> Amount {
    Amount::Cost(Money::parse(text).expect("money"))
}

fn position() -> Position {
    Position { source: Arc::from("messages.billed/3"), at: 812 }
}

fn day() -> Option<Bounds> {
    let start = time("2024-08-20T00:00:00Z");
    Some(Bounds { start, end: time("2024-08-21T00:00:00Z") })
}

fn evidence() -> Evidence {
    Evidence {
        id: Uuid::from_u128(0x5350_a98c_8577_5571_8ae6_4399_c6c6_420a),
        account_id: "acme".into(),
        limit_id: "limit_7".into(),
        limit_version: 1,
        scope: Scope { kind: ScopeKind::Profile, id: Some("p\"1\n".into()) },
        measure: Measure::Cost,
        window: Window::Day,
        configured_limit: cost("10"),
        before: cost("4.99"),
        current: cost("5.0175"),
        now: time("2024-08-20T19:17:09Z"),
        cause: Cause::Event {
            event_id: "e1".into(),
            occurred_at: time("2024-08-20T19:17:08.918Z"),
            position: position(),
        },
    }
}

fn line(decision: &Decision) -> String {
    let mut out = Vec::new();
    write_decision(decision, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn crossed() -> Decision {
    Decision::ThresholdCrossed(ThresholdCrossed {
        evidence: evidence(),
        bounds: day(),
        arming: 1,
        threshold: 50,
        direction: Direction::Up,
        highest: true,
    })
}

#[test]
fn threshold_crossed_is_as_on_the_page() {
    let decision = crossed();
    let expected = concat!(
        r#"{"type":"threshold_crossed","id":"5350a98c-8577-5571-8ae6-4399c6c6420a","#,
        r#""account_id":"acme","limit_id":"limit_7","limit_version":1,"#,
        r#""scope":{"kind":"profile","id":"p\"1\n"},"measure":"cost","window":"day","#,
        r#""window_start":"2024-08-20T00:00:00.000+00:00","#,
        r#""window_end":"2024-08-21T00:00:00.000+00:00","arming":1,"threshold":50,"#,
        r#""direction":"up","highest":true,"configured_limit":"10.00","before":"4.99","#,
        r#""current":"5.0175","now":"2024-08-20T19:17:09.000+00:00","cause":{"kind":"event","#,
        r#""event_id":"e1","occurred_at":"2024-08-20T19:17:08.918+00:00","#,
        r#""position":"messages.billed/3:812"}}"#,
    );
    assert_eq!(line(&decision), expected);
}

fn reached() -> Decision {
    let mut evidence = evidence();
    evidence.scope = Scope { kind: ScopeKind::Account, id: None };
    evidence.measure = Measure::Requests;
    evidence.window = Window::Sliding { period_ms: 300_000, text: "PT300S".into() };
    evidence.configured_limit = Amount::Count(3);
    evidence.before = Amount::Count(0);
    evidence.current = Amount::Count(4);
    evidence.cause = Cause::Command { command_id: "c1".into(), position: position() };
    Decision::LimitReached(LimitReached {
        evidence,
        bounds: None,
        arming: 1,
        action: Action::Block,
    })
}

#[test]
fn limit_reached_in_a_sliding_window_has_no_bounds() {
    let decision = reached();
    let expected = concat!(
        r#"{"type":"limit_reached","id":"5350a98c-8577-5571-8ae6-4399c6c6420a","#,
        r#""account_id":"acme","limit_id":"limit_7","limit_version":1,"#,
        r#""scope":{"kind":"account","id":null},"measure":"requests","window":"PT300S","#,
        r#""window_start":null,"window_end":null,"arming":1,"action":"block","#,
        r#""configured_limit":"3","before":"0","current":"4","#,
        r#""now":"2024-08-20T19:17:09.000+00:00","cause":{"kind":"command","#,
        r#""command_id":"c1","position":"messages.billed/3:812"}}"#,
    );
    assert_eq!(line(&decision), expected);
}

fn lifted() -> Decision {
    let mut evidence = evidence();
    evidence.scope = Scope { kind: ScopeKind::Country, id: Some("IT".into()) };
    evidence.before = cost("-1");
    evidence.cause = Cause::WindowEnd;
    Decision::BlockChanged(BlockChanged {
        evidence,
        block_key: "acme/limit_7".to_owned(),
        blocked_until: None,
        sequence: 3,
    })
}

#[test]
fn a_lifted_block_has_no_end() {
    let decision = lifted();
    let expected = concat!(
        r#"{"type":"block_changed","id":"5350a98c-8577-5571-8ae6-4399c6c6420a","#,
        r#""block_key":"acme/limit_7","account_id":"acme","limit_id":"limit_7","#,
        r#""limit_version":1,"scope":{"kind":"country","id":"IT"},"measure":"cost","#,
        r#""window":"day","blocked":false,"blocked_until":null,"configured_limit":"10.00","#,
        r#""before":"-1.00","current":"5.0175","sequence":3,"#,
        r#""now":"2024-08-20T19:17:09.000+00:00","cause":{"kind":"window_end"}}"#,
    );
    assert_eq!(line(&decision), expected);
}

fn rejected() -> Decision {
    Decision::Rejected(Rejected {
        reason: Reason::FutureEvent,
        account_id: Some("acme".to_owned()),
        event_id: Some("e1".to_owned()),
        command_id: None,
        detail: "more than a day ahead".to_owned(),
        now: Some(time("2024-08-20T19:17:09Z")),
        position: position(),
    })
}

#[test]
fn rejected_names_only_what_the_line_named() {
    let expected = concat!(
        r#"{"type":"rejected","reason":"future_event","account_id":"acme","event_id":"e1","#,
        r#""detail":"more than a day ahead","now":"2024-08-20T19:17:09.000+00:00","#,
        r#""position":"messages.billed/3:812"}"#,
    );
    assert_eq!(line(&rejected()), expected);
}

#[test]
fn a_total_has_six_decimals() {
    let total = Total {
        account_id: "acme".into(),
        scope: Scope { kind: ScopeKind::Country, id: Some("IT".into()) },
        window: Calendar::Day(time("2024-08-20T00:00:00Z").day()),
        tally: Tally { cost: Money::parse("12.34").expect("money"), requests: 412 },
    };
    let mut out = Vec::new();
    write_total(&total, &mut out);
    let expected = concat!(
        r#"{"account_id":"acme","scope":{"kind":"country","id":"IT"},"window":"day","#,
        r#""window_start":"2024-08-20T00:00:00.000+00:00","cost":"12.340000","requests":412}"#,
    );
    assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
}

fn encode(format: OutputFormat, decision: &Decision, original: &[u8], cut: bool) -> Vec<u8> {
    let encoder = Encoder::new(format, Topics::default(), None).expect("no registry is needed");
    encoder.encode_decision(decision, Some(original), cut).expect("encoded")
}

/// An Avro value as the JSON of the same record would have it.
fn as_json(value: Avro) -> Json {
    match value {
        Avro::Null => Json::Null,
        Avro::Boolean(it) => it.into(),
        Avro::Int(it) => it.into(),
        Avro::Long(it) => it.into(),
        Avro::String(it) => it.into(),
        Avro::Uuid(it) => it.to_string().into(),
        Avro::TimestampMillis(it) => Millis(it).to_string().into(),
        Avro::Bytes(it) => STANDARD.encode(it).into(),
        Avro::Union(_, it) => as_json(*it),
        Avro::Record(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, as_json(value)));
            Json::Object(fields.filter(|(_, value)| !value.is_null()).collect())
        }
        other => panic!("{other:?}"),
    }
}

fn without_nulls(value: Json) -> Json {
    match value {
        Json::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Json::Object(fields.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        other => other,
    }
}

#[test]
fn avro_says_what_json_says() {
    for (decision, schema) in [
        (crossed(), include_str!("../schemas/threshold-crossed.avsc")),
        (reached(), include_str!("../schemas/limit-reached.avsc")),
        (lifted(), include_str!("../schemas/block-changed.avsc")),
        (rejected(), include_str!("../schemas/dead-letter.avsc")),
    ] {
        let json = encode(OutputFormat::Json, &decision, b"\x00{oops\xff", true);
        let json = serde_json::from_slice::<Json>(&json).expect("JSON");
        let avro = encode(OutputFormat::AvroSingle, &decision, b"\x00{oops\xff", true);
        let print = tollgate::wire::fingerprint(schema).expect("a schema");
        assert_eq!(avro[..10], [&[0xc3, 0x01], print.as_slice()].concat());
        let schema = apache_avro::Schema::parse_str(schema).expect("a schema");
        let reader = GenericDatumReader::builder(&schema).build().expect("a reader");
        let value = reader.read_value(&mut &avro[10..]).expect("a datum");
        assert_eq!(as_json(value), without_nulls(json));
    }
}

#[test]
fn a_dead_letter_holds_the_line_in_base64_and_says_whether_it_was_cut() {
    let line = encode(OutputFormat::Json, &rejected(), b"\x00{oops\xff", false);
    let json: Json = serde_json::from_slice(&line).expect("JSON");
    assert_eq!(json["original"], "AHtvb3Bz/w==");
    assert_eq!(json["truncated"], false);
}

#[test]
fn a_block_record_is_read_back_from_any_encoding() {
    let Decision::BlockChanged(mut changed) = lifted() else { panic!("a block record") };
    let decoder = Decoder::new(&Options::default()).expect("no schemas to load");
    for blocked_until in [None, Some(time("2024-08-21T00:00:00Z"))] {
        changed.blocked_until = blocked_until;
        let decision = Decision::BlockChanged(changed.clone());
        let expected = BlockSeen {
            block_key: "acme/limit_7".to_owned(),
            account_id: "acme".to_owned(),
            limit_id: "limit_7".to_owned(),
            limit_version: 1,
            scope: Scope { kind: ScopeKind::Country, id: Some("IT".into()) },
            measure: "cost".to_owned(),
            window: "day".to_owned(),
            blocked: blocked_until.is_some(),
            blocked_until,
            configured_limit: "10.00".to_owned(),
            before: "-1.00".to_owned(),
            current: "5.0175".to_owned(),
            sequence: 3,
            now: time("2024-08-20T19:17:09Z"),
        };
        for format in [OutputFormat::Json, OutputFormat::AvroSingle] {
            let seen = decoder.decode_block(&encode(format, &decision, b"", false));
            assert_eq!(seen.expect("a block record"), expected);
        }
    }
    for bytes in [b"".as_slice(), b"{}", b"5", b"\xc3\x01", b"\0\0\0\0\x01"] {
        assert!(matches!(decoder.decode_block(bytes), Err(Error::BlockState(_))));
    }
}
