//! The state of one partition in memory, and the way one line goes through it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compact_str::CompactString;

use super::decision::{Decision, Rejected};
use super::dedup::Dedup;
use super::event::{Input, Line, Position, Reason, Refusal};
use super::group::{DayGroup, Distinct, Groups, LimitNumber};
use super::limit::{LimitSpec, Scope, ScopeKind};
use super::limit_state::{Arming, Limit, Limits, Place, built_in};
use super::names::{Name, Names};
use super::sliding::Sliding;
use super::table::{Map, Table};
use super::tally::{AccountNumber, Calendar, ScopeName, Tally, TallyKey, Total};
use super::timer::Timer;
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
    /// A bit per `ScopeKind` that some limit has or had: spares the look-ups for the others.
    pub kinds: u8,
}

/// Everything the fold knows of one partition.
#[derive(Debug)]
pub struct State {
    pub(super) now: Option<Millis>,
    pub(super) dedup_minutes: u32,
    pub(super) counts: Counts,
    pub(super) names: Names,
    pub(super) account_numbers: Map<CompactString, AccountNumber>,
    pub(super) accounts: Vec<Account>,
    pub(super) limits: Limits,
    pub(super) tallies: Table<TallyKey, Tally>,
    pub(super) slidings: Groups<CompactString, Sliding>,
    pub(super) distincts: Groups<DayGroup, Distinct>,
    pub(super) timers: BTreeSet<Timer>,
    pub(super) dedup: Dedup,
    pub(super) changed: Changed,
    pub(super) builtin: Arc<LimitSpec>,
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
            names: Names::default(),
            account_numbers: Map::default(),
            accounts: Vec::new(),
            limits: Limits::default(),
            tallies: Table::new(),
            slidings: Groups::new(),
            distincts: Groups::new(),
            timers: BTreeSet::new(),
            dedup: Dedup::default(),
            changed: Changed::default(),
            builtin: Arc::new(built_in()),
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

    /// Folds one line: moves `now`, fires the timers due, then takes the line in.
    pub fn fold_line(&mut self, line: &Line, out: &mut Vec<Decision>) {
        match &line.input {
            Input::Rejected(refusal) => self.refuse(refusal, &line.position, out),
            Input::Tick => self.advance(line.recorded_at, out),
            Input::Billed(event) => {
                self.advance(line.recorded_at, out);
                self.billed(event, &line.position, out);
            }
            Input::Command(command) => {
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
    pub(super) fn account(&mut self, id: &CompactString) -> AccountNumber {
        if let Some(number) = self.account_numbers.get(id) {
            return *number;
        }
        let next = u32::try_from(self.accounts.len()).expect("fewer than 2^32 accounts");
        let number = AccountNumber(next);
        self.account_numbers.insert(id.clone(), number);
        self.accounts.push(Account {
            id: id.clone(),
            sequence: 0,
            retired: BTreeMap::new(),
            kinds: 0,
        });
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

    /// Enters a limit into the indexes.
    pub(super) fn place_limit(&mut self, limit: Limit) -> LimitNumber {
        let place = self.place(limit.account, &limit.spec.scope);
        self.accounts[limit.account.0 as usize].kinds |= kind_bit(place.kind);
        self.limits.insert(place, limit)
    }

    /// Where events find a limit with this scope.
    pub(super) fn place(&mut self, account: AccountNumber, scope: &Scope) -> Place {
        let name = match (scope.kind, &scope.id) {
            (ScopeKind::Account, _) => Some(self.names.intern("")),
            (_, Some(id)) => Some(self.names.intern(id)),
            (_, None) => None,
        };
        Place { account, kind: scope.kind, name }
    }

    /// The key of the tally that a calendar limit on cost or requests looks at.
    pub(super) fn tally_key(
        &mut self,
        account: AccountNumber,
        scope: &Scope,
        window: Calendar,
    ) -> TallyKey {
        let name: Name = self.names.intern(scope.id.as_deref().unwrap_or(""));
        TallyKey { account, scope: ScopeName { kind: scope.kind, name }, window }
    }

    pub(super) fn limit(&self, number: LimitNumber) -> &Limit {
        self.limits.get(number).expect("a number that was just found names a limit")
    }

    /// Every tally in memory, sorted by the bytes of account, kind, id, window, start. For replay,
    /// whose state is all in memory.
    #[must_use]
    pub fn totals(&self) -> Vec<Total> {
        let total = |key: &TallyKey| {
            let account = &self.accounts[key.account.0 as usize];
            let named = key.scope.kind != ScopeKind::Account;
            let id = named.then(|| self.names.text(key.scope.name).clone());
            Total {
                account_id: account.id.to_string(),
                scope: Scope { kind: key.scope.kind, id },
                window: key.window,
                tally: self.tallies.get(key).copied().unwrap_or_default(),
            }
        };
        let mut totals: Vec<Total> = self.tallies.keys().map(total).collect();
        totals.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        totals
    }
}

pub(super) fn kind_bit(kind: ScopeKind) -> u8 {
    1 << kind as u8
}
