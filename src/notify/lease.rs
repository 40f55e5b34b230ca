//! Until when this process surely is a member of its group. Promise: while it holds, the group has
//! given its partitions to nobody else; a process that was stopped for a while finds it run out.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::tail::SharedClock;

pub struct Lease {
    clock: SharedClock,
    /// In the clock's microseconds.
    until_us: AtomicI64,
}

impl Lease {
    /// It does not hold yet.
    #[must_use]
    pub fn new(clock: SharedClock) -> Lease {
        Lease { clock, until_us: AtomicI64::new(i64::MIN) }
    }

    #[must_use]
    pub fn now_us(&self) -> i64 {
        self.clock.micros()
    }

    /// The group has answered a member's request that was sent at `sent_us`: its silence is counted
    /// from there, at the earliest.
    pub fn renew(&self, sent_us: i64, session_timeout: Duration) {
        let silence_us = i64::try_from(session_timeout.as_micros()).unwrap_or(i64::MAX);
        self.until_us.fetch_max(sent_us.saturating_add(silence_us), Ordering::AcqRel);
    }

    #[must_use]
    pub fn holds(&self) -> bool {
        self.now_us() < self.until_us.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::time::{Clock, Millis};

    struct ByHand(AtomicI64);

    impl Clock for ByHand {
        fn now(&self) -> Millis {
            Millis(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn it_holds_from_the_question_on_and_never_falls_back() {
        let clock = Arc::new(ByHand(AtomicI64::new(0)));
        let lease = Lease::new(Arc::<ByHand>::clone(&clock));
        assert!(!lease.holds());
        lease.renew(lease.now_us(), Duration::from_secs(10));
        clock.0.store(9_999, Ordering::Relaxed);
        assert!(lease.holds());
        lease.renew(-5_000_000, Duration::from_secs(10));
        assert!(lease.holds(), "an older answer takes nothing away");
        clock.0.store(10_000, Ordering::Relaxed);
        assert!(!lease.holds());
    }
}
