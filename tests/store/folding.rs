//! A state beside its store, as the engine keeps them, and the same without a store.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tollgate::fold::decision::Decision;
use tollgate::fold::event::{Input, Line, Position as LinePosition};
use tollgate::fold::{Epoch, State, Total};
use tollgate::journal::{Hash, Tip};
use tollgate::store::{BlockRow, Checkpoint, Position, Retention, Store};
use tollgate::time::{Day, Millis, Month};
use tollgate::wire::json::decode_line;

pub const DEDUP_MINUTES: u32 = 10;
pub const LOGS: [&str; 6] = ["plain-1", "plain-2", "plain-3", "stress-1", "stress-2", "stress-3"];

pub fn lines(log: &str) -> Vec<Line<'static>> {
    let name = format!("tests/conformance/{log}.ndjson");
    let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&name));
    lines_of(&bytes.expect("a conformance log"), &name)
}

pub fn lines_of(log: &[u8], name: &str) -> Vec<Line<'static>> {
    let source: Arc<str> = name.into();
    let numbered = (1..).zip(log.split(|byte| *byte == b'\n'));
    let full = numbered.filter(|(_, line)| !line.trim_ascii().is_empty());
    full.map(|(at, bytes)| {
        let decoded = decode_line(bytes).into_owned();
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
pub struct Outcome {
    pub decisions: Vec<Decision>,
    pub totals: Vec<Total>,
}

impl Outcome {
    pub fn assert_same(&self, expected: &Outcome, about: &str) {
        for (found, expected) in self.decisions.iter().zip(&expected.decisions) {
            assert_eq!(found, expected, "{about}");
        }
        assert_eq!(self.decisions.len(), expected.decisions.len(), "{about}");
        assert_eq!(self.totals, expected.totals, "{about}");
    }
}

pub fn in_memory(lines: &[Line<'_>]) -> Outcome {
    let mut state = State::new(DEDUP_MINUTES);
    let mut decisions = Vec::new();
    for line in lines {
        state.fold_line(line, &mut decisions);
    }
    Outcome { decisions, totals: state.totals() }
}

/// Lines that are folded with one look into the store, then moving `now` to `to`.
pub struct Batch<'a> {
    pub lines: &'a [Line<'a>],
    pub to: Millis,
}

/// Cuts lines as the engine does: at most `most` at once, and all but the first of a batch in the
/// day that the first moves `now` to. A tick behind a batch is its last one, whatever its day.
pub fn batches<'a>(lines: &'a [Line<'a>], most: usize) -> Vec<Batch<'a>> {
    let mut batches = Vec::new();
    let (mut rest, mut now) = (lines, Millis(0));
    while let Some(first) = rest.first() {
        let moved = |now: Millis, line: &Line<'_>| match line.input {
            Input::Rejected(_) => now,
            Input::Billed(_) | Input::Command(_) | Input::Tick => now.max(line.recorded_at),
        };
        now = moved(now, first);
        let mut count = 1;
        while count < most
            && let Some(line) = rest.get(count)
            && moved(now, line).day() == now.day()
        {
            now = moved(now, line);
            count += 1;
        }
        let (batch, behind) = rest.split_at(count);
        rest = behind;
        if let Some(Line { input: Input::Tick, recorded_at, .. }) = rest.first()
            && most > 1
        {
            now = now.max(*recorded_at);
            rest = &rest[1..];
        }
        batches.push(Batch { lines: batch, to: now });
    }
    batches
}

/// What happens after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Nothing,
    /// A checkpoint; then every row that may go goes.
    Evict,
    /// A checkpoint; then the state is thrown away and restored.
    Restore,
    /// A checkpoint is frozen but written only at the next turn: what changed stays till then.
    WriteLater,
}

/// A state and its store, as the engine keeps them.
pub struct Folding<S> {
    pub state: State,
    pub store: S,
    /// Sequence of the next checkpoint.
    pub seq: u64,
    /// The block rows as the last checkpoint has them, and what became of some since.
    blocks: BTreeMap<String, BlockRow>,
    fresh_blocks: BTreeMap<String, Option<BlockRow>>,
}

impl<S: Store> Folding<S> {
    pub fn new(store: S) -> Folding<S> {
        let (blocks, fresh_blocks) = (BTreeMap::new(), BTreeMap::new());
        Folding { state: State::new(DEDUP_MINUTES), store, seq: 0, blocks, fresh_blocks }
    }

    pub fn fold(&mut self, batch: &Batch<'_>, decisions: &mut Vec<Decision>) {
        let needs = self.state.needs(batch.lines, batch.to);
        for row in self.store.load(&needs).expect("a store that can be read") {
            self.state.load(row);
        }
        let known = decisions.len();
        for line in batch.lines {
            self.state.fold_line(line, decisions);
        }
        // At the beginning of time no line has set `now` yet.
        if batch.to > Millis(0) {
            self.state.advance(batch.to, decisions);
        }
        for decision in &decisions[known..] {
            self.keep_block(decision);
        }
    }

    /// A block's row goes with the record after its lift.
    fn keep_block(&mut self, decision: &Decision) {
        let Decision::BlockChanged(block) = decision else { return };
        let lifted = self.blocks.get(&block.block_key).is_some_and(|row| row.goes_after.is_some());
        let row = (!lifted).then(|| BlockRow {
            sequence: block.sequence,
            payload: format!("{block:?}").into_bytes(),
            goes_after: (!block.blocked()).then_some(block.evidence.now),
        });
        self.fresh_blocks.insert(block.block_key.clone(), row);
    }

    /// Freezes the state and begins to write it.
    pub fn submit(&mut self) {
        let mut rows = Vec::new();
        let epoch = self.state.close(|row| rows.push(row));
        let tallies = self.state.gather(usize::MAX, |row| rows.push(row)).expect("all at once");
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
        let latest = clockwork.now.unwrap_or(Millis(0));
        let position = Position { tip, clockwork, billed_latest: latest, commands_latest: latest };
        let blocks: Vec<_> = std::mem::take(&mut self.fresh_blocks).into_iter().collect();
        for (block_key, row) in &blocks {
            match row {
                Some(row) => self.blocks.insert(block_key.clone(), row.clone()),
                None => self.blocks.remove(block_key),
            };
        }
        self.store.submit(Checkpoint {
            epoch,
            position,
            rows,
            tallies,
            blocks,
            retention,
            urgent: self.seq.is_multiple_of(2),
        });
    }

    /// Waits for the checkpoint under way, if there is one, and lets everything go that may.
    pub fn settle(&mut self) {
        if let Some(written) = self.store.wait() {
            let epoch = written.expect("a store that can be written");
            self.state.evict(epoch, Epoch::MAX);
        }
    }

    pub fn restore(&mut self) {
        self.state = State::new(DEDUP_MINUTES);
        let blocks = self.store.restore(&mut self.state).expect("rows that fit");
        assert_eq!(blocks.into_iter().collect::<BTreeMap<_, _>>(), self.blocks);
    }

    pub fn turn(&mut self, turn: Turn) {
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

pub fn with_store<S: Store>(
    lines: &[Line],
    most: usize,
    turns: &[Turn],
    store: S,
    totals: impl FnOnce(S) -> Vec<Total>,
) -> Outcome {
    let mut folding = Folding::new(store);
    let mut decisions = Vec::new();
    for (batch, turn) in batches(lines, most).iter().zip(turns.iter().cycle()) {
        folding.fold(batch, &mut decisions);
        folding.turn(*turn);
    }
    folding.turn(Turn::Evict);
    Outcome { decisions, totals: totals(folding.store) }
}
