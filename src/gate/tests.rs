//! The rules of the gate, on records given by hand and a clock that tests set.

use std::sync::atomic::AtomicI64;

use serde_json::{Value, json};

use super::*;
use crate::time::{Clock, HOUR_MS};

const NOW: &str = "2024-08-20T12:00:00.000+00:00";

#[derive(Default)]
struct HandClock(AtomicI64);

impl HandClock {
    fn set(&self, text: &str) {
        self.0.store(time(text).0, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::Relaxed))
    }
}

fn time(text: &str) -> Millis {
    Millis::parse(text).expect("a time")
}

fn gate_with(change: impl FnOnce(&mut Options)) -> (Gate, Arc<HandClock>) {
    let clock = Arc::new(HandClock::default());
    clock.set(NOW);
    let mut options = Options::new("nowhere");
    change(&mut options);
    (Gate::by_hand(&options, clock.clone()).expect("a gate"), clock)
}

fn gate() -> (Gate, Arc<HandClock>) {
    gate_with(|_| {})
}

/// A block record; `until` in hours of the day, `None` once lifted.
fn block(
    limit_id: &str,
    kind: &str,
    id: Option<&str>,
    sequence: u64,
    until: Option<&str>,
) -> Value {
    json!({"type": "block_changed", "id": "00000000-0000-0000-0000-000000000000",
        "block_key": format!("acme/{limit_id}"), "account_id": "acme", "limit_id": limit_id,
        "limit_version": 1, "scope": {"kind": kind, "id": id}, "measure": "cost", "window": "day",
        "blocked": until.is_some(), "blocked_until": until, "configured_limit": "10.00",
        "before": "9.98", "current": "10.02", "sequence": sequence, "now": NOW,
        "cause": {"kind": "window_end"}})
}

fn show(gate: &Gate, record: &Value) {
    let key = record["block_key"].as_str().expect("a key").as_bytes();
    let value = record.to_string();
    gate.feed(Topic::BlockState, Some(key), Some(value.as_bytes())).expect("a block record");
}

fn command(gate: &Gate, command: &Value) {
    let value = command.to_string();
    gate.feed(Topic::Commands, None, Some(value.as_bytes())).expect("a command");
}

fn limit_set(limit_id: &str, only: &Value) -> Value {
    json!({"type": "limit_set", "command_id": "c", "account_id": "acme", "issued_at": NOW,
        "limit": {"limit_id": limit_id, "scope": {"kind": "recipient", "id": null},
            "measure": "requests", "window": "PT5M", "amount": "3", "action": "block",
            "only": only}})
}

const MIDNIGHT: Option<&str> = Some("2024-08-21T00:00:00.000+00:00");

const SMS: Send<'_> = Send {
    account: "acme",
    profile: Some("p1"),
    feature: "sms",
    country: Some("it"),
    sender: Some("+15550001"),
    recipient: Some("+393331234567"),
    purpose: None,
};

/// The limits that hold the send, in the order of the denial.
fn held_by(gate: &Gate, send: &Send<'_>) -> Vec<String> {
    match gate.check(send) {
        Verdict::Allow => Vec::new(),
        Verdict::Deny(denial) => denial.blocks.iter().map(|block| block.limit_id.clone()).collect(),
    }
}

#[test]
fn a_gate_that_knows_nothing_lets_everything_go() {
    let (gate, _) = gate();
    assert_eq!(gate.check(&SMS), Verdict::Allow);
    assert_eq!(gate.staleness(), Some(Duration::ZERO));
}

#[test]
fn a_block_holds_the_sends_of_its_scope_and_no_others() {
    let others = [
        Send { account: "other", ..SMS },
        Send {
            profile: Some("p2"),
            feature: "voice",
            country: Some("FR"),
            sender: Some("+15550002"),
            recipient: Some("+15550001"),
            ..SMS
        },
        Send {
            profile: None,
            feature: "voice",
            country: None,
            sender: None,
            recipient: None,
            ..SMS
        },
    ];
    for (kind, id) in [
        ("feature", "sms"),
        ("profile", "p1"),
        ("country", "IT"),
        ("recipient", "+393331234567"),
        ("sender", "+15550001"),
    ] {
        let (gate, _) = gate();
        show(&gate, &block("l", kind, Some(id), 1, MIDNIGHT));
        assert_eq!(held_by(&gate, &SMS), ["l"], "{kind}");
        for other in &others {
            assert!(gate.check(other).allowed(), "{kind}: {other:?}");
        }
    }
    let (gate, _) = gate();
    show(&gate, &block("l", "account", None, 1, MIDNIGHT));
    assert!(gate.check(&others[0]).allowed());
    assert_eq!(held_by(&gate, &others[1]), ["l"]);
    assert_eq!(held_by(&gate, &others[2]), ["l"]);
}

#[test]
fn a_block_is_over_at_the_instant_at_which_it_ends() {
    let (gate, clock) = gate();
    show(&gate, &block("l", "profile", Some("p1"), 1, MIDNIGHT));
    clock.set("2024-08-20T23:59:59.999Z");
    assert_eq!(held_by(&gate, &SMS), ["l"]);
    clock.set("2024-08-21T00:00:00.000Z");
    assert!(gate.check(&SMS).allowed());
}

#[test]
fn lower_sequences_are_dropped_and_higher_ones_replace() {
    let (gate, clock) = gate();
    show(&gate, &block("l", "profile", Some("p1"), 5, MIDNIGHT));
    show(&gate, &block("l", "profile", Some("p1"), 4, None));
    assert_eq!(held_by(&gate, &SMS), ["l"], "an owner that woke");
    show(&gate, &block("l", "profile", Some("p1"), 6, Some("2024-08-22T00:00:00Z")));
    show(&gate, &block("l", "profile", Some("p1"), 5, MIDNIGHT));
    clock.set("2024-08-21T12:00:00Z");
    assert_eq!(held_by(&gate, &SMS), ["l"], "renewed");
    assert_eq!(gate.blocks_held(), 1);
    show(&gate, &block("l", "profile", Some("p1"), 7, None));
    show(&gate, &block("l", "profile", Some("p1"), 6, MIDNIGHT));
    assert!(gate.check(&SMS).allowed(), "lifted");
    assert_eq!(gate.blocks_held(), 0);
}

#[test]
fn a_tombstone_takes_the_block_and_its_sequence_away() {
    let (gate, _) = gate();
    show(&gate, &block("l", "profile", Some("p1"), 5, MIDNIGHT));
    gate.feed(Topic::BlockState, Some(b"acme/other"), None).expect("a tombstone");
    assert_eq!(held_by(&gate, &SMS), ["l"]);
    gate.feed(Topic::BlockState, Some(b"acme/l"), None).expect("a tombstone");
    assert!(gate.check(&SMS).allowed());
    assert_eq!(gate.blocks_held(), 0);
    show(&gate, &block("l", "profile", Some("p1"), 3, MIDNIGHT));
    assert_eq!(held_by(&gate, &SMS), ["l"]);
}

#[test]
fn a_limit_that_moved_to_another_scope_holds_only_there() {
    let (gate, _) = gate();
    show(&gate, &block("l", "profile", Some("p1"), 1, MIDNIGHT));
    show(&gate, &block("l", "profile", Some("p2"), 2, MIDNIGHT));
    assert!(gate.check(&SMS).allowed());
    assert_eq!(held_by(&gate, &Send { profile: Some("p2"), ..SMS }), ["l"]);
    assert_eq!(gate.blocks_held(), 1);
}

#[test]
fn what_is_no_block_record_changes_nothing_and_is_counted() {
    let (gate, _) = gate();
    show(&gate, &block("l", "profile", Some("p1"), 5, MIDNIGHT));
    assert!(gate.feed(Topic::BlockState, Some(b"acme/l"), Some(b"{}")).is_err());
    assert!(gate.feed(Topic::BlockState, None, None).is_err());
    assert_eq!(held_by(&gate, &SMS), ["l"]);
    assert_eq!(gate.undecodable(), 2);
}

#[test]
fn the_block_that_ends_last_is_named_first_and_the_others_too() {
    let (gate, _) = gate();
    show(&gate, &block("day", "profile", Some("p1"), 1, MIDNIGHT));
    show(&gate, &block("month", "country", Some("IT"), 2, Some("2024-09-01T00:00:00Z")));
    show(&gate, &block("b", "account", None, 3, MIDNIGHT));
    assert_eq!(held_by(&gate, &SMS), ["month", "b", "day"]);
    let Verdict::Deny(denial) = gate.check(&SMS) else { panic!("held") };
    let Cause::Block(decides) = denial.cause() else { panic!("{denial:?}") };
    assert_eq!(decides.limit_id, "month");
    assert_eq!(denial.retry_after_s(), Some(11 * 86_400 + 12 * 3_600));
    show(&gate, &block("month", "country", Some("IT"), 4, None));
    assert_eq!(held_by(&gate, &SMS), ["b", "day"], "the daily reasons stay (K8)");
}

#[test]
fn retry_after_is_rounded_up_and_at_least_one_second() {
    let (gate, clock) = gate();
    show(&gate, &block("l", "profile", Some("p1"), 1, MIDNIGHT));
    for (now, seconds) in [
        ("2024-08-20T23:59:58.000Z", 2),
        ("2024-08-20T23:59:57.999Z", 3),
        ("2024-08-20T23:59:59.999Z", 1),
    ] {
        clock.set(now);
        let Verdict::Deny(denial) = gate.check(&SMS) else { panic!("held") };
        assert_eq!(denial.retry_after_s(), Some(seconds), "{now}");
    }
}

#[test]
fn the_built_in_limit_holds_one_time_passwords_alone() {
    let (gate, _) = gate();
    show(&gate, &block("otp", "recipient", SMS.recipient, 1, MIDNIGHT));
    assert!(gate.check(&SMS).allowed());
    let otp = Send { purpose: Some("otp"), ..SMS };
    assert_eq!(held_by(&gate, &otp), ["otp"]);
    // Set by a command, it holds what that says.
    command(&gate, &limit_set("otp", &json!({"purpose": null, "feature": null})));
    assert_eq!(held_by(&gate, &SMS), ["otp"]);
    command(&gate, &limit_set("otp", &json!({"feature": "voice"})));
    assert!(gate.check(&SMS).allowed());
    assert_eq!(held_by(&gate, &Send { feature: "voice", ..SMS }), ["otp"]);
}

#[test]
fn a_limit_of_numbers_holds_what_its_command_says_and_everything_while_that_is_unknown() {
    let (gate, _) = gate();
    show(&gate, &block("l", "recipient", SMS.recipient, 1, MIDNIGHT));
    assert_eq!(held_by(&gate, &SMS), ["l"], "no command was seen");
    command(&gate, &limit_set("l", &json!({"purpose": "login", "feature": "sms"})));
    assert!(gate.check(&SMS).allowed());
    assert_eq!(held_by(&gate, &Send { purpose: Some("login"), ..SMS }), ["l"]);
    assert!(gate.check(&Send { purpose: Some("login"), feature: "voice", ..SMS }).allowed());
    // Until the lifting is told, a removed limit holds what it held.
    command(
        &gate,
        &json!({"type": "limit_removed", "command_id": "c", "account_id": "acme",
            "issued_at": NOW, "limit_id": "l"}),
    );
    assert!(gate.check(&SMS).allowed());
    command(&gate, &limit_set("l", &json!({})));
    assert_eq!(held_by(&gate, &SMS), ["l"]);
}

#[test]
fn a_command_that_is_none_is_passed_over() {
    let (gate, _) = gate();
    command(&gate, &limit_set("l", &json!({"purpose": "login"})));
    command(&gate, &json!({"type": "limit_set", "limit": {"limit_id": "l"}}));
    command(
        &gate,
        &json!({"type": "profile_set", "command_id": "c", "account_id": "acme",
        "issued_at": NOW}),
    );
    show(&gate, &block("l", "recipient", SMS.recipient, 1, MIDNIGHT));
    assert!(gate.check(&SMS).allowed());
}

const SESSION: Send<'_> = Send { feature: "whatsapp", purpose: Some("session"), ..SMS };

fn wrote(gate: &Gate, feature: &str, contact: &str, at: &str) {
    let value = json!({"type": "received", "account_id": "acme", "feature": feature,
        "sender": contact, "recipient": "+15550001", "received_at": at});
    let value = value.to_string();
    gate.feed(Topic::Received, None, Some(value.as_bytes())).expect("an inbound message");
}

#[test]
fn a_session_message_goes_within_24_hours_of_the_contacts_last_and_at_24_hours_no_more() {
    let (gate, clock) = gate_with(|options| options.session_rule = true);
    let Verdict::Deny(denial) = gate.check(&SESSION) else { panic!("nobody wrote") };
    assert_eq!((denial.cause(), denial.retry_after_s()), (Cause::SessionClosed, None));
    wrote(&gate, "whatsapp", "+393331234567", "2024-08-20T11:00:00Z");
    assert!(gate.check(&SESSION).allowed());
    clock.set("2024-08-21T10:59:59.999Z");
    assert!(gate.check(&SESSION).allowed());
    clock.set("2024-08-21T11:00:00.000Z");
    assert!(!gate.check(&SESSION).allowed());
    // An older message that comes late does not shorten the session.
    wrote(&gate, "whatsapp", "+393331234567", "2024-08-21T10:00:00Z");
    wrote(&gate, "whatsapp", "+393331234567", "2024-08-21T09:00:00Z");
    clock.set("2024-08-22T09:30:00Z");
    assert!(gate.check(&SESSION).allowed());
}

#[test]
fn only_session_messages_of_whatsapp_are_bound_by_the_session_rule() {
    let (gate, _) = gate_with(|options| options.session_rule = true);
    for free in [
        Send { purpose: Some("template"), ..SESSION },
        Send { purpose: None, ..SESSION },
        Send { feature: "sms", ..SESSION },
    ] {
        assert!(gate.check(&free).allowed(), "{free:?}");
    }
    wrote(&gate, "sms", "+393331234567", NOW);
    assert!(!gate.check(&SESSION).allowed(), "an SMS opens no session");
    wrote(&gate, "whatsapp", "+393330000000", NOW);
    assert!(!gate.check(&SESSION).allowed(), "another contact");
    wrote(&gate, "whatsapp", "+393331234567", NOW);
    assert!(gate.check(&SESSION).allowed());
    assert!(!gate.check(&Send { sender: Some("+15550002"), ..SESSION }).allowed());
    assert!(!gate.check(&Send { account: "other", ..SESSION }).allowed());
    assert!(!gate.check(&Send { recipient: None, ..SESSION }).allowed());
    let (gate, _) = gate_with(|_| {});
    assert!(gate.check(&SESSION).allowed(), "the rule is off");
}

#[test]
fn a_closed_session_decides_over_blocks_which_are_named_too() {
    let (gate, _) = gate_with(|options| options.session_rule = true);
    show(&gate, &block("l", "account", None, 1, MIDNIGHT));
    let Verdict::Deny(denial) = gate.check(&SESSION) else { panic!("held twice") };
    assert_eq!(denial.cause(), Cause::SessionClosed);
    assert_eq!(denial.blocks.len(), 1);
}

#[test]
fn sessions_are_bounded_and_a_clock_ahead_does_not_lengthen_them() {
    let (gate, clock) = gate_with(|options| {
        options.session_rule = true;
        options.sessions_max = 2;
    });
    let to = |contact| Send { recipient: Some(contact), ..SESSION };
    wrote(&gate, "whatsapp", "+1", "2024-08-20T11:00:00Z");
    wrote(&gate, "whatsapp", "+2", "2024-08-20T10:00:00Z");
    wrote(&gate, "whatsapp", "+3", "2024-08-29T00:00:00Z");
    assert!(!gate.check(&to("+2")).allowed(), "it would have ended first");
    assert!(gate.check(&to("+1")).allowed() && gate.check(&to("+3")).allowed());
    clock.0.fetch_add(24 * HOUR_MS, Ordering::Relaxed);
    assert!(!gate.check(&to("+3")).allowed());
}

/// A gate on brokers that do not exist is not ready, and stays so.
#[test]
fn without_news_the_gate_fails_as_it_is_told() {
    for (when_stale, unknown, known) in [
        (WhenStale::LastKnown, true, false),
        (WhenStale::Allow, true, true),
        (WhenStale::Deny, false, false),
    ] {
        let options = Options { when_stale, ..Options::new("127.0.0.1:1") };
        let gate = Gate::start(&options, Arc::new(SystemClock)).expect("a gate");
        assert!(gate.ready(Duration::ZERO).is_err());
        assert_eq!(gate.staleness(), None);
        show(&gate, &block("l", "profile", Some("p1"), 1, Some("2199-01-01T00:00:00Z")));
        assert_eq!(gate.check(&Send { profile: None, ..SMS }).allowed(), unknown, "{when_stale:?}");
        assert_eq!(gate.check(&SMS).allowed(), known, "{when_stale:?}");
        if let Verdict::Deny(denial) = gate.check(&Send { profile: None, ..SMS }) {
            assert_eq!((denial.cause(), denial.stale), (Cause::Stale, true));
        }
    }
}
