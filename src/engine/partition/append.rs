//! Folding and appending: the next batch of lines, its record, its way to the journal. Promise: a
//! batch keeps to one UTC day of `now` and to a bounded number of timers.

use super::super::intake::Waiting;
use super::super::log::{self, Log};
use super::{Fault, Partition, Pending, Turn};
use crate::fault_point;
use crate::fold::{RULES_VERSION, TIMERS_PER_RECORD_MAX};
use crate::journal::{Hash, Range, Record, Tip};
use crate::store::Store;
use crate::time::{Clock, Millis};

impl<L: Log, S: Store, C: Clock> Partition<L, S, C> {
    /// Folds and appends batches while there is something to fold and room to append.
    pub(super) fn append_batches(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        let now = self.clock.now();
        let paused_until = self.skew.paused_until(&self.clock);
        if paused_until.is_some() {
            turn.wake_at = paused_until;
            return Ok(());
        }
        while self.behind.is_empty() && self.pending.len() < self.options.appends_in_flight_max {
            if self.ready.is_none() {
                let outstanding = self.outbox.outstanding() + self.blocks.outstanding();
                if outstanding >= self.options.outputs_outstanding_max {
                    break;
                }
                let Some((lines, tick)) = self.next_batch(now) else { break };
                self.fold_batch(lines, tick)?;
            }
            let Some(mut ready) = self.ready.take() else { break };
            ready.appended_us = self.clock.micros();
            match self.append(&ready) {
                Ok(()) => self.pending.push_back(ready),
                Err(log::Error::Full(_)) => {
                    self.ready = Some(ready);
                    break;
                }
                Err(error) => {
                    self.ready = Some(ready);
                    return Err(error.into());
                }
            }
            turn.progress = true;
        }
        Ok(())
    }

    fn append(&mut self, ready: &Pending) -> Result<(), log::Error> {
        fault_point::at("journal.append")?;
        self.log.append(ready.id, &ready.bytes)?;
        fault_point::reach("journal.appended");
        Ok(())
    }

    /// The next batch's lines and last tick, if there is anything to fold. Only a clock that the
    /// broker confirmed moves time; where a timer waits for one that is not, an empty record asks.
    pub(super) fn next_batch(&mut self, own: Millis) -> Option<(Vec<Waiting>, Millis)> {
        let clock = self.skew.confirmed(&self.clock);
        let now = self.state.now().unwrap_or(Millis(0));
        if std::mem::take(&mut self.to_name) {
            return Some((Vec::new(), now));
        }
        if self.winding_down {
            return None;
        }
        if self.state.timers_due(now, 1) > 0 {
            // A slice left some: no lines before they have fired.
            return Some((Vec::new(), now));
        }
        let lines = self.take_lines(now);
        let Some(last) = lines.last() else {
            let head = self.intake.next_time().map(|head| head.max(now));
            let to = head.or(self.intake.drained().then_some(own))?;
            let due = self.state.next_timer().is_some_and(|timer| timer <= to);
            if due && head.is_none() && clock.is_none() {
                return self.pending.is_empty().then_some((lines, now));
            }
            return due.then_some((lines, to));
        };
        let reached = now.max(last.recorded_at);
        let tick = match clock {
            Some(clock) if self.intake.drained() && clock.day() == reached.day() => {
                reached.max(clock)
            }
            _ => reached,
        };
        Some((lines, self.within_timers(reached, tick)))
    }

    /// Takes lines of one UTC day of `now`, while few enough timers fire before them.
    pub(super) fn take_lines(&mut self, mut now: Millis) -> Vec<Waiting> {
        let most = self.options.batch_lines_max;
        let mut lines = Vec::<Waiting>::with_capacity(self.intake.waiting().min(most));
        let mut bytes = 0;
        while lines.len() < most && bytes < self.options.batch_bytes_max {
            let Some(head) = self.intake.next_time() else { break };
            let moved = now.max(head);
            if !lines.is_empty() && moved.day() != now.day() || !self.few_timers(moved) {
                break;
            }
            now = moved;
            let Some(waiting) = self.intake.take() else { break };
            bytes += waiting.bytes().len();
            lines.push(waiting);
        }
        lines
    }

    pub(super) fn few_timers(&self, to: Millis) -> bool {
        let most = TIMERS_PER_RECORD_MAX;
        self.state.next_timer().is_none_or(|timer| timer > to)
            || self.state.timers_due(to, most + 1) <= most
    }

    pub(super) fn within_timers(&self, reached: Millis, tick: Millis) -> Millis {
        if self.few_timers(tick) { tick } else { reached }
    }

    pub(super) fn fold_batch(&mut self, lines: Vec<Waiting>, tick: Millis) -> Result<(), Fault> {
        let before = self.before_next();
        let begun = self.begun.expect("nothing is folded before the intake began");
        let (billed_from, commands_from) =
            before.as_ref().map_or(begun, |b| (b.billed, b.commands));
        self.state.set_dedup_minutes(self.options.dedup_minutes);
        let folded = self.fold(&lines, tick)?;
        tracing::debug!(lines = lines.len(), decisions = folded.decisions.len(), "folded a batch");
        let (billed, commands) = self.intake.folded();
        let record = Record {
            seq: before.as_ref().map_or(0, |before| before.seq + 1),
            prev: before.map_or(Hash::ZERO, |before| before.hash),
            billed: Range { from: billed_from, to: billed.offset },
            commands: Range { from: commands_from, to: commands.offset },
            now: folded.now,
            dedup_minutes: self.options.dedup_minutes,
            control: folded.control,
            decisions: folded.decisions.len() as u64,
            decisions_hash: folded.decisions_hash,
            published_through: self.published_through(),
            owner: self.options.owner.clone(),
            rules: RULES_VERSION,
            partitions: self.options.partitions,
            partitioner: self.options.partitioner,
        };
        let bytes = record.encode();
        let hash = Hash::of(&bytes);
        let tip = Tip::after(&record, hash, 0);
        self.checkpoints.folded(&record.control);
        let micros = self.clock.micros();
        self.checkpoints.freeze_if_due(&tip, &mut self.state, (billed, commands), micros);
        let outputs = self.encode(&folded)?;
        let id = self.next_id();
        self.ready = Some(Pending { id, record, hash, bytes, folded, outputs, appended_us: 0 });
        Ok(())
    }

    /// What the next record extends: the last one pending, or the chain.
    pub(super) fn before_next(&self) -> Option<Tip> {
        let last = self.pending.back().map(|last| Tip::after(&last.record, last.hash, 0));
        last.or_else(|| self.chain.clone())
    }

    /// Greatest position whose outputs are all acknowledged; never below what the chain says.
    pub(super) fn published_through(&self) -> Option<u64> {
        let last = self.pending.back().and_then(|last| last.record.published_through);
        let chain = self.chain.as_ref().and_then(|tip| tip.published_through);
        self.outbox.through().max(last).max(chain)
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }
}
