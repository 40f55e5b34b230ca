//! A yes costs no allocation, whatever is known: counted by an allocator.

use std::sync::Arc;

use tollgate::gate::{Gate, Options, Send, Topic, Verdict};
use tollgate::telemetry::SystemClock;

use crate::topics::{block, limit_set, received};

fn feed(gate: &Gate, topic: Topic, key: &str, value: &serde_json::Value) {
    gate.feed(topic, Some(key.as_bytes()), Some(value.to_string().as_bytes())).unwrap();
}

#[test]
fn a_yes_allocates_nothing() {
    let options = Options { session_rule: true, ..Options::new("nowhere") };
    let gate = Gate::by_hand(&options, Arc::new(SystemClock)).unwrap();
    let long = "a-rather-long-identifier-that-fits-no-inline-string";
    for (number, kind) in ["profile", "country", "sender", "feature"].into_iter().enumerate() {
        let (limit, key) = (format!("l{number}"), format!("acme/l{number}"));
        let record = block(&limit, kind, "other", 1, "2199-01-01T00:00:00Z");
        feed(&gate, Topic::BlockState, &key, &record);
    }
    // Over already, and not for this purpose: both are looked at and let the send go.
    feed(
        &gate,
        Topic::BlockState,
        "acme/p",
        &block("p", "profile", long, 1, "2020-01-01T00:00:00Z"),
    );
    let filtered = block("r", "recipient", "+39333", 1, "2199-01-01T00:00:00Z");
    feed(&gate, Topic::BlockState, "acme/r", &filtered);
    feed(&gate, Topic::Commands, "acme", &limit_set("r", "login"));
    let now = tollgate::time::Clock::now(&SystemClock).to_string();
    feed(&gate, Topic::Received, "acme", &received("+39333", &now));

    let send = Send {
        account: "acme",
        profile: Some(long),
        feature: "whatsapp",
        country: Some("it"),
        sender: Some("+15550001"),
        recipient: Some("+39333"),
        purpose: Some("session"),
    };
    // The first check of a thread makes its place among the readers.
    assert_eq!(gate.check(&send), Verdict::Allow);
    let mut allowed = 0;
    let counted = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            allowed += u32::from(gate.check(&send) == Verdict::Allow);
        }
    });
    assert_eq!((allowed, counted.count_total), (1_000, 0));
    // The counter counts: a no has something to tell.
    let held = Send { profile: Some("other"), ..send };
    let counted = allocation_counter::measure(|| assert!(!gate.check(&held).allowed()));
    assert!(counted.count_total > 0);
}
