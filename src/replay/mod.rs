//! `tollgate replay`: the engine's fold over log files, into a scratch state, publishing nothing.
//! Promise: same files, same bytes, however they are compressed or cut; a line that cannot be
//! taken is a `rejected` decision and the rest goes on. It never writes over a log it reads.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use crate::fold::ScopeTotals;
use crate::fold::event::Line;
use crate::time::Clock;
use crate::wire::json::write_total;

mod blocks;
mod folding;
mod output;
mod pipeline;
mod progress;
mod source;
mod summary;

use folding::Folding;
pub use summary::{DecisionCounts, RejectCounts, Summary};

/// Longest line that is read; a longer one is rejected as undecodable.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Scopes whose totals a thread writes before the next piece.
const SCOPES_AT_ONCE: usize = 4 * 1024;
/// Lines of a log in memory that are folded at once.
const LINES_IN_MEMORY: usize = 1_000;

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
    /// States that fold side by side, each some of the accounts; 0 are as many as there are cores.
    pub threads: usize,
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
    #[error("no threads to fold with")]
    Threads(#[source] rayon::ThreadPoolBuildError),
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
    let pool = folding::pool(options.threads)?;
    let folding = pool.install(|| folded(options))?;
    let elapsed_ms = clock.now().0.saturating_sub(started.0);
    Ok(pool.install(|| folding.summary(u64::try_from(elapsed_ms).unwrap_or(0))))
}

/// On a thread of the pool, as all that follows.
fn folded(options: &Options) -> Result<Folding, Error> {
    let mut folding = Folding::new(options.dedup_minutes, options.decisions.is_some());
    let mut decisions = output::Output::open(options.decisions.as_deref())?;
    let read = pipeline::lines(&options.logs, |parts| {
        folding.lines(parts);
        decisions.take(&mut folding.written)
    });
    decisions.close(&mut folding.written)?;
    read?;
    let mut totals = output::Output::open(options.totals.as_deref())?;
    if options.totals.is_some() {
        let at_once = rayon::current_num_threads() * SCOPES_AT_ONCE;
        for some in folding.scope_totals().chunks(at_once) {
            let texts: Vec<_> = some.par_chunks(SCOPES_AT_ONCE).map(written).collect();
            texts.into_iter().try_for_each(|mut text| totals.close(&mut text))?;
        }
    }
    Ok(folding)
}

/// NDJSON.
fn written(scopes: &[ScopeTotals<'_>]) -> Vec<u8> {
    let mut text = Vec::new();
    for total in scopes.iter().flat_map(ScopeTotals::totals) {
        write_total(&total, &mut text);
        text.push(b'\n');
    }
    text
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

/// Replays NDJSON in memory on so many threads; positions name `file_name`.
///
/// # Errors
/// When the threads cannot be started.
pub fn fold_bytes(
    log: &[u8],
    file_name: &str,
    dedup_minutes: u32,
    threads: usize,
) -> Result<Folded, Error> {
    let source: Arc<str> = file_name.into();
    let lines: Vec<Line<'_>> = blocks::lines(&source, 1, log).collect();
    let fold = || {
        let mut folding = Folding::new(dedup_minutes, true);
        lines.chunks(LINES_IN_MEMORY).for_each(|some| folding.lines(&[some]));
        let decisions = std::mem::take(&mut folding.written);
        let totals = written(&folding.scope_totals());
        Folded { decisions, totals, summary: folding.summary(0) }
    };
    Ok(folding::pool(threads)?.install(fold))
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
    mut take: impl FnMut(&[Line<'_>]) -> Result<(), Error>,
) -> Result<(), Error> {
    let source = source::of(name, log)?;
    pipeline::lines_of(source, |parts| parts.iter().try_for_each(|lines| take(lines)))
}

#[cfg(all(test, feature = "engine"))]
mod tests;
