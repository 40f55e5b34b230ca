//! Stored rows: what is read of a row is what writing makes, byte for byte; any set of rows is
//! restored or refused.

use tollgate::fold::State;
use tollgate::fold::event::{Line, Position};
use tollgate::store::memory::{Disk, MemoryStore};
use tollgate::store::{Store, rewritten};
use tollgate::time::Millis;
use tollgate::wire::json::decode_line;

type Row = (Vec<u8>, Vec<u8>);

/// Partition of the rows in the fixture.
const PARTITION: u32 = 5;

pub fn stored_rows(bytes: &[u8]) {
    let rows = unpack(bytes);
    for (key, value) in &rows {
        if let Some(again) = rewritten(key, value) {
            assert_eq!((&again.0, &again.1), (key, value), "read as something else");
        }
    }
    let disk = Disk::of(rows);
    let _ = disk.totals();
    let mut store = MemoryStore::open(disk, PARTITION);
    let mut state = State::new(10);
    if store.restore(&mut state).is_err() {
        return;
    }
    let lines = lines();
    let needs = state.needs(&lines, Millis(0));
    let Ok(rows) = store.load(&needs) else { return };
    for row in rows {
        state.load(row);
    }
    let mut decisions = Vec::new();
    for line in &lines {
        state.fold_line(line, &mut decisions);
    }
}

/// An event that touches every kind of row of account 0, in the fixture's time.
fn lines() -> Vec<Line<'static>> {
    let line = br#"{"type":"billed","event_id":"e","account_id":"a0","profile_id":"p1",
        "feature":"sms","country":"IT","sender":"+1","recipient":"+2","purpose":"otp",
        "cost":"1","occurred_at":"2026-02-03T00:00:00Z"}"#;
    let decoded = decode_line(line);
    let recorded_at = decoded.recorded_at.expect("a valid line");
    let position = Position { source: "fuzz".into(), at: 1 };
    vec![Line { input: decoded.input, recorded_at, position }]
}

/// Rows one after the other: length of the key (one byte), key, length of the value (two bytes,
/// big-endian), value. What is cut short ends them.
pub fn unpack(bytes: &[u8]) -> Vec<Row> {
    let mut rest = bytes;
    let mut rows = Vec::new();
    while let Some(row) = one(&mut rest) {
        rows.push(row);
    }
    rows
}

fn one(rest: &mut &[u8]) -> Option<Row> {
    let (length, behind) = rest.split_first()?;
    let (key, behind) = behind.split_at_checked(usize::from(*length))?;
    let (length, behind) = behind.split_first_chunk()?;
    let (value, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = behind;
    Some((key.to_vec(), value.to_vec()))
}

/// The reverse of `unpack`.
///
/// # Panics
/// When a row is longer than its length can say.
pub fn pack<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in rows {
        bytes.push(u8::try_from(key.len()).expect("a short key"));
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&u16::try_from(value.len()).expect("a short value").to_be_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}
