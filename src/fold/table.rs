//! Rows in memory: which of them changed since the last checkpoint, which may be let go.
//! Promise: a row that is not in memory is as the store has it; a changed row is never let go.
//! It does no I/O: the engine loads rows before a fold and writes the frozen ones after.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use foldhash::quality::FixedState;

use super::parted::SPARSE_PART;

/// A map whose order nothing depends on; the fixed seed keeps runs alike.
pub(super) type Map<K, V> = HashMap<K, V, FixedState>;

/// Counts checkpoints: rows changed in epoch e are written by the checkpoint that closes e.
pub type Epoch = u32;

#[derive(Debug)]
struct Row<V> {
    value: V,
    /// Epoch of the last change; 0 for a row that was loaded and left alone.
    changed: Epoch,
    /// Epoch of the last use.
    used: Epoch,
    /// What changed in that epoch was given to the checkpoint that closes it.
    gathered: bool,
}

impl<V> Row<V> {
    fn new(value: V, used: Epoch) -> Row<V> {
        Row { value, changed: 0, used, gathered: false }
    }

    /// Whether what changed in `epoch`, which was closed, is yet to be gathered; from now on it is.
    fn gather(&mut self, epoch: Epoch) -> bool {
        self.changed == epoch && !std::mem::replace(&mut self.gathered, true)
    }
}

/// What a change was to its row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    /// Memory did not have it.
    pub new: bool,
    /// The first in this epoch.
    pub first: bool,
}

/// Rows of one kind by key.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    rows: Map<K, Row<V>>,
    /// Keys changed in the present epoch, each once, in the order of their first change.
    changed: Vec<K>,
    /// Keys changed in the epoch before whose rows are yet to be gathered, but for those that
    /// changed again since.
    closed: Vec<K>,
    /// Those rows as they were.
    saved: Vec<(K, V)>,
    epoch: Epoch,
}

impl<K: Clone + Eq + Hash, V: Clone + Default> Table<K, V> {
    /// An empty table that joins others in their present epoch.
    pub fn at(epoch: Epoch) -> Self {
        let (rows, changed, closed, saved) = (Map::default(), Vec::new(), Vec::new(), Vec::new());
        Table { rows, changed, closed, saved, epoch }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn contains<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.rows.contains_key(key)
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.rows.get(key).map(|row| &row.value)
    }

    /// Rows changed in the present epoch.
    pub fn changed(&self) -> usize {
        self.changed.len()
    }

    /// The row to be changed, made if it is new.
    pub fn change(&mut self, key: &K) -> (&mut V, Touch) {
        let row = self.rows.entry(key.clone());
        let new = matches!(row, Entry::Vacant(_));
        let row = row.or_insert_with(|| Row::new(V::default(), self.epoch));
        row.used = self.epoch;
        let first = row.changed != self.epoch;
        if first {
            if !self.closed.is_empty() && row.gather(self.epoch - 1) {
                self.saved.push((key.clone(), row.value.clone()));
            }
            (row.changed, row.gathered) = (self.epoch, false);
            self.changed.push(key.clone());
        }
        (&mut row.value, Touch { new, first })
    }

    /// Puts a row of the store into memory; one that is there already is newer and stays. Whether
    /// it was put there.
    pub fn load(&mut self, key: K, value: V) -> bool {
        let row = self.rows.entry(key);
        let new = matches!(row, Entry::Vacant(_));
        row.or_insert(Row::new(value, self.epoch));
        new
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.rows.keys()
    }

    /// Closes the epoch; what changed in it is then to be gathered, as it was at this moment.
    pub fn close(&mut self) {
        assert!(self.closed.is_empty(), "the epoch before is gathered");
        self.closed = std::mem::take(&mut self.changed);
        self.epoch += 1;
    }

    /// Gives `most` more changed rows of the closed epoch to `write`; how many of `most` are left
    /// over, none before those were all.
    pub fn gather(&mut self, most: usize, mut write: impl FnMut(&K, V)) -> usize {
        self.saved.drain(..).for_each(|(key, value)| write(&key, value));
        let rest = self.closed.len().saturating_sub(most);
        let some = self.closed.split_off(rest);
        for key in &some {
            let row = self.rows.get_mut(key).expect("a changed row stays in memory");
            if row.gather(self.epoch - 1) {
                write(key, row.value.clone());
            }
        }
        most - some.len()
    }

    /// Closes the epoch: its changed rows are given to `write`.
    pub fn freeze(&mut self, mut write: impl FnMut(&K, &mut V)) {
        for key in std::mem::take(&mut self.changed) {
            let row = self.rows.get_mut(&key).expect("a changed row stays in memory");
            write(&key, &mut row.value);
        }
        self.epoch += 1;
    }

    /// Lets go of rows that the store has (not changed after `written`) and that were last used
    /// before epoch `unused_since`. Gives how many went.
    pub fn evict(&mut self, written: Epoch, unused_since: Epoch) -> usize {
        let before = self.rows.len();
        self.rows.retain(|_, row| row.changed > written || row.used >= unused_since);
        if self.rows.len() < self.rows.capacity() / SPARSE_PART {
            self.rows.shrink_to_fit();
        }
        before - self.rows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frozen(table: &mut Table<u32, u64>) -> Vec<(u32, u64)> {
        let mut rows = Vec::new();
        table.freeze(|key, value| rows.push((*key, *value)));
        rows
    }

    #[test]
    fn a_checkpoint_gets_each_changed_row_once_and_no_other() {
        let mut table = Table::at(1);
        table.load(7, 70);
        for key in [3, 1, 3] {
            *table.change(&key).0 += 1;
        }
        assert_eq!(frozen(&mut table), [(3, 2), (1, 1)]);
        assert_eq!(frozen(&mut table), []);
        *table.change(&7).0 += 1;
        table.load(7, 0);
        assert_eq!(frozen(&mut table), [(7, 71)], "the row in memory is newer than the store's");
    }

    /// The fold goes on between two slices: what it changes is told as it was.
    #[test]
    fn a_checkpoint_gets_what_was_there_when_its_epoch_closed() {
        let mut table = Table::<u32, u64>::at(1);
        for key in 0..4 {
            *table.change(&key).0 = 10;
        }
        table.close();
        let mut told = Vec::new();
        for step in 0..5 {
            // One that was gathered, perhaps, one that was not, and a new one.
            for key in [step, 3 - step.min(3), 9] {
                *table.change(&key).0 += 1;
            }
            let left = table.gather(1, |key, value| told.push((*key, value)));
            assert_eq!(left, usize::from(step == 4));
        }
        told.sort_unstable();
        assert_eq!(told, [0, 1, 2, 3].map(|key| (key, 10)));
        let mut next = frozen(&mut table);
        next.sort_unstable();
        assert_eq!(next, [(0, 13), (1, 12), (2, 12), (3, 12), (4, 1), (9, 5)]);
    }

    /// A row goes when the store has it and nobody used it since; a changed row never does.
    #[test]
    fn rows_that_are_written_and_unused_leave_memory() {
        let mut table = Table::<u32, u64>::at(1);
        table.load(1, 10);
        table.change(&2);
        frozen(&mut table);
        table.change(&3);
        let kept = |table: &Table<u32, u64>| {
            let mut keys: Vec<u32> = table.keys().copied().collect();
            keys.sort_unstable();
            assert_eq!(keys.len(), table.len());
            keys
        };
        assert_eq!(table.evict(0, Epoch::MAX), 1, "epoch 1 is not on disk yet");
        assert_eq!(kept(&table), [2, 3]);
        assert_eq!(table.evict(1, 1), 0, "both were used in epoch 1 or later");
        assert_eq!(table.evict(1, 2), 1);
        assert_eq!(kept(&table), [3]);
        frozen(&mut table);
        assert_eq!(table.evict(2, Epoch::MAX), 1);
        assert_eq!(kept(&table), [] as [u32; 0]);
    }
}
