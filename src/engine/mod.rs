//! The engine: the loop of one partition, its recovery, its publishing, and who owns what.

#[cfg(feature = "engine")]
pub mod kafka;
pub mod log;
