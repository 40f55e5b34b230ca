//! The store: every row of a partition as of a journal position, on disk. Promise: rows and
//! position change together or not at all; the store is a cache of the log (L2) and may be lost at
//! any time. It never decides: the fold reads what it holds, the engine says when to write.

#[cfg(feature = "engine")]
mod background;
mod bytes;
mod codec;
mod keys;
#[cfg(feature = "engine")]
mod kinds;
pub mod memory;
#[cfg(feature = "engine")]
mod offline;
mod pace;
mod raw;
mod read;
mod rewrite;
#[cfg(feature = "engine")]
pub mod rocks;
#[cfg(feature = "engine")]
mod seal;
#[cfg(feature = "engine")]
mod shared;
#[cfg(test)]
mod tests;
mod write;

pub use keys::Kind;
#[doc(hidden)]
pub use rewrite::rewritten;

use crate::fault_point::Injected;
use crate::fold::{Clockwork, Epoch, Loaded, Need, Row, State, Tallies};
use crate::journal::Tip;
use crate::time::{Day, Millis, Month};

/// The journal position that the rows stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub tip: Tip,
    pub clockwork: Clockwork,
    /// Greatest record timestamps of the billed and of the command topic up to there.
    pub billed_latest: Millis,
    pub commands_latest: Millis,
}

/// The last block record of a key, as it was or is to be published (L6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// Of the account; rises with each block record.
    pub sequence: u64,
    /// The record's bytes for the block-state topic.
    pub payload: Vec<u8>,
    /// `Some` for a lifted block of a scope that means each number: its row goes a day later.
    pub goes_after: Option<Millis>,
}

/// What one checkpoint writes, all at once.
#[derive(Debug)]
pub struct Checkpoint {
    pub epoch: Epoch,
    pub position: Position,
    pub rows: Vec<Row>,
    pub tallies: Tallies,
    /// Block rows by block_key; `None` goes.
    pub blocks: Vec<(String, Option<BlockRow>)>,
    pub retention: Retention,
    /// Memory is over its budget until this is written, or the process waits for it to end: it is
    /// written without pauses, and nothing goes before it.
    pub urgent: bool,
}

/// What is dropped with a checkpoint: calendar windows before these, dedup ids of earlier minutes.
/// Sliding groups go when they ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub days_before: Day,
    pub months_before: Month,
    pub minutes_before: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the disk of the state in {place} is full: make room, and it is {act} by itself; what is \
         decided stands in the journal"
    )]
    Full { place: String, act: &'static str },
    #[error("the state in {place} cannot be {act}: {reason}")]
    Storage { place: String, act: &'static str, reason: String },
    #[error(
        "the state in {place} is damaged ({what}): move it away and start again, the topics \
         rebuild it"
    )]
    Damaged { place: String, what: String },
    #[error(
        "the state in {place} has {what}, which this release does not know: run the release that \
         wrote it, or move it away and start again, the topics rebuild it"
    )]
    Format { place: String, what: String },
    #[error(
        "the state in {place} is that of partition {found}, not {expected}: give each topic and \
         each copy of tollgate a state directory of its own"
    )]
    Partition { place: String, expected: u32, found: u32 },
    #[error(
        "the state in {place} is open in another process, perhaps a tollgate that still runs: end \
         that one first, or give this one a state directory of its own"
    )]
    Locked { place: String },
}

impl From<Injected> for Error {
    fn from(injected: Injected) -> Error {
        let reason = injected.to_string();
        Error::Storage { place: "a test".to_owned(), act: "used", reason }
    }
}

/// Where a partition's rows are kept. Two implementations: RocksDB and memory.
pub trait Store {
    /// The position of the rows; `None` when there are none.
    ///
    /// # Errors
    /// When it cannot be read.
    fn position(&mut self) -> Result<Option<Position>, Error>;

    /// Fills an empty state with the resident rows (accounts, limits, timers, dedup ids) and the
    /// clockwork, and gives the block rows.
    ///
    /// # Errors
    /// When a row cannot be read or does not fit.
    fn restore(&mut self, state: &mut State) -> Result<Vec<(String, BlockRow)>, Error>;

    /// Reads the rows that are there of those needed. A day's group of a distinct-recipient limit
    /// comes whole; `Need::Groups` gives every group of the limit.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn load(&mut self, needs: &[Need]) -> Result<Vec<Loaded>, Error>;

    /// Begins to write a checkpoint in the background. One at a time: the next only after
    /// `written` told of this one.
    fn submit(&mut self, checkpoint: Checkpoint);

    /// Tells once that the submitted checkpoint is written, or why not. After `Full` the store
    /// keeps it for `again` and reads as before; after any other error it is gone.
    fn written(&mut self) -> Option<Result<Epoch, Error>>;

    /// Submits once more the checkpoint that a full disk refused.
    fn again(&mut self);

    /// As `written`, but waits for it, and keeps nothing; `None` when nothing was submitted. For
    /// the end of a run, and before beginning anew from the position.
    fn wait(&mut self) -> Option<Result<Epoch, Error>>;

    /// Moves all rows out of the way, for a person to look at, and starts empty.
    ///
    /// # Errors
    /// When that fails.
    fn set_aside(&mut self, reason: &str) -> Result<(), Error>;

    /// Bytes on disk (or in memory), for the metrics.
    fn bytes(&mut self) -> u64;
}
