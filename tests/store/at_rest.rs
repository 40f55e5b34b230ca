//! Bytes at rest: rows that the first release wrote still open, and the fold goes on from them.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use tollgate::fold::Total;
use tollgate::store::memory::{Disk, MemoryStore};
use tollgate::store::{Kind, Store};

use crate::folding::{Folding, Outcome, Turn, batches, in_memory, lines};

const LOG: &str = "plain-1";
/// Of the log's batches, so many had been folded when the rows were written.
const FOLDED: usize = 220;
const PARTITION: u32 = 5;

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-v1/rows.txt")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hex digits");
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// A line a row: key and value in hexadecimal.
fn rows() -> Vec<(Vec<u8>, Vec<u8>)> {
    let text = fs::read_to_string(fixture()).expect("the fixture");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let row = |line: &str| {
        let (key, value) = line.split_once(' ').expect("a key and a value");
        (bytes(key), bytes(value))
    };
    lines.map(row).collect()
}

#[test]
fn the_fold_goes_on_from_rows_of_format_version_1() {
    let rows = rows();
    for kind in Kind::ALL {
        assert!(rows.iter().any(|(key, _)| key[0] == kind as u8), "a {} row", kind.as_str());
    }
    let lines = lines(LOG);
    let (before, after) = lines.split_at(FOLDED);
    let disk = Disk::of(rows);
    let mut folding = Folding::new(MemoryStore::open(disk.clone(), PARTITION));
    folding.store.restore(&mut folding.state).expect("rows that fit");
    let mut decisions = in_memory(before).decisions;
    for batch in batches(after, 1) {
        folding.fold(&batch, &mut decisions);
        folding.turn(Turn::Evict);
    }
    let totals: Vec<Total> = disk.totals().expect("rows that fit");
    Outcome { decisions, totals }.assert_same(&in_memory(&lines), "from the fixture");
}

#[test]
fn a_format_of_a_later_release_is_refused() {
    let mut rows = rows();
    let position = rows.iter_mut().find(|(key, _)| *key == [Kind::Position as u8]);
    position.expect("a position").1[4] = 2;
    let mut store = MemoryStore::open(Disk::of(rows), PARTITION);
    let refused = store.position().expect_err("a refusal").to_string();
    assert!(refused.contains("has format 2, which this release does not know"), "{refused}");
}

#[test]
#[ignore = "writes the rows anew, for a new format only"]
fn write_rows() {
    let lines = lines(LOG);
    let disk = Disk::default();
    let mut folding = Folding::new(MemoryStore::open(disk.clone(), PARTITION));
    let mut decisions = Vec::new();
    for batch in batches(&lines[..FOLDED], 1) {
        folding.fold(&batch, &mut decisions);
    }
    folding.turn(Turn::Evict);
    let mut text = format!("# Rows after line {FOLDED} of {LOG}: key and value, in hexadecimal.\n");
    for (key, value) in disk.dump() {
        writeln!(text, "{} {}", hex(&key), hex(&value)).unwrap();
    }
    fs::create_dir_all(fixture().parent().unwrap()).unwrap();
    fs::write(fixture(), text).unwrap();
}
