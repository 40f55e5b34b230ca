//! A scope's totals: its newest day and month in the row itself, the others beside it.
//! Promise: a window that is not in memory is as the store has it.

use compact_str::CompactString;

use super::limit::{Scope, ScopeKind};
use super::scope_key::{Id, ScopeKey};
use super::table::Epoch;
use super::tally::{AccountNumber, Calendar, Tally};
use super::watch::Watch;
use crate::money::Money;
use crate::time::{Day, Month};

/// A scope's totals and the limits that look at them: two cache lines.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct ScopeRow {
    pub account: AccountNumber,
    kind: ScopeKind,
    id: Id<CompactString>,
    watches: Box<[Watch]>,
    day: Window,
    month: Window,
    /// Windows in memory beside the newest.
    older: Option<Box<Older>>,
    /// Epoch of the last change.
    changed: Epoch,
    /// Epoch of the last use.
    used: Epoch,
    /// What changed in that epoch was given to the checkpoint that closes it.
    gathered: bool,
}

const _: () = assert!(size_of::<ScopeRow>() == 128);

/// A total and its window's number among the days or months. Flat, for 32 bytes.
#[derive(Clone, Copy, Debug)]
struct Window {
    cost: Money,
    requests: u64,
    /// Epoch of the last change; 0 for one that was loaded and left alone.
    changed: Epoch,
    number: i32,
}

/// Windows that ended, but for those that early events began before the newest: in order.
#[derive(Debug, Default)]
struct Older {
    days: Vec<Window>,
    months: Vec<Window>,
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

/// The window of that number among the newest and the older ones, and whether it was made just
/// now.
fn entry<'a>(
    newest: &'a mut Window,
    older: &'a mut Option<Box<Older>>,
    of: fn(&mut Older) -> &mut Vec<Window>,
    number: i32,
) -> (&'a mut Window, bool) {
    if newest.number == number {
        return (newest, false);
    }
    if newest.number < number {
        let former = std::mem::replace(newest, Window::new(number));
        if former.number != Window::NONE.number {
            of(older.get_or_insert_default()).push(former);
        }
        return (newest, true);
    }
    let older = of(older.get_or_insert_default());
    match older.binary_search_by_key(&number, |window| window.number) {
        Ok(at) => (&mut older[at], false),
        Err(at) => {
            older.insert(at, Window::new(number));
            (&mut older[at], true)
        }
    }
}

impl ScopeRow {
    pub fn new(key: &ScopeKey<'_>, watches: Vec<Watch>, epoch: Epoch) -> ScopeRow {
        ScopeRow {
            account: key.account,
            kind: key.kind,
            id: key.id.to_own(),
            watches: watches.into_boxed_slice(),
            day: Window::NONE,
            month: Window::NONE,
            older: None,
            changed: 0,
            used: epoch,
            gathered: false,
        }
    }

    /// As limits, totals and stored rows name it.
    pub fn scope(&self) -> Scope {
        let named = self.kind != ScopeKind::Account;
        Scope { kind: self.kind, id: named.then(|| self.id.text()) }
    }

    pub fn key(&self) -> ScopeKey<'_> {
        ScopeKey { account: self.account, kind: self.kind, id: self.id.as_str() }
    }

    pub fn is(&self, key: &ScopeKey<'_>) -> bool {
        self.id.is(&key.id) && self.account == key.account && self.kind == key.kind
    }

    pub fn watches(&self) -> &[Watch] {
        &self.watches
    }

    pub fn watches_mut(&mut self) -> &mut [Watch] {
        &mut self.watches
    }

    /// Changes which limits watch it.
    pub fn rewatch(&mut self, change: impl FnOnce(&mut Vec<Watch>)) {
        let mut watches = std::mem::take(&mut self.watches).into_vec();
        change(&mut watches);
        self.watches = watches.into_boxed_slice();
    }

    /// Whether a change would be the first in `epoch`.
    pub fn changes_first(&self, epoch: Epoch) -> bool {
        self.changed != epoch
    }

    pub fn change(&mut self, epoch: Epoch) {
        self.used = epoch;
        self.gathered &= self.changed == epoch;
        self.changed = epoch;
    }

    /// Whether what changed in `epoch`, which was closed, is yet to be gathered; from now on it is.
    pub fn gather(&mut self, epoch: Epoch) -> bool {
        self.changed == epoch && !std::mem::replace(&mut self.gathered, true)
    }

    /// Adds an event's share to a window; gives the total after it, and whether the window is new.
    pub fn add(&mut self, window: Calendar, cost: Money, requests: u32) -> (Tally, bool) {
        let epoch = self.changed;
        let (window, fresh) = self.entry(window);
        window.changed = epoch;
        let mut tally = window.tally();
        tally.add(cost, requests);
        window.set(tally);
        (tally, fresh)
    }

    /// Puts a window of the store into memory. False when one is there already: it is newer.
    pub fn load(&mut self, window: Calendar, tally: Tally, epoch: Epoch) -> bool {
        self.used = epoch;
        let (window, fresh) = self.entry(window);
        if fresh {
            window.set(tally);
        }
        fresh
    }

    /// Reads from the cache line of the windows.
    pub fn touch(&self) -> i32 {
        self.day.number
    }

    fn entry(&mut self, window: Calendar) -> (&mut Window, bool) {
        match window {
            Calendar::Day(Day(number)) => {
                entry(&mut self.day, &mut self.older, |older| &mut older.days, number)
            }
            Calendar::Month(Month(number)) => {
                entry(&mut self.month, &mut self.older, |older| &mut older.months, number)
            }
        }
    }

    pub fn tally(&self, window: Calendar) -> Option<Tally> {
        let (newest, number) = match window {
            Calendar::Day(Day(number)) => (&self.day, number),
            Calendar::Month(Month(number)) => (&self.month, number),
        };
        if newest.number == number {
            return Some(newest.tally());
        }
        let older = self.older.as_deref()?;
        let windows = if matches!(window, Calendar::Day(_)) { &older.days } else { &older.months };
        let at = windows.binary_search_by_key(&number, |window| window.number).ok()?;
        Some(windows[at].tally())
    }

    /// Whether a window is in memory; none is of one that was cleared.
    pub fn counts(&self) -> bool {
        self.windows().next().is_some()
    }

    /// Every window in memory with its tally: days, then months, each in order.
    pub fn tallies(&self) -> impl Iterator<Item = (Calendar, Tally)> {
        self.windows().map(|(calendar, window)| (calendar, window.tally()))
    }

    /// Those that changed in `epoch`.
    pub fn tallies_of(&self, epoch: Epoch) -> impl Iterator<Item = (Calendar, Tally)> {
        let changed = self.windows().filter(move |(_, window)| window.changed == epoch);
        changed.map(|(calendar, window)| (calendar, window.tally()))
    }

    /// Whether the store has all of it and nobody used it since.
    pub fn may_go(&self, written: Epoch, unused_since: Epoch) -> bool {
        self.changed <= written && self.used < unused_since
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        (self.id, self.watches) = (Id::Uuid([0; 16]), Box::default());
        (self.day, self.month, self.older) = (Window::NONE, Window::NONE, None);
    }

    fn windows(&self) -> impl Iterator<Item = (Calendar, &Window)> {
        let older = self.older.as_deref();
        let days = older.into_iter().flat_map(|older| &older.days).chain([&self.day]);
        let months = older.into_iter().flat_map(|older| &older.months).chain([&self.month]);
        let days = days.map(|window| (Calendar::Day(Day(window.number)), window));
        let months = months.map(|window| (Calendar::Month(Month(window.number)), window));
        days.chain(months).filter(|(_, window)| window.number != Window::NONE.number)
    }

    /// Lets go of older windows that the store has; gives how many went.
    pub fn trim(&mut self, written: Epoch) -> usize {
        let Some(older) = &mut self.older else { return 0 };
        let before = older.days.len() + older.months.len();
        older.days.retain(|window| window.changed > written);
        older.months.retain(|window| window.changed > written);
        let after = older.days.len() + older.months.len();
        if after == 0 {
            self.older = None;
        }
        before - after
    }
}
