//! The engine's loop where a call of its log fails for the time being, in the middle of something,
//! or where a topic is read later than another. Each case was found as a fault of the engine by the
//! search of the protocol (`tests/protocol`), which breaks it as a wrong reading.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tollgate::engine::log::{Ack, Bounds, Error, Log, Output, Place, Read, Source, Topic};
use tollgate::engine::memory::{Fate, MemoryLog, MemoryTopics};
use tollgate::engine::partition::Partition;
use tollgate::journal::{Hash, Record, Tip, extends};
use tollgate::store::memory::{Disk, MemoryStore};
use tollgate::wire::{self, Decoder, Encoder, OutputFormat};

#[allow(dead_code, reason = "each suite looks at a part of it")]
mod rig;
use rig::{HandClock, conformance_log, options, produce};

/// What a log does wrong from now on.
#[derive(Clone, Default)]
struct Trouble {
    /// The next call fails for the time being.
    bounds_fails: Rc<Cell<bool>>,
    renew_fails: Rc<Cell<bool>>,
    /// The publish after so many fails for the time being.
    publish_fails_after: Rc<Cell<Option<u32>>>,
    /// Nothing arrives.
    journal_lags: Rc<Cell<bool>>,
    acks_lag: Rc<Cell<bool>>,
    appended: Rc<RefCell<Vec<Vec<u8>>>>,
}

struct TroubledLog(MemoryLog, Trouble);

fn failed<T>() -> Result<T, Error> {
    let reason = "no answer in time".to_owned();
    Err(Error::Passing { place: Place::Source(Source::Journal), reason })
}

impl Log for TroubledLog {
    fn bounds(&mut self, source: Source) -> Result<Bounds, Error> {
        if self.1.bounds_fails.take() { failed() } else { self.0.bounds(source) }
    }

    fn seek(&mut self, source: Source, offset: u64) -> Result<(), Error> {
        self.0.seek(source, offset)
    }

    fn poll(&mut self, source: Source) -> Result<Option<Read>, Error> {
        let lags = source == Source::Journal && self.1.journal_lags.get();
        if lags { Ok(None) } else { self.0.poll(source) }
    }

    fn append(&mut self, id: u64, bytes: &[u8]) -> Result<(), Error> {
        self.1.appended.borrow_mut().push(bytes.to_vec());
        self.0.append(id, bytes)
    }

    fn renew(&mut self) -> Result<(), Error> {
        if self.1.renew_fails.take() { failed() } else { self.0.renew() }
    }

    fn publish(&mut self, id: u64, output: &Output) -> Result<(), Error> {
        match self.1.publish_fails_after.get() {
            Some(0) => {
                self.1.publish_fails_after.set(None);
                failed()
            }
            after => {
                self.1.publish_fails_after.set(after.map(|after| after - 1));
                self.0.publish(id, output)
            }
        }
    }

    fn acks(&mut self) -> Option<Ack> {
        if self.1.acks_lag.get() { None } else { self.0.acks() }
    }

    fn commit(&mut self, billed: u64, commands: u64) {
        self.0.commit(billed, commands);
    }
}

type Owner = Partition<TroubledLog, MemoryStore, HandClock>;

#[derive(Default)]
struct Scene {
    topics: MemoryTopics,
    clock: HandClock,
}

impl Scene {
    fn owner(&self, run: &str, trouble: &Trouble) -> Owner {
        let decoder = Decoder::new(&wire::Options::default()).expect("plain options");
        let encoder = Encoder::new(OutputFormat::Json, wire::Topics::default(), None);
        let encoder = encoder.expect("JSON needs no registry");
        let log = TroubledLog(MemoryLog::new(self.topics.clone()), trouble.clone());
        let store = MemoryStore::open(Disk::default(), 0);
        let (options, clock) = (options(run), self.clock.clone());
        Partition::open(options, log, store, clock, decoder, encoder)
    }

    fn produce(&self, line: &[u8]) {
        produce(&self.topics, &self.clock, line);
    }

    /// The end of the valid chain, as any reader finds it.
    fn valid(&self) -> Option<Tip> {
        self.topics.source(Source::Journal).into_iter().fold(None, |tip, stored| {
            let bytes = stored.value.expect("a journal record has bytes");
            let record = Record::decode(&bytes).expect("a journal record");
            let next = || Tip::after(&record, Hash::of(&bytes), stored.offset);
            if extends(tip.as_ref(), &record).is_ok() { Some(next()) } else { tip }
        })
    }
}

/// Turns as the runner does: what fails for the time being is tried again.
fn turns(owner: &mut Owner, turns: usize) {
    for _ in 0..turns {
        let _ = owner.turn();
    }
}

#[test]
fn a_recovery_that_was_interrupted_founds_no_chain_of_its_own() {
    let (scene, trouble) = (Scene::default(), Trouble::default());
    let mut one = scene.owner("one", &Trouble::default());
    let mut two = scene.owner("two", &trouble);
    scene.topics.hold_appends(true);
    turns(&mut two, 2);
    scene.topics.hold_appends(false);
    turns(&mut one, 3);
    // Two reads that one was faster; in its recovery the broker does not answer; and what it gave
    // up lands.
    trouble.bounds_fails.set(true);
    turns(&mut two, 1);
    let late = trouble.appended.borrow()[0].clone();
    scene.topics.produce(Source::Journal, None, Some(&late));
    turns(&mut two, 5);
    for line in conformance_log("plain-1") {
        scene.produce(&line);
        turns(&mut two, 5);
    }
    assert_eq!(two.chain(), scene.valid().as_ref());
}

#[test]
fn a_recovery_that_was_interrupted_goes_on() {
    let (scene, trouble) = (Scene::default(), Trouble::default());
    let mut owner = scene.owner("one", &trouble);
    let lines = conformance_log("plain-1");
    for line in &lines[..60] {
        scene.produce(line);
        turns(&mut owner, 3);
    }
    scene.topics.hold_appends(true);
    scene.produce(&lines[60]);
    turns(&mut owner, 3);
    owner.log_mut().0.release(Fate::Refused);
    scene.topics.hold_appends(false);
    trouble.bounds_fails.set(true);
    turns(&mut owner, 50);
    assert!(owner.quiet() && owner.chain().is_some(), "it waits for ever");
}

#[test]
fn a_loss_without_a_new_producer_is_taken_up_again() {
    let (scene, trouble) = (Scene::default(), Trouble::default());
    let mut one = scene.owner("one", &trouble);
    let lines = conformance_log("plain-1");
    scene.produce(&lines[0]);
    turns(&mut one, 5);
    scene.topics.hold_appends(true);
    scene.produce(&lines[1]);
    turns(&mut one, 3);
    scene.topics.hold_appends(false);
    let mut two = scene.owner("two", &Trouble::default());
    turns(&mut two, 10);
    trouble.renew_fails.set(true);
    turns(&mut one, 2);
    one.log_mut().0.release(Fate::Acknowledged);
    turns(&mut one, 10);
    assert_eq!(one.chain(), scene.valid().as_ref());
}

#[test]
fn an_output_that_was_not_taken_leaves_the_others_their_ids() {
    for after in 0..40 {
        let (scene, trouble) = (Scene::default(), Trouble::default());
        let mut owner = scene.owner("one", &trouble);
        trouble.acks_lag.set(true);
        for line in conformance_log("stress-1") {
            scene.produce(&line);
        }
        trouble.publish_fails_after.set(Some(after));
        turns(&mut owner, 50);
        trouble.acks_lag.set(false);
        turns(&mut owner, 600);
        assert_eq!(owner.outputs_outstanding(), 0, "the publish after {after} failed once");
    }
}

#[test]
fn a_block_whose_record_is_yet_to_be_read_gets_no_tombstone() {
    let (scene, trouble) = (Scene::default(), Trouble::default());
    let mut one = scene.owner("one", &Trouble::default());
    let mut two = scene.owner("two", &trouble);
    for line in conformance_log("plain-1") {
        turns(&mut one, 5);
        turns(&mut two, 5);
        let before = scene.topics.output(Topic::BlockState).len();
        // Both fold the line. One is faster, and two sees its block record before its record.
        scene.produce(&line);
        trouble.journal_lags.set(true);
        scene.topics.hold_appends(true);
        turns(&mut two, 1);
        scene.topics.hold_appends(false);
        turns(&mut one, 4);
        turns(&mut two, 2);
        trouble.journal_lags.set(false);
        two.log_mut().0.release(Fate::Acknowledged);
        let shown = scene.topics.output(Topic::BlockState);
        // Only the lifted key of a number goes, a day later.
        let may_go = |key: &[u8]| key.iter().filter(|byte| **byte == b'/').count() > 1;
        let gone = shown[before..].iter().filter(|block| block.value.is_none());
        let mut gone = gone.filter_map(|block| block.key.as_deref());
        assert!(gone.all(may_go), "a block was lifted");
    }
}
