//! Decoding alone, one thread: generated billed events in each encoding, beside apache-avro's own
//! decoding to a `Value`. `cargo bench --no-default-features --features files --bench decode`
#![allow(clippy::unwrap_used, reason = "a measurement that fails shall say where")]

mod world;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tollgate::fold::event::Input;
use tollgate::wire::{Decoder, Encoder, Options, OutputFormat, Topics};

const EVENTS: u64 = 10_000;
const BILLED: &str = include_str!("../schemas/billed-event.avsc");
/// What a single-object record begins with: a marker and the schema's fingerprint.
const HEADER_BYTES: usize = 10;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(EVENTS));
    let decoder = Decoder::new(&Options::default()).unwrap();
    let avro = records(OutputFormat::AvroSingle);
    for (name, records) in [("JSON", &records(OutputFormat::Json)), ("Avro", &avro)] {
        group.bench_function(name, |bench| {
            bench.iter(|| {
                for bytes in records {
                    let decoded = decoder.decode_billed(black_box(bytes)).unwrap();
                    assert!(matches!(black_box(decoded).input, Input::Billed(_)));
                }
            });
        });
    }
    let schema = Schema::parse_str(BILLED).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    group.bench_function("Avro, apache-avro to Value", |bench| {
        bench.iter(|| {
            for bytes in &avro {
                black_box(reader.read_value(&mut &black_box(bytes)[HEADER_BYTES..]).unwrap());
            }
        });
    });
    group.finish();
}

fn records(format: OutputFormat) -> Vec<Vec<u8>> {
    let encoder = Encoder::new(format, Topics::default(), None).unwrap();
    let lines = world::lines(EVENTS, 0);
    let events = lines.iter().filter_map(|line| match &line.input {
        Input::Billed(event) => Some(encoder.encode_billed(event, None).unwrap()),
        _ => None,
    });
    events.collect()
}

criterion_group!(benches, decode);
criterion_main!(benches);
