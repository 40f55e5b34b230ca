//! Every total of a state, in the order of a file of totals. Promise: rows are sorted, not what is
//! made of them: a total with its texts is made when somebody takes it, so that many threads can
//! write what one state counted.

use super::scope_row::ScopeRow;
use super::state::State;
use super::tally::Total;

/// The totals of one scope.
#[derive(Clone, Copy, Debug)]
pub struct ScopeTotals<'s> {
    pub account_id: &'s str,
    row: &'s ScopeRow,
}

impl ScopeTotals<'_> {
    /// Sorted as `Total::order` says.
    pub fn totals(&self) -> impl Iterator<Item = Total> {
        let (account_id, scope) = (self.account_id, self.row.scope());
        self.row.tallies().map(move |(window, tally)| Total {
            account_id: account_id.to_owned(),
            scope: scope.clone(),
            window,
            tally,
        })
    }
}

impl State {
    /// The scopes in memory, sorted by the bytes of account, kind, id. For replay, whose state is
    /// all in memory.
    #[must_use]
    pub fn scope_totals(&self) -> Vec<ScopeTotals<'_>> {
        let mut of_accounts: Vec<_> =
            self.accounts.iter().map(|it| (it.id.as_str(), Vec::new())).collect();
        for row in self.scopes.rows() {
            of_accounts[row.account.0 as usize].1.push(row);
        }
        of_accounts.sort_unstable_by_key(|(id, _)| *id);
        let mut all = Vec::with_capacity(of_accounts.iter().map(|(_, rows)| rows.len()).sum());
        for (account_id, mut rows) in of_accounts {
            rows.sort_unstable_by(|one, other| one.key().cmp_in_account(&other.key()));
            all.extend(rows.into_iter().map(|row| ScopeTotals { account_id, row }));
        }
        all
    }

    /// Every tally in memory, sorted as `Total::order` says.
    #[must_use]
    pub fn totals(&self) -> Vec<Total> {
        self.scope_totals().iter().flat_map(ScopeTotals::totals).collect()
    }
}
