//! Log files of every packing through `run`, as a user would name them.

use std::io::Write;
use std::path::Path;

use super::*;
use crate::generate::{Body, LineWriter, Share, Traffic};
use crate::time::Millis;
use crate::wire::{Issued, container};

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Millis {
        Millis(0)
    }
}

fn log() -> Vec<u8> {
    let options = crate::generate::Options { events: 20_000, ..Default::default() };
    let mut writer = LineWriter::for_file();
    let mut bytes = Vec::new();
    for (number, line) in Traffic::new(&options).expect("good options").enumerate() {
        writer.write(&line, &mut bytes);
        if number % 1_000 == 0 {
            bytes.extend_from_slice(b" \r\n");
        }
    }
    bytes
}

fn replayed(folder: &Path, logs: &[&str], threads: usize) -> (Vec<u8>, Vec<u8>, Summary) {
    let options = Options {
        logs: logs.iter().map(|name| folder.join(name)).collect(),
        decisions: Some(folder.join("decisions")),
        totals: Some(folder.join("totals")),
        dedup_minutes: 10,
        threads,
    };
    let summary = run(&options, &Stopped).expect("a replay");
    let read = |name| std::fs::read(folder.join(name)).expect("an output");
    (read("decisions"), read("totals"), summary)
}

/// By one state.
fn folded(log: &[u8], name: &str) -> Folded {
    fold_bytes(log, name, 10, 1).expect("a thread")
}

#[test]
fn all_ways_to_pack_a_log_give_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log();
    let write = |bytes: &[u8]| std::fs::write(folder.path().join("log"), bytes).expect("a file");
    let expected = folded(&log, &folder.path().join("log").display().to_string());
    assert!(expected.summary.events > 19_000, "{}", expected.summary);
    assert!(expected.summary.decisions.lifted > 0, "{}", expected.summary);
    assert!(expected.summary.rejects.all() > 0, "{}", expected.summary);

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&log).expect("memory");
    // Two members, as `cat a.gz b.gz` makes them: the cut is in the middle of a line.
    let (head, tail) = log.split_at(log.len() / 2);
    let packed = |part: &[u8]| zstd::encode_all(part, 1).expect("memory");
    let zstd = [packed(head), packed(tail)].concat();
    for bytes in [log.clone(), gzip.finish().expect("memory"), zstd] {
        write(&bytes);
        for threads in 1..=3 {
            let (decisions, totals, summary) = replayed(folder.path(), &["log"], threads);
            assert!(decisions == expected.decisions, "{threads} threads");
            assert!(totals == expected.totals, "{threads} threads");
            assert_eq!(summary, expected.summary);
        }
    }
}

#[test]
fn a_container_gives_the_decisions_of_the_same_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let shares = crate::generate::Shares { garbage: Share::NONE, ..Default::default() };
    let options = crate::generate::Options { events: 5_000, shares, ..Default::default() };
    let schema = container::log_schema();
    let mut writer = container::LogWriter::new(&schema, Vec::new()).expect("memory");
    let mut text = Vec::new();
    let mut line_writer = LineWriter::for_file();
    for line in Traffic::new(&options).expect("good options") {
        line_writer.write(&line, &mut text);
        match &line.body {
            Body::Billed(event) => writer.billed(event, Some(line.recorded_at)),
            Body::Setting(setting) => {
                let (at, recorded_at) = (setting.issued_at, Some(line.recorded_at));
                let issued = Issued { at, actor: None, reason: None, recorded_at };
                writer.command(&setting.command, issued)
            }
            Body::Garbage { .. } => panic!("there is no garbage"),
        }
        .expect("memory");
    }
    let path = folder.path().join("log");
    std::fs::write(&path, writer.finish().expect("memory")).expect("a file");
    let expected = folded(&text, &path.display().to_string());
    assert!(expected.summary.decisions.all() > 100, "{}", expected.summary);
    let (decisions, totals, summary) = replayed(folder.path(), &["log"], 2);
    assert!(totals == expected.totals);
    assert_eq!(summary, expected.summary);
    assert!(decisions == expected.decisions);
}

#[test]
fn several_logs_are_folded_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log();
    let middle = log.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    std::fs::write(folder.path().join("a"), &log[..middle]).expect("a file");
    std::fs::write(folder.path().join("b"), &log[middle..]).expect("a file");
    let (_, totals, summary) = replayed(folder.path(), &["a", "b"], 2);
    let expected = folded(&log, "whole");
    assert!(totals == expected.totals);
    assert_eq!(summary, expected.summary);
}

#[test]
fn a_cut_archive_is_an_error_with_its_place_after_all_lines_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = zstd::encode_all(&log()[..], 1).expect("memory");
    std::fs::write(folder.path().join("log"), &packed[..packed.len() - 10]).expect("a file");
    let options = Options {
        logs: vec![folder.path().join("log")],
        decisions: Some(folder.path().join("decisions")),
        totals: None,
        dedup_minutes: 10,
        threads: 2,
    };
    let error = run(&options, &Stopped).expect_err("a broken archive").to_string();
    let place = format!("could not read {}:", folder.path().join("log").display());
    assert!(error.starts_with(&place), "{error}");
    assert!(std::fs::metadata(folder.path().join("decisions")).expect("a file").len() > 0);
}

#[test]
fn outputs_are_kept_apart_from_logs_and_from_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("log"), "{}\n").expect("a file");
    let options = |decisions: &str, totals: &str| Options {
        logs: vec![folder.path().join("log")],
        decisions: Some(PathBuf::from(decisions)),
        totals: Some(PathBuf::from(totals)),
        dedup_minutes: 10,
        threads: 2,
    };
    assert!(matches!(run(&options("-", "-"), &Stopped), Err(Error::SamePlace(_))));
    let other_name = folder.path().join(".").join("log").display().to_string();
    assert!(matches!(run(&options("-", &other_name), &Stopped), Err(Error::OverLog(_))));
    assert_eq!(std::fs::read(folder.path().join("log")).expect("the log"), b"{}\n");
}

#[test]
fn a_line_that_is_too_long_is_rejected_and_the_rest_goes_on() {
    let mut log = b"{\"type\":\"tick\",\"now\":\"2024-08-20T00:00:00Z\"}\n".to_vec();
    log.extend(std::iter::repeat_n(b'x', LINE_BYTES_MAX + 1));
    log.extend_from_slice(b"\n{\"type\":\"tick\",\"now\":\"2024-08-20T00:00:01Z\"}");
    let folded = folded(&log, "log");
    assert_eq!((folded.summary.lines, folded.summary.ticks), (3, 2));
    assert_eq!(folded.summary.rejects.undecodable, 1);
    let decisions = String::from_utf8(folded.decisions).expect("JSON");
    assert!(decisions.contains("\"position\":\"log:2\""), "{decisions}");
}
