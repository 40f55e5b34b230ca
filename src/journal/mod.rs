//! The journal: what was folded, in order, as a chain of small records (L3, L4). Promise: whether
//! a record extends another is one pure function, so every reader sees the same chain.

mod chain;
mod record;

pub use chain::{Break, Tip, extends};
pub use record::{Error, Hash, Hasher, Owner, Partitioner, Range, Record};

/// Version of the record's shape.
pub const RECORD_VERSION: u32 = 1;
