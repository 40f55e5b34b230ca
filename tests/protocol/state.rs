//! A state of the model: what the topics hold, what is on its way, and what each owner knows and
//! has on its disk. Promise: equal situations are equal values, and a state is small and `Copy`.
//!
//! What is left out, since no rule speaks of it: commands (a second range like billed), timers,
//! dead letters, several accounts, the journal's retention.

use super::list::List;
use super::records::Id;

/// Room in the model's topics. To want more is a violation: no schedule may go on for ever.
pub const JOURNAL_MAX: usize = 14;
pub const BLOCK_STATE_MAX: usize = 16;
pub const OWNERS_MAX: usize = 3;
pub const KEYS_MAX: usize = 2;

/// A block-state record. Line `n` decides sequence `n + 1` of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Block {
    pub key: u8,
    /// 0 is a tombstone.
    pub sequence: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    pub journal: List<Id, JOURNAL_MAX>,
    /// Appends of producers that were given up: each may land at any time, or never.
    pub loose: List<Id, 8>,
    /// Lines whose output stands in its topic, a bit each.
    pub outputs: u8,
    /// Some output stands there twice.
    pub twice: bool,
    pub block_state: List<Block, BLOCK_STATE_MAX>,
    /// Block records that nobody waits for any more: each may land at any time, or never.
    pub loose_blocks: List<Block, 4>,
    pub owners: List<Owner, OWNERS_MAX>,
    /// Faults that may still happen.
    pub left: Faults,
    /// The journal has lost acknowledged records.
    pub cut: bool,
}

/// How often what may go wrong in one course of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// Crashes with the store kept, aged, or lost; the next run begins at once.
    pub crashes: u8,
    /// Owners that end and never come back.
    pub leaves: u8,
    /// Appends and block publishes reported as failed, whatever became of them.
    pub failures: u8,
    /// Acknowledgements without an offset.
    pub bare: u8,
    /// What was given up and lands nevertheless.
    pub late: u8,
    /// Lists frozen for a checkpoint. No fault, but counted like one.
    pub freezes: u8,
    /// Calls in the middle of a recovery that fail for the time being.
    pub interrupts: u8,
    /// Cuts of the journal's tail, with a crash of all.
    pub cuts: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Life {
    #[default]
    Up,
    /// Waits for a person: acknowledged journal records vanished.
    Stopped,
    Gone,
}

/// How far a recovery came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Begun {
    #[default]
    Yes,
    /// A call in it failed for the time being: it must be begun again.
    No,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner {
    pub life: Life,
    pub begun: Begun,
    /// Counts its starts: each has a run id of its own.
    pub run: u8,
    /// Has read the journal to its end and appends.
    pub owning: bool,
    /// Has yet to append the empty record that names it.
    pub to_name: bool,
    /// Its producer lost an append and takes nothing more.
    pub broken: bool,
    /// Losses so far; where clocks move, what is folded again has a later `now`.
    pub losses: u8,
    /// The valid chain as it knows it: the last record, and the offset behind it.
    pub tip: Option<Id>,
    pub tip_end: u8,
    /// Journal offset of the next read.
    pub read: u8,
    /// Where its reads began.
    pub read_from: u8,
    /// Stands for all that it has folded, pending records included.
    pub content: u32,
    pub pending: List<Pending, 3>,
    /// Greatest position whose outputs are all acknowledged.
    pub through: Option<u8>,
    /// Lines behind that one whose outputs are acknowledged, a bit each.
    pub acknowledged: u8,
    pub blocks: Blocks,
    pub frozen: Option<Frozen>,
    pub store: Option<Stored>,
    /// The checkpoint before, as a snapshot or an old disk has it.
    pub store_before: Option<Stored>,
}

/// A record folded and appended, of which it is not known yet whether it has won.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pending {
    pub record: Id,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fate {
    /// On its way to the broker.
    #[default]
    Sent,
    Landed {
        offset: u8,
    },
    /// Acknowledged; reading will judge it.
    Acknowledged,
}

/// What an owner knows of block-state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Blocks {
    /// Offset of the next read; it begins at 0.
    pub read: u8,
    /// The topic was read to its end at least once.
    pub complete: bool,
    /// Lines below this are decided, as far as its valid chain and the store's rows say.
    pub decided_to: u8,
    pub under_way: [UnderWay; KEYS_MAX],
    /// Keys decided and not sent yet, a bit each; only the reading that never heals looks at it.
    pub fresh: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnderWay {
    #[default]
    Nothing,
    Sent {
        sequence: u8,
    },
    /// Acknowledged at this offset and not read back yet.
    Acknowledged {
        offset: u8,
    },
}

/// Rows as of a record that may not have won yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frozen {
    pub record: Id,
    pub content: u32,
    /// The record it counts for, and the offset behind that, once one has won.
    pub won: Option<(Id, u8)>,
}

/// What a store holds: its position, and what its rows were folded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    pub record: Id,
    pub end: u8,
    pub content: u32,
    /// Block rows may be ahead of the position: they are those decided when it was written.
    pub decided_to: u8,
}
