//! A process's store of one partition, with a slow and failing disk. Promise: a checkpoint is on disk
//! whole or not at all; earlier ones are kept, so that a crash can bring one of them back.

use std::cell::RefCell;
use std::rc::Rc;

use tollgate::fold::{Epoch, Loaded, Need, State};
use tollgate::store::memory::{Disk, MemoryStore};
use tollgate::store::{BlockRow, Checkpoint, Error, Position, Store};

use super::case::Fault;
use super::chance::{Chance, Path};
use super::topics::Process;

/// Earlier checkpoints that are kept.
const KEPT: usize = 3;

/// What a process keeps of a partition on its disk.
#[derive(Default)]
pub struct Kept {
    pub disk: Disk,
    /// Earlier ones, oldest first.
    pub earlier: Vec<Disk>,
}

impl Kept {
    /// What is found after a crash.
    pub fn crash(&mut self, chance: &Chance) {
        if chance.strikes(Fault::StoreGone) {
            *self = Kept::default();
        } else if !self.earlier.is_empty() && chance.strikes(Fault::StoreAged) {
            let which = chance.how(Fault::StoreAged, self.earlier.len());
            self.disk = Disk::of(self.earlier[which].dump());
            self.earlier.truncate(which);
        }
    }

    fn keep(&mut self) {
        if self.earlier.len() == KEPT {
            self.earlier.remove(0);
        }
        self.earlier.push(Disk::of(self.disk.dump()));
    }
}

pub struct SimStore {
    inner: MemoryStore,
    kept: Rc<RefCell<Kept>>,
    process: Rc<Process>,
    chance: Rc<Chance>,
    under_way: Option<Checkpoint>,
    /// What a full disk refused.
    refused: Option<Checkpoint>,
    /// Positions written and not yet seen by the witness.
    pub written: Vec<Position>,
    pub set_aside: u32,
}

impl SimStore {
    pub fn new(
        kept: Rc<RefCell<Kept>>,
        partition: u32,
        process: Rc<Process>,
        chance: Rc<Chance>,
    ) -> SimStore {
        let inner = MemoryStore::open(kept.borrow().disk.clone(), partition);
        let (under_way, refused, written) = (None, None, Vec::new());
        SimStore { inner, kept, process, chance, under_way, refused, written, set_aside: 0 }
    }

    /// The process is gone: a checkpoint under way may be on disk all the same.
    pub fn orphan(&mut self) {
        if self.under_way.is_some() && self.chance.permille(300) {
            self.finish().expect("the rows are sound").expect("a checkpoint is under way");
        }
    }

    fn readable(&self) -> Result<(), Error> {
        if self.chance.strikes(Fault::ReadFails) { Err(failed("read")) } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<Option<Epoch>, Error> {
        let Some(checkpoint) = self.under_way.take() else { return Ok(None) };
        if self.inner.position()?.is_some() {
            self.kept.borrow_mut().keep();
        }
        let position = checkpoint.position.clone();
        self.inner.submit(checkpoint);
        let written = self.inner.written().expect("one was submitted")?;
        self.written.push(position);
        Ok(Some(written))
    }
}

fn failed(act: &'static str) -> Error {
    let (place, reason) = ("memory".to_owned(), "no answer from the disk".to_owned());
    Error::Storage { place, act, reason }
}

impl Store for SimStore {
    fn position(&mut self) -> Result<Option<Position>, Error> {
        self.process.call();
        self.readable()?;
        let position = self.inner.position()?;
        let path =
            if position.is_some() { Path::BegunFromTheStore } else { Path::BegunFromNothing };
        self.chance.took(path);
        Ok(position)
    }

    fn restore(&mut self, state: &mut State) -> Result<Vec<(String, BlockRow)>, Error> {
        self.process.call();
        self.readable()?;
        self.inner.restore(state)
    }

    fn load(&mut self, needs: &[Need]) -> Result<Vec<Loaded>, Error> {
        self.process.call();
        self.readable()?;
        self.inner.load(needs)
    }

    fn submit(&mut self, checkpoint: Checkpoint) {
        self.process.call();
        let other = self.under_way.is_some() || self.refused.is_some();
        assert!(!other, "one checkpoint at a time");
        self.under_way = Some(checkpoint);
    }

    fn written(&mut self) -> Option<Result<Epoch, Error>> {
        self.process.call();
        if self.under_way.is_none() || self.chance.strikes(Fault::SlowDisk) {
            return None;
        }
        if self.chance.strikes(Fault::DiskFull) {
            self.refused = self.under_way.take();
            return Some(Err(Error::Full { place: "memory".to_owned(), act: "written" }));
        }
        if self.chance.strikes(Fault::CheckpointFails) {
            self.under_way = None;
            return Some(Err(failed("written")));
        }
        self.finish().transpose()
    }

    fn again(&mut self) {
        self.process.call();
        self.under_way = self.under_way.take().or(self.refused.take());
    }

    fn wait(&mut self) -> Option<Result<Epoch, Error>> {
        self.process.call();
        self.refused = None;
        self.finish().transpose()
    }

    fn set_aside(&mut self, reason: &str) -> Result<(), Error> {
        self.process.call();
        (self.under_way, self.refused) = (None, None);
        self.set_aside += 1;
        self.inner.set_aside(reason)
    }

    fn bytes(&mut self) -> u64 {
        self.inner.bytes()
    }
}
