//! The daily spend limit at work: real billed events against limits that are set, lifted, raised
//! and lowered over HTTP (T1, T2, T7, T8, T9, T12).

use serde_json::{Value, json};

use crate::profiles::{created, path};
use crate::rig::{Account, Server, until};

/// A profile and what it spends.
struct Spender<'s> {
    server: &'s Server,
    account: &'s Account<'s>,
    id: String,
}

impl Spender<'_> {
    fn spend(&self) -> Value {
        self.account.get(&format!("{}/spend", path(&self.id))).expect(200)["data"].clone()
    }

    /// Bills, and waits until the day's spend is `total`.
    fn bill(&self, cost: &str, total: &str) -> Value {
        self.server.bill(&self.account.id, json!({"profile_id": self.id, "cost": cost}));
        until("it counts", || self.spend()["current_spend"] == total);
        self.spend()
    }

    fn set(&self, change: Value) -> Value {
        self.account.patch(&path(&self.id), change).expect(200);
        // Read your write: no waiting here.
        self.spend()
    }

    /// Those of this profile, by the list of all blocks.
    fn blocks(&self) -> usize {
        let blocks = self.account.get("/v2/blocks").expect(200);
        let blocks = blocks["data"].as_array().expect("a list").iter();
        blocks.filter(|block| block["limit_id"] == format!("spend-{}", self.id)).count()
    }
}

fn enabled(is: bool) -> Value {
    json!({"daily_spend_limit_enabled": is})
}

/// T8.
#[test]
fn disabling_lifts_a_block_at_once_and_enabling_blocks_again_with_no_new_message() {
    let Some((_cluster, server)) = Server::start("api-spend-override") else { return };
    let acme = server.account("acme");
    let limit =
        json!({"name": "p", "daily_spend_limit": "10.00", "daily_spend_limit_enabled": true});
    let profile = Spender { server: &server, account: &acme, id: created(&acme, limit.clone()) };
    let other = Spender { server: &server, account: &acme, id: created(&acme, limit) };
    let fresh = profile.spend();
    for (field, value) in [
        ("record_type", json!("messaging_profile_spend")),
        ("profile_id", json!(profile.id)),
        ("currency", json!("USD")),
        ("current_spend", json!("0.00")),
        ("daily_spend_limit", json!("10.00")),
        ("daily_spend_limit_enabled", json!(true)),
        ("remaining", json!("10.00")),
        ("percent_used", json!(0.0)),
        ("blocked", json!(false)),
        ("blocked_until", json!(null)),
    ] {
        assert_eq!(fresh.get(field), Some(&value), "{field} of {fresh}");
    }
    let below = profile.bill("9.9925", "9.9925");
    assert_eq!((&below["blocked"], &below["remaining"]), (&json!(false), &json!("0.0075")));
    assert_eq!(below["percent_used"], json!(99.9));
    // T2: reached is total >= limit.
    let reached = profile.bill("0.0075", "10.00");
    for (field, value) in [
        ("blocked", json!(true)),
        ("blocked_until", reached["resets_at"].clone()),
        ("remaining", json!("0.00")),
        ("percent_used", json!(100.0)),
    ] {
        assert_eq!(reached.get(field), Some(&value), "{field} of {reached}");
    }
    let midnight = reached["resets_at"].as_str().expect("a time");
    assert!(midnight.ends_with("T00:00:00.000+00:00"), "{midnight}");
    assert_eq!(profile.blocks(), 1);
    assert_eq!(other.spend()["blocked"], false, "T1: separate budgets");

    let off = profile.set(enabled(false));
    assert_eq!((&off["blocked"], &off["blocked_until"]), (&json!(false), &json!(null)));
    assert_eq!(off["current_spend"], "10.00");
    assert_eq!(profile.blocks(), 0);
    let on = profile.set(enabled(true));
    assert_eq!((&on["blocked"], &on["current_spend"]), (&json!(true), &json!("10.00")));
    assert_eq!(profile.blocks(), 1);

    profile.set(enabled(false));
    let counted = profile.bill("2.50", "12.50");
    assert_eq!((&counted["blocked"], &counted["percent_used"]), (&json!(false), &json!(125.0)));
    assert_eq!(profile.set(enabled(true))["blocked"], true);
    // A correction below it lifts (C4).
    assert_eq!(profile.bill("-2.51", "9.99")["blocked"], false);
    assert_eq!(other.blocks(), 0);
}

/// T9, with T7: no change resets the total.
#[test]
fn raising_a_limit_lifts_its_block_and_lowering_it_blocks_at_once() {
    let Some((_cluster, server)) = Server::start("api-spend-raise") else { return };
    let acme = server.account("acme");
    let id = created(&acme, json!({"name": "p"}));
    let profile = Spender { server: &server, account: &acme, id };
    // T7: it counts without a limit.
    let without = profile.bill("10.02", "10.02");
    for field in ["daily_spend_limit", "remaining", "percent_used", "blocked_until"] {
        assert_eq!(without.get(field), Some(&json!(null)), "{field} of {without}");
    }
    let amount = |text: &str| json!({"daily_spend_limit": text});
    let disabled = profile.set(amount("10.00"));
    assert_eq!((&disabled["blocked"], &disabled["remaining"]), (&json!(false), &json!("0.00")));
    let held = profile.set(enabled(true));
    assert_eq!((&held["blocked"], &held["percent_used"]), (&json!(true), &json!(100.2)));

    let raised = profile.set(amount("25"));
    for (field, value) in [
        ("blocked", json!(false)),
        ("current_spend", json!("10.02")),
        ("daily_spend_limit", json!("25.00")),
        ("remaining", json!("14.98")),
        ("percent_used", json!(40.1)),
    ] {
        assert_eq!(raised.get(field), Some(&value), "{field} of {raised}");
    }
    assert_eq!(profile.bill("14.97", "24.99")["blocked"], false);
    assert_eq!(profile.bill("0.01", "25.00")["blocked"], true);

    assert_eq!(profile.set(amount("30"))["blocked"], false);
    let lowered = profile.set(amount("24.999999"));
    assert_eq!((&lowered["blocked"], &lowered["remaining"]), (&json!(true), &json!("0.00")));
    assert_eq!(profile.blocks(), 1);
    let removed =
        profile.set(json!({"daily_spend_limit": null, "daily_spend_limit_enabled": false}));
    assert_eq!((&removed["blocked"], &removed["current_spend"]), (&json!(false), &json!("25.00")));
    assert_eq!(profile.blocks(), 0);
    let limit = json!({"daily_spend_limit": "25", "daily_spend_limit_enabled": true});
    assert_eq!(profile.set(limit)["blocked"], true, "the total was never reset");
}

/// C2: a late event is yesterday's.
#[test]
fn spend_of_another_day_is_not_todays() {
    let Some((_cluster, server)) = Server::start("api-spend-late") else { return };
    let acme = server.account("acme");
    let limit = json!({"name": "p", "daily_spend_limit": "1", "daily_spend_limit_enabled": true});
    let profile = Spender { server: &server, account: &acme, id: created(&acme, limit) };
    let yesterday = (chrono::Utc::now() - chrono::TimeDelta::days(1)).to_rfc3339();
    let late = json!({"profile_id": profile.id, "cost": "5", "occurred_at": yesterday});
    server.bill("acme", late);
    let today = profile.bill("0.5", "0.50");
    assert_eq!((&today["blocked"], &today["percent_used"]), (&json!(false), &json!(50.0)));
}

#[test]
fn a_profile_its_limit_and_its_block_outlive_the_process() {
    let Some((_cluster, mut server)) = Server::start("api-spend-restart") else { return };
    let (key, paths, before) = {
        let acme = server.account("acme");
        let limit = json!({
            "name": "p", "colour": "blue", "daily_spend_limit": "1",
            "daily_spend_limit_enabled": true,
        });
        let profile = Spender { server: &server, account: &acme, id: created(&acme, limit) };
        assert_eq!(profile.bill("1", "1.00")["blocked"], true);
        let paths = [path(&profile.id), format!("{}/spend", path(&profile.id))];
        let before = paths.each_ref().map(|path| acme.get(path).expect(200)["data"].clone());
        (acme.key.clone(), paths, before)
    };
    server.engine.kill();
    server.engine.start();
    server.ready(&server.engine);
    let bearer = format!("Bearer {key}");
    for (path, mut before) in paths.into_iter().zip(before) {
        let get = || {
            let headers = [("authorization", bearer.as_str())];
            server.call(reqwest::Method::GET, &path, &headers, Vec::new())
        };
        until("the partition has its owner again", || get().status == 200);
        let mut after = get().expect(200)["data"].clone();
        for it in [&mut before, &mut after] {
            it.as_object_mut().expect("an object").remove("journal_sequence");
        }
        assert_eq!(after, before);
    }
}
