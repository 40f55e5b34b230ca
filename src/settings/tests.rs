//! Claims about what commands add up to, by the commands themselves.

use serde_json::json;

use super::*;
use crate::wire::{Decoder, Options};

struct Rig {
    settings: Settings,
    decoder: Decoder,
    issued: i64,
}

impl Rig {
    fn new(audit_entries_max: usize) -> Rig {
        let decoder = Decoder::new(&Options::default()).expect("a decoder");
        Rig { settings: Settings::new(audit_entries_max), decoder, issued: 0 }
    }

    /// Applies a command of the account, a second after the one before.
    fn take(&mut self, account_id: &str, mut command: Value) {
        self.issued += 1_000;
        let members = command.as_object_mut().expect("an object");
        members.insert("command_id".to_owned(), format!("c{}", self.issued).into());
        members.insert("account_id".to_owned(), account_id.into());
        members.insert("issued_at".to_owned(), Millis(self.issued).to_string().into());
        members.insert("actor".to_owned(), "ops".into());
        let bytes = command.to_string();
        if let Some(recorded) = self.decoder.decode_recorded(bytes.as_bytes()).expect("no registry")
        {
            self.settings.apply(&recorded);
        }
    }
}

fn limit(id: &str, amount: &str) -> Value {
    json!({"limit_id": id, "scope": {"kind": "account"}, "measure": "cost", "window": "day",
           "amount": amount})
}

#[test]
fn a_limit_keeps_its_creation_and_its_body_is_that_of_the_last_command() {
    let mut rig = Rig::new(10);
    rig.take("acme", json!({"type": "limit_set", "limit": limit("l", "10"), "body": {"a": 1}}));
    rig.take("acme", json!({"type": "limit_set", "limit": limit("l", "25")}));
    let account = rig.settings.account("acme");
    let l = &account.limits["l"];
    assert_eq!((l.created_at, l.updated_at), (Millis(1_000), Millis(2_000)));
    assert_eq!(l.body, Map::new());
    rig.take("acme", json!({"type": "limit_removed", "limit_id": "l"}));
    assert!(rig.settings.account("acme").limits.is_empty());
    assert_eq!(account.limits.len(), 1, "who looks at settings sees them whole");
}

/// A12: who, when, from what to what.
#[test]
fn changes_are_logged_and_what_changes_nothing_is_not() {
    let mut rig = Rig::new(10);
    for amount in ["10", "10.00", "25"] {
        rig.take("acme", json!({"type": "limit_set", "limit": limit("l", amount)}));
    }
    rig.take("acme", json!({"type": "limit_set", "limit": limit("l", "0")}));
    rig.take("acme", json!({"type": "limit_removed", "limit_id": "other"}));
    rig.take("acme", json!({"type": "limit_removed", "limit_id": "l"}));
    let audit = rig.settings.account("acme").audit.clone();
    let amount = |value: &Option<Value>| {
        value.as_ref().map(|value| value["amount"].as_str().expect("a text").to_owned())
    };
    let steps: Vec<_> = audit.iter().map(|it| (amount(&it.from), amount(&it.to))).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        steps,
        [(None, text("10.00")), (text("10.00"), text("25.00")), (text("25.00"), None)]
    );
    assert_eq!(audit[1].actor.as_deref(), Some("ops"));
    assert_eq!((audit[1].kind.as_str(), audit[1].id.as_str()), ("limit_set", "l"));
}

#[test]
fn documents_are_by_kind_and_id() {
    let mut rig = Rig::new(10);
    rig.take("acme", json!({"type": "profile_set", "body": {"id": "b", "name": "B"}}));
    rig.take("acme", json!({"type": "profile_set", "body": {"id": "a", "name": "A"}}));
    rig.take("acme", json!({"type": "profile_settings_set", "body": {"x": 1}}));
    rig.take("globex", json!({"type": "profile_set", "body": {"id": "a", "name": "G"}}));
    let acme = rig.settings.account("acme");
    let ids: Vec<&str> = acme.documents("profile").map(|(id, _)| id).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(acme.document("profile_settings", "").expect("set").body["x"], 1);
    rig.take("acme", json!({"type": "profile_removed", "body": {"id": "a"}}));
    assert_eq!(rig.settings.account("acme").document("profile", "a"), None);
    let globex = rig.settings.account("globex");
    assert_eq!(globex.document("profile", "a").expect("another's").body["name"], "G");
}

#[test]
fn a_key_is_found_by_its_id_until_it_is_removed() {
    let mut rig = Rig::new(10);
    rig.take("acme", json!({"type": "key_set", "body": {"id": "k1", "sha256": "00"}}));
    assert_eq!(rig.settings.key("k1").map(|(account, _)| account), Some("acme"));
    assert_eq!(rig.settings.key("k2"), None);
    rig.take("acme", json!({"type": "key_removed", "body": {"id": "k1"}}));
    assert_eq!(rig.settings.key("k1"), None);
}

#[test]
fn the_audit_of_an_account_has_a_bound() {
    let mut rig = Rig::new(3);
    for number in 1..=5 {
        let amount = number.to_string();
        rig.take("acme", json!({"type": "limit_set", "limit": limit("l", &amount)}));
    }
    let audit = rig.settings.account("acme").audit.clone();
    let amounts: Vec<_> =
        audit.iter().map(|it| it.to.as_ref().expect("set")["amount"].clone()).collect();
    assert_eq!(amounts, ["3.00", "4.00", "5.00"]);
}
