//! Looks at one account: what its limits hold and what its scopes have come to, at a moment that
//! the asker names. Promise: looking changes nothing. It knows what is folded; whether that is
//! journaled yet, the engine knows.

use std::sync::Arc;

use compact_str::CompactString;

use super::group::LimitNumber;
use super::limit::{Amount, LimitSpec, Scope};
use super::rows::Need;
use super::state::{State, scope_key};
use super::tally::{Calendar, Tally, Total};
use crate::time::Millis;

/// What somebody wants to know of an account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    pub account_id: CompactString,
    /// The moment whose windows count; windows run out by it, whether anything was folded or not.
    pub at: Millis,
    /// Of those that are set, or built in.
    pub limits: Vec<CompactString>,
    /// Totals of these scopes in these windows.
    pub totals: Vec<(Scope, Calendar)>,
    /// Totals of every scope of the account in these windows. Costs a pass over all rows of the
    /// partition that are in memory: some 10 ms a million.
    pub all_in: Vec<Calendar>,
}

/// What was there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// In the order asked; those that do not exist are left out.
    pub limits: Vec<LimitSeen>,
    /// Those with an event; sorted as `Total::order` says.
    pub totals: Vec<Total>,
}

/// A limit at that moment.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitSeen {
    pub spec: Arc<LimitSpec>,
    /// Rises with every change, from 1.
    pub version: u32,
    /// `None` where each number has a total of its own.
    pub total: Option<Amount>,
    /// Scopes that it holds; with one total at most one.
    pub blocks: Vec<Held>,
}

/// A block in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Where the limit means each number, with that number.
    pub scope: Scope,
    /// It ends by itself then.
    pub until: Millis,
    pub total: Amount,
}

impl State {
    /// The rows that `look` reads and memory lacks.
    #[must_use]
    pub fn needs_of_look(&self, look: &Look) -> Vec<Need> {
        let mut needs = Vec::new();
        let account = self.account_numbers.get(&look.account_id).copied();
        let (Some(account), false) = (account, self.whole) else { return needs };
        for number in look.limits.iter().filter_map(|id| self.limits.find(account, id)) {
            for group in self.groups_looked_at(number) {
                self.need_for_limit(number, &group, look.at, &mut needs);
            }
        }
        for (scope, window) in &look.totals {
            self.need_tally(&scope_key(account, scope), *window, &mut needs);
        }
        needs.extend(look.all_in.iter().map(|window| Need::Window(account, *window)));
        needs
    }

    /// Looks, once the rows it needs are loaded.
    #[must_use]
    pub fn look(&self, look: &Look) -> Seen {
        let Some(account) = self.account_numbers.get(&look.account_id).copied() else {
            return Seen::default();
        };
        let found = look.limits.iter().filter_map(|id| self.limits.find(account, id));
        let limits = found.map(|number| self.limit_seen(number, look.at)).collect();
        let total = |scope: Scope, window, tally: Tally| Total {
            account_id: look.account_id.to_string(),
            scope,
            window,
            tally,
        };
        let asked = look.totals.iter().filter_map(|(scope, window)| {
            Some(total(scope.clone(), *window, self.tally(account, scope, *window)?))
        });
        let mut totals: Vec<Total> = asked.collect();
        if !look.all_in.is_empty() {
            for row in self.scopes.rows().filter(|row| row.account == account) {
                totals.extend(
                    look.all_in.iter().filter_map(|window| {
                        Some(total(row.scope(), *window, row.tally(*window)?))
                    }),
                );
            }
        }
        totals.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        totals.dedup();
        Seen { limits, totals }
    }

    fn limit_seen(&self, number: LimitNumber, at: Millis) -> LimitSeen {
        let limit = self.limit(number);
        let mut blocks = Vec::new();
        let mut total = None;
        for group in self.groups_looked_at(number) {
            let (present, holding) = self.present(number, &group, at);
            if !limit.means_each() {
                total = Some(present);
            }
            let until = holding.blocked_until().filter(|until| *until > at);
            blocks.extend(until.map(|until| {
                let scope = limit.scope_of(&group);
                Held { scope, until, total: present }
            }));
        }
        LimitSeen { spec: Arc::clone(&limit.spec), version: limit.version, total, blocks }
    }

    /// The only group of a limit that has one; of a limit that means each number those that may be
    /// blocked: they have a timer at their block's end.
    fn groups_looked_at(&self, number: LimitNumber) -> Vec<CompactString> {
        let limit = self.limit(number);
        if limit.means_each() {
            limit.timers.keys().cloned().collect()
        } else {
            vec![CompactString::const_new("")]
        }
    }
}
