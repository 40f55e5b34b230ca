//! Open WhatsApp sessions (O5): when each contact last wrote to each number of an account.
//! Promise: a session is open for 24 hours from its last inbound message, half-open; entries are
//! bounded, those that end first go first, and whoever is forgotten is denied, never let through.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::key::{self, Key, KeyRef, Map};
use super::verdict::Send;
use crate::time::{DAY_MS, Millis};
use crate::wire::{Decoder, Error};

pub(super) struct Sessions {
    /// By account, its number and the contact: when the contact wrote last.
    last: Map<Millis>,
    /// The same by time, for the one who writes.
    by_time: Mutex<BTreeSet<(Millis, Key)>>,
    entries_max: usize,
    /// Open sessions that were forgotten for want of room.
    forgotten: AtomicU64,
}

impl Sessions {
    pub fn new(entries_max: usize) -> Sessions {
        Sessions {
            last: key::map(),
            by_time: Mutex::default(),
            entries_max,
            forgotten: AtomicU64::new(0),
        }
    }

    /// Takes a record of the topic of inbound messages; `now` is when it is read.
    pub fn take(&self, decoder: &Decoder, value: Option<&[u8]>, now: Millis) -> Result<(), Error> {
        let Some(value) = value else { return Ok(()) };
        let inbound = decoder.decode_inbound(value)?;
        if inbound.feature != "whatsapp" {
            return Ok(());
        }
        let key =
            KeyRef { account: &inbound.account_id, kind: &inbound.recipient, id: &inbound.sender };
        // Nobody can have written later than now; a clock ahead shall not lengthen the session.
        self.wrote(key, inbound.received_at.min(now), now);
        Ok(())
    }

    fn wrote(&self, key: KeyRef<'_>, at: Millis, now: Millis) {
        let last = self.last.pin();
        let mut by_time = self.by_time.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.get(&key).copied();
        if is_open(at, now) && known.is_none_or(|known| known < at) {
            let key = Key::from(key);
            if let Some(known) = known {
                by_time.remove(&(known, key.clone()));
            }
            by_time.insert((at, key.clone()));
            last.insert(key, at);
        }
        while let Some((first, _)) = by_time.first() {
            let crowded = by_time.len() > self.entries_max;
            if is_open(*first, now) && !crowded {
                break;
            }
            if crowded {
                self.tell_forgotten();
            }
            if let Some((_, key)) = by_time.pop_first() {
                last.remove(&key);
            }
        }
    }

    /// Ever more rarely: each one would be a line per message.
    fn tell_forgotten(&self) {
        let forgotten = self.forgotten.fetch_add(1, Ordering::Relaxed) + 1;
        if forgotten.is_power_of_two() {
            let sessions_max = self.entries_max;
            tracing::warn!(sessions_max, forgotten, "too many open sessions: raise the bound");
        }
    }

    /// Whether the recipient wrote to the sender within the last 24 hours.
    pub fn open(&self, send: &Send<'_>, now: Millis) -> bool {
        let (Some(ours), Some(contact)) = (send.sender, send.recipient) else { return false };
        let last = self.last.pin();
        let key = KeyRef { account: send.account, kind: ours, id: contact };
        last.get(&key).is_some_and(|at| is_open(*at, now))
    }
}

fn is_open(last: Millis, now: Millis) -> bool {
    now.0 - last.0 < DAY_MS
}
