//! The fold alone, in memory on one thread, beside a bare hash fold of the same eight totals; and
//! decoding alone, beside apache-avro's. `cargo bench --bench fold --bench decode` measures the
//! same more finely.

use std::hint::black_box;
use std::time::Instant;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use tollgate::fold::State;
use tollgate::fold::event::Line;
use tollgate::generate::Body;
use tollgate::wire::{Decoder, Options};

use crate::Scale;
use crate::bare::Bare;
use crate::input;
use crate::stage::Stage;
use crate::table::{Table, median};
use crate::traffic::{self, Records};

const BILLED: &str = include_str!("../../schemas/billed-event.avsc");
/// What a single-object record begins with: a marker and the schema's fingerprint.
const HEADER_BYTES: usize = 10;
/// Lines that a fold gets at once.
const BATCH: usize = 1_000;

pub fn all(_: &Stage, scale: Scale, table: &mut Table) {
    fold(scale, table);
    decode(scale, table);
}

fn fold(scale: Scale, table: &mut Table) {
    let ([bare, with_ids], totals) = folds(scale, 0, [Bare::default, Bare::with_ids]);
    table.row("bare hash fold of eight totals, one thread", bare, "events/s");
    table.compared("the same that counts no id twice", with_ids, "events/s", "bare fold", bare);
    table.compared("fold, no limits but the built-in one", totals, "events/s", "bare fold", bare);
    let ([bare], limits) = folds(scale, 4, [Bare::default]);
    table.compared("fold, 4 limits an account", limits, "events/s", "bare fold", bare);
}

/// Events per second of bare folds and of the fold, in turn, upon the same events with so many
/// limits an account.
fn folds<const N: usize>(scale: Scale, limits: u32, bares: [fn() -> Bare; N]) -> ([f64; N], f64) {
    let options = traffic::options(scale.events / 2, 100_000, limits);
    let options = tollgate::generate::Options { gap_us: 20_000, ..options };
    let lines = input::lines(traffic::lines(&options));
    let (before, measured) = lines.split_at(lines.len() / 2);
    let (mut of_bares, mut own) = ([const { Vec::new() }; N], Vec::new());
    for _ in 0..scale.rounds {
        for (new, rates) in bares.iter().zip(&mut of_bares) {
            let mut fold = new();
            before.iter().for_each(|line| fold.line(line));
            rates.push(rate(measured.len(), || measured.iter().for_each(|line| fold.line(line))));
            black_box(fold);
        }
        let (mut state, mut decisions) = (State::new(10), Vec::new());
        let mut run = |lines: &[Line<'_>]| {
            for some in lines.chunks(BATCH) {
                state.fold_lines(some, &mut decisions);
                decisions.clear();
            }
        };
        run(before);
        own.push(rate(measured.len(), || run(measured)));
    }
    (of_bares.map(median), median(own))
}

fn decode(scale: Scale, table: &mut Table) {
    let events = scale.events.min(200_000);
    let options = traffic::options(events, 100_000, 0);
    let decoder = Decoder::new(&Options::default()).unwrap();
    let encoded = |avro: bool| {
        let mut records = Records::new(avro);
        let billed = traffic::lines(&options).filter(|line| matches!(line.body, Body::Billed(_)));
        let encode = |line| {
            let mut bytes = Vec::new();
            records.encode(&line, &mut bytes);
            bytes
        };
        billed.map(encode).collect::<Vec<_>>()
    };
    let (avro, json) = (encoded(true), encoded(false));
    let schema = Schema::parse_str(BILLED).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let ours = |records: &[Vec<u8>]| {
        rate(records.len(), || {
            for bytes in records {
                black_box(decoder.decode_billed(black_box(bytes)).unwrap());
            }
        })
    };
    let (mut value, mut of_avro, mut of_json) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.rounds.max(1) {
        value.push(rate(avro.len(), || {
            for bytes in &avro {
                black_box(reader.read_value(&mut &black_box(bytes)[HEADER_BYTES..]).unwrap());
            }
        }));
        of_avro.push(ours(&avro));
        of_json.push(ours(&json));
    }
    let value = median(value);
    table.row("apache-avro to Value, one thread", value, "records/s");
    table.compared("decode of Avro", median(of_avro), "records/s", "Value", value);
    table.compared("decode of JSON", median(of_json), "records/s", "Value", value);
}

fn rate(count: usize, work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    count as f64 / begun.elapsed().as_secs_f64()
}
