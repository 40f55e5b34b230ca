//! The engine: the loop of one partition, its recovery, its publishing, and who owns what.
//!
//! A line walks: `log` (read) -> `intake` (decode, merge) -> `batch` (fold) -> `partition` (append
//! to the journal, win) -> `outbox` and `blocks` (publish) -> `checkpoint` (store).

pub mod batch;
pub mod blocks;
mod checkpoint;
pub mod intake;
#[cfg(feature = "engine")]
pub mod kafka;
pub mod log;
pub mod memory;
pub mod options;
pub mod outbox;
pub mod partition;
mod placement;
#[cfg(feature = "engine")]
pub mod runner;
mod skew;
