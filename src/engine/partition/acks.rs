//! What became of appends and publishes. Promise: a record has won only when it is acknowledged and
//! stands in the valid chain; after any other fate what was folded on top is thrown away.

use super::super::batch::{Folded, Outputs};
use super::super::log::{Ack, Log};
use super::{Mode, Partition, Turn, Won};
use crate::fault_point;
use crate::journal::Tip;
use crate::store::Store;
use crate::time::{Clock, Millis};

impl<L: Log, S: Store, C: Clock> Partition<L, S, C> {
    pub(super) fn take_acks(&mut self, turn: &mut Turn) {
        while let Some(ack) = self.log.acks() {
            turn.progress = true;
            match ack.arrived() {
                Ack::Appended { id, offset, timestamp } => {
                    self.appended(id, offset, timestamp, turn);
                }
                Ack::AppendFailed { id, reason } => {
                    if self.pending.iter().any(|pending| pending.id == id) {
                        return self.lost(format!("an append failed: {reason}"), turn);
                    }
                }
                Ack::Published { id, offset } => {
                    if !self.outbox.published(id) {
                        self.blocks.published(id, offset);
                    }
                }
                Ack::PublishFailed { id, reason } => {
                    tracing::warn!(reason, "an output is sent again");
                    turn.retries += 1;
                    if !self.outbox.failed(id) {
                        self.blocks.failed(id);
                    }
                }
            }
        }
    }

    /// An acknowledgement without a gap behind the chain has won; any other is judged by reading.
    pub(super) fn appended(
        &mut self,
        id: u64,
        offset: Option<u64>,
        timestamp: Option<Millis>,
        turn: &mut Turn,
    ) {
        let appended = self.pending.iter().find(|pending| pending.id == id);
        if let (Some(pending), Some(_)) = (appended, offset) {
            self.skew.acknowledged(&self.clock, pending.appended_us, timestamp);
        }
        let end = self.chain.as_ref().map_or(0, |tip| tip.offset);
        if self.pending.front().is_some_and(|front| front.id == id) && offset == Some(end) {
            self.won(end, turn);
        }
    }

    /// The oldest pending record stands in the valid chain at `offset`.
    pub(super) fn won(&mut self, offset: u64, turn: &mut Turn) {
        let pending = self.pending.pop_front().expect("what has won was pending");
        let tip = Tip::after(&pending.record, pending.hash, offset);
        let append_us = Some(self.clock.micros() - pending.appended_us);
        fault_point::reach("journal.won");
        self.chain = Some(tip.clone());
        self.checkpoints.won(&tip);
        self.decided(pending.record.seq, pending.folded, pending.outputs, append_us, turn);
    }

    /// A record of the valid chain is folded: its decisions may be told.
    pub(super) fn decided(
        &mut self,
        seq: u64,
        folded: Folded,
        outputs: Outputs,
        append_us: Option<i64>,
        turn: &mut Turn,
    ) {
        self.outbox.push(seq, outputs.records);
        for (key, row) in outputs.blocks {
            self.blocks.decide(key, row);
        }
        let Folded { control, decisions, commands, oldest, fold_us, .. } = folded;
        let won_at = self.clock.now();
        turn.won.push(Won {
            seq,
            control,
            commands,
            decisions,
            fold_us,
            append_us,
            won_at,
            oldest,
        });
    }

    /// Throws away what was folded on top of the chain; the next turn reads on with a new producer.
    pub(super) fn lost(&mut self, reason: String, turn: &mut Turn) {
        tracing::warn!(reason, "what was folded is thrown away and folded again");
        self.mode = Mode::Beginning { renew: true };
        self.to_name = false;
        turn.lost = Some(reason);
        turn.progress = true;
    }
}
