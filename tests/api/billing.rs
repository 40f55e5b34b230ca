//! Limits of an account and of its features, alerts, and who is told (A1-A14).

use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Account, Server, until};

/// The limits that hold something now.
pub fn holding(account: &Account<'_>) -> Vec<String> {
    let blocks = account.get("/v2/blocks").expect(200);
    let ids = blocks["data"].as_array().expect("a list").iter();
    ids.map(|block| block["limit_id"].as_str().expect("an id").to_owned()).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> =
        value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// A limit of the list.
fn listed(account: &Account<'_>, id: &str) -> Value {
    let limits = account.get("/v2/billing/limits").expect(200);
    let limits = limits["data"]["limits"].as_array().expect("a list").clone();
    limits.into_iter().find(|limit| limit["id"] == id).unwrap_or(Value::Null)
}

/// A refusal in the product's own body (A1); gives its message.
fn refused(answer: &crate::rig::Answer, status: u16, code: &str) -> String {
    let body = answer.expect(status);
    assert_eq!((&body["success"], &body["error"]["code"]), (&json!(false), &json!(code)), "{body}");
    body["error"]["message"].as_str().expect("a text").to_owned()
}

#[test]
fn limits_are_set_listed_changed_and_removed_as_the_contract_says() {
    let Some((_cluster, server)) = Server::start("api-billing") else { return };
    let acme = server.account("acme");
    let none = acme.get("/v2/billing/limits").expect(200);
    assert_eq!(none, json!({"success": true, "data": {"limits": []}}));

    // A2, with the header of A1.
    let headers = [("x-auth-token", acme.key.as_str())];
    let asked = json!({"amount": 500, "action": "alert", "notifications": ["email", "sms"]});
    let path = "/v2/billing/limits/monthly";
    let set = server.call(Method::PUT, path, &headers, asked.to_string().into_bytes()).expect(200);
    assert_eq!(keys(&set), ["data", "success"]);
    let mut data = set["data"].clone();
    let created_at = data["created_at"].take();
    assert!(created_at.as_str().is_some_and(|at| at.ends_with("+00:00")), "{set}");
    assert_eq!(
        data,
        json!({"type": "monthly", "amount": 500, "action": "alert", "current_usage": 0,
            "remaining": 500, "percentage_used": 0.0, "notifications": ["email", "sms"],
            "created_at": null})
    );

    // A5: binary floats give 30.1. All charges count (A6), another account's do not.
    server.account("globex");
    server.bill("globex", json!({"cost": "300"}));
    server.bill("acme", json!({"cost": "100.75", "feature": "fees"}));
    server.bill("acme", json!({"cost": "50"}));
    until("both are counted", || listed(&acme, "limit_monthly")["current_usage"] == 150.75);
    let limits = acme.get("/v2/billing/limits");
    assert!(limits.text.contains("\"percentage_used\":30.2"), "{}", limits.text);
    assert!(limits.text.contains("\"remaining\":349.25"), "{}", limits.text);
    let limit = listed(&acme, "limit_monthly");
    for key in [
        "id",
        "type",
        "amount",
        "action",
        "current_usage",
        "remaining",
        "percentage_used",
        "status",
        "blocked",
        "blocked_until",
        "overage_protection",
        "resets_at",
    ] {
        assert!(limit.get(key).is_some(), "{key} in {limit}");
    }
    assert_eq!(
        (&limit["status"], &limit["blocked"], &limit["blocked_until"], &limit["thresholds"]),
        (&json!("active"), &json!(false), &json!(null), &json!([50, 75, 90, 100]))
    );
    let resets_at = limit["resets_at"].as_str().expect("a time");
    assert!(resets_at.ends_with("-01T00:00:00.000+00:00"), "{resets_at}");

    // A14.
    let bundle =
        json!({"monthly_limit": 500, "daily_limit": 25, "sms_limit": 100, "voice_limit": 200});
    let together = acme.post("/v2/billing/limits", bundle).expect(200);
    let amounts: Vec<_> = together["data"]["limits"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|limit| (limit["type"].clone(), limit["amount"].clone()))
        .collect();
    assert_eq!(
        json!(amounts),
        json!([["monthly", 500], ["daily", 25], ["sms", 100], ["voice", 200]])
    );
    assert_eq!(listed(&acme, "limit_monthly")["notifications"], json!(["email", "sms"]));
    assert_eq!(listed(&acme, "limit_sms")["current_usage"], 50);
    assert_eq!(listed(&acme, "limit_voice")["current_usage"], 0);
    assert_eq!(listed(&acme, "limit_daily")["remaining"], 0, "never below 0");
    assert_eq!(listed(&acme, "limit_daily")["percentage_used"], 603.0);

    // A4: by id what is left out stays; by word it is as by default.
    let change = json!({"thresholds": [10, 99], "action": "block", "overage_protection": true});
    let changed = acme.put("/v2/billing/limits/limit_monthly", change).expect(200);
    assert_eq!(
        (&changed["data"]["amount"], &changed["data"]["action"]),
        (&json!(500), &json!("block"))
    );
    assert_eq!(changed["data"]["created_at"], created_at);
    let limit = listed(&acme, "limit_monthly");
    assert_eq!(
        (&limit["thresholds"], &limit["overage_protection"], &limit["notifications"]),
        (&json!([10, 99]), &json!(true), &json!(["email", "sms"]))
    );
    acme.put("/v2/billing/limits/monthly", json!({"amount": 10})).expect(200);
    let limit = listed(&acme, "limit_monthly");
    assert_eq!(
        (&limit["action"], &limit["overage_protection"], &limit["notifications"]),
        (&json!("alert"), &json!(false), &json!([]))
    );
    let deleted = acme.delete("/v2/billing/limits/limit_monthly").expect(200);
    assert_eq!(deleted["data"], json!({"id": "limit_monthly", "deleted": true}));
    refused(&acme.delete("/v2/billing/limits/limit_monthly"), 404, "not_found");
    refused(&acme.put("/v2/billing/limits/limit_monthly", json!({"amount": 20})), 404, "not_found");
    for word in ["daily", "sms", "voice"] {
        acme.delete(&format!("/v2/billing/limits/{word}")).expect(200);
    }
    assert_eq!(acme.get("/v2/billing/limits").expect(200)["data"]["limits"], json!([]));

    // A12: who, when, from what to what.
    let audit = acme.get("/v2/audit?id=limit_daily").expect(200);
    let entries = audit["data"].as_array().expect("a list");
    assert_eq!(entries.len(), 2, "{audit}");
    assert_eq!((&entries[0]["kind"], &entries[0]["to"]), (&json!("limit_removed"), &json!(null)));
    assert_eq!(entries[1]["to"]["amount"], "25.00");
    assert!(entries[1]["actor"].as_str().expect("a text").starts_with("api-key:"));
}

#[test]
fn a_limit_holds_from_its_amount_on_and_lets_go_as_soon_as_it_is_changed() {
    let Some((_cluster, server)) = Server::start("api-billing-holds") else { return };
    let (acme, globex) = (server.account("acme"), server.account("globex"));
    let block = |amount: &str| -> Value {
        serde_json::from_str(&format!("{{\"amount\":{amount},\"action\":\"block\"}}"))
            .expect("JSON")
    };
    acme.put("/v2/billing/limits/sms", block("1.5")).expect(200);
    globex.put("/v2/billing/limits/sms", block("1.5")).expect(200);
    acme.put("/v2/billing/limits/daily", block("1e2")).expect(200);
    server.bill("acme", json!({"cost": "1.49"}));
    until("it is counted", || listed(&acme, "limit_sms")["current_usage"] == 1.49);
    assert_eq!(holding(&acme), [""; 0], "a cent is left");
    server.bill("acme", json!({"cost": "0.01"}));
    until("it blocks", || holding(&acme) == ["limit_sms"]);
    let limit = listed(&acme, "limit_sms");
    assert_eq!((&limit["blocked"], &limit["blocked_until"]), (&json!(true), &limit["resets_at"]));
    assert_eq!(holding(&globex), [""; 0]);
    assert_eq!(listed(&globex, "limit_sms")["current_usage"], 0);

    // A11: what is asked for acts before it is answered.
    acme.put("/v2/billing/limits/limit_sms", json!({"amount": 1.6})).expect(200);
    assert_eq!(holding(&acme), [""; 0], "raised");
    acme.put("/v2/billing/limits/limit_sms", json!({"amount": 1.5})).expect(200);
    assert_eq!(holding(&acme), ["limit_sms"], "lowered");
    acme.put("/v2/billing/limits/limit_sms", json!({"overage_protection": true})).expect(200);
    acme.put("/v2/billing/limits/limit_sms", json!({"action": "alert"})).expect(200);
    assert_eq!(holding(&acme), [""; 0], "an alert");
    acme.put("/v2/billing/limits/limit_sms", json!({"action": "block"})).expect(200);
    assert_eq!(holding(&acme), ["limit_sms"]);
    acme.delete("/v2/billing/limits/limit_sms").expect(200);
    assert_eq!(holding(&acme), [""; 0], "deleted");

    server.bill("acme", json!({"cost": "98.5", "feature": "voice"}));
    until("the day's limit holds", || holding(&acme) == ["limit_daily"]);
    server.bill("acme", json!({"cost": "-0.01", "requests": 0}));
    until("a correction lifts it", || holding(&acme) == [""; 0]);
}

#[test]
fn what_breaks_a_rule_of_billing_is_refused_and_changes_nothing() {
    let Some((_cluster, server)) = Server::start("api-billing-refused") else { return };
    let acme = server.account("acme");
    acme.put("/v2/billing/limits/daily", json!({"amount": 5})).expect(200);
    let bearer = format!("Bearer {}", acme.key);
    let raw = |method: Method, path: &str, body: &str| {
        server.call(method, path, &[("authorization", &bearer)], body.as_bytes().to_vec())
    };
    let (monthly, sms) = ("/v2/billing/limits/monthly", "/v2/billing/limits/sms");
    for (path, body) in [
        (sms, "{}"),
        (sms, r#"{"amount":null}"#),
        (sms, r#"{"amount":0}"#),
        (sms, r#"{"amount":-1}"#),
        (sms, r#"{"amount":0.0000001}"#),
        (sms, r#"{"amount":1000000000000}"#),
        (sms, r#"{"amount":1e400}"#),
        (sms, r#"{"amount":"ten"}"#),
        (sms, r#"{"amount":true}"#),
        (sms, r#"{"amount":5,"action":"stop"}"#),
        (sms, r#"{"amount":5,"notifications":["fax"]}"#),
        (sms, r#"{"amount":5,"notifications":"email"}"#),
        (sms, r#"{"amount":5,"thresholds":[0]}"#),
        (sms, r#"{"amount":5,"thresholds":[101]}"#),
        (sms, r#"{"amount":5,"thresholds":[50,50]}"#),
        (sms, r#"{"amount":5,"thresholds":[75,50]}"#),
        (sms, r#"{"amount":5,"thresholds":[1.5]}"#),
        (sms, r#"{"amount":5,"thresholds":[1,2,3,4,5,6,7,8,9,10,11]}"#),
        (sms, r#"{"amount":5,"overage_protection":true}"#),
        (sms, r#"{"amount":5,"action":"alert","overage_protection":true}"#),
        (sms, r#"{"amount":5,"action":"block","overage_protection":"yes"}"#),
        (sms, "[]"),
        (monthly, r#"{"amount":9.999999}"#),
        ("/v2/billing/limits/limit_daily", r#"{"overage_protection":true}"#),
        ("/v2/billing/limits/limit_daily", r#"{"amount":0}"#),
        ("/v2/billing/notifications", r#"{"webhook":"http://example.com"}"#),
        ("/v2/billing/notifications", r#"{"slack":"https://u:p@example.com"}"#),
        ("/v2/billing/notifications", r#"{"email":"yes"}"#),
        ("/v2/billing/notifications", r#"{"email_addresses":"ops@example.com, nobody"}"#),
        ("/v2/billing/notifications", r#"{"phone_numbers":["15550001"]}"#),
        ("/v2/billing/notifications", "[]"),
        (sms, r#"[5,"block",["email"],[50],true]"#),
    ] {
        let message = refused(&raw(Method::PUT, path, body), 422, "invalid");
        assert!(message.len() > 10, "{path} {body}: {message}");
    }
    for body in ["", "{", "amount=5", "{\"amount\":05}", "\u{feff}{}"] {
        refused(&raw(Method::PUT, sms, body), 400, "malformed_request");
    }
    let bundles = [
        "{}",
        r#"{"monthly_limit":9,"daily_limit":50}"#,
        r#"{"sms_limit":0}"#,
        r#"{"daily_limit":50,"sms_limit":-1}"#,
        r#"{"daily_limit":[]}"#,
    ];
    for body in bundles {
        refused(&raw(Method::POST, "/v2/billing/limits", body), 422, "invalid");
    }
    for path in ["weekly", "limit_weekly", "otp", "country_IT_day", "Monthly", "%00", "a%2Fb"] {
        let path = format!("/v2/billing/limits/{path}");
        refused(&acme.put(&path, json!({"amount": 50})), 404, "not_found");
        refused(&acme.delete(&path), 404, "not_found");
    }
    refused(&acme.delete("/v2/billing/limits/%ff"), 400, "malformed_request");
    let long = format!("{{\"amount\":5,\"x\":\"{}\"}}", "x".repeat(1_100_000));
    refused(&raw(Method::PUT, sms, &long), 413, "too_large");
    let left = acme.get("/v2/billing/limits").expect(200);
    let left = left["data"]["limits"].as_array().expect("a list");
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((&left[0]["type"], &left[0]["amount"]), (&json!("daily"), &json!(5)));
    assert_eq!(
        acme.get("/v2/audit?kind=limit_set").expect(200)["data"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn an_alert_is_made_once_for_its_key_and_tells_how_far_it_is() {
    let Some((_cluster, mut server)) = Server::start("api-alerts") else { return };
    let (key, asked, made) = {
        let acme = server.account("acme");
        let asked = json!({"name": "Texts", "metric": "sms", "threshold": 3, "type": "count",
            "notification": ["email", "slack"]});
        let key = [("x-idempotency-key", "k-1")];
        let make =
            |body: &Value| acme.send(Method::POST, "/v2/billing/alerts", &key, Some(body.clone()));
        let made = make(&asked);
        let data = made.expect(201)["data"].clone();
        let id = data["id"].as_str().expect("an id").to_owned();
        assert!(id.starts_with("alert_") && id.len() == 30, "{id}");
        assert_eq!((&data["period"], &data["threshold"]), (&json!("monthly"), &json!(3)));
        assert_eq!(make(&asked).text, made.text);
        refused(&make(&json!({"name": "Texts"})), 409, "conflict");
        // The same key of another account is another key.
        let globex = server.account("globex");
        let other = globex.send(Method::POST, "/v2/billing/alerts", &key, Some(asked.clone()));
        assert_ne!(other.expect(201)["data"]["id"], id);

        let cost = json!({"name": "Money", "metric": "total", "threshold": 0.05, "type": "cost",
            "notification": ["webhook"], "period": "daily"});
        acme.post("/v2/billing/alerts", cost.clone()).expect(201);
        acme.post("/v2/billing/alerts", cost).expect(201);
        server.bill("acme", json!({"requests": 2, "cost": "0.03"}));
        server.bill("acme", json!({"feature": "voice", "cost": "0.02"}));
        let alerts = || acme.get("/v2/billing/alerts").expect(200)["data"]["alerts"].clone();
        let of = |name: &str| {
            let alerts = alerts();
            let list = alerts.as_array().expect("a list").clone();
            list.into_iter().find(|alert| alert["name"] == name).expect("the alert")
        };
        until("both events are counted", || of("Money")["current_usage"] == 0.05);
        assert_eq!(alerts().as_array().map(Vec::len), Some(3), "two without a key are two");
        assert_eq!(
            (&of("Money")["reached"], &of("Money")["percentage_used"]),
            (&json!(true), &json!(100.0))
        );
        let texts = of("Texts");
        assert_eq!(
            (&texts["reached"], &texts["current_usage"], &texts["percentage_used"]),
            (&json!(false), &json!(2), &json!(66.7))
        );
        assert_eq!(holding(&acme), [""; 0], "an alert stops nothing");
        assert_eq!(acme.get("/v2/billing/limits").expect(200)["data"]["limits"], json!([]));

        acme.delete(&format!("/v2/billing/alerts/{id}")).expect(200);
        refused(&acme.delete(&format!("/v2/billing/alerts/{id}")), 404, "not_found");
        refused(&acme.delete("/v2/billing/alerts/limit_daily"), 404, "not_found");
        assert_eq!(make(&asked).text, made.text, "also when it is gone");
        assert_eq!(alerts().as_array().map(Vec::len), Some(2));

        for body in [
            json!({}),
            json!({"name": "", "metric": "sms", "threshold": 3, "type": "count", "notification": ["email"]}),
            json!({"name": "a", "metric": "mms", "threshold": 3, "type": "count", "notification": ["email"]}),
            json!({"name": "a", "metric": "sms", "threshold": 0, "type": "count", "notification": ["email"]}),
            json!({"name": "a", "metric": "sms", "threshold": 1.5, "type": "count", "notification": ["email"]}),
            json!({"name": "a", "metric": "sms", "threshold": -1, "type": "cost", "notification": ["email"]}),
            json!({"name": "a", "metric": "sms", "threshold": 3, "type": "sum", "notification": ["email"]}),
            json!({"name": "a", "metric": "sms", "threshold": 3, "type": "count", "notification": []}),
            json!({"name": "a", "metric": "sms", "threshold": 3, "type": "count", "notification": ["email"], "period": "weekly"}),
        ] {
            refused(&acme.post("/v2/billing/alerts", body), 422, "invalid");
        }
        let long = "k".repeat(256);
        for key in ["", long.as_str()] {
            let headers = [("x-idempotency-key", key)];
            let answer =
                acme.send(Method::POST, "/v2/billing/alerts", &headers, Some(asked.clone()));
            refused(&answer, 400, "malformed_request");
        }
        (acme.key.clone(), asked.to_string(), made.text)
    };
    server.engine.stop();
    server.engine.start();
    server.ready(&server.engine);
    let headers = [("x-auth-token", key.as_str()), ("x-idempotency-key", "k-1")];
    let answer = || {
        let body = asked.clone().into_bytes();
        server.call(Method::POST, "/v2/billing/alerts", &headers, body)
    };
    until("it answers again", || answer().status < 500);
    assert_eq!(answer().text, made, "also after a restart");
}

/// A10.
#[test]
fn preferences_are_merged_and_cleared_by_null() {
    let Some((_cluster, server)) = Server::start("api-preferences") else { return };
    let (acme, globex) = (server.account("acme"), server.account("globex"));
    let path = "/v2/billing/notifications";
    let nothing = json!({"email": null, "sms": null, "webhook": null, "slack": null,
        "email_addresses": null, "phone_numbers": null});
    assert_eq!(acme.get(path).expect(200)["data"], nothing);
    let asked = json!({"email": true, "webhook": "https://example.com/hook",
        "email_addresses": "ops@example.com, cfo@example.com"});
    acme.put(path, asked).expect(200);
    let slack = "https://hooks.slack.com/services/T0/B0/x";
    let asked = json!({"sms": false, "slack": slack, "phone_numbers": ["+15550001"]});
    let merged = acme.put(path, asked).expect(200);
    let expected = json!({"email": true, "sms": false, "webhook": "https://example.com/hook",
        "slack": slack, "email_addresses": ["ops@example.com", "cfo@example.com"],
        "phone_numbers": ["+15550001"]});
    assert_eq!(merged["data"], expected);
    assert_eq!(acme.get(path).expect(200)["data"], expected);
    let asked = json!({"webhook": null, "email": null, "email_addresses": null});
    let cleared = acme.put(path, asked).expect(200);
    assert_eq!(
        cleared["data"],
        json!({"email": null, "sms": false, "webhook": null, "slack": slack,
            "email_addresses": null, "phone_numbers": ["+15550001"]})
    );
    assert_eq!(globex.get(path).expect(200)["data"], nothing);
}
