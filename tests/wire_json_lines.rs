//! The JSON lines of decisions and totals, to the letter of FORMATS.md's page.
//! Promise: field order, null or left out, money and times are as on the page; text is escaped.

use std::sync::Arc;

use tollgate::fold::decision::{
    BlockChanged, Cause, Decision, Direction, Evidence, LimitReached, Rejected, ThresholdCrossed,
};
use tollgate::fold::event::{Position, Reason};
use tollgate::fold::limit::{Action, Amount, Bounds, Measure, Scope, ScopeKind, Window};
use tollgate::fold::{Calendar, Tally, Total};
use tollgate::money::Money;
use tollgate::time::Millis;
use tollgate::wire::json::{write_decision, write_total};
use uuid::Uuid;

fn time(text: &str) -> Millis {
    Millis::parse(text).expect("a time")
}

fn cost(text: &str) -> Amount {
    Amount::Cost(Money::parse(text).expect("money"))
}

fn position() -> Position {
    Position { source: Arc::from("messages.billed/3"), at: 812 }
}

fn day() -> Option<Bounds> {
    let start = time("2024-08-20T00:00:00Z");
    Some(Bounds { start, end: time("2024-08-21T00:00:00Z") })
}

fn evidence() -> Evidence {
    Evidence {
        id: Uuid::from_u128(0x5350_a98c_8577_5571_8ae6_4399_c6c6_420a),
        account_id: "acme".into(),
        limit_id: "limit_7".into(),
        limit_version: 1,
        scope: Scope { kind: ScopeKind::Profile, id: Some("p\"1\n".into()) },
        measure: Measure::Cost,
        window: Window::Day,
        configured_limit: cost("10"),
        before: cost("4.99"),
        current: cost("5.0175"),
        now: time("2024-08-20T19:17:09Z"),
        cause: Cause::Event {
            event_id: "e1".into(),
            occurred_at: time("2024-08-20T19:17:08.918Z"),
            position: position(),
        },
    }
}

fn line(decision: &Decision) -> String {
    let mut out = Vec::new();
    write_decision(decision, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn threshold_crossed_is_as_on_the_page() {
    let decision = Decision::ThresholdCrossed(ThresholdCrossed {
        evidence: evidence(),
        bounds: day(),
        arming: 1,
        threshold: 50,
        direction: Direction::Up,
        highest: true,
    });
    let expected = concat!(
        r#"{"type":"threshold_crossed","id":"5350a98c-8577-5571-8ae6-4399c6c6420a","#,
        r#""account_id":"acme","limit_id":"limit_7","limit_version":1,"#,
        r#""scope":{"kind":"profile","id":"p\"1\n"},"measure":"cost","window":"day","#,
        r#""window_start":"2024-08-20T00:00:00.000+00:00","#,
        r#""window_end":"2024-08-21T00:00:00.000+00:00","arming":1,"threshold":50,"#,
        r#""direction":"up","highest":true,"configured_limit":"10.00","before":"4.99","#,
        r#""current":"5.0175","now":"2024-08-20T19:17:09.000+00:00","cause":{"kind":"event","#,
        r#""event_id":"e1","occurred_at":"2024-08-20T19:17:08.918+00:00","#,
        r#""position":"messages.billed/3:812"}}"#,
    );
    assert_eq!(line(&decision), expected);
}

#[test]
fn limit_reached_in_a_sliding_window_has_no_bounds() {
    let mut evidence = evidence();
    evidence.scope = Scope { kind: ScopeKind::Account, id: None };
    evidence.measure = Measure::Requests;
    evidence.window = Window::Sliding { period_ms: 300_000, text: "PT300S".into() };
    evidence.configured_limit = Amount::Count(3);
    evidence.before = Amount::Count(0);
    evidence.current = Amount::Count(4);
    evidence.cause = Cause::Command { command_id: "c1".into(), position: position() };
    let decision = Decision::LimitReached(LimitReached {
        evidence,
        bounds: None,
        arming: 1,
        action: Action::Block,
    });
    let expected = concat!(
        r#"{"type":"limit_reached","id":"5350a98c-8577-5571-8ae6-4399c6c6420a","#,
        r#""account_id":"acme","limit_id":"limit_7","limit_version":1,"#,
        r#""scope":{"kind":"account","id":null},"measure":"requests","window":"PT300S","#,
        r#""window_start":null,"window_end":null,"arming":1,"action":"block","#,
        r#""configured_limit":"3","before":"0","current":"4","#,
        r#""now":"2024-08-20T19:17:09.000+00:00","cause":{"kind":"command","#,
        r#""command_id":"c1","position":"messages.billed/3:812"}}"#,
    );
    assert_eq!(line(&decision), expected);
}

#[test]
fn a_lifted_block_has_no_end() {
    let mut evidence = evidence();
    evidence.scope = Scope { kind: ScopeKind::Country, id: Some("IT".into()) };
    evidence.before = cost("-1");
    evidence.cause = Cause::WindowEnd;
    let decision = Decision::BlockChanged(BlockChanged {
        evidence,
        block_key: "acme/limit_7".to_owned(),
        blocked_until: None,
        sequence: 3,
    });
    let expected = concat!(
        r#"{"type":"block_changed","id":"5350a98c-8577-5571-8ae6-4399c6c6420a","#,
        r#""block_key":"acme/limit_7","account_id":"acme","limit_id":"limit_7","#,
        r#""limit_version":1,"scope":{"kind":"country","id":"IT"},"measure":"cost","#,
        r#""window":"day","blocked":false,"blocked_until":null,"configured_limit":"10.00","#,
        r#""before":"-1.00","current":"5.0175","sequence":3,"#,
        r#""now":"2024-08-20T19:17:09.000+00:00","cause":{"kind":"window_end"}}"#,
    );
    assert_eq!(line(&decision), expected);
}

#[test]
fn rejected_names_only_what_the_line_named() {
    let rejected = Rejected {
        reason: Reason::FutureEvent,
        account_id: Some("acme".to_owned()),
        event_id: Some("e1".to_owned()),
        command_id: None,
        detail: "more than a day ahead".to_owned(),
        now: Some(time("2024-08-20T19:17:09Z")),
        position: position(),
    };
    let expected = concat!(
        r#"{"type":"rejected","reason":"future_event","account_id":"acme","event_id":"e1","#,
        r#""detail":"more than a day ahead","now":"2024-08-20T19:17:09.000+00:00","#,
        r#""position":"messages.billed/3:812"}"#,
    );
    assert_eq!(line(&Decision::Rejected(rejected)), expected);
}

#[test]
fn a_total_has_six_decimals() {
    let total = Total {
        account_id: "acme".into(),
        scope: Scope { kind: ScopeKind::Country, id: Some("IT".into()) },
        window: Calendar::Day(time("2024-08-20T00:00:00Z").day()),
        tally: Tally { cost: Money::parse("12.34").expect("money"), requests: 412 },
    };
    let mut out = Vec::new();
    write_total(&total, &mut out);
    let expected = concat!(
        r#"{"account_id":"acme","scope":{"kind":"country","id":"IT"},"window":"day","#,
        r#""window_start":"2024-08-20T00:00:00.000+00:00","cost":"12.340000","requests":412}"#,
    );
    assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
}
