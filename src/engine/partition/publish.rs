//! What follows a decision: outputs and block records to their topics, rows to the store. Promise:
//! both only for what stands in the valid chain.

use super::super::log::Log;
use super::{Fault, Partition, Turn};
use crate::fault_point;
use crate::fold::decision::Decision;
use crate::store::{self, Store};
use crate::time::{Clock, Millis};

/// Microseconds until a checkpoint that a full disk refused is tried again. Until then, and as long
/// as the disk is full, changed rows stay in memory.
const CHECKPOINT_RETRY_US: i64 = 5_000_000;

impl<L: Log, S: Store, C: Clock> Partition<L, S, C> {
    pub(super) fn publish(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        turn.progress |= self.outbox.send(&mut self.log, &mut self.ids)?;
        let now = self.chain.as_ref().map_or(Millis(0), |tip| tip.now);
        let (state, pending, ready) = (&self.state, &self.pending, &self.ready);
        let known = |key: &str| {
            let account = account_of(key);
            // What is folded and has not won yet does not count.
            let ahead = pending.iter().chain(ready).flat_map(|one| &one.folded.decisions);
            let first = ahead.filter_map(Decision::block_sequence).find(|one| one.0 == account);
            first.map_or_else(|| state.sequence(&account), |(_, sequence)| sequence - 1)
        };
        turn.progress |= self.blocks.publish(&mut self.log, &mut self.ids, now, known)?;
        Ok(())
    }

    pub(super) fn checkpoint(&mut self, turn: &mut Turn) {
        if let Some(written) = self.store.written() {
            turn.progress = true;
            match written {
                Ok(epoch) => {
                    fault_point::reach("checkpoint.written");
                    if self.checkpoint_again_us.take().is_some() {
                        tracing::info!("there is room: checkpoints are written again");
                    }
                    let began_us = self.checkpoint_began_us.take();
                    turn.checkpoint_us = began_us.map(|began_us| self.clock.micros() - began_us);
                    if let Some(tip) = self.checkpoints.written(epoch, &mut self.state) {
                        fault_point::reach("offsets.commit");
                        self.log.commit(tip.billed, tip.commands);
                    }
                }
                Err(error @ store::Error::Full { .. }) => {
                    turn.checkpoint_failures += 1;
                    tracing::error!(%error, "a checkpoint waits for room, the fold goes on");
                    self.checkpoint_again_us = Some(self.clock.micros() + CHECKPOINT_RETRY_US);
                }
                Err(error) => {
                    turn.checkpoint_failures += 1;
                    tracing::error!(%error, "a checkpoint failed; the next will hold its rows");
                    // The rows of the failed checkpoint count as written in memory: start over.
                    return self.lost(format!("a checkpoint failed: {error}"), turn);
                }
            }
        }
        let micros = self.clock.micros();
        if let Some(again_us) = &mut self.checkpoint_again_us
            && micros >= *again_us
        {
            *again_us = micros + CHECKPOINT_RETRY_US;
            self.store.again();
        }
        let settled = self.pending.is_empty() && self.ready.is_none() && self.behind.is_empty();
        if settled && let Some(tip) = &self.chain {
            let (state, folded) = (&mut self.state, self.intake.folded());
            if self.winding_down {
                self.checkpoints.freeze_last(tip, state, folded);
            } else {
                self.checkpoints.freeze_settled(tip, state, folded, micros);
            }
        }
        turn.progress |= self.checkpoints.gather_some(&mut self.state);
        let through = self.published_through();
        if let Some(ready) = self.checkpoints.submit(through, || self.blocks.freeze()) {
            self.checkpoint_began_us = Some(self.clock.micros());
            fault_point::reach("checkpoint.submit");
            self.store.submit(ready);
            turn.progress = true;
        }
    }
}

/// The account of a block key: `%2F` and `%25` stand for `/` and `%`.
fn account_of(block_key: &str) -> String {
    let account = block_key.split('/').next().unwrap_or_default();
    account.replace("%2F", "/").replace("%25", "%")
}
