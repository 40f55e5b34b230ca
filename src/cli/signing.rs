//! `tollgate keys signing`: makes, lists, activates and retires the keys that sign webhooks, and
//! shows an account its secrets. Promise: it works on the file alone, and prints no seed.

use std::fmt::Write;

use super::args::Signing;
use super::print;
use crate::error::{Error, Exit};
use crate::notify::signing::{self, Key, Keyring};
use crate::telemetry::SystemClock;
use crate::time::Clock;

pub(super) fn run(command: &Signing) -> Result<Exit, Error> {
    match command {
        Signing::New(file) => {
            let key = Key::new(rand::random(), SystemClock.now());
            let id = key.id.clone();
            let ring = signing::add(&file.path, key)?;
            print(&rows(&ring, |key| key.id == id))?;
        }
        Signing::List(file) => print(&rows(&Keyring::load(&file.path)?, |_| true))?,
        Signing::Activate(key) => {
            signing::activate(&key.file.path, &key.id)?;
        }
        Signing::Retire(key) => {
            signing::retire(&key.file.path, &key.id)?;
        }
        Signing::Show { file, account } => {
            if !(1..=128).contains(&account.chars().count()) {
                return Err(Error::usage("--account has 1 to 128 characters"));
            }
            print(&shown(&Keyring::load(&file.path)?, account))?;
        }
    }
    Ok(Exit::Done)
}

/// A line for each of these keys, oldest first.
fn rows(ring: &Keyring, wanted: impl Fn(&Key) -> bool) -> String {
    let mut keys: Vec<&Key> = ring.keys().filter(|key| wanted(key)).collect();
    keys.sort_by_key(|key| key.created_at);
    let row = |key: &Key| {
        let (id, created_at) = (&key.id, key.created_at);
        format!("{id}  {created_at}  {:<7}  {}\n", standing(ring, key), key.public_key())
    };
    keys.into_iter().map(row).collect()
}

/// What is next for a key: a younger one than the active waits to be activated, an older one to be
/// retired.
fn standing(ring: &Keyring, key: &Key) -> &'static str {
    let active = ring.active();
    if key.id == active.id {
        "active"
    } else if key.created_at >= active.created_at {
        "waiting"
    } else {
        "leaving"
    }
}

/// What the account's receivers take, the active key first.
fn shown(ring: &Keyring, account: &str) -> String {
    let mut text = String::new();
    for key in ring.keys() {
        let (public, standard) = (key.public_key(), key.standard_public_key());
        writeln!(
            text,
            "key {}, {}\n  telnyx public key             {public}\n  \
             standard webhooks secret      {}\n  standard webhooks public key  {standard}",
            key.id,
            standing(ring, key),
            key.standard_secret(account),
        )
        .expect("a String takes all");
    }
    text
}
