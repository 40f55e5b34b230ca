//! The store in memory, for tests, simulations and the demo: the very rows and bytes of RocksDB in
//! a map. Promise: a checkpoint that was submitted is written when `written` is asked, so a crash
//! before that loses it whole, as on disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::keys::Span;
use super::raw::{Batch, Each, Raw, Reading};
use super::write::Writer;
use super::{BlockRow, Checkpoint, Error, Position, Store, read};
use crate::fold::{Epoch, Loaded, Need, State, Total};

/// What outlives a crash: hand it to the next store.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>);

/// One partition's rows in a `Disk`.
pub struct MemoryStore {
    disk: Disk,
    partition: u32,
    writer: Writer,
    submitted: Option<Checkpoint>,
    set_aside: Vec<(String, Disk)>,
}

impl Disk {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.0.lock().expect("no reader or writer of the rows panics")
    }

    /// All keys and values, in order.
    #[must_use]
    pub fn dump(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.rows().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The totals of every tally, sorted by `Total::order`.
    ///
    /// # Errors
    /// When a row is damaged.
    pub fn totals(&self) -> Result<Vec<Total>, Error> {
        let mut totals = Vec::new();
        read::totals(self, &mut totals)?;
        totals.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        Ok(totals)
    }

    /// The reverse of `dump`.
    #[must_use]
    pub fn of(rows: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Disk {
        Disk(Arc::new(Mutex::new(rows.into_iter().collect())))
    }
}

impl Raw for Disk {
    fn place(&self) -> &str {
        "memory"
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let rows = self.rows();
        Ok(keys.iter().map(|key| rows.get(key).cloned()).collect())
    }

    fn scan(&self, span: &Span, _reading: Reading, each: &mut Each<'_>) -> Result<(), Error> {
        for (key, value) in self.rows().range(span.from.clone()..span.before.clone()) {
            if !each(key, value)? {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<(), Error> {
        let mut rows = self.rows();
        for span in &batch.ranges {
            let range = span.from.clone()..span.before.clone();
            let keys: Vec<Vec<u8>> = rows.range(range).map(|(key, _)| key.clone()).collect();
            for key in keys {
                rows.remove(&key);
            }
        }
        for key in &batch.deletes {
            rows.remove(key);
        }
        for (key, value) in batch.puts() {
            rows.insert(key.to_vec(), value.to_vec());
        }
        Ok(())
    }
}

impl MemoryStore {
    #[must_use]
    pub fn open(disk: Disk, partition: u32) -> MemoryStore {
        let (writer, set_aside) = (Writer::default(), Vec::new());
        MemoryStore { disk, partition, writer, submitted: None, set_aside }
    }

    /// What was set aside, and why.
    #[must_use]
    pub fn aside(&self) -> &[(String, Disk)] {
        &self.set_aside
    }
}

impl Store for MemoryStore {
    fn position(&mut self) -> Result<Option<Position>, Error> {
        read::position(&self.disk, self.partition)
    }

    fn restore(&mut self, state: &mut State) -> Result<Vec<(String, BlockRow)>, Error> {
        read::restore(&self.disk, self.partition, state)
    }

    fn load(&mut self, needs: &[Need]) -> Result<Vec<Loaded>, Error> {
        read::load(&self.disk, needs)
    }

    fn submit(&mut self, checkpoint: Checkpoint) {
        assert!(self.submitted.is_none(), "one checkpoint at a time");
        self.submitted = Some(checkpoint);
    }

    fn written(&mut self) -> Option<Result<Epoch, Error>> {
        let checkpoint = self.submitted.take()?;
        Some(self.writer.write(&self.disk, self.partition, &checkpoint))
    }

    /// Memory is never full.
    fn again(&mut self) {}

    fn wait(&mut self) -> Option<Result<Epoch, Error>> {
        self.written()
    }

    fn set_aside(&mut self, reason: &str) -> Result<(), Error> {
        let rows = Disk::of(std::mem::take(&mut *self.disk.rows()));
        self.set_aside.push((reason.to_owned(), rows));
        self.submitted = None;
        self.writer = Writer::default();
        Ok(())
    }

    fn bytes(&mut self) -> u64 {
        let bytes = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.len() + value.len()) as u64;
        self.disk.rows().iter().map(bytes).sum()
    }
}
