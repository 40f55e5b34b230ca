//! Which events were seen already (O3). Promise: within the dedup window an id counts once; the
//! same id with another payload is a conflict. Ids are kept as 16 bytes (a UUID's own, else of
//! SHA-256: keys are chosen by customers, who gain from a collision) and 4 bytes of payload check.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::event::BilledEvent;
use super::table::Map;
use super::tally::AccountNumber;
use crate::time::Millis;

/// Forgotten ids removed from memory per event: more than one event adds, so memory keeps up.
const REMOVED_PER_EVENT: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    New,
    Duplicate,
    Conflict,
}

/// An id inside its account. Idempotency keys and event ids never match each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DedupKey {
    id: [u64; 2],
    account: u32,
    idempotency: bool,
}

/// Bytes of a packed id: account, key kind, id, payload check.
pub const PACKED_BYTES: usize = 4 + 1 + 16 + 4;

#[derive(Debug)]
struct Generation {
    minute: i64,
    keys: Vec<DedupKey>,
    /// Keys before this index are in the store.
    stored: usize,
    /// Keys before this index were taken out of the map.
    removed: usize,
}

#[derive(Clone, Copy, Debug)]
struct Memory {
    minute: i64,
    payload: u32,
}

#[derive(Debug, Default)]
pub(super) struct Dedup {
    ids: Map<DedupKey, Memory>,
    /// Oldest minute first.
    generations: VecDeque<Generation>,
    /// Ids of earlier minutes are forgotten, whether or not they are still in the map.
    forgotten_before: i64,
}

impl Dedup {
    /// Looks an event up and, if it is new, remembers it from `now` on.
    pub fn check(&mut self, account: AccountNumber, event: &BilledEvent, now: Millis) -> Seen {
        let (key, payload) = (key(account, event), payload(event));
        let memory = Memory { minute: now.minute(), payload };
        match self.ids.entry(key) {
            Entry::Occupied(mut known) if known.get().minute < self.forgotten_before => {
                known.insert(memory);
            }
            Entry::Occupied(known) if known.get().payload == payload => return Seen::Duplicate,
            Entry::Occupied(_) => return Seen::Conflict,
            Entry::Vacant(free) => {
                free.insert(memory);
            }
        }
        self.generation(memory.minute).keys.push(key);
        self.remove_some();
        Seen::New
    }

    /// Moves the dedup window on: ids are remembered while their age in minutes is at most
    /// `dedup_minutes`. What was forgotten stays so when the window grows again.
    pub fn advance(&mut self, now: Millis, dedup_minutes: u32) {
        let oldest = now.minute() - i64::from(dedup_minutes);
        self.forgotten_before = self.forgotten_before.max(oldest);
    }

    pub fn forgotten_before(&self) -> i64 {
        self.forgotten_before
    }

    pub fn set_forgotten_before(&mut self, minute: i64) {
        self.forgotten_before = minute;
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    fn generation(&mut self, minute: i64) -> &mut Generation {
        if self.generations.back().is_none_or(|last| last.minute != minute) {
            let next = Generation { minute, keys: Vec::new(), stored: 0, removed: 0 };
            self.generations.push_back(next);
        }
        self.generations.back_mut().expect("was just seen or made")
    }

    fn remove_some(&mut self) {
        for _ in 0..REMOVED_PER_EVENT {
            let Some(oldest) = self.generations.front_mut() else { return };
            if oldest.minute >= self.forgotten_before {
                return;
            }
            match oldest.keys.get(oldest.removed) {
                Some(key) => {
                    oldest.removed += 1;
                    if self.ids.get(key).is_some_and(|memory| memory.minute == oldest.minute) {
                        self.ids.remove(key);
                    }
                }
                None => {
                    self.generations.pop_front();
                }
            }
        }
    }

    /// Gives the ids that the store lacks, packed by minute: `write(minute, index of the first,
    /// bytes)`. Forgotten minutes are left out.
    pub fn freeze(&mut self, mut write: impl FnMut(i64, u64, Vec<u8>)) {
        for generation in &mut self.generations {
            let fresh = &generation.keys[generation.stored..];
            if fresh.is_empty() || generation.minute < self.forgotten_before {
                continue;
            }
            let mut packed = Vec::with_capacity(fresh.len() * PACKED_BYTES);
            for key in fresh {
                let memory = self.ids.get(key).expect("a remembered id is in the map");
                key.pack(memory.payload, &mut packed);
            }
            write(generation.minute, generation.stored as u64, packed);
            generation.stored = generation.keys.len();
        }
    }

    /// Takes one packed run of ids back from the store. Runs come in the order of minute and
    /// index. `None` when the bytes are no whole number of ids.
    pub fn load(&mut self, minute: i64, packed: &[u8]) -> Option<()> {
        if !packed.len().is_multiple_of(PACKED_BYTES) {
            return None;
        }
        for one in packed.chunks_exact(PACKED_BYTES) {
            let (key, payload) = DedupKey::unpack(one)?;
            self.ids.insert(key, Memory { minute, payload });
            let generation = self.generation(minute);
            generation.keys.push(key);
            generation.stored = generation.keys.len();
        }
        Some(())
    }
}

impl DedupKey {
    fn pack(&self, payload: u32, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.account.to_be_bytes());
        into.push(u8::from(self.idempotency));
        into.extend_from_slice(&self.id[0].to_be_bytes());
        into.extend_from_slice(&self.id[1].to_be_bytes());
        into.extend_from_slice(&payload.to_be_bytes());
    }

    fn unpack(bytes: &[u8]) -> Option<(DedupKey, u32)> {
        let (account, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first()?;
        let (high, rest) = rest.split_first_chunk::<8>()?;
        let (low, rest) = rest.split_first_chunk::<8>()?;
        let key = DedupKey {
            id: [u64::from_be_bytes(*high), u64::from_be_bytes(*low)],
            account: u32::from_be_bytes(*account),
            idempotency: *kind != 0,
        };
        Some((key, u32::from_be_bytes(*rest.first_chunk::<4>()?)))
    }
}

fn key(account: AccountNumber, event: &BilledEvent) -> DedupKey {
    let idempotency = event.idempotency_key.is_some();
    let id = event.idempotency_key.as_ref().unwrap_or(&event.event_id);
    DedupKey { id: sixteen(id), account: account.0, idempotency }
}

/// The 16 bytes of an id. Only the canonical spelling of a UUID is taken by value, so that two
/// texts never share an id.
fn sixteen(id: &str) -> [u64; 2] {
    if id.len() == 36
        && !id.bytes().any(|byte| byte.is_ascii_uppercase())
        && let Ok(uuid) = Uuid::try_parse(id)
    {
        let (high, low) = uuid.as_u64_pair();
        return [high, low];
    }
    let digest = digest16(id);
    [(digest >> 64) as u64, digest as u64]
}

/// The first 16 bytes of the text's SHA-256.
pub(super) fn digest16(text: &str) -> u128 {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let first = digest.first_chunk::<16>().expect("32 bytes have 16");
    u128::from_be_bytes(*first)
}

/// A check over what makes two events the same (FORMATS.md, evaluation 2); cost goes by value.
fn payload(event: &BilledEvent) -> u32 {
    let mut check = crc32fast::Hasher::new();
    let mut text = |text: Option<&str>| {
        // No text holds 0xFF bytes, so the marks keep neighbours apart.
        check.update(text.map_or(&[0xFF, 0xFE][..], str::as_bytes));
        check.update(&[0xFF]);
    };
    text(event.profile_id.as_deref());
    text(Some(&event.feature));
    text(event.country.as_deref());
    text(event.sender.as_deref());
    text(event.recipient.as_deref());
    text(event.purpose.as_deref());
    check.update(&event.requests.to_be_bytes());
    check.update(&event.cost.0.to_be_bytes());
    check.finalize()
}
