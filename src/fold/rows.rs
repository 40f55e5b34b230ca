//! The state as rows: what a checkpoint writes, what a start reads back, and which rows a batch
//! needs before it is folded. Promise: the fold itself never waits for a row; a row that is
//! neither in memory nor in the store is empty. Longer than 400 lines: what a row kind writes,
//! reads back and needs must agree, so it stands in one place.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use super::ahead::scopes_of;
use super::billed::counts_for;
use super::event::{BilledEvent, Change, Command, Input, Line};
use super::group::{DayGroup, Distinct, LimitNumber};
use super::limit::{LimitSpec, Measure, Scope, ScopeKind, Window};
use super::limit_state::{Arming, Limit, Place};
use super::scope_key::ScopeKey;
use super::sliding::Sliding;
use super::state::{Account, Counts, State, scope_key};
use super::table::Epoch;
use super::tallies::Tallies;
use super::tally::{AccountNumber, Calendar, Tally};
use super::timer::{TIMERS_PER_RECORD_MAX, Timer};
use crate::time::Millis;

/// Names a limit's groups in the store: a limit set again after a removal has other groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LimitRef {
    pub account: AccountNumber,
    pub limit_id: CompactString,
    /// The limit's version when it was created.
    pub created: u32,
}

/// A limit's row.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitRow {
    pub spec: Arc<LimitSpec>,
    pub version: u32,
    pub created: u32,
    pub arming: Arming,
}

/// A tally's place in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TallyRef {
    pub account: AccountNumber,
    pub scope: Scope,
    pub window: Calendar,
}

/// The same, borrowed; the account's own scope has the empty id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallyKey<'a> {
    pub account: AccountNumber,
    pub kind: ScopeKind,
    pub id: &'a str,
    pub window: Calendar,
}

impl TallyRef {
    #[must_use]
    pub fn key(&self) -> TallyKey<'_> {
        let id = self.scope.id.as_deref().unwrap_or("");
        TallyKey { account: self.account, kind: self.scope.kind, id, window: self.window }
    }
}

/// One changed row, as a checkpoint writes it; `None` means that it goes. Tallies are beside them,
/// in one piece.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    Account {
        number: AccountNumber,
        id: CompactString,
        sequence: u64,
        retired: Vec<(CompactString, u32)>,
    },
    Limit {
        account: AccountNumber,
        limit_id: CompactString,
        row: Option<LimitRow>,
    },
    Timer {
        account: AccountNumber,
        limit_id: CompactString,
        group: CompactString,
        at: Option<Millis>,
    },
    Sliding {
        limit: LimitRef,
        group: CompactString,
        sliding: Sliding,
    },
    /// Recipients that a day's group gained, and how often it re-armed.
    Distinct {
        limit: LimitRef,
        key: DayGroup,
        members: Vec<u128>,
        arming: Arming,
    },
    /// All groups of a removed limit go.
    GroupsDropped {
        limit: LimitRef,
    },
    /// Ids remembered in one minute; `index` tells the runs of a minute apart and orders them.
    Dedup {
        minute: i64,
        index: u64,
        packed: Vec<u8>,
    },
}

/// The part of the state that is no row of its own; stored beside the position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clockwork {
    pub now: Option<Millis>,
    pub forgotten_before_minute: i64,
    pub counts: Counts,
}

/// A row that a batch or a look needs and memory lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    Tally(TallyRef),
    Sliding(LimitRef, CompactString),
    Distinct(LimitRef, DayGroup),
    /// Every group of a limit whose content changes.
    Groups(LimitRef),
    /// Every tally of an account in a window.
    Window(AccountNumber, Calendar),
}

/// A row of the store on its way into memory.
#[derive(Debug)]
pub enum Loaded {
    Tally(TallyRef, Tally),
    Sliding(LimitRef, CompactString, Sliding),
    Distinct(LimitRef, DayGroup, Distinct),
}

impl State {
    #[must_use]
    pub fn clockwork(&self) -> Clockwork {
        Clockwork {
            now: self.now,
            forgotten_before_minute: self.dedup.forgotten_before(),
            counts: self.counts,
        }
    }

    /// Stands where a store does, whose rows are loaded as they are needed.
    pub fn restore_clockwork(&mut self, clockwork: Clockwork) {
        self.whole = false;
        self.now = clockwork.now;
        self.dedup.set_forgotten_before(clockwork.forgotten_before_minute);
        self.counts = clockwork.counts;
    }

    /// Closes the epoch, and gives its number and the rows changed in it to `write`, but for
    /// tallies and sliding groups: those are many, and are gathered.
    pub fn close(&mut self, mut write: impl FnMut(Row)) -> Epoch {
        let epoch = self.scopes.epoch();
        self.scopes.close();
        self.slidings.close();
        let changed = std::mem::take(&mut self.changed);
        for (account, limit_id, created) in changed.dropped {
            write(Row::GroupsDropped { limit: LimitRef { account, limit_id, created } });
        }
        for number in changed.accounts {
            let account = &self.accounts[number.0 as usize];
            let retired = account.retired.iter().map(|(id, version)| (id.clone(), *version));
            let (id, sequence) = (account.id.clone(), account.sequence);
            write(Row::Account { number, id, sequence, retired: retired.collect() });
        }
        for (account, limit_id) in changed.limits {
            let number = self.limits.find(account, &limit_id);
            let limit = number.and_then(|number| self.limits.get(number));
            let row = limit.map(|limit| LimitRow {
                spec: limit.spec.clone(),
                version: limit.version,
                created: limit.created,
                arming: limit.arming,
            });
            write(Row::Limit { account, limit_id, row });
        }
        for (account, limit_id, group) in changed.timers {
            let number = self.limits.find(account, &limit_id);
            let limit = number.and_then(|number| self.limits.get(number));
            let at = limit.and_then(|limit| limit.timers.get(&group).copied());
            write(Row::Timer { account, limit_id, group, at });
        }
        self.freeze_distincts(&mut write);
        self.dedup.freeze(|minute, index, packed| write(Row::Dedup { minute, index, packed }));
        epoch
    }

    /// Gathers `most` more sliding groups and scopes, as they were when the epoch was closed: gives
    /// the groups to `write`, and the tallies of all scopes, once, when there are no more. The fold
    /// may go on between two calls.
    pub fn gather(&mut self, most: usize, mut write: impl FnMut(Row)) -> Option<Tallies> {
        self.kept.drain(..).for_each(&mut write);
        let limits = &self.limits;
        let left = self.slidings.gather(most, |number, group, sliding| {
            let limit = limit_ref(limits.get(number).expect("groups go with their limit"));
            write(Row::Sliding { limit, group: group.clone(), sliding });
        });
        if left == 0 { None } else { self.scopes.gather(left) }
    }

    /// Before a limit goes with its groups: what changed in the closed epoch is yet to be written.
    pub(super) fn keep_slidings(&mut self, number: LimitNumber) {
        let limit = limit_ref(self.limit(number));
        self.slidings.gather_of(number, |group, sliding| {
            self.kept.push(Row::Sliding { limit: limit.clone(), group: group.clone(), sliding });
        });
    }

    fn freeze_distincts(&mut self, write: &mut impl FnMut(Row)) {
        let limits = &self.limits;
        self.distincts.freeze(|number, key, row| {
            let limit = limit_ref(limits.get(number).expect("groups go with their limit"));
            let members = std::mem::take(&mut row.fresh);
            write(Row::Distinct { limit, key: key.clone(), members, arming: row.arming });
        });
    }

    /// Lets go of rows that the store has as of epoch `written` and that were not used since epoch
    /// `unused_since`. Accounts, limits, timers and dedup ids stay.
    pub fn evict(&mut self, written: Epoch, unused_since: Epoch) -> usize {
        let gone = self.scopes.evict(written, unused_since)
            + self.slidings.evict(written, unused_since)
            + self.distincts.evict(written, unused_since);
        self.whole &= gone == 0;
        gone
    }

    /// Sequence of the account's last block record; 0 before the first.
    #[must_use]
    pub fn sequence(&self, account_id: &str) -> u64 {
        let number = self.account_numbers.get(account_id);
        number.map_or(0, |number| self.accounts[number.0 as usize].sequence)
    }

    /// Rows in memory: (of accounts, limits, timers; evictable ones; dedup ids).
    #[must_use]
    pub fn rows(&self) -> (usize, usize, usize) {
        let resident = self.accounts.len() + self.limits.len() + self.timers.len();
        let evictable = self.scopes.len() + self.slidings.len() + self.distincts.len();
        (resident, evictable, self.dedup.len())
    }

    /// Scopes whose totals changed in the present epoch.
    #[must_use]
    pub fn changed_scopes(&self) -> usize {
        self.scopes.changed()
    }

    /// Takes an account's row back; accounts come in the order of their numbers.
    ///
    /// # Errors
    /// The expected number, when another comes.
    pub fn restore_account(
        &mut self,
        number: AccountNumber,
        id: CompactString,
        sequence: u64,
        retired: Vec<(CompactString, u32)>,
    ) -> Result<(), AccountNumber> {
        let expected = AccountNumber(self.accounts.len() as u32);
        if number != expected {
            return Err(expected);
        }
        self.whole = false;
        self.account_numbers.insert(id.clone(), number);
        let retired: BTreeMap<_, _> = retired.into_iter().collect();
        self.accounts.push(Account::new(id, sequence, retired));
        Ok(())
    }

    /// Takes a limit's row back; its account must be there. `None` if it is not.
    pub fn restore_limit(&mut self, account: AccountNumber, row: LimitRow) -> Option<()> {
        self.accounts.get(account.0 as usize)?;
        let LimitRow { spec, version, created, arming } = row;
        let timers = BTreeMap::new();
        self.place_limit(Limit { account, spec, version, created, arming, timers });
        Some(())
    }

    /// Takes a timer's row back; its limit must be there. `None` if it is not.
    pub fn restore_timer(
        &mut self,
        account: AccountNumber,
        limit_id: CompactString,
        group: CompactString,
        at: Millis,
    ) -> Option<()> {
        let number = self.limits.find(account, &limit_id)?;
        let limit = self.limits.get_mut(number)?;
        limit.timers.insert(group.clone(), at);
        let account_id = self.accounts[account.0 as usize].id.clone();
        self.timers.insert(Timer { at, account_id, limit_id, group, limit: number });
        Some(())
    }

    /// Takes a run of dedup ids back; runs come in the order of minute and index.
    pub fn restore_dedup(&mut self, minute: i64, packed: &[u8]) -> Option<()> {
        self.dedup.load(minute, packed)
    }

    /// Puts a row of the store into memory; one that is there already is newer and stays.
    pub fn load(&mut self, row: Loaded) {
        match row {
            Loaded::Tally(key, tally) => {
                let id = key.scope.id.as_deref().unwrap_or("");
                let number = self.scope(key.account, key.scope.kind, id);
                self.scopes.load(number, key.window, tally);
            }
            Loaded::Sliding(limit, group, sliding) => {
                if let Some(number) = self.number_of(&limit) {
                    self.slidings.load(number, group, sliding);
                }
            }
            Loaded::Distinct(limit, key, row) => {
                if let Some(number) = self.number_of(&limit) {
                    self.distincts.load(number, key, row);
                }
            }
        }
    }

    fn number_of(&self, limit: &LimitRef) -> Option<LimitNumber> {
        let number = self.limits.find(limit.account, &limit.limit_id)?;
        (self.limit(number).created == limit.created).then_some(number)
    }

    /// The rows that folding `lines` and then moving `now` to `to` needs and memory lacks, each
    /// once. All lines but the first must leave `now` in the UTC day to which the first moves it.
    #[must_use]
    pub fn needs(&self, lines: &[Line<'_>], to: Millis) -> Vec<Need> {
        let mut needs = Vec::new();
        if self.whole {
            return needs;
        }
        let mut now = self.now.unwrap_or(Millis(0));
        for line in lines {
            match &line.input {
                Input::Rejected(_) => {}
                Input::Tick => now = now.max(line.recorded_at),
                Input::Billed(event) => {
                    now = now.max(line.recorded_at);
                    self.need_for_event(event, now, &mut needs);
                }
                Input::Command(command) => {
                    now = now.max(line.recorded_at);
                    self.need_for_command(command, now, &mut needs);
                }
            }
        }
        let to = now.max(to);
        // More never fire in one batch: a slice takes no lines, and lines come while few are due.
        let due = self.timers.iter().take(TIMERS_PER_RECORD_MAX);
        for timer in due.take_while(|timer| timer.at <= to) {
            self.need_for_limit(timer.limit, &timer.group, timer.at, &mut needs);
        }
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    fn need_for_event(&self, event: &BilledEvent<'_>, now: Millis, needs: &mut Vec<Need>) {
        let Some(account) = self.account_numbers.get(&*event.account_id).copied() else { return };
        let at = event.occurred_at;
        for (kind, id) in scopes_of(event) {
            let Some(id) = id else { continue };
            for window in [Calendar::Day(at.day()), Calendar::Month(at.month())] {
                self.need_tally(&ScopeKey::new(account, kind, id), window, needs);
            }
        }
        for (kind, number) in
            [(ScopeKind::Recipient, &event.recipient), (ScopeKind::Sender, &event.sender)]
        {
            let Some(number) = number else { continue };
            for id in [None, Some(&**number)] {
                for limit in self.limits.at(&Place { account, kind, id }) {
                    let spec = &self.limit(*limit).spec;
                    if !counts_for(&spec.only, event) {
                        continue;
                    }
                    let group = if id.is_none() { number } else { "" };
                    let group = CompactString::from(group);
                    self.need_for_limit(*limit, &group, at.max(now), needs);
                    self.need_for_limit(*limit, &group, at, needs);
                }
            }
        }
    }

    fn need_for_command(&self, command: &Command, now: Millis, needs: &mut Vec<Need>) {
        let Some(account) = self.account_numbers.get(&command.account_id).copied() else { return };
        let (limit_id, spec) = match &command.change {
            Change::LimitSet(spec) => (&spec.limit_id, Some(spec)),
            Change::LimitRemoved { limit_id } => (limit_id, None),
            Change::Other => return,
        };
        if let Some(spec) = spec
            && let Some(window) = Calendar::holding(&spec.window, now)
            && spec.measure != Measure::Recipients
        {
            let key = scope_key(account, &spec.scope);
            self.need_tally(&key, window, needs);
            self.need_tally(&key, window.next(), needs);
        }
        let Some(number) = self.limits.find(account, limit_id) else { return };
        let limit = self.limit(number);
        let groups = matches!(limit.spec.window, Window::Sliding { .. })
            || limit.spec.measure == Measure::Recipients;
        if groups {
            needs.push(Need::Groups(limit_ref(limit)));
        } else {
            self.need_for_limit(number, &CompactString::const_new(""), now, needs);
        }
    }

    /// What a look at a limit's group at time `at` reads: the window that holds `at` and the one
    /// before.
    pub(super) fn need_for_limit(
        &self,
        number: LimitNumber,
        group: &CompactString,
        at: Millis,
        needs: &mut Vec<Need>,
    ) {
        let limit = self.limit(number);
        let (account, spec) = (limit.account, &limit.spec);
        match (&spec.window, spec.measure) {
            (Window::Sliding { .. }, _) => {
                if !self.slidings.contains(number, group) {
                    needs.push(Need::Sliding(limit_ref(self.limit(number)), group.clone()));
                }
            }
            (_, Measure::Recipients) => {
                for day in [at.day(), at.day().previous()] {
                    let key = DayGroup { day, group: group.clone() };
                    if !self.distincts.contains(number, &key) {
                        needs.push(Need::Distinct(limit_ref(self.limit(number)), key));
                    }
                }
            }
            (Window::Day | Window::Month, _) => {
                let window = Calendar::holding(&spec.window, at).expect("a calendar window");
                let key = scope_key(account, &spec.scope);
                self.need_tally(&key, window, needs);
                self.need_tally(&key, window.previous(), needs);
            }
        }
    }

    pub(super) fn need_tally(&self, key: &ScopeKey<'_>, window: Calendar, needs: &mut Vec<Need>) {
        if self.scopes.tally(key, window).is_none() {
            let (account, scope) = (key.account, key.scope());
            needs.push(Need::Tally(TallyRef { account, scope, window }));
        }
    }
}

fn limit_ref(limit: &Limit) -> LimitRef {
    let (account, limit_id) = (limit.account, limit.spec.limit_id.clone());
    LimitRef { account, limit_id, created: limit.created }
}

#[cfg(test)]
mod tests {
    use super::super::event::Position;
    use super::super::memory::Memory;
    use super::*;
    use crate::money::Money;
    use crate::wire::json::decode_line;

    fn line(json: &str) -> Line<'_> {
        let decoded = decode_line(json.as_bytes());
        let recorded_at = decoded.recorded_at.expect("a line with a time");
        let position = Position { source: "log".into(), at: 1 };
        Line { input: decoded.input, recorded_at, position }
    }

    fn fold(state: &mut State, json: &str) {
        state.fold_line(&line(json), &mut Vec::new());
    }

    /// As if a checkpoint were written, whose epoch it gives.
    fn freeze(state: &mut State) -> Epoch {
        let epoch = state.close(|_| ());
        state.gather(usize::MAX, |_| ()).expect("all at once");
        epoch
    }

    /// The store is asked for what it may have and memory lacks, and for nothing else.
    #[test]
    fn rows_are_needed_once_some_were_let_go() {
        let event = |id: u32, at: &str| {
            let head = format!(r#""event_id":"{id}","account_id":"acme","feature":"sms""#);
            format!(r#"{{{head},"cost":"0.01","occurred_at":"{at}T12:00:00Z"}}"#)
        };
        let (first, next) = (event(1, "2024-08-20"), event(2, "2024-08-21"));
        let needs = |state: &State| state.needs(&[line(&next)], Millis(0)).len();
        let mut state = State::new(10);
        fold(&mut state, &first);
        let written = freeze(&mut state);
        assert_eq!((state.evict(0, Epoch::MAX), needs(&state)), (0, 0), "all is in memory");
        // Account and feature: the new day, and the month that it shares with the day before.
        assert_eq!((state.evict(written, Epoch::MAX), needs(&state)), (4, 4));
        fold(&mut state, &event(3, "2024-08-20"));
        assert_eq!(needs(&state), 2, "the month is in memory again");
        assert_eq!(needs(&State::new(10)), 0, "there is no store behind it");
        let mut restored = State::new(10);
        restored.restore_clockwork(state.clockwork());
        let acme = restored.restore_account(AccountNumber(0), "acme".into(), 0, Vec::new());
        assert_eq!((acme, needs(&restored)), (Ok(()), 4));
    }

    /// A restart from the checkpoint folds again what came between its epoch and the removal, and
    /// the limit counts there.
    #[test]
    fn groups_of_a_limit_that_goes_before_they_are_gathered_are_written() {
        let mut state = State::new(10);
        let at = "2024-08-20T12:00:00Z";
        let head = format!(r#""account_id":"acme","issued_at":"{at}""#);
        let limit = r#""limit":{"limit_id":"own","scope":{"kind":"recipient"},
            "measure":"requests","window":"PT1H","amount":"9"}"#;
        fold(&mut state, &format!(r#"{{"type":"limit_set","command_id":"c",{head},{limit}}}"#));
        for recipient in ["+1", "+2", "+3"] {
            fold(
                &mut state,
                &format!(
                    r#"{{"event_id":"{recipient}","account_id":"acme","feature":"sms",
                    "recipient":"{recipient}","cost":"0.01","occurred_at":"{at}"}}"#
                ),
            );
        }
        state.close(|_| ());
        let mut groups = Vec::new();
        let mut write = |row| match row {
            Row::Sliding { limit, group, sliding } => {
                groups.push((limit.limit_id, group, sliding.total(Millis(0))));
            }
            other => panic!("{other:?}"),
        };
        assert!(state.gather(1, &mut write).is_none());
        fold(
            &mut state,
            &format!(r#"{{"type":"limit_removed","command_id":"d",{head},"limit_id":"own"}}"#),
        );
        assert!(state.gather(1_000, &mut write).is_some());
        groups.sort();
        let expected = ["+1", "+2", "+3"].map(|group| ("own".into(), group.into(), 1));
        assert_eq!(groups, expected);
    }

    /// O3: from the forgotten minute on the store keeps ids.
    #[test]
    fn a_restart_goes_on_from_the_same_time_and_forgotten_minute() {
        let mut state = State::new(10);
        fold(
            &mut state,
            r#"{"event_id":"e","account_id":"acme","feature":"sms","cost":"0.01","requests":2,
            "occurred_at":"2024-08-20T12:34:56.789Z"}"#,
        );
        let now = Millis::parse("2024-08-20T12:34:56.789Z").expect("a time");
        let counts = Counts { events: 1, cost: Money(10_000), requests: 2, ..Counts::default() };
        let forgotten_before_minute = now.minute() - 10;
        let clockwork = Clockwork { now: Some(now), forgotten_before_minute, counts };
        assert_eq!(state.clockwork(), clockwork);
        let mut restored = State::new(10);
        restored.restore_clockwork(clockwork);
        assert_eq!(restored.clockwork(), clockwork);
    }

    /// By this the memory budget is kept, and an operator sees what the state is made of.
    #[test]
    fn rows_in_memory_are_counted_by_whether_they_may_go() {
        let mut state = State::new(10);
        let at = "2024-08-20T12:00:00Z";
        let limit = r#""limit":{"limit_id":"tier","scope":{"kind":"sender"},"measure":"recipients",
            "window":"day","amount":"9"}"#;
        let head = r#""type":"limit_set","command_id":"c","account_id":"acme""#;
        fold(&mut state, &format!(r#"{{{head},"issued_at":"{at}",{limit}}}"#));
        // The last two are late or without requests: no group of otp, nor of tier.
        for (id, requests, at) in [(1, 3, at), (2, 3, "2024-08-19T12:00:00Z"), (3, 0, at)] {
            let head = format!(r#""event_id":"{id}","account_id":"acme","feature":"sms""#);
            let whom = format!(r#""sender":"+1","recipient":"+39{id}","purpose":"otp""#);
            let what = format!(r#""requests":{requests},"cost":"0.01","occurred_at":"{at}""#);
            fold(&mut state, &format!("{{{head},{whom},{what}}}"));
        }
        // One account, its limits otp and tier, and the end of otp's block stay. A day and a month
        // of the account and of its feature, the late event's day of both, and a group of each
        // limit may go.
        assert_eq!(state.rows(), (1 + 2 + 1, 6 + 2, 3));
        assert_eq!((state.sequence("acme"), state.sequence("globex")), (1, 0), "block records");
        let full = state.memory();
        assert!(full.rows > 0 && full.resident > 0 && full.changes > 0, "{full:?}");
        assert_eq!(state.evict(0, Epoch::MAX), 0, "the store has nothing yet");
        let written = freeze(&mut state);
        assert_eq!(state.memory(), Memory { changes: 0, ..full });
        assert_eq!(state.evict(written, Epoch::MAX), 8);
        assert_eq!(state.rows(), (4, 0, 3));
        assert_eq!(state.memory(), Memory { rows: 0, changes: 0, ..full });
    }
}
