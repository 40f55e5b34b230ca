//! What Tollgate shows of itself: metrics, health, logs; and the real clocks.
//! Promise: all metric names and the only clock reads stand in this folder. Nothing here decides
//! anything, and no measurement reaches the fold (L1).

use std::sync::Arc;

mod clock;
mod families;
mod health;
mod log;
mod metrics;

pub use clock::{Stopwatch, SystemClock};
pub use health::{Heartbeat, Heartbeats, PartitionHealth, Readiness};
pub use log::log_to_stderr;
pub use metrics::{Metrics, PartitionMetrics};

/// Everything that a role reports to, shared with the operations server.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    pub metrics: Metrics,
    pub readiness: Arc<Readiness>,
    pub heartbeats: Arc<Heartbeats>,
}
