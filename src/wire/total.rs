//! A tally as `tollgate replay --totals` and the queries show it (FORMATS.md, "Totals").
//! Promise: only windows that a calendar names; a sliding window has no total of its own.

use compact_str::CompactString;

use crate::fold::limit::Scope;
use crate::money::Money;
use crate::time::Millis;

/// What one scope of an account spent in one day or month.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    pub account_id: CompactString,
    pub scope: Scope,
    pub window: CalendarWindow,
    pub window_start: Millis,
    pub cost: Money,
    pub requests: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CalendarWindow {
    Day,
    Month,
}

impl CalendarWindow {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CalendarWindow::Day => "day",
            CalendarWindow::Month => "month",
        }
    }
}
