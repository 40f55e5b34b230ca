//! A topic or a file added up in bare hash maps: two threads that decode what they read, each with
//! a map of its own. What any fold on these cores, broker beside, would have to beat.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use rocksdb::{DB, WriteBatch, WriteOptions};
use tollgate::fold::event::Input;
use tollgate::wire::{self, Decoder, json};

use crate::bare::{Bare, Key, Sums};
use crate::engine::Topics;
use crate::stage::Stage;
use crate::throughput::{Read, rate, read};

/// Events of a thread: about what one of an engine folds from a checkpoint to the next, in 5 s.
const KEPT_EACH: u64 = 1_000_000;
/// Rows written at once.
const ROWS_AT_ONCE: usize = 10_000;

/// Changed totals on their way to the disk.
type Rows = Vec<(Key, Sums)>;

/// Records per second. It keeps nothing.
pub fn in_memory(stage: &Stage, topics: &Topics, new: fn() -> Bare) -> f64 {
    on_two_threads(topics, |partitions| added_up(stage, topics, partitions, new(), |_| {}))
}

/// Records per second of one that counts no id twice and keeps the totals, but not the names and
/// the ids, in RocksDB, by a thread of its own. It answers nobody, and a crash may tear it.
pub fn on_disk(stage: &Stage, topics: &Topics) -> f64 {
    let folder = stage.scratch("bare-fold");
    let db = DB::open_default(&folder).expect("RocksDB opens");
    let rate = thread::scope(|scope| {
        let (rows, taken) = mpsc::channel::<(u8, Rows)>();
        scope.spawn(|| taken.into_iter().for_each(|(half, rows)| keep(&db, half, &rows)));
        on_two_threads(topics, |partitions| {
            let half = u8::from(partitions.start > 0);
            let hand_over = |totals: &mut Bare| {
                rows.send((half, totals.changed())).expect("the keeper lives");
            };
            added_up(stage, topics, partitions, Bare::with_ids(), hand_over)
        })
    });
    drop(db);
    std::fs::remove_dir_all(folder).expect("the build folder can be written");
    rate
}

fn on_two_threads(topics: &Topics, thread: impl Fn(Range<i32>) -> Read + Sync) -> f64 {
    let half = topics.partitions / 2;
    let both = thread::scope(|scope| {
        let other = scope.spawn(|| thread(0..half));
        let own = thread(half..topics.partitions);
        let other = other.join().expect("the other half is read");
        Read { records: own.records + other.records, seconds: own.seconds.max(other.seconds) }
    });
    rate(&both)
}

/// `hand_over` is called each so many events, and once more at the end, which is not measured.
fn added_up(
    stage: &Stage,
    topics: &Topics,
    partitions: Range<i32>,
    mut totals: Bare,
    hand_over: impl Fn(&mut Bare),
) -> Read {
    let decoder = Decoder::new(&wire::Options::default()).expect("a decoder without a registry");
    let mut events = 0;
    let read = read(stage, topics, partitions, |bytes| {
        if let Input::Billed(event) = decoder.decode_billed(bytes).expect("a line").input {
            totals.event(&event);
        }
        events += 1;
        if events % KEPT_EACH == 0 {
            hand_over(&mut totals);
        }
    });
    hand_over(&mut totals);
    black_box(totals);
    read
}

/// One half of an NDJSON file each, counting no id twice within it. What the halves have of an
/// account is not brought together; nothing is decided, sorted or written.
pub fn of_file(path: &Path) {
    let length = path.metadata().expect("the log is there").len();
    thread::scope(|scope| {
        scope.spawn(|| part_of_file(path, 0..length / 2));
        part_of_file(path, length / 2..length);
    });
}

/// The lines that begin within these bytes.
fn part_of_file(path: &Path, bytes: Range<u64>) {
    let mut file = BufReader::new(File::open(path).expect("the log opens"));
    let mut line = Vec::new();
    let mut at = bytes.start.saturating_sub(1);
    file.seek(SeekFrom::Start(at)).expect("the log seeks");
    let mut next = |line: &mut Vec<u8>| {
        line.clear();
        file.read_until(b'\n', line).expect("the log reads") as u64
    };
    if at < bytes.start {
        at += next(&mut line);
    }
    let mut totals = Bare::with_ids();
    while at < bytes.end {
        at += next(&mut line);
        if let Input::Billed(event) = json::decode_line(&line).input {
            totals.event(&event);
        }
    }
    black_box(totals);
}

fn keep(db: &DB, half: u8, rows: &[(Key, Sums)]) {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let mut batch = WriteBatch::default();
        for ((account, name, kind, start), (cost, requests)) in rows {
            let (account, name) = (account.to_be_bytes(), name.to_be_bytes());
            let key = [&[half], &account[..], &name, &[*kind], &start.to_be_bytes()].concat();
            batch.put(key, [cost.to_be_bytes(), requests.to_be_bytes()].concat());
        }
        db.write_opt(batch, &options).expect("RocksDB writes");
    }
    db.flush().expect("RocksDB flushes");
}
