//! A partition in the middle of its life, to be copied and damaged: its topics, and its state folder
//! as a crash leaves it (files as they are, nothing closed) or as it is after a stop in order.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tollgate::engine::log::Source;
use tollgate::engine::log::{Log, Output, Topic};
use tollgate::engine::memory::{MemoryLog, MemoryTopics};
use tollgate::fold::Total;
use tollgate::store::rocks::{Options, RocksStore, Shared};
use tollgate::time::{Clock, Millis};

use crate::folder::copy;
use crate::outcome::{Outcome, settle};
use crate::rig::{self, HandClock};

const SOURCES: [Source; 4] =
    [Source::Billed, Source::Commands, Source::Journal, Source::BlockState];
const OUTPUTS: [Topic; 3] = [Topic::ThresholdCrossed, Topic::LimitReached, Topic::DeadLetter];

pub struct Image {
    pub name: String,
    pub topics: MemoryTopics,
    pub now: Millis,
    folder: TempDir,
    /// Lines that are yet to come.
    rest: Vec<Vec<u8>>,
    /// Totals in the end, whatever happens.
    pub totals: Vec<Total>,
    pub decisions: Vec<serde_json::Value>,
}

/// In memory where there is such a folder: files are synced all the time.
pub fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.unwrap()
}

/// Small buffers: a few hundred lines fill table files, and some checkpoints are one.
pub fn shared() -> Shared {
    let (cache_bytes, write_buffer_bytes, table_bytes_min) = (4 << 20, 16 << 10, 8 << 10);
    Shared::new(Options { cache_bytes, write_buffer_bytes, table_bytes_min })
}

impl Image {
    /// `openings`: how often it was opened before, which makes table files.
    pub fn new(log: &str, openings: usize, crashed: bool) -> Image {
        let lines = rig::conformance_log(log);
        let (first, rest) = lines.split_at(lines.len() * 2 / 3);
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        let (state, folder) = (directory(), directory());
        for part in first.chunks(first.len().div_ceil(openings)) {
            let store = RocksStore::open(state.path(), 0, &shared()).unwrap();
            let mut partition = rig::open(rig::options("before"), &topics, &clock, store);
            for line in part {
                rig::produce(&topics, &clock, line);
                settle(&mut partition).unwrap();
            }
            // A crash while a checkpoint is being written is tests/faults' matter.
            for _ in 0..20 {
                settle(&mut partition).unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
            if crashed {
                copy(&state.path().join("0"), folder.path());
            }
            wind_down(&mut partition).unwrap();
        }
        if !crashed {
            copy(&state.path().join("0"), folder.path());
        }
        let mut image = Image {
            name: format!("{log}-{openings}-{}", if crashed { "crashed" } else { "stopped" }),
            topics,
            now: clock.now(),
            folder,
            rest: rest.to_vec(),
            totals: Vec::new(),
            decisions: Vec::new(),
        };
        let unharmed = directory();
        copy(image.folder.path(), &unharmed.path().join("0"));
        let topics = copied(&image.topics, same);
        let ended = image.go_on(&topics, unharmed.path());
        let account = rig::check_outputs(&topics);
        // There is nothing to compare with yet.
        assert!(matches!(ended, Err(Outcome::Wrong(_))), "{}: {ended:?}", image.name);
        (image.totals, image.decisions) = (account.totals, account.decisions);
        image
    }

    /// Copies the state folder of the partition to `to`.
    pub fn lay_out(&self, to: &Path) {
        copy(self.folder.path(), to);
    }

    /// Opens the engine on topics and state, lets the rest of the lines come and ends in order.
    ///
    /// # Errors
    /// What may not be, or how it was refused.
    pub fn go_on(&self, topics: &MemoryTopics, state_dir: &Path) -> Result<(), Outcome> {
        let refused = |error: tollgate::store::Error| Outcome::Refused(error.to_string());
        let clock = HandClock::default();
        clock.set(self.now);
        topics.set_now(self.now);
        let store = RocksStore::open(state_dir, 0, &shared()).map_err(refused)?;
        let mut partition = rig::open(rig::options("after"), topics, &clock, store);
        settle(&mut partition)?;
        for line in &self.rest {
            rig::produce(topics, &clock, line);
            settle(&mut partition)?;
        }
        wind_down(&mut partition)?;
        drop(partition);
        let stored = tollgate::store::rocks::totals(state_dir).map_err(refused)?;
        if stored != self.totals {
            return Err(Outcome::Wrong("totals differ from the unharmed run's".to_owned()));
        }
        rig::check_shown(topics, &self.decisions);
        Ok(())
    }
}

fn wind_down(partition: &mut rig::Owned<RocksStore>) -> Result<(), Outcome> {
    partition.wind_down();
    // Far longer than a checkpoint takes.
    for _ in 0..5_000 {
        if partition.wound_down() {
            return Ok(());
        }
        settle(partition)?;
        std::thread::sleep(Duration::from_micros(500));
    }
    Err(Outcome::Wrong("it does not wind down".to_owned()))
}

/// Topics of their own with the same records, but for what `change` makes of a source's values;
/// a record whose value it takes is gone.
pub fn copied(
    topics: &MemoryTopics,
    mut change: impl FnMut(Source, u64, &[u8]) -> Option<Vec<u8>>,
) -> MemoryTopics {
    let copy = MemoryTopics::default();
    for source in SOURCES {
        for stored in topics.source(source) {
            copy.set_now(stored.timestamp);
            let Some(value) = stored.value else {
                copy.produce(source, stored.key.as_deref(), None);
                continue;
            };
            if let Some(value) = change(source, stored.offset, &value) {
                copy.produce(source, stored.key.as_deref(), Some(&value));
            }
        }
    }
    let mut publisher = MemoryLog::new(copy.clone());
    for topic in OUTPUTS {
        for stored in topics.output(topic) {
            copy.set_now(stored.timestamp);
            let output = Output {
                topic,
                key: stored.key.map(Into::into),
                value: stored.value.map(Into::into),
            };
            publisher.publish(0, &output).unwrap();
        }
    }
    copy
}

/// Changes nothing.
#[allow(clippy::unnecessary_wraps, reason = "what `copied` wants")]
pub fn same(_: Source, _: u64, value: &[u8]) -> Option<Vec<u8>> {
    Some(value.to_vec())
}
