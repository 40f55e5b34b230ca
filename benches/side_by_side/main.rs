//! `make bench`: Tollgate beside the bare drain of the same topic and beside what a user would pick
//! instead, on one machine in one run, since only ratios travel. Prints one table, and writes it as
//! CSV and as a plot under `target/bench/`.
//!
//! Arguments: `--short` for a form that only shows that everything still runs, `--events=N`,
//! `--rounds=N` and `--scopes=N` for another size, `--rate=N` for the latency at N events a second
//! alone, and names of parts to run only those.
//! `BENCH_TOLLGATE` names the binary to measure; without it that is the one of this build, which
//! has the tests' fault points.
#![allow(clippy::unwrap_used, reason = "a measurement that fails shall say where")]
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its figures are for a reader")]

mod alone;
#[path = "../bare/mod.rs"]
mod bare;
mod bare_fold;
mod engine;
mod files;
mod growth;
#[path = "../input/mod.rs"]
mod input;
mod journal;
mod latency;
mod peers;
mod recovery;
mod relay;
mod stage;
mod table;
mod throughput;
mod traffic;

use stage::Stage;
use table::Table;

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub short: bool,
    /// Events of the topics that everybody reads.
    pub events: u64,
    /// Runs of each reader of them, in turn; the median is told.
    pub rounds: usize,
    /// Seconds of each rate of the latency part.
    pub latency_seconds: u64,
    /// Events a second of the latency part, for its own three rates.
    pub rate: Option<u64>,
    /// Scopes of the states that are recovered, as far as `scopes_max` allows.
    pub states: &'static [u64],
    pub scopes_max: u64,
    /// Profiles of the topics of the growth part.
    pub profiles: &'static [u32],
    /// Partitions of the topics of the growth part.
    pub partitions: &'static [i32],
}

const FULL: Scale = Scale {
    short: false,
    events: 4_000_000,
    rounds: 3,
    latency_seconds: 30,
    rate: None,
    states: &[1_000_000, 10_000_000],
    scopes_max: u64::MAX,
    profiles: &[10_000, 100_000, 1_000_000, 10_000_000],
    partitions: &[1, 2, 4, 16],
};

const SHORT: Scale = Scale {
    short: true,
    events: 40_000,
    rounds: 1,
    latency_seconds: 2,
    rate: None,
    states: &[20_000],
    scopes_max: u64::MAX,
    profiles: &[1_000],
    partitions: &[1],
};

type Part = fn(&Stage, Scale, &mut Table);

const PARTS: [(&str, Part); 7] = [
    ("alone", alone::all),
    ("throughput", throughput::all),
    ("files", files::all),
    ("latency", latency::all),
    ("recovery", recovery::all),
    ("growth", growth::all),
    ("peers", peers::all),
];

fn main() {
    let (mut scale, mut wanted) = (FULL, Vec::new());
    for argument in std::env::args().skip(1).filter(|argument| argument != "--bench") {
        let number = |text: &str| text.parse().unwrap_or_else(|_| usage());
        match argument.split_once('=') {
            None if argument == "--short" => scale = SHORT,
            Some(("--events", events)) => scale.events = number(events),
            Some(("--scopes", scopes)) => scale.scopes_max = number(scopes),
            Some(("--rate", rate)) => scale.rate = Some(number(rate).max(1)),
            Some(("--rounds", rounds)) => scale.rounds = number(rounds).max(1) as usize,
            None if PARTS.iter().any(|(part, _)| *part == argument) => wanted.push(argument),
            _ => usage(),
        }
    }
    let stage = Stage::start();
    throughput::warm_up(&stage, scale);
    let mut table = Table::new();
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            eprintln!("── {name} ──");
            part(&stage, scale, &mut table);
        }
    }
    println!("{}", table.text(&stage.told));
    for path in table.write(&stage.told) {
        println!("written: {}", path.display());
    }
}

fn usage() -> ! {
    let parts = PARTS.map(|(part, _)| part).join("|");
    eprintln!("usage: side_by_side [--short] [--events=N] [--rounds=N] [--scopes=N]");
    eprintln!("                    [--rate=N] [{parts} …]");
    std::process::exit(2);
}
