//! The whole surface, taken from the server's own description: nothing answers without a key, no
//! account sees another's settings, and what schemathesis makes of the description is answered as
//! described.

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Server, until};
use crate::{python, suite};

/// Method and path of every operation, with `name` for what a path leaves open.
fn operations(server: &Server, name: impl Fn(&str) -> String) -> Vec<(Method, String)> {
    let description = server.call(Method::GET, "/v2/openapi.json", &[], Vec::new()).expect(200);
    let mut operations = Vec::new();
    for (path, item) in description["paths"].as_object().expect("paths") {
        let filled = path
            .split('/')
            .map(|part| part.strip_prefix('{').map_or_else(|| part.to_owned(), |_| name(path)));
        let filled = filled.collect::<Vec<_>>().join("/");
        for method in item.as_object().expect("operations").keys() {
            let method = method.to_uppercase().parse().expect("a method");
            operations.push((method, filled.clone()));
        }
    }
    assert!(operations.len() > 20, "{operations:?}");
    operations
}

#[test]
fn every_operation_needs_a_key() {
    let Some((_cluster, server)) = Server::start("api-openapi") else { return };
    for (method, path) in operations(&server, |_| "x".to_owned()) {
        for headers in [&[][..], &[("x-auth-token", "tg_0123456789abcdef_x")]] {
            let answer = server.call(method.clone(), &path, headers, b"{}".to_vec());
            let body = answer.expect(401);
            let billing = path.starts_with("/v2/billing");
            assert_eq!(body.get("success").is_some(), billing, "{method} {path}: {body}");
        }
    }
}

/// Long enough that no id or time has them by chance.
const MARKS: [&str; 5] = ["marked", "4242.25", "424200", "424242", "\"count\":999"];

#[test]
fn no_account_is_shown_another_ones_settings() {
    let Some((_cluster, server)) = Server::start("api-isolation") else { return };
    let (acme, globex) = (server.account("acme"), server.account("globex"));
    // Each names something that only acme's answers may have.
    let limit = json!({"amount": 4242.25, "action": "block"});
    acme.put("/v2/billing/limits/daily", limit).expect(200);
    let alert = json!({"name": "marked", "metric": "sms", "threshold": 424_200, "type": "count",
        "notification": ["email"]});
    acme.post("/v2/billing/alerts", alert).expect(201);
    acme.put("/v2/billing/notifications", json!({"slack": "https://marked.example"})).expect(200);
    let notices = json!([{"trigger_after": 50, "emails": "marked@example.com"}]);
    let country = json!({"daily_limit": 424_200, "daily_notifications": notices});
    acme.put("/v2/countries/limits/IT", country).expect(200);
    acme.put("/v2/countries/limits/settings", json!({"daily_notifications": notices})).expect(200);
    acme.put("/v2/otp/limit", json!({"count": 999})).expect(200);
    acme.put("/v2/whatsapp/senders/+424242", json!({"tier": 1})).expect(200);
    let used = json!({"profile_id": "marked", "country": "IT", "cost": "4242.25"});
    server.bill("acme", used);
    until("it is held", || acme.get("/v2/blocks").text.contains("4242.25"));
    let of_acme = |path: &str| {
        let name = if path.contains("whatsapp") {
            "+424242"
        } else if path.contains("countries") {
            "IT"
        } else {
            "marked"
        };
        name.to_owned()
    };
    let mut shown = 0;
    for (method, path) in operations(&server, of_acme) {
        if method != Method::GET {
            continue;
        }
        let marked = |text: &str| MARKS.iter().any(|mark| text.contains(mark));
        shown += u32::from(marked(&acme.get(&path).text));
        let theirs = globex.get(&path);
        // A refusal repeats what was asked for.
        let is_refused = [403, 404].contains(&theirs.status);
        assert!(is_refused || !marked(&theirs.text), "{path}: {theirs:?}");
    }
    assert!(shown >= 9, "acme itself sees its marks: {shown}");
}

/// Bodies and parameters of every kind, allowed and not, for a minute.
#[test]
fn schemathesis_finds_no_answer_that_is_not_described() {
    let Some((_cluster, server)) = Server::start("api-schemathesis") else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/schemathesis");
    let pinned = folder.join("requirements.txt");
    let program = match python::with_packages("schemathesis", &pinned) {
        Ok(python) => python.with_file_name("schemathesis"),
        Err(missing) => return suite::skipped("schemathesis", &missing),
    };
    let acme = server.account("acme");
    let output = Command::new(program)
        .arg("run")
        .arg(format!("{}/v2/openapi.json", server.base()))
        .args(["--header", &format!("Authorization: Bearer {}", acme.key)])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--seed", "42"])
        .args([
            "--checks",
            CHECKS,
            "--generation-database",
            "none",
            "--no-color",
            "--max-time",
            "60",
            // It passes messages on, and there is nobody here to take them: 501, as described.
            "--exclude-path",
            "/v2/messages",
        ])
        // It leaves what it found where it runs.
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    suite::verdict("schemathesis", "ran: no operation answered other than described");
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";

/// A description that no client could read would make the other scenarios look at nothing.
#[test]
fn the_description_names_every_contract_with_its_refusals() {
    let Some((_cluster, server)) = Server::start("api-description") else { return };
    let description = server.call(Method::GET, "/v2/openapi.json", &[], Vec::new()).expect(200);
    for (path, method, refusals) in [
        ("/v2/billing/limits/{limit_id}", "put", &["400", "401", "403", "404", "413", "422"][..]),
        ("/v2/billing/alerts", "post", &["409", "422"]),
        ("/v2/countries/limits/bulk", "post", &["413", "415", "422"]),
        ("/v2/whatsapp/senders/{number}", "put", &["404", "409", "422"]),
        ("/v2/usage", "get", &["422", "429", "503", "504"]),
    ] {
        let operation: &Value = &description["paths"][path][method];
        for status in refusals {
            assert!(operation["responses"].get(*status).is_some(), "{method} {path}: {status}");
        }
    }
    let upload = &description["paths"]["/v2/countries/limits/bulk"]["post"]["requestBody"];
    assert!(upload["content"].get("multipart/form-data").is_some(), "{upload}");
}
