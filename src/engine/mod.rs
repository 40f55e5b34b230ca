//! The engine: the loop of one partition, its recovery, its publishing, and who owns what.

pub mod log;
