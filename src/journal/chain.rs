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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Counts;
    use crate::journal::{Owner, Partitioner};

    fn tip() -> Tip {
        Tip {
            seq: 7,
            hash: Hash::of(b"seven"),
            offset: 41,
            billed: 20,
            commands: 3,
            now: Millis(1_000),
            published_through: Some(5),
        }
    }

    /// The least that extends `tip()`: it folded nothing, at the same time.
    fn next() -> Record {
        Record {
            seq: 8,
            prev: Hash::of(b"seven"),
            billed: Range { from: 20, to: 20 },
            commands: Range { from: 3, to: 3 },
            now: Millis(1_000),
            dedup_minutes: 10,
            control: Counts::default(),
            decisions: 0,
            decisions_hash: Hash::ZERO,
            published_through: Some(5),
            owner: Owner { address: "here".to_owned(), run: "a".to_owned() },
            rules: 1,
            partitions: 1,
            partitioner: Partitioner::Murmur2,
        }
    }

    fn changed(change: impl FnOnce(&mut Record)) -> Record {
        let mut record = next();
        change(&mut record);
        record
    }

    #[test]
    fn a_record_extends_the_chain_that_it_goes_on_with() {
        assert_eq!(extends(Some(&tip()), &next()), Ok(()));
        let further = changed(|record| {
            record.billed.to = 25;
            record.commands.to = 4;
            record.now = Millis(2_000);
            record.published_through = Some(7);
        });
        assert_eq!(extends(Some(&tip()), &further), Ok(()));
        let unpublished = Tip { published_through: None, ..tip() };
        let still = changed(|record| record.published_through = None);
        assert_eq!(extends(Some(&unpublished), &still), Ok(()));
    }

    /// DESIGN.md, "The journal", Valid: each rule by itself.
    #[test]
    fn a_record_that_breaks_one_rule_extends_nothing() {
        let broken = [
            (Break::Sequence, changed(|record| record.seq = 7)),
            (Break::Sequence, changed(|record| record.seq = 9)),
            (Break::Previous, changed(|record| record.prev = Hash::of(b"six"))),
            (Break::Ranges, changed(|record| record.billed = Range { from: 19, to: 25 })),
            (Break::Ranges, changed(|record| record.billed = Range { from: 21, to: 25 })),
            (Break::Ranges, changed(|record| record.billed = Range { from: 20, to: 19 })),
            (Break::Ranges, changed(|record| record.commands = Range { from: 2, to: 4 })),
            (Break::Ranges, changed(|record| record.commands = Range { from: 4, to: 4 })),
            (Break::Ranges, changed(|record| record.commands = Range { from: 3, to: 2 })),
            (Break::Time, changed(|record| record.now = Millis(999))),
            (Break::Published, changed(|record| record.published_through = None)),
            (Break::Published, changed(|record| record.published_through = Some(4))),
            (Break::Published, changed(|record| record.published_through = Some(8))),
            (Break::Published, changed(|record| record.published_through = Some(9))),
        ];
        for (why, record) in broken {
            assert_eq!(extends(Some(&tip()), &record), Err(why), "{record:?}");
        }
    }

    #[test]
    fn record_0_begins_the_chain_and_nothing_else_does() {
        let first = |seq, prev| changed(|record| (record.seq, record.prev) = (seq, prev));
        let first = |seq, prev| Record { published_through: None, ..first(seq, prev) };
        assert_eq!(extends(None, &first(0, Hash::ZERO)), Ok(()));
        assert_eq!(extends(None, &first(0, Hash::of(b"other"))), Err(Break::Previous));
        assert_eq!(extends(None, &first(1, Hash::ZERO)), Err(Break::Sequence));
        assert_eq!(extends(None, &first(1, Hash::of(b"other"))), Err(Break::Sequence));
    }

    #[test]
    fn the_chain_goes_on_behind_its_last_record() {
        let record = changed(|record| (record.billed.to, record.commands.to) = (25, 4));
        let expected = Tip { seq: 8, hash: Hash::of(b"eight"), offset: 51, ..tip() };
        let expected = Tip { billed: 25, commands: 4, ..expected };
        assert_eq!(Tip::after(&record, Hash::of(b"eight"), 50), expected);
    }
}
