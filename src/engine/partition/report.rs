//! What a turn tells its caller, for metrics and for whoever looks on. Promise: a record is told as
//! won once, and only when it stands in the valid chain.

use crate::fold::Counts;
use crate::fold::decision::Decision;
use crate::time::Millis;

/// What a turn did, and when the next is due without news.
#[derive(Debug, Default)]
pub struct Turn {
    /// Something moved: turn again at once.
    pub progress: bool,
    /// When to turn even if nothing arrives.
    pub wake_at: Option<Millis>,
    /// Records that entered the valid chain, in order.
    pub won: Vec<Won>,
    /// Why what was folded had to be thrown away, if it had.
    pub lost: Option<String>,
    /// Outputs that failed and are sent again.
    pub retries: u64,
    /// Checkpoints that could not be written.
    pub checkpoint_failures: u64,
    /// Microseconds that a checkpoint took which was written now.
    pub checkpoint_us: Option<i64>,
}

/// A record of the valid chain and what it decided.
#[derive(Debug)]
pub struct Won {
    pub seq: u64,
    pub control: Counts,
    /// Lines of the command topic.
    pub commands: u64,
    pub decisions: Vec<Decision>,
    /// Microseconds that the fold took.
    pub fold_us: i64,
    /// Microseconds from the append to its acknowledgement; `None` if folded from the journal.
    pub append_us: Option<i64>,
    pub won_at: Millis,
    pub oldest: Option<Millis>,
}
