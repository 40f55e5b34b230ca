//! One check, one thread, with 0, 1,000 and 100,000 blocks of every kind known: a yes that looks in
//! all six scopes, and a no. `cargo bench --no-default-features --features gate --bench gate`
#![allow(clippy::unwrap_used, reason = "a measurement that fails shall say where")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use tollgate::gate::{Gate, Options, Send, Topic, Verdict};
use tollgate::telemetry::SystemClock;

fn check(criterion: &mut Criterion) {
    for blocks in [0, 1_000, 100_000] {
        let gate = gate(blocks);
        assert_eq!(gate.blocks_held(), blocks);
        let send = |recipient| Send {
            account: "acme",
            profile: Some("be3eb60a-2f2f-4c11-9d4e-7f2f5a3c1b7d"),
            feature: "sms",
            country: Some("IT"),
            sender: Some("+15550001"),
            recipient: Some(recipient),
            purpose: Some("otp"),
        };
        let mut group = criterion.benchmark_group(format!("check, {blocks} blocks"));
        group.bench_function("allow", |bench| {
            let send = send("+15559999");
            assert_eq!(gate.check(&send), Verdict::Allow);
            bench.iter(|| gate.check(black_box(&send)).allowed());
        });
        if blocks > 0 {
            group.bench_function("deny", |bench| {
                let send = send("+3900000007");
                assert!(!gate.check(&send).allowed());
                bench.iter(|| black_box(gate.check(black_box(&send))));
            });
        }
        group.finish();
    }
}

/// As many blocks of one account, most of them of recipients; five other kinds are among them, so
/// that no scope is passed over.
fn gate(blocks: usize) -> Gate {
    let gate = Gate::by_hand(&Options::new("nowhere"), Arc::new(SystemClock)).unwrap();
    for number in 0..blocks {
        let kind = ["recipient", "account", "feature", "profile", "country", "sender"]
            [if number < 6 { number } else { 0 }];
        let (key, id) = (format!("acme/otp/+39{number:08}"), format!("+39{number:08}"));
        let account = if kind == "account" { "other" } else { "acme" };
        let value = format!(
            r#"{{"block_key":"{key}","account_id":"{account}","limit_id":"otp","limit_version":1,
            "scope":{{"kind":"{kind}","id":"{id}"}},"measure":"requests","window":"PT5M",
            "blocked":true,"blocked_until":"2199-01-01T00:00:00Z","configured_limit":"3",
            "before":"2","current":"3","sequence":{},"now":"2024-08-20T12:00:00Z"}}"#,
            number + 1
        );
        gate.feed(Topic::BlockState, Some(key.as_bytes()), Some(value.as_bytes())).unwrap();
    }
    gate
}

criterion_group!(benches, check);
criterion_main!(benches);
