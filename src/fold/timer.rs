//! Timers: what happens by time alone (T6, K8): a calendar window ends, a sliding block runs out.
//! Promise: they fire in order of (time, account_id, limit_id, group), each at its own time. A
//! timer that finds nothing to tell tells nothing, so setting one too many is harmless.

use compact_str::CompactString;

use super::billed::amount_of;
use super::decision::Decision;
use super::evaluate::{Holding, Looked, Trigger};
use super::group::{DayGroup, LimitNumber};
use super::limit::{Amount, LimitSpec, Measure, Window};
use super::state::State;
use super::tally::Calendar;
use crate::time::Millis;

/// Timers that one journal record without lines may fire; midnight is many small records.
pub const TIMERS_PER_RECORD_MAX: usize = 10_000;

/// Ordered as they fire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub at: Millis,
    pub account_id: CompactString,
    pub limit_id: CompactString,
    pub group: CompactString,
    pub limit: LimitNumber,
}

impl State {
    /// Fires at most `most` timers due at or before `to`, moving `now` to each.
    pub(super) fn fire(&mut self, to: Millis, most: usize, out: &mut Vec<Decision>) {
        for _ in 0..most {
            if self.timers.first().is_none_or(|timer| timer.at > to) {
                break;
            }
            let timer = self.timers.pop_first().expect("was just seen");
            self.set_now(timer.at);
            self.fire_one(&timer, out);
        }
    }

    /// A slice: fires at most `TIMERS_PER_RECORD_MAX` timers due at or before `to`, and leaves
    /// `now` at the last one's time if more are due, else at `to`.
    pub fn advance_slice(&mut self, to: Millis, out: &mut Vec<Decision>) {
        self.fire(to, TIMERS_PER_RECORD_MAX, out);
        if self.timers.first().is_none_or(|timer| timer.at > to) {
            self.set_now(to);
        }
    }

    /// How many timers are due at or before `to`, counting no further than `most`.
    #[must_use]
    pub fn timers_due(&self, to: Millis, most: usize) -> usize {
        self.timers.iter().take(most).take_while(|timer| timer.at <= to).count()
    }

    /// When the next timer fires.
    #[must_use]
    pub fn next_timer(&self) -> Option<Millis> {
        self.timers.first().map(|timer| timer.at)
    }

    fn fire_one(&mut self, timer: &Timer, out: &mut Vec<Decision>) {
        let Some(limit) = self.limits.get_mut(timer.limit) else { return };
        limit.timers.remove(&timer.group);
        let (account, spec) = (limit.account, limit.spec.clone());
        let key = (account, timer.limit_id.clone(), timer.group.clone());
        self.changed.timers.insert(key);
        match (&spec.window, spec.measure) {
            (Window::Sliding { period_ms, .. }, _) => {
                self.run_out(timer, *period_ms, out);
            }
            (_, Measure::Recipients) => self.begin_distinct_day(timer, out),
            (Window::Day | Window::Month, _) => {
                let window = Calendar::holding(&spec.window, timer.at);
                self.begin_window(timer, window.expect("a calendar window"), out);
            }
        }
    }

    /// A sliding block's end: `before` is the total a millisecond earlier.
    fn run_out(&mut self, timer: &Timer, period_ms: i64, out: &mut Vec<Decision>) {
        let since = Millis(timer.at.0 - period_ms);
        let earlier = Millis(since.0 - 1);
        let (number, group) = (timer.limit, &timer.group);
        let (total_before, before) = self.sliding_holding(number, group, earlier);
        let (total_after, after) = self.sliding_holding(number, group, since);
        let looked = Looked { before, after, total_before, total_after };
        self.step_sliding(number, group, Trigger::WindowEnd, looked, out);
    }

    /// A new day or month of a limit on cost or requests.
    fn begin_window(&mut self, timer: &Timer, window: Calendar, out: &mut Vec<Decision>) {
        let limit = self.limit(timer.limit);
        let (account, spec, version) = (limit.account, limit.spec.clone(), limit.version);
        let bounds = window.bounds();
        let ended = window.previous();
        let total = |window| {
            let tally = self.tally(account, &spec.scope, window);
            amount_of(spec.measure, tally.unwrap_or_default())
        };
        let (total_ended, total_after) = (total(ended), total(window));
        let hold = |total: Amount, until| Holding::of(&spec, version, total.units(), || until);
        let before = hold(total_ended, bounds.start).into_next_window();
        let after = hold(total_after, bounds.end);
        let total_before = zero(spec.measure);
        let looked = Looked { before, after, total_before, total_after };
        self.step_calendar(timer.limit, Trigger::WindowEnd, bounds, looked, out);
    }

    /// A new day of one group of a distinct-recipient limit.
    fn begin_distinct_day(&mut self, timer: &Timer, out: &mut Vec<Decision>) {
        let day = timer.at.day();
        let count = |day| {
            let key = DayGroup { day, group: timer.group.clone() };
            self.distincts.get(timer.limit, &key).map_or(0, |row| row.count())
        };
        let (ended, begun) = (count(day.previous()), count(day));
        let limit = self.limit(timer.limit);
        let bounds = Calendar::Day(day).bounds();
        let hold = |total: u64, until| {
            Holding::of(&limit.spec, limit.version, i128::from(total), || until)
        };
        let looked = Looked {
            before: hold(ended, bounds.start).into_next_window(),
            after: hold(begun, bounds.end),
            total_before: Amount::Count(0),
            total_after: Amount::Count(begun),
        };
        let key = DayGroup { day, group: timer.group.clone() };
        self.step_distinct(timer.limit, &key, Trigger::WindowEnd, looked, out);
    }

    /// A sliding group's total after `since`, and what its limit holds at it.
    pub(super) fn sliding_holding(
        &self,
        number: LimitNumber,
        group: &CompactString,
        since: Millis,
    ) -> (Amount, Holding) {
        let limit = self.limit(number);
        self.sliding_at(number, group, since, &limit.spec, limit.version)
    }

    /// The same for another content of the limit.
    pub(super) fn sliding_at(
        &self,
        number: LimitNumber,
        group: &CompactString,
        since: Millis,
        spec: &LimitSpec,
        version: u32,
    ) -> (Amount, Holding) {
        Holding::of_sliding(spec, version, self.slidings.get(number, group), since)
    }

    /// Sets, moves or (with `None`) takes away a group's timer.
    pub(super) fn set_timer(
        &mut self,
        number: LimitNumber,
        group: CompactString,
        at: Option<Millis>,
    ) {
        let limit = self.limits.get_mut(number).expect("timers belong to a limit that is there");
        let set = limit.timers.get(&group).copied();
        if set == at {
            return;
        }
        let account_id = &self.accounts[limit.account.0 as usize].id;
        let timer = |at| Timer {
            at,
            account_id: account_id.clone(),
            limit_id: limit.spec.limit_id.clone(),
            group: group.clone(),
            limit: number,
        };
        if let Some(set) = set {
            self.timers.remove(&timer(set));
        }
        if let Some(at) = at {
            self.timers.insert(timer(at));
        }
        let key = (limit.account, limit.spec.limit_id.clone(), group.clone());
        self.changed.timers.insert(key);
        match at {
            Some(at) => limit.timers.insert(group, at),
            None => limit.timers.remove(&group),
        };
    }

    /// Takes the timer of a limit that is being removed out of the queue.
    pub(super) fn forget_timer(&mut self, number: LimitNumber, group: CompactString, at: Millis) {
        let limit = self.limit(number);
        let account = limit.account;
        let account_id = self.accounts[account.0 as usize].id.clone();
        let limit_id = limit.spec.limit_id.clone();
        self.changed.timers.insert((account, limit_id.clone(), group.clone()));
        self.timers.remove(&Timer { at, account_id, limit_id, group, limit: number });
    }

    /// Sets a group's timer unless an earlier one stands.
    pub(super) fn set_timer_at_most(
        &mut self,
        number: LimitNumber,
        group: CompactString,
        at: Millis,
    ) {
        let set = self.limit(number).timers.get(&group);
        if set.is_none_or(|set| *set > at) {
            self.set_timer(number, group, Some(at));
        }
    }
}

fn zero(measure: Measure) -> Amount {
    match measure {
        Measure::Cost => Amount::Cost(crate::money::Money::ZERO),
        Measure::Requests | Measure::Recipients => Amount::Count(0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{BilledEvent, Input, Line, Position};
    use super::*;
    use crate::money::Money;
    use crate::time::{MINUTE_MS, Millis};

    /// Three one-time passwords at once: the number is blocked for five minutes (O1).
    fn blocking(number: i64) -> Line<'static> {
        let at = Millis(number);
        let event = BilledEvent {
            event_id: number.to_string().into(),
            idempotency_key: None,
            account_id: "acme".into(),
            profile_id: None,
            feature: "sms".into(),
            country: None,
            sender: None,
            recipient: Some(format!("+{number}").into()),
            purpose: Some("otp".into()),
            requests: 3,
            cost: Money(1),
            occurred_at: at,
        };
        let position = Position { source: "billed".into(), at: 0 };
        Line { input: Input::Billed(event), recorded_at: at, position }
    }

    /// A state in which every second millisecond from the first on has a timer, and its end.
    fn blocked(numbers: i64) -> (State, i64) {
        let mut state = State::new(10);
        let lines: Vec<_> = (1..=numbers).map(|number| blocking(2 * number)).collect();
        state.fold_lines(&lines, &mut Vec::new());
        (state, 5 * MINUTE_MS)
    }

    /// Midnight is many small records: a slice fires so many timers, each at its own time.
    #[test]
    fn a_slice_leaves_what_it_may_not_fire_to_the_next() {
        let most = i64::try_from(TIMERS_PER_RECORD_MAX).expect("a small number");
        let (mut state, end) = blocked(most + 1);
        let to = Millis(end + 2 * most + 2);
        assert_eq!(state.timers_due(to, usize::MAX), TIMERS_PER_RECORD_MAX + 1);
        let mut out = Vec::new();
        state.advance_slice(to, &mut out);
        assert_eq!(out.len(), TIMERS_PER_RECORD_MAX, "one block is lifted by each");
        assert_eq!(state.now(), Some(Millis(end + 2 * most)), "time waits for the last");
        assert_eq!((state.next_timer(), state.timers_due(to, 5)), (Some(to), 1));
        state.advance_slice(to, &mut out);
        assert_eq!((out.len(), state.now()), (TIMERS_PER_RECORD_MAX + 1, Some(to)));
    }

    #[test]
    fn a_slice_that_fires_all_that_is_due_moves_time_on() {
        let (mut state, end) = blocked(5);
        let mut out = Vec::new();
        state.advance_slice(Millis(end + 7), &mut out);
        assert_eq!((out.len(), state.now()), (3, Some(Millis(end + 7))));
        assert_eq!(state.timers_due(Millis(end + 7), 5), 0);
        assert_eq!(state.timers_due(Millis(end + 8), 5), 1, "it is due at its very time");
        assert_eq!(state.timers_due(Millis(end + 10), 1), 1, "no more are counted than asked for");
        state.advance_slice(Millis(end + 8), &mut out);
        assert_eq!((out.len(), state.next_timer()), (4, Some(Millis(end + 10))));
    }
}
