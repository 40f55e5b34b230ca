//! What the contracts stand on: they read settings, look at what the fold knows, and record
//! changes. Promise: who reads after a write sees the write; what is told stands in the journal;
//! requests of an account that change something come one after another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::time::timeout;

use super::caller::Caller;
use super::commands::Commands;
use super::fault::{Fault, Kind};
use crate::engine::partition::{Ask, Told};
use crate::engine::runner::Desk;
use crate::fold::Look;
use crate::settings::Account;
use crate::settings::known::Known;
use crate::tail::SharedClock;
use crate::time::Millis;
use crate::wire::{Head, Setting};

/// Shared by all requests.
pub struct Control {
    pub(super) known: Arc<Known>,
    commands: Commands,
    desk: Desk,
    clock: SharedClock,
    timeout: Duration,
    /// One at a time for each account that is being changed.
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

/// Seconds after which a partition that is being taken over has most likely an owner.
const TAKEOVER_S: u64 = 1;

impl Control {
    /// `timeout` bounds each wait for the engine.
    #[must_use]
    pub fn new(
        known: Arc<Known>,
        commands: Commands,
        desk: Desk,
        clock: SharedClock,
        timeout: Duration,
    ) -> Control {
        Control { known, commands, desk, clock, timeout, turns: Mutex::default() }
    }

    /// The present by this host's clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// The account's settings as of now.
    #[must_use]
    pub fn settings(&self, account_id: &str) -> Arc<Account> {
        self.known.settings().account(account_id)
    }

    /// The partition of the account.
    #[must_use]
    pub fn partition(&self, account_id: &str) -> u32 {
        self.commands.partition(account_id)
    }

    /// Waits until the account is not being changed by another request, and keeps others from it
    /// until the guard goes. Take it before reading what a change is based on.
    pub async fn turn(&self, account_id: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let known = turns.get(account_id).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let fresh = Arc::new(tokio::sync::Mutex::new(()));
                turns.insert(account_id.to_owned(), Arc::downgrade(&fresh));
                fresh
            })
        };
        turn.lock_owned().await
    }

    /// What the fold knows of the account now. `account_id` and `at` of the look are filled in.
    ///
    /// # Errors
    /// `Unavailable` while the partition has no owner here, `Late` when it does not answer in time.
    pub async fn look(&self, account_id: &str, look: Look) -> Result<Told, Fault> {
        self.look_after(account_id, look, 0).await
    }

    async fn look_after(
        &self,
        account_id: &str,
        mut look: Look,
        after: u64,
    ) -> Result<Told, Fault> {
        look.account_id = account_id.into();
        look.at = self.now();
        let (tell, told) = oneshot::channel();
        let tell = Box::new(|answer| {
            // Who asked may have given up.
            let _ = tell.send(answer);
        });
        self.desk.ask(self.partition(account_id), Ask { look, after, tell });
        match timeout(self.timeout, told).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(_)) => Err(Fault::new(
                Kind::Unavailable,
                "The partition of this account is being taken over by another process; try again \
                 in a moment.",
            )
            .retry_after(TAKEOVER_S)),
            Err(_) => Err(Fault::new(
                Kind::Late,
                "The engine did not get to the present in time: it is catching up, or cannot reach \
                 Kafka. What was recorded takes effect once it does; look again later.",
            )),
        }
    }

    /// Records changes of the caller's account and waits until they are in force.
    ///
    /// # Errors
    /// `Unavailable` when they could not be recorded: some may have been, so ask again or look;
    /// `Late` when they are recorded and not in force in time.
    pub async fn record(
        &self,
        caller: &Caller,
        reason: Option<&str>,
        settings: &[Setting],
    ) -> Result<(), Fault> {
        if settings.is_empty() {
            return Ok(());
        }
        let account_id = caller.account_id.as_str();
        let written = settings.iter().map(|setting| {
            let command_id = uuid::Uuid::from_u128(rand::random()).to_string();
            setting.write(&Head {
                command_id: &command_id,
                account_id,
                issued_at: self.now(),
                actor: &caller.actor,
                reason,
            })
        });
        let written: Vec<_> = written.collect();
        let failed = |error: super::commands::Error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "commands were not recorded");
            Fault::new(
                Kind::Unavailable,
                "The change could not be recorded in Kafka, or was without anyone knowing: look, \
                 and try again.",
            )
            .retry_after(TAKEOVER_S)
        };
        let behind = match self.commands.append(account_id, &written).await.map_err(failed)? {
            Some(behind) => behind,
            None => {
                tokio::task::block_in_place(|| self.commands.end(account_id)).map_err(failed)?
            }
        };
        let partition = self.partition(account_id);
        let known = timeout(self.timeout, self.known.passed(partition, behind));
        let nothing = Look::default();
        let (known, folded) = tokio::join!(known, self.look_after(account_id, nothing, behind));
        if known.is_err() {
            return Err(Fault::new(
                Kind::Late,
                "The change is recorded, and was not read back in time; look again later.",
            ));
        }
        folded.map(|_| ())
    }
}
