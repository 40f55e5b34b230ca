//! The store in memory on a disk in trouble: full, so that a checkpoint is refused while rows can be
//! read, or away, so that nothing can.

use std::cell::Cell;
use std::rc::Rc;

use tollgate::fold::{Epoch, Loaded, Need, State};
use tollgate::store::memory::MemoryStore;
use tollgate::store::{BlockRow, Checkpoint, Error, Position, Store};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    #[default]
    None,
    Full,
    Away,
}

pub struct Scarce {
    pub store: MemoryStore,
    pub trouble: Rc<Cell<Trouble>>,
    submitted: Option<Checkpoint>,
    refused: Option<Checkpoint>,
}

impl Scarce {
    pub fn new(store: MemoryStore, trouble: &Rc<Cell<Trouble>>) -> Scarce {
        Scarce { store, trouble: Rc::clone(trouble), submitted: None, refused: None }
    }

    fn there(&mut self) -> Result<&mut MemoryStore, Error> {
        match self.trouble.get() {
            Trouble::None | Trouble::Full => Ok(&mut self.store),
            Trouble::Away => Err(away()),
        }
    }
}

fn away() -> Error {
    let reason = "Input/output error".to_owned();
    Error::Storage { place: "memory".to_owned(), act: "read", reason }
}

impl Store for Scarce {
    fn position(&mut self) -> Result<Option<Position>, Error> {
        self.there()?.position()
    }

    fn restore(&mut self, state: &mut State) -> Result<Vec<(String, BlockRow)>, Error> {
        self.there()?.restore(state)
    }

    fn load(&mut self, needs: &[Need]) -> Result<Vec<Loaded>, Error> {
        self.there()?.load(needs)
    }

    fn submit(&mut self, checkpoint: Checkpoint) {
        assert!(self.submitted.is_none() && self.refused.is_none(), "one checkpoint at a time");
        self.submitted = Some(checkpoint);
    }

    fn written(&mut self) -> Option<Result<Epoch, Error>> {
        let checkpoint = self.submitted.take()?;
        match self.trouble.get() {
            Trouble::None => {
                self.store.submit(checkpoint);
                self.store.written()
            }
            Trouble::Full => {
                self.refused = Some(checkpoint);
                Some(Err(Error::Full { place: "memory".to_owned(), act: "written" }))
            }
            Trouble::Away => Some(Err(away())),
        }
    }

    fn again(&mut self) {
        if let Some(checkpoint) = self.refused.take() {
            self.submit(checkpoint);
        }
    }

    fn wait(&mut self) -> Option<Result<Epoch, Error>> {
        let written = self.written();
        self.refused = None;
        written
    }

    fn set_aside(&mut self, reason: &str) -> Result<(), Error> {
        self.there()?.set_aside(reason)
    }

    fn bytes(&mut self) -> u64 {
        self.store.bytes()
    }
}
