//! Seeded simulation: engines, brokers, disks, clocks and crashes in one thread, judged by a witness at
//! every step and by the naive model at the end. `make simulate SEEDS=n` runs many; a case that fails
//! prints itself, is made smaller, and is kept in `tests/simulate/regressions.txt`.
//!
//! `CASE='seed=7' TRACE=1 cargo test --test simulate one_case -- --nocapture` tells a run step by step.

#[path = "model/mod.rs"]
mod model;
#[path = "simulate/mod.rs"]
mod simulate;
#[path = "suite/mod.rs"]
#[allow(dead_code, reason = "nothing here can be missing")]
mod suite;

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use simulate::case::{Case, Fault};
use simulate::chance::Path;
use simulate::many::{Sum, judge, smaller};

const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/simulate/regressions.txt");
/// Seeds of a run without `SEEDS`.
const SEEDS: u64 = 1_000;
/// From so many seeds on, every fault must have struck and every path must have been taken.
const ENOUGH: u64 = 1_000;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| {
        text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name}={text} is no whole number"))
    })
}

/// `SEEDS` many, from `FROM` on, on all cores. Each twice, with the same outcome to the byte.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long it took is told, and nothing depends on it"
)]
fn seeds() {
    let (from, count) = (number("FROM", 1), number("SEEDS", SEEDS));
    let (next, begun) = (AtomicU64::new(0), Instant::now());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let mut sum = Sum::default();
        while let Some(seed) = claim(&next, from, count) {
            sum.add(&Case::of(seed));
            if sum.failed.len() >= 3 {
                next.store(count, Ordering::Relaxed);
            }
        }
        sum
    };
    let mut sum = Sum::default();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            thread::park_timeout(Duration::from_millis(200));
            progress(next.load(Ordering::Relaxed).min(count), count, begun);
        }
        for worker in workers {
            sum.join(worker.join().expect("a worker counts its failures"));
        }
    });
    println!("{}", sum.told());
    suite::verdict("simulate", &sum.in_a_line(begun.elapsed()));
    for (case, why) in &sum.failed {
        let least = smaller(case);
        println!("FAILED {case}\n  {why}\n  smaller: {least}");
        let mut file = fs::OpenOptions::new().append(true).open(REGRESSIONS).unwrap();
        writeln!(file, "{least}").unwrap();
    }
    assert!(sum.failed.is_empty(), "{} seeds failed", sum.failed.len());
    if count >= ENOUGH {
        let never = sum.never();
        assert!(never.is_empty(), "never happened: {never:?}");
    }
}

fn claim(next: &AtomicU64, from: u64, count: u64) -> Option<u64> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    (index < count).then_some(from + index)
}

/// A line on standard error every ten seconds.
#[expect(clippy::print_stderr, reason = "for whoever waits")]
fn progress(done: u64, count: u64, begun: Instant) {
    let elapsed = begun.elapsed();
    if elapsed.as_millis() % 10_000 < 200 && elapsed.as_secs() > 0 {
        let left = elapsed.mul_f64((count - done) as f64 / done.max(1) as f64);
        eprintln!("{done} of {count} seeds, {} s, {} s left", elapsed.as_secs(), left.as_secs());
    }
}

/// What failed once does not fail again.
#[test]
fn regressions() {
    let text = fs::read_to_string(REGRESSIONS).unwrap();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let case: Case = line.parse().unwrap();
        judge(&case).unwrap_or_else(|why| panic!("{case}: {why}"));
    }
}

/// The case in `CASE`, for looking at it.
#[test]
fn one_case() {
    if let Ok(text) = std::env::var("CASE") {
        let case: Case = text.parse().unwrap();
        let report = judge(&case).unwrap_or_else(|why| panic!("{case}: {why}"));
        println!("{case}: {report:#?}");
    }
}

#[test]
fn a_case_is_a_line_of_text() {
    let mut case = Case::of(7);
    case.lines = 3;
    case.without.extend([Fault::Crash, Fault::SlowFetch]);
    assert_eq!(case.to_string().parse(), Ok(case));
    assert!("seed=7 without=Nothing".parse::<Case>().is_err());
    assert!(Fault::ALL.iter().enumerate().all(|(index, fault)| *fault as usize == index));
    assert!(Path::ALL.iter().enumerate().all(|(index, path)| *path as usize == index));
}
