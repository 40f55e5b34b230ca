//! Commands: a limit is set, changed, replaced or removed (FORMATS.md, evaluation 7 and 8). Other
//! settings are kept in the log and are no matter of the fold.

use std::sync::Arc;

use compact_str::CompactString;

use super::billed::amount_of;
use super::decision::Decision;
use super::evaluate::{Holding, Looked, Trigger};
use super::event::{Change, Command, Position, Reason};
use super::group::{DayGroup, LimitNumber};
use super::limit::{Amount, LimitSpec, Measure, Window};
use super::state::{State, scope_key};
use super::step::Ground;
use super::tally::{AccountNumber, Calendar};
use super::watch::Watch;
use crate::time::{Day, Millis};

impl State {
    pub(super) fn command(
        &mut self,
        command: &Command,
        position: &Position,
        out: &mut Vec<Decision>,
    ) {
        let account = match &command.change {
            Change::Other => return,
            Change::LimitSet(_) | Change::LimitRemoved { .. } => self.account(&command.account_id),
        };
        let trigger = Trigger::Command(command, position);
        match &command.change {
            Change::LimitSet(spec) => self.set_limit(account, spec, trigger, out),
            Change::LimitRemoved { limit_id } => match self.limits.find(account, limit_id) {
                Some(number) => self.remove_limit(number, trigger, out),
                None => {
                    let ids = (None, Some(command.command_id.as_str()));
                    let detail = format!("limit_removed: no limit {limit_id} in the account");
                    let account_id = &command.account_id;
                    self.reject(Reason::Invalid, account_id, ids, detail, position, out);
                }
            },
            Change::Other => {}
        }
    }

    fn set_limit(
        &mut self,
        account: AccountNumber,
        spec: &LimitSpec,
        trigger: Trigger<'_>,
        out: &mut Vec<Decision>,
    ) {
        let Some(number) = self.limits.find(account, &spec.limit_id) else {
            let retired = &self.accounts[account.0 as usize].retired;
            let version = retired.get(&spec.limit_id).copied().unwrap_or(0) + 1;
            return self.add_limit(account, spec, version, trigger, out);
        };
        let limit = self.limit(number);
        if *limit.spec == *spec {
            return;
        }
        let version = limit.version + 1;
        if same_subject(&limit.spec, spec) {
            self.change_limit(number, spec, version, trigger, out);
        } else {
            self.remove_limit(number, trigger, out);
            self.add_limit(account, spec, version, trigger, out);
        }
    }

    /// Creates a limit; the total behind it exists since the account's first event (L5), so it may
    /// hold at once.
    fn add_limit(
        &mut self,
        account: AccountNumber,
        spec: &LimitSpec,
        version: u32,
        trigger: Trigger<'_>,
        out: &mut Vec<Decision>,
    ) {
        let number = self.create_limit(account, Arc::new(spec.clone()), version);
        if self.accounts[account.0 as usize].retired.remove(&spec.limit_id).is_some() {
            self.changed.accounts.insert(account);
        }
        if let Some(window) = tally_window(spec, self.moved_now()) {
            self.look_at_change(number, window, None, trigger, out);
        }
    }

    fn change_limit(
        &mut self,
        number: LimitNumber,
        spec: &LimitSpec,
        version: u32,
        trigger: Trigger<'_>,
        out: &mut Vec<Decision>,
    ) {
        let now = self.moved_now();
        let limit = self.limits.get_mut(number).expect("was just found");
        let former = Former { spec: limit.spec.clone(), version: limit.version };
        self.changed.limits.insert((limit.account, spec.limit_id.clone()));
        limit.spec = Arc::new(spec.clone());
        limit.version = version;
        let account = limit.account;
        self.unsettle(account, spec, number);
        match (&spec.window, spec.measure) {
            (Window::Sliding { period_ms, .. }, _) => {
                let since = Millis(now.0 - period_ms);
                for group in self.slidings.sorted(number) {
                    self.change_sliding(number, &group, since, &former, trigger, out);
                }
            }
            (_, Measure::Recipients) => {
                let groups = self.distincts.sorted(number);
                for key in groups.iter().filter(|key| key.day == now.day()) {
                    self.change_distinct(number, key, &former, trigger, out);
                }
            }
            (Window::Day | Window::Month, _) => {
                let window = tally_window(spec, now).expect("a calendar limit on a tally");
                self.look_at_change(number, window, Some(&former), trigger, out);
            }
        }
    }

    /// The limit's content changed: what its scope's row knows of it is no longer so.
    fn unsettle(&mut self, account: AccountNumber, spec: &LimitSpec, number: LimitNumber) {
        if let Some(scope) = self.scopes.find(&scope_key(account, &spec.scope)) {
            let watches = self.scopes.row_mut(scope).watches_mut();
            watches.iter_mut().filter(|watch| watch.number == number).for_each(Watch::unsettle);
        }
    }

    /// What changes for a limit on a tally when it is created or changed.
    fn look_at_change(
        &mut self,
        number: LimitNumber,
        window: Calendar,
        former: Option<&Former>,
        trigger: Trigger<'_>,
        out: &mut Vec<Decision>,
    ) {
        let bounds = window.bounds();
        let limit = self.limit(number);
        let (account, spec) = (limit.account, limit.spec.clone());
        let tally = self.tally(account, &spec.scope, window).unwrap_or_default();
        let has_early = self.tally(account, &spec.scope, window.next()).is_some();
        let total = amount_of(spec.measure, tally);
        let version = self.limit(number).version;
        let until = || bounds.end;
        let before = former.map_or_else(Holding::default, |former| {
            Holding::of(&former.spec, former.version, total.units(), until)
        });
        let after = Holding::of(&spec, version, total.units(), until);
        let looked = Looked { before, after, total_before: total, total_after: total };
        self.step_calendar(number, trigger, bounds, looked, out);
        if has_early {
            self.set_timer_at_most(number, "".into(), bounds.end);
        }
    }

    fn change_sliding(
        &mut self,
        number: LimitNumber,
        group: &CompactString,
        since: Millis,
        former: &Former,
        trigger: Trigger<'_>,
        out: &mut Vec<Decision>,
    ) {
        let holding = |spec, version| self.sliding_at(number, group, since, spec, version);
        let limit = self.limit(number);
        let (total_before, before) = holding(&former.spec, former.version);
        let (total_after, after) = holding(&limit.spec, limit.version);
        if before != after {
            let looked = Looked { before, after, total_before, total_after };
            self.step_sliding(number, group, trigger, looked, out);
        }
    }

    fn change_distinct(
        &mut self,
        number: LimitNumber,
        key: &DayGroup,
        former: &Former,
        trigger: Trigger<'_>,
        out: &mut Vec<Decision>,
    ) {
        let count = self.distincts.get(number, key).map_or(0, |row| row.count());
        let until = || Calendar::Day(key.day).bounds().end;
        let limit = self.limit(number);
        let before = Holding::of(&former.spec, former.version, i128::from(count), until);
        let after = Holding::of(&limit.spec, limit.version, i128::from(count), until);
        if before != after {
            let total = Amount::Count(count);
            let looked = Looked { before, after, total_before: total, total_after: total };
            self.step_distinct(number, key, trigger, looked, out);
        }
    }

    /// Lifts the limit's blocks, group by group, and forgets it; all else ceases in silence.
    fn remove_limit(&mut self, number: LimitNumber, trigger: Trigger<'_>, out: &mut Vec<Decision>) {
        let now = self.moved_now();
        // Every blocked group has a timer at its block's end.
        let timers = std::mem::take(&mut self.limits.get_mut(number).expect("found").timers);
        for (group, at) in timers {
            let (total, before) = self.present(number, &group, now);
            let after = Holding::default();
            let looked = Looked { before, after, total_before: total, total_after: total };
            let ground = Ground { number, group: &group, trigger, bounds: None, arming: 1 };
            self.conclude(&ground, looked, out);
            self.forget_timer(number, group, at);
        }
        self.keep_slidings(number);
        let limit = self.displace_limit(number);
        self.slidings.remove(number);
        self.distincts.remove(number);
        let (account, limit_id) = (limit.account, limit.spec.limit_id.clone());
        self.accounts[account.0 as usize].retired.insert(limit_id.clone(), limit.version);
        self.changed.accounts.insert(account);
        self.changed.limits.insert((account, limit_id.clone()));
        self.changed.dropped.insert((account, limit_id, limit.created));
    }

    /// A group's present total and what its limit holds at it.
    pub(super) fn present(
        &self,
        number: LimitNumber,
        group: &CompactString,
        now: Millis,
    ) -> (Amount, Holding) {
        let limit = self.limit(number);
        let (account, spec, version) = (limit.account, limit.spec.clone(), limit.version);
        match (&spec.window, spec.measure) {
            (Window::Sliding { period_ms, .. }, _) => {
                self.sliding_holding(number, group, Millis(now.0 - period_ms))
            }
            (_, Measure::Recipients) => {
                let day: Day = now.day();
                let key = DayGroup { day, group: group.clone() };
                let count = self.distincts.get(number, &key).map_or(0, |row| row.count());
                let until = || Calendar::Day(day).bounds().end;
                (Amount::Count(count), Holding::of(&spec, version, i128::from(count), until))
            }
            (Window::Day | Window::Month, _) => {
                let window = tally_window(&spec, now).expect("a calendar limit on a tally");
                let tally = self.tally(account, &spec.scope, window).unwrap_or_default();
                let total = amount_of(spec.measure, tally);
                let until = || window.bounds().end;
                (total, Holding::of(&spec, version, total.units(), until))
            }
        }
    }
}

/// A limit's content before a change.
struct Former {
    spec: Arc<LimitSpec>,
    version: u32,
}

/// Whether a limit_set changes the limit rather than replaces it.
fn same_subject(a: &LimitSpec, b: &LimitSpec) -> bool {
    a.scope == b.scope && a.measure == b.measure && a.window == b.window && a.only == b.only
}

/// The window that holds `now`, of a limit on a tally; `None` for the other kinds.
fn tally_window(spec: &LimitSpec, now: Millis) -> Option<Calendar> {
    match spec.measure {
        Measure::Cost | Measure::Requests => Calendar::holding(&spec.window, now),
        Measure::Recipients => None,
    }
}
