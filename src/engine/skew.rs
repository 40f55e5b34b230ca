//! Whether the own clock may be trusted (DESIGN.md, "Lines and `now`"). Promise: only a clock that
//! an acknowledgement confirmed, and that was not set since, moves the fold's time; monotone time,
//! which nobody sets, measures what passes between.

use crate::time::{Clock, Millis};

/// Microseconds without appends after the broker's clock was found too far from the own.
const PAUSE_US: i64 = 10_000_000;

#[derive(Debug)]
pub(super) struct Skew {
    max_ms: i64,
    /// Own clock minus monotone time, in milliseconds, when the broker last confirmed it.
    confirmed: Option<i64>,
    /// No appends before this monotone time.
    paused_until_us: i64,
}

impl Skew {
    /// `max_ms`: how far the own clock may be from the broker's.
    pub fn new(max_ms: i64) -> Skew {
        Skew { max_ms, confirmed: None, paused_until_us: i64::MIN }
    }

    /// The broker's time of an append lies between the append and its acknowledgement, or the own
    /// clock is off. Where the broker tells none there is nothing to compare with.
    pub fn acknowledged(&mut self, clock: &impl Clock, appended_us: i64, broker: Option<Millis>) {
        let (now, micros) = (clock.now(), clock.micros());
        let appended = now.0 - (micros - appended_us) / 1_000;
        let skew_ms = broker.map_or(0, |broker| (appended - broker.0).max(broker.0 - now.0));
        if skew_ms > self.max_ms {
            tracing::error!(
                skew_ms,
                "this host's clock is too far from the broker's: set it (NTP)"
            );
            self.confirmed = None;
            self.paused_until_us = micros + PAUSE_US;
        } else if now.0 - appended <= self.max_ms {
            // An acknowledgement that took longer tells too little.
            self.confirmed = Some(now.0 - micros / 1_000);
        }
    }

    /// The own clock, if it was confirmed and not set since.
    pub fn confirmed(&self, clock: &impl Clock) -> Option<Millis> {
        let (now, micros) = (clock.now(), clock.micros());
        let set_by_ms = (now.0 - micros / 1_000 - self.confirmed?).abs();
        (set_by_ms <= self.max_ms).then_some(now)
    }

    /// When appends may go on, while they may not.
    pub fn paused_until(&self, clock: &impl Clock) -> Option<Millis> {
        let left_us = self.paused_until_us.saturating_sub(clock.micros());
        (left_us > 0).then(|| Millis(clock.now().0 + left_us / 1_000 + 1))
    }
}
