//! What any fold of these totals must do at the least: eight sums in a hash map and, if asked to,
//! a look whether the id came before. It checks nothing and decides nothing.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use tollgate::fold::event::{BilledEvent, Line};

/// Account, name, kind of scope and of window, start of the window.
pub type Key = (u32, u32, u8, i32);
/// Cost and requests.
pub type Sums = (i64, u64);

/// In `Sums`, on the requests: changed since it was last asked for.
const CHANGED: u64 = 1 << 63;

/// Names to numbers, and a total a scope and window: keys of 16 bytes, sums of 64 bits.
#[derive(Default)]
pub struct Bare {
    names: HashMap<String, u32, FixedState>,
    totals: HashMap<Key, Sums, FixedState>,
    /// Hashes of ids: 8 bytes each, and none is ever forgotten.
    ids: Option<HashSet<u64, FixedState>>,
}

impl Bare {
    /// One that counts no id twice.
    pub fn with_ids() -> Bare {
        Bare { ids: Some(HashSet::default()), ..Bare::default() }
    }

    fn name(&mut self, text: &str) -> u32 {
        if let Some(name) = self.names.get(text) {
            return *name;
        }
        let name = self.names.len() as u32;
        self.names.insert(text.to_owned(), name);
        name
    }

    pub fn line(&mut self, line: &Line<'_>) {
        if let Some(event) = line.billed() {
            self.event(event);
        }
    }

    pub fn event(&mut self, event: &BilledEvent<'_>) {
        if let Some(ids) = &mut self.ids
            && !ids.insert(FixedState::default().hash_one(&*event.event_id))
        {
            return;
        }
        let account = self.name(&event.account_id);
        let scopes = [
            Some(""),
            Some(&*event.feature),
            event.profile_id.as_deref(),
            event.country.as_deref(),
        ];
        let (day, month) = (event.occurred_at.day().0, event.occurred_at.month().0);
        for (kind, scope) in scopes.into_iter().enumerate() {
            let Some(scope) = scope else { continue };
            let name = self.name(scope);
            for (window, start) in [(0, day), (8, month)] {
                let key = (account, name, kind as u8 | window, start);
                let total = self.totals.entry(key).or_default();
                total.0 += event.cost.0 as i64;
                total.1 = (total.1 + u64::from(event.requests)) | CHANGED;
            }
        }
    }

    /// The totals that changed since the last call: what a checkpoint has to write.
    pub fn changed(&mut self) -> Vec<(Key, Sums)> {
        let mut changed = Vec::new();
        for (key, sums) in &mut self.totals {
            if sums.1 & CHANGED != 0 {
                sums.1 &= !CHANGED;
                changed.push((*key, *sums));
            }
        }
        changed
    }
}
