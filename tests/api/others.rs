//! One-time passwords, WhatsApp tiers and usage (O1, O4, A12).

use serde_json::{Value, json};

use crate::billing::holding;
use crate::rig::{Server, until};

#[test]
fn the_limit_on_one_time_passwords_is_built_in_changed_and_brought_back() {
    let Some((_cluster, server)) = Server::start("api-otp") else { return };
    let (acme, globex) = (server.account("acme"), server.account("globex"));
    let path = "/v2/otp/limit";
    let built_in =
        json!({"count": 3, "period_seconds": 300, "enabled": true, "default": true, "blocked": []});
    assert_eq!(acme.get(path).expect(200)["data"], built_in);
    let otp = json!({"purpose": "otp", "recipient": "+393331234567"});
    for _ in 0..3 {
        server.bill(&acme.id, otp.clone());
        server.bill("acme", json!({"purpose": "news", "recipient": "+391111111111"}));
    }
    until("the third blocks", || holding(&acme) == ["otp"]);
    let blocked = acme.get(path).expect(200)["data"]["blocked"].clone();
    assert_eq!(blocked.as_array().map(Vec::len), Some(1), "only its purpose counts: {blocked}");
    assert_eq!(
        (&blocked[0]["recipient"], &blocked[0]["current"]),
        (&json!("+393331234567"), &json!(3))
    );
    assert!(blocked[0]["blocked_until"].as_str().is_some_and(|it| it.len() == 29), "{blocked}");
    assert_eq!(globex.get(path).expect(200)["data"], built_in);

    let raised = acme.put(path, json!({"count": 4})).expect(200);
    assert_eq!(
        raised["data"],
        json!({"count": 4, "period_seconds": 300, "enabled": true, "default": false, "blocked": []})
    );
    let back = acme.put(path, json!({"count": 3})).expect(200);
    assert_eq!(back["data"]["blocked"].as_array().map(Vec::len), Some(1));
    let off = acme.put(path, json!({"enabled": false})).expect(200);
    assert_eq!((&off["data"]["enabled"], &off["data"]["blocked"]), (&json!(false), &json!([])));
    let restored = acme.delete(path).expect(200);
    assert_eq!(
        (&restored["data"]["default"], &restored["data"]["enabled"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        restored["data"]["blocked"].as_array().map(Vec::len),
        Some(1),
        "all went on counting"
    );
    let other = acme.put(path, json!({"period_seconds": 60, "count": 1000})).expect(200);
    assert_eq!(other["data"]["period_seconds"], 60);
    assert_eq!(other["data"]["blocked"], json!([]), "another period begins to count anew");
    for body in [
        json!({"count": 0}),
        json!({"count": 1001}),
        json!({"count": -1}),
        json!({"count": 1.5}),
        json!({"count": "3"}),
        json!({"period_seconds": 0}),
        json!({"period_seconds": 86_401}),
        json!({"enabled": 1}),
        json!([]),
    ] {
        acme.put(path, body).expect(422);
    }
    assert_eq!(acme.get(path).expect(200)["data"]["count"], 1000);
}

#[test]
fn a_tier_bounds_the_different_contacts_of_a_sender() {
    let Some((_cluster, server)) = Server::start("api-whatsapp") else { return };
    let (acme, globex) = (server.account("acme"), server.account("globex"));
    let (list, path) = ("/v2/whatsapp/senders", "/v2/whatsapp/senders/+15550001");
    assert_eq!(acme.get(list).expect(200)["data"], json!([]));
    acme.get(path).expect(404);
    acme.delete(path).expect(404);
    let set = acme.put(path, json!({"tier": 1})).expect(200);
    let mut data = set["data"].clone();
    data["resets_at"].take();
    assert_eq!(
        data,
        json!({"number": "+15550001", "tier": 1, "daily_contacts_max": 1000, "contacts_today": 0,
            "remaining": 1000, "blocked": false, "blocked_until": null, "resets_at": null})
    );
    // Another feature, another sender and a known contact do not count.
    let bill = |number: u32| {
        let recipient = format!("+39{number}");
        let fields = json!({"feature": "whatsapp", "sender": "+15550001", "recipient": recipient});
        server.bill("acme", fields);
    };
    server.bill("acme", json!({"sender": "+15550001", "recipient": "+1"}));
    server.bill("acme", json!({"feature": "whatsapp", "sender": "+15550002", "recipient": "+1"}));
    (0..999).for_each(bill);
    bill(7);
    let contacts = || acme.get(path).expect(200)["data"]["contacts_today"].clone();
    until("999 are counted", || contacts() == 999);
    assert_eq!(holding(&acme), [""; 0]);
    bill(999);
    until("the thousandth blocks", || holding(&acme) == ["tier-15550001"]);
    let raised = acme.put(path, json!({"tier": 2})).expect(200);
    assert_eq!(
        (&raised["data"]["remaining"], &raised["data"]["blocked"]),
        (&json!(9_000), &json!(false))
    );
    let lowered = acme.put(path, json!({"tier": 1})).expect(200);
    assert_eq!(
        (&lowered["data"]["remaining"], &lowered["data"]["blocked"]),
        (&json!(0), &json!(true))
    );
    let free = acme.put(path, json!({"tier": 4})).expect(200);
    assert_eq!(
        (&free["data"]["daily_contacts_max"], &free["data"]["contacts_today"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(holding(&acme), [""; 0]);
    acme.put("/v2/whatsapp/senders/MyBrand%20%2F", json!({"tier": 3})).expect(200);
    let senders = acme.get(list).expect(200)["data"].clone();
    let numbers: Vec<_> =
        senders.as_array().expect("a list").iter().map(|it| it["number"].clone()).collect();
    assert_eq!(json!(numbers), json!(["+15550001", "MyBrand /"]));
    assert_eq!(globex.get(list).expect(200)["data"], json!([]));
    for body in [json!({}), json!({"tier": 0}), json!({"tier": 5}), json!({"tier": "1"}), json!(1)]
    {
        acme.put(path, body).expect(422);
    }
    let long = format!("{list}/{}", "1".repeat(129));
    acme.put(&long, json!({"tier": 1})).expect(422);
    acme.put(&format!("{list}/%ff"), json!({"tier": 1})).expect(400);
    acme.delete(path).expect(200);
    acme.get(path).expect(404);
}

#[test]
fn usage_is_broken_down_exactly_by_feature_profile_and_country() {
    let Some((_cluster, server)) = Server::start("api-usage") else { return };
    let (acme, globex) = (server.account("acme"), server.account("globex"));
    let usage = |query: &str| acme.get(&format!("/v2/usage{query}")).expect(200);
    let nothing = usage("")["data"].clone();
    assert_eq!(
        (&nothing["window"], &nothing["total"]),
        (&json!("day"), &json!({"cost": "0.000000", "requests": 0}))
    );
    server.bill("acme", json!({"cost": "0.0075", "profile_id": "p", "country": "it"}));
    server.bill("acme", json!({"cost": "0.1", "profile_id": "p", "country": "DE", "requests": 2}));
    server.bill("acme", json!({"cost": "0.2", "feature": "voice"}));
    server.bill("acme", json!({"cost": "-0.05", "feature": "voice"}));
    // In a month that is over.
    let then = chrono::Utc::now() - chrono::TimeDelta::days(35);
    let (date, month) = (then.format("%Y-%m-%d").to_string(), then.format("%Y-%m-01").to_string());
    let late = json!({"cost": "7", "feature": "fees", "occurred_at": then.to_rfc3339()});
    server.bill("acme", late);
    let of_month = format!("?window=month&start={month}");
    until("all are counted", || usage(&of_month)["data"]["total"]["requests"] == 1);
    let today = usage("?window=day");
    let one = |id: &str, cost: &str, requests: u64| -> Value {
        json!({"id": id, "cost": cost, "requests": requests})
    };
    assert_eq!(today["data"]["total"], json!({"cost": "0.257500", "requests": 4}));
    assert_eq!(
        today["data"]["features"],
        json!([one("sms", "0.107500", 3), one("voice", "0.150000", 1)])
    );
    assert_eq!(today["data"]["profiles"], json!([one("p", "0.107500", 3)]));
    assert_eq!(
        today["data"]["countries"],
        json!([one("DE", "0.100000", 2), one("IT", "0.007500", 1)])
    );
    assert!(today["journal_sequence"].is_u64(), "{today}");
    assert_eq!(usage("?window=month")["data"]["total"], today["data"]["total"]);
    let then = usage(&format!("?window=month&start={date}"))["data"].clone();
    assert_eq!(then["start"], format!("{month}T00:00:00.000+00:00"), "any day of it names it");
    assert_eq!(then["total"], json!({"cost": "7.000000", "requests": 1}));
    let day = usage(&format!("?start={date}"))["data"].clone();
    assert_eq!(day["features"], json!([one("fees", "7.000000", 1)]));
    assert_eq!(day["start"], format!("{date}T00:00:00.000+00:00"));
    assert_eq!(usage("?start=2024-08-21")["data"]["total"]["requests"], 0);
    assert_eq!(globex.get("/v2/usage").expect(200)["data"]["total"]["requests"], 0);
    for query in [
        "?window=week",
        "?window=Day",
        "?start=",
        "?start=2024-8-1",
        "?start=2023-02-29",
        "?start=1969-12-31",
        "?start=2200-01-01",
        "?start=today",
        "?start=2024-08-20T00:00:00Z",
    ] {
        acme.get(&format!("/v2/usage{query}")).expect(422);
    }
}
