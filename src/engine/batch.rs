//! One batch: lines and a last tick through the fold, and what came of it. Promise: the same lines
//! and tick give the same control totals and decision hash to everyone (L1); recovery compares
//! them.

use std::sync::Arc;

use super::intake::{Intake, Waiting};
use super::log::{Output, Source, Topic};
use crate::fold::decision::{BlockChanged, Decision};
use crate::fold::event::{Line, Position};
use crate::fold::{Counts, State};
use crate::journal::{Hash, Hasher};
use crate::store::BlockRow;
use crate::time::{Clock, DAY_MS, Millis};
use crate::wire::{self, Decoder, Encoder, json};

/// Lines that are decoded before they are folded: few enough to stay in a core's cache.
pub const LINES_AT_ONCE: usize = 256;

/// Bytes of an original that a dead letter carries at most; beyond, it is cut and says so.
pub const ORIGINAL_BYTES_MAX: usize = 512 * 1024;

/// What folding a batch gave.
#[derive(Debug)]
pub struct Folded {
    pub control: Counts,
    pub decisions: Vec<Decision>,
    pub decisions_hash: Hash,
    /// The record's `now`.
    pub now: Millis,
    /// Bytes of rejected lines, in the order of their `Rejected` decisions.
    originals: Vec<Vec<u8>>,
    /// Lines of the command topic.
    pub commands: u64,
    /// Record timestamp of the oldest line, for the lag to the decision.
    pub oldest: Option<Millis>,
    /// Microseconds that the fold took.
    pub fold_us: i64,
}

/// A decided batch's records for the output topics.
#[derive(Debug, Default)]
pub struct Outputs {
    /// In order; block-state aside.
    pub records: Vec<Output>,
    /// The last block record of each key touched, in order of decision.
    pub blocks: Vec<(String, BlockRow)>,
}

/// What waits, as the fold takes it, into `lines`.
///
/// # Errors
/// None after the intake's `prepare`; a registry's, in principle.
pub fn decode<'a>(
    decoder: &Decoder,
    waiting: &'a [Waiting],
    intake: &Intake,
    lines: &mut Vec<Line<'a>>,
) -> Result<(), wire::Error> {
    let line = |waiting: &'a Waiting| {
        let decoded = match waiting.source {
            Source::Commands => decoder.decode_command(waiting.bytes())?,
            _ => decoder.decode_billed(waiting.bytes())?,
        };
        let source = Arc::clone(intake.name(waiting.source));
        let position = Position { source, at: waiting.raw.offset };
        Ok(Line { input: decoded.input, recorded_at: waiting.recorded_at, position })
    };
    lines.clear();
    waiting.iter().try_for_each(|waiting| line(waiting).map(|line| lines.push(line)))
}

/// A batch on its way through the fold, some lines at a time.
#[derive(Debug)]
pub struct Folding {
    before: Counts,
    decisions: Vec<Decision>,
    originals: Vec<Vec<u8>>,
    commands: u64,
    oldest: Option<Millis>,
    fold_us: i64,
    empty: bool,
}

impl Folding {
    #[must_use]
    pub fn begin(state: &State) -> Folding {
        Folding {
            before: state.counts(),
            decisions: Vec::new(),
            originals: Vec::new(),
            commands: 0,
            oldest: None,
            fold_us: 0,
            empty: true,
        }
    }

    /// Folds lines, which `waiting` are the records of. The clock only measures how long it takes.
    pub fn lines(
        &mut self,
        state: &mut State,
        lines: &[Line<'_>],
        waiting: &[Waiting],
        clock: &impl Clock,
    ) {
        let began_us = clock.micros();
        let first = self.decisions.len();
        state.fold_lines(lines, &mut self.decisions);
        self.originals.extend(originals(&self.decisions[first..], lines, waiting));
        let of_commands = waiting.iter().filter(|waiting| waiting.source == Source::Commands);
        self.commands += of_commands.count() as u64;
        self.oldest = self.oldest.or(waiting.first().map(|waiting| waiting.raw.timestamp));
        self.empty &= lines.is_empty();
        self.fold_us += clock.micros() - began_us;
    }

    /// Moves `now` to `tick`, without lines by a slice of timers at most.
    pub fn finish(mut self, state: &mut State, tick: Millis, clock: &impl Clock) -> Folded {
        let began_us = clock.micros();
        if self.empty {
            state.advance_slice(tick, &mut self.decisions);
        } else {
            state.advance(tick, &mut self.decisions);
        }
        Folded {
            control: state.counts().since(&self.before),
            decisions_hash: hash(&self.decisions),
            decisions: self.decisions,
            now: state.now().expect("a tick has moved now"),
            originals: self.originals,
            commands: self.commands,
            oldest: self.oldest,
            fold_us: self.fold_us + clock.micros() - began_us,
        }
    }
}

/// The bytes of the lines that were rejected, in order. A line is rejected once at most.
fn originals(decisions: &[Decision], lines: &[Line<'_>], waiting: &[Waiting]) -> Vec<Vec<u8>> {
    let mut rest = lines.iter().zip(waiting);
    let rejected = decisions.iter().filter_map(|decision| match decision {
        Decision::Rejected(rejected) => Some(&rejected.position),
        _ => None,
    });
    let original = |position: &Position| {
        let (_, waiting) = rest.find(|(line, _)| line.position == *position)?;
        Some(waiting.bytes().to_vec())
    };
    rejected.map(original).map(|bytes| bytes.expect("a reject names its line")).collect()
}

fn hash(decisions: &[Decision]) -> Hash {
    let mut hasher = Hasher::default();
    let mut line = Vec::new();
    for decision in decisions {
        line.clear();
        json::write_decision(decision, &mut line);
        line.push(b'\n');
        hasher.update(&line);
    }
    hasher.finish()
}

impl Folded {
    /// Encodes the decisions for their topics.
    ///
    /// # Errors
    /// When the encoder cannot, for the time being; nothing is lost by asking again.
    pub fn outputs(&self, encoder: &Encoder) -> Result<Outputs, wire::Error> {
        let mut outputs = Outputs::default();
        let mut originals = self.originals.iter();
        for decision in &self.decisions {
            let (topic, key, original) = match decision {
                Decision::ThresholdCrossed(crossed) => {
                    (Topic::ThresholdCrossed, Some(crossed.evidence.account_id.as_bytes()), None)
                }
                Decision::LimitReached(reached) => {
                    (Topic::LimitReached, Some(reached.evidence.account_id.as_bytes()), None)
                }
                Decision::BlockChanged(changed) => {
                    let payload = encoder.encode_decision(decision, None, false)?;
                    outputs.blocks.push((changed.block_key.clone(), block_row(changed, payload)));
                    continue;
                }
                Decision::Rejected(rejected) => {
                    let original = originals.next().expect("a rejected line's bytes were kept");
                    let key = rejected.account_id.as_deref().map(str::as_bytes);
                    (Topic::DeadLetter, key, Some(original.as_slice()))
                }
            };
            let cut = original.map(|bytes| &bytes[..bytes.len().min(ORIGINAL_BYTES_MAX)]);
            let truncated = original.is_some_and(|bytes| bytes.len() > ORIGINAL_BYTES_MAX);
            let value = Some(encoder.encode_decision(decision, cut, truncated)?);
            outputs.records.push(Output { topic, key: key.map(<[u8]>::to_vec), value });
        }
        Ok(outputs)
    }
}

fn block_row(changed: &BlockChanged, payload: Vec<u8>) -> BlockRow {
    let evidence = &changed.evidence;
    // Only keys of "each number" have a part behind account and limit, which hold no `/`; those go
    // a day after the lift.
    let numbered = changed.block_key.split('/').nth(2).is_some();
    let goes = numbered && !changed.blocked();
    let goes_after = goes.then(|| Millis(evidence.now.0 + DAY_MS));
    BlockRow { sequence: changed.sequence, payload, goes_after }
}
