//! What the notifier shows of itself. Promise: what waits is asked for when the metrics are shown,
//! so that an age is as fresh as the page; without a notifier it does not show.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

/// From a hundredth of a second to the end of the last retry.
const SECONDS: [f64; 12] =
    [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0];

/// What waits at a notifier.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NotifySeen {
    /// Deliveries that have not ended.
    pub pending: usize,
    /// Those of them that failed at least once.
    pub retrying: usize,
    /// Since the decision of the oldest of them.
    pub oldest: Duration,
    pub endpoints_paused: usize,
}

/// Counts of notifications.
#[derive(Clone, Debug)]
pub struct NotifyMetrics {
    decisions: IntCounterVec,
    attempts: IntCounterVec,
    ended: IntCounterVec,
    without_address: IntCounterVec,
    /// Endpoints that said 410.
    pub endpoints_disabled: IntCounter,
    /// From the decision to the delivery.
    pub latency_seconds: Histogram,
}

impl NotifyMetrics {
    /// # Panics
    /// When the metrics are declared twice.
    #[must_use]
    pub fn declare(all: &Registry) -> NotifyMetrics {
        let family = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels);
            let counters = counters.expect("the name keeps Prometheus' rules");
            all.register(Box::new(counters.clone())).expect("each metric is declared once");
            counters
        };
        let disabled = IntCounter::new(
            "tollgate_notify_endpoints_disabled_total",
            "Endpoints that answered 410 and get nothing until they are set again.",
        );
        let endpoints_disabled = disabled.expect("the name keeps Prometheus' rules");
        all.register(Box::new(endpoints_disabled.clone())).expect("each metric is declared once");
        let latency = HistogramOpts::new(
            "tollgate_notify_latency_seconds",
            "Time from a decision to its delivery.",
        );
        let latency = Histogram::with_opts(latency.buckets(SECONDS.to_vec()));
        let latency_seconds = latency.expect("the name keeps Prometheus' rules");
        all.register(Box::new(latency_seconds.clone())).expect("each metric is declared once");
        NotifyMetrics {
            decisions: family(
                "tollgate_notify_decisions_total",
                "Limits reached and thresholds crossed that were read, by what came of them: told, \
                 nobody, known, covered, quiet, old, unreadable.",
                &["outcome"],
            ),
            attempts: family(
                "tollgate_notify_attempts_total",
                "Attempts to deliver, by channel and outcome: delivered, failed.",
                &["channel", "outcome"],
            ),
            ended: family(
                "tollgate_notify_ended_total",
                "Deliveries that ended, by channel and ending: delivered, undelivered.",
                &["channel", "ending"],
            ),
            without_address: family(
                "tollgate_notify_without_address_total",
                "Channels that were asked for and have no address, by channel.",
                &["channel"],
            ),
            endpoints_disabled,
            latency_seconds,
        }
    }

    /// A decision was read.
    pub fn decision(&self, outcome: &str) {
        self.decisions.with_label_values(&[outcome]).inc();
    }

    pub fn attempt(&self, channel: &str, outcome: &str) {
        self.attempts.with_label_values(&[channel, outcome]).inc();
    }

    pub fn ended(&self, channel: &str, ending: &str) {
        self.ended.with_label_values(&[channel, ending]).inc();
    }

    pub fn without_address(&self, channel: &str) {
        self.without_address.with_label_values(&[channel]).inc();
    }
}

/// Shows what `ask` says of the notifier from now on; a second one of the process is not shown.
pub fn watch(all: &Registry, ask: impl Fn() -> NotifySeen + Send + Sync + 'static) {
    if all.register(Box::new(NotifyGauges::new(Arc::new(ask)))).is_err() {
        tracing::warn!("a second notifier of this process does not show in its metrics");
    }
}

/// Asks the notifier whenever its metrics are shown.
struct NotifyGauges {
    ask: Arc<dyn Fn() -> NotifySeen + Send + Sync>,
    pending: IntGauge,
    retrying: IntGauge,
    oldest_seconds: Gauge,
    endpoints_paused: IntGauge,
}

impl NotifyGauges {
    fn new(ask: Arc<dyn Fn() -> NotifySeen + Send + Sync>) -> NotifyGauges {
        let whole = |name: &str, help: &str| {
            IntGauge::new(name, help).expect("the name keeps Prometheus' rules")
        };
        NotifyGauges {
            ask,
            pending: whole("tollgate_notify_pending", "Deliveries that have not ended."),
            retrying: whole(
                "tollgate_notify_retrying",
                "Deliveries that failed at least once and are tried again.",
            ),
            oldest_seconds: Gauge::new(
                "tollgate_notify_oldest_undelivered_seconds",
                "Age of the oldest decision whose delivery has not ended.",
            )
            .expect("the name keeps Prometheus' rules"),
            endpoints_paused: whole(
                "tollgate_notify_endpoints_paused",
                "Endpoints that keep failing and get nothing for a while.",
            ),
        }
    }
}

impl fmt::Debug for NotifyGauges {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("NotifyGauges")
    }
}

impl Collector for NotifyGauges {
    fn desc(&self) -> Vec<&Desc> {
        let whole = [&self.pending, &self.retrying, &self.endpoints_paused];
        let whole = whole.iter().flat_map(|gauge| gauge.desc());
        whole.chain(self.oldest_seconds.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let seen = (self.ask)();
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.pending.set(count(seen.pending));
        self.retrying.set(count(seen.retrying));
        self.endpoints_paused.set(count(seen.endpoints_paused));
        self.oldest_seconds.set(seen.oldest.as_secs_f64());
        let whole = [&self.pending, &self.retrying, &self.endpoints_paused];
        let whole = whole.iter().flat_map(|gauge| gauge.collect());
        whole.chain(self.oldest_seconds.collect()).collect()
    }
}
