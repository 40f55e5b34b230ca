//! The real clocks: wall time as a `time::Clock`, and a monotonic stopwatch for measurements.
//! Promise: the only place, with the engine's Kafka seam, that reads a clock of the machine.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Clock, Millis};

/// The machine's wall clock. It may jump; whoever needs it never to go back sees to that itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that all others take")]
    fn now(&self) -> Millis {
        // Before 1970 only where a clock was never set: zero then, which the check of its skew
        // against the brokers' refuses.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn micros(&self) -> i64 {
        static START: LazyLock<Stopwatch> = LazyLock::new(Stopwatch::start);
        i64::try_from(START.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

/// Measures how long something takes; unmoved by changes of the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the stopwatch that all others take")]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
