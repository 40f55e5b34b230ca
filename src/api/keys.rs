//! Api keys: what one looks like, what is kept of it, and whose it is. Promise: a key is shown once
//! and only its SHA-256 is recorded; comparing takes the same time whatever differs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::settings::{Document, KEY, Settings};
use crate::wire::Setting;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See settings and usage.
    Read,
    /// Change settings.
    Write,
    /// Ask the gate, and send through it.
    Gate,
}

impl Scope {
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Gate];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Gate => "gate",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A new key: `tg_<id>_<secret>`.
pub struct NewKey {
    /// 16 hexadecimal digits, by which it is listed and revoked.
    pub id: String,
    /// To be shown once.
    pub key: String,
}

impl NewKey {
    #[must_use]
    pub fn make() -> NewKey {
        let id = format!("{:016x}", rand::random::<u64>());
        let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        NewKey { key: format!("tg_{id}_{secret}"), id }
    }

    /// What is recorded of it.
    #[must_use]
    pub fn setting(&self, scopes: &[Scope], name: Option<&str>) -> Setting {
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let body = json!({
            "id": self.id,
            "name": name,
            "scopes": scopes,
            "sha256": hex(&digest(&self.key)),
        });
        let Value::Object(body) = body else { unreachable!("made as an object") };
        Setting::Set { kind: KEY.to_owned(), body }
    }
}

/// The end of a key.
#[must_use]
pub fn revoked(id: &str) -> Setting {
    let body = Map::from_iter([("id".to_owned(), id.into())]);
    Setting::Removed { kind: KEY.to_owned(), body }
}

/// Who calls: filled in from the key, found in every request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account_id: String,
    pub key_id: String,
    /// As the audit names it: `api-key:<name or id>`.
    pub actor: String,
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// One without a key: for hosts that have authenticated it in another way.
    #[must_use]
    pub fn of(account_id: &str, scopes: &[Scope]) -> Caller {
        Caller {
            account_id: account_id.to_owned(),
            key_id: String::new(),
            actor: "host".to_owned(),
            scopes: scopes.to_vec(),
        }
    }
}

/// Whose key it is; `None` for one that was never made or is revoked.
#[must_use]
pub fn caller(settings: &Settings, key: &str) -> Option<Caller> {
    let (id, _) = key.strip_prefix("tg_")?.split_once('_')?;
    let (account_id, document) = settings.key(id)?;
    let kept = document.body.get("sha256").and_then(Value::as_str)?;
    if !bool::from(hex(&digest(key)).as_bytes().ct_eq(kept.as_bytes())) {
        return None;
    }
    let name = document.body.get("name").and_then(Value::as_str).unwrap_or(id);
    Some(Caller {
        account_id: account_id.to_owned(),
        key_id: id.to_owned(),
        actor: format!("api-key:{name}"),
        scopes: scopes(document),
    })
}

/// What a recorded key may do; words of a later release are no scopes of this one.
#[must_use]
pub fn scopes(key: &Document) -> Vec<Scope> {
    let words = key.body.get("scopes").and_then(Value::as_array);
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    words.filter_map(Scope::parse).collect()
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Millis;
    use crate::wire::{Decoder, Head, Options};

    fn take(settings: &mut Settings, account_id: &str, setting: &Setting) {
        let (command_id, issued_at) = ("c", Millis(0));
        let head = Head { command_id, account_id, issued_at, actor: "ops", reason: None };
        let decoder = Decoder::new(&Options::default()).expect("a decoder");
        let recorded = decoder.decode_recorded(&setting.write(&head)).expect("no registry");
        settings.apply(&recorded.expect("a valid command"));
    }

    #[test]
    fn a_key_opens_its_account_until_it_is_revoked() {
        let mut settings = Settings::new(10);
        let (mine, theirs) = (NewKey::make(), NewKey::make());
        take(&mut settings, "acme", &mine.setting(&[Scope::Read, Scope::Gate], Some("ops-1")));
        take(&mut settings, "globex", &theirs.setting(&[Scope::Write], None));
        let found = caller(&settings, &mine.key).expect("a key that was made");
        assert_eq!((found.account_id.as_str(), found.actor.as_str()), ("acme", "api-key:ops-1"));
        assert_eq!(found.scopes, [Scope::Read, Scope::Gate]);
        let other = caller(&settings, &theirs.key).expect("a key that was made");
        assert_eq!(other.actor, format!("api-key:{}", theirs.id));
        take(&mut settings, "acme", &revoked(&mine.id));
        assert_eq!(caller(&settings, &mine.key), None);
    }

    #[test]
    fn nothing_but_the_key_itself_opens_an_account() {
        let mut settings = Settings::new(10);
        let key = NewKey::make();
        take(&mut settings, "acme", &key.setting(&Scope::ALL, None));
        let other = NewKey::make();
        let (_, secret) = other.key.rsplit_once('_').expect("three parts");
        for wrong in [
            String::new(),
            format!("tg_{}_", key.id),
            format!("tg_{}_{secret}", key.id),
            other.key.clone(),
            key.key[..key.key.len() - 1].to_owned(),
            format!("{}x", key.key),
            key.key.to_uppercase(),
        ] {
            assert_eq!(caller(&settings, &wrong), None, "{wrong}");
        }
        let text = format!("{:?}", settings.account("acme"));
        assert!(!text.contains(&key.key), "only its digest is kept");
    }
}
