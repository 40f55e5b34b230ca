//! Our webhooks before the libraries that receivers use, unmodified: the vendor's SDK (T11), the
//! Standard Webhooks one, and a JSON Schema validator. A misreading of a scheme that our signatures
//! and our own tests share cannot hide here.

#![cfg(feature = "notify")]

#[path = "suite/python.rs"]
mod python;
mod suite;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use python::Program;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::notify::signing::{self, Key, Keyring};
use tollgate::notify::webhook::{self, Occasion};
use tollgate::telemetry::SystemClock;
use tollgate::time::{Clock, Millis};
use tollgate::wire::Notice;

const ACCOUNT: &str = "acme, København";
const MESSAGE_ID: &str = "0b6ad5b9-5e0c-5b4e-9c2a-6a6f7f7b1d11";
const URL: &str = "https://example.com/webhook-url?from=é";

/// The program that asks the libraries.
struct Receiver(Program);

impl Receiver {
    /// `None` where Python or PyPI is missing, which is told, and a failure under `CI=true`.
    fn start() -> Option<Receiver> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/notify_signing");
        Program::start("signing", &folder, "verify.py", &[]).map(Receiver)
    }

    /// What a library accepted, or why it refused.
    fn ask(&self, asked: &Value) -> Result<Value, String> {
        let mut said = self.0.ask(&asked.to_string());
        assert!(said["failed"].is_null(), "{asked}: {}", said["failed"].as_str().unwrap_or(""));
        match said["refused"].as_str() {
            Some(why) => Err(why.to_owned()),
            None => Ok(said["accepted"].take()),
        }
    }

    fn vendor(&self, public_key: &str, hook: &Webhook) -> Result<Value, String> {
        self.ask(&json!({
            "by": "vendor", "public_key": public_key, "headers": hook.headers, "body": hook.body,
        }))
    }

    fn standard(&self, secret: &str, hook: &Webhook) -> Result<Value, String> {
        self.ask(&json!({
            "by": "standard", "secret": secret, "headers": hook.headers, "body": hook.body,
        }))
    }

    fn asymmetric(&self, public_key: &str, hook: &Webhook) -> Result<Value, String> {
        self.ask(&json!({
            "by": "asymmetric", "public_key": public_key, "headers": hook.headers,
            "body": hook.body,
        }))
    }

    fn fits(&self, schema: &Value, value: &Value) -> Result<Value, String> {
        self.ask(&json!({"by": "schema", "schema": schema, "value": value}))
    }
}

/// What arrives.
#[derive(Clone)]
struct Webhook {
    headers: BTreeMap<String, String>,
    body: String,
}

impl Webhook {
    fn signed(ring: &Keyring, account_id: &str, at: Millis) -> Webhook {
        let body = webhook::body(&spend_limit(), Occasion::Decision, 1, URL);
        let headers = ring.headers(account_id, MESSAGE_ID, at, &body);
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Webhook { headers, body: String::from_utf8(body).expect("UTF-8") }
    }

    fn other_body(&self) -> Webhook {
        let body = self.body.replace("10.02", "10.03");
        assert_ne!(body, self.body);
        Webhook { body, ..self.clone() }
    }

    fn other_header(&self, name: &str, value: &str) -> Webhook {
        let mut other = self.clone();
        let before = other.headers.insert(name.to_owned(), value.to_owned());
        assert!(before.is_some_and(|before| before != value), "{name}");
        other
    }

    /// The timestamp of a header, moved.
    fn moved(&self, name: &str, seconds: i64) -> Webhook {
        let at: i64 = self.headers[name].parse().expect("seconds");
        self.other_header(name, &(at + seconds).to_string())
    }
}

/// A decision as FORMATS.md has it, with these fields otherwise.
fn notice(changed: Value) -> Notice {
    let mut fields = json!({
        "type": "limit_reached", "id": "5350a98c-8577-5571-8ae6-4399c6c6420a",
        "account_id": ACCOUNT, "limit_id": "limit_7", "limit_version": 1,
        "scope": {"kind": "profile", "id": "be3eb60a-6e2f-4a3b-9d2f-0d4c0c6a7b10"},
        "measure": "cost", "window": "day", "action": "block",
        "window_start": "2024-08-20T00:00:00.000+00:00",
        "window_end": "2024-08-21T00:00:00.000+00:00",
        "configured_limit": "10.00", "before": "9.98", "current": "10.02",
        "now": "2024-08-20T19:17:08.918+00:00",
    });
    let Value::Object(changed) = changed else { panic!("fields") };
    fields.as_object_mut().expect("fields").extend(changed);
    serde_json::from_value(fields).expect("a notice")
}

fn spend_limit() -> Notice {
    notice(json!({}))
}

fn now() -> Millis {
    SystemClock.now()
}

fn later(at: Millis, seconds: i64) -> Millis {
    Millis(at.0 + seconds * 1_000)
}

/// A file with two keys, the first active; as `tollgate keys signing` writes it.
struct Keys {
    _folder: TempDir,
    path: PathBuf,
}

impl Keys {
    fn two() -> Keys {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("signing.json");
        signing::add(&path, Keys::first()).expect("made");
        signing::add(&path, Keys::second()).expect("added");
        Keys { _folder: folder, path }
    }

    fn first() -> Key {
        Key::new([0x11; 32], Millis(1_724_181_428_918))
    }

    fn second() -> Key {
        Key::new([0x22; 32], Millis(1_724_181_429_918))
    }

    fn ring(&self) -> Keyring {
        Keyring::load(&self.path).expect("a keyring")
    }
}

#[test]
fn the_vendors_sdk_accepts_what_the_active_key_signed_and_nothing_else() {
    let Some(receiver) = Receiver::start() else { return };
    let keys = Keys::two();
    let (first, second) = (Keys::first().public_key(), Keys::second().public_key());
    let hook = Webhook::signed(&keys.ring(), ACCOUNT, now());

    let expected = json!({
        "data": {
            "event_type": "messaging-profile.spend-limit-reached",
            "id": "5350a98c-8577-5571-8ae6-4399c6c6420a",
            "occurred_at": "2024-08-20T19:17:08.918+00:00",
            "payload": {
                "configured_limit": "10.00", "current_cost": "10.02",
                "profile_id": "be3eb60a-6e2f-4a3b-9d2f-0d4c0c6a7b10",
            },
            "record_type": "event",
        },
        "meta": {"attempt": 1, "delivered_to": URL},
    });
    assert_eq!(receiver.vendor(&first, &hook), Ok(expected));

    let forged = "Signature verification failed: signature does not match payload";
    let mut compact = hook.clone();
    compact.body.push('\n');
    for tampered in [hook.other_body(), compact, hook.moved("telnyx-timestamp", 1)] {
        assert_eq!(receiver.vendor(&first, &tampered).expect_err("tampered"), forged);
    }
    // The second key signs the Standard Webhooks header alone until it is activated.
    assert_eq!(receiver.vendor(&second, &hook).expect_err("not active"), forged);
    let stranger = Key::new([0x33; 32], Millis(0)).public_key();
    assert_eq!(receiver.vendor(&stranger, &hook).expect_err("unknown"), forged);

    for seconds in [-240, 240] {
        let near = Webhook::signed(&keys.ring(), ACCOUNT, later(now(), seconds));
        receiver.vendor(&first, &near).expect("within its tolerance");
        let far = Webhook::signed(&keys.ring(), ACCOUNT, later(now(), seconds * 2));
        let refused = receiver.vendor(&first, &far).expect_err("outside of it");
        assert_eq!(refused, "Webhook timestamp is too old or too new");
    }

    signing::activate(&keys.path, &Keys::second().id).expect("activated");
    let hook = Webhook::signed(&keys.ring(), ACCOUNT, now());
    receiver.vendor(&second, &hook).expect("active now");
    assert_eq!(receiver.vendor(&first, &hook).expect_err("no longer active"), forged);
    suite::verdict("signing", "ran: telnyx's own Python client accepted and refused webhooks");
}

#[test]
fn standard_webhooks_accepts_the_accounts_secret_of_either_key() {
    let Some(receiver) = Receiver::start() else { return };
    let keys = Keys::two();
    let (first, second) = (Keys::first(), Keys::second());
    let secrets = [&first, &second].map(|key| key.standard_secret(ACCOUNT));
    let hook = Webhook::signed(&keys.ring(), ACCOUNT, now());
    let said: Value = serde_json::from_str(&hook.body).expect("JSON");

    let forged = "No matching signature found";
    for secret in &secrets {
        assert_eq!(receiver.standard(secret, &hook), Ok(said.clone()));
        let other_id = hook.other_header("webhook-id", "0b6ad5b9-5e0c-5b4e-9c2a-6a6f7f7b1d12");
        for tampered in [hook.other_body(), hook.moved("webhook-timestamp", 1), other_id] {
            assert_eq!(receiver.standard(secret, &tampered).expect_err("tampered"), forged);
        }
        let old = Webhook::signed(&keys.ring(), ACCOUNT, later(now(), -480));
        let refused = receiver.standard(secret, &old).expect_err("old");
        assert_eq!(refused, "Message timestamp too old");
    }
    for account in ["acme", "acme, København ", ""] {
        for key in [&first, &second] {
            let refused = receiver.standard(&key.standard_secret(account), &hook);
            assert_eq!(refused.expect_err("another account's"), forged, "{account:?}");
        }
    }

    signing::activate(&keys.path, &second.id).expect("activated");
    let hook = Webhook::signed(&keys.ring(), ACCOUNT, now());
    for secret in &secrets {
        assert_eq!(receiver.standard(secret, &hook), Ok(said.clone()));
    }
    signing::retire(&keys.path, &first.id).expect("retired");
    let hook = Webhook::signed(&keys.ring(), ACCOUNT, now());
    assert_eq!(receiver.standard(&secrets[0], &hook).expect_err("retired"), forged);
    assert_eq!(receiver.standard(&secrets[1], &hook), Ok(said));
    suite::verdict("signing", "ran: standardwebhooks accepted and refused webhooks");
}

#[test]
fn asymmetric_signatures_verify_by_either_public_key() {
    let Some(receiver) = Receiver::start() else { return };
    let keys = Keys::two();
    let hook = Webhook::signed(&keys.ring(), ACCOUNT, now());
    let said: Value = serde_json::from_str(&hook.body).expect("JSON");
    for key in [Keys::first(), Keys::second()] {
        let public_key = key.standard_public_key();
        assert_eq!(receiver.asymmetric(&public_key, &hook), Ok(said.clone()));
        for tampered in [hook.other_body(), hook.moved("webhook-timestamp", 1)] {
            receiver.asymmetric(&public_key, &tampered).expect_err("tampered");
        }
    }
    let stranger = Key::new([0x33; 32], Millis(0)).standard_public_key();
    receiver.asymmetric(&stranger, &hook).expect_err("unknown");
}

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    serde_json::from_slice(&std::fs::read(path).expect("a schema")).expect("JSON")
}

/// The schema with no room for fields that it does not describe.
fn closed(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(object) => {
            if object.get("properties").is_some_and(Value::is_object) {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            object.values_mut().for_each(|inner| *inner = closed(inner.take()));
        }
        Value::Array(array) => array.iter_mut().for_each(|inner| *inner = closed(inner.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    schema
}

#[test]
fn every_body_is_as_its_schema_says() {
    let Some(receiver) = Receiver::start() else { return };
    let (open, closed) = (schema("webhook.schema.json"), closed(schema("webhook.schema.json")));
    let sliding = json!({
        "type": "threshold_crossed", "threshold": 75, "direction": "up", "highest": true,
        "scope": {"kind": "recipient", "id": "+393331234567"}, "measure": "requests",
        "window": "PT5M", "window_start": null, "window_end": null,
        "configured_limit": "4", "before": "2", "current": "3",
    });
    let account = json!({
        "scope": {"kind": "account", "id": null}, "window": "month", "action": "alert",
        "current": "10.000001",
    });
    let mut types = Vec::new();
    for (fields, occasion) in [
        (json!({}), Occasion::Decision),
        (account.clone(), Occasion::Decision),
        (sliding.clone(), Occasion::Decision),
        (account, Occasion::Trial),
        (sliding, Occasion::Trial),
    ] {
        let body = webhook::body(&notice(fields), occasion, 2, "https://example.com/");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(receiver.fits(&closed, &body), Ok(body.clone()));
        types.push(body["data"]["event_type"].as_str().expect("a text").to_owned());
        for (pointer, wrong) in [
            ("/data/event_type", json!("limit.raised")),
            ("/data/id", json!("7")),
            ("/data/occurred_at", json!("2024-08-20T19:17:08Z")),
            ("/data/payload/configured_limit", json!(10)),
            ("/data/payload/configured_limit", json!("10.0")),
            ("/data/payload", json!({})),
            ("/meta/attempt", json!(0)),
        ] {
            let mut changed = body.clone();
            *changed.pointer_mut(pointer).expect(pointer) = wrong;
            assert!(receiver.fits(&open, &changed).is_err(), "{pointer}: {changed}");
        }
    }
    let described = open["$defs"].as_object().expect("definitions").values();
    let described = described.filter_map(|it| it["properties"]["event_type"]["const"].as_str());
    types.sort();
    types.dedup();
    let mut described: Vec<&str> = described.collect();
    described.sort_unstable();
    assert_eq!(types, described);
    suite::verdict("signing", "ran: jsonschema accepted every kind of body and refused wrong ones");
}

#[test]
fn the_examples_of_the_schemas_are_as_they_say() {
    let Some(receiver) = Receiver::start() else { return };
    for name in ["webhook.schema.json", "sms-request.schema.json"] {
        let examples = schema(name)["examples"].take();
        let closed = closed(schema(name));
        for example in examples.as_array().expect("examples") {
            assert_eq!(receiver.fits(&closed, example).as_ref(), Ok(example), "{name}");
        }
    }
    let sms = schema("sms-request.schema.json");
    let example = &sms["examples"][0];
    for (field, wrong) in [
        ("type", json!("sms")),
        ("id", json!("1")),
        ("to", json!(["0664 1234567"])),
        ("to", json!(null)),
        ("text", json!("")),
        ("requested_at", json!("now")),
    ] {
        let mut changed = example.clone();
        changed[field] = wrong;
        assert!(receiver.fits(&sms, &changed).is_err(), "{field}: {changed}");
    }
}
