//! How fast the wire decodes, on one thread: `cargo test --release --test wire_speed -- --ignored
//! --nocapture`. Promise: only a printout; machines differ too much for a bound.

use std::time::Instant;

use tollgate::fold::event::Input;
use tollgate::wire::json::decode_line;
use tollgate::wire::{Decoded, Decoder, Encoder, Options, OutputFormat, Topics};

const ROUNDS: usize = 500_000;

const LINE: &str = concat!(
    r#"{"type":"billed","event_id":"6f1c9f4e-54f2-4b0e-9d3c-3a1c70f1e9aa","#,
    r#""idempotency_key":null,"account_id":"acme","#,
    r#""profile_id":"be3eb60a-7cb2-4d0e-a8f4-1b1de3f0a001","feature":"sms","country":"IT","#,
    r#""sender":"+15550001","recipient":"+393331234567","purpose":"otp","requests":1,"#,
    r#""cost":"0.0075","occurred_at":"2024-08-20T19:17:08.918+00:00","#,
    r#""recorded_at":"2024-08-20T19:17:09.004+00:00"}"#,
);
const SMALL: &str = concat!(
    r#"{"event_id":"e1","account_id":"a","feature":"sms","cost":"1","#,
    r#""occurred_at":"2024-08-20T19:17:08Z"}"#,
);

#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement")]
fn measure(what: &str, bytes: &[u8], mut decode: impl FnMut(&[u8]) -> Decoded) {
    let started = Instant::now();
    let mut taken = 0;
    for _ in 0..ROUNDS {
        let decoded = decode(std::hint::black_box(bytes));
        taken += usize::from(matches!(decoded.input, Input::Billed(_)));
    }
    let rate = ROUNDS as f64 / started.elapsed().as_secs_f64();
    assert_eq!(taken, ROUNDS);
    println!("{what}: {} bytes, {rate:.0} records/s", bytes.len());
}

#[test]
#[ignore = "a measurement"]
fn decoding_one_billed_event_over_and_over() {
    measure("json, full line", LINE.as_bytes(), decode_line);
    measure("json, required fields", SMALL.as_bytes(), decode_line);
    let Input::Billed(event) = decode_line(LINE.as_bytes()).input else {
        panic!("a billed event");
    };
    let encoder = Encoder::new(OutputFormat::AvroSingle, Topics::default(), None);
    let bytes = encoder.expect("no registry").encode_billed(&event, None).expect("encoded");
    let decoder = Decoder::new(&Options::default()).expect("no schemas to load");
    measure("avro, single object", &bytes, |bytes| {
        decoder.decode_billed(bytes).expect("no registry, no fault")
    });
}
