//! One partition of every topic, as the brokers hold it, and the engine's log upon it with a network
//! between. Promise: what lands is told to the witness in the order in which it lands; a write that
//! was reported as failed may land later, also when its writer is long dead.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::rc::Rc;

use tollgate::engine::log::{Ack, Bounds, Error, Log, Output, Place, Read, Source, Stored, Topic};
use tollgate::journal::Hash;
use tollgate::time::{Clock, Millis};

use super::case::Fault;
use super::chance::{Chance, Path};

/// Records that one fetch brings, at most.
const FETCH_MAX: usize = 12;

/// A write that is under way to a topic.
#[derive(Clone, Debug)]
pub enum Write {
    Journal(Vec<u8>),
    Output(Output),
}

/// What landed on a topic that the engine writes.
#[derive(Debug)]
pub enum Landed {
    Journal(Stored),
    Output(Topic, Stored),
}

#[derive(Default)]
pub struct Topics {
    /// The broker's clock.
    pub now: Millis,
    sources: [Vec<Stored>; 4],
    ends: [u64; 4],
    /// Everything on the output topics, block-state aside, in order of landing.
    pub outputs: Vec<(Topic, Stored)>,
    /// What landed and the witness has not seen yet.
    pub news: VecDeque<Landed>,
    /// Writes that may still land.
    pub limbo: Vec<Write>,
}

impl Topics {
    pub fn source(&self, source: Source) -> &[Stored] {
        &self.sources[source as usize]
    }

    pub fn end(&self, source: Source) -> u64 {
        self.ends[source as usize]
    }

    pub fn push(&mut self, source: Source, key: Option<Vec<u8>>, value: Option<Vec<u8>>) -> Stored {
        let offset = self.ends[source as usize];
        self.ends[source as usize] += 1;
        let (key, value) = (key.map(Into::into), value.map(Into::into));
        let stored = Stored { offset, timestamp: self.now, key, value };
        self.sources[source as usize].push(stored.clone());
        stored
    }

    /// A write lands; gives its offset.
    pub fn land(&mut self, write: Write) -> u64 {
        match write {
            Write::Journal(bytes) => {
                let key = Some(Hash::of(&bytes).0.to_vec());
                let stored = self.push(Source::Journal, key, Some(bytes));
                let offset = stored.offset;
                self.news.push_back(Landed::Journal(stored));
                offset
            }
            Write::Output(Output { topic: Topic::BlockState, key, value }) => {
                let stored = self.push(Source::BlockState, key, value);
                let offset = stored.offset;
                self.news.push_back(Landed::Output(Topic::BlockState, stored));
                offset
            }
            Write::Output(Output { topic, key, value }) => {
                let offset = self.outputs.len() as u64;
                let (key, value) = (key.map(Into::into), value.map(Into::into));
                let stored = Stored { offset, timestamp: self.now, key, value };
                self.outputs.push((topic, stored.clone()));
                self.news.push_back(Landed::Output(topic, stored));
                offset
            }
        }
    }

    /// Compacts block-state: of each key the last record stays, but for the newest `recent` records.
    /// Tombstones stay: a reader is never behind by more than `delete.retention.ms`.
    pub fn compact(&mut self, recent: usize) {
        let records = &mut self.sources[Source::BlockState as usize];
        let head = records.len().saturating_sub(recent);
        let overtaken =
            |index: usize| records[index + 1..].iter().any(|later| later.key == records[index].key);
        let stays: Vec<bool> =
            (0..records.len()).map(|index| index >= head || !overtaken(index)).collect();
        let mut stays = stays.into_iter();
        records.retain(|_| stays.next().unwrap_or(true));
    }

    /// The oldest records of a source vanish, as by retention.
    pub fn forget(&mut self, source: Source, before: u64) {
        self.sources[source as usize].retain(|stored| stored.offset >= before);
    }

    /// The newest records of a source vanish, as by an unclean election.
    pub fn truncate(&mut self, source: Source, end: u64) {
        self.sources[source as usize].retain(|stored| stored.offset < end);
        self.ends[source as usize] = end;
    }
}

/// What a process dies with in the middle of a turn.
pub struct Died;

/// What the partitions of one process share.
pub struct Process {
    pub clock: Cell<i64>,
    /// Time since the beginning, on no matter whose clock.
    pub elapsed_ms: Cell<i64>,
    /// Calls of log and store until the process dies.
    pub dies_in: Cell<Option<u32>>,
    /// No broker can be reached.
    pub away: Cell<bool>,
}

impl Process {
    /// Counts a call; the process may die here.
    pub fn call(&self) {
        if let Some(left) = self.dies_in.get() {
            if left == 0 {
                self.dies_in.set(None);
                resume_unwind(Box::new(Died));
            }
            self.dies_in.set(Some(left - 1));
        }
    }
}

#[derive(Clone)]
pub struct ProcessClock(pub Rc<Process>);

impl Clock for ProcessClock {
    fn now(&self) -> Millis {
        Millis(self.0.clock.get())
    }

    fn micros(&self) -> i64 {
        self.0.elapsed_ms.get() * 1_000
    }
}

/// An owner's log.
pub struct SimLog {
    topics: Rc<RefCell<Topics>>,
    process: Rc<Process>,
    chance: Rc<Chance>,
    /// Where the next fetch of each source begins.
    positions: [Option<u64>; 4],
    ended: [bool; 4],
    fetched: [VecDeque<Read>; 4],
    appends: VecDeque<(u64, Vec<u8>)>,
    publishes: VecDeque<(u64, Output)>,
    /// On their way back.
    answers: VecDeque<Ack>,
    acks: VecDeque<Ack>,
}

const SOURCES: [Source; 4] =
    [Source::Billed, Source::Commands, Source::Journal, Source::BlockState];

impl SimLog {
    pub fn new(topics: Rc<RefCell<Topics>>, process: Rc<Process>, chance: Rc<Chance>) -> SimLog {
        SimLog {
            topics,
            process,
            chance,
            positions: [None; 4],
            ended: [false; 4],
            fetched: Default::default(),
            appends: VecDeque::new(),
            publishes: VecDeque::new(),
            answers: VecDeque::new(),
            acks: VecDeque::new(),
        }
    }

    /// Lets the network do its part: fetches, appends, publishes.
    pub fn network(&mut self) {
        if self.process.away.get() {
            return;
        }
        for source in SOURCES {
            self.fetch(source);
        }
        while !self.appends.is_empty() && !self.chance.strikes(Fault::SlowAppend) {
            self.deliver_append();
        }
        while !self.publishes.is_empty() && !self.chance.strikes(Fault::SlowPublish) {
            self.deliver_publish();
        }
        while !self.answers.is_empty() && !self.chance.strikes(Fault::SlowAnswer) {
            self.acks.extend(self.answers.pop_front());
        }
    }

    pub fn fetch(&mut self, source: Source) {
        let index = source as usize;
        let Some(position) = self.positions[index] else { return };
        if self.chance.strikes(Fault::SlowFetch) {
            return;
        }
        let topics = self.topics.borrow();
        let records = topics.source(source);
        let from = records.partition_point(|stored| stored.offset < position);
        let most =
            if self.chance.is_calm() { usize::MAX } else { 1 + self.chance.below(FETCH_MAX) };
        for stored in records[from..].iter().take(most) {
            self.positions[index] = Some(stored.offset + 1);
            self.ended[index] = false;
            self.fetched[index].push_back(Read::Record(stored.clone()));
        }
        let last = records.last().map_or(0, |last| last.offset + 1);
        let at_end = self.positions[index] >= Some(last);
        if at_end && (!self.ended[index] || self.chance.strikes(Fault::EndAgain)) {
            self.ended[index] = true;
            self.fetched[index].push_back(Read::End);
        }
    }

    pub fn appends(&self) -> usize {
        self.appends.len()
    }

    pub fn publishes(&self) -> usize {
        self.publishes.len()
    }

    /// The oldest append under way meets its fate.
    pub fn deliver_append(&mut self) {
        let Some((id, bytes)) = self.appends.pop_front() else { return };
        let (chance, mut topics) = (&self.chance, self.topics.borrow_mut());
        let timestamp = Some(topics.now);
        let failed = |reason: &str| Ack::AppendFailed { id, reason: reason.to_owned() };
        let ack = if chance.strikes(Fault::AppendRefused) {
            failed("refused")
        } else if chance.strikes(Fault::AppendLandsUnheard) {
            topics.land(Write::Journal(bytes));
            failed("timed out")
        } else if chance.strikes(Fault::AppendLandsLater) {
            topics.limbo.push(Write::Journal(bytes));
            failed("timed out")
        } else if chance.strikes(Fault::AppendWithoutOffset) {
            topics.land(Write::Journal(bytes));
            Ack::Appended { id, offset: None, timestamp: None }
        } else {
            let twice = chance.strikes(Fault::AppendLandsTwice).then(|| bytes.clone());
            let offset = Some(topics.land(Write::Journal(bytes)));
            if let Some(bytes) = twice {
                topics.land(Write::Journal(bytes));
            }
            Ack::Appended { id, offset, timestamp }
        };
        drop(topics);
        self.answers.push_back(ack);
    }

    /// The oldest publish under way meets its fate.
    pub fn deliver_publish(&mut self) {
        let Some((id, output)) = self.publishes.pop_front() else { return };
        let (chance, mut topics) = (&self.chance, self.topics.borrow_mut());
        let failed = |reason: &str| Ack::PublishFailed { id, reason: reason.to_owned() };
        let ack = if chance.strikes(Fault::PublishRefused) {
            failed("refused")
        } else if chance.strikes(Fault::PublishLandsUnheard) {
            topics.land(Write::Output(output));
            failed("timed out")
        } else if chance.strikes(Fault::PublishLandsLater) {
            topics.limbo.push(Write::Output(output));
            failed("timed out")
        } else {
            let offset = topics.land(Write::Output(output));
            let told = !chance.strikes(Fault::PublishWithoutOffset);
            Ack::Published { id, offset: told.then_some(offset) }
        };
        drop(topics);
        self.answers.push_back(ack);
    }

    /// The process is gone: what it sent may still land.
    pub fn orphan(&mut self) {
        let journal = self.appends.drain(..).map(|(_, bytes)| Write::Journal(bytes));
        let outputs = self.publishes.drain(..).map(|(_, output)| Write::Output(output));
        let chance = &self.chance;
        let lands = journal.chain(outputs).filter(|_| chance.permille(500));
        self.topics.borrow_mut().limbo.extend(lands);
    }

    fn reachable(&self, source: Source) -> Result<(), Error> {
        let (place, reason) = (Place::Source(source), "out of reach".to_owned());
        if self.process.away.get() { Err(Error::Passing { place, reason }) } else { Ok(()) }
    }
}

impl Log for SimLog {
    fn bounds(&mut self, source: Source) -> Result<Bounds, Error> {
        self.process.call();
        self.reachable(source)?;
        let topics = self.topics.borrow();
        let end = topics.end(source);
        let first = topics.source(source).first().map_or(end, |first| first.offset);
        // Compaction leaves the start where it was.
        let start = if source == Source::BlockState { 0 } else { first };
        Ok(Bounds { start, end })
    }

    fn seek(&mut self, source: Source, offset: u64) -> Result<(), Error> {
        self.process.call();
        self.reachable(source)?;
        self.positions[source as usize] = Some(offset);
        self.ended[source as usize] = false;
        self.fetched[source as usize].clear();
        Ok(())
    }

    fn poll(&mut self, source: Source) -> Result<Option<Read>, Error> {
        self.process.call();
        let index = source as usize;
        if let (Some(offset), true) = (self.positions[index], source != Source::BlockState) {
            let topics = self.topics.borrow();
            let end = topics.end(source);
            let start = topics.source(source).first().map_or(end, |first| first.offset);
            if offset < start {
                return Err(Error::Truncated { place: source, offset, start, end });
            }
        }
        Ok(self.fetched[index].pop_front())
    }

    fn append(&mut self, id: u64, bytes: &[u8]) -> Result<(), Error> {
        self.process.call();
        if self.chance.strikes(Fault::QueueFull) {
            return Err(Error::Full(Place::Source(Source::Journal)));
        }
        self.appends.push_back((id, bytes.to_vec()));
        Ok(())
    }

    fn renew(&mut self) -> Result<(), Error> {
        self.process.call();
        self.reachable(Source::Journal)?;
        let of_appends = |ack: &Ack| matches!(ack, Ack::Appended { .. } | Ack::AppendFailed { .. });
        self.acks.retain(|ack| !of_appends(ack));
        self.answers.retain(|ack| !of_appends(ack));
        for (_, bytes) in std::mem::take(&mut self.appends) {
            if self.chance.permille(500) {
                self.topics.borrow_mut().limbo.push(Write::Journal(bytes));
            }
        }
        Ok(())
    }

    fn publish(&mut self, id: u64, output: &Output) -> Result<(), Error> {
        self.process.call();
        if self.chance.strikes(Fault::QueueFull) {
            return Err(Error::Full(Place::Topic(output.topic)));
        }
        self.publishes.push_back((id, output.clone()));
        Ok(())
    }

    fn acks(&mut self) -> Option<Ack> {
        self.process.call();
        self.acks.pop_front()
    }

    fn commit(&mut self, _billed: u64, _commands: u64) {}
}

/// Counts what lands out of limbo.
pub fn land_from_limbo(topics: &mut Topics, chance: &Chance) {
    if topics.limbo.is_empty() {
        return;
    }
    let write = topics.limbo.swap_remove(chance.below(topics.limbo.len()));
    if chance.permille(800) {
        chance.took(Path::Landed);
        topics.land(write);
    }
}
