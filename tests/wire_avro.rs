//! Avro records of the input topics: round trips, other writers' schemas, and hostile bytes.
//! Promise: a record gives the same line whichever encoding it came in. The bytes named here and
//! in tests/fixtures/wire were written by fastavro, not by this project.

mod wire_strategies;

use std::fs;
use std::io::Read;
use std::path::Path;

use proptest::prelude::*;
use tollgate::fold::event::{Command, Input, Reason};
use tollgate::time::Millis;
use tollgate::wire::json::decode_line;
use tollgate::wire::{
    Decoded, Decoder, Encoder, Error, InputFormat, Issued, Options, OutputFormat, Topics,
    container, fingerprint,
};
use wire_strategies::{billed, command, time};

fn decoder() -> Decoder {
    Decoder::new(&Options::default()).expect("no schemas to load")
}

fn knowing(schema: &str) -> Decoder {
    let writer_schemas = vec![("test".to_owned(), schema.to_owned())];
    Decoder::new(&Options { writer_schemas, ..Options::default() }).expect("a usable schema")
}

fn encoder(format: OutputFormat) -> Encoder {
    Encoder::new(format, Topics::default(), None).expect("no registry is needed")
}

fn single(fingerprint: u64, datum: &[u8]) -> Vec<u8> {
    [&[0xc3, 0x01], fingerprint.to_le_bytes().as_slice(), datum].concat()
}

fn reason(decoded: &Decoded<'_>) -> Option<Reason> {
    match &decoded.input {
        Input::Rejected(refusal) => Some(refusal.reason),
        Input::Billed(_) | Input::Command(_) | Input::Tick => None,
    }
}

fn detail<'a>(decoded: &'a Decoded<'_>) -> &'a str {
    match &decoded.input {
        Input::Rejected(refusal) => &refusal.detail,
        Input::Billed(_) | Input::Command(_) | Input::Tick => "not rejected",
    }
}

/// The lines of a container, and its fault behind them.
fn read(file: impl Read) -> Vec<Result<Decoded<'static>, Error>> {
    let mut container = container::read(file).expect("a log");
    let mut lines = Vec::new();
    loop {
        match container.next_block() {
            Ok(Some(block)) => {
                lines.extend(block.lines().map(|line| line.map(Decoded::into_owned)));
            }
            Ok(None) => return lines,
            Err(fault) => {
                lines.push(Err(fault));
                return lines;
            }
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

const FORMATS: [OutputFormat; 2] = [OutputFormat::Json, OutputFormat::AvroSingle];

fn issued(at: Millis, recorded_at: Option<Millis>) -> Issued<'static> {
    Issued { at, actor: Some("api-key:ops-1"), reason: None, recorded_at }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_billed_event_survives_both_encodings(
        event in billed(), recorded_at in prop::option::of(time()),
    ) {
        let recorded = recorded_at.unwrap_or(event.occurred_at);
        let expected =
            Decoded { input: Input::Billed(event.clone()), recorded_at: Some(recorded) };
        for format in FORMATS {
            let bytes = encoder(format).encode_billed(&event, recorded_at).expect("encoded");
            prop_assert_eq!(decoder().decode_billed(&bytes).expect("decoded"), expected.clone());
        }
    }

    #[test]
    fn a_command_survives_both_encodings(
        command in command(), at in time(), recorded_at in prop::option::of(time()),
    ) {
        let recorded = recorded_at.unwrap_or(at);
        let expected =
            Decoded { input: Input::Command(command.clone()), recorded_at: Some(recorded) };
        for format in FORMATS {
            let bytes = encoder(format).encode_command(&command, issued(at, recorded_at));
            let bytes = bytes.expect("encoded").expect("it touches the fold");
            prop_assert_eq!(decoder().decode_command(&bytes).expect("decoded"), expected.clone());
        }
    }

    #[test]
    fn a_mixed_log_survives_a_container(
        events in prop::collection::vec(billed(), 0..20), command in command(), at in time(),
    ) {
        let schema = container::log_schema();
        let mut writer = container::LogWriter::new(&schema, Vec::new()).expect("a header");
        let mut expected = Vec::new();
        writer.command(&command, issued(at, None)).expect("written");
        expected.push(Decoded { input: Input::Command(command), recorded_at: Some(at) });
        for event in events {
            writer.billed(&event, Some(at)).expect("written");
            expected.push(Decoded { input: Input::Billed(event), recorded_at: Some(at) });
        }
        writer.tick(at).expect("written");
        expected.push(Decoded { input: Input::Tick, recorded_at: Some(at) });
        let bytes = writer.finish().expect("flushed");
        let lines: Result<Vec<_>, _> = read(bytes.as_slice()).into_iter().collect();
        prop_assert_eq!(lines.expect("lines"), expected);
    }

    #[test]
    fn no_bytes_make_it_panic(
        event in billed(), command in command(), at in any::<prop::sample::Index>(),
        flip in 1_u8.., tail in prop::collection::vec(any::<u8>(), 0..40), cut in any::<bool>(),
    ) {
        let (encoder, decoder) = (encoder(OutputFormat::AvroSingle), decoder());
        let event = encoder.encode_billed(&event, None).expect("encoded");
        let command = encoder.encode_command(&command, issued(Millis(0), None));
        let command = command.expect("encoded").expect("it touches the fold");
        for mut bytes in [event, command, tail.clone(), [&[0], tail.as_slice()].concat()] {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
                if cut {
                    bytes.truncate(at);
                }
            }
            for decoded in [decoder.decode_billed(&bytes), decoder.decode_command(&bytes)] {
                let decoded = decoded.expect("no registry, no fault");
                prop_assert_eq!(decoded.recorded_at.is_none(), reason(&decoded).is_some());
            }
            prop_assert!(decoder.decode_block(&bytes).is_err());
        }
    }

    #[test]
    fn a_damaged_container_ends_and_never_panics(
        events in prop::collection::vec(billed(), 1..5), at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let schema = container::log_schema();
        let mut writer = container::LogWriter::new(&schema, Vec::new()).expect("a header");
        for event in &events {
            writer.billed(event, None).expect("written");
        }
        let mut bytes = writer.finish().expect("flushed");
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if container::read(bytes.as_slice()).is_ok() {
            prop_assert!(read(bytes.as_slice()).len() <= bytes.len());
        }
    }
}

#[test]
fn containers_of_another_writer_give_the_lines_of_their_json_twins() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire");
    let codecs: &[&str] = if cfg!(feature = "engine") {
        &["null", "deflate", "snappy", "zstandard"]
    } else {
        &["null", "deflate", "snappy"]
    };
    for codec in codecs {
        let file = fs::File::open(fixtures.join(format!("log.{codec}.avro"))).expect("a fixture");
        let lines = read(file).into_iter().collect::<Result<Vec<_>, _>>();
        let json = fs::read(fixtures.join(format!("log.{codec}.ndjson"))).expect("a fixture");
        let twins = json.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let (lines, twins) = (lines.expect("lines"), twins.map(decode_line).collect::<Vec<_>>());
        assert_eq!(lines.len(), twins.len(), "{codec}");
        for (line, twin) in lines.iter().zip(&twins) {
            match reason(twin) {
                Some(_) => assert_eq!(reason(line), reason(twin), "{line:?} {twin:?}"),
                None => assert_eq!(line, twin),
            }
        }
    }
}

#[test]
fn a_cut_container_gives_its_whole_blocks_and_then_a_fault() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire/log.null.avro");
    let bytes = fs::read(path).expect("a fixture");
    let lines: Vec<_> = read(&bytes[..bytes.len() - 1]);
    let faults = lines.iter().filter(|line| line.is_err()).count();
    assert_eq!(faults, 1);
    assert!(lines.len() > 20 && lines.last().is_some_and(Result::is_err));
}

/// Another order, names, widths, scales and units; fields that are nobody's, one of them recursive.
const CHARGE: &str = r#"{"type": "record", "name": "Charge", "namespace": "com.acme", "fields": [
    {"name": "tags", "type": {"type": "map", "values": {"type": "array", "items": "double"}}},
    {"name": "cost", "type": {"type": "fixed", "name": "Amount", "size": 9,
        "logicalType": "decimal", "precision": 18, "scale": 4}},
    {"name": "route", "type": {"type": "record", "name": "Route", "fields": [
        {"name": "hop", "type": "string"}, {"name": "next", "type": ["null", "Route"]}]}},
    {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "account_id", "type": "bytes"},
    {"name": "quality",
        "type": {"type": "enum", "name": "Quality", "symbols": ["LOW", "HIGH"]}},
    {"name": "requests", "type": "int"},
    {"name": "event_id", "type": ["string", "null"]},
    {"name": "backup", "type": ["null", "Route"]},
    {"name": "feature", "type": "string"},
    {"name": "ok", "type": "boolean"},
    {"name": "score", "type": "float"},
    {"name": "country", "type": ["null", "int", "string"]}]}"#;
const CHARGE_FINGERPRINT: u64 = 0x1d8e_79bc_ea5c_e509;
const CHARGE_DATUM: &str = "04026104000000000000f83f00000000000004400002620000fffffffffffffe1dc0\
    027802027900aeebcad9c88890060861636d6502060004653102027a0006736d73010000003f";

#[test]
fn a_writers_own_schema_is_resolved_to_ours() {
    let datum = unhex(&format!("{CHARGE_DATUM}04046974"));
    let bytes = single(CHARGE_FINGERPRINT, &datum);
    let twin = br#"{"event_id":"e1","account_id":"acme","feature":"sms","country":"it",
        "requests":3,"cost":"-12.3456","occurred_at":"2024-08-20T19:17:08.918999Z"}"#;
    assert_eq!(knowing(CHARGE).decode_billed(&bytes).expect("decoded"), decode_line(twin));
    let unknown = decoder().decode_billed(&bytes).expect("decoded");
    assert!(detail(&unknown).contains("is not known"), "{}", detail(&unknown));
}

#[test]
fn a_branch_that_does_not_resolve_is_undecodable_only_when_it_is_taken() {
    let bytes = single(CHARGE_FINGERPRINT, &unhex(&format!("{CHARGE_DATUM}024e")));
    let decoded = knowing(CHARGE).decode_billed(&bytes).expect("decoded");
    assert_eq!(reason(&decoded), Some(Reason::Undecodable));
    assert!(detail(&decoded).contains("country: int does not resolve"), "{}", detail(&decoded));
}

#[test]
fn a_schema_that_can_never_fit_is_refused_when_it_is_loaded() {
    let money = r#"{"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 6}"#;
    let time = r#"{"type": "long", "logicalType": "timestamp-millis"}"#;
    let schema = |cost: &str, occurred_at: &str, rest: &str| {
        format!(
            r#"{{"type": "record", "name": "E", "fields": [
            {{"name": "event_id", "type": "string"}}, {{"name": "account_id", "type": "string"}},
            {{"name": "cost", "type": {cost}}},
            {{"name": "occurred_at", "type": {occurred_at}}}{rest}]}}"#
        )
    };
    let feature = r#", {"name": "feature", "type": "string"}"#;
    let load = |text: String| {
        let writer_schemas = vec![("producer.avsc".to_owned(), text)];
        Decoder::new(&Options { writer_schemas, ..Options::default() }).map(drop)
    };
    load(schema(money, time, feature)).expect("it fits");
    for (text, why) in [
        (schema("\"string\"", time, feature), "cost: string does not resolve to decimal"),
        (schema("\"double\"", time, feature), "cost: double does not resolve to decimal"),
        (schema("\"bytes\"", time, feature), "cost: bytes does not resolve to decimal"),
        (schema(&money.replace('6', "7"), time, feature), "cost: decimal of scale 7"),
        (schema(money, "\"string\"", feature), "occurred_at: string does not resolve"),
        (
            schema(money, &time.replace("timestamp", "local-timestamp"), feature),
            "occurred_at: localtimestampmillis does not resolve",
        ),
        (schema(money, time, ""), "feature: not in the writer's schema"),
        ("{\"type\": \"recor\"}".to_owned(), "producer.avsc"),
        ("\"string\"".to_owned(), "does not resolve"),
    ] {
        let fault = load(text).expect_err(why).to_string();
        assert!(fault.contains(why), "{fault}");
    }
}

#[test]
fn two_schemas_of_one_fingerprint_are_not_confused() {
    let own = include_str!("../schemas/billed-event.avsc");
    let other = own.replace("\"scale\": 6", "\"scale\": 2");
    let writer_schemas = vec![("cents.avsc".to_owned(), other)];
    let fault = Decoder::new(&Options { writer_schemas, ..Options::default() }).map(drop);
    let fault = fault.expect_err("cents would be read as micros").to_string();
    assert!(fault.contains("same fingerprint"), "{fault}");
    let writer_schemas = vec![("again.avsc".to_owned(), own.to_owned())];
    assert!(Decoder::new(&Options { writer_schemas, ..Options::default() }).is_ok());
}

/// A single object of our billed event, field by field.
fn event_with(cost: &[u8], requests: i64, country: &str, occurred_at: i64) -> Vec<u8> {
    let mut datum = Vec::new();
    let whole = |out: &mut Vec<u8>, value: i64| {
        let mut zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while zigzag > 0x7f {
            out.push((zigzag & 0x7f) as u8 | 0x80);
            zigzag >>= 7;
        }
        out.push(zigzag as u8);
    };
    let text = |out: &mut Vec<u8>, value: &str| {
        whole(out, value.len() as i64);
        out.extend(value.as_bytes());
    };
    text(&mut datum, "billed");
    text(&mut datum, "e1");
    datum.push(0);
    text(&mut datum, "acme");
    datum.push(0);
    text(&mut datum, "sms");
    datum.push(2);
    text(&mut datum, country);
    datum.extend([0, 0, 0, 2]);
    whole(&mut datum, requests);
    whole(&mut datum, cost.len() as i64);
    datum.extend(cost);
    whole(&mut datum, occurred_at);
    datum.push(0);
    single(0x3aa0_f96c_edaa_c360_u64.swap_bytes(), &datum)
}

#[test]
fn values_that_break_a_rule_are_invalid_and_named() {
    let billion = 1_000_000_000;
    let trillion = 1_000_000_000_000_000_000_i128.to_be_bytes();
    let below = 999_999_999_999_999_999_i128.to_be_bytes();
    for (bytes, expected) in [
        (event_with(&[1], 1, "IT", 0), None),
        (event_with(&[0, 0, 1], billion, "it", 7_258_118_399_999), None),
        (event_with(&below, 0, "", 0), None),
        (event_with(&[0xff], 1, "IT", 0), None),
        (event_with(&trillion, 1, "IT", 0), Some(Reason::Invalid)),
        (event_with(&[1], billion + 1, "IT", 0), Some(Reason::Invalid)),
        (event_with(&[1], -1, "IT", 0), Some(Reason::Invalid)),
        (event_with(&[1], 1, "ITA", 0), Some(Reason::Invalid)),
        (event_with(&[1], 1, "IT", -1), Some(Reason::Invalid)),
        (event_with(&[1], 1, "IT", 7_258_118_400_000), Some(Reason::Invalid)),
        (event_with(&[], 1, "IT", 0), Some(Reason::Undecodable)),
        (event_with(&[1; 17], 1, "IT", 0), Some(Reason::Undecodable)),
        (event_with(&[0x80; 16], 1, "IT", 0), Some(Reason::Invalid)),
        (event_with(&[0xff; 40], 1, "IT", 0), None),
        (event_with(&[&[0][..], &[0xff; 16]].concat(), 1, "IT", 0), Some(Reason::Undecodable)),
        (event_with(&[&[0xff][..], &[0x7f; 16]].concat(), 1, "IT", 0), Some(Reason::Undecodable)),
        ([event_with(&[1], 1, "IT", 0), vec![0]].concat(), Some(Reason::Undecodable)),
    ] {
        let decoded = decoder().decode_billed(&bytes).expect("decoded");
        assert_eq!(reason(&decoded), expected, "{decoded:?}");
        if let (Some(Reason::Invalid), Input::Rejected(refusal)) = (expected, &decoded.input) {
            assert_eq!(refusal.account_id.as_deref(), Some("acme"));
            assert_eq!(refusal.event_id.as_deref(), Some("e1"));
        }
    }
}

#[test]
fn a_claim_of_many_items_costs_nothing() {
    let schema = r#"{"type": "record", "name": "E", "fields": [
        {"name": "x", "type": {"type": "array", "items": "null"}},
        {"name": "event_id", "type": "string"}, {"name": "account_id", "type": "string"},
        {"name": "feature", "type": "string"},
        {"name": "cost", "type":
            {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 6}},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;
    let print = u64::from_le_bytes(fingerprint(schema).expect("a schema"));
    let huge = [&[0xfe; 8], [0x7f, 0].as_slice(), b"\x02e\x02a\x06sms\x02\x01\x00"].concat();
    let bytes = single(print, &huge);
    let decoded = knowing(schema).decode_billed(&bytes).expect("decoded");
    assert!(detail(&decoded).contains("more items than bytes"), "{}", detail(&decoded));
    let few = [&[4, 0], b"\x02e\x02a\x06sms\x02\x01\x00".as_slice()].concat();
    let bytes = single(print, &few);
    let decoded = knowing(schema).decode_billed(&bytes).expect("decoded");
    assert_eq!(reason(&decoded), None, "{}", detail(&decoded));
}

/// A record of these: 2^40 of them, and not a byte.
#[test]
fn types_that_hold_each_other_twice_cost_nothing() {
    let pair = |inner: String, at: u32| {
        format!(
            r#"{{"type": "record", "name": "X{at}", "fields": [
                {{"name": "a", "type": {inner}}}, {{"name": "b", "type": "X{}"}}]}}"#,
            at - 1
        )
    };
    let none = r#"{"type": "record", "name": "X0", "fields": []}"#.to_owned();
    let inner = (1..=20).fold(none, pair);
    let wide: Vec<String> =
        (21..=40).map(|at| format!(r#"{{"name": "w{at}", "type": "X20"}}"#)).collect();
    let schema = format!(
        r#"{{"type": "record", "name": "E", "fields": [{{"name": "x", "type": {inner}}}, {},
        {{"name": "y", "type": {{"type": "array", "items": "X20"}}}},
        {{"name": "event_id", "type": "string"}}, {{"name": "account_id", "type": "string"}},
        {{"name": "feature", "type": "string"}},
        {{"name": "cost", "type":
            {{"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 6}}}},
        {{"name": "occurred_at", "type":
            {{"type": "long", "logicalType": "timestamp-millis"}}}}]}}"#,
        wide.join(", ")
    );
    let print = u64::from_le_bytes(fingerprint(&schema).expect("a schema"));
    let datum = b"\xfe\xff\xff\xff\x0f\x00\x02e\x02a\x06sms\x02\x01\x00";
    let bytes = single(print, datum);
    let decoded = knowing(&schema).decode_billed(&bytes).expect("decoded");
    assert!(detail(&decoded).contains("more items than bytes"), "{}", detail(&decoded));
}

#[test]
fn the_datums_of_a_block_share_what_they_may_skip() {
    let schema = r#"{"type": "record", "name": "Tick", "fields": [
        {"name": "x", "type": {"type": "array", "items": "null"}},
        {"name": "now", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;
    let number = |number: u64| {
        let mut bytes = Vec::new();
        let mut rest = number << 1;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes
    };
    let datum = [number(1_000_000), vec![0, 0]].concat();
    let records = 200_000;
    let block = datum.repeat(records);
    let text = |bytes: &[u8]| [number(bytes.len() as u64), bytes.to_vec()].concat();
    let sync = [7; 16];
    let file = [
        b"Obj\x01\x02".to_vec(),
        text(b"avro.schema"),
        text(schema.as_bytes()),
        vec![0],
        sync.to_vec(),
        number(records as u64),
        text(&block),
        sync.to_vec(),
    ];
    let lines: Vec<_> = read(file.concat().as_slice());
    assert_eq!(lines.len(), records);
    let taken = |line: &Result<Decoded<'_>, _>| line.as_ref().is_ok_and(|it| reason(it).is_none());
    assert_eq!(lines.iter().filter(|line| taken(line)).count(), 16);
}

#[test]
fn each_topic_takes_only_its_own_records() {
    let event = br#"{"event_id":"e","account_id":"a","feature":"sms","cost":"1",
        "occurred_at":"2024-08-20T19:17:08Z"}"#;
    let command = br#"{"type":"profile_set","command_id":"c","account_id":"a",
        "issued_at":"2024-08-20T19:17:08Z"}"#;
    let tick = br#"{"type":"tick","now":"2024-08-20T19:17:08Z"}"#;
    let decoder = decoder();
    assert_eq!(reason(&decoder.decode_billed(event).expect("decoded")), None);
    assert_eq!(reason(&decoder.decode_command(command).expect("decoded")), None);
    for decoded in [
        decoder.decode_billed(command),
        decoder.decode_command(event),
        decoder.decode_billed(tick),
        decoder.decode_command(tick),
    ] {
        assert_eq!(reason(&decoded.expect("decoded")), Some(Reason::Invalid));
    }
}

#[test]
fn a_format_that_is_set_takes_no_other() {
    let with = |format| {
        Decoder::new(&Options { format, ..Options::default() }).expect("no registry is needed")
    };
    let json = br#"{"event_id":"e","account_id":"a","feature":"sms","cost":"1",
        "occurred_at":"2024-08-20T19:17:08Z"}"#;
    let avro = event_with(&[1], 1, "IT", 0);
    let undecodable = Some(Reason::Undecodable);
    for (format, bytes, expected) in [
        (InputFormat::Auto, json.as_slice(), None),
        (InputFormat::Auto, avro.as_slice(), None),
        (InputFormat::Json, json, None),
        (InputFormat::Json, &avro, undecodable),
        (InputFormat::AvroSingle, &avro, None),
        (InputFormat::AvroSingle, json, undecodable),
        (InputFormat::Auto, &[0, 0, 0, 0, 1, 2], undecodable),
        (InputFormat::Auto, b"", undecodable),
    ] {
        let decoded = with(format).decode_billed(bytes).expect("decoded");
        assert_eq!(reason(&decoded), expected, "{format:?}");
    }
    let confluent = Options { format: InputFormat::Confluent, ..Options::default() };
    assert!(Decoder::new(&confluent).is_err());
}

#[test]
fn commands_beside_the_fold_are_not_encoded_here() {
    let other = Command {
        command_id: "c".into(),
        account_id: "a".into(),
        change: tollgate::fold::event::Change::Other,
    };
    let encoded = encoder(OutputFormat::AvroSingle).encode_command(&other, issued(Millis(0), None));
    assert!(encoded.expect("no fault").is_none());
}
