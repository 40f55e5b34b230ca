//! The times of one group in a sliding window (O1). Promise: at most the 1,000 newest are kept,
//! an event counting as often as it has requests (FORMATS.md, evaluation 6 and 9).

use std::collections::VecDeque;

use crate::time::Millis;

/// Times kept per group, the bound of a sliding limit's amount.
pub const TIMES_MAX: u64 = 1_000;

/// A group's times, oldest first; equal times share an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sliding {
    pub(super) entries: VecDeque<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: Millis,
    /// 1..=1,000.
    pub count: u32,
}

impl Sliding {
    #[must_use]
    pub fn from_entries(entries: Vec<Entry>) -> Sliding {
        Sliding { entries: entries.into() }
    }

    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().copied()
    }

    /// How many times lie after `since`.
    #[must_use]
    pub fn total(&self, since: Millis) -> u64 {
        let fresh = self.entries.iter().rev().take_while(|entry| entry.at > since);
        fresh.map(|entry| u64::from(entry.count)).sum()
    }

    /// The `nth` newest time (from 1), if there are so many.
    #[must_use]
    pub fn nth_newest(&self, nth: u64) -> Option<Millis> {
        let mut seen = 0;
        for entry in self.entries.iter().rev() {
            seen += u64::from(entry.count);
            if seen >= nth {
                return Some(entry.at);
            }
        }
        None
    }

    /// Adds `requests` times at `at`, after forgetting what is not after `since`.
    pub fn add(&mut self, at: Millis, requests: u32, since: Millis) {
        while self.entries.front().is_some_and(|entry| entry.at <= since) {
            self.entries.pop_front();
        }
        let count = requests.min(TIMES_MAX as u32);
        if count == 0 {
            return;
        }
        let behind = self.entries.partition_point(|entry| entry.at < at);
        match self.entries.get_mut(behind) {
            Some(entry) if entry.at == at => entry.count += count,
            _ => self.entries.insert(behind, Entry { at, count }),
        }
        self.trim();
    }

    /// Forgets the oldest times beyond the bound.
    fn trim(&mut self) {
        let total: u64 = self.entries.iter().map(|entry| u64::from(entry.count)).sum();
        let mut excess = total.saturating_sub(TIMES_MAX);
        while excess > 0 {
            let oldest = self.entries.front_mut().expect("a group over its bound has an entry");
            let cut = u64::from(oldest.count).min(excess);
            oldest.count -= u32::try_from(cut).expect("at most the entry's count");
            excess -= cut;
            if oldest.count == 0 {
                self.entries.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(sliding: &Sliding) -> Vec<(i64, u32)> {
        sliding.entries().map(|entry| (entry.at.0, entry.count)).collect()
    }

    /// FORMATS.md, evaluation 9.
    #[test]
    fn a_group_keeps_its_thousand_newest_times() {
        let mut sliding = Sliding::default();
        for (at, requests) in [(1, 400), (2, 600), (4, 1), (3, 9)] {
            sliding.add(Millis(at), requests, Millis(0));
        }
        assert_eq!(entries(&sliding), [(1, 390), (2, 600), (3, 9), (4, 1)]);
        sliding.add(Millis(5), 400, Millis(0));
        assert_eq!(entries(&sliding), [(2, 590), (3, 9), (4, 1), (5, 400)]);
        sliding.add(Millis(6), 1_000_000_000, Millis(0));
        assert_eq!(entries(&sliding), [(6, 1_000)]);
        assert_eq!(sliding.total(Millis(0)), TIMES_MAX);
    }

    #[test]
    fn equal_times_share_an_entry() {
        let mut sliding = Sliding::default();
        for (at, requests) in [(1, 1), (3, 2), (1, 4), (2, 8), (3, 16)] {
            sliding.add(Millis(at), requests, Millis(0));
        }
        assert_eq!(entries(&sliding), [(1, 5), (2, 8), (3, 18)]);
    }

    /// What is no longer after `since` takes no memory, and what has no requests never does.
    #[test]
    fn times_that_ran_out_and_events_without_requests_leave_no_entry() {
        let mut sliding = Sliding::default();
        for at in 1..=4 {
            sliding.add(Millis(at), 1, Millis(0));
        }
        sliding.add(Millis(5), 0, Millis(2));
        assert_eq!(entries(&sliding), [(3, 1), (4, 1)]);
        assert_eq!(sliding.total(Millis(3)), 1);
    }

    /// FORMATS.md, evaluation 6: an event counts as often as it has requests.
    #[test]
    fn the_nth_newest_time_is_found_behind_events_of_many_requests() {
        let mut sliding = Sliding::default();
        for (at, requests) in [(1, 1), (2, 3), (3, 1)] {
            sliding.add(Millis(at), requests, Millis(0));
        }
        let found: Vec<_> = (1..=6).map(|nth| sliding.nth_newest(nth).map(|at| at.0)).collect();
        assert_eq!(found, [Some(3), Some(2), Some(2), Some(2), Some(1), None]);
    }
}
