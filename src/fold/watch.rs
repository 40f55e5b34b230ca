//! A limit seen from its scope's row, so that most events are done with it in the row itself.
//! Promise: between two totals that are quiet a limit decides nothing (FORMATS.md, evaluation 4);
//! what is not known to be quiet is looked at in full.

use std::cmp::Ordering;

use super::event::BilledEvent;
use super::group::LimitNumber;
use super::limit::{LimitSpec, Measure, ScopeKind, Window};
use super::tally::Tally;

/// A calendar limit on cost or requests.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub number: LimitNumber,
    pub order: Order,
    pub monthly: bool,
    of_cost: bool,
    /// Totals in `low..high`, in the smallest unit, hold the same; empty until it was looked at.
    low: i64,
    high: i64,
}

/// The first bytes of a limit's id: sorts most limits without a look at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order(u64);

impl Order {
    pub fn of(limit_id: &str) -> Order {
        let mut bytes = [0; 8];
        for (byte, of_id) in bytes.iter_mut().zip(limit_id.bytes()) {
            *byte = of_id;
        }
        Order(u64::from_be_bytes(bytes))
    }

    /// The byte order of two ids; `ids` are asked for when their beginnings do not tell.
    pub fn compare<'a>(&self, other: &Order, ids: impl FnOnce() -> (&'a str, &'a str)) -> Ordering {
        self.cmp(other).then_with(|| {
            let (own, others) = ids();
            own.cmp(others)
        })
    }
}

/// A limit on each number by itself, seen from its account.
#[derive(Clone, Debug)]
pub(super) struct EachWatch {
    pub number: LimitNumber,
    pub order: Order,
    of_sender: bool,
    of_a_purpose: bool,
}

impl EachWatch {
    /// `None` for limits that do not mean each number.
    pub fn of(number: LimitNumber, spec: &LimitSpec) -> Option<EachWatch> {
        let of_sender = match spec.scope.kind {
            ScopeKind::Recipient => false,
            ScopeKind::Sender => true,
            _ => return None,
        };
        let of_a_purpose = spec.only.purpose.is_some();
        let order = Order::of(&spec.limit_id);
        let each = EachWatch { number, order, of_sender, of_a_purpose };
        spec.scope.id.is_none().then_some(each)
    }

    /// False when the limit cannot concern the event; true when it may.
    pub fn may_concern(&self, event: &BilledEvent<'_>) -> bool {
        let id = if self.of_sender { &event.sender } else { &event.recipient };
        id.is_some() && (!self.of_a_purpose || event.purpose.is_some())
    }
}

impl Watch {
    /// `None` for limits that do not look at a scope's tallies.
    pub fn of(number: LimitNumber, spec: &LimitSpec) -> Option<Watch> {
        let monthly = match spec.window {
            Window::Day => false,
            Window::Month => true,
            Window::Sliding { .. } => return None,
        };
        let of_cost = match spec.measure {
            Measure::Cost => true,
            Measure::Requests => false,
            Measure::Recipients => return None,
        };
        let order = Order::of(&spec.limit_id);
        Some(Watch { number, order, monthly, of_cost, low: 0, high: 0 })
    }

    /// The total that the limit looks at, in its smallest unit.
    pub fn units(&self, tally: &Tally) -> i128 {
        if self.of_cost { tally.cost.0 } else { i128::from(tally.requests) }
    }

    pub fn is_quiet(&self, before: i128, after: i128) -> bool {
        let quiet = i128::from(self.low)..i128::from(self.high);
        quiet.contains(&before) && quiet.contains(&after)
    }

    /// Remembers the totals around `total` that hold the same.
    pub fn settle(&mut self, spec: &LimitSpec, total: i128) {
        (self.low, self.high) = quiet_around(spec, total);
    }

    /// The limit's content changed: its next event is looked at.
    pub fn unsettle(&mut self) {
        (self.low, self.high) = (0, 0);
    }
}

/// The greatest boundary at or below `total` and the least above it. A limit's boundaries are the
/// totals at which a threshold or the amount begins to hold.
fn quiet_around(spec: &LimitSpec, total: i128) -> (i64, i64) {
    let (mut low, mut high) = (i64::MIN, i64::MAX);
    if !spec.enabled {
        return (low, high);
    }
    let amount = spec.amount.units();
    let thresholds = spec.thresholds.iter().map(|percent| {
        let hundredths = i128::from(*percent) * amount;
        // The least total whose hundredfold is not below: rounded up, both being positive.
        (hundredths + 99) / 100
    });
    for boundary in thresholds.chain([amount]) {
        let boundary = i64::try_from(boundary).expect("amounts are below 10^18 units");
        if i128::from(boundary) <= total {
            low = low.max(boundary);
        } else {
            high = high.min(boundary);
        }
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::super::evaluate::Holding;
    use super::super::limit::Amount;
    use super::super::limit_state::built_in;
    use super::*;
    use crate::money::Money;
    use crate::time::Millis;

    fn daily(amount: Amount, thresholds: &[u8], enabled: bool) -> LimitSpec {
        let measure = match amount {
            Amount::Cost(_) => Measure::Cost,
            Amount::Count(_) => Measure::Requests,
        };
        let thresholds = thresholds.to_vec();
        LimitSpec { amount, measure, window: Window::Day, thresholds, enabled, ..built_in() }
    }

    /// FORMATS.md, evaluation 4: a step between two totals that hold what the settled one holds
    /// decides nothing and is quiet; every other is looked at.
    #[test]
    fn a_limit_is_quiet_between_totals_that_hold_the_same_and_only_there() {
        let amounts = [1, 2, 3, 7, 10, 1_000].map(Amount::Count).into_iter();
        for amount in amounts.chain([7, 1_000].map(|units| Amount::Cost(Money(units)))) {
            for thresholds in [&[][..], &[1], &[33, 85], &[50, 75, 90, 100]] {
                for enabled in [true, false] {
                    let spec = daily(amount, thresholds, enabled);
                    let near = amount.units();
                    let totals: Vec<i128> = (-2..=13).chain(near - 2..near + 3).collect();
                    for settled in &totals {
                        assert_quiet_where_it_holds_the_same(&spec, *settled, &totals);
                    }
                }
            }
        }
    }

    fn assert_quiet_where_it_holds_the_same(spec: &LimitSpec, settled: i128, totals: &[i128]) {
        let holds = |total: i128| Holding::of(spec, 1, total, || Millis(0));
        let mut watch = Watch::of(LimitNumber(0), spec).expect("a calendar limit");
        watch.settle(spec, settled);
        let same = |total: i128| holds(total) == holds(settled);
        for before in totals {
            for after in totals {
                let quiet = watch.is_quiet(*before, *after);
                let expected = same(*before) && same(*after);
                assert_eq!(quiet, expected, "{spec:?} at {settled}: {before} to {after}");
            }
        }
        watch.unsettle();
        assert!(!watch.is_quiet(settled, settled), "its content changed: it is looked at");
    }

    /// FORMATS.md, evaluation 5: limits are taken in byte order of their ids.
    #[test]
    fn the_order_of_two_ids_is_the_order_of_their_bytes() {
        let ids = ["", "-", "A", "a", "ab", "abcdefgh", "abcdefgh-", "abcdefgha", "abcdefgi", "z"];
        for own in ids {
            for other in ids {
                let order = Order::of(own).compare(&Order::of(other), || (own, other));
                assert_eq!(order, own.cmp(other), "{own:?} and {other:?}");
            }
        }
    }
}
