//! A life of the engine on RocksDB and mirrored topics, in four stages: each opens it anew, and in
//! each a part of a log's lines comes in. What awaits a stage at its opening differs, and so does
//! how it ends, so that every durable step is taken more than once. A life that ended early goes on
//! where it was, in another process too.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tollgate::engine::memory::Fate;
use tollgate::engine::partition::{Fault, Partition};
use tollgate::store::Store;
use tollgate::store::memory::{Disk, MemoryStore};
use tollgate::store::rocks::{Options, RocksStore, Shared};
use tollgate::time::{Clock, Millis};
use tollgate::wire::{self, Decoder, Encoder, OutputFormat};

use crate::mirror::{Mirror, MirrorLog};
use crate::rig::{self, HandClock};

const LOG: &str = "stress-1";
const STAGES: usize = 4;
/// More of these in a life, and something outside never comes back.
const FAULTS_MAX: u32 = 1_000;

type Owned<S> = Partition<MirrorLog, S, HandClock>;

pub fn shared() -> Shared {
    let (cache_bytes, write_buffer_bytes, table_bytes_min) = (8 << 20, 64 << 10, 500);
    Shared::new(Options { cache_bytes, write_buffer_bytes, table_bytes_min })
}

fn log() -> Vec<Vec<u8>> {
    rig::conformance_log(LOG)
}

/// Where everything of a life lies.
pub struct Life {
    pub mirror: Mirror,
    pub state_dir: std::path::PathBuf,
    /// A store that stands at a position of another journal.
    foreign: std::path::PathBuf,
    clock: HandClock,
    /// Lines that have come in, and stages that have begun.
    lines: usize,
    stages: usize,
    /// The last stage came to its end.
    over: bool,
    faults: u32,
}

impl Life {
    pub fn in_folder(folder: &Path, foreign: &Path) -> Life {
        let (mirror, notes) = Mirror::open(&folder.join("topics"));
        let clock = HandClock::default();
        let (mut lines, mut stages, mut over) = (0, 0, false);
        for note in notes {
            let words: Vec<&str> = note.split(' ').collect();
            match words[..] {
                ["over"] => over = true,
                ["stage", begun] => stages = begun.parse().unwrap(),
                ["line", count, now] => {
                    lines = count.parse().unwrap();
                    clock.set(Millis(now.parse().unwrap()));
                }
                _ => panic!("a note of this program: {note}"),
            }
        }
        let (state_dir, foreign) = (folder.join("state"), foreign.to_owned());
        Life { mirror, state_dir, foreign, clock, lines, stages, over, faults: 0 }
    }

    /// Lives on to the end of the log.
    ///
    /// # Errors
    /// When the partition stopped.
    pub fn live(&mut self) -> Result<(), String> {
        let (log, shared) = (log(), shared());
        while !self.over {
            let stage = self.begin_stage();
            let end =
                if stage + 1 == STAGES { log.len() } else { log.len() * (stage + 1) / STAGES };
            let store = RocksStore::open(&self.state_dir, 0, &shared);
            let mut owner = self.open("own", store.map_err(|error| error.to_string())?);
            self.settle(&mut owner)?;
            let middle = usize::midpoint(self.lines, end);
            while self.lines < end {
                if self.lines == middle {
                    self.come_to_a_rival()?;
                    self.lose_an_append(&mut owner, &log[self.lines])?;
                    continue;
                }
                self.produce(&log[self.lines]);
                self.settle(&mut owner)?;
            }
            if stage != 1 {
                self.wind_down(&mut owner)?;
            }
            if stage + 1 == STAGES {
                self.over = true;
                self.mirror.note("over");
            }
        }
        Ok(())
    }

    /// A stage that ended early is gone on with, as a stage of its own kind.
    fn begin_stage(&mut self) -> usize {
        let ends = log().len() * self.stages / STAGES;
        if self.stages > 0 && self.lines < ends {
            return self.stages - 1;
        }
        let stage = self.stages.min(STAGES - 1);
        if stage >= 2 && self.stages < STAGES {
            // Somebody puts another journal's store in the place of ours.
            let place = self.state_dir.join("0");
            let _none = fs::remove_dir_all(&place);
            copy(&self.foreign, &place);
        }
        self.stages = stage + 1;
        self.mirror.note(&format!("stage {}", self.stages));
        stage
    }

    fn open<S: Store>(&self, run: &str, store: S) -> Owned<S> {
        let decoder = Decoder::new(&wire::Options::default()).unwrap();
        let encoder = Encoder::new(OutputFormat::Json, wire::Topics::default(), None).unwrap();
        let log = self.mirror.log();
        Partition::open(rig::options(run), log, store, self.clock.clone(), decoder, encoder)
    }

    fn produce(&mut self, line: &[u8]) {
        rig::produce(&self.mirror.topics, &self.clock, line);
        self.lines += 1;
        self.mirror.note(&format!("line {} {}", self.lines, self.clock.now().0));
    }

    /// Another owner folds for a while.
    fn come_to_a_rival(&mut self) -> Result<(), String> {
        let mut rival = self.open("rival", MemoryStore::open(Disk::default(), 0));
        self.settle(&mut rival)
    }

    fn lose_an_append<S: Store>(
        &mut self,
        owner: &mut Owned<S>,
        line: &[u8],
    ) -> Result<(), String> {
        self.settle(owner)?;
        self.mirror.topics.hold_appends(true);
        self.produce(line);
        for _ in 0..6 {
            self.turn(owner)?;
        }
        owner.log_mut().release(Fate::Refused);
        self.mirror.topics.hold_appends(false);
        while owner.log_mut().release(Fate::Acknowledged) {}
        self.settle(owner)
    }

    /// Whether anything moved.
    fn turn<S: Store>(&mut self, partition: &mut Owned<S>) -> Result<bool, String> {
        match partition.turn() {
            Ok(turn) => Ok(turn.progress),
            Err(Fault::Passing(why)) => {
                self.faults += 1;
                if self.faults < FAULTS_MAX { Ok(true) } else { Err(why) }
            }
            Err(Fault::Stopped(why)) => Err(why),
        }
    }

    fn settle<S: Store>(&mut self, partition: &mut Owned<S>) -> Result<(), String> {
        for _ in 0..100_000 {
            if !self.turn(partition)? && partition.quiet() {
                return Ok(());
            }
        }
        Err("the partition does not come to rest".to_owned())
    }

    fn wind_down<S: Store>(&mut self, partition: &mut Owned<S>) -> Result<(), String> {
        partition.wind_down();
        for _ in 0..100_000 {
            if partition.wound_down() {
                return Ok(());
            }
            if !self.turn(partition)? {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        Err("the partition does not wind down".to_owned())
    }
}

/// A store of partition 0 that stands at a position of a journal of its own.
pub fn foreign_store(folder: &Path) {
    let (mirror, _) = Mirror::open(&folder.join("topics"));
    let state_dir = folder.join("state");
    let (clock, foreign) = (HandClock::default(), folder.to_owned());
    let mut life =
        Life { mirror, state_dir, foreign, clock, lines: 0, stages: 1, over: false, faults: 0 };
    let store = RocksStore::open(&life.state_dir, 0, &shared()).unwrap();
    let mut owner = life.open("foreign", store);
    for line in log().iter().skip(3).take(20) {
        life.produce(line);
        life.settle(&mut owner).unwrap();
    }
    life.wind_down(&mut owner).unwrap();
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
