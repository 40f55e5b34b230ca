//! The fold with hardly any memory. Promise: a state whose rows are written and let go at every
//! turn, or that is restored from the store, decides what one decides that never left memory.

use proptest::prelude::*;
use tollgate::fold::event::Line;
#[cfg(feature = "files")]
use tollgate::generate::{LineWriter, Options, Traffic};
use tollgate::store::memory::{Disk, MemoryStore};

use crate::folding::{LOGS, Outcome, Turn, in_memory, lines, lines_of, with_store};
use crate::model::dice::Dice;
use crate::model::logs::{Flavour, random_log};

const LOGS_MADE: u64 = 200;

fn with_memory_store(lines: &[Line], most: usize, turns: &[Turn]) -> Outcome {
    let disk = Disk::default();
    let store = MemoryStore::open(disk.clone(), 0);
    with_store(lines, most, turns, store, |_| disk.totals().expect("rows that fit"))
}

#[test]
fn letting_every_row_go_after_every_batch_changes_nothing() {
    for log in LOGS {
        let lines = lines(log);
        let expected = in_memory(&lines);
        assert!(expected.decisions.len() > 40, "{log} decides something");
        for turn in [Turn::Evict, Turn::WriteLater, Turn::Restore] {
            for most in [1, 2, 20] {
                let found = with_memory_store(&lines, most, &[turn]);
                found.assert_same(&expected, &format!("{log}, {turn:?} after {most} lines"));
            }
        }
    }
}

/// Logs made to be awkward, each cut and interrupted in its own way.
#[test]
fn random_logs_decide_as_in_memory() {
    for seed in 0..LOGS_MADE {
        let mut dice = Dice::new(seed);
        let flavour = if seed % 2 == 0 { Flavour::Plain } else { Flavour::Stress };
        let log = random_log(seed, 400, flavour);
        let lines = lines_of(&log, "made");
        let most = 1 + dice.below(25);
        let kinds = [Turn::Nothing, Turn::Evict, Turn::WriteLater, Turn::Restore];
        let turns: Vec<Turn> = (0..29).map(|_| kinds[dice.below(4)]).collect();
        let found = with_memory_store(&lines, most, &turns);
        found.assert_same(&in_memory(&lines), &format!("seed {seed}"));
    }
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        5 => Just(Turn::Nothing),
        3 => Just(Turn::Evict),
        3 => Just(Turn::WriteLater),
        1 => Just(Turn::Restore),
    ]
}

/// Some lines of some logs, one log behind the other or shuffled together.
fn any_lines() -> impl Strategy<Value = Vec<Line<'static>>> {
    let all: Vec<Line<'static>> = LOGS.into_iter().flat_map(lines).collect();
    let length = all.len();
    let subset = prop::sample::subsequence(all.clone(), 0..length / 2);
    let span = (0..length, 1..400usize)
        .prop_map(move |(from, count)| all[from..length.min(from + count)].to_vec());
    prop_oneof![subset.clone(), span.clone(), subset.prop_shuffle(), span.prop_shuffle(),]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_lines_and_any_turns_decide_as_in_memory(
        lines in any_lines(),
        most in prop_oneof![Just(1), 1..40usize],
        turns in prop::collection::vec(turn(), 1..50),
    ) {
        with_memory_store(&lines, most, &turns).assert_same(&in_memory(&lines), "");
    }
}

/// Traffic as carriers have it: many accounts, late and early events, limits that change.
#[cfg(feature = "files")]
#[test]
fn generated_traffic_decides_as_in_memory() {
    let options =
        Options { events: 30_000, accounts: 300, gap_us: 2_000_000, ..Options::default() };
    let mut writer = LineWriter::for_file();
    let mut log = Vec::new();
    for line in Traffic::new(&options).expect("plain options") {
        writer.write(&line, &mut log);
    }
    let lines = lines_of(&log, "generated");
    let expected = in_memory(&lines);
    let turns = [Turn::Nothing, Turn::Evict, Turn::WriteLater, Turn::Nothing, Turn::Restore];
    with_memory_store(&lines, 500, &turns).assert_same(&expected, "in batches of 500 lines");
}
