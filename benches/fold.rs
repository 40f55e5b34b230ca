//! The fold alone, in memory, one thread: billed events of a Zipf world (10,000 accounts, 100,000
//! profiles) with and without limits, beside a bare hash fold of the same eight totals, which counts
//! no id twice if told so.
//! `cargo bench --no-default-features --features files --bench fold`
#![allow(clippy::unwrap_used, reason = "a measurement that fails shall say where")]

#[allow(dead_code, reason = "it writes nothing here")]
mod bare;
mod world;

use std::hint::black_box;

use bare::Bare;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tollgate::fold::State;
use tollgate::fold::event::Line;

/// Events that fill the state before, and events that are measured.
const BEFORE: u64 = 1_000_000;
const EVENTS: u64 = 1_000_000;

fn fold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    let lines = world::lines(BEFORE + EVENTS, 0);
    let (before, measured) = lines.split_at(BEFORE as usize);
    let mut bench_bare = |name: &str, new: fn() -> Bare| {
        group.bench_function(name, |bench| {
            let warm = || run_bare(new(), before);
            bench.iter_batched(warm, |bare| run_bare(bare, measured), BatchSize::PerIteration);
        });
    };
    bench_bare("bare hash fold", Bare::default);
    bench_bare("bare hash fold that counts no id twice", Bare::with_ids);
    let warm = || run(State::new(10), before);
    group.bench_function("totals only", |bench| {
        bench.iter_batched(warm, |state| run(state, measured), BatchSize::PerIteration);
    });
    let lines = world::lines(BEFORE + EVENTS, 12);
    let (before, measured) = lines.split_at(lines.len() - EVENTS as usize);
    let warm = || run(State::new(10), before);
    group.bench_function("limits, 12 an account", |bench| {
        bench.iter_batched(warm, |state| run(state, measured), BatchSize::PerIteration);
    });
    group.finish();
}

fn run(mut state: State, lines: &[Line<'_>]) -> State {
    let mut decisions = Vec::new();
    for some in lines.chunks(1_000) {
        state.fold_lines(some, &mut decisions);
        decisions.clear();
    }
    black_box(state)
}

fn run_bare(mut bare: Bare, lines: &[Line<'_>]) -> Bare {
    for line in lines {
        bare.line(line);
    }
    black_box(bare)
}

criterion_group!(benches, fold);
criterion_main!(benches);
