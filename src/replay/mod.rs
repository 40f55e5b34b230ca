//! `tollgate replay`: the engine's fold over log files, into a scratch state, publishing nothing.
//! Promise: same files, same bytes, however they are compressed or cut; a line that cannot be
//! taken is a `rejected` decision and the rest goes on. It never writes over a log it reads.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::fold::State;
use crate::fold::decision::Decision;
use crate::fold::event::Line;
use crate::time::Clock;
use crate::wire::json::{write_decision, write_total};

mod blocks;
mod output;
mod pipeline;
mod progress;
mod source;
mod summary;

pub use summary::{DecisionCounts, RejectCounts, Summary};

/// Longest line that is read; a longer one is rejected as undecodable.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What to replay and where to write. A path `-` is standard input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Folded one after the other.
    pub logs: Vec<PathBuf>,
    /// Not written when `None`.
    pub decisions: Option<PathBuf>,
    /// Not written when `None`.
    pub totals: Option<PathBuf>,
    /// How long ids are remembered, 1..=1,440 (O3).
    pub dedup_minutes: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a replay needs at least one log")]
    NoLog,
    #[error("standard input can be read only once: name `-` once among the logs")]
    StdinTwice,
    #[error("decisions and totals cannot both go to {0}: name a file for one of them")]
    SamePlace(String),
    #[error("{0} is a log to read and would be written over: name another file")]
    OverLog(String),
    #[error("could not read {place}")]
    Read {
        place: String,
        #[source]
        cause: io::Error,
    },
    #[error("could not write {place}")]
    Write {
        place: String,
        #[source]
        cause: io::Error,
    },
}

/// Folds the logs; shows a progress bar when standard error is a terminal.
///
/// # Errors
/// Options that contradict each other, a log that cannot be read to its end, an output that
/// cannot be written. What was decided before a read failed has been written.
pub fn run(options: &Options, clock: &dyn Clock) -> Result<Summary, Error> {
    source::check(&options.logs)?;
    output::check(options)?;
    let started = clock.now();
    let mut folding = Folding::new(options.dedup_minutes, options.decisions.is_some());
    let mut decisions = output::Output::open(options.decisions.as_deref())?;
    let read = pipeline::lines(&options.logs, |lines| {
        folding.lines(lines);
        decisions.take(&mut folding.written)
    });
    decisions.close(&mut folding.written)?;
    read?;
    let mut totals = output::Output::open(options.totals.as_deref())?;
    if options.totals.is_some() {
        let mut written = Vec::new();
        for total in folding.state.totals() {
            write_total(&total, &mut written);
            written.push(b'\n');
            totals.take(&mut written)?;
        }
        totals.close(&mut written)?;
    }
    let elapsed_ms = clock.now().0.saturating_sub(started.0);
    Ok(folding.summary(u64::try_from(elapsed_ms).unwrap_or(0)))
}

/// What a log in memory gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// NDJSON.
    pub decisions: Vec<u8>,
    /// NDJSON.
    pub totals: Vec<u8>,
    pub summary: Summary,
}

/// Replays NDJSON in memory; positions name `file_name`.
#[must_use]
pub fn fold_bytes(log: &[u8], file_name: &str, dedup_minutes: u32) -> Folded {
    let mut folding = Folding::new(dedup_minutes, true);
    let source: Arc<str> = file_name.into();
    for line in blocks::lines(&source, 1, log) {
        folding.lines(std::slice::from_ref(&line));
    }
    let mut totals = Vec::new();
    for total in folding.state.totals() {
        write_total(&total, &mut totals);
        totals.push(b'\n');
    }
    let decisions = std::mem::take(&mut folding.written);
    Folded { decisions, totals, summary: folding.summary(0) }
}

/// Reads one log on this thread, plain or compressed, lines or a container, and gives its lines in
/// order to `take`, some at a time.
///
/// # Errors
/// A log that cannot be read to its end (after all lines before it were given), or what `take`
/// returned.
pub fn read_log(
    log: impl io::Read + Send + 'static,
    name: &str,
    take: impl FnMut(&[Line<'_>]) -> Result<(), Error>,
) -> Result<(), Error> {
    pipeline::lines_of(source::of(name, log)?, take)
}

/// A fold under way: the state, what was counted, and decisions not yet written.
struct Folding {
    state: State,
    summary: Summary,
    write: bool,
    decided: Vec<Decision>,
    written: Vec<u8>,
}

impl Folding {
    fn new(dedup_minutes: u32, write: bool) -> Folding {
        Folding {
            state: State::new(dedup_minutes),
            summary: Summary::default(),
            write,
            decided: Vec::new(),
            written: Vec::new(),
        }
    }

    fn lines(&mut self, lines: &[Line<'_>]) {
        lines.iter().for_each(|line| self.summary.count_line(&line.input));
        self.state.fold_lines(lines, &mut self.decided);
        for decision in self.decided.drain(..) {
            self.summary.count_decision(&decision);
            if self.write {
                write_decision(&decision, &mut self.written);
                self.written.push(b'\n');
            }
        }
    }

    fn summary(mut self, elapsed_ms: u64) -> Summary {
        let counts = self.state.counts();
        self.summary.events = counts.events;
        self.summary.duplicates = counts.duplicates;
        self.summary.time(elapsed_ms);
        self.summary
    }
}

#[cfg(all(test, feature = "engine"))]
mod tests;
