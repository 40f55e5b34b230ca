//! What others may see of a partition: the metrics, the rounds of its thread, tests. Promise:
//! looking changes nothing, but for the two seams that are handed out whole.

use super::super::log::Log;
use super::{Mode, Partition};
use crate::fold::State;
use crate::journal::Tip;
use crate::store::Store;
use crate::time::Clock;

impl<L: Log, S: Store, C: Clock> Partition<L, S, C> {
    /// The chain's end, for those who look on.
    #[must_use]
    pub fn chain(&self) -> Option<&Tip> {
        self.chain.as_ref()
    }

    /// Position of the rows in the store.
    #[must_use]
    pub fn stored(&self) -> Option<u64> {
        self.checkpoints.stored()
    }

    /// Whether recovery is over.
    #[must_use]
    pub fn owning(&self) -> bool {
        self.mode == Mode::Owning && self.behind.is_empty()
    }

    /// Bytes of rows, ids and a checkpoint on its way, as the budget counts them.
    #[must_use]
    pub fn state_bytes(&self) -> usize {
        self.checkpoints.bytes(&self.state)
    }

    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Outputs that await acknowledgement, block records among them.
    #[must_use]
    pub fn outputs_outstanding(&self) -> usize {
        self.outbox.outstanding() + self.blocks.outstanding()
    }

    /// Nothing is under way or due, as far as has been read.
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.owning()
            && self.pending.is_empty()
            && self.ready.is_none()
            && self.intake.drained()
            && self.outbox.outstanding() == 0
            && self.blocks.settled()
    }

    pub fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }

    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }
}
