//! The names, labels and help texts of the metrics that have partitions, and how any is declared.
//! Promise: names are `tollgate_<noun>_<unit>[_total]` in base units; each is declared once, here
//! or in `metrics`, and nowhere else.

use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGaugeVec, Opts, Registry};

/// From 50 µs to 10 s: folds, appends, checkpoints, lags.
const SECONDS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
];

#[derive(Clone, Debug)]
pub(super) struct Counters {
    pub events: IntCounterVec,
    pub commands: IntCounterVec,
    pub duplicates: IntCounterVec,
    pub rejects: IntCounterVec,
    pub decisions: IntCounterVec,
    pub append_losses: IntCounterVec,
    pub output_retries: IntCounterVec,
    pub checkpoint_failures: IntCounterVec,
}

#[derive(Clone, Debug)]
pub(super) struct Gauges {
    pub owned: IntGaugeVec,
    pub stopped: IntGaugeVec,
    pub lag_lines: IntGaugeVec,
    pub journal_position: IntGaugeVec,
    pub checkpoint_position: IntGaugeVec,
    pub state_rows: IntGaugeVec,
    pub state_bytes: IntGaugeVec,
    pub store_bytes: IntGaugeVec,
    pub outputs_outstanding: IntGaugeVec,
}

impl Counters {
    pub fn declare(all: &Registry) -> Counters {
        Counters {
            events: counters(
                all,
                "tollgate_events_total",
                "Billed events accepted and journaled, without duplicates and rejects.",
                &["partition"],
            ),
            commands: counters(
                all,
                "tollgate_commands_total",
                "Commands folded and journaled.",
                &["partition"],
            ),
            duplicates: counters(
                all,
                "tollgate_duplicates_total",
                "Billed events seen before inside the dedup window, and not counted again (O3).",
                &["partition"],
            ),
            rejects: counters(
                all,
                "tollgate_rejects_total",
                "Lines declined, by reason; each went to the dead-letter topic (C6).",
                &["partition", "reason"],
            ),
            decisions: counters(
                all,
                "tollgate_decisions_total",
                "Decisions journaled, by kind; block_opened counts renewed block records too.",
                &["partition", "kind"],
            ),
            append_losses: counters(
                all,
                "tollgate_append_losses_total",
                "Journal appends that were lost, void or of unknown outcome; the work behind them \
                 was thrown away and done again.",
                &["partition"],
            ),
            output_retries: counters(
                all,
                "tollgate_output_retries_total",
                "Output records that failed and were sent again.",
                &["partition"],
            ),
            checkpoint_failures: counters(
                all,
                "tollgate_checkpoint_failures_total",
                "Checkpoints that could not be written to the state folder, and are tried again.",
                &["partition"],
            ),
        }
    }
}

impl Gauges {
    pub fn declare(all: &Registry) -> Gauges {
        let gauge = |name: &str, help: &str| gauges(all, name, help);
        Gauges {
            owned: gauge(
                "tollgate_partition_owned",
                "1 while this process owns the partition; the sum over all processes should be \
                 the number of partitions.",
            ),
            stopped: gauge(
                "tollgate_partition_stopped",
                "1 once the partition stopped on an error that needs a person; the log says which.",
            ),
            lag_lines: gauge(
                "tollgate_lag_lines",
                "Lines of events and commands that wait to be folded.",
            ),
            journal_position: gauge(
                "tollgate_journal_position",
                "Sequence number of the last valid journal record that was folded.",
            ),
            checkpoint_position: gauge(
                "tollgate_checkpoint_position",
                "Sequence number of the journal record as of which the store on disk is.",
            ),
            state_rows: gauge("tollgate_state_rows", "Rows of the state in memory."),
            state_bytes: gauge(
                "tollgate_state_bytes",
                "Bytes of rows, ids and checkpoint in memory, estimated: a part of the budget.",
            ),
            store_bytes: gauge(
                "tollgate_store_bytes",
                "Bytes of the partition's store, on disk and in its write buffers.",
            ),
            outputs_outstanding: gauge(
                "tollgate_outputs_outstanding",
                "Output records sent and not acknowledged; folding waits at \
                 engine.outputs_outstanding_max.",
            ),
        }
    }

    pub fn all(&self) -> [&IntGaugeVec; 9] {
        [
            &self.owned,
            &self.stopped,
            &self.lag_lines,
            &self.journal_position,
            &self.checkpoint_position,
            &self.state_rows,
            &self.state_bytes,
            &self.store_bytes,
            &self.outputs_outstanding,
        ]
    }
}

fn counters(all: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let made = IntCounterVec::new(Opts::new(name, help), labels);
    let made = made.expect("the name keeps Prometheus' rules");
    all.register(Box::new(made.clone())).expect("each metric is declared once");
    made
}

fn gauges(all: &Registry, name: &str, help: &str) -> IntGaugeVec {
    let made = IntGaugeVec::new(Opts::new(name, help), &["partition"]);
    let made = made.expect("the name keeps Prometheus' rules");
    all.register(Box::new(made.clone())).expect("each metric is declared once");
    made
}

pub(super) fn seconds(all: &Registry, name: &str, help: &str) -> Histogram {
    histogram(all, name, help, &SECONDS)
}

pub(super) fn histogram(all: &Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let made = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()));
    let made = made.expect("the name keeps Prometheus' rules, and its buckets rise");
    all.register(Box::new(made.clone())).expect("each metric is declared once");
    made
}
