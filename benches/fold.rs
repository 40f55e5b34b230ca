//! The fold alone, in memory, one thread: billed events of a Zipf world (10,000 accounts, 100,000
//! profiles) with and without limits, beside a bare hash fold of the same eight totals, which checks
//! nothing and decides nothing. `make bench-fold`, or `cargo bench --bench fold`.
#![allow(clippy::unwrap_used, reason = "a measurement that fails shall say where")]

mod world;

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use foldhash::fast::FixedState;
use tollgate::fold::State;
use tollgate::fold::event::{BilledEvent, Input, Line};

const EVENTS: u64 = 500_000;

fn fold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    let plain = world::lines(EVENTS, 0);
    group.bench_function("bare hash fold", |bench| {
        bench.iter_batched(Bare::default, |bare| run_bare(bare, &plain), BatchSize::PerIteration);
    });
    for (name, limits) in [("totals only", 0), ("limits of 12 an account", 12)] {
        let lines = world::lines(EVENTS, limits);
        group.bench_function(name, |bench| {
            bench.iter_batched(
                || State::new(10),
                |state| run(state, &lines),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn run(mut state: State, lines: &[Line]) -> State {
    let mut decisions = Vec::new();
    for line in lines {
        state.fold_line(line, &mut decisions);
        decisions.clear();
    }
    black_box(state)
}

/// Names to numbers, and a total a scope and window: keys of 16 bytes, sums of 64 bits.
#[derive(Default)]
struct Bare {
    names: HashMap<String, u32, FixedState>,
    totals: HashMap<(u32, u32, u8, i32), (i64, u64), FixedState>,
}

impl Bare {
    fn name(&mut self, text: &str) -> u32 {
        if let Some(name) = self.names.get(text) {
            return *name;
        }
        let name = self.names.len() as u32;
        self.names.insert(text.to_owned(), name);
        name
    }

    fn add(&mut self, event: &BilledEvent) {
        let account = self.name(&event.account_id);
        let scopes = [
            Some(""),
            Some(event.feature.as_str()),
            event.profile_id.as_deref(),
            event.country.as_deref(),
        ];
        let (day, month) = (event.occurred_at.day().0, event.occurred_at.month().0);
        for (kind, scope) in scopes.into_iter().enumerate() {
            let Some(scope) = scope else { continue };
            let name = self.name(scope);
            for (window, start) in [(0, day), (8, month)] {
                let key = (account, name, kind as u8 | window, start as i32);
                let total = self.totals.entry(key).or_default();
                total.0 += event.cost.0 as i64;
                total.1 += u64::from(event.requests);
            }
        }
    }
}

fn run_bare(mut bare: Bare, lines: &[Line]) -> Bare {
    for line in lines {
        if let Input::Billed(event) = &line.input {
            bare.add(event);
        }
    }
    black_box(bare)
}

criterion_group!(benches, fold);
criterion_main!(benches);
