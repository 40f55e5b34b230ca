//! Notices read back from what the engine's encoder wrote.

use super::*;
use crate::fold::decision::{Cause, Decision, Evidence, LimitReached, ThresholdCrossed};
use crate::fold::event::Position;
use crate::fold::limit::{ScopeKind, Window};
use crate::wire::{Decoder, Encoder, Options, OutputFormat, Topics};

fn evidence() -> Evidence {
    Evidence {
        id: Uuid::from_u128(7),
        account_id: "acme".into(),
        limit_id: "limit_7".into(),
        limit_version: 3,
        scope: Scope { kind: ScopeKind::Profile, id: Some("p1".into()) },
        measure: Measure::Cost,
        window: Window::Day,
        configured_limit: Amount::Cost(Money::parse("10").expect("money")),
        before: Amount::Cost(Money::parse("9.98").expect("money")),
        current: Amount::Cost(Money::parse("10.0225").expect("money")),
        now: Millis(1_724_181_428_918),
        cause: Cause::Command {
            command_id: "c1".into(),
            position: Position { source: "commands/2".into(), at: 41 },
        },
    }
}

fn bounds() -> Option<Bounds> {
    Some(Bounds { start: Millis(1_724_112_000_000), end: Millis(1_724_198_400_000) })
}

fn notice(what: What, bounds: Option<Bounds>) -> Notice {
    let evidence = evidence();
    Notice {
        id: evidence.id,
        account_id: "acme".to_owned(),
        limit_id: "limit_7".to_owned(),
        limit_version: 3,
        scope: evidence.scope,
        measure: evidence.measure,
        window: "day".to_owned(),
        bounds,
        what,
        configured_limit: evidence.configured_limit,
        before: evidence.before,
        current: evidence.current,
        now: evidence.now,
        command_offset: Some(41),
    }
}

#[test]
fn what_the_engine_writes_is_read_in_every_format() {
    let decoder = Decoder::new(&Options::default()).expect("a decoder");
    let (action, arming) = (Action::Block, 1);
    let reached = LimitReached { evidence: evidence(), bounds: bounds(), arming, action };
    let (threshold, direction, highest) = (50, Direction::Up, true);
    let crossed = ThresholdCrossed {
        evidence: evidence(),
        bounds: None,
        arming,
        threshold,
        direction,
        highest,
    };
    for format in [OutputFormat::Json, OutputFormat::AvroSingle] {
        let encoder = Encoder::new(format, Topics::default(), None).expect("an encoder");
        let bytes = |decision| encoder.encode_decision(&decision, None, false).expect("bytes");
        let read = decoder.decode_notice(&bytes(Decision::LimitReached(reached.clone())), true);
        assert_eq!(read.expect("a notice"), notice(What::Reached { action }, bounds()));
        let read =
            decoder.decode_notice(&bytes(Decision::ThresholdCrossed(crossed.clone())), false);
        let what = What::Crossed { threshold, direction, highest };
        assert_eq!(read.expect("a notice"), notice(what, None));
    }
}

#[test]
fn a_notice_is_kept_without_its_cause() {
    let mut kept = notice(What::Reached { action: Action::Alert }, bounds());
    kept.command_offset = None;
    let text = serde_json::to_string(&kept).expect("JSON");
    assert!(text.contains(r#""window_end":"2024-08-21T00:00:00.000+00:00""#), "{text}");
    assert_eq!(serde_json::from_str::<Notice>(&text).expect("a notice"), kept);
}

#[test]
fn what_is_no_such_decision_is_refused_with_the_field() {
    let whole = serde_json::to_value(notice(What::Reached { action: Action::Alert }, None));
    let whole = whole.expect("JSON");
    for (field, value) in [
        ("type", "block_changed"),
        ("id", "7"),
        ("measure", "parts"),
        ("action", "stop"),
        ("before", "1e3"),
        ("now", "yesterday"),
    ] {
        let mut wrong = whole.clone();
        wrong[field] = value.into();
        let bytes = serde_json::to_vec(&wrong).expect("JSON");
        let refused = from_json(&bytes).expect_err("against a rule").to_string();
        assert!(refused.contains(&format!("{field}: {value:?}")), "{refused}");
    }
    assert!(from_json(b"{").is_err());
}

#[test]
fn times_beyond_the_calendar_are_refused_with_the_field() {
    let decoder = Decoder::new(&Options::default()).expect("a decoder");
    let encoder = Encoder::new(OutputFormat::AvroSingle, Topics::default(), None);
    let encoder = encoder.expect("an encoder");
    let far = Millis(i64::MAX);
    let (in_2024, action) = (evidence(), Action::Block);
    let reached = LimitReached { evidence: in_2024.clone(), bounds: None, arming: 1, action };
    for (field, wrong) in [
        ("now", LimitReached { evidence: Evidence { now: far, ..in_2024 }, ..reached.clone() }),
        (
            "window_end",
            LimitReached { bounds: bounds().map(|it| Bounds { end: far, ..it }), ..reached },
        ),
    ] {
        let bytes = encoder.encode_decision(&Decision::LimitReached(wrong), None, false);
        let refused = decoder.decode_notice(&bytes.expect("bytes"), true);
        let why = refused.expect_err("no such time").to_string();
        assert!(why.contains(&format!("{field}: outside")), "{why}");
    }
}
