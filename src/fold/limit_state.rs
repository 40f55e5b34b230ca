//! A limit as the fold keeps it: what was set, its version, its arming, its timers; and the index
//! by which an event finds the limits that concern it.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::{CompactString, ToCompactString};
use foldhash::quality::FixedState;
use hashbrown::Equivalent;
use smallvec::SmallVec;

use super::group::LimitNumber;
use super::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window};
use super::table::Map;
use super::tally::AccountNumber;
use crate::time::{MINUTE_MS, Millis};

/// Id of the limit that every account has from the first (O1).
pub const BUILT_IN: &str = "otp";

/// How often a limit re-armed: per version and, inside it, per calendar window, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arming {
    pub version: u32,
    /// Start of the calendar window it counts for.
    pub start: Millis,
    /// Times a threshold or the reach ceased to hold there.
    pub ceased: u32,
}

impl Arming {
    /// The arming (from 1) of this version in the window that starts at `start`.
    #[must_use]
    pub fn current(&self, version: u32, start: Millis) -> u32 {
        if self.version == version && self.start == start { 1 + self.ceased } else { 1 }
    }

    pub fn cease(&mut self, version: u32, start: Millis) {
        let ceased = self.current(version, start);
        *self = Arming { version, start, ceased };
    }
}

#[derive(Debug)]
pub struct Limit {
    pub account: AccountNumber,
    pub spec: Arc<LimitSpec>,
    pub version: u32,
    /// Version at which it was created: tells its groups from those of a removed namesake.
    pub created: u32,
    /// Of calendar limits on cost or requests; distinct-recipient groups keep their own.
    pub arming: Arming,
    /// When each group's next timer fires.
    pub timers: BTreeMap<CompactString, Millis>,
}

impl Limit {
    /// Whether each number is a group by itself.
    #[must_use]
    pub fn means_each(&self) -> bool {
        let scope = &self.spec.scope;
        matches!(scope.kind, ScopeKind::Recipient | ScopeKind::Sender) && scope.id.is_none()
    }

    fn place(&self) -> Place<'_> {
        let Scope { kind, id } = &self.spec.scope;
        Place { account: self.account, kind: *kind, id: id.as_deref() }
    }

    fn own_place(&self) -> OwnPlace {
        let Scope { kind, id } = self.spec.scope.clone();
        OwnPlace { account: self.account, kind, id }
    }

    /// The scope that a decision about `group` names.
    #[must_use]
    pub fn scope_of(&self, group: &CompactString) -> Scope {
        let id = if self.means_each() { Some(group.clone()) } else { self.spec.scope.id.clone() };
        Scope { kind: self.spec.scope.kind, id }
    }
}

/// At most 3 one-time passwords per recipient in 5 minutes (O1).
#[must_use]
pub fn built_in() -> LimitSpec {
    LimitSpec {
        limit_id: BUILT_IN.to_compact_string(),
        scope: Scope { kind: ScopeKind::Recipient, id: None },
        measure: Measure::Requests,
        window: Window::Sliding { period_ms: 5 * MINUTE_MS, text: "PT5M".to_compact_string() },
        amount: Amount::Count(3),
        action: Action::Block,
        thresholds: Vec::new(),
        enabled: true,
        only: Only { purpose: Some("otp".to_compact_string()), feature: None },
    }
}

/// A scope that limits are set on: `id` is `None` for the account and for "each number".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place<'a> {
    pub account: AccountNumber,
    pub kind: ScopeKind,
    pub id: Option<&'a str>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OwnPlace {
    account: AccountNumber,
    kind: ScopeKind,
    id: Option<CompactString>,
}

impl Equivalent<OwnPlace> for Place<'_> {
    fn equivalent(&self, own: &OwnPlace) -> bool {
        self.account == own.account && self.kind == own.kind && self.id == own.id.as_deref()
    }
}

/// All limits, by number, by id and by place.
#[derive(Debug, Default)]
pub(super) struct Limits {
    slots: Vec<Option<Limit>>,
    ids: Map<(AccountNumber, CompactString), LimitNumber>,
    places: hashbrown::HashMap<OwnPlace, SmallVec<[LimitNumber; 4]>, FixedState>,
}

impl Limits {
    pub fn get(&self, number: LimitNumber) -> Option<&Limit> {
        self.slots.get(number.0 as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, number: LimitNumber) -> Option<&mut Limit> {
        self.slots.get_mut(number.0 as usize)?.as_mut()
    }

    pub fn find(&self, account: AccountNumber, limit_id: &CompactString) -> Option<LimitNumber> {
        self.ids.get(&(account, limit_id.clone())).copied()
    }

    pub fn at(&self, place: &Place<'_>) -> &[LimitNumber] {
        self.places.get(place).map_or(&[], |numbers| numbers.as_slice())
    }

    pub fn insert(&mut self, limit: Limit) -> LimitNumber {
        let next = u32::try_from(self.slots.len()).expect("fewer than 2^32 limits were ever set");
        let number = LimitNumber(next);
        self.ids.insert((limit.account, limit.spec.limit_id.clone()), number);
        self.places.entry(limit.own_place()).or_default().push(number);
        self.slots.push(Some(limit));
        number
    }

    pub fn remove(&mut self, number: LimitNumber) -> Option<Limit> {
        let limit = self.slots.get_mut(number.0 as usize)?.take()?;
        self.ids.remove(&(limit.account, limit.spec.limit_id.clone()));
        if let Some(numbers) = self.places.get_mut(&limit.place()) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.places.remove(&limit.place());
            }
        }
        Some(limit)
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event finds the limits on its own scopes alone, however the index hashes them.
    #[test]
    fn places_that_differ_in_one_part_are_different() {
        let own = |account, kind, id: Option<&str>| OwnPlace {
            account: AccountNumber(account),
            kind,
            id: id.map(CompactString::from),
        };
        let (account, kind, id) = (AccountNumber(1), ScopeKind::Sender, Some("+1"));
        let place = Place { account, kind, id };
        assert!(place.equivalent(&own(1, ScopeKind::Sender, Some("+1"))));
        for other in [
            own(2, ScopeKind::Sender, Some("+1")),
            own(1, ScopeKind::Recipient, Some("+1")),
            own(1, ScopeKind::Sender, Some("+2")),
            own(1, ScopeKind::Sender, None),
        ] {
            assert!(!place.equivalent(&other), "{other:?}");
        }
    }
}
