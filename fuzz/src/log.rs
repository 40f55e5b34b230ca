//! Log files: NDJSON, gzip, zstd, Avro containers. However a log is packed and cut, its lines are
//! the same; what it holds can be folded.

use std::io::{Cursor, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use tollgate::fold::State;
use tollgate::fold::event::{Input, Line};
use tollgate::replay::{Error, read_log};
use tollgate::wire::container::{LogWriter, log_schema};
use tollgate::wire::json::write_decision;
use tollgate::wire::{Decoded, Issued};

const NAME: &str = "log";
/// A few bytes unpack to many lines, of which so many are looked at.
const LINES_MAX: usize = 2_000;
/// Folding is a target's slowest part, and `json_line` sees the lines alone.
const FOLDED_MAX: usize = 200;
const PACKED: [&[u8]; 3] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd], b"Obj\x01"];

pub fn log_file(bytes: &[u8]) {
    let (lines, whole) = lines(Cursor::new(bytes.to_vec()));
    let (cut, cut_whole) = self::lines(Drops { bytes: Cursor::new(bytes.to_vec()), turn: 0 });
    assert_eq!((lines.len(), whole), (cut.len(), cut_whole), "cut reads differ");
    assert_eq!(lines, cut, "cut reads differ");
    if !PACKED.iter().any(|magic| bytes.starts_with(magic)) {
        let packed = if bytes.len().is_multiple_of(2) { gzip(bytes) } else { zstd(bytes) };
        assert_eq!(self::lines(Cursor::new(packed)), (lines.clone(), whole), "packed");
    }
    written_as_container(&lines);
    fold(&lines);
}

/// The lines, and whether the log was read to its end without a fault.
fn lines(log: impl Read + Send + 'static) -> (Vec<Line<'static>>, bool) {
    let mut lines = Vec::new();
    let read = read_log(log, NAME, |some| {
        lines.extend(some.iter().map(|line| {
            let (recorded_at, position) = (line.recorded_at, line.position.clone());
            Line { input: line.input.clone().into_owned(), recorded_at, position }
        }));
        // Any error ends the reading.
        if lines.len() > LINES_MAX { Err(Error::NoLog) } else { Ok(()) }
    });
    lines.truncate(LINES_MAX);
    (lines, read.is_ok())
}

/// Gives few bytes at a time, as a pipe may.
struct Drops {
    bytes: Cursor<Vec<u8>>,
    turn: usize,
}

impl Read for Drops {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.turn += 1;
        let most = buffer.len().min(1 + self.turn % 7 * 40);
        self.bytes.read(&mut buffer[..most])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("a vector takes every byte");
    packed.finish().expect("a vector takes every byte")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("a vector takes every byte")
}

/// The lines that were taken, as a container: they come back in order.
fn written_as_container(lines: &[Line<'_>]) {
    let schema = log_schema();
    let mut writer = LogWriter::new(&schema, Vec::new()).expect("the log's schema");
    let mut written = Vec::new();
    for line in lines.iter().take(FOLDED_MAX) {
        let recorded_at = Some(line.recorded_at);
        match &line.input {
            Input::Billed(event) => writer.billed(event, recorded_at),
            Input::Command(command) if is_written(&line.input) => {
                let at = line.recorded_at;
                writer.command(command, Issued { at, actor: None, reason: None, recorded_at })
            }
            Input::Tick => writer.tick(line.recorded_at),
            Input::Command(_) | Input::Rejected(_) => continue,
        }
        .expect("a vector takes every byte");
        written.push(Decoded { input: line.input.clone(), recorded_at });
    }
    if written.is_empty() {
        return;
    }
    let (back, whole) = self::lines(Cursor::new(writer.finish().expect("a vector")));
    assert!(whole, "a container of ours breaks");
    let back = back
        .into_iter()
        .map(|line| Decoded { input: line.input, recorded_at: Some(line.recorded_at) });
    assert_eq!(back.collect::<Vec<_>>(), written);
}

fn is_written(input: &Input<'_>) -> bool {
    use tollgate::fold::event::Change;
    matches!(input, Input::Command(it) if !matches!(it.change, Change::Other))
}

fn fold(lines: &[Line<'_>]) {
    let mut state = State::new(10);
    let (mut decisions, mut written) = (Vec::new(), Vec::new());
    for line in lines.iter().take(FOLDED_MAX) {
        state.fold_line(line, &mut decisions);
        for decision in decisions.drain(..) {
            written.clear();
            write_decision(&decision, &mut written);
            assert!(!written.contains(&b'\n'), "a decision of two lines");
            serde_json::from_slice::<serde::de::IgnoredAny>(&written).expect("a JSON object");
        }
    }
    for total in state.totals() {
        assert!(total.tally.cost.0.unsigned_abs() < 1 << 100, "{total:?}");
    }
}
