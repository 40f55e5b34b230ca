//! The first answer to each idempotency key of an account (A9). Promise: kept as a setting, so it
//! outlives restarts and what it was about; the same key and body give the same answer, the same
//! key with another body is a conflict.

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::{Uuid, uuid};

use crate::api::fault::{Fault, Kind};
use crate::api::named::members;
use crate::settings::Account;
use crate::wire::Setting;

/// Kind of the documents that hold first answers, by the id of what was made.
const IDEMPOTENCY: &str = "idempotency";
/// Member of a body: the SHA-256 of the request's, in hexadecimal digits.
pub const SHA256: &str = "sha256";
const HEADER: &str = "x-idempotency-key";
/// Keys remembered of an account; the oldest is forgotten for a new one.
const KEYS_MAX: usize = 1_000;
const KEY_BYTES_MAX: usize = 255;
/// Ids made of keys are uuids of version 5 in it.
const NAMESPACE: Uuid = uuid!("8f5d4a2e-6c1b-5e0f-9d7a-3b2c4e5f6a71");

/// A key and the body that came with it.
pub struct Keyed {
    id: Uuid,
    sha256: String,
}

impl Keyed {
    /// `None` for a request without a key.
    ///
    /// # Errors
    /// 400 for a key that is not 1 to 255 printable ASCII characters.
    pub fn of(headers: &HeaderMap, account_id: &str, body: &[u8]) -> Result<Option<Keyed>, Fault> {
        let Some(key) = headers.get(HEADER) else { return Ok(None) };
        let key = key.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
        let Some(key) = key else {
            let detail = "X-Idempotency-Key must be 1 to 255 printable ASCII characters.";
            return Err(Fault::new(Kind::Malformed, detail));
        };
        // No account id ends where a key begins: a zero byte parts them.
        let id = Uuid::new_v5(&NAMESPACE, format!("{account_id}\0{key}").as_bytes());
        let digest: [u8; 32] = Sha256::digest(body).into();
        let sha256 = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Ok(Some(Keyed { id, sha256 }))
    }

    /// From account and key alone, so that a repeated attempt makes the same thing.
    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The first answer to this key, as JSON; `None` if there was none.
    ///
    /// # Errors
    /// 409 when it came with another body.
    pub fn answered(&self, account: &Account, id: &str) -> Result<Option<String>, Fault> {
        let Some(document) = account.document(IDEMPOTENCY, id) else { return Ok(None) };
        self.compare(&document.body)?;
        let answer = document.body.get("answer").and_then(Value::as_str);
        Ok(answer.map(str::to_owned))
    }

    /// # Errors
    /// 409 when a body with another digest is recorded.
    pub fn compare(&self, recorded: &Map<String, Value>) -> Result<(), Fault> {
        if recorded.get(SHA256).and_then(Value::as_str) == Some(self.sha256.as_str()) {
            return Ok(());
        }
        Err(Fault::new(
            Kind::Conflict,
            "This X-Idempotency-Key came with another body before; use a new key for another \
             request.",
        ))
    }

    /// The commands that keep an answer.
    pub fn kept(&self, account: &Account, id: &str, answer: &str) -> Vec<Setting> {
        let mut settings = Vec::new();
        let known: Vec<_> = account.documents(IDEMPOTENCY).collect();
        if known.len() >= KEYS_MAX {
            let oldest = known.iter().min_by_key(|(id, document)| (document.created_at, *id));
            settings.extend(oldest.map(|(id, _)| Setting::Removed {
                kind: IDEMPOTENCY.to_owned(),
                body: members(json!({"id": id})),
            }));
        }
        let body = members(json!({"id": id, SHA256: self.sha256, "answer": answer}));
        settings.push(Setting::Set { kind: IDEMPOTENCY.to_owned(), body });
        settings
    }
}
