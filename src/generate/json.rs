//! Generated lines as NDJSON (FORMATS.md). Promise: what it writes is what `wire` reads back to
//! the same value. Written by hand into a buffer, because a million lines should take a second.

use std::io::Write as _;

use super::traffic::{Body, Generated, Setting};
use crate::fold::event::{BilledEvent, Change};
use crate::fold::limit::{LimitSpec, Scope};
use crate::time::{Day, HOUR_MS, MINUTE_MS, Millis};

/// Writes lines; remembers the last day's date, which nearly all lines share.
pub struct LineWriter {
    /// Whether a line says when it reached the log. On a topic the record's timestamp does.
    recorded_at: bool,
    day: Day,
    date: String,
}

impl LineWriter {
    #[must_use]
    pub fn for_file() -> LineWriter {
        LineWriter { recorded_at: true, day: Day(0), date: "1970-01-01T".to_owned() }
    }

    #[must_use]
    pub fn for_topic() -> LineWriter {
        LineWriter { recorded_at: false, ..LineWriter::for_file() }
    }

    /// Appends the line with its line break.
    pub fn write(&mut self, line: &Generated, out: &mut Vec<u8>) {
        match &line.body {
            Body::Billed(event) => self.billed(event, line.recorded_at, out),
            Body::Setting(setting) => self.setting(setting, line.recorded_at, out),
            Body::Garbage { bytes, .. } => out.extend_from_slice(bytes),
        }
        out.push(b'\n');
    }

    fn billed(&mut self, event: &BilledEvent<'_>, recorded_at: Millis, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"billed","event_id":"#);
        text(out, &event.event_id);
        optional(out, "idempotency_key", event.idempotency_key.as_deref());
        required(out, "account_id", &event.account_id);
        optional(out, "profile_id", event.profile_id.as_deref());
        required(out, "feature", &event.feature);
        optional(out, "country", event.country.as_deref());
        optional(out, "sender", event.sender.as_deref());
        optional(out, "recipient", event.recipient.as_deref());
        optional(out, "purpose", event.purpose.as_deref());
        shown(out, format_args!(",\"requests\":{},\"cost\":\"{}\"", event.requests, event.cost));
        self.time(out, "occurred_at", event.occurred_at);
        self.recorded_at(out, recorded_at);
        out.push(b'}');
    }

    fn setting(&mut self, setting: &Setting, recorded_at: Millis, out: &mut Vec<u8>) {
        let command = &setting.command;
        let kind = match &command.change {
            Change::LimitSet(_) => "limit_set",
            Change::LimitRemoved { .. } => "limit_removed",
            Change::Other => "preferences_set",
        };
        out.extend_from_slice(br#"{"type":"#);
        text(out, kind);
        required(out, "command_id", &command.command_id);
        required(out, "account_id", &command.account_id);
        self.time(out, "issued_at", setting.issued_at);
        required(out, "actor", setting.actor);
        optional(out, "reason", setting.reason);
        match &command.change {
            Change::LimitSet(spec) => limit(out, spec),
            Change::LimitRemoved { limit_id } => required(out, "limit_id", limit_id),
            Change::Other => {}
        }
        self.recorded_at(out, recorded_at);
        out.push(b'}');
    }

    fn recorded_at(&mut self, out: &mut Vec<u8>, recorded_at: Millis) {
        if self.recorded_at {
            self.time(out, "recorded_at", recorded_at);
        }
    }

    /// `,"name":"2024-08-20T19:17:08.918+00:00"`
    fn time(&mut self, out: &mut Vec<u8>, name: &str, time: Millis) {
        if time.day() != self.day {
            self.day = time.day();
            self.date = time.to_string();
            self.date.truncate("2024-08-20T".len());
        }
        let ms = time.0 - self.day.start().0;
        let digit = |value: i64, place: i64| b'0' + (value / place % 10) as u8;
        let (hour, minute) = (ms / HOUR_MS, ms / MINUTE_MS % 60);
        let (second, milli) = (ms / 1_000 % 60, ms % 1_000);
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":\"");
        out.extend_from_slice(self.date.as_bytes());
        out.extend_from_slice(&[digit(hour, 10), digit(hour, 1), b':']);
        out.extend_from_slice(&[digit(minute, 10), digit(minute, 1), b':']);
        out.extend_from_slice(&[digit(second, 10), digit(second, 1), b'.']);
        out.extend_from_slice(&[digit(milli, 100), digit(milli, 10), digit(milli, 1)]);
        out.extend_from_slice(b"+00:00\"");
    }
}

fn limit(out: &mut Vec<u8>, spec: &LimitSpec) {
    out.extend_from_slice(br#","limit":{"limit_id":"#);
    text(out, &spec.limit_id);
    let Scope { kind, id } = &spec.scope;
    shown(out, format_args!(r#","scope":{{"kind":"{}""#, kind.as_str()));
    optional(out, "id", id.as_deref());
    out.push(b'}');
    required(out, "measure", spec.measure.as_str());
    required(out, "window", spec.window.as_str());
    shown(out, format_args!(r#","amount":"{}","action":"{}""#, spec.amount, spec.action.as_str()));
    out.extend_from_slice(br#","thresholds":"#);
    let mut before = b'[';
    for threshold in &spec.thresholds {
        out.push(before);
        shown(out, format_args!("{threshold}"));
        before = b',';
    }
    out.extend_from_slice(if spec.thresholds.is_empty() { b"[]" } else { b"]" });
    shown(out, format_args!(r#","enabled":{}"#, spec.enabled));
    if spec.only.purpose.is_some() || spec.only.feature.is_some() {
        out.extend_from_slice(br#","only":{"purpose":"#);
        value(out, spec.only.purpose.as_deref());
        optional(out, "feature", spec.only.feature.as_deref());
        out.push(b'}');
    }
    out.push(b'}');
}

fn shown(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("a buffer in memory takes every write");
}

/// `,"name":"value"`
fn required(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    text(out, value);
}

/// Nothing when absent.
fn optional(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        required(out, name, value);
    }
}

fn value(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => text(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

/// A JSON string.
fn text(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    if value.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.extend_from_slice(value.as_bytes());
    } else {
        for byte in value.bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                0..b' ' => shown(out, format_args!("\\u{byte:04x}")),
                _ => out.push(byte),
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

    use super::*;
    use crate::generate::{Options, Traffic};

    fn lines(options: &Options) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = LineWriter::for_file();
        for line in Traffic::new(options).expect("good options") {
            writer.write(&line, &mut out);
        }
        out
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
        let options = Options { events: 2_000, ..Options::default() };
        assert!(lines(&options) == lines(&options));
        assert!(lines(&options) != lines(&Options { seed: 2, ..options }));
    }

    /// Golden: a release that changes these bytes breaks everyone's seeds.
    #[test]
    fn a_seed_gives_the_same_log_in_every_release() {
        let options = Options { events: 20_000, seed: 7, ..Options::default() };
        let digest = sha2::Sha256::digest(lines(&options));
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "95dba6770e0f89263d8d2186300ccfc2baa91607edd8ee867f116c9c66146e0c");
    }

    #[test]
    fn every_line_but_garbage_is_json_with_the_fields_of_its_type() {
        let options = Options { events: 5_000, ..Options::default() };
        let mut writer = LineWriter::for_file();
        for line in Traffic::new(&options).expect("good options") {
            let mut bytes = Vec::new();
            writer.write(&line, &mut bytes);
            let parsed = serde_json::from_slice::<serde_json::Value>(&bytes);
            let kind = parsed.as_ref().ok().and_then(|value| value["type"].as_str());
            match (&line.body, kind) {
                (Body::Billed(event), Some("billed")) => {
                    let value = parsed.expect("JSON");
                    assert_eq!(value["occurred_at"], event.occurred_at.to_string());
                    assert_eq!(value["cost"], event.cost.to_string());
                    assert_eq!(value["recipient"].as_str(), event.recipient.as_deref());
                }
                (Body::Setting(_), Some("limit_set")) => {
                    assert!(parsed.expect("JSON")["limit"]["amount"].is_string());
                }
                (Body::Setting(_), Some("limit_removed")) | (Body::Garbage { .. }, _) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn texts_are_escaped() {
        let mut out = Vec::new();
        text(&mut out, "a\"b\\c\nd\u{1f}é");
        assert_eq!(
            out,
            br#""a\"b\\c\u000ad\u001f"#.iter().copied().chain("é\"".bytes()).collect::<Vec<u8>>()
        );
    }
}
