//! The wrong readings: each replaces one rule of DESIGN.md ("The journal", "State") by what one
//! might take it for, and must be found in a search whose bounds the rules themselves pass. One
//! that is not found would prove nothing of its rule.

use super::checks::Broken;
use super::configs;
use super::model::Config;

/// One rule, read wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    // "Valid."
    /// A record may extend any record of the right sequence and ranges, whatever its `prev`.
    PrevNotCompared,
    /// A record that stands before a valid one counts too, once its turn has come.
    BeforeCounts,
    /// The last record that extends the chain decides, not the first.
    LaterReplaces,
    // "Won."
    /// An idle owner does not read the journal.
    IdleDoesNotRead,
    GapIsLoss,
    GapIsWin,
    /// An acknowledgement without an offset has won.
    BareIsWin,
    /// An append that was reported as failed, or timed out, will have landed.
    UnknownIsWin,
    /// What was folded on top of the chain stays after a loss.
    FoldKept,
    /// The producer that lost an append goes on being used.
    ProducerKept,
    /// An owner appends before it has read the journal to its end.
    AppendsBeforeTheEnd,
    // "Followed."
    /// A valid record of another owner is skipped.
    ForeignIgnored,
    /// A valid record of another owner moves the chain's end, but is not folded.
    ForeignNotFolded,
    /// After each loss an owner appends an empty record that names it.
    NamesAfterEachLoss,
    // "published_through", and L3.
    LastAcknowledged,
    /// Whoever takes over assumes that all before it is published.
    AssumedAtTakeover,
    /// What others' records say of it is not taken over.
    OthersNotLearned,
    /// Recovery publishes again what lies behind the store's position, whatever the chain says.
    BehindPositionOnly,
    /// Outputs leave with the fold (L3).
    PublishedBeforeWon,
    // "Recovery."
    /// The store is taken as it is, whatever record the journal shows at its position.
    HashNotCompared,
    /// A loss whose first call fails for the time being is not taken up again.
    LossNotResumed,
    /// A recovery in which a call fails for the time being is not begun again.
    RecoveryNotResumed,
    // "State", checkpoints.
    /// The list frozen for a checkpoint is kept after a loss.
    FrozenKept,
    /// It is kept, and the next valid record of its sequence lets it be written.
    FrozenMatchedBySeq,
    /// A checkpoint is written once its record stands in the journal, valid or not.
    WrittenBeforeWon,
    WrittenBeforePublished,
    // "Block-state is level-triggered."
    /// Healed where the topic's sequence is another, not only where it is lower.
    HealedWhereDifferent,
    /// Healed from what is folded, not from what is valid.
    HealedFromFolded,
    /// Healed while something of one's own for the key is under way.
    HealedWhileUnderWay,
    /// Published when it is decided, never healed.
    NeverHealed,
    /// Published before the topic was read to its end.
    HealedBeforeRead,
    /// An unknown key is measured by what is folded, not by what is valid.
    UnknownByFolded,
    /// Gates take what comes last, be it a lower sequence.
    GatesTakeLower,
}

use Reading::*;

/// Each reading, the bounds in which it fails, and what it breaks there first.
pub const READINGS: &[(Reading, Config, Broken)] = &[
    (PrevNotCompared, configs::CLOCKS, Broken::Difference),
    (BeforeCounts, configs::TWO_LATE, Broken::Chain),
    (LaterReplaces, configs::TWO, Broken::Chain),
    (IdleDoesNotRead, configs::TWO, Broken::RestBehind),
    (GapIsLoss, configs::TWO, Broken::NeedlessLoss),
    (GapIsWin, configs::TWO, Broken::Chain),
    (BareIsWin, configs::BARE, Broken::Chain),
    (UnknownIsWin, configs::FAILS, Broken::Chain),
    (FoldKept, configs::TWO, Broken::Content),
    (ProducerKept, configs::TWO_LATE, Broken::RestLines),
    (AppendsBeforeTheEnd, configs::TIGHT, Broken::Endless),
    (ForeignIgnored, configs::TWO, Broken::Chain),
    (ForeignNotFolded, configs::TWO, Broken::Content),
    (NamesAfterEachLoss, configs::TIGHT, Broken::Endless),
    (LastAcknowledged, configs::OUTPUTS_ALONE, Broken::RestOutputs),
    (AssumedAtTakeover, configs::TAKEOVER, Broken::Claimed),
    (OthersNotLearned, configs::OUTPUTS, Broken::Chain),
    (BehindPositionOnly, configs::OUTPUTS_ALONE, Broken::Again),
    (PublishedBeforeWon, configs::OUTPUTS, Broken::Early),
    (HashNotCompared, configs::CUT, Broken::Chain),
    (LossNotResumed, configs::INTERRUPTED, Broken::Chain),
    (RecoveryNotResumed, configs::INTERRUPTED, Broken::Chain),
    (FrozenKept, configs::CHECKPOINT, Broken::RestFrozen),
    (FrozenMatchedBySeq, configs::CHECKPOINT, Broken::Rows),
    (WrittenBeforeWon, configs::CHECKPOINT, Broken::Stored),
    (WrittenBeforePublished, configs::CHECKPOINTS_ALONE, Broken::Claimed),
    (HealedWhereDifferent, configs::BLOCKS, Broken::Endless),
    (HealedFromFolded, configs::BLOCKS, Broken::Early),
    (HealedWhileUnderWay, configs::BLOCKS_ALONE, Broken::Twice),
    (NeverHealed, configs::BLOCKS_ALONE, Broken::RestBlockState),
    (HealedBeforeRead, configs::BLOCKS_ALONE, Broken::Twice),
    (UnknownByFolded, configs::BLOCK, Broken::Lifted),
    (GatesTakeLower, configs::BLOCKS, Broken::GateBack),
];
