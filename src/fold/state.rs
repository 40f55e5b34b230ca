//! The state of one partition in memory, and the way one line goes through it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compact_str::CompactString;
use smallvec::SmallVec;

use super::ahead::{Ahead, LINES_AHEAD};
use super::decision::{Decision, Rejected};
use super::dedup::Dedup;
use super::event::{Input, Line, Position, Reason, Refusal};
use super::group::{DayGroup, Distinct, Groups, LimitNumber};
use super::limit::{LimitSpec, Scope, ScopeKind};
use super::limit_state::{Arming, Limit, Limits, Place, built_in};
use super::rows::Row;
use super::scope_key::ScopeKey;
use super::scopes::{ScopeNumber, Scopes};
use super::sliding::Sliding;
use super::table::Map;
use super::tally::{AccountNumber, Calendar, Months, Tally};
use super::timer::Timer;
use super::watch::{EachWatch, Watch};
use crate::money::Money;
use crate::time::Millis;

/// What the fold did so far; the difference of two gives a batch's control totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted events.
    pub events: u64,
    pub duplicates: u64,
    pub rejects: u64,
    /// Sum over accepted events.
    pub cost: Money,
    /// Sum over accepted events.
    pub requests: u64,
}

impl Counts {
    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Counts) -> Counts {
        Counts {
            events: self.events - before.events,
            duplicates: self.duplicates - before.duplicates,
            rejects: self.rejects - before.rejects,
            cost: Money(self.cost.0 - before.cost.0),
            requests: self.requests - before.requests,
        }
    }
}

#[derive(Debug)]
pub(super) struct Account {
    pub id: CompactString,
    /// Sequence of the account's last block record; 0 before the first.
    pub sequence: u64,
    /// Versions of limits that were removed: a limit set again under the id goes on from there.
    pub retired: BTreeMap<CompactString, u32>,
    /// Its limits on each number by itself.
    pub each: SmallVec<[EachWatch; 1]>,
    /// How many of its limits are on one number by name.
    pub numbered: u32,
}

impl Account {
    pub fn new(id: CompactString, sequence: u64, retired: BTreeMap<CompactString, u32>) -> Account {
        Account { id, sequence, retired, each: SmallVec::new(), numbered: 0 }
    }
}

/// Everything the fold knows of one partition.
#[derive(Debug)]
pub struct State {
    pub(super) now: Option<Millis>,
    pub(super) dedup_minutes: u32,
    pub(super) counts: Counts,
    pub(super) account_numbers: Map<CompactString, AccountNumber>,
    pub(super) accounts: Vec<Account>,
    pub(super) limits: Limits,
    pub(super) scopes: Scopes,
    pub(super) slidings: Groups<CompactString, Sliding>,
    pub(super) distincts: Groups<DayGroup, Distinct>,
    pub(super) timers: BTreeSet<Timer>,
    pub(super) dedup: Dedup,
    pub(super) changed: Changed,
    /// Groups of the closed epoch whose limit went before they were gathered.
    pub(super) kept: Vec<Row>,
    /// Every row is in memory: nothing was let go, or left in a store.
    pub(super) whole: bool,
    pub(super) builtin: Arc<LimitSpec>,
    /// Of the times at which events occurred.
    pub(super) months: Months,
    /// Memory that is used again; nothing in it outlives a call.
    pub(super) scratch: Vec<u8>,
    pub(super) ahead: Vec<Option<Ahead>>,
}

/// Rows without a table of their own that changed since the last checkpoint.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub accounts: BTreeSet<AccountNumber>,
    pub limits: BTreeSet<(AccountNumber, CompactString)>,
    /// Account, limit id, group.
    pub timers: BTreeSet<(AccountNumber, CompactString, CompactString)>,
    /// Limits removed together with all their groups: account, limit id, version at creation.
    pub dropped: BTreeSet<(AccountNumber, CompactString, u32)>,
}

impl State {
    /// An empty state. `dedup_minutes` is 1..=1,440 (O3).
    #[must_use]
    pub fn new(dedup_minutes: u32) -> State {
        State {
            now: None,
            dedup_minutes,
            counts: Counts::default(),
            account_numbers: Map::default(),
            accounts: Vec::new(),
            limits: Limits::default(),
            scopes: Scopes::new(),
            slidings: Groups::new(),
            distincts: Groups::new(),
            timers: BTreeSet::new(),
            dedup: Dedup::default(),
            changed: Changed::default(),
            kept: Vec::new(),
            whole: true,
            builtin: Arc::new(built_in()),
            months: Months::default(),
            scratch: Vec::new(),
            ahead: Vec::new(),
        }
    }

    #[must_use]
    pub fn now(&self) -> Option<Millis> {
        self.now
    }

    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    pub fn set_dedup_minutes(&mut self, dedup_minutes: u32) {
        self.dedup_minutes = dedup_minutes;
    }

    /// Folds lines in order: each moves `now`, fires the timers due, and then is taken in.
    pub fn fold_lines(&mut self, lines: &[Line<'_>], out: &mut Vec<Decision>) {
        let mut ahead = std::mem::take(&mut self.ahead);
        for lines in lines.chunks(LINES_AHEAD) {
            self.look_ahead(lines.iter().map(Line::billed), &mut ahead);
            for (line, ahead) in lines.iter().zip(&ahead) {
                self.fold_one(line, ahead.as_ref(), out);
            }
        }
        self.ahead = ahead;
    }

    /// Folds one line.
    pub fn fold_line(&mut self, line: &Line<'_>, out: &mut Vec<Decision>) {
        self.fold_lines(std::slice::from_ref(line), out);
    }

    pub(super) fn fold_one(
        &mut self,
        line: &Line<'_>,
        ahead: Option<&Ahead>,
        out: &mut Vec<Decision>,
    ) {
        match (&line.input, ahead) {
            (Input::Rejected(refusal), _) => self.refuse(refusal, &line.position, out),
            (Input::Tick, _) => self.advance(line.recorded_at, out),
            (Input::Billed(event), ahead) => {
                let ahead = ahead.expect("billed events were looked at");
                self.advance(line.recorded_at, out);
                self.billed(event, ahead, &line.position, out);
            }
            (Input::Command(command), _) => {
                self.advance(line.recorded_at, out);
                self.command(command, &line.position, out);
            }
        }
    }

    /// Moves `now` to `to`, never backwards, firing every timer due at or before it.
    pub fn advance(&mut self, to: Millis, out: &mut Vec<Decision>) {
        self.fire(to, usize::MAX, out);
        self.set_now(to);
    }

    pub(super) fn set_now(&mut self, to: Millis) {
        let now = self.now.map_or(to, |now| now.max(to));
        self.now = Some(now);
        self.dedup.advance(now, self.dedup_minutes);
    }

    /// The time after a line moved it.
    pub(super) fn moved_now(&self) -> Millis {
        self.now.expect("a line that is folded has moved now")
    }

    fn refuse(&mut self, refusal: &Refusal, position: &Position, out: &mut Vec<Decision>) {
        self.counts.rejects += 1;
        out.push(Decision::Rejected(Rejected {
            reason: refusal.reason,
            account_id: refusal.account_id.clone(),
            event_id: refusal.event_id.clone(),
            command_id: refusal.command_id.clone(),
            detail: refusal.detail.clone(),
            now: self.now,
            position: position.clone(),
        }));
    }

    /// Rejects a line that passed rule 1 but not the state.
    pub(super) fn reject(
        &mut self,
        reason: Reason,
        account_id: &str,
        ids: (Option<&str>, Option<&str>),
        detail: String,
        position: &Position,
        out: &mut Vec<Decision>,
    ) {
        let (event_id, command_id) = (ids.0.map(str::to_owned), ids.1.map(str::to_owned));
        let account_id = Some(account_id.to_owned());
        let refusal = Refusal { reason, account_id, event_id, command_id, detail };
        self.refuse(&refusal, position, out);
    }

    /// The account's number; a new account gets the built-in limit at once (O1).
    pub(super) fn account(&mut self, id: &str) -> AccountNumber {
        if let Some(number) = self.account_numbers.get(id) {
            return *number;
        }
        let next = u32::try_from(self.accounts.len()).expect("fewer than 2^32 accounts");
        let number = AccountNumber(next);
        let id = CompactString::from(id);
        self.account_numbers.insert(id.clone(), number);
        self.accounts.push(Account::new(id, 0, BTreeMap::new()));
        self.changed.accounts.insert(number);
        self.create_limit(number, self.builtin.clone(), 1);
        number
    }

    pub(super) fn create_limit(
        &mut self,
        account: AccountNumber,
        spec: Arc<LimitSpec>,
        version: u32,
    ) -> LimitNumber {
        self.changed.limits.insert((account, spec.limit_id.clone()));
        let limit = Limit {
            account,
            spec,
            version,
            created: version,
            arming: Arming::default(),
            timers: BTreeMap::new(),
        };
        self.place_limit(limit)
    }

    /// Enters a limit into the indexes, and lets its scope or account watch it.
    pub(super) fn place_limit(&mut self, limit: Limit) -> LimitNumber {
        let (account, spec) = (limit.account, Arc::clone(&limit.spec));
        let number = self.limits.insert(limit);
        if let Some(watch) = Watch::of(number, &spec) {
            if let Some(scope) = self.scopes.find(&scope_key(account, &spec.scope)) {
                self.scopes.row_mut(scope).rewatch(|watches| watches.push(watch));
            }
            return number;
        }
        let account = &mut self.accounts[account.0 as usize];
        match EachWatch::of(number, &spec) {
            Some(each) => account.each.push(each),
            None => account.numbered += 1,
        }
        number
    }

    /// Takes a limit out of the indexes.
    pub(super) fn displace_limit(&mut self, number: LimitNumber) -> Limit {
        let limit = self.limits.remove(number).expect("a limit that is there");
        let (account, spec) = (&mut self.accounts[limit.account.0 as usize], &limit.spec);
        if Watch::of(number, spec).is_some() {
            if let Some(scope) = self.scopes.find(&scope_key(limit.account, &spec.scope)) {
                let others = |watch: &Watch| watch.number != number;
                self.scopes.row_mut(scope).rewatch(|watches| watches.retain(others));
            }
        } else if EachWatch::of(number, spec).is_some() {
            account.each.retain(|each| each.number != number);
        } else {
            account.numbered -= 1;
        }
        limit
    }

    /// The row of a scope's totals.
    pub(super) fn scope(
        &mut self,
        account: AccountNumber,
        kind: ScopeKind,
        id: &str,
    ) -> ScopeNumber {
        let limits = &self.limits;
        self.scopes.enter(&ScopeKey::new(account, kind, id), || {
            let id = (kind != ScopeKind::Account).then_some(id);
            let place = Place { account, kind, id };
            let numbers = limits.at(&place).iter();
            let watch = |number: &LimitNumber| Watch::of(*number, &limits.get(*number)?.spec);
            numbers.filter_map(watch).collect()
        })
    }

    /// The total of a scope in a window; `None` when nothing was counted there.
    pub(super) fn tally(
        &self,
        account: AccountNumber,
        scope: &Scope,
        window: Calendar,
    ) -> Option<Tally> {
        self.scopes.tally(&scope_key(account, scope), window)
    }

    pub(super) fn limit(&self, number: LimitNumber) -> &Limit {
        self.limits.get(number).expect("a number that was just found names a limit")
    }
}

pub(super) fn scope_key<'a>(account: AccountNumber, scope: &'a Scope) -> ScopeKey<'a> {
    ScopeKey::new(account, scope.kind, scope.id.as_deref().unwrap_or(""))
}
