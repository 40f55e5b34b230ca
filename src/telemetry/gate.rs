//! What the gate shows of itself. Promise: the two gauges are asked for when they are shown, so
//! that they are as fresh as the page; without a gate they do not show.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// What a gate says when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateSeen {
    /// `None` before it has read everything once.
    pub staleness: Option<Duration>,
    pub blocks_held: usize,
}

/// Counts of verdicts.
#[derive(Clone, Debug)]
pub struct GateMetrics {
    pub allowed: IntCounter,
    pub denied: IntCounter,
}

impl GateMetrics {
    pub(super) fn declare(all: &Registry) -> GateMetrics {
        let opts = Opts::new(
            "tollgate_gate_checks_total",
            "Sends that the gate was asked about over HTTP, by verdict.",
        );
        let checks = IntCounterVec::new(opts, &["verdict"]);
        let checks = checks.expect("the name keeps Prometheus' rules");
        all.register(Box::new(checks.clone())).expect("each metric is declared once");
        let of = |verdict: &str| checks.with_label_values(&[verdict]);
        GateMetrics { allowed: of("allowed"), denied: of("denied") }
    }
}

/// Asks the gate whenever its metrics are shown.
pub(super) struct GateGauges {
    ask: Arc<dyn Fn() -> GateSeen + Send + Sync>,
    staleness_seconds: Gauge,
    blocks_held: IntGauge,
}

impl GateGauges {
    pub(super) fn new(ask: Arc<dyn Fn() -> GateSeen + Send + Sync>) -> GateGauges {
        let staleness_seconds = Gauge::new(
            "tollgate_gate_staleness_seconds",
            "Time since the gate was known to have read everything; +Inf before the first time.",
        );
        let blocks_held =
            IntGauge::new("tollgate_gate_blocks_held", "Blocks that the gate knows of.");
        GateGauges {
            ask,
            staleness_seconds: staleness_seconds.expect("the name keeps Prometheus' rules"),
            blocks_held: blocks_held.expect("the name keeps Prometheus' rules"),
        }
    }
}

impl fmt::Debug for GateGauges {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("GateGauges")
    }
}

impl Collector for GateGauges {
    fn desc(&self) -> Vec<&Desc> {
        [self.staleness_seconds.desc(), self.blocks_held.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let seen = (self.ask)();
        let staleness = seen.staleness.map_or(f64::INFINITY, |staleness| staleness.as_secs_f64());
        self.staleness_seconds.set(staleness);
        self.blocks_held.set(i64::try_from(seen.blocks_held).unwrap_or(i64::MAX));
        [self.staleness_seconds.collect(), self.blocks_held.collect()].concat()
    }
}
