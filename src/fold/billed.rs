//! A billed event's way through the state: checks, dedup, tallies, then the limits it concerns
//! (FORMATS.md, evaluation 2-5).

use compact_str::CompactString;
use smallvec::SmallVec;

use super::ahead::{Ahead, scopes_of};
use super::decision::Decision;
use super::dedup::{Seen, digest16};
use super::evaluate::{Holding, Looked, Trigger};
use super::event::{BilledEvent, Position, Reason};
use super::group::{DayGroup, LimitNumber};
use super::limit::{Amount, Measure, Only, ScopeKind, Window};
use super::limit_state::Place;
use super::scopes::ScopeNumber;
use super::sliding::Sliding;
use super::state::State;
use super::tally::{AccountNumber, Calendar, Tally};
use super::watch::Order;
use crate::time::{DAY_MS, Day, Millis, Month};

/// An event further ahead of `now` than this is a reject (C2).
const FUTURE_MAX_MS: i64 = DAY_MS;

/// A limit that may decide something on the event.
struct Concerned {
    number: LimitNumber,
    order: Order,
    /// The row of its scope, for a limit on a tally.
    scope: Option<ScopeNumber>,
}

/// An event on its way, with what several steps need.
struct Billed<'a> {
    event: &'a BilledEvent<'a>,
    position: &'a Position,
    account: AccountNumber,
    now: Millis,
    /// The day and the month in which it occurred.
    windows: (Day, Month),
}

impl State {
    pub(super) fn billed(
        &mut self,
        event: &BilledEvent<'_>,
        ahead: &Ahead,
        position: &Position,
        out: &mut Vec<Decision>,
    ) {
        let now = self.moved_now();
        if event.occurred_at.0 > now.0 + FUTURE_MAX_MS {
            let detail = format!("occurred_at {} is over 24 h ahead of {now}", event.occurred_at);
            return self.reject_event(Reason::FutureEvent, event, detail, position, out);
        }
        let account = ahead.account.unwrap_or_else(|| self.account(&event.account_id));
        match self.dedup.check(account, &ahead.id, now) {
            Seen::New => {}
            Seen::Duplicate => {
                self.counts.duplicates += 1;
                return;
            }
            Seen::Conflict => {
                let detail = "the same id came with another payload".to_owned();
                return self.reject_event(Reason::Conflict, event, detail, position, out);
            }
        }
        self.count(event);
        let windows = self.months.windows(event.occurred_at);
        let billed = Billed { event, position, account, now, windows };
        let mut concerned = SmallVec::<[Concerned; 8]>::new();
        self.add_to_tallies(&billed, ahead, &mut concerned);
        self.look_for_numbers(&billed, &mut concerned);
        let limit_id = |one: &Concerned| self.limit(one.number).spec.limit_id.as_str();
        concerned.sort_unstable_by(|a, b| a.order.compare(&b.order, || (limit_id(a), limit_id(b))));
        for limit in concerned {
            self.look_after_event(&billed, &limit, out);
        }
    }

    fn reject_event(
        &mut self,
        reason: Reason,
        event: &BilledEvent<'_>,
        detail: String,
        position: &Position,
        out: &mut Vec<Decision>,
    ) {
        let ids = (Some(&*event.event_id), None);
        self.reject(reason, &event.account_id, ids, detail, position, out);
    }

    fn count(&mut self, event: &BilledEvent<'_>) {
        let counts = &mut self.counts;
        counts.events += 1;
        counts.cost = counts.cost.checked_add(event.cost).expect("a log's cost fits 127 bits");
        counts.requests += u64::from(event.requests);
    }

    /// Adds the event to its account, feature, profile and country in its own day and month (L5).
    /// The limits there that may have to tell something are `concerned`. A late or early event may
    /// be quiet too: the one that leads a window to come over a boundary is not.
    fn add_to_tallies(
        &mut self,
        billed: &Billed<'_>,
        ahead: &Ahead,
        concerned: &mut impl Extend<Concerned>,
    ) {
        let event = billed.event;
        let share = Tally { cost: event.cost, requests: u64::from(event.requests) };
        for ((kind, id), found) in scopes_of(event).into_iter().zip(ahead.scopes) {
            let Some(id) = id else { continue };
            let scope = found.unwrap_or_else(|| self.scope(billed.account, kind, id));
            let (day, month) = self.scopes.add(scope, billed.windows, event.cost, event.requests);
            for watch in self.scopes.row(scope).watches() {
                let after = watch.units(if watch.monthly { &month } else { &day });
                let before = after - watch.units(&share);
                if !watch.is_quiet(before, after) {
                    let (number, order) = (watch.number, watch.order);
                    concerned.extend([Concerned { number, order, scope: Some(scope) }]);
                }
            }
        }
    }

    /// The limits on its recipient and its sender, on each or on this one.
    fn look_for_numbers(&self, billed: &Billed<'_>, concerned: &mut impl Extend<Concerned>) {
        let (event, account) = (billed.event, &self.accounts[billed.account.0 as usize]);
        let each = account.each.iter().filter(|each| each.may_concern(event));
        concerned.extend(each.map(|each| Concerned {
            number: each.number,
            order: each.order,
            scope: None,
        }));
        if account.numbered == 0 {
            return;
        }
        for (kind, id) in
            [(ScopeKind::Recipient, &event.recipient), (ScopeKind::Sender, &event.sender)]
        {
            let Some(id) = id else { continue };
            let place = Place { account: billed.account, kind, id: Some(id) };
            concerned.extend(self.limits.at(&place).iter().map(|number| {
                let order = Order::of(&self.limit(*number).spec.limit_id);
                Concerned { number: *number, order, scope: None }
            }));
        }
    }

    fn look_after_event(
        &mut self,
        billed: &Billed<'_>,
        concerned: &Concerned,
        out: &mut Vec<Decision>,
    ) {
        let number = concerned.number;
        let spec = self.limit(number).spec.clone();
        if !counts_for(&spec.only, billed.event) {
            return;
        }
        match (&spec.window, spec.measure) {
            (Window::Sliding { period_ms, .. }, _) => {
                self.slide(billed, number, *period_ms, out);
            }
            (_, Measure::Recipients) => self.reach_recipient(billed, number, out),
            (Window::Day, _) => {
                self.look_at_tally(billed, concerned, Calendar::Day(billed.windows.0), out);
            }
            (Window::Month, _) => {
                self.look_at_tally(billed, concerned, Calendar::Month(billed.windows.1), out);
            }
        }
    }

    /// A calendar limit on cost or requests: a late event decides nothing, an early one when its
    /// window begins (C2).
    fn look_at_tally(
        &mut self,
        billed: &Billed<'_>,
        concerned: &Concerned,
        window: Calendar,
        out: &mut Vec<Decision>,
    ) {
        let (number, bounds) = (concerned.number, window.bounds());
        if bounds.end <= billed.now {
            return;
        }
        if bounds.start > billed.now {
            return self.set_timer_at_most(number, "".into(), bounds.start);
        }
        let scope = concerned.scope.expect("a limit on a tally is found in its scope's row");
        let limit = self.limits.get(number).expect("a watched limit is there");
        let row = self.scopes.row_mut(scope);
        let after = row.tally(window).expect("the event was just added");
        let before = after.without(billed.event.cost, billed.event.requests);
        let measure = limit.spec.measure;
        let (total_before, total_after) = (amount_of(measure, before), amount_of(measure, after));
        let watch = row.watches_mut().iter_mut().find(|watch| watch.number == number);
        watch.expect("it was found there").settle(&limit.spec, total_after.units());
        let hold =
            |total: Amount| Holding::of(&limit.spec, limit.version, total.units(), || bounds.end);
        let (before, after) = (hold(total_before), hold(total_after));
        if before != after {
            let trigger = Trigger::Event(billed.event, billed.position);
            let looked = Looked { before, after, total_before, total_after };
            self.step_calendar(number, trigger, bounds, looked, out);
        }
    }

    /// A sliding limit: early events count at once, late ones outside the period not at all.
    fn slide(
        &mut self,
        billed: &Billed<'_>,
        number: LimitNumber,
        period_ms: i64,
        out: &mut Vec<Decision>,
    ) {
        let (event, now) = (billed.event, billed.now);
        let since = Millis(now.0 - period_ms);
        if event.occurred_at <= since || event.requests == 0 {
            return;
        }
        let group = self.group_of(number, event);
        let limit = self.limits.get(number).expect("a concerned limit is there");
        let sliding = self.slidings.change(number, &group);
        let hold = |sliding: &Sliding| {
            Holding::of_sliding(&limit.spec, limit.version, Some(sliding), since)
        };
        let (total_before, before) = hold(sliding);
        sliding.add(event.occurred_at, event.requests, since);
        let (total_after, after) = hold(sliding);
        if before != after {
            let trigger = Trigger::Event(event, billed.position);
            let looked = Looked { before, after, total_before, total_after };
            self.step_sliding(number, &group, trigger, looked, out);
        }
    }

    /// A distinct-recipient limit: counts recipients of events with requests (O4).
    fn reach_recipient(
        &mut self,
        billed: &Billed<'_>,
        number: LimitNumber,
        out: &mut Vec<Decision>,
    ) {
        let Some(recipient) = &billed.event.recipient else { return };
        if billed.event.requests == 0 || billed.windows.0 < billed.now.day() {
            return;
        }
        let group = self.group_of(number, billed.event);
        let key = DayGroup { day: billed.windows.0, group };
        let count = |state: &State| state.distincts.get(number, &key).map_or(0, |row| row.count());
        let counted = count(self);
        self.distincts.change(number, &key).add(digest16(recipient));
        let now_counted = count(self);
        let bounds = Calendar::Day(billed.windows.0).bounds();
        if bounds.start > billed.now {
            return self.set_timer_at_most(number, key.group, bounds.start);
        }
        let (total_before, total_after) = (Amount::Count(counted), Amount::Count(now_counted));
        let limit = self.limit(number);
        let hold =
            |total: Amount| Holding::of(&limit.spec, limit.version, total.units(), || bounds.end);
        let looked = Looked {
            before: hold(total_before),
            after: hold(total_after),
            total_before,
            total_after,
        };
        if looked.before != looked.after {
            let trigger = Trigger::Event(billed.event, billed.position);
            self.step_distinct(number, &key, trigger, looked, out);
        }
    }

    /// The event's group: its number where the limit means each, else the one group.
    fn group_of(&self, number: LimitNumber, event: &BilledEvent<'_>) -> CompactString {
        let limit = self.limit(number);
        if !limit.means_each() {
            return CompactString::const_new("");
        }
        let id = match limit.spec.scope.kind {
            ScopeKind::Sender => &event.sender,
            _ => &event.recipient,
        };
        let id = id.as_deref().expect("a limit on numbers concerns only events that have one");
        id.into()
    }
}

pub(super) fn amount_of(measure: Measure, tally: Tally) -> Amount {
    match measure {
        Measure::Cost => Amount::Cost(tally.cost),
        Measure::Requests | Measure::Recipients => Amount::Count(tally.requests),
    }
}

/// Whether a limit with this `only` looks at the event.
pub(super) fn counts_for(only: &Only, event: &BilledEvent<'_>) -> bool {
    let purpose = only.purpose.is_none() || only.purpose.as_deref() == event.purpose.as_deref();
    purpose && only.feature.as_ref().is_none_or(|feature| *feature == *event.feature)
}
