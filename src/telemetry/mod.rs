//! What Tollgate shows of itself: metrics, health, logs; and the real clocks.
//! Promise: all metric names and the only clock reads stand in this folder. Nothing here decides
//! anything, and no measurement reaches the fold (L1).

mod clock;
mod health;
mod log;
mod metrics;

pub use clock::{Stopwatch, SystemClock};
pub use health::{Heartbeat, Heartbeats, PartitionHealth, Readiness};
pub use log::log_to_stderr;
pub use metrics::{Metrics, PartitionMetrics};
