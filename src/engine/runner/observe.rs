//! What a turn of a partition tells metrics and readiness. Promise: it looks, and changes nothing
//! but gauges and counters.

use super::{LAG_EVERY_MS, Owned, Running};
use crate::engine::log::Source;
use crate::engine::partition::Turn;
use crate::store::Store;
use crate::telemetry::Telemetry;

impl Running {
    pub(super) fn observe(&mut self, turn: &Turn, telemetry: &Telemetry, micros: i64) {
        let (metrics, all) = (&self.metrics, &telemetry.metrics);
        for won in &turn.won {
            metrics.events.inc_by(won.control.events);
            metrics.commands.inc_by(won.commands);
            metrics.duplicates.inc_by(won.control.duplicates);
            metrics.journal_position.set(i64::try_from(won.seq).unwrap_or(i64::MAX));
            for decision in &won.decisions {
                metrics.decided(decision, won.won_at);
            }
            all.fold_seconds.observe(seconds(won.fold_us));
            if let Some(append_us) = won.append_us {
                all.append_seconds.observe(seconds(append_us));
                if let (Some(oldest), false) = (won.oldest, won.decisions.is_empty()) {
                    all.event_to_decision_seconds
                        .observe(seconds(1_000 * (won.won_at.0 - oldest.0)));
                }
            }
        }
        if turn.lost.is_some() {
            metrics.append_losses.inc();
        }
        metrics.output_retries.inc_by(turn.retries);
        metrics.checkpoint_failures.inc_by(turn.checkpoint_failures);
        if let Some(took_us) = turn.checkpoint_us {
            all.checkpoint_seconds.observe(seconds(took_us));
        }
        let Some(partition) = &mut self.partition else { return };
        if partition.owning() {
            self.health.recovered();
        } else {
            self.health.recovering();
        }
        if micros >= self.lag_us {
            self.lag_us = micros + 1_000 * LAG_EVERY_MS;
            let (resident, evictable, ids) = partition.state().rows();
            metrics.state_rows.set((resident + evictable + ids) as i64);
            metrics.state_bytes.set(partition.state_bytes() as i64);
            let on_disk = partition.store_mut().bytes();
            metrics.store_bytes.set(i64::try_from(on_disk).unwrap_or(i64::MAX));
            if let Some(stored) = partition.stored() {
                metrics.checkpoint_position.set(i64::try_from(stored).unwrap_or(i64::MAX));
            }
            metrics.outputs_outstanding.set(partition.outputs_outstanding() as i64);
            if let Some(lag) = lag(partition) {
                metrics.lag_lines.set(i64::try_from(lag).unwrap_or(i64::MAX));
                self.health.behind(lag);
            }
        }
    }
}

fn seconds(micros: i64) -> f64 {
    micros.max(0) as f64 / 1_000_000.0
}

/// Lines of events and commands that are not in the chain yet; `None` while brokers do not tell.
fn lag(partition: &mut Owned) -> Option<u64> {
    let (billed, commands) = partition.chain().map(|tip| (tip.billed, tip.commands))?;
    let billed_end = partition.log_mut().known_end(Source::Billed)?;
    let commands_end = partition.log_mut().known_end(Source::Commands)?;
    Some(billed_end.saturating_sub(billed) + commands_end.saturating_sub(commands))
}
