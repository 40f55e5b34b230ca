//! The keys that sign webhooks, and the headers they make (T11). Promise: a keyring has one active
//! key, which alone signs for the vendor's SDK, and signs after the Standard Webhooks spec with
//! every key, so that receivers may learn a new one before the old one goes; no seed is ever shown,
//! and an account's secret is derived, never kept.

mod file;
#[cfg(test)]
mod tests;
mod watched;

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::time::Millis;
pub use file::{activate, add, retire};
pub use watched::WatchedKeyring;

/// How many keys a keyring holds at most; during a rotation it has two.
pub const KEYS_MAX: usize = 4;

/// What an account's secret is derived for: another use of the seeds takes another text.
const SECRET_PURPOSE: &[u8] = b"tollgate standard webhooks\0";

/// One key, from which come its Ed25519 pair and every account's HMAC secret.
pub struct Key {
    /// For people: 16 hexadecimal digits of the public key's SHA-256.
    pub id: String,
    pub created_at: Millis,
    pair: SigningKey,
}

/// All keys that are valid now.
pub struct Keyring {
    active: Key,
    /// Newest first.
    others: Vec<Key>,
}

/// What is wrong with a keyring's file, or with what was asked of it. `remedy` says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no file of signing keys at {}", .0.display())]
    Missing(PathBuf),
    #[error("the signing keys cannot be read from {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} may be read by others: its mode is {mode:04o}", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} is no file of signing keys: {why}", path.display())]
    Malformed { path: PathBuf, why: String },
    #[error("the signing keys cannot be written to {}", path.display())]
    Unwritten { path: PathBuf, source: std::io::Error },
    #[error("{} is there: another change is under way, or one was cut off", .0.display())]
    Busy(PathBuf),
    #[error("there are {KEYS_MAX} signing keys, which is the most")]
    Full,
    #[error("there is no signing key {0}")]
    Unknown(String),
    #[error("signing key {0} is active")]
    Active(String),
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Error::Missing(path) => {
                format!("tollgate keys signing new --file {} makes it", path.display())
            }
            Error::Unreadable { .. } => "check that it is there and who may read it".to_owned(),
            Error::Exposed { path, .. } => format!(
                "chmod 600 {}; if others could read it, rotate the keys as well",
                path.display()
            ),
            Error::Malformed { .. } => {
                "put back the file as `tollgate keys signing` wrote it".to_owned()
            }
            Error::Unwritten { .. } => {
                "check that its folder is there, who may write to it, and that it has room; run as \
                 the file's owner"
                    .to_owned()
            }
            Error::Busy(path) => {
                format!("if no other is running, remove {} and try again", path.display())
            }
            Error::Full => "retire one that no receiver needs any more: tollgate keys signing \
                            retire ID"
                .to_owned(),
            Error::Unknown(_) => "tollgate keys signing list shows them".to_owned(),
            Error::Active(_) => "activate another first: tollgate keys signing activate ID; \
                                 tollgate keys signing new makes one"
                .to_owned(),
        }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> crate::error::Error {
        let remedy = error.remedy();
        let said = match &error {
            Error::Unreadable { .. } | Error::Unwritten { .. } | Error::Busy(_) => {
                crate::error::Error::failed(error.to_string())
            }
            Error::Missing(_)
            | Error::Exposed { .. }
            | Error::Malformed { .. }
            | Error::Full
            | Error::Unknown(_)
            | Error::Active(_) => crate::error::Error::usage(error.to_string()),
        };
        let said = said.remedy(remedy);
        match error {
            Error::Unreadable { source, .. } | Error::Unwritten { source, .. } => {
                said.because(source)
            }
            _ => said,
        }
    }
}

impl Key {
    /// The key of a seed, which must come from a source that nobody can foresee.
    #[must_use]
    pub fn new(seed: [u8; 32], created_at: Millis) -> Key {
        let pair = SigningKey::from_bytes(&seed);
        let digest = Sha256::digest(pair.verifying_key().as_bytes());
        let id = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Key { id, created_at, pair }
    }

    /// In base64, as the vendor's SDK takes it.
    #[must_use]
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.pair.verifying_key().as_bytes())
    }

    /// The public key as the Standard Webhooks spec writes it.
    #[must_use]
    pub fn standard_public_key(&self) -> String {
        format!("whpk_{}", self.public_key())
    }

    /// The account's secret for the Standard Webhooks header: `whsec_…`. To be shown to that
    /// account alone.
    #[must_use]
    pub fn standard_secret(&self, account_id: &str) -> String {
        format!("whsec_{}", STANDARD.encode(self.secret(account_id)))
    }

    fn secret(&self, account_id: &str) -> [u8; 32] {
        hmac(self.pair.as_bytes(), &[SECRET_PURPOSE, account_id.as_bytes()])
    }

    fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(message).to_bytes())
    }
}

impl Keyring {
    /// A keyring of one key, which is active.
    #[must_use]
    pub fn begin(key: Key) -> Keyring {
        Keyring { active: key, others: Vec::new() }
    }

    /// Reads a keyring that `tollgate keys signing` wrote.
    ///
    /// # Errors
    /// When the file is not there, is none, or may be read by others than its owner (a file of
    /// root's: than its owner and group).
    pub fn load(path: &Path) -> Result<Keyring, Error> {
        file::read(path)
    }

    /// The one whose signature the vendor's SDK is given.
    #[must_use]
    pub fn active(&self) -> &Key {
        &self.active
    }

    /// The active one first, then from the newest to the oldest.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.active).chain(&self.others)
    }

    /// Adds a key, which signs after the Standard Webhooks spec at once and for the vendor's SDK
    /// when it is activated.
    ///
    /// # Errors
    /// `Full` when there are [`KEYS_MAX`].
    pub fn add(&mut self, key: Key) -> Result<(), Error> {
        if self.others.len() + 1 >= KEYS_MAX {
            return Err(Error::Full);
        }
        self.others.insert(0, key);
        Ok(())
    }

    /// From now on it signs for the vendor's SDK, and the one that did goes on as the others do.
    ///
    /// # Errors
    /// `Unknown`.
    pub fn activate(&mut self, id: &str) -> Result<(), Error> {
        if self.active.id == id {
            return Ok(());
        }
        let at = self.place(id)?;
        std::mem::swap(&mut self.active, &mut self.others[at]);
        self.others.sort_by_key(|key| std::cmp::Reverse(key.created_at));
        Ok(())
    }

    /// Takes a key out: what it signed is still accepted by those who know it, but it signs no
    /// more.
    ///
    /// # Errors
    /// `Unknown`, or `Active`: the active one must be followed by another first.
    pub fn retire(&mut self, id: &str) -> Result<(), Error> {
        if self.active.id == id {
            return Err(Error::Active(id.to_owned()));
        }
        let at = self.place(id)?;
        self.others.remove(at);
        Ok(())
    }

    fn place(&self, id: &str) -> Result<usize, Error> {
        let at = self.others.iter().position(|key| key.id == id);
        at.ok_or_else(|| Error::Unknown(id.to_owned()))
    }

    /// The headers that sign a body for an account at a time. `message_id` names the delivery and
    /// stays the same when it is tried again; it has no dot, which ends it in what is signed.
    #[must_use]
    pub fn headers(
        &self,
        account_id: &str,
        message_id: &str,
        at: Millis,
        body: &[u8],
    ) -> Vec<(&'static str, String)> {
        assert!(!message_id.contains('.'), "the id of a message has no dot");
        let timestamp = at.0.div_euclid(1_000).to_string();
        let vendor = [timestamp.as_bytes(), b"|", body].concat();
        let standard = standard_message(message_id, &timestamp, body);
        let hmacs = self.keys().map(|key| v1(&key.secret(account_id), &standard));
        let signatures = self.keys().map(|key| format!("v1a,{}", key.sign(&standard)));
        let signatures: Vec<String> = hmacs.chain(signatures).collect();
        vec![
            ("telnyx-timestamp", timestamp.clone()),
            ("telnyx-signature-ed25519", self.active.sign(&vendor)),
            ("webhook-id", message_id.to_owned()),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signatures.join(" ")),
        ]
    }
}

/// What the Standard Webhooks spec has signed.
fn standard_message(message_id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [message_id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

fn v1(secret: &[u8], message: &[u8]) -> String {
    format!("v1,{}", STANDARD.encode(hmac(secret, &[message])))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Without the seed.
impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Key")
            .field("id", &self.id)
            .field("created_at", &self.created_at)
            .field("public_key", &self.public_key())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Keyring { active, others } = self;
        out.debug_struct("Keyring").field("active", active).field("others", others).finish()
    }
}
