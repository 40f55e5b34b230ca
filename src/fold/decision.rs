//! What the fold concludes. Promise: a decision carries its evidence (C7) and a deterministic id
//! (FORMATS.md, "Decisions"), so that a crash or a replay can never page someone twice (C3).

use compact_str::CompactString;
use uuid::Uuid;

use super::event::{Position, Reason};
use super::limit::{Action, Amount, Bounds, Measure, Scope, Window};
use crate::time::Millis;

/// Namespace of all decision ids (FORMATS.md).
pub const NAMESPACE: Uuid = Uuid::from_u128(0xd5fafeb1_ad4f_5bfd_bfb4_25e354558cda);

#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    ThresholdCrossed(ThresholdCrossed),
    LimitReached(LimitReached),
    BlockChanged(BlockChanged),
    Rejected(Rejected),
}

/// What every decision about a limit tells: which limit, its total before and after, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub id: Uuid,
    pub account_id: CompactString,
    pub limit_id: CompactString,
    pub limit_version: u32,
    pub scope: Scope,
    pub measure: Measure,
    pub window: Window,
    pub configured_limit: Amount,
    pub before: Amount,
    pub current: Amount,
    pub now: Millis,
    pub cause: Cause,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdCrossed {
    pub evidence: Evidence,
    /// `None` for sliding windows.
    pub bounds: Option<Bounds>,
    pub arming: u32,
    /// Percent, 1..=100.
    pub threshold: u8,
    pub direction: Direction,
    pub highest: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LimitReached {
    pub evidence: Evidence,
    /// `None` for sliding windows.
    pub bounds: Option<Bounds>,
    pub arming: u32,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BlockChanged {
    pub evidence: Evidence,
    /// `account/limit`, and `/number` for scopes that mean each; `%` and `/` of the account
    /// escaped.
    pub block_key: String,
    /// `Some` while blocked: when the block ends by itself.
    pub blocked_until: Option<Millis>,
    /// Rises by 1 with each block record of the account, from 1.
    pub sequence: u64,
}

impl Decision {
    /// Account and sequence of a block record.
    #[must_use]
    pub fn block_sequence(&self) -> Option<(&str, u64)> {
        match self {
            Decision::BlockChanged(changed) => {
                Some((&changed.evidence.account_id, changed.sequence))
            }
            _ => None,
        }
    }
}

impl BlockChanged {
    #[must_use]
    pub fn blocked(&self) -> bool {
        self.blocked_until.is_some()
    }
}

/// A line that was declined (C6).
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    pub reason: Reason,
    pub account_id: Option<String>,
    pub event_id: Option<String>,
    pub command_id: Option<String>,
    pub detail: String,
    /// `None` when no line has set the time yet.
    pub now: Option<Millis>,
    pub position: Position,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
}

impl Direction {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
        }
    }
}

/// What made the fold decide.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    Event {
        event_id: CompactString,
        occurred_at: Millis,
        position: Position,
    },
    /// An event with a negative cost (C4).
    Correction {
        event_id: CompactString,
        occurred_at: Millis,
        position: Position,
    },
    Command {
        command_id: CompactString,
        position: Position,
    },
    /// A timer: a window ended or an entry of a sliding one expired.
    WindowEnd,
}
