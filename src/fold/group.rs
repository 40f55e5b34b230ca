//! Counts that belong to a limit: sliding times and distinct recipients, each per group.
//! A group is a number where the limit means each number by itself, else the empty text. Promise:
//! groups live and die with their limit (FORMATS.md, evaluation 8).

use std::collections::HashSet;
use std::hash::Hash;

use compact_str::CompactString;
use foldhash::quality::FixedState;

use super::limit_state::Arming;
use super::table::{Epoch, Table};
use crate::time::Day;

/// Number of a limit inside one `State`: never stored, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitNumber(pub u32);

/// The recipients that one sender reached in one UTC day (O4).
#[derive(Clone, Debug, Default)]
pub struct Distinct {
    /// First 16 bytes of the SHA-256 of each recipient.
    members: HashSet<u128, FixedState>,
    /// Members that the store lacks.
    pub(super) fresh: Vec<u128>,
    pub(super) arming: Arming,
}

impl Distinct {
    #[must_use]
    pub fn new(members: impl IntoIterator<Item = u128>, arming: Arming) -> Distinct {
        Distinct { members: members.into_iter().collect(), fresh: Vec::new(), arming }
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.members.len() as u64
    }

    pub(super) fn add(&mut self, member: u128) {
        if self.members.insert(member) {
            self.fresh.push(member);
        }
    }
}

/// A day's group of a distinct-recipient limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DayGroup {
    pub day: Day,
    pub group: CompactString,
}

/// The groups of every limit, a table a limit.
#[derive(Debug)]
pub(super) struct Groups<G, V> {
    /// By the limit's number.
    tables: Vec<Option<Box<Table<G, V>>>>,
    epoch: Epoch,
    /// Groups in memory, and those changed in the present epoch.
    len: usize,
    changed: usize,
    /// The first table whose closed epoch is yet to be gathered.
    gathered_to: usize,
}

impl<G: Clone + Eq + Hash + Ord, V: Clone + Default> Groups<G, V> {
    pub fn new() -> Self {
        Groups { tables: Vec::new(), epoch: 1, len: 0, changed: 0, gathered_to: 0 }
    }

    fn of(&self, limit: LimitNumber) -> Option<&Table<G, V>> {
        self.tables.get(limit.0 as usize)?.as_deref()
    }

    pub fn contains(&self, limit: LimitNumber, group: &G) -> bool {
        self.of(limit).is_some_and(|table| table.contains(group))
    }

    pub fn get(&self, limit: LimitNumber, group: &G) -> Option<&V> {
        self.of(limit)?.get(group)
    }

    pub fn change(&mut self, limit: LimitNumber, group: &G) -> &mut V {
        let (value, touch) = table(&mut self.tables, self.epoch, limit).change(group);
        self.len += usize::from(touch.new);
        self.changed += usize::from(touch.first);
        value
    }

    pub fn load(&mut self, limit: LimitNumber, group: G, value: V) {
        let new = table(&mut self.tables, self.epoch, limit).load(group, value);
        self.len += usize::from(new);
    }

    /// The limit's groups in byte order.
    pub fn sorted(&self, limit: LimitNumber) -> Vec<G> {
        let Some(table) = self.of(limit) else { return Vec::new() };
        let mut groups: Vec<G> = table.keys().cloned().collect();
        groups.sort_unstable();
        groups
    }

    pub fn remove(&mut self, limit: LimitNumber) {
        if let Some(table) = self.tables.get_mut(limit.0 as usize).and_then(Option::take) {
            self.len -= table.len();
            self.changed -= table.changed();
        }
    }

    /// Closes the epoch of every table.
    pub fn close(&mut self) {
        self.tables.iter_mut().flatten().for_each(|table| table.close());
        self.epoch += 1;
        self.changed = 0;
        self.gathered_to = 0;
    }

    /// As `Table::gather`, one table after the other.
    pub fn gather(&mut self, most: usize, mut write: impl FnMut(LimitNumber, &G, V)) -> usize {
        let mut left = most;
        while left > 0
            && let Some(table) = self.tables.get_mut(self.gathered_to)
        {
            let number = LimitNumber(self.gathered_to as u32);
            if let Some(table) = table {
                left = table.gather(left, |group, value| write(number, group, value));
            }
            self.gathered_to += usize::from(left > 0);
        }
        left
    }

    /// Gathers what is left of one limit's.
    pub fn gather_of(&mut self, limit: LimitNumber, write: impl FnMut(&G, V)) {
        if let Some(Some(table)) = self.tables.get_mut(limit.0 as usize) {
            table.gather(usize::MAX, write);
        }
    }

    pub fn freeze(&mut self, mut write: impl FnMut(LimitNumber, &G, &mut V)) {
        for (number, table) in (0..).map(LimitNumber).zip(&mut self.tables) {
            if let Some(table) = table {
                table.freeze(|group, value| write(number, group, value));
            }
        }
        self.epoch += 1;
        self.changed = 0;
    }

    /// As `Table::evict`; a limit's empty table goes too.
    pub fn evict(&mut self, written: Epoch, unused_since: Epoch) -> usize {
        let mut evicted = 0;
        for table in &mut self.tables {
            evicted += table.as_mut().map_or(0, |table| table.evict(written, unused_since));
            table.take_if(|table| table.len() == 0);
        }
        self.len -= evicted;
        evicted
    }

    /// Groups in memory.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Groups changed in the present epoch.
    pub fn changed(&self) -> usize {
        self.changed
    }
}

/// A limit's table, made if it is new.
fn table<G: Clone + Eq + Hash, V: Clone + Default>(
    tables: &mut Vec<Option<Box<Table<G, V>>>>,
    epoch: Epoch,
    limit: LimitNumber,
) -> &mut Table<G, V> {
    let at = limit.0 as usize;
    if at >= tables.len() {
        tables.resize_with(at + 1, || None);
    }
    tables[at].get_or_insert_with(|| Box::new(Table::at(epoch)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frozen(groups: &mut Groups<u32, u64>) -> Vec<(u32, u32, u64)> {
        let mut rows = Vec::new();
        groups.freeze(|limit, group, value| rows.push((limit.0, *group, *value)));
        rows
    }

    #[test]
    fn groups_are_written_with_their_limit_and_go_with_it() {
        let (one, two) = (LimitNumber(1), LimitNumber(4));
        let mut groups = Groups::new();
        *groups.change(two, &8) = 80;
        *groups.change(one, &9) = 90;
        *groups.change(one, &7) = 70;
        assert_eq!((groups.len(), groups.sorted(one)), (3, vec![7, 9]));
        assert_eq!(frozen(&mut groups), [(1, 9, 90), (1, 7, 70), (4, 8, 80)]);
        *groups.change(one, &7) = 71;
        groups.remove(two);
        assert_eq!((groups.len(), groups.get(two, &8)), (2, None));
        assert_eq!(frozen(&mut groups), [(1, 7, 71)]);
    }

    proptest! {
        /// They are kept beside the tables, so that a budget costs no walk over all limits.
        #[test]
        fn counts_are_those_of_the_tables(
            steps in prop::collection::vec((0..7, 0..4_u32, 0..6_u32), 0..200),
        ) {
            let mut groups = Groups::<u32, u64>::new();
            for (step, limit, group) in steps {
                let limit = LimitNumber(limit);
                match step {
                    0..3 => *groups.change(limit, &group) += 1,
                    3 => groups.load(limit, group, 7),
                    4 => groups.remove(limit),
                    5 => drop(frozen(&mut groups)),
                    _ => drop(groups.evict(groups.epoch - 1, groups.epoch - group % 2)),
                }
                let tables = || groups.tables.iter().flatten();
                prop_assert_eq!(groups.len(), tables().map(|table| table.len()).sum::<usize>());
                let changed = tables().map(|table| table.changed()).sum::<usize>();
                prop_assert_eq!(groups.changed(), changed);
            }
        }
    }

    #[test]
    fn groups_that_are_written_and_unused_leave_memory() {
        let (one, two) = (LimitNumber(0), LimitNumber(3));
        let mut groups = Groups::<u32, u64>::new();
        groups.change(one, &5);
        groups.change(two, &6);
        groups.change(two, &7);
        assert_eq!(groups.evict(0, Epoch::MAX), 0);
        frozen(&mut groups);
        groups.change(two, &7);
        assert_eq!(groups.evict(1, Epoch::MAX), 2);
        assert_eq!(groups.len(), 1);
        assert!(groups.contains(two, &7) && !groups.contains(two, &6));
        assert!(groups.tables[0].is_none(), "an empty table goes too");
        // A table that is made anew writes in the present epoch, as the others do.
        groups.change(one, &5);
        assert_eq!(frozen(&mut groups), [(0, 5, 0), (3, 7, 0)]);
    }
}
