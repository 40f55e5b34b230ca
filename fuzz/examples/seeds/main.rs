//! Writes the seeds of every corpus anew, from the conformance logs, the fixtures, the schemas and
//! the workbooks: `cargo run --example seeds` in `fuzz/`. Promise: the same files give the same
//! seeds, but for the order of a container's metadata; a target's folder holds nothing else. What a
//! long run finds beyond them belongs to `regressions/`.

mod sheets;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use apache_avro::schema::UnionSchema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Codec, Decimal, DeflateSettings, Schema, Writer, ZstandardSettings};
use flate2::Compression;
use flate2::write::GzEncoder;
use tollgate::fold::decision::Decision;
use tollgate::fold::event::{Input, Line, Position};
use tollgate::fold::{Counts, State};
use tollgate::journal::{Hash, Owner, Partitioner, Range, Record};
use tollgate::money::Money;
use tollgate::time::Millis;
use tollgate::wire::container::log_schema;
use tollgate::wire::json::decode_line;
use tollgate::wire::{Decoded, Encoder, Issued, OutputFormat, Topics};
use tollgate_fuzz::pack;

/// What stands before a datum in single-object encoding: marker and fingerprint.
const HEADER_BYTES: usize = 10;

fn main() {
    let lines = lines();
    texts();
    json(&lines);
    avro(&lines);
    inbound();
    readers(&lines);
    writer_schemas();
    journal();
    rows();
    logs(&lines);
    config();
    sheets::sheets();
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn file(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// Empties a target's folder and fills it.
fn put(target: &str, seeds: impl IntoIterator<Item = Vec<u8>>) {
    let folder = root().join("fuzz/corpus").join(target);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for seeds");
    let mut count = 0;
    for (at, seed) in seeds.into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{at:02}")), seed).expect("a seed");
        count += 1;
    }
    println!("{target}: {count}");
}

fn each(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Some lines of the conformance logs, of every kind.
fn lines() -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for (log, step) in [("stress-1", 17), ("stress-2", 41), ("plain-1", 37)] {
        let bytes = file(&format!("tests/conformance/{log}.ndjson"));
        let some = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.extend(some.step_by(step).map(<[u8]>::to_vec));
    }
    lines
}

fn texts() {
    put(
        "money",
        each(&[
            "0",
            "-0",
            "0.0075",
            "10.00",
            "-0.5",
            "0000000000000000001.10",
            "1000000000000",
            "999999999999.999999",
            "-999999999999.999999",
            "1.0000001",
            ".5",
            "1.",
            "1e3",
            "+1",
            "1,5",
            "1_0",
            "٣",
        ]),
    );
    put(
        "time",
        each(&[
            "2024-08-20T19:17:08.918+00:00",
            "2024-08-20T19:17:08Z",
            "2024-02-29T23:30:00-11:00",
            "2024-08-20t19:17:08.9189999+05:30",
            "1969-12-31T23:00:00-01:00",
            "2200-01-01T00:00:00+23:59",
            "2199-12-31T23:59:59.999999999999Z",
            "2016-12-31T23:59:60Z",
            "2024-08-20 19:17:08Z",
            "2024-08-20T24:00:00Z",
            "2023-02-29T00:00:00Z",
            "+2024-08-20T19:17:08Z",
            "2024-08-20T19:17:08+0000",
            "2024-08-20T19:17:08\u{2212}01:00",
        ]),
    );
    put(
        "duration",
        each(&[
            "PT5M",
            "PT1S",
            "PT24H",
            "PT86400S",
            "PT1H30M15S",
            "PT23H59M60S",
            "PT007S",
            "PT0S",
            "PT24H1S",
            "PT1M1H",
            "PT1.5H",
            "P1D",
            "PT",
            "day",
            "PT99999999999999999999H",
            "PT9223372036854775807S",
        ]),
    );
}

fn json(lines: &[Vec<u8>]) {
    let odd = each(&[
        "{}",
        r#"{"a":{"b":[1,-0,1.5e+7,1e400,"\ud83d\ude00\u0000\n",null,true]},"a":[]}"#,
        r#"{"type":"tick","now":"2024-08-20T00:00:00Z"}"#,
        r#"{"event_id":"1","account_id":"a","feature":"sms","cost":"-1","occurred_at":"2024-08-20T00:00:00Z","requests":0}"#,
        r#"{"type":"preferences_set","command_id":"c","account_id":"a","issued_at":"2024-08-20T00:00:00Z","body":[]}"#,
        "[1]",
        "{\"a\":\"\\ud800\"}",
    ]);
    put("json_line", odd.iter().chain(lines.iter().step_by(2)).cloned());
    let decisions = file("tests/conformance/plain-1.decisions.ndjson");
    let decisions = decisions.split(|byte| *byte == b'\n').take(20).map(<[u8]>::to_vec);
    put("json_record", odd.iter().chain(lines.iter().step_by(3)).cloned().chain(decisions));
}

/// A message whole, with each field left out or wrong, and as a single object.
fn inbound() {
    const WHOLE: &str = r#"{"type":"received","account_id":"acme","feature":"whatsapp","sender":"+393331234567","recipient":"+15550001","received_at":"2024-08-20T19:17:08.918+00:00"}"#;
    let changed = [
        ("\"received\"", "\"billed\""),
        ("\"acme\"", "null"),
        ("whatsapp", "Whats\\u0041pp"),
        ("+393331234567", ""),
        ("\"recipient\"", "\"sender\""),
        ("2024", "2200"),
        ("}", ""),
    ];
    let changed = changed.map(|(from, to)| WHOLE.replacen(from, to, 1).into_bytes());
    let text = std::fs::read_to_string(root().join("schemas/inbound-message.avsc"));
    let text = text.expect("our schema");
    let schema = Schema::parse_str(&text).expect("our schema");
    let writer = GenericDatumWriter::builder(&schema).build().expect("a whole schema");
    let fields = [("type", "received"), ("account_id", "acme"), ("feature", "whatsapp")];
    let numbers = [("sender", "+393331234567"), ("recipient", "+15550001")];
    let texts = fields.into_iter().chain(numbers);
    let mut record: Vec<(String, Value)> =
        texts.map(|(name, text)| (name.to_owned(), Value::String(text.to_owned()))).collect();
    record.push(("received_at".to_owned(), Value::TimestampMillis(1_724_181_428_918)));
    let mut single = vec![0xc3, 0x01];
    single.extend(tollgate::wire::fingerprint(&text).expect("our schema"));
    writer.write_value(&mut single, Value::Record(record)).expect("a value of the schema");
    put("inbound", [WHOLE.as_bytes().to_vec(), single].into_iter().chain(changed));
}

/// What people are told, and commands, in both encodings.
fn readers(lines: &[Vec<u8>]) {
    let encoders = [OutputFormat::Json, OutputFormat::AvroSingle].map(|format| {
        Encoder::new(format, Topics::default(), None).expect("no registry is needed")
    });
    let told = decisions()
        .into_iter()
        .filter(|it| matches!(it, Decision::LimitReached(_) | Decision::ThresholdCrossed(_)));
    let told = told.step_by(23).take(12).flat_map(|decision| {
        let encode = |encoder: &Encoder| encoder.encode_decision(&decision, None, false);
        encoders.each_ref().map(|encoder| encode(encoder).expect("no registry is asked"))
    });
    let single = lines.iter().filter_map(|line| {
        let (kind, bytes) = single_object(&decode_line(line))?;
        (kind == 1).then_some(bytes)
    });
    const HEAD: &str = r#"{"type":"profile_set","command_id":"c","account_id":"a","issued_at":"2024-08-20T00:00:00Z""#;
    let deep = format!(r#"{HEAD},"body":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let odd = each(&[
        &deep,
        &format!(r#"{HEAD},"body":{{"n":1e400}}}}"#),
        &format!(r#"{HEAD},"actor":"","reason":7,"body":[]}}"#),
    ]);
    let commands = lines.iter().filter(|line| line.windows(10).any(|it| it == b"command_id"));
    put("readers", told.chain(single.take(6)).chain(commands.step_by(3).cloned()).chain(odd));
}

/// A line as a datum of our schema, and which.
fn datum(decoded: &Decoded) -> Option<(u8, Vec<u8>)> {
    single_object(decoded).map(|(kind, bytes)| (kind, bytes[HEADER_BYTES..].to_vec()))
}

fn single_object(decoded: &Decoded) -> Option<(u8, Vec<u8>)> {
    let encoder = Encoder::new(OutputFormat::AvroSingle, Topics::default(), None).ok()?;
    let recorded_at = decoded.recorded_at;
    match &decoded.input {
        Input::Billed(event) => Some((0, encoder.encode_billed(event, recorded_at).ok()?)),
        Input::Command(command) => {
            let at = recorded_at?;
            let issued = Issued { at, actor: Some("ops"), reason: None, recorded_at };
            Some((1, encoder.encode_command(command, issued).ok()??))
        }
        Input::Tick | Input::Rejected(_) => None,
    }
}

fn avro(lines: &[Vec<u8>]) {
    let mut datums: Vec<(u8, Vec<u8>)> =
        lines.iter().filter_map(|line| datum(&decode_line(line))).step_by(3).collect();
    datums.extend(block_datums().into_iter().map(|datum| (2, datum)));
    let framed = |first: u8, datum: &[u8]| [&[first], datum].concat();
    let whole = [0xc3, 0x01, 0x3a, 0xa0, 0xf9, 0x6c, 0xed, 0xaa, 0xc3, 0x60];
    let own = datums.iter().map(|(kind, datum)| framed(*kind, datum));
    put("avro_single_object", own.chain([framed(3, &whole)]));
    let own = datums.iter().step_by(2).map(|(kind, datum)| framed(kind + 1, datum));
    let foreign = foreign().into_iter().zip(4..).flat_map(|((_, datums), id)| {
        datums.into_iter().map(move |datum| framed(id, &datum)).collect::<Vec<_>>()
    });
    put("avro_confluent", own.chain(foreign).chain([framed(0, &[])]));
}

/// Block records as the fold decides them.
fn block_datums() -> Vec<Vec<u8>> {
    let encoder = Encoder::new(OutputFormat::AvroSingle, Topics::default(), None);
    let encoder = encoder.expect("no registry is needed");
    let blocks = decisions().into_iter().filter(|it| matches!(it, Decision::BlockChanged(_)));
    let encoded = blocks.step_by(9).take(8).map(|it| encoder.encode_decision(&it, None, false));
    encoded.map(|bytes| bytes.expect("no registry is asked")[HEADER_BYTES..].to_vec()).collect()
}

fn decisions() -> Vec<Decision> {
    let log = file("tests/conformance/stress-1.ndjson");
    let (mut state, mut decisions) = (State::new(10), Vec::new());
    for (at, line) in (1..).zip(log.split(|byte| *byte == b'\n').filter(|it| !it.is_empty())) {
        let Decoded { input, recorded_at } = decode_line(line);
        let position = Position { source: "log".into(), at };
        let recorded_at = recorded_at.unwrap_or(Millis(0));
        state.fold_line(&Line { input, recorded_at, position }, &mut decisions);
    }
    decisions
}

/// The foreign schemas with datums of them.
fn foreign() -> Vec<(String, Vec<Vec<u8>>)> {
    let names = ["foreign-billed", "foreign-command", "recursive"];
    let texts = names.map(|name| file(&format!("fuzz/schemas/{name}.avsc")));
    let with_datums = texts.map(|text| {
        let text = String::from_utf8(text).expect("a schema in UTF-8");
        let datums = datums(&text);
        (text, datums)
    });
    with_datums.into()
}

/// Two datums: the first and the last branch of every union.
fn datums(text: &str) -> Vec<Vec<u8>> {
    let schema = Schema::parse_str(text).expect("a schema");
    let write = |last| {
        let writer = GenericDatumWriter::builder(&schema).build().expect("a whole schema");
        let mut bytes = Vec::new();
        let value = sample(&schema, "", last);
        writer.write_value(&mut bytes, value).expect("a value of the schema");
        bytes
    };
    vec![write(false), write(true)]
}

/// A value that often makes a valid line; `name` is the field's.
fn sample(schema: &Schema, name: &str, last: bool) -> Value {
    let text = match name {
        "event_id" => "5350a98c-8577-5571-8ae6-4399c6c6420a",
        "country" => "it",
        "kind" => "account",
        "measure" => "cost",
        "type" if last => "limit_set",
        "window" => "day",
        "now" => "tick",
        _ => "sms",
    };
    match schema {
        Schema::Null => Value::Null,
        Schema::Boolean => Value::Boolean(true),
        Schema::Int => Value::Int(50),
        Schema::Long => Value::Long(1_724_181_428_918),
        Schema::TimestampMillis => Value::TimestampMillis(1_724_181_428_918),
        Schema::TimestampMicros => Value::TimestampMicros(1_724_181_428_918_123),
        Schema::TimestampNanos => Value::TimestampNanos(1_724_181_428_918_123_456),
        Schema::Double => Value::Double(1.5),
        Schema::Bytes => Value::Bytes(text.as_bytes().to_vec()),
        Schema::String => Value::String(text.to_owned()),
        Schema::Uuid(_) => Value::Uuid(text.parse().expect("a UUID")),
        Schema::Decimal(_) => Value::Decimal(Decimal::from(vec![0, 0, 75])),
        Schema::Fixed(fixed) => Value::Fixed(fixed.size, vec![7; fixed.size]),
        Schema::Enum(symbols) => Value::Enum(0, symbols.symbols[0].clone()),
        Schema::Array(array) => match array.items.as_ref() {
            Schema::Ref { .. } => Value::Array(Vec::new()),
            items => Value::Array(vec![sample(items, name, last); 2]),
        },
        Schema::Map(map) => Value::Map([("k".to_owned(), sample(&map.types, name, last))].into()),
        Schema::Union(union) => branch(union, name, last),
        Schema::Record(record) => {
            let fields = record.fields.iter();
            let sampled = fields.map(|it| (it.name.clone(), sample(&it.schema, &it.name, last)));
            Value::Record(sampled.collect())
        }
        other => panic!("no sample of {other:?}"),
    }
}

fn branch(union: &UnionSchema, name: &str, last: bool) -> Value {
    let end = union.variants().len() - 1;
    let recursive = matches!(union.variants()[end], Schema::Ref { .. });
    let at = if last && !recursive { end } else { 0 };
    Value::Union(at as u32, Box::new(sample(&union.variants()[at], name, last)))
}

fn writer_schemas() {
    let mut seeds = Vec::new();
    for name in ["billed-event", "command", "tick"] {
        let text = String::from_utf8(file(&format!("schemas/{name}.avsc"))).expect("UTF-8");
        let mut schema: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        without_docs(&mut schema);
        let datums = datums(&text.replace(r#""logicalType": "uuid""#, r#""x": 0"#));
        seeds.extend(datums.into_iter().map(|datum| (schema.to_string(), datum)));
    }
    seeds.extend(foreign().into_iter().flat_map(|(text, datums)| {
        let schema: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        datums.into_iter().map(move |datum| (schema.to_string(), datum)).collect::<Vec<_>>()
    }));
    let odd = [r#""int""#, r#"["null","string"]"#, "{}", r#"{"type":"fixed","name":"F"}"#];
    seeds.extend(odd.map(|text| (text.to_owned(), vec![2, 4])));
    put(
        "avro_writer_schema",
        seeds.into_iter().map(|(text, datum)| [text.as_bytes(), &[0], &datum].concat()),
    );
}

fn without_docs(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            members.remove("doc");
            members.values_mut().for_each(without_docs);
        }
        serde_json::Value::Array(elements) => elements.iter_mut().for_each(without_docs),
        _ => {}
    }
}

fn journal() {
    let first = Record {
        seq: 0,
        prev: Hash::ZERO,
        billed: Range { from: 0, to: 20 },
        commands: Range { from: 0, to: 0 },
        now: Millis(1_724_181_428_918),
        dedup_minutes: 10,
        control: Counts { events: 9, duplicates: 1, rejects: 2, cost: Money(75), requests: 12 },
        decisions: 4,
        decisions_hash: Hash::of(b"decisions"),
        published_through: None,
        owner: Owner { address: "10.0.0.1:8080".to_owned(), run: "a1".to_owned() },
        rules: 1,
        partitions: 4,
        partitioner: Partitioner::Murmur2,
    };
    let second = Record {
        seq: 1,
        prev: Hash::of(&first.encode()),
        billed: Range { from: 20, to: i64::MAX as u64 },
        published_through: Some(0),
        partitioner: Partitioner::Crc32,
        owner: Owner { address: String::new(), run: String::new() },
        control: Counts { cost: Money(i128::MIN), ..Counts::default() },
        ..first.clone()
    };
    let framed = [first, second].map(|record| record.encode());
    let bare = framed.clone().map(|bytes| bytes[HEADER_BYTES..].to_vec());
    put("journal_record", framed.into_iter().chain(bare).chain([Vec::new()]));
}

fn rows() {
    let text = String::from_utf8(file("tests/fixtures/store-v1/rows.txt")).expect("UTF-8");
    let bytes = |hex: &str| {
        let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hex digits");
        (0..hex.len()).step_by(2).map(pair).collect::<Vec<u8>>()
    };
    let rows = text.lines().filter_map(|line| line.split_once(' ')).filter(|it| it.0 != "#");
    let rows: Vec<_> = rows.map(|(key, value)| (bytes(key), bytes(value))).collect();
    // Whatever is restored, with a few of each other kind; then a few of each kind alone.
    let of = |kind: u8, most: usize| {
        rows.iter().filter(move |(key, value)| key[0] == kind && value.len() < 300).take(most)
    };
    let whole = (1..=10).flat_map(|kind| of(kind, 8));
    let resident = [1, 2, 3, 4].into_iter().flat_map(|kind| of(kind, 30));
    let kinds = (1..=10).map(|kind| pack(of(kind, 4)));
    put("stored_rows", [pack(whole), pack(resident)].into_iter().chain(kinds).chain([Vec::new()]));
}

fn logs(lines: &[Vec<u8>]) {
    let some: Vec<&[u8]> = lines.iter().step_by(9).map(Vec::as_slice).collect();
    let text = some.join(&b'\n');
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&text).expect("a vector");
    let gzip = gzip.finish().expect("a vector");
    let zstd = zstd::encode_all(text.as_slice(), 9).expect("a vector");
    let containers = [
        Codec::Null,
        Codec::Deflate(DeflateSettings::default()),
        Codec::Snappy,
        Codec::Zstandard(ZstandardSettings::default()),
    ];
    let containers = containers.map(|codec| container(codec, &some));
    let packed = [text[..text.len().min(2000)].to_vec(), gzip, zstd];
    let odd = each(&["", "\n\r\n \n", "{}\n{}", "Obj\x01", "nothing\n{\"type\":\"tick\"}\n"]);
    put("log_file", packed.into_iter().chain(containers).chain(odd));
}

fn container(codec: Codec, lines: &[&[u8]]) -> Vec<u8> {
    let mut schema: serde_json::Value =
        serde_json::from_str(&serde_json::to_string(&log_schema()).expect("JSON")).expect("JSON");
    without_docs(&mut schema);
    let schema = Schema::parse_str(&schema.to_string()).expect("a schema");
    let Schema::Union(union) = &schema else { panic!("a union") };
    let mut writer = Writer::builder()
        .schema(&schema)
        .writer(Vec::new())
        .codec(codec)
        .marker(*b"tollgate log 001")
        .build()
        .expect("a codec that is built in");
    for line in lines {
        let Some((kind, datum)) = datum(&decode_line(line)) else { continue };
        let branch = &union.variants()[usize::from(kind)];
        let reader = apache_avro::reader::datum::GenericDatumReader::builder(branch).build();
        let value = reader.and_then(|reader| reader.read_value(&mut datum.as_slice()));
        let value = Value::Union(kind.into(), Box::new(value.expect("a datum of ours")));
        writer.append_value(value).expect("a vector");
        writer.flush().expect("a vector");
    }
    writer.into_inner().expect("a vector")
}

fn config() {
    let defaults = tollgate::config::load(None, []).expect("the defaults");
    let mut seeds = vec![tollgate::config::print(&defaults, false).into_bytes()];
    seeds.extend(each(&[
        "[kafka]\nbootstrap = \"kafka-1:9092, [::1]:9092\"\n[kafka.client]\nsecurity.protocol = \"ssl\"\n\"sasl.password\" = \"hidden\"\nssl.key.pem = 1\n",
        "[engine]\nthreads = 0x10\ndedup_minutes = 1_440\nstate_dir = ''\n",
        "[topics]\nbilled = \"a\"\njournal = \"a\"\npartitions = 99999\n",
        "[input]\nformat = \"confluent\"\nschema_registry = \"http://r:8081\"\nwriter_schemas = [\"a.avsc\"]\nschema_registry_password = \"p\"\n",
        "[log]\nlevel = 'debug'\nformat = \"\"\"json\"\"\"\n---\nTOLLGATE_LOG_LEVEL=warn\nTOLLGATE_KAFKA_CLIENT_SECURITY_PROTOCOL=ssl\nTOLLGATE_ENGINE_THREADS=2\nTOLLGATE_NOTHING=1",
        "kafka = 1\nengine.threads = 1.5\n[http]\nlisten = 1979-05-27T07:32:00Z\nready_lag_max = -1\n",
        "[kafka\nx = [1, {a = 'b'}]\n\"\\u00e9\" = nan",
        "\u{feff}[engine]\nbatch_bytes_max = 1073741824\n",
    ]));
    seeds.push(b"[log]\nlevel = \"\xff\"\n".to_vec());
    put("config", seeds);
}
