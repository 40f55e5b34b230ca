//! What Tollgate shows of itself: metrics, health, logs; and the real clocks.
//! Promise: all metric names and the only clock reads stand in this folder. Nothing here decides
//! anything, and no measurement reaches the fold (L1).

#[cfg(feature = "engine")]
use std::sync::Arc;

mod clock;
#[cfg(feature = "engine")]
mod families;
#[cfg(feature = "engine")]
mod gate;
#[cfg(feature = "engine")]
mod health;
#[cfg(feature = "engine")]
mod log;
#[cfg(feature = "engine")]
mod metrics;
#[cfg(feature = "notify")]
pub mod notify;

#[cfg(feature = "notify")]
pub use self::notify::{NotifyMetrics, NotifySeen};
pub use clock::{Stopwatch, SystemClock};
#[cfg(feature = "engine")]
pub use gate::{GateMetrics, GateSeen};
#[cfg(feature = "engine")]
pub use health::{Heartbeat, Heartbeats, PartitionHealth, Readiness};
#[cfg(feature = "engine")]
pub use log::log_to_stderr;
#[cfg(feature = "engine")]
pub use metrics::{Metrics, PartitionMetrics};

/// Everything that a role reports to, shared with the operations server.
#[cfg(feature = "engine")]
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    pub metrics: Metrics,
    pub readiness: Arc<Readiness>,
    pub heartbeats: Arc<Heartbeats>,
}
