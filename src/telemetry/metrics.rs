//! The metrics as roles report to them: process-wide ones, and one set of each partition.
//! Promise: a counter counts what is journaled, never what is merely folded: work thrown away and
//! done again shows once, and recovery counts nothing. Counters begin at 0 with the process.

use std::sync::Arc;

use prometheus::{
    Encoder, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use super::families::{Counters, Gauges, histogram, seconds};
use super::gate::{GateGauges, GateMetrics, GateSeen};
use super::notify::{self, NotifyMetrics, NotifySeen};
use crate::fold::decision::{BlockChanged, Cause, Decision};
use crate::fold::event::Reason;
use crate::fold::limit::Amount;
use crate::time::Millis;

/// From a hundredth of a cent to 10,000 dollars.
const DOLLARS: [f64; 9] = [0.0, 0.000_1, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 10_000.0];
const COUNTS: [f64; 8] = [0.0, 1.0, 2.0, 5.0, 10.0, 100.0, 1_000.0, 10_000.0];
/// Kinds of `tollgate_decisions_total`.
const KINDS: [&str; 4] = ["threshold_crossed", "limit_reached", "block_opened", "block_lifted"];

/// Every metric of the process. Cheap to clone; clones share the same values.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    counters: Counters,
    gauges: Gauges,
    memory_bytes: IntGauge,
    pub gate: GateMetrics,
    pub notify: NotifyMetrics,
    /// Seconds to fold one batch.
    pub fold_seconds: Histogram,
    /// Seconds from sending a journal record to its acknowledgement.
    pub append_seconds: Histogram,
    /// Seconds from a record's timestamp to the acknowledgement of the decision it caused.
    pub event_to_decision_seconds: Histogram,
    /// Seconds to write one checkpoint.
    pub checkpoint_seconds: Histogram,
    block_lag_seconds: Histogram,
    block_overshoot_dollars: Histogram,
    block_overshoot_requests: Histogram,
}

/// The metrics of one partition, looked up once: counting is an atomic addition.
#[derive(Clone, Debug)]
pub struct PartitionMetrics {
    /// Billed events accepted and journaled; duplicates and rejects are not among them.
    pub events: IntCounter,
    pub commands: IntCounter,
    pub duplicates: IntCounter,
    /// Appends to the journal that were lost, void or of unknown outcome.
    pub append_losses: IntCounter,
    /// Outputs that failed and were sent again.
    pub output_retries: IntCounter,
    /// Checkpoints that could not be written; they are tried again.
    pub checkpoint_failures: IntCounter,
    /// 1 while this process owns the partition.
    pub owned: IntGauge,
    /// 1 once the partition stopped on an error that needs a person.
    pub stopped: IntGauge,
    /// Lines of events and commands not yet folded.
    pub lag_lines: IntGauge,
    /// Sequence number of the last valid journal record folded.
    pub journal_position: IntGauge,
    /// Sequence number of the journal record as of which the store is.
    pub checkpoint_position: IntGauge,
    /// Rows of the state in memory.
    pub state_rows: IntGauge,
    /// Bytes of rows, ids and a checkpoint on its way in memory, estimated.
    pub state_bytes: IntGauge,
    /// Bytes of the store.
    pub store_bytes: IntGauge,
    /// Output records sent and not yet acknowledged.
    pub outputs_outstanding: IntGauge,
    rejects: [IntCounter; Reason::ALL.len()],
    decisions: [IntCounter; KINDS.len()],
    block_lag_seconds: Histogram,
    block_overshoot_dollars: Histogram,
    block_overshoot_requests: Histogram,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    #[must_use]
    pub fn new() -> Metrics {
        let all = Registry::new();
        let version = Opts::new("tollgate_build_info", "Always 1; the version is its label.")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        let version = IntGauge::with_opts(version).expect("the name keeps Prometheus' rules");
        version.set(1);
        all.register(Box::new(version)).expect("each metric is declared once");
        let memory_bytes =
            IntGauge::new("tollgate_memory_bytes", "Resident memory of the process (Linux only).");
        let memory_bytes = memory_bytes.expect("the name keeps Prometheus' rules");
        all.register(Box::new(memory_bytes.clone())).expect("each metric is declared once");
        Metrics {
            memory_bytes,
            gate: GateMetrics::declare(&all),
            notify: NotifyMetrics::declare(&all),
            counters: Counters::declare(&all),
            gauges: Gauges::declare(&all),
            fold_seconds: seconds(&all, "tollgate_fold_seconds", "Time to fold one batch."),
            append_seconds: seconds(
                &all,
                "tollgate_append_seconds",
                "Time from sending a journal record to its acknowledgement.",
            ),
            event_to_decision_seconds: seconds(
                &all,
                "tollgate_event_to_decision_seconds",
                "Time from a record's timestamp to the journal's acknowledgement of the decision \
                 it caused.",
            ),
            checkpoint_seconds: seconds(
                &all,
                "tollgate_checkpoint_seconds",
                "Time to write one checkpoint of a partition.",
            ),
            block_lag_seconds: seconds(
                &all,
                "tollgate_block_lag_seconds",
                "Time from the occurrence of the event that opened a block to the journal's \
                 acknowledgement of the block (T5).",
            ),
            block_overshoot_dollars: histogram(
                &all,
                "tollgate_block_overshoot_usd",
                "By how much the total exceeded the limit when a block on cost opened (T5).",
                &DOLLARS,
            ),
            block_overshoot_requests: histogram(
                &all,
                "tollgate_block_overshoot_requests",
                "By how many requests or recipients the total exceeded the limit when a block on \
                 them opened (T5).",
                &COUNTS,
            ),
            registry: all,
        }
    }

    /// Shows what `ask` says of the gate from now on; a second gate of the process is not shown.
    pub fn watch_gate(&self, ask: impl Fn() -> GateSeen + Send + Sync + 'static) {
        if self.registry.register(Box::new(GateGauges::new(Arc::new(ask)))).is_err() {
            tracing::warn!("a second gate of this process does not show in its metrics");
        }
    }

    /// Shows what `ask` says of the notifier from now on; a second one of the process is not shown.
    pub fn watch_notify(&self, ask: impl Fn() -> NotifySeen + Send + Sync + 'static) {
        notify::watch(&self.registry, ask);
    }

    /// The metrics of one partition, from its assignment on.
    #[must_use]
    pub fn partition(&self, partition: i32) -> PartitionMetrics {
        let label = partition.to_string();
        let of = |counters: &IntCounterVec| counters.with_label_values(&[&label]);
        let at = |gauges: &IntGaugeVec| gauges.with_label_values(&[&label]);
        let rejects = |reason: Reason| {
            self.counters.rejects.with_label_values(&[label.as_str(), reason.as_str()])
        };
        let decisions =
            |kind: &str| self.counters.decisions.with_label_values(&[label.as_str(), kind]);
        PartitionMetrics {
            events: of(&self.counters.events),
            commands: of(&self.counters.commands),
            duplicates: of(&self.counters.duplicates),
            append_losses: of(&self.counters.append_losses),
            output_retries: of(&self.counters.output_retries),
            checkpoint_failures: of(&self.counters.checkpoint_failures),
            owned: at(&self.gauges.owned),
            stopped: at(&self.gauges.stopped),
            lag_lines: at(&self.gauges.lag_lines),
            journal_position: at(&self.gauges.journal_position),
            checkpoint_position: at(&self.gauges.checkpoint_position),
            state_rows: at(&self.gauges.state_rows),
            state_bytes: at(&self.gauges.state_bytes),
            store_bytes: at(&self.gauges.store_bytes),
            outputs_outstanding: at(&self.gauges.outputs_outstanding),
            rejects: Reason::ALL.map(rejects),
            decisions: KINDS.map(decisions),
            block_lag_seconds: self.block_lag_seconds.clone(),
            block_overshoot_dollars: self.block_overshoot_dollars.clone(),
            block_overshoot_requests: self.block_overshoot_requests.clone(),
        }
    }

    /// Takes the gauges of a partition away that was given up: another process reports them now.
    /// Its counters stay, since counters must not go back. Handles kept beyond this count into
    /// nothing.
    pub fn forget(&self, partition: i32) {
        let label = partition.to_string();
        for gauges in self.gauges.all() {
            if gauges.remove_label_values(&[&label]).is_err() {
                tracing::debug!(partition, "no gauge to take away");
            }
        }
    }

    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            self.memory_bytes.set(bytes);
        }
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("metrics are well-formed and memory takes any text");
        String::from_utf8(text).expect("metric names and labels are UTF-8")
    }

    /// Content type of `render`.
    #[must_use]
    pub fn content_type() -> &'static str {
        prometheus::TEXT_FORMAT
    }
}

impl PartitionMetrics {
    /// Counts a decision that was journaled; `acknowledged_at` is when its record was (L3).
    pub fn decided(&self, decision: &Decision, acknowledged_at: Millis) {
        let kind = match decision {
            Decision::ThresholdCrossed(_) => 0,
            Decision::LimitReached(_) => 1,
            Decision::BlockChanged(block) if block.blocked() => 2,
            Decision::BlockChanged(_) => 3,
            Decision::Rejected(rejected) => {
                let at = Reason::ALL.iter().position(|reason| *reason == rejected.reason);
                return self.rejects[at.expect("ALL names every reason")].inc();
            }
        };
        self.decisions[kind].inc();
        if let Decision::BlockChanged(block) = decision {
            self.block_opened(block, acknowledged_at);
        }
    }

    /// Lag and overshoot (T5), of blocks that an event opened. A block record that only carries a
    /// new end, or comes from a lowered limit, says nothing about enforcement.
    fn block_opened(&self, block: &BlockChanged, acknowledged_at: Millis) {
        let evidence = &block.evidence;
        let Cause::Event { occurred_at, .. } = evidence.cause else { return };
        let configured = evidence.configured_limit.units();
        if !block.blocked() || evidence.before.units() >= configured {
            return;
        }
        let lag_ms = (acknowledged_at.0 - occurred_at.0).max(0);
        self.block_lag_seconds.observe(lag_ms as f64 / 1_000.0);
        let over = (evidence.current.units() - configured) as f64;
        match evidence.current {
            Amount::Cost(_) => self.block_overshoot_dollars.observe(over / 1_000_000.0),
            Amount::Count(_) => self.block_overshoot_requests.observe(over),
        }
    }
}

/// What the kernel tells of this process; `None` where it tells nothing.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::decision::Evidence;
    use crate::fold::event::Position;
    use crate::fold::limit::{Measure, Scope, ScopeKind, Window};
    use crate::money::Money;

    fn block(before: &str, current: &str, blocked_until: Option<Millis>) -> Decision {
        let money = |text| Amount::Cost(Money::parse(text).expect("money"));
        Decision::BlockChanged(BlockChanged {
            evidence: Evidence {
                id: uuid::Uuid::nil(),
                account_id: "acme".into(),
                limit_id: "limit_7".into(),
                limit_version: 1,
                scope: Scope { kind: ScopeKind::Account, id: None },
                measure: Measure::Cost,
                window: Window::Day,
                configured_limit: money("10"),
                before: money(before),
                current: money(current),
                now: Millis(5_000),
                cause: Cause::Event {
                    event_id: "e".into(),
                    occurred_at: Millis(4_000),
                    position: Position { source: "messages.billed/3".into(), at: 812 },
                },
            },
            block_key: "acme/limit_7".to_owned(),
            blocked_until,
            sequence: 1,
        })
    }

    #[test]
    fn every_metric_is_named_by_the_rule_and_explained() {
        let metrics = Metrics::new();
        let _third = metrics.partition(3);
        for family in metrics.registry.gather() {
            assert!(family.name().starts_with("tollgate_"), "{}", family.name());
            assert!(family.help().ends_with('.'), "{}", family.name());
        }
        let text = metrics.render();
        assert!(text.contains("tollgate_events_total{partition=\"3\"} 0"), "{text}");
        assert!(
            text.contains("tollgate_rejects_total{partition=\"3\",reason=\"future_event\"} 0"),
            "{text}"
        );
        assert!(text.contains("tollgate_fold_seconds_bucket"), "{text}");
    }

    #[test]
    fn an_opened_block_shows_its_lag_and_overshoot_and_a_renewed_one_does_not() {
        let metrics = Metrics::new();
        let third = metrics.partition(3);
        let until = Some(Millis(86_400_000));
        third.decided(&block("9.98", "10.02", until), Millis(6_500));
        third.decided(&block("10.02", "10.05", until), Millis(7_000));
        third.decided(&block("10.05", "9.00", None), Millis(8_000));
        let text = metrics.render();
        for line in [
            "tollgate_decisions_total{kind=\"block_opened\",partition=\"3\"} 2",
            "tollgate_decisions_total{kind=\"block_lifted\",partition=\"3\"} 1",
            "tollgate_block_overshoot_usd_count 1",
            "tollgate_block_overshoot_usd_sum 0.02",
            "tollgate_block_lag_seconds_sum 2.5",
            "tollgate_block_overshoot_requests_count 0",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\nnot in\n{text}");
        }
    }

    #[test]
    fn a_gate_is_asked_when_it_is_shown_and_without_one_nothing_is() {
        let metrics = Metrics::new();
        metrics.gate.denied.inc();
        assert!(!metrics.render().contains("tollgate_gate_blocks_held"));
        let staleness = Some(std::time::Duration::from_millis(250));
        metrics.watch_gate(move || GateSeen { staleness, blocks_held: 3 });
        metrics.watch_gate(|| GateSeen { staleness: None, blocks_held: 9 });
        let text = metrics.render();
        for line in [
            "tollgate_gate_checks_total{verdict=\"allowed\"} 0",
            "tollgate_gate_checks_total{verdict=\"denied\"} 1",
            "tollgate_gate_staleness_seconds 0.25",
            "tollgate_gate_blocks_held 3",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\nnot in\n{text}");
        }
    }

    #[test]
    fn a_partition_given_up_leaves_counters_and_no_gauges() {
        let metrics = Metrics::new();
        let third = metrics.partition(3);
        third.events.inc_by(5);
        third.lag_lines.set(7);
        metrics.forget(3);
        metrics.forget(3);
        let text = metrics.render();
        assert!(text.contains("tollgate_events_total{partition=\"3\"} 5"), "{text}");
        assert!(!text.contains("tollgate_lag_lines{"), "{text}");
    }
}
