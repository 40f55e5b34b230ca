//! The chain rule, pure. Read in offset order, the first record behind a valid one that extends it
//! is the next; the rest are void and skipped (DESIGN.md, "The journal").

use super::record::{Hash, Range, Record};
use crate::time::Millis;

/// The valid chain as far as it is known: its last record and where the journal goes on behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    pub seq: u64,
    pub hash: Hash,
    /// Journal offset behind the record.
    pub offset: u64,
    /// Where the next record's ranges begin.
    pub billed: u64,
    pub commands: u64,
    pub now: Millis,
    /// Greatest position whose outputs are all acknowledged, as far as the chain tells.
    pub published_through: Option<u64>,
}

/// Why a record does not extend the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    #[error("its sequence is not the next")]
    Sequence,
    #[error("it names another record before it")]
    Previous,
    #[error("its ranges do not go on where the chain ended")]
    Ranges,
    #[error("its time lies before the chain's")]
    Time,
    #[error("it takes back what was published, or claims outputs of records to come")]
    Published,
}

impl Tip {
    /// The tip after `record`, which stands at `offset` of the journal.
    #[must_use]
    pub fn after(record: &Record, hash: Hash, offset: u64) -> Tip {
        Tip {
            seq: record.seq,
            hash,
            offset: offset + 1,
            billed: record.billed.to,
            commands: record.commands.to,
            now: record.now,
            published_through: record.published_through,
        }
    }
}

/// Whether `record` extends the chain that ends at `tip`; `None` is the empty chain.
///
/// # Errors
/// The first rule that it breaks.
pub fn extends(tip: Option<&Tip>, record: &Record) -> Result<(), Break> {
    let forward = |range: Range| range.from <= range.to;
    if !forward(record.billed) || !forward(record.commands) {
        return Err(Break::Ranges);
    }
    if record.published_through.is_some_and(|through| through >= record.seq) {
        return Err(Break::Published);
    }
    let Some(tip) = tip else {
        return match (record.seq, record.prev == Hash::ZERO) {
            (0, true) => Ok(()),
            (0, false) => Err(Break::Previous),
            _ => Err(Break::Sequence),
        };
    };
    if record.seq != tip.seq + 1 {
        return Err(Break::Sequence);
    }
    if record.prev != tip.hash {
        return Err(Break::Previous);
    }
    if record.billed.from != tip.billed || record.commands.from != tip.commands {
        return Err(Break::Ranges);
    }
    if record.now < tip.now {
        return Err(Break::Time);
    }
    if record.published_through < tip.published_through {
        return Err(Break::Published);
    }
    Ok(())
}
