//! The journal records of a search: real ones, judged by the engine's own chain rule. A state
//! names them by number; equal records have one number, as they have one hash.

use std::collections::HashMap;

use foldhash::quality::FixedState;
use tollgate::fold::Counts;
use tollgate::journal::{self, Hash, Owner, Partitioner, Range, Record, Tip};
use tollgate::money::Money;
use tollgate::time::Millis;

pub type Id = u16;

/// What tells one record of the model from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draft {
    pub prev: Option<Id>,
    pub from: u8,
    pub to: u8,
    pub now: u8,
    pub through: Option<u8>,
    /// Who appends it, and which of its runs.
    pub owner: (u8, u8),
    /// What its owner has folded with it: the record's decisions hash.
    pub content: u32,
}

struct Known {
    draft: Draft,
    record: Record,
    /// Offset 0: the rule does not look at it.
    tip: Tip,
}

#[derive(Default)]
pub struct Records {
    known: Vec<Known>,
    numbers: HashMap<Draft, Id, FixedState>,
}

impl Records {
    pub fn number(&mut self, draft: Draft) -> Id {
        if let Some(id) = self.numbers.get(&draft) {
            return *id;
        }
        let before = draft.prev.map(|prev| &self.known[usize::from(prev)].tip);
        let range = |from: u8, to: u8| Range { from: u64::from(from), to: u64::from(to) };
        let record = Record {
            seq: before.map_or(0, |before| before.seq + 1),
            prev: before.map_or(Hash::ZERO, |before| before.hash),
            billed: range(draft.from, draft.to),
            commands: range(0, 0),
            now: Millis(i64::from(draft.now)),
            dedup_minutes: 10,
            control: Counts {
                events: u64::from(draft.to - draft.from),
                duplicates: 0,
                rejects: 0,
                cost: Money(0),
                requests: 0,
            },
            decisions: u64::from(draft.to - draft.from),
            decisions_hash: Hash::of(&draft.content.to_le_bytes()),
            published_through: draft.through.map(u64::from),
            owner: Owner { address: draft.owner.0.to_string(), run: draft.owner.1.to_string() },
            rules: 1,
            partitions: 1,
            partitioner: Partitioner::Murmur2,
        };
        let tip = Tip::after(&record, Hash::of(&record.encode()), 0);
        let id = Id::try_from(self.known.len()).expect("a search has few different records");
        self.known.push(Known { draft, record, tip });
        self.numbers.insert(draft, id);
        id
    }

    pub fn draft(&self, id: Id) -> &Draft {
        &self.known[usize::from(id)].draft
    }

    pub fn seq(&self, id: Id) -> u8 {
        u8::try_from(self.known[usize::from(id)].record.seq).expect("a journal of few records")
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// The engine's rule, as it is.
    pub fn extends(&self, tip: Option<Id>, id: Id) -> bool {
        let tip = tip.map(|tip| &self.known[usize::from(tip)].tip);
        journal::extends(tip, &self.known[usize::from(id)].record).is_ok()
    }

    /// A wrong reading of it: who stood before does not matter.
    pub fn extends_whatever_was_before(&self, tip: Option<Id>, id: Id) -> bool {
        let mut record = self.known[usize::from(id)].record.clone();
        let tip = tip.map(|tip| &self.known[usize::from(tip)].tip);
        record.prev = tip.map_or(Hash::ZERO, |tip| tip.hash);
        journal::extends(tip, &record).is_ok()
    }
}

/// Records of the valid chain, in order, with their offsets.
pub type Chain = super::list::List<(Id, u8), { super::state::JOURNAL_MAX }>;

/// What a fold makes of `before` by folding lines at `now`. However they are cut, the same.
pub fn fold(before: u32, from: u8, to: u8, now: u8) -> u32 {
    (from..to).fold(before, |content, line| {
        let mixed = content ^ (u32::from(line) + 1) ^ (u32::from(now) << 8);
        (mixed.wrapping_mul(0x9e37_79b1)).rotate_left(13).wrapping_add(1)
    })
}

/// A bit for each line.
pub fn bits(from: u8, to: u8) -> u8 {
    (from..to).fold(0, |bits, line| bits | 1 << line)
}
