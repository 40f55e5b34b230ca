//! The vendor's own Python SDK drives the server, unmodified (T3, T8 to T10): a misreading of the
//! contract that our server and our tests share cannot hide here.

use std::path::Path;

use serde_json::{Value, json};

use crate::python::Program;
use crate::rig::{Account, Server, until};
use crate::suite;

/// A program that uses the SDK with the account's key.
struct Sdk(Program);

impl Sdk {
    /// `None` where Python or PyPI is missing, which is told, and a failure under `CI=true`.
    fn start(server: &Server, account: &Account<'_>) -> Option<Sdk> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/sdk");
        let base = format!("{}/v2", server.base());
        Program::start("sdk", &folder, "steps.py", &[&base, &account.key]).map(Sdk)
    }

    /// Does a step of `steps.py`; one that fails there fails here.
    fn step(&self, step: &str, with: Value) -> Value {
        let said = self.0.ask(&json!({"step": step, "with": with}).to_string());
        assert!(
            said["failed"].is_null(),
            "{step}: {}",
            said["failed"].as_str().unwrap_or_default()
        );
        said["came"].clone()
    }
}

#[test]
fn the_sdk_creates_lists_changes_and_deletes_profiles() {
    let Some((_cluster, server)) = Server::start("api-sdk") else { return };
    let acme = server.account("acme");
    let Some(sdk) = Sdk::start(&server, &acme) else { return };
    for step in ["refusals_raise", "keeps_what_it_is_given", "turns_pages"] {
        sdk.step(step, json!({}));
    }
    suite::verdict("sdk", "ran: telnyx's own Python client drove profiles");
}

/// T3, T8 and T9, as a program written for the vendor would do them.
#[test]
fn the_sdk_meets_overrides_and_raises_a_spend_limit() {
    let Some((_cluster, server)) = Server::start("api-sdk-spend") else { return };
    let acme = server.account("acme");
    let Some(sdk) = Sdk::start(&server, &acme) else { return };
    let profile = sdk.step(
        "create",
        json!({
            "name": "p", "whitelisted_destinations": ["*"], "daily_spend_limit": "10.00",
            "daily_spend_limit_enabled": true,
        }),
    );
    let profile = profile.as_str().expect("an id");
    let spend = || sdk.step("spend", json!({"profile_id": profile}));
    let bill = |cost: &str, total: &str| {
        server.bill("acme", json!({"profile_id": profile, "cost": cost}));
        until("it counts", || spend()["current_spend"] == total);
        spend()["blocked"].clone()
    };
    let update = |field: &str, value: Value| {
        sdk.step("update", json!({"profile_id": profile, field: value}))["blocked"].clone()
    };
    let assert_sending = |step: &str| {
        sdk.step(step, json!({"profile_id": profile}));
    };
    assert_eq!(bill("9.99", "9.99"), false);
    assert_sending("send_goes_on");
    assert_eq!(bill("0.01", "10.00"), true);
    assert_sending("send_is_refused");
    assert_eq!(update("daily_spend_limit_enabled", json!(false)), false);
    assert_sending("send_goes_on");
    assert_eq!(update("daily_spend_limit_enabled", json!(true)), true);
    assert_sending("send_is_refused");
    assert_eq!(update("daily_spend_limit_enabled", json!(false)), false);
    assert_eq!(bill("0.02", "10.02"), false);
    assert_eq!(update("daily_spend_limit_enabled", json!(true)), true);
    assert_sending("send_is_refused");
    assert_eq!(update("daily_spend_limit", json!("25.00")), false);
    assert_sending("send_goes_on");
    assert_eq!(bill("14.97", "24.99"), false);
    assert_eq!(bill("0.01", "25.00"), true);
    assert_sending("send_is_refused");
    assert_eq!(update("daily_spend_limit", json!("25.01")), false);
    assert_sending("send_goes_on");
    assert_eq!(update("daily_spend_limit", json!("20.00")), true);
    assert_sending("send_is_refused");
    suite::verdict("sdk", "ran: telnyx's own Python client met, lifted and raised a spend limit");
}
