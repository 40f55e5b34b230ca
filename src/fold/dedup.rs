//! Which events were seen already (O3). Promise: within the dedup window an id counts once; the
//! same id with another payload is a conflict. Ids are kept as 16 bytes (a UUID's own, else of
//! SHA-256: keys are chosen by customers, who gain from a collision) and 4 bytes of payload check.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use hashbrown::hash_table::Entry;
use sha2::{Digest, Sha256};

use super::event::BilledEvent;
use super::parted::PartedTable;
use super::scope_key::canonical_uuid;
use super::tally::AccountNumber;
use crate::time::{self, Millis};

/// One part loses its forgotten ids for each so many new ids, as long as there may be any.
const NEW_IDS_PER_SWEEP: u32 = 64;
const PARTS: usize = PartedTable::<Known>::PARTS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    New,
    Duplicate,
    Conflict,
}

/// An id inside its account. Idempotency keys and event ids never match each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DedupKey {
    id: [u64; 2],
    account: u32,
    idempotency: bool,
}

/// Bytes of a packed id: account, key kind, id, payload check.
pub const PACKED_BYTES: usize = 4 + 1 + 16 + 4;

/// An id that was seen.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// In halves: an alignment of 8 bytes would take four more.
    id: [u32; 4],
    account: u32,
    payload: u32,
    /// When it was seen: times before the year 2200 have minutes of 27 bits. The lowest bit is set
    /// for an idempotency key.
    minute_and_kind: u32,
}

const _: () = assert!(size_of::<Known>() == 28);

/// The ids of one minute that the store lacks.
#[derive(Debug)]
struct Fresh {
    minute: i64,
    /// Ids of this minute in the store.
    stored: u64,
    packed: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Dedup {
    known: PartedTable<Known>,
    /// Oldest minute first.
    fresh: VecDeque<Fresh>,
    /// Ids of earlier minutes are forgotten, whether or not they are still in a part.
    forgotten_before: i64,
    /// Parts that may hold forgotten ids, and the one that is swept next.
    to_sweep: usize,
    next_swept: usize,
    new_ids: u32,
}

impl Default for Dedup {
    fn default() -> Dedup {
        Dedup {
            known: PartedTable::new(),
            fresh: VecDeque::new(),
            forgotten_before: 0,
            to_sweep: 0,
            next_swept: 0,
            new_ids: 0,
        }
    }
}

impl Dedup {
    /// Looks an event up and, if it is new, remembers it from `now` on.
    pub fn check(&mut self, account: AccountNumber, event: &EventId, now: Millis) -> Seen {
        let (key, payload) = (event.key(account), event.payload);
        let fresh = key.known(now.minute(), payload);
        let forgotten_before = self.forgotten_before;
        match self.entry(&key) {
            Entry::Occupied(mut known) if known.get().minute() < forgotten_before => {
                *known.get_mut() = fresh;
            }
            Entry::Occupied(known) if known.get().payload == payload => return Seen::Duplicate,
            Entry::Occupied(_) => return Seen::Conflict,
            Entry::Vacant(free) => {
                free.insert(fresh);
            }
        }
        key.pack(payload, &mut self.fresh_of(now.minute()).packed);
        self.sweep_some();
        Seen::New
    }

    /// Whether memory holds the id, forgotten or not.
    pub fn holds(&self, account: AccountNumber, event: &EventId) -> bool {
        let key = event.key(account);
        let hash = key.hash();
        self.known.find(hash, |known| known.key() == key).is_some()
    }

    /// Moves the dedup window on: ids are remembered while their age in minutes is at most
    /// `dedup_minutes`. What was forgotten stays so when the window grows again.
    pub fn advance(&mut self, now: Millis, dedup_minutes: u32) {
        let oldest = now.minute() - i64::from(dedup_minutes);
        if oldest > self.forgotten_before {
            self.forgotten_before = oldest;
            self.to_sweep = PARTS;
            while self.fresh.front().is_some_and(|fresh| fresh.minute < oldest) {
                self.fresh.pop_front();
            }
        }
    }

    pub fn forgotten_before(&self) -> i64 {
        self.forgotten_before
    }

    pub fn set_forgotten_before(&mut self, minute: i64) {
        self.forgotten_before = minute;
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    fn entry(&mut self, key: &DedupKey) -> Entry<'_, Known> {
        self.known.entry(key.hash(), |known| known.key() == *key, Known::hash)
    }

    fn fresh_of(&mut self, minute: i64) -> &mut Fresh {
        if self.fresh.back().is_none_or(|last| last.minute != minute) {
            self.fresh.push_back(Fresh { minute, stored: 0, packed: Vec::new() });
        }
        self.fresh.back_mut().expect("was just seen or made")
    }

    fn sweep_some(&mut self) {
        self.new_ids += 1;
        if self.to_sweep == 0 || self.new_ids < NEW_IDS_PER_SWEEP {
            return;
        }
        let oldest = self.forgotten_before;
        self.known.retain(self.next_swept, |known| known.minute() >= oldest, Known::hash);
        self.next_swept = (self.next_swept + 1) % PARTS;
        self.to_sweep -= 1;
        self.new_ids = 0;
    }

    /// Gives the ids that the store lacks, packed by minute: `write(minute, index of the first,
    /// bytes)`. Forgotten minutes are not among them: `advance` let them go.
    pub fn freeze(&mut self, mut write: impl FnMut(i64, u64, Vec<u8>)) {
        for fresh in &mut self.fresh {
            if fresh.packed.is_empty() {
                continue;
            }
            let packed = std::mem::take(&mut fresh.packed);
            let (index, ids) = (fresh.stored, (packed.len() / PACKED_BYTES) as u64);
            fresh.stored += ids;
            write(fresh.minute, index, packed);
        }
    }

    /// Takes one packed run of ids back from the store. Runs come in the order of minute and
    /// index. `None` when the bytes are no whole number of ids, or no event can be of that minute.
    pub fn load(&mut self, minute: i64, packed: &[u8]) -> Option<()> {
        let possible = (0..time::END.minute()).contains(&minute);
        if !possible || !packed.len().is_multiple_of(PACKED_BYTES) {
            return None;
        }
        for one in packed.chunks_exact(PACKED_BYTES) {
            let (key, payload) = DedupKey::unpack(one)?;
            let known = key.known(minute, payload);
            match self.entry(&key) {
                Entry::Occupied(mut former) => *former.get_mut() = known,
                Entry::Vacant(free) => {
                    free.insert(known);
                }
            }
            self.fresh_of(minute).stored += 1;
        }
        Some(())
    }
}

impl Known {
    fn key(&self) -> DedupKey {
        let [a, b, c, d] = self.id.map(u64::from);
        let idempotency = self.minute_and_kind & 1 == 1;
        DedupKey { id: [a << 32 | b, c << 32 | d], account: self.account, idempotency }
    }

    fn minute(&self) -> i64 {
        i64::from(self.minute_and_kind >> 1)
    }

    fn hash(&self) -> u64 {
        self.key().hash()
    }
}

impl DedupKey {
    fn known(&self, minute: i64, payload: u32) -> Known {
        let minute = u32::try_from(minute).expect("a minute between the years 1970 and 2200");
        let DedupKey { id: [high, low], account, idempotency } = *self;
        let id = [(high >> 32) as u32, high as u32, (low >> 32) as u32, low as u32];
        Known { id, account, payload, minute_and_kind: minute << 1 | u32::from(idempotency) }
    }

    fn hash(&self) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write_u64(self.id[0]);
        hasher.write_u64(self.id[1]);
        hasher.write_u64(u64::from(self.account) << 1 | u64::from(self.idempotency));
        hasher.finish()
    }

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

/// What an event is known by inside its account.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventId {
    id: [u64; 2],
    payload: u32,
    idempotency: bool,
}

impl EventId {
    /// `scratch` is for the work alone.
    pub fn of(event: &BilledEvent<'_>, scratch: &mut Vec<u8>) -> EventId {
        let idempotency = event.idempotency_key.is_some();
        let id = event.idempotency_key.as_ref().unwrap_or(&event.event_id);
        EventId { id: sixteen(id), payload: payload(event, scratch), idempotency }
    }

    fn key(&self, account: AccountNumber) -> DedupKey {
        DedupKey { id: self.id, account: account.0, idempotency: self.idempotency }
    }
}

/// The 16 bytes of an id: a UUID's own in its canonical spelling, else of its digest.
fn sixteen(id: &str) -> [u64; 2] {
    let bytes = canonical_uuid(id).unwrap_or_else(|| digest16(id).to_be_bytes());
    let number = u128::from_be_bytes(bytes);
    [(number >> 64) as u64, number as u64]
}

/// The first 16 bytes of the text's SHA-256.
pub(super) fn digest16(text: &str) -> u128 {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let first = digest.first_chunk::<16>().expect("32 bytes have 16");
    u128::from_be_bytes(*first)
}

/// A check over what makes two events the same (FORMATS.md, evaluation 2); cost goes by value.
fn payload(event: &BilledEvent<'_>, bytes: &mut Vec<u8>) -> u32 {
    bytes.clear();
    let mut text = |text: Option<&str>| {
        // No text holds 0xFF bytes, so the marks keep neighbours apart.
        bytes.extend_from_slice(text.map_or(&[0xFF, 0xFE][..], str::as_bytes));
        bytes.push(0xFF);
    };
    text(event.profile_id.as_deref());
    text(Some(&event.feature));
    text(event.country.as_deref());
    text(event.sender.as_deref());
    text(event.recipient.as_deref());
    text(event.purpose.as_deref());
    bytes.extend_from_slice(&event.requests.to_be_bytes());
    bytes.extend_from_slice(&event.cost.0.to_be_bytes());
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests;
