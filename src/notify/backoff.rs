//! When a failed delivery is tried again. Promise: the schedule's waits with a little jitter, so
//! that what failed together does not come back together; a wish of the other side (`Retry-After`)
//! is met within bounds.

use std::time::Duration;

use crate::time::Millis;

/// No wish of the other side is met beyond the longest wait of the schedule, or this.
const ASKED_MS_MIN: u64 = 3_600_000;

/// When to try again after so many failures at `now`; `None` when it is given up. `asked` is what
/// the other side wishes; `chance` in 0..=1,000 draws the jitter, of a tenth either way.
#[must_use]
pub fn next_at(
    retries_ms: &[u64],
    failures: usize,
    asked: Option<Duration>,
    now: Millis,
    chance: u16,
) -> Option<Millis> {
    let wait = *retries_ms.get(failures.checked_sub(1)?)?;
    let jitter = wait / 5 * u64::from(chance.min(1_000)) / 1_000;
    let wait = wait - wait / 10 + jitter;
    let asked_max = retries_ms.iter().copied().max().unwrap_or(0).max(ASKED_MS_MIN);
    let asked = asked.map_or(0, |asked| u64::try_from(asked.as_millis()).unwrap_or(u64::MAX));
    let wait = i64::try_from(wait.max(asked.min(asked_max))).unwrap_or(i64::MAX);
    Some(Millis(now.0.saturating_add(wait)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 5 h, 10 h: the configuration's by default.
    const RETRIES_MS: [u64; 8] =
        [5_000, 30_000, 120_000, 600_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000];
    const NOW: Millis = Millis(1_000_000);

    fn wait(failures: usize, asked_s: Option<u64>, chance: u16) -> Option<i64> {
        let asked = asked_s.map(Duration::from_secs);
        next_at(&RETRIES_MS, failures, asked, NOW, chance).map(|at| at.0 - NOW.0)
    }

    #[test]
    fn waits_follow_the_schedule_within_a_tenth() {
        for (failures, wanted) in (1..).zip(RETRIES_MS) {
            let wanted = i64::try_from(wanted).expect("a wait");
            assert_eq!(wait(failures, None, 500), Some(wanted));
            assert_eq!(wait(failures, None, 0), Some(wanted * 9 / 10));
            assert_eq!(wait(failures, None, 1_000), Some(wanted * 11 / 10));
        }
    }

    #[test]
    fn nine_attempts_are_made() {
        assert!(wait(8, None, 0).is_some());
        assert_eq!(wait(9, None, 0), None);
        assert_eq!(wait(0, None, 0), None);
        assert_eq!(next_at(&[], 1, None, NOW, 0), None);
    }

    #[test]
    fn a_wish_is_met_within_bounds_and_never_shortens_a_wait() {
        assert_eq!(wait(1, Some(60), 500), Some(60_000));
        assert_eq!(wait(1, Some(1), 500), Some(5_000));
        assert_eq!(wait(1, Some(10_000_000), 500), Some(36_000_000));
        let short = next_at(&[1], 1, Some(Duration::from_secs(7_200)), NOW, 0);
        assert_eq!(short, Some(Millis(NOW.0 + 3_600_000)));
        assert_eq!(wait(9, Some(60), 0), None, "it gives no attempt more");
    }
}
