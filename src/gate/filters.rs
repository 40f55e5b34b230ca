//! Which sends a limit of numbers holds: its `only`, which block records do not carry.
//! Promise: what is not known holds everything, so that a missing command never lets a send slip
//! through that should be held.

use super::key::{self, Key, KeyRef, Map};
use super::verdict::Send;
use crate::fold::BUILT_IN;
use crate::fold::event::{Change, Input};
use crate::fold::limit::{LimitSpec, Only, ScopeKind};
use crate::wire::{BlockSeen, Decoder, Error};

/// The built-in limit counts one-time passwords only (O1), until a command sets it.
const BUILT_IN_PURPOSE: &str = "otp";

/// By account and limit, those that do not hold everything; of the built-in limit every one that a
/// command has set.
pub(super) struct Filters(Map<Only>);

impl Filters {
    pub fn new() -> Filters {
        Filters(key::map())
    }

    /// Takes a record of the topic of commands. What the fold would decline changes nothing.
    pub fn take(&self, decoder: &Decoder, value: Option<&[u8]>) -> Result<(), Error> {
        let Some(value) = value else { return Ok(()) };
        // A removal changes nothing here: the block is lifted, and until that is told it holds what
        // it held.
        if let Input::Command(command) = decoder.decode_command(value)?.input
            && let Change::LimitSet(spec) = command.change
        {
            self.set(&command.account_id, spec);
        }
        Ok(())
    }

    fn set(&self, account: &str, spec: LimitSpec) {
        let filters = self.0.pin();
        let key = place(account, &spec.limit_id);
        if spec.only == Only::default() && spec.limit_id != BUILT_IN {
            filters.remove(&key);
        } else {
            filters.insert(Key::from(key), spec.only);
        }
    }

    /// Whether the block is for such a send at all.
    pub fn hold(&self, block: &BlockSeen, send: &Send<'_>) -> bool {
        match block.scope.kind {
            ScopeKind::Recipient | ScopeKind::Sender => {}
            ScopeKind::Account | ScopeKind::Feature | ScopeKind::Profile | ScopeKind::Country => {
                return true;
            }
        }
        let filters = self.0.pin();
        match filters.get(&place(&block.account_id, &block.limit_id)) {
            Some(only) => {
                let purpose = only.purpose.as_deref().is_none_or(|it| send.purpose == Some(it));
                purpose && only.feature.as_deref().is_none_or(|it| send.feature == it)
            }
            None => block.limit_id != BUILT_IN || send.purpose == Some(BUILT_IN_PURPOSE),
        }
    }
}

fn place<'a>(account: &'a str, limit_id: &'a str) -> KeyRef<'a> {
    KeyRef { account, kind: "", id: limit_id }
}
