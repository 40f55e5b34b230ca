//! The bounds of a partition's loop. Every queue has one; `config` documents them for users.

use crate::journal::{Owner, Partitioner};

#[derive(Clone, Debug)]
pub struct Options {
    /// Lines of one batch, at most.
    pub batch_lines_max: usize,
    /// Bytes of input of one batch, at most (one line may exceed it alone).
    pub batch_bytes_max: usize,
    /// Journal records that may await acknowledgement, at most.
    pub appends_in_flight_max: usize,
    /// Output records that may await acknowledgement; at this bound the partition stops folding.
    pub outputs_outstanding_max: usize,
    /// Milliseconds between checkpoints.
    pub checkpoint_interval_ms: i64,
    /// Lines folded since the last checkpoint at which the next is due before its time.
    pub checkpoint_lines_max: usize,
    /// Scopes and sliding groups that are gathered for a checkpoint in one turn, and as many for
    /// each 256 lines folded in it: the fold goes on in between.
    pub gathered_at_once: usize,
    /// Bytes of memory for this partition's state and its checkpoint on its way, as estimated from
    /// the number of rows. Those that may go have a quarter of it at least.
    pub memory_bytes_max: usize,
    /// Dedup window in minutes, 1..=1,440 (O3).
    pub dedup_minutes: u32,
    /// Days and months for which totals are kept.
    pub retention_days: u32,
    pub retention_months: u32,
    /// Milliseconds by which the own clock may differ from the broker's.
    pub clock_skew_max_ms: i64,
    pub owner: Owner,
    /// The partition's own number.
    pub partition: u32,
    /// Partition count of the billed topic, and how its producers place accounts.
    pub partitions: u32,
    pub partitioner: Partitioner,
    /// Names of the topics as positions tell them.
    pub billed_topic: String,
    pub commands_topic: String,
}
