//! `tollgate keys`: makes, lists and revokes API keys by commands, as every setting. Promise: a
//! key is printed once and never recorded. The keys that sign webhooks are `signing`'s.

use std::sync::Arc;
use std::time::Duration;

use super::api::{commands, tail_options, takes_json};
use super::args::{Keys, KeysOf, NewKey};
use super::config::load;
use super::engine::decoder;
use super::{print, signing};
use crate::api::keys::{self, Scope};
use crate::config::Config;
use crate::error::{Error, Exit};
use crate::settings::known::Known;
use crate::settings::{Account, KEY};
use crate::tail::Start;
use crate::telemetry::SystemClock;
use crate::time::Clock;
use crate::topics;
use crate::wire::{Head, Setting};

pub(super) fn run(command: &Keys) -> Result<Exit, Error> {
    match command {
        Keys::New(new) => make(new),
        Keys::List(of) => list(of),
        Keys::Revoke { of, id } => revoke(of, id),
        Keys::Signing(command) => signing::run(command),
    }
}

fn make(new: &NewKey) -> Result<Exit, Error> {
    if !(1..=128).contains(&new.of.account.chars().count()) {
        return Err(Error::usage("--account has 1 to 128 characters"));
    }
    let config = load(&new.of.file)?.config;
    takes_json(&config)?;
    let key = keys::NewKey::make();
    record(&config, &new.of.account, &key.setting(&new.scopes, new.name.as_deref()))?;
    print(&format!("{}\n", key.key))?;
    Ok(Exit::Done)
}

fn list(of: &KeysOf) -> Result<Exit, Error> {
    let config = load(&of.file)?.config;
    let account = settings(&config, &of.account)?;
    for (id, key) in account.documents(KEY) {
        let scopes: Vec<&str> = keys::scopes(key).into_iter().map(Scope::as_str).collect();
        let name = key.body.get("name").and_then(|name| name.as_str()).unwrap_or("-");
        print(&format!("{id}  {}  {}  {name}\n", key.created_at, scopes.join(",")))?;
    }
    Ok(Exit::Done)
}

fn revoke(of: &KeysOf, id: &str) -> Result<Exit, Error> {
    let config = load(&of.file)?.config;
    takes_json(&config)?;
    if settings(&config, &of.account)?.document(KEY, id).is_none() {
        return Err(Error::usage(format!("account {} has no key {id}", of.account))
            .remedy(format!("tollgate keys list --account {} shows them", of.account)));
    }
    record(&config, &of.account, &keys::revoked(id))?;
    Ok(Exit::Done)
}

/// Appends a setting; it is in force as soon as the servers have read it.
fn record(config: &Config, account_id: &str, setting: &Setting) -> Result<(), Error> {
    let commands = commands(config, partitions(config)?)?;
    let command_id = uuid::Uuid::from_u128(rand::random()).to_string();
    let written = setting.write(&Head {
        command_id: &command_id,
        account_id,
        issued_at: SystemClock.now(),
        actor: "tollgate keys",
        reason: None,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed("cannot start a runtime").because(error))?;
    let appended = runtime.block_on(commands.append(account_id, &[written]));
    appended.map(|_| ()).map_err(|error| {
        Error::failed("the key was not recorded")
            .because(error)
            .remedy("check kafka.bootstrap and that the brokers run, then try again")
    })
}

/// The account's settings, read from the topic.
pub(super) fn settings(config: &Config, account_id: &str) -> Result<Arc<Account>, Error> {
    let failed = |error| {
        Error::failed("the settings cannot be read")
            .because(error)
            .remedy("check kafka.bootstrap and that the brokers run, then try again")
    };
    let options = tail_options(config, &config.topics.commands, Start::Beginning);
    let (partitions, clock) = (partitions(config)?, Arc::new(SystemClock));
    let known = Known::start(&options, partitions, decoder(config)?, 0, clock).map_err(failed)?;
    known.ready(Duration::from_millis(config.kafka.request_timeout_ms.into())).map_err(failed)?;
    let account = known.settings().account(account_id);
    Ok(account)
}

fn partitions(config: &Config) -> Result<u32, Error> {
    let report = topics::check(config)?;
    let missing = || {
        Error::failed(format!("topic {} does not exist", config.topics.billed))
            .remedy("tollgate topics create, with the same configuration")
    };
    Ok(u32::try_from(report.partitions.ok_or_else(missing)?).unwrap_or(u32::MAX))
}
