//! How fast a checkpoint is written. Promise: what is not urgent leaves a core to those who fold
//! after every piece, so a block does not wait behind it, yet all its pauses together are bounded;
//! whoever waits for it has it without further pauses. Niceness alone does not do that: where the
//! cores are full, a thread that works for a tenth of a second still makes all others late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Fewer rows are not worth a pause: they take half a millisecond.
const ROWS_AT_ONCE_MIN: usize = 500;
/// Of one pass over the rows; larger pieces make up for it.
const PAUSES_MAX: usize = 400;
const PAUSE: Duration = Duration::from_millis(2);

/// Of one checkpoint.
#[derive(Clone, Debug, Default)]
pub(super) enum Pace {
    #[default]
    AtOnce,
    /// With pauses, until the flag is set.
    #[cfg_attr(not(feature = "engine"), allow(dead_code, reason = "there is no thread for it"))]
    WithPauses(Arc<AtomicBool>),
}

impl Pace {
    /// Of a pass over so many rows.
    pub fn pieces(&self, rows: usize) -> Pieces<'_> {
        let hurry = match self {
            Pace::AtOnce => None,
            Pace::WithPauses(hurry) => Some(&**hurry),
        };
        let rows_at_once = rows.div_ceil(PAUSES_MAX).max(ROWS_AT_ONCE_MIN);
        Pieces { hurry, rows_at_once, done: 0 }
    }
}

/// A pass over rows.
pub(super) struct Pieces<'a> {
    hurry: Option<&'a AtomicBool>,
    rows_at_once: usize,
    /// Rows since the last pause.
    done: usize,
}

impl Pieces<'_> {
    /// One more row is done.
    pub fn row(&mut self) {
        if self.is_pause_due() {
            thread::park_timeout(PAUSE);
        }
    }

    fn is_pause_due(&mut self) -> bool {
        let Some(hurry) = self.hurry else { return false };
        self.done += 1;
        if self.done < self.rows_at_once {
            return false;
        }
        self.done = 0;
        !hurry.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(pace: &Pace, rows: usize) -> usize {
        let mut pieces = pace.pieces(rows);
        (0..rows).filter(|_| pieces.is_pause_due()).count()
    }

    #[test]
    fn pauses_are_bounded_however_many_rows_there_are() {
        let pace = Pace::WithPauses(Arc::default());
        assert_eq!(pauses(&pace, ROWS_AT_ONCE_MIN - 1), 0);
        assert_eq!(pauses(&pace, 10 * ROWS_AT_ONCE_MIN), 10);
        for rows in [PAUSES_MAX * ROWS_AT_ONCE_MIN + 1, 3_000_001] {
            let pauses = pauses(&pace, rows);
            assert!((PAUSES_MAX / 2..=PAUSES_MAX).contains(&pauses), "{rows}: {pauses}");
        }
    }

    #[test]
    fn what_is_urgent_or_waited_for_makes_no_pause() {
        assert_eq!(pauses(&Pace::AtOnce, 1_000_000), 0);
        let hurry = Arc::new(AtomicBool::new(false));
        let pace = Pace::WithPauses(Arc::clone(&hurry));
        let mut pieces = pace.pieces(4 * ROWS_AT_ONCE_MIN);
        let mut passed = |rows| (0..rows).filter(|_| pieces.is_pause_due()).count();
        assert_eq!(passed(2 * ROWS_AT_ONCE_MIN), 2);
        hurry.store(true, Ordering::Relaxed);
        assert_eq!(passed(2 * ROWS_AT_ONCE_MIN), 0);
    }
}
