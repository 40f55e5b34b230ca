//! Avro in each framing, beside apache-avro: the same bytes fit the same schema, and what they hold
//! means what the same line means in JSON.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Decimal, Schema};
use num_bigint::BigInt;
use serde_json::json;
use tollgate::fold::event::Input;
use tollgate::money::{LIMIT, Money};
use tollgate::time::Millis;
use tollgate::wire::json::decode_line;
use tollgate::wire::{BlockSeen, Decoded, Decoder, InputFormat, Options, fingerprint};

use crate::agree::{assert_same, decoder, is_undecodable, lines_come_back};
use crate::memory::uncounted;

const BILLED: &str = include_str!("../../schemas/billed-event.avsc");
const COMMAND: &str = include_str!("../../schemas/command.avsc");
const BLOCK: &str = include_str!("../../schemas/block-changed.avsc");
/// Of producers that are not ours: other names, orders, widths, branches, decimals and times.
const FOREIGN: [&str; 3] = [
    include_str!("../schemas/foreign-billed.avsc"),
    include_str!("../schemas/foreign-command.avsc"),
    include_str!("../schemas/recursive.avsc"),
];

/// Our schemas with their headers, and decoders that know the others by ids from 1.
struct Known {
    billed: Own,
    command: Own,
    block: Own,
    auto: Decoder,
    single: Decoder,
}

struct Own {
    schema: Schema,
    header: Vec<u8>,
}

impl Own {
    fn new(text: &str) -> Own {
        // apache-avro takes only UUIDs as such; we, who do not look at that id, take any text.
        let schema = Schema::parse_str(&text.replace(r#", "logicalType": "uuid""#, ""));
        let schema = schema.expect("a schema of ours");
        Own { schema, header: header(text).expect("a schema of ours") }
    }
}

fn header(text: &str) -> Option<Vec<u8>> {
    let print = fingerprint(text).ok()?;
    Some([&[0xc3, 0x01][..], &print].concat())
}

thread_local! {
    static KNOWN: Known = {
        // The first call of a process counts: as early as in one that reads no other Avro.
        apache_avro::util::max_allocation_bytes(64 << 20);
        let auto = decoder(InputFormat::Auto);
        for (id, schema) in (1..).zip([BILLED, COMMAND, BLOCK].into_iter().chain(FOREIGN)) {
            auto.answered(id, schema);
        }
        Known {
            billed: Own::new(BILLED),
            command: Own::new(COMMAND),
            block: Own::new(BLOCK),
            auto,
            single: decoder(InputFormat::AvroSingle),
        }
    };
}

/// The first byte says which of our schemas the rest is a datum of, or that it has its own header.
pub fn single_object(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else { return };
    KNOWN.with(|known| {
        let framed = |own: &Own| [&own.header, rest].concat();
        match which % 4 {
            0 => {
                let bytes = framed(&known.billed);
                let decoded = taken(known.auto.decode_billed(&bytes));
                assert_eq!(taken(known.single.decode_billed(&bytes)), decoded);
                judged(&decoded, &known.billed.schema, rest);
            }
            1 => {
                let bytes = framed(&known.command);
                let decoded = taken(known.auto.decode_command(&bytes));
                assert_eq!(taken(known.single.decode_command(&bytes)), decoded);
                judged(&decoded, &known.command.schema, rest);
            }
            2 => {
                let decoded = known.auto.decode_block(&framed(&known.block));
                if let Ok(block) = &decoded {
                    block_agrees(block);
                }
                if read(&known.block.schema, rest).is_none() {
                    assert!(decoded.is_err(), "apache-avro does not take it");
                }
            }
            _ => {
                for decoded in [known.auto.decode_billed(rest), known.single.decode_command(rest)] {
                    lines_come_back(&taken(decoded));
                }
                let _ = known.auto.decode_block(rest);
            }
        }
    });
}

/// The first byte says under which id the registry has the schema of the rest.
pub fn confluent(bytes: &[u8]) {
    let Some((id, rest)) = bytes.split_first() else { return };
    let id = *id % 8;
    KNOWN.with(|known| {
        let framed = [&[0, 0, 0, 0, id], rest].concat();
        let billed = taken(known.auto.decode_billed(&framed));
        let command = taken(known.auto.decode_command(&framed));
        lines_come_back(&billed);
        lines_come_back(&command);
        assert!(!matches!(billed.input, Input::Command(_) | Input::Tick), "{billed:?}");
        assert!(!matches!(command.input, Input::Billed(_) | Input::Tick), "{command:?}");
        match id {
            1 => {
                assert_eq!(billed, taken(known.single.decode_billed(&single(&known.billed, rest))))
            }
            2 => {
                let framed = single(&known.command, rest);
                let other = known.single.decode_command(&framed);
                assert_eq!(command, taken(other));
            }
            3 => {
                let other = known.single.decode_block(&single(&known.block, rest));
                assert_eq!(known.auto.decode_block(&framed).ok(), other.ok());
            }
            0 | 7 => {
                assert!(is_undecodable(&billed).is_some() && is_undecodable(&command).is_some());
            }
            _ => {}
        }
    });
}

fn single(own: &Own, datum: &[u8]) -> Vec<u8> {
    [&own.header, datum].concat()
}

/// A writer's schema in JSON, a zero byte, a datum of it.
pub fn writer_schema(bytes: &[u8]) {
    let zero = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, datum) = (&bytes[..zero], bytes.get(zero + 1..).unwrap_or_default());
    let Ok(text) = std::str::from_utf8(text) else { return };
    respelled_schema(text);
    KNOWN.with(|known| known.auto.answered(99, text));
    let registered = [&[0, 0, 0, 0, 99], datum].concat();
    let (billed, command) = KNOWN.with(|known| {
        let billed = taken(known.auto.decode_billed(&registered));
        (billed, taken(known.auto.decode_command(&registered)))
    });
    lines_come_back(&billed);
    lines_come_back(&command);
    let _ = KNOWN.with(|known| known.auto.decode_block(&registered));
    // Most mutations are no schema at all; a decoder for each would be slow.
    if is_undecodable(&billed).is_some_and(|why| why.starts_with("schema 99 of the registry")) {
        return;
    }
    // By its fingerprint it means the same, or its schema is refused.
    let options = Options {
        format: InputFormat::AvroSingle,
        registry: None,
        writer_schemas: vec![("producer.avsc".to_owned(), text.to_owned())],
    };
    let Ok(decoder) = Decoder::new(&options) else { return };
    let header = header(text).expect("a schema that was taken has a fingerprint");
    let framed = [&header, datum].concat();
    for (known, single) in [
        (&billed, taken(decoder.decode_billed(&framed))),
        (&command, taken(decoder.decode_command(&framed))),
    ] {
        let unknown = is_undecodable(&single).is_some_and(|why| why.ends_with("is not known"));
        assert!(unknown || *known == single, "{known:?} {single:?}");
    }
}

/// Blanks and the order of attributes are no part of a schema.
fn respelled_schema(text: &str) {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else {
        assert!(fingerprint(text).is_err(), "no JSON, and yet a schema");
        return;
    };
    let pretty = serde_json::to_string_pretty(&value).expect("a JSON value");
    assert_eq!(fingerprint(text).ok(), fingerprint(&pretty).ok());
}

fn taken(decoded: Result<Decoded<'_>, tollgate::wire::Error>) -> Decoded<'_> {
    decoded.expect("no registry is asked")
}

/// What apache-avro makes of a datum that has its bytes and no more. It takes some data that are cut
/// short, with nulls for what is missing, so it is given more bytes and must leave just these.
fn read(schema: &Schema, datum: &[u8]) -> Option<Value> {
    let more = [0xff; 16];
    let bytes = [datum, &more].concat();
    let mut rest = bytes.as_slice();
    let reader = GenericDatumReader::builder(schema).build().expect("a schema of ours");
    let value = uncounted(|| reader.read_value(&mut rest)).ok()?;
    (rest == more).then_some(value)
}

/// Undecodable is what apache-avro cannot read; all else means what its JSON means.
fn judged(decoded: &Decoded<'_>, schema: &Schema, datum: &[u8]) {
    lines_come_back(decoded);
    match (read(schema, datum), is_undecodable(decoded)) {
        (Some(value), None) => {
            let line = in_json(&value).to_string();
            assert_same(decoded, &decode_line(line.as_bytes()), &line);
        }
        (None, Some(_)) => {}
        // Our decimals have one byte at least and 128 bits at most; apache-avro also drops what a
        // number has beyond 64 bits.
        (Some(_), Some(why)) => {
            let stricter = why.contains("a decimal") || why.contains("64 bits");
            assert!(stricter, "apache-avro takes it: {why}");
        }
        (None, None) => panic!("apache-avro does not take it, we have {decoded:?}"),
    }
}

/// A datum of ours as its JSON line.
fn in_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => json!(null),
        Value::Boolean(truth) => json!(truth),
        Value::Long(number) => json!(number),
        Value::String(text) => json!(text),
        Value::TimestampMillis(ms) => json!(time(*ms)),
        Value::Decimal(decimal) => json!(money(decimal)),
        Value::Array(elements) => elements.iter().map(in_json).collect(),
        Value::Union(_, inner) => in_json(inner),
        Value::Record(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), in_json(value))).collect()
        }
        other => panic!("no type of ours: {other:?}"),
    }
}

/// What is out of range is refused in either form.
fn time(ms: i64) -> String {
    if Millis(ms).in_range() { Millis(ms).to_string() } else { "1969-12-31T23:59:59Z".to_owned() }
}

fn money(decimal: &Decimal) -> String {
    let micros = i128::try_from(BigInt::from(decimal.clone())).expect("at most 128 bits");
    let beyond = micros.unsigned_abs() >= LIMIT.0.unsigned_abs();
    if beyond { LIMIT.to_string() } else { Money(micros).to_string() }
}

/// A block record that was read is the same in both encodings.
pub fn block_agrees(block: &BlockSeen) {
    let texts = [
        &block.block_key,
        &block.account_id,
        &block.limit_id,
        &block.measure,
        &block.window,
        &block.configured_limit,
        &block.before,
        &block.current,
    ];
    let id_empty = block.scope.id.as_ref().is_some_and(|id| id.is_empty());
    assert!(block.now.in_range() && block.blocked_until.is_none_or(Millis::in_range), "{block:?}");
    let Ok(sequence) = i64::try_from(block.sequence) else { return };
    // Avro knows an empty text as an absent one.
    if id_empty || texts.iter().any(|text| text.is_empty()) {
        return;
    }
    let line = json!({
        "block_key": block.block_key, "account_id": block.account_id, "limit_id": block.limit_id,
        "limit_version": block.limit_version,
        "scope": {"kind": block.scope.kind.as_str(), "id": block.scope.id.as_deref()},
        "measure": block.measure, "window": block.window, "blocked": block.blocked,
        "blocked_until": block.blocked_until.map(|time| time.to_string()),
        "configured_limit": block.configured_limit, "before": block.before,
        "current": block.current, "sequence": block.sequence, "now": block.now.to_string(),
    });
    let text = |text: &str| Value::String(text.to_owned());
    let maybe = |value: Option<Value>| match value {
        Some(value) => Value::Union(1, Box::new(value)),
        None => Value::Union(0, Box::new(Value::Null)),
    };
    let record = |fields: Vec<(&str, Value)>| {
        Value::Record(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let datum = record(vec![
        ("type", text("block_changed")),
        ("id", text("5350a98c-8577-5571-8ae6-4399c6c6420a")),
        ("block_key", text(&block.block_key)),
        ("account_id", text(&block.account_id)),
        ("limit_id", text(&block.limit_id)),
        ("limit_version", Value::Long(block.limit_version.into())),
        (
            "scope",
            record(vec![
                ("kind", text(block.scope.kind.as_str())),
                ("id", maybe(block.scope.id.as_deref().map(text))),
            ]),
        ),
        ("measure", text(&block.measure)),
        ("window", text(&block.window)),
        ("blocked", Value::Boolean(block.blocked)),
        ("blocked_until", maybe(block.blocked_until.map(|time| Value::TimestampMillis(time.0)))),
        ("configured_limit", text(&block.configured_limit)),
        ("before", text(&block.before)),
        ("current", text(&block.current)),
        ("sequence", Value::Long(sequence)),
        ("now", Value::TimestampMillis(block.now.0)),
        (
            "cause",
            record(vec![
                ("kind", text("window_end")),
                ("event_id", maybe(None)),
                ("occurred_at", maybe(None)),
                ("position", maybe(None)),
                ("command_id", maybe(None)),
            ]),
        ),
    ]);
    KNOWN.with(|known| {
        let mut bytes = known.block.header.clone();
        let writer = GenericDatumWriter::builder(&known.block.schema).build();
        let writer = writer.expect("a schema of ours");
        writer.write_value(&mut bytes, datum).expect("fields of the schema");
        for bytes in [bytes, line.to_string().into_bytes()] {
            let back = known.auto.decode_block(&bytes);
            assert_eq!(&back.expect("a block record"), block, "{line}");
        }
    });
}
