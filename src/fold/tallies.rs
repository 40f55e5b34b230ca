//! Tallies on their way to the store. Promise: however many, they are one piece of memory, so that
//! neither making nor freeing one asks the allocator: under load a checkpoint has hundreds of
//! thousands, and the thread that writes them is not the one that folds.

use super::limit::ScopeKind;
use super::rows::{TallyKey, TallyRef};
use super::scope_key::{Id, ScopeKey, UuidText};
use super::tally::{AccountNumber, Calendar, Tally};
use crate::money::Money;

/// Tallies in the order in which they were pushed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tallies {
    rows: Vec<Row>,
    /// The ids that are no UUIDs, one behind the other.
    texts: String,
}

/// A tally and its place. Flat, for one cache line.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    cost: Money,
    requests: u64,
    window: Calendar,
    account: AccountNumber,
    /// A text by its bytes in `texts`, behind those of the rows before.
    id: Id<u32>,
    kind: ScopeKind,
}

const _: () = assert!(size_of::<Row>() == 64);

impl Tallies {
    /// Has room for so many.
    pub(super) fn with_capacity(rows: usize) -> Tallies {
        Tallies { rows: Vec::with_capacity(rows), texts: String::new() }
    }

    pub(super) fn push(&mut self, scope: &ScopeKey<'_>, window: Calendar, tally: Tally) {
        let id = match scope.id {
            Id::Uuid(bytes) => Id::Uuid(bytes),
            Id::Text(text) => {
                self.texts.push_str(text);
                Id::Text(u32::try_from(text.len()).expect("no id has 4 GiB"))
            }
        };
        let Tally { cost, requests } = tally;
        let (account, kind) = (scope.account, scope.kind);
        self.rows.push(Row { cost, requests, window, account, id, kind });
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Gives each with its place.
    pub fn for_each(&self, mut each: impl FnMut(TallyKey<'_>, Tally)) {
        let mut texts = self.texts.as_str();
        let mut uuid = UuidText::default();
        for Row { cost, requests, window, account, id, kind } in &self.rows {
            let id = match *id {
                Id::Uuid(bytes) => uuid.of(bytes),
                Id::Text(length) => {
                    let (text, rest) = texts.split_at(length as usize);
                    texts = rest;
                    text
                }
            };
            let (account, kind, window) = (*account, *kind, *window);
            let tally = Tally { cost: *cost, requests: *requests };
            each(TallyKey { account, kind, id, window }, tally);
        }
    }
}

impl FromIterator<(TallyRef, Tally)> for Tallies {
    fn from_iter<I: IntoIterator<Item = (TallyRef, Tally)>>(tallies: I) -> Tallies {
        let mut all = Tallies::default();
        for (key, tally) in tallies {
            let TallyKey { account, kind, id, window } = key.key();
            all.push(&ScopeKey::new(account, kind, id), window, tally);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::limit::Scope;
    use super::*;
    use crate::time::Day;

    fn id() -> impl Strategy<Value = Option<String>> {
        let uuid = any::<u128>().prop_map(|bits| uuid::Uuid::from_u128(bits).to_string());
        let other_spelling = uuid.clone().prop_map(|uuid| uuid.to_uppercase());
        prop_oneof![
            Just(None),
            uuid.prop_map(Some),
            other_spelling.prop_map(Some),
            "\\PC{0,5}".prop_map(Some)
        ]
    }

    proptest! {
        #[test]
        fn each_comes_back_as_it_was(
            rows in prop::collection::vec((any::<u32>(), id(), any::<(i128, u64, i32)>()), 0..20),
        ) {
            let tally = |(account, id, (cost, requests, day)): (u32, Option<String>, _)| {
                let kind = if id.is_some() { ScopeKind::Profile } else { ScopeKind::Account };
                let scope = Scope { kind, id: id.map(Into::into) };
                let (account, window) = (AccountNumber(account), Calendar::Day(Day(day)));
                let key = TallyRef { account, scope, window };
                (key, Tally { cost: Money(cost), requests })
            };
            let expected: Vec<_> = rows.into_iter().map(tally).collect();
            let tallies: Tallies = expected.iter().cloned().collect();
            let mut found = Vec::new();
            tallies.for_each(|TallyKey { account, kind, id, window }, tally| {
                let scope = Scope { kind, id: (kind != ScopeKind::Account).then(|| id.into()) };
                found.push((TallyRef { account, scope, window }, tally));
            });
            prop_assert_eq!(found, expected);
        }
    }
}
