//! The fold with hardly any memory. Promise: a state whose rows are written and let go at every
//! turn, or that is restored from the store, decides what one decides that never left memory.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tollgate::fold::decision::Decision;
use tollgate::fold::event::{Line, Position as LinePosition};
use tollgate::fold::{Epoch, State, Total};
use tollgate::journal::{Hash, Tip};
use tollgate::store::memory::{Disk, MemoryStore};
use tollgate::store::{Checkpoint, Position, Retention, Store};
use tollgate::time::{Day, Millis, Month};
use tollgate::wire::json::decode_line;

const DEDUP_MINUTES: u32 = 10;
const LOGS: [&str; 6] = ["plain-1", "plain-2", "plain-3", "stress-1", "stress-2", "stress-3"];

fn lines(log: &str) -> Vec<Line> {
    let name = format!("tests/conformance/{log}.ndjson");
    let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&name));
    let bytes = bytes.expect("a conformance log");
    let source: Arc<str> = name.into();
    let numbered = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let full = numbered.filter(|(_, line)| !line.trim_ascii().is_empty());
    full.map(|(at, bytes)| {
        let decoded = decode_line(bytes);
        Line {
            input: decoded.input,
            recorded_at: decoded.recorded_at.unwrap_or(Millis(0)),
            position: LinePosition { source: source.clone(), at },
        }
    })
    .collect()
}

/// What comes out.
#[derive(Debug, PartialEq)]
struct Outcome {
    decisions: Vec<Decision>,
    totals: Vec<Total>,
}

fn in_memory(lines: &[Line]) -> Outcome {
    let mut state = State::new(DEDUP_MINUTES);
    let mut decisions = Vec::new();
    for line in lines {
        state.fold_line(line, &mut decisions);
    }
    Outcome { decisions, totals: state.totals() }
}

/// What happens after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Nothing,
    /// A checkpoint; then every row that may go goes.
    Evict,
    /// A checkpoint; then the state is thrown away and restored.
    Restore,
    /// A checkpoint is frozen but written only at the next turn: what changed stays till then.
    WriteLater,
}

/// A state and its store, as the engine keeps them.
struct Folding<S> {
    state: State,
    store: S,
    /// Sequence of the next checkpoint.
    seq: u64,
}

impl<S: Store> Folding<S> {
    fn new(store: S) -> Folding<S> {
        Folding { state: State::new(DEDUP_MINUTES), store, seq: 0 }
    }

    fn fold(&mut self, line: &Line, decisions: &mut Vec<Decision>) {
        for row in self
            .store
            .load(&self.state.needs(std::slice::from_ref(line), line.recorded_at))
            .expect("a store that can be read")
        {
            self.state.load(row);
        }
        self.state.fold_line(line, decisions);
    }

    /// Freezes the state and begins to write it.
    fn submit(&mut self) {
        let mut rows = Vec::new();
        let epoch = self.state.freeze(|row| rows.push(row));
        let clockwork = self.state.clockwork();
        let tip = Tip {
            seq: self.seq,
            hash: Hash::ZERO,
            offset: self.seq + 1,
            billed: 0,
            commands: 0,
            now: clockwork.now.unwrap_or(Millis(0)),
            published_through: None,
        };
        self.seq += 1;
        let minutes_before = clockwork.forgotten_before_minute;
        let retention = Retention { days_before: Day(0), months_before: Month(0), minutes_before };
        let position = Position { tip, clockwork };
        self.store.submit(Checkpoint { epoch, position, rows, blocks: Vec::new(), retention });
    }

    /// Waits for the checkpoint under way, if there is one, and lets everything go that may.
    fn settle(&mut self) {
        if let Some(written) = self.store.wait() {
            let epoch = written.expect("a store that can be written");
            self.state.evict(epoch, Epoch::MAX);
        }
    }

    fn restore(&mut self) {
        self.state = State::new(DEDUP_MINUTES);
        self.store.restore(&mut self.state).expect("rows that fit");
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Nothing => {}
            Turn::Evict => {
                self.settle();
                self.submit();
                self.settle();
            }
            Turn::Restore => {
                self.turn(Turn::Evict);
                self.restore();
            }
            Turn::WriteLater => {
                self.settle();
                self.submit();
            }
        }
    }
}

fn with_store<S: Store>(
    lines: &[Line],
    turns: &[Turn],
    store: S,
    totals: impl FnOnce(S) -> Vec<Total>,
) -> Outcome {
    let mut folding = Folding::new(store);
    let mut decisions = Vec::new();
    for (line, turn) in lines.iter().zip(turns.iter().cycle()) {
        folding.fold(line, &mut decisions);
        folding.turn(*turn);
    }
    folding.turn(Turn::Evict);
    Outcome { decisions, totals: totals(folding.store) }
}

fn with_memory_store(lines: &[Line], turns: &[Turn]) -> Outcome {
    let disk = Disk::default();
    let store = MemoryStore::open(disk.clone(), 0);
    with_store(lines, turns, store, |_| disk.totals().expect("rows that fit"))
}

fn assert_same(found: &Outcome, expected: &Outcome, about: &str) {
    for (found, expected) in found.decisions.iter().zip(&expected.decisions) {
        assert_eq!(found, expected, "{about}");
    }
    assert_eq!(found.decisions.len(), expected.decisions.len(), "{about}");
    assert_eq!(found.totals, expected.totals, "{about}");
}

#[test]
fn letting_every_row_go_after_every_line_changes_nothing() {
    for log in LOGS {
        let lines = lines(log);
        let expected = in_memory(&lines);
        assert!(expected.decisions.len() > 40, "{log} decides something");
        for turn in [Turn::Evict, Turn::WriteLater, Turn::Restore] {
            let found = with_memory_store(&lines, &[turn]);
            assert_same(&found, &expected, &format!("{log}, {turn:?}"));
        }
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
fn any_lines() -> impl Strategy<Value = Vec<Line>> {
    let all: Vec<Line> = LOGS.into_iter().flat_map(lines).collect();
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
        turns in prop::collection::vec(turn(), 1..50),
    ) {
        assert_same(&with_memory_store(&lines, &turns), &in_memory(&lines), "memory");
    }
}

#[cfg(feature = "engine")]
#[test]
fn rocksdb_keeps_what_memory_keeps() {
    use tollgate::store::rocks::{Options, RocksStore, Shared, totals};

    let shared = Shared::new(Options { cache_bytes: 8 << 20, write_buffer_bytes: 1 << 20 });
    for log in LOGS {
        let lines = lines(log);
        let expected = in_memory(&lines);
        for turns in [&[Turn::Evict][..], &[Turn::Nothing, Turn::WriteLater, Turn::Restore]] {
            let dir = tempfile::tempdir().expect("a directory");
            let store = RocksStore::open(dir.path(), 3, &shared).expect("a new store");
            let found = with_store(&lines, turns, store, |store| {
                let live = totals(dir.path()).expect("a store that is open elsewhere");
                drop(store);
                let closed = totals(dir.path()).expect("a closed store");
                assert_eq!(live, closed);
                closed
            });
            assert_same(&found, &expected, &format!("{log}, {turns:?}"));
        }
    }
}
