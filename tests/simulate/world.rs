//! The world of a run: hosts with engines, topics, readers, and time. Promise: everything that happens
//! is one step after the other, drawn from the case; whatever an engine does is judged by the witness
//! before the next step.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use tollgate::engine::log::Source;
use tollgate::engine::options::Options;
use tollgate::engine::partition::{Fault as Stop, Partition};
use tollgate::fold::event::Input;
use tollgate::journal::{Owner, Partitioner};
use tollgate::time::Millis;
use tollgate::wire::{self, Decoder, Encoder, OutputFormat, json};

use super::case::{Case, Fault, Sizes};
use super::chance::{Chance, Path};
use super::readers::{Gate, Notifier};
use super::store::{Kept, SimStore};
use super::topics::{Died, Process, ProcessClock, SimLog, Topics, land_from_limbo};
use super::witness::Witness;
use crate::model::logs::{Flavour, random_log};

pub type Owned = Partition<SimLog, SimStore, ProcessClock>;

/// Rows that a line may change, and those of groups that a command may touch, for the memory bound.
const ROWS_OF_A_LINE: u64 = 24;
const ROWS_OF_COMMANDS: u64 = 400;
const ROW_BYTES: u64 = 160;
/// Milliseconds that a clock may be off.
pub const CLOCK_SKEW_MAX_MS: i64 = 5_000;
/// The last day that the traffic may reach.
const LAST: i64 = 7_250_000_000_000;

pub struct Host {
    pub process: Rc<Process>,
    pub kept: Vec<Rc<RefCell<Kept>>>,
    pub running: BTreeMap<usize, Owned>,
    /// Partitions that were told to wind down.
    closing: BTreeSet<usize>,
    starts: u32,
    /// Steps until it goes on.
    pub paused: usize,
    away: usize,
    /// Milliseconds before the brokers.
    pub skew_ms: i64,
    /// Steps until its clock goes on.
    pub stalled: usize,
}

pub struct Place {
    pub topics: Rc<RefCell<Topics>>,
    pub witness: Witness,
    pub gates: [Gate; 2],
    pub notifier: Notifier,
}

pub struct World {
    pub chance: Rc<Chance>,
    pub sizes: Sizes,
    pub now: i64,
    pub hosts: Vec<Host>,
    pub places: Vec<Place>,
    /// How often a store may be set aside: never, unless it is another's.
    pub asides: u32,
    lines: std::vec::IntoIter<Vec<u8>>,
    decoder: Decoder,
    encoder: Encoder,
}

impl World {
    pub fn new(case: &Case, sizes: Sizes) -> World {
        let chance = Rc::new(Chance::new(case));
        let decoder = Decoder::new(&wire::Options::default()).expect("plain options");
        let encoder = Encoder::new(OutputFormat::Json, wire::Topics::default(), None);
        let place = |partition| Place {
            topics: Rc::default(),
            witness: Witness::new(partition, decoder.clone(), sizes.dedup_minutes),
            gates: Default::default(),
            notifier: Notifier::default(),
        };
        let host = |_| Host {
            process: Rc::new(Process {
                clock: Cell::new(0),
                elapsed_ms: Cell::new(0),
                dies_in: Cell::new(None),
                away: Cell::new(false),
            }),
            kept: (0..sizes.partitions).map(|_| Rc::default()).collect(),
            running: BTreeMap::new(),
            closing: BTreeSet::new(),
            starts: 0,
            paused: 0,
            away: 0,
            skew_ms: 0,
            stalled: 0,
        };
        World {
            places: (0..sizes.partitions).map(place).collect(),
            hosts: (0..sizes.hosts).map(host).collect(),
            asides: 0,
            lines: traffic(case, &sizes).into_iter(),
            chance,
            sizes,
            now: 0,
            encoder: encoder.expect("JSON needs no registry"),
            decoder,
        }
    }

    /// Time passes: everywhere but where a clock stands still.
    pub fn pass(&mut self, ms: i64) {
        self.now += ms;
        for place in &self.places {
            place.topics.borrow_mut().now = Millis(self.now);
        }
        for host in &self.hosts {
            host.process.elapsed_ms.set(self.now);
            if host.stalled == 0 {
                host.process.clock.set((self.now + host.skew_ms).max(0));
            }
        }
    }

    /// The next line of the traffic, at its time. False when there is none.
    pub fn produce(&mut self) -> bool {
        let Some(line) = self.lines.next() else { return false };
        let twice = self.chance.strikes(Fault::ProducedTwice);
        self.send(line.clone());
        if twice {
            self.send(line);
        }
        true
    }

    pub fn send(&mut self, line: Vec<u8>) {
        let decoded = json::decode_line(&line);
        if let Some(at) = decoded.recorded_at {
            self.pass((at.0 - self.now).clamp(0, (LAST - self.now).max(0)));
        }
        let partitions = self.sizes.partitions;
        let of = |account: &str| Partitioner::Murmur2.place(account, partitions) as usize;
        let (source, place) = match &decoded.input {
            Input::Tick => return,
            Input::Command(command) => (Source::Commands, of(&command.account_id)),
            Input::Billed(event) => (Source::Billed, of(&event.account_id)),
            Input::Rejected(refusal) => {
                let commands = refusal.command_id.is_some();
                let source = if commands { Source::Commands } else { Source::Billed };
                (source, line.len() % self.places.len())
            }
        };
        self.places[place].topics.borrow_mut().push(source, None, Some(line));
    }

    pub fn open(&mut self, host: usize, partition: usize) {
        let (one, place) = (&mut self.hosts[host], &self.places[partition]);
        one.starts += 1;
        let options = Options {
            batch_lines_max: self.sizes.batch_lines_max,
            batch_bytes_max: 1 << 20,
            appends_in_flight_max: self.sizes.appends_in_flight_max,
            outputs_outstanding_max: self.sizes.outputs_outstanding_max,
            checkpoint_interval_ms: 60_000,
            checkpoint_lines_max: self.sizes.checkpoint_lines_max,
            gathered_at_once: 3,
            memory_bytes_max: self.sizes.memory_bytes_max,
            dedup_minutes: self.sizes.dedup_minutes,
            retention_days: 90_000,
            retention_months: 3_000,
            clock_skew_max_ms: CLOCK_SKEW_MAX_MS,
            owner: Owner { address: format!("host-{host}"), run: format!("{host}.{}", one.starts) },
            partition: partition as u32,
            partitions: self.sizes.partitions,
            partitioner: Partitioner::Murmur2,
            billed_topic: format!("messages.billed/{partition}"),
            commands_topic: format!("tollgate.commands/{partition}"),
        };
        let (process, chance) = (Rc::clone(&one.process), Rc::clone(&self.chance));
        let log = SimLog::new(Rc::clone(&place.topics), Rc::clone(&process), Rc::clone(&chance));
        let kept = Rc::clone(&one.kept[partition]);
        let store = SimStore::new(kept, options.partition, Rc::clone(&process), chance);
        let (decoder, encoder) = (self.decoder.clone(), self.encoder.clone());
        let owned = Partition::open(options, log, store, ProcessClock(process), decoder, encoder);
        one.running.insert(partition, owned);
    }

    pub fn close(&mut self, host: usize, partition: usize) {
        self.hosts[host].closing.remove(&partition);
        if let Some(mut owned) = self.hosts[host].running.remove(&partition) {
            owned.log_mut().orphan();
            owned.store_mut().orphan();
        }
    }

    /// The process dies; its disks stay as they are, or not.
    pub fn crash(&mut self, host: usize) {
        for partition in 0..self.places.len() {
            self.close(host, partition);
            self.hosts[host].kept[partition].borrow_mut().crash(&self.chance);
        }
        let one = &mut self.hosts[host];
        (one.paused, one.away) = (0, 0);
        one.process.away.set(false);
        one.process.dies_in.set(None);
    }

    /// The network does its part, then the engine. True when something moved.
    pub fn turn(&mut self, host: usize, partition: usize) -> Result<bool, String> {
        let Some(owned) = self.hosts[host].running.get_mut(&partition) else { return Ok(false) };
        owned.log_mut().network();
        self.turn_alone(host, partition)
    }

    /// The engine does its part without the network.
    pub fn turn_alone(&mut self, host: usize, partition: usize) -> Result<bool, String> {
        self.look(partition)?;
        let Some(owned) = self.hosts[host].running.get_mut(&partition) else { return Ok(false) };
        let (held, ahead) = (owned.state().memory().rows, owned.chain().map(|tip| tip.seq));
        let turned = match catch_unwind(AssertUnwindSafe(|| owned.turn())) {
            Ok(turned) => turned,
            Err(payload) if payload.is::<Died>() => {
                self.crash(host);
                self.look(partition)?;
                return Ok(true);
            }
            Err(payload) => resume_unwind(payload),
        };
        if owned.state().memory().rows < held && ahead.is_some() {
            self.chance.took(Path::Evicted);
        }
        self.chance.tell(|| format!("{} host {host} partition {partition}: {turned:?}", self.now));
        let turn = match turned {
            Ok(turn) => turn,
            Err(Stop::Passing(_)) => return Ok(false),
            Err(Stop::Stopped(why)) => return Err(format!("host {host} stopped: {why}")),
        };
        let witness = &self.places[partition].witness;
        for won in &turn.won {
            witness.won(won.seq, &won.decisions)?;
            if won.append_us.is_none() {
                self.chance.took(Path::Followed);
            }
        }
        for position in std::mem::take(&mut owned.store_mut().written) {
            witness.checkpoint(&position)?;
        }
        if owned.store_mut().set_aside > self.asides {
            return Err(format!("host {host} set a sound store aside"));
        }
        if let Some(tip) = owned.chain()
            && witness.tip().is_none_or(|last| last.seq < tip.seq)
        {
            return Err(format!("host {host} stands at {}, before its time", tip.seq));
        }
        if let Some(why) = &turn.lost {
            self.chance.took(match () {
                () if why.starts_with("an append failed") => Path::LostByFailure,
                () if why.starts_with("an append is void") => Path::LostAsVoid,
                () if why.starts_with("a checkpoint") => Path::LostWithACheckpoint,
                () => Path::LostToAnother,
            });
        }
        let skewed = turn.wake_at.is_some_and(|at| at.0 > self.hosts[host].process.clock.get());
        if skewed && self.hosts[host].skew_ms > 5_000 {
            self.chance.took(Path::SkewSeen);
        }
        self.look(partition)?;
        self.within_memory(host, partition)?;
        Ok(turn.progress)
    }

    fn look(&mut self, partition: usize) -> Result<(), String> {
        let place = &mut self.places[partition];
        place.witness.look(&mut place.topics.borrow_mut(), &self.chance)
    }

    /// Rows in memory are bounded by the budget and what changed since the last checkpoint.
    fn within_memory(&self, host: usize, partition: usize) -> Result<(), String> {
        let Some(owned) = self.hosts[host].running.get(&partition) else { return Ok(()) };
        let topics = self.places[partition].topics.borrow();
        let witness = &self.places[partition].witness;
        let stored = owned.stored().and_then(|seq| witness.records().nth(seq as usize));
        let from = stored.map_or(0, |record| record.billed.to + record.commands.to);
        let lines = topics.end(Source::Billed) + topics.end(Source::Commands) - from;
        let rows = ROWS_OF_A_LINE * (lines + 2) + ROWS_OF_COMMANDS;
        let bound = self.sizes.memory_bytes_max as u64 + ROW_BYTES * rows;
        let held = owned.state().memory().rows as u64;
        if held > bound { Err(format!("{held} bytes in memory, bound {bound}")) } else { Ok(()) }
    }

    /// One step: a line, a turn, and what may go wrong beside it.
    pub fn step(&mut self) -> Result<(), String> {
        let chance = Rc::clone(&self.chance);
        if chance.permille(self.sizes.produce) {
            self.produce();
        }
        let (host, partition) = (chance.below(self.hosts.len()), chance.below(self.places.len()));
        let one = &mut self.hosts[host];
        for left in [&mut one.paused, &mut one.away, &mut one.stalled] {
            *left = left.saturating_sub(1);
        }
        one.process.away.set(one.away > 0);
        self.pass(chance.below(40) as i64);
        self.mishaps(host, partition)?;
        let nobody = !self.hosts.iter().any(|host| host.running.contains_key(&partition));
        if nobody {
            self.open(host, partition);
        }
        if self.hosts[host].paused == 0 {
            self.turn(host, partition)?;
            self.wind_down(host, partition);
        }
        self.read(partition)
    }

    fn mishaps(&mut self, host: usize, partition: usize) -> Result<(), String> {
        let chance = Rc::clone(&self.chance);
        if chance.strikes(Fault::Crash) {
            self.crash(host);
        }
        if chance.strikes(Fault::CrashInTurn) {
            let calls = chance.how(Fault::CrashInTurn, 60) as u32;
            self.hosts[host].process.dies_in.set(Some(calls));
        }
        if chance.strikes(Fault::Rebalance) {
            for other in 0..self.hosts.len() {
                match chance.how(Fault::Rebalance, 3) {
                    0 => self.close(other, partition),
                    1 => {
                        let other = &mut self.hosts[other];
                        if let Some(owned) = other.running.get_mut(&partition) {
                            owned.wind_down();
                            other.closing.insert(partition);
                        }
                    }
                    // It has not heard yet.
                    _ => {}
                }
            }
            self.close(host, partition);
            self.open(host, partition);
        }
        if chance.strikes(Fault::SecondOwner) && !self.hosts[host].running.contains_key(&partition)
        {
            self.open(host, partition);
            let owners = self.hosts.iter().filter(|host| host.running.contains_key(&partition));
            if owners.count() == 3 {
                chance.took(Path::ThreeOwners);
            }
        }
        let one = &mut self.hosts[host];
        if chance.strikes(Fault::Pause) {
            one.paused = 1 + chance.how(Fault::Pause, 60);
        }
        if chance.strikes(Fault::BrokersAway) {
            one.away = 1 + chance.how(Fault::BrokersAway, 12);
        }
        if chance.strikes(Fault::ClockStalls) {
            one.stalled = 1 + chance.how(Fault::ClockStalls, 60);
        }
        if chance.strikes(Fault::ClockAhead) {
            one.skew_ms = chance.how(Fault::ClockAhead, 9_000) as i64 - 4_500;
        }
        if chance.strikes(Fault::ClockFarOff) {
            one.skew_ms = 6_000 + chance.how(Fault::ClockFarOff, 100_000_000) as i64;
        }
        if chance.strikes(Fault::TimeLeaps) {
            let minutes = [10, 24 * 60, 3 * 24 * 60, 32 * 24 * 60];
            let ms = 60_000 * minutes[chance.how(Fault::TimeLeaps, 4)];
            if self.now + ms < LAST {
                self.pass(ms);
            }
        }
        if chance.strikes(Fault::Compaction) {
            let recent = chance.how(Fault::Compaction, 4);
            self.places[partition].topics.borrow_mut().compact(recent);
        }
        if chance.permille(50) {
            land_from_limbo(&mut self.places[partition].topics.borrow_mut(), &chance);
        }
        self.look(partition)
    }

    /// One that was told to wind down goes when it has.
    fn wind_down(&mut self, host: usize, partition: usize) {
        let one = &self.hosts[host];
        let done = one.running.get(&partition).is_some_and(Partition::wound_down);
        if done && one.closing.contains(&partition) {
            self.chance.took(Path::WoundDown);
            self.close(host, partition);
        }
    }

    fn read(&mut self, partition: usize) -> Result<(), String> {
        let (chance, place) = (&self.chance, &mut self.places[partition]);
        let topics = place.topics.borrow();
        for gate in &mut place.gates {
            if chance.permille(300) {
                gate.read(&topics);
            }
            if chance.strikes(Fault::ReaderRestarts) {
                *gate = Gate::default();
            }
        }
        if chance.permille(300) {
            place.notifier.read(&topics)?;
        }
        if chance.permille(100) {
            place.notifier.commit();
        }
        if chance.strikes(Fault::ReaderRestarts) {
            place.notifier.restart();
        }
        Ok(())
    }

    /// The faults end; everybody goes on until nothing moves any more.
    pub fn settle(&mut self) -> Result<(), String> {
        self.chance.calm(true);
        for host in &mut self.hosts {
            (host.paused, host.away, host.stalled, host.skew_ms) = (0, 0, 0, 0);
            host.process.away.set(false);
            host.process.dies_in.set(None);
        }
        for partition in 0..self.places.len() {
            while !self.places[partition].topics.borrow().limbo.is_empty() {
                land_from_limbo(&mut self.places[partition].topics.borrow_mut(), &self.chance);
            }
            for host in 0..self.hosts.len() {
                if self.hosts[host].closing.contains(&partition) {
                    self.close(host, partition);
                }
            }
            if !self.hosts.iter().any(|host| host.running.contains_key(&partition)) {
                self.open(partition % self.hosts.len(), partition);
            }
            self.come_to_rest(partition)?;
        }
        Ok(())
    }

    pub fn come_to_rest(&mut self, partition: usize) -> Result<(), String> {
        self.pass(0);
        for _ in 0..20_000 {
            let (mut moved, mut quiet) = (false, true);
            for host in 0..self.hosts.len() {
                moved |= self.turn(host, partition)?;
                if let Some(owned) = self.hosts[host].running.get(&partition) {
                    quiet &= owned.quiet();
                }
            }
            if !moved && quiet {
                return Ok(());
            }
            if !moved {
                // A pause after a clock was found too far off.
                self.pass(1_000);
            }
        }
        Err(format!("partition {partition} does not come to rest"))
    }
}

/// The traffic of a case, on its way to the topics: what a file has beside records is left out.
fn traffic(case: &Case, sizes: &Sizes) -> Vec<Vec<u8>> {
    let flavour = if sizes.odd { Flavour::Stress } else { Flavour::Plain };
    let log = random_log(case.seed, case.lines, flavour);
    let lines = log.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
    lines.filter(|line| !line.trim_ascii().is_empty() && tells_its_time(line)).collect()
}

/// Brokers set the time of a record. A line is left out where the model, which is told that time by
/// a field `recorded_at` put at its end, could not see what is wrong with a field of that name.
fn tells_its_time(line: &[u8]) -> bool {
    let has = |text: &[u8]| line.windows(text.len()).any(|part| part == text);
    let rejected = matches!(json::decode_line(line).input, Input::Rejected(_));
    !rejected || !has(b"recorded_at") && !has(b"\\u")
}
