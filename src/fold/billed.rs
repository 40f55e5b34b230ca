//! A billed event's way through the state: checks, dedup, tallies, then the limits it concerns
//! (FORMATS.md, evaluation 2-5).

use compact_str::CompactString;
use smallvec::SmallVec;

use super::decision::Decision;
use super::dedup::{Seen, digest16};
use super::evaluate::{Holding, Looked, Trigger};
use super::event::{BilledEvent, Position, Reason};
use super::group::{DayGroup, LimitNumber};
use super::limit::{Amount, Measure, Only, ScopeKind, Window};
use super::limit_state::Place;
use super::state::{State, kind_bit};
use super::tally::{AccountNumber, Calendar, ScopeName, Tally, TallyKey};
use crate::time::{DAY_MS, Day, Millis, Month};

/// An event further ahead of `now` than this is a reject (C2).
const FUTURE_MAX_MS: i64 = DAY_MS;

/// A scope's tallies of the event's own day and month, before the event.
struct Touched {
    scope: ScopeName,
    day: Tally,
    month: Tally,
}

/// An event on its way, with what several steps need.
struct Billed<'a> {
    event: &'a BilledEvent,
    position: &'a Position,
    account: AccountNumber,
    now: Millis,
    day: Day,
    month: Month,
}

impl State {
    pub(super) fn billed(
        &mut self,
        event: &BilledEvent,
        position: &Position,
        out: &mut Vec<Decision>,
    ) {
        let now = self.moved_now();
        if event.occurred_at.0 > now.0 + FUTURE_MAX_MS {
            let detail = format!("occurred_at {} is over 24 h ahead of {now}", event.occurred_at);
            return self.reject_event(Reason::FutureEvent, event, detail, position, out);
        }
        let account = self.account(&event.account_id);
        match self.dedup.check(account, event, now) {
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
        let (day, month) = (event.occurred_at.day(), event.occurred_at.month());
        let billed = Billed { event, position, account, now, day, month };
        let touched = self.add_to_tallies(&billed);
        for number in self.concerned(&billed, &touched) {
            self.look_after_event(&billed, &touched, number, out);
        }
    }

    fn reject_event(
        &mut self,
        reason: Reason,
        event: &BilledEvent,
        detail: String,
        position: &Position,
        out: &mut Vec<Decision>,
    ) {
        let ids = (Some(event.event_id.as_str()), None);
        self.reject(reason, &event.account_id, ids, detail, position, out);
    }

    fn count(&mut self, event: &BilledEvent) {
        let counts = &mut self.counts;
        counts.events += 1;
        counts.cost = counts.cost.checked_add(event.cost).expect("a log's cost fits 127 bits");
        counts.requests += u64::from(event.requests);
    }

    /// Adds the event to its account, feature, profile and country in its own day and month (L5).
    fn add_to_tallies(&mut self, billed: &Billed<'_>) -> SmallVec<[Touched; 4]> {
        let event = billed.event;
        let scopes = [
            (ScopeKind::Account, Some("")),
            (ScopeKind::Feature, Some(event.feature.as_str())),
            (ScopeKind::Profile, event.profile_id.as_deref()),
            (ScopeKind::Country, event.country.as_deref()),
        ];
        let mut touched = SmallVec::new();
        for (kind, id) in scopes {
            let Some(id) = id else { continue };
            let scope = ScopeName { kind, name: self.names.intern(id) };
            let mut add = |window| {
                let key = TallyKey { account: billed.account, scope, window };
                let tally = self.tallies.change(&key);
                let before = *tally;
                tally.add(event.cost, event.requests);
                before
            };
            let day = add(Calendar::Day(billed.day));
            let month = add(Calendar::Month(billed.month));
            touched.push(Touched { scope, day, month });
        }
        touched
    }

    /// The limits whose scope the event lies in, in byte order of limit_id.
    fn concerned(&self, billed: &Billed<'_>, touched: &[Touched]) -> SmallVec<[LimitNumber; 8]> {
        let mut found: SmallVec<[LimitNumber; 8]> = SmallVec::new();
        let account = billed.account;
        let kinds = self.accounts[account.0 as usize].kinds;
        let mut look = |place| found.extend_from_slice(self.limits.at(&place));
        for ScopeName { kind, name } in touched.iter().map(|one| one.scope) {
            if kinds & kind_bit(kind) != 0 {
                look(Place { account, kind, name: Some(name) });
            }
        }
        let numbers = [
            (ScopeKind::Recipient, &billed.event.recipient),
            (ScopeKind::Sender, &billed.event.sender),
        ];
        for (kind, number) in numbers {
            let Some(number) = number else { continue };
            if kinds & kind_bit(kind) != 0 {
                look(Place { account, kind, name: None });
                if let Some(name) = self.names.find(number) {
                    look(Place { account, kind, name: Some(name) });
                }
            }
        }
        if found.len() > 1 {
            found.sort_unstable_by(|a, b| {
                self.limit(*a).spec.limit_id.cmp(&self.limit(*b).spec.limit_id)
            });
        }
        found
    }

    fn look_after_event(
        &mut self,
        billed: &Billed<'_>,
        touched: &[Touched],
        number: LimitNumber,
        out: &mut Vec<Decision>,
    ) {
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
                self.look_at_tally(billed, touched, number, Calendar::Day(billed.day), out);
            }
            (Window::Month, _) => {
                self.look_at_tally(billed, touched, number, Calendar::Month(billed.month), out);
            }
        }
    }

    /// A calendar limit on cost or requests: a late event decides nothing, an early one when its
    /// window begins (C2).
    fn look_at_tally(
        &mut self,
        billed: &Billed<'_>,
        touched: &[Touched],
        number: LimitNumber,
        window: Calendar,
        out: &mut Vec<Decision>,
    ) {
        let bounds = window.bounds();
        if bounds.end <= billed.now {
            return;
        }
        if bounds.start > billed.now {
            return self.set_timer_at_most(number, "".into(), bounds.start);
        }
        let limit = self.limit(number);
        let scope = touched.iter().find(|one| one.scope.kind == limit.spec.scope.kind);
        let scope = scope.expect("a concerned calendar limit's scope was touched");
        let mut tally = match window {
            Calendar::Day(_) => scope.day,
            Calendar::Month(_) => scope.month,
        };
        let total_before = amount_of(limit.spec.measure, tally);
        tally.add(billed.event.cost, billed.event.requests);
        let total_after = amount_of(limit.spec.measure, tally);
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
        let (total_before, before) = self.sliding_holding(number, &group, since);
        let sliding = self.slidings.change(number, &group);
        sliding.add(event.occurred_at, event.requests, since);
        let (total_after, after) = self.sliding_holding(number, &group, since);
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
        if billed.event.requests == 0 || billed.day < billed.now.day() {
            return;
        }
        let group = self.group_of(number, billed.event);
        let key = DayGroup { day: billed.day, group };
        let count = |state: &State| state.distincts.get(number, &key).map_or(0, |row| row.count());
        let counted = count(self);
        self.distincts.change(number, &key).add(digest16(recipient));
        let now_counted = count(self);
        let bounds = Calendar::Day(billed.day).bounds();
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
    fn group_of(&self, number: LimitNumber, event: &BilledEvent) -> CompactString {
        let limit = self.limit(number);
        if !limit.means_each() {
            return CompactString::const_new("");
        }
        let id = match limit.spec.scope.kind {
            ScopeKind::Sender => &event.sender,
            _ => &event.recipient,
        };
        id.clone().expect("a limit on numbers concerns only events that have one")
    }
}

pub(super) fn amount_of(measure: Measure, tally: Tally) -> Amount {
    match measure {
        Measure::Cost => Amount::Cost(tally.cost),
        Measure::Requests | Measure::Recipients => Amount::Count(tally.requests),
    }
}

fn counts_for(only: &Only, event: &BilledEvent) -> bool {
    let purpose = only.purpose.is_none() || only.purpose == event.purpose;
    purpose && only.feature.as_ref().is_none_or(|feature| *feature == event.feature)
}
