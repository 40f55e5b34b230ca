//! The scopes whose totals are in memory. Promise: a row or window that changed since the last
//! checkpoint is never let go. It does no I/O: the engine loads windows before a fold and writes
//! the frozen ones after.

use std::hint::black_box;

use super::parted::{PartedTable, Pieces};
use super::scope_key::{ScopeKey, Slot};
use super::scope_row::ScopeRow;
use super::table::Epoch;
use super::tallies::Tallies;
use super::tally::{Calendar, Tally};
use super::watch::Watch;
use crate::money::Money;
use crate::time::{Day, Month};

/// Most rows change in their newest day and month alone.
const WINDOWS_PER_ROW: usize = 2;

/// A row's place in memory: good until the next `evict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScopeNumber(u32);

/// Rows of scopes, and which of them changed since the last checkpoint.
#[derive(Debug)]
pub(super) struct Scopes {
    index: PartedTable<(Slot, ScopeNumber)>,
    rows: Pieces<ScopeRow>,
    free: Vec<ScopeNumber>,
    /// Rows changed in the present epoch, each once, in the order of their first change.
    changed: Vec<ScopeNumber>,
    /// Rows changed in the epoch before that are yet to be gathered, but for those that changed
    /// again since.
    closed: Vec<ScopeNumber>,
    /// What changed in the epoch before: gathered, or saved when its row changed again.
    gathered: Tallies,
    epoch: Epoch,
    windows: usize,
}

impl Scopes {
    pub fn new() -> Scopes {
        Scopes {
            index: PartedTable::new(),
            rows: Pieces::new(),
            free: Vec::new(),
            changed: Vec::new(),
            closed: Vec::new(),
            gathered: Tallies::default(),
            epoch: 1,
            windows: 0,
        }
    }

    /// The epoch in which rows change now.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn row(&self, number: ScopeNumber) -> &ScopeRow {
        &self.rows[number.0 as usize]
    }

    pub fn row_mut(&mut self, number: ScopeNumber) -> &mut ScopeRow {
        &mut self.rows[number.0 as usize]
    }

    pub fn find(&self, key: &ScopeKey<'_>) -> Option<ScopeNumber> {
        let wanted = key.slot();
        let found = self
            .index
            .find(wanted.spread(), |(slot, number)| *slot == wanted && self.row(*number).is(key));
        found.map(|(_, number)| *number)
    }

    /// The scope's total in a window; `None` when it is not in memory.
    pub fn tally(&self, key: &ScopeKey<'_>, window: Calendar) -> Option<Tally> {
        self.row(self.find(key)?).tally(window)
    }

    /// A row that may be the key's, without a look at the row.
    pub fn candidate(&self, wanted: Slot) -> Option<ScopeNumber> {
        let found = self.index.find(wanted.spread(), |(slot, _)| *slot == wanted);
        found.map(|(_, number)| *number)
    }

    /// The key's row; `candidate` most likely is.
    pub fn verified(&self, key: &ScopeKey<'_>, candidate: ScopeNumber) -> Option<ScopeNumber> {
        let row = self.row(candidate);
        // The windows are in another cache line, and will be needed.
        black_box(row.touch());
        if row.is(key) { Some(candidate) } else { self.find(key) }
    }

    /// The scope's row, made with the limits that `watches` names if it is new.
    pub fn enter(
        &mut self,
        key: &ScopeKey<'_>,
        watches: impl FnOnce() -> Vec<Watch>,
    ) -> ScopeNumber {
        if let Some(number) = self.find(key) {
            return number;
        }
        let row = ScopeRow::new(key, watches(), self.epoch);
        let number = match self.free.pop() {
            Some(number) => {
                self.rows[number.0 as usize] = row;
                number
            }
            None => {
                let next = self.rows.push(row);
                ScopeNumber(u32::try_from(next).expect("fewer than 2^32 scopes"))
            }
        };
        let slot = key.slot();
        self.index.insert_unique(slot.spread(), (slot, number), spread);
        number
    }

    /// Adds an event's share to a day and a month of the scope; gives the totals after it.
    pub fn add(
        &mut self,
        number: ScopeNumber,
        (day, month): (Day, Month),
        cost: Money,
        requests: u32,
    ) -> (Tally, Tally) {
        let row = &mut self.rows[number.0 as usize];
        if row.changes_first(self.epoch) {
            if !self.closed.is_empty() && row.gather(self.epoch - 1) {
                freeze(row, self.epoch - 1, &mut self.gathered);
            }
            self.changed.push(number);
        }
        row.change(self.epoch);
        let mut add = |window| {
            let (tally, fresh) = row.add(window, cost, requests);
            self.windows += usize::from(fresh);
            tally
        };
        (add(Calendar::Day(day)), add(Calendar::Month(month)))
    }

    /// Puts a window of the store into memory; one that is there already is newer and stays.
    pub fn load(&mut self, number: ScopeNumber, window: Calendar, tally: Tally) {
        let fresh = self.rows[number.0 as usize].load(window, tally, self.epoch);
        self.windows += usize::from(fresh);
    }

    /// Every row with a total in memory, in no order that matters; as they lie there.
    pub fn rows(&self) -> impl Iterator<Item = &ScopeRow> {
        self.rows.iter().filter(|row| row.counts())
    }

    /// Closes the epoch; what changed in it is then to be gathered, as it was at this moment.
    pub fn close(&mut self) {
        assert!(self.closed.is_empty(), "the epoch before is gathered");
        self.closed = std::mem::take(&mut self.changed);
        self.epoch += 1;
        self.gathered = Tallies::with_capacity(self.closed.len() * WINDOWS_PER_ROW);
    }

    /// Gathers the changes of `most` more rows of the closed epoch; gives them all, once, when
    /// there are no more.
    pub fn gather(&mut self, most: usize) -> Option<Tallies> {
        let epoch = self.epoch - 1;
        let rest = self.closed.len().saturating_sub(most);
        for number in self.closed.split_off(rest) {
            let row = &mut self.rows[number.0 as usize];
            if row.gather(epoch) {
                freeze(row, epoch, &mut self.gathered);
            }
        }
        self.closed.is_empty().then(|| std::mem::take(&mut self.gathered))
    }

    /// Lets go of what the store has (not changed after `written`): of older windows, and of rows
    /// that were last used before epoch `unused_since`. Gives how many windows went.
    pub fn evict(&mut self, written: Epoch, unused_since: Epoch) -> usize {
        assert!(self.closed.is_empty(), "what is written was gathered");
        let before = self.windows;
        let mut stays = |(_, number): &mut (Slot, ScopeNumber)| {
            let row = &mut self.rows[number.0 as usize];
            self.windows -= row.trim(written);
            let goes = row.may_go(written, unused_since);
            if goes {
                self.windows -= row.tallies().count();
                self.free.push(*number);
                row.clear();
            }
            !goes
        };
        for part in 0..PartedTable::<(Slot, ScopeNumber)>::PARTS {
            self.index.retain(part, &mut stays, spread);
        }
        before - self.windows
    }

    /// Rows in memory.
    pub fn rows_len(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// Windows in memory.
    pub fn len(&self) -> usize {
        self.windows
    }

    /// Rows changed in the present epoch.
    pub fn changed(&self) -> usize {
        self.changed.len()
    }
}

fn spread((slot, _): &(Slot, ScopeNumber)) -> u64 {
    slot.spread()
}

/// Tells the windows of a row that changed in `epoch`.
fn freeze(row: &ScopeRow, epoch: Epoch, into: &mut Tallies) {
    let key = row.key();
    row.tallies_of(epoch).for_each(|(window, tally)| into.push(&key, window, tally));
}

#[cfg(test)]
mod tests;
