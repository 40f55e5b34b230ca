//! Limits: what is measured, over which window, against which amount (FORMATS.md, "Command").
//! Promise: a `LimitSpec` is one of the table's combinations; `wire` refuses all others.

use std::fmt;

use compact_str::CompactString;

use crate::money::Money;
use crate::time::Millis;

/// A limit as a `limit_set` names it.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitSpec {
    /// 1..=64 of `A-Z a-z 0-9 . _ -`.
    pub limit_id: CompactString,
    pub scope: Scope,
    pub measure: Measure,
    pub window: Window,
    pub amount: Amount,
    pub action: Action,
    /// Whole percents in 1..=100, strictly rising, at most 10.
    pub thresholds: Vec<u8>,
    pub enabled: bool,
    pub only: Only,
}

/// Whether there are limits of this kind: the table of FORMATS.md, "Command".
#[must_use]
pub fn is_listed(scope: &Scope, measure: Measure, window: &Window, only: &Only) -> bool {
    let sliding = window.period_ms().is_some();
    let of_money_or_requests = matches!(measure, Measure::Cost | Measure::Requests);
    let calendar = !sliding && of_money_or_requests && *only == Only::default();
    match scope.kind {
        ScopeKind::Account => calendar && scope.id.is_none(),
        ScopeKind::Feature | ScopeKind::Profile | ScopeKind::Country => {
            calendar && scope.id.is_some()
        }
        ScopeKind::Recipient => sliding && measure == Measure::Requests,
        ScopeKind::Sender => match measure {
            Measure::Requests => sliding,
            Measure::Recipients => matches!(window, Window::Day),
            Measure::Cost => false,
        },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeKind {
    Account,
    Feature,
    Profile,
    Country,
    Recipient,
    Sender,
}

impl ScopeKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ScopeKind::Account => "account",
            ScopeKind::Feature => "feature",
            ScopeKind::Profile => "profile",
            ScopeKind::Country => "country",
            ScopeKind::Recipient => "recipient",
            ScopeKind::Sender => "sender",
        }
    }
}

/// What a total is kept for. `id` is `None` for the account, and for "each number by itself" of a
/// recipient or sender limit; in decisions about such a limit it is the number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub kind: ScopeKind,
    /// Country ids are upper case.
    pub id: Option<CompactString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Cost,
    Requests,
    /// Distinct recipients (O4).
    Recipients,
}

impl Measure {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::Cost => "cost",
            Measure::Requests => "requests",
            Measure::Recipients => "recipients",
        }
    }
}

/// A limit's window. A sliding period is 1 s to 24 h in whole seconds; `text` is as it was
/// spelled.
#[derive(Clone, Debug)]
pub enum Window {
    Day,
    Month,
    Sliding { period_ms: i64, text: CompactString },
}

impl Window {
    /// The period of a sliding window.
    #[must_use]
    pub fn period_ms(&self) -> Option<i64> {
        match self {
            Window::Sliding { period_ms, .. } => Some(*period_ms),
            Window::Day | Window::Month => None,
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Window::Day => "day",
            Window::Month => "month",
            Window::Sliding { text, .. } => text,
        }
    }
}

/// By value: PT60S is PT1M.
impl PartialEq for Window {
    fn eq(&self, other: &Window) -> bool {
        match (self, other) {
            (Window::Day, Window::Day) | (Window::Month, Window::Month) => true,
            (Window::Sliding { period_ms: a, .. }, Window::Sliding { period_ms: b, .. }) => a == b,
            _ => false,
        }
    }
}

/// An amount or a total in the unit of the measure it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Cost(Money),
    /// Requests or distinct recipients.
    Count(u64),
}

impl Amount {
    /// In the smallest unit: micro-dollars, or ones.
    #[must_use]
    pub fn units(self) -> i128 {
        match self {
            Amount::Cost(money) => money.0,
            Amount::Count(count) => i128::from(count),
        }
    }
}

/// Money with two decimals or more, counts as whole numbers: the form of decisions.
impl fmt::Display for Amount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Cost(money) => money.fmt(out),
            Amount::Count(count) => count.fmt(out),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Alert,
    Block,
}

impl Action {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Alert => "alert",
            Action::Block => "block",
        }
    }
}

/// A recipient or sender limit may count only events of one purpose, of one feature, or of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    pub purpose: Option<CompactString>,
    pub feature: Option<CompactString>,
}

/// A calendar window's bounds: `start` belongs to it, `end` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub start: Millis,
    pub end: Millis,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FORMATS.md, "Command": every combination, and whether the table has it.
    #[test]
    fn the_limits_of_the_table_and_no_others_are_listed() {
        use Measure::{Cost, Recipients, Requests};
        use ScopeKind::{Account, Country, Feature, Profile, Recipient, Sender};
        let sliding = Window::Sliding { period_ms: 300_000, text: "PT5M".into() };
        let otp = Only { purpose: Some("otp".into()), feature: None };
        let mut listed = 0;
        for kind in [Account, Feature, Profile, Country, Recipient, Sender] {
            for id in [None, Some("one".into())] {
                for measure in [Cost, Requests, Recipients] {
                    for window in [&Window::Day, &Window::Month, &sliding] {
                        for only in [&Only::default(), &otp] {
                            let named = id.is_some();
                            let row = match (kind, measure, window.as_str()) {
                                (Account, Cost | Requests, "day" | "month") => {
                                    !named && only.purpose.is_none()
                                }
                                (Feature | Profile | Country, Cost | Requests, "day" | "month") => {
                                    named && only.purpose.is_none()
                                }
                                (Recipient | Sender, Requests, "PT5M") => true,
                                (Sender, Recipients, "day") => true,
                                _ => false,
                            };
                            let scope = Scope { kind, id: id.clone() };
                            let is = is_listed(&scope, measure, window, only);
                            assert_eq!(is, row, "{scope:?} {measure:?} {window:?} {only:?}");
                            listed += u32::from(is);
                        }
                    }
                }
            }
        }
        assert_eq!(listed, 4 + 3 * 4 + 2 * 4 + 4);
    }
}
