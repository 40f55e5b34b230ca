//! A look at the next lines before they are folded. Promise: it changes nothing and decides
//! nothing; a line is folded alike with and without it. It is there because a fold over many rows
//! waits for memory: here the rows of many lines are asked for at once, and the waits overlap.

use std::hint::black_box;

use smallvec::SmallVec;

use super::dedup::EventId;
use super::event::BilledEvent;
use super::limit::ScopeKind;
use super::scope_key::{ScopeKey, Slot};
use super::scopes::ScopeNumber;
use super::state::State;
use super::tally::AccountNumber;

/// Lines that are looked at together: their rows fit the second cache of a core.
pub(super) const LINES_AHEAD: usize = 256;

/// What was found out about a billed event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    pub id: EventId,
    /// `None` when the account is new.
    pub account: Option<AccountNumber>,
    /// The rows of its scopes, as far as they are in memory; in the order of `scopes_of`.
    pub scopes: [Option<ScopeNumber>; 4],
}

/// The named scopes that an event counts for (L5); `None` where it names none of the kind.
pub(super) fn scopes_of<'a>(event: &'a BilledEvent<'_>) -> [(ScopeKind, Option<&'a str>); 4] {
    [
        (ScopeKind::Account, Some("")),
        (ScopeKind::Feature, Some(&*event.feature)),
        (ScopeKind::Profile, event.profile_id.as_deref()),
        (ScopeKind::Country, event.country.as_deref()),
    ]
}

/// A scope's row on its way to be found.
struct Sought<'a> {
    key: ScopeKey<'a>,
    slot: Slot,
    found: Option<ScopeNumber>,
    /// Which event's, and which of its scopes.
    event: u16,
    scope: u8,
}

impl State {
    /// What is found out about the billed events of at most `LINES_AHEAD` lines.
    pub(super) fn look_ahead<'e>(
        &mut self,
        events: impl Iterator<Item = Option<&'e BilledEvent<'e>>>,
        ahead: &mut Vec<Option<Ahead>>,
    ) {
        ahead.clear();
        // Not on the heap, where giving up a large piece makes the next small ones dear.
        let mut sought = SmallVec::<[Sought<'_>; 4 * LINES_AHEAD]>::new();
        for (event, at) in events.zip(0..) {
            let Some(event) = event else {
                ahead.push(None);
                continue;
            };
            let account = self.account_numbers.get(&*event.account_id).copied();
            let id = EventId::of(event, &mut self.scratch);
            ahead.push(Some(Ahead { id, account, scopes: [None; 4] }));
            let Some(account) = account else { continue };
            for ((kind, id), scope) in scopes_of(event).into_iter().zip(0..) {
                let Some(id) = id else { continue };
                let key = ScopeKey::new(account, kind, id);
                sought.push(Sought { key, slot: key.slot(), found: None, event: at, scope });
            }
        }
        // The index for all of them, then the rows for all of them.
        for one in &mut sought {
            one.found = self.scopes.candidate(one.slot);
        }
        for one in &sought {
            if let Some(candidate) = one.found
                && let Some(ahead) = &mut ahead[usize::from(one.event)]
            {
                ahead.scopes[usize::from(one.scope)] = self.scopes.verified(&one.key, candidate);
            }
        }
        let mut read = 0;
        for ahead in ahead.iter().flatten() {
            let Some(account) = ahead.account else { continue };
            read += self.accounts[account.0 as usize].each.len();
            read += usize::from(self.dedup.holds(account, &ahead.id));
        }
        black_box(read);
    }
}
