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
