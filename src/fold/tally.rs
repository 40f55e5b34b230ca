//! Tallies: cost and requests of one scope in one calendar window (L5: kept for every named scope
//! at all times, limits or none).

use super::limit::{Bounds, Window};
use crate::money::Money;
use crate::time::{Day, Millis, Month};

/// Number of an account inside one partition, given at its first line and kept in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountNumber(pub u32);

/// A UTC day or month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Calendar {
    Day(Day),
    Month(Month),
}

impl Calendar {
    /// The window of the limit's kind that holds `at`; `None` for a sliding one.
    #[must_use]
    pub fn holding(window: &Window, at: Millis) -> Option<Calendar> {
        match window {
            Window::Day => Some(Calendar::Day(at.day())),
            Window::Month => Some(Calendar::Month(at.month())),
            Window::Sliding { .. } => None,
        }
    }

    #[must_use]
    pub fn bounds(self) -> Bounds {
        match self {
            Calendar::Day(day) => Bounds { start: day.start(), end: day.next().start() },
            Calendar::Month(month) => Bounds { start: month.start(), end: month.next().start() },
        }
    }

    #[must_use]
    pub fn next(self) -> Calendar {
        match self {
            Calendar::Day(day) => Calendar::Day(day.next()),
            Calendar::Month(month) => Calendar::Month(month.next()),
        }
    }

    #[must_use]
    pub fn previous(self) -> Calendar {
        match self {
            Calendar::Day(day) => Calendar::Day(day.previous()),
            Calendar::Month(month) => Calendar::Month(month.previous()),
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Calendar::Day(_) => "day",
            Calendar::Month(_) => "month",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub cost: Money,
    pub requests: u64,
}

impl Tally {
    /// What it was before an event's share was added.
    #[must_use]
    pub fn without(self, cost: Money, requests: u32) -> Tally {
        Tally { cost: Money(self.cost.0 - cost.0), requests: self.requests - u64::from(requests) }
    }

    /// Adds an event's share. 2^64 requests or 2^127 micro-dollars in one window are out of any
    /// carrier's reach: an overflow is a bug and stops the process (C1).
    pub fn add(&mut self, cost: Money, requests: u32) {
        self.cost = self.cost.checked_add(cost).expect("a window's cost fits 127 bits");
        let sum = self.requests.checked_add(u64::from(requests));
        self.requests = sum.expect("a window's requests fit 64 bits");
    }
}

/// One line of `replay --totals`, and what a state query answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    pub account_id: String,
    pub scope: super::limit::Scope,
    pub window: Calendar,
    pub tally: Tally,
}

impl Total {
    /// What totals are sorted by: the bytes of account, kind, id, window, start. Windows compare as
    /// their names and starts do.
    #[must_use]
    pub fn order(&self) -> (&str, &str, &str, Calendar) {
        let id = self.scope.id.as_deref().unwrap_or("");
        (&self.account_id, self.scope.kind.as_str(), id, self.window)
    }
}

/// Days to months. It remembers the last one: events of a day come together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Months {
    day: Day,
    month: Month,
}

impl Default for Months {
    fn default() -> Months {
        Months { day: Millis(0).day(), month: Millis(0).month() }
    }
}

impl Months {
    pub fn windows(&mut self, at: Millis) -> (Day, Month) {
        let day = at.day();
        if day != self.day {
            *self = Months { day, month: at.month() };
        }
        (self.day, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Total::order` relies on it.
    #[test]
    fn windows_compare_as_their_names_and_starts() {
        let windows = [-1, 0, 1, 18_262, 19_955]
            .map(|number| [Calendar::Day(Day(number)), Calendar::Month(Month(number / 30))]);
        let spelled = |window: &Calendar| (window.as_str(), window.bounds().start);
        for one in windows.as_flattened() {
            for other in windows.as_flattened() {
                assert_eq!(one.cmp(other), spelled(one).cmp(&spelled(other)), "{one:?} {other:?}");
            }
        }
    }
}
