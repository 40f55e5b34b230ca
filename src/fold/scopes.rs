//! Totals in memory, a row a scope: its newest day and month in the row itself, the others beside.
//! Promise: a window that is not in memory is as the store has it; one that changed since the last
//! checkpoint is never let go. It does no I/O: the engine loads windows before a fold and writes
//! the frozen ones after.

use std::hash::{BuildHasher, Hasher};

use compact_str::CompactString;
use foldhash::quality::FixedState;
use hashbrown::HashTable;

use super::limit::{Scope, ScopeKind};
use super::table::Epoch;
use super::tally::{AccountNumber, Calendar, Tally};
use super::watch::Watch;
use crate::money::Money;
use crate::time::{Day, Month};

/// A row's place in memory: good until the next `evict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScopeNumber(u32);

/// What names a scope inside a partition. The account's own has the empty text.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScopeKey<'a> {
    pub account: AccountNumber,
    pub kind: ScopeKind,
    pub id: &'a str,
}

/// A scope's totals and the limits that look at them.
#[derive(Debug)]
pub(super) struct ScopeRow {
    pub account: AccountNumber,
    pub kind: ScopeKind,
    pub id: CompactString,
    pub watches: Vec<Watch>,
    days: Windows,
    months: Windows,
    /// Epoch of the last change.
    changed: Epoch,
    /// Epoch of the last use.
    used: Epoch,
}

/// A total and its window's number among the days or months. Flat, for 32 bytes.
#[derive(Clone, Copy, Debug)]
struct Window {
    cost: Money,
    requests: u64,
    /// Epoch of the last change; 0 for one that was loaded and left alone.
    changed: Epoch,
    number: i32,
}

/// The days or the months of a scope that are in memory.
#[derive(Debug)]
struct Windows {
    /// `Window::NONE` where there is none.
    newest: Window,
    /// In order.
    older: Vec<Window>,
}

/// Rows of scopes, and which of them changed since the last checkpoint.
#[derive(Debug)]
pub(super) struct Scopes {
    index: HashTable<Slot>,
    rows: Vec<ScopeRow>,
    free: Vec<ScopeNumber>,
    /// Rows changed in the present epoch, each once, in the order of their first change.
    changed: Vec<ScopeNumber>,
    epoch: Epoch,
    windows: usize,
}

/// A row and half its hash, so that a growing index leaves the rows alone.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    number: ScopeNumber,
}

impl Slot {
    fn spread(&self) -> u64 {
        u64::from(self.hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl ScopeKey<'_> {
    fn slot(&self, number: ScopeNumber) -> Slot {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write_u64(u64::from(self.account.0) << 8 | self.kind as u64);
        hasher.write(self.id.as_bytes());
        let hash = hasher.finish();
        Slot { hash: (hash >> 32) as u32, number }
    }
}

impl Window {
    const NONE: Window = Window { cost: Money::ZERO, requests: 0, changed: 0, number: i32::MIN };

    fn new(number: i32) -> Window {
        Window { number, ..Window::NONE }
    }

    fn tally(&self) -> Tally {
        Tally { cost: self.cost, requests: self.requests }
    }

    fn set(&mut self, tally: Tally) {
        (self.cost, self.requests) = (tally.cost, tally.requests);
    }
}

impl Windows {
    const NONE: Windows = Windows { newest: Window::NONE, older: Vec::new() };

    fn get(&self, number: i32) -> Option<&Window> {
        if self.newest.number == number {
            return Some(&self.newest);
        }
        let at = self.older.binary_search_by_key(&number, |window| window.number).ok()?;
        self.older.get(at)
    }

    /// The window, and whether it was made just now.
    fn entry(&mut self, number: i32) -> (&mut Window, bool) {
        if self.newest.number == number {
            return (&mut self.newest, false);
        }
        self.entry_beside(number)
    }

    #[cold]
    fn entry_beside(&mut self, number: i32) -> (&mut Window, bool) {
        if self.newest.number < number {
            let former = std::mem::replace(&mut self.newest, Window::new(number));
            if former.number != Window::NONE.number {
                self.older.push(former);
            }
            return (&mut self.newest, true);
        }
        match self.older.binary_search_by_key(&number, |window| window.number) {
            Ok(at) => (&mut self.older[at], false),
            Err(at) => {
                self.older.insert(at, Window::new(number));
                (&mut self.older[at], true)
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Window> {
        let newest = (self.newest.number != Window::NONE.number).then_some(&self.newest);
        self.older.iter().chain(newest)
    }

    /// Lets go of older windows that the store has; gives how many went.
    fn trim(&mut self, written: Epoch) -> usize {
        let before = self.older.len();
        self.older.retain(|window| window.changed > written);
        before - self.older.len()
    }
}

impl ScopeRow {
    /// As limits, totals and stored rows name it.
    pub fn scope(&self) -> Scope {
        let named = self.kind != ScopeKind::Account;
        Scope { kind: self.kind, id: named.then(|| self.id.clone()) }
    }

    fn is(&self, key: &ScopeKey<'_>) -> bool {
        self.account == key.account && self.kind == key.kind && self.id == key.id
    }

    fn windows_of(&mut self, window: Calendar) -> (&mut Windows, i32) {
        match window {
            Calendar::Day(day) => (&mut self.days, day.0),
            Calendar::Month(month) => (&mut self.months, month.0),
        }
    }

    pub fn tally(&self, window: Calendar) -> Option<Tally> {
        let found = match window {
            Calendar::Day(day) => self.days.get(day.0),
            Calendar::Month(month) => self.months.get(month.0),
        };
        found.map(Window::tally)
    }

    /// Every window in memory with its tally.
    pub fn tallies(&self) -> impl Iterator<Item = (Calendar, Tally)> {
        self.calendars().map(|(calendar, window)| (calendar, window.tally()))
    }

    fn calendars(&self) -> impl Iterator<Item = (Calendar, &Window)> {
        let days = self.days.all().map(|window| (Calendar::Day(Day(window.number)), window));
        let months =
            self.months.all().map(|window| (Calendar::Month(Month(window.number)), window));
        days.chain(months)
    }
}

impl Scopes {
    pub fn new() -> Scopes {
        Scopes {
            index: HashTable::new(),
            rows: Vec::new(),
            free: Vec::new(),
            changed: Vec::new(),
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
        let wanted = key.slot(ScopeNumber(0));
        let found = self.index.find(wanted.spread(), |slot| {
            slot.hash == wanted.hash && self.row(slot.number).is(key)
        });
        found.map(|slot| slot.number)
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
        let row = ScopeRow {
            account: key.account,
            kind: key.kind,
            id: key.id.into(),
            watches: watches(),
            days: Windows::NONE,
            months: Windows::NONE,
            changed: 0,
            used: self.epoch,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.rows[number.0 as usize] = row;
                number
            }
            None => {
                let next = u32::try_from(self.rows.len()).expect("fewer than 2^32 scopes");
                self.rows.push(row);
                ScopeNumber(next)
            }
        };
        let slot = key.slot(number);
        self.index.insert_unique(slot.spread(), slot, Slot::spread);
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
        let epoch = self.epoch;
        let row = &mut self.rows[number.0 as usize];
        row.used = epoch;
        if row.changed != epoch {
            row.changed = epoch;
            self.changed.push(number);
        }
        let mut add = |windows: &mut Windows, number| {
            let (window, fresh) = windows.entry(number);
            self.windows += usize::from(fresh);
            window.changed = epoch;
            let mut tally = window.tally();
            tally.add(cost, requests);
            window.set(tally);
            tally
        };
        (add(&mut row.days, day.0), add(&mut row.months, month.0))
    }

    /// Puts a window of the store into memory; one that is there already is newer and stays.
    pub fn load(&mut self, number: ScopeNumber, window: Calendar, tally: Tally) {
        let row = &mut self.rows[number.0 as usize];
        row.used = self.epoch;
        let (windows, at) = row.windows_of(window);
        let (entry, fresh) = windows.entry(at);
        if fresh {
            entry.set(tally);
            self.windows += 1;
        }
    }

    /// Every row in memory, in no order that matters.
    pub fn rows(&self) -> impl Iterator<Item = &ScopeRow> {
        let numbers = self.index.iter().map(|slot| slot.number);
        numbers.map(|number| self.row(number))
    }

    /// Closes the epoch: its changed windows are given to `write`.
    pub fn freeze(&mut self, mut write: impl FnMut(&ScopeRow, Calendar, Tally)) {
        for number in std::mem::take(&mut self.changed) {
            let row = self.row(number);
            for (calendar, window) in row.calendars() {
                if window.changed == self.epoch {
                    write(row, calendar, window.tally());
                }
            }
        }
        self.epoch += 1;
    }

    /// Lets go of what the store has (not changed after `written`): of older windows, and of rows
    /// that were last used before epoch `unused_since`. Gives how many windows went.
    pub fn evict(&mut self, written: Epoch, unused_since: Epoch) -> usize {
        let before = self.windows;
        self.index.retain(|slot| {
            let row = &mut self.rows[slot.number.0 as usize];
            self.windows -= row.days.trim(written) + row.months.trim(written);
            let stays = row.changed > written || row.used >= unused_since;
            if !stays {
                self.windows -= row.calendars().count();
                self.free.push(slot.number);
                (row.id, row.watches) = (CompactString::default(), Vec::new());
                (row.days, row.months) = (Windows::NONE, Windows::NONE);
            }
            stays
        });
        before - self.windows
    }

    /// Windows in memory.
    pub fn len(&self) -> usize {
        self.windows
    }
}
