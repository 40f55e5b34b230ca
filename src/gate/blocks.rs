//! The blocks that hold, by scope. Promise: of each block key the record with the highest sequence
//! counts (L6), a tombstone takes the key away, and a reader never waits for a writer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use compact_str::CompactString;

use super::filters::Filters;
use super::key::{self, Key, KeyRef, Map};
use super::verdict::{Send, ends_at};
use crate::fold::limit::ScopeKind;
use crate::time::{Clock, Millis};
use crate::wire::{BlockSeen, Decoder, Error};

/// Kinds of scope.
const KINDS: usize = 6;

pub(super) struct Blocks {
    /// What is read by checks: all blocks of a scope, replaced as a whole.
    held: Map<Vec<Arc<BlockSeen>>>,
    /// How many there are of each kind of scope: a kind without blocks is not looked up.
    counts: [AtomicUsize; KINDS],
    /// What only the one who writes looks at: by block key.
    shown: Mutex<HashMap<CompactString, Shown, foldhash::fast::RandomState>>,
}

/// The last record of a block key.
struct Shown {
    sequence: u64,
    /// Where its block stands in `held`.
    block: Option<Arc<BlockSeen>>,
}

impl Blocks {
    pub fn new() -> Blocks {
        Blocks { held: key::map(), counts: Default::default(), shown: Mutex::default() }
    }

    /// Takes a record of the topic.
    pub fn take(
        &self,
        decoder: &Decoder,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        let seen = value.map(|value| decoder.decode_block(value)).transpose()?;
        let named = key.map(std::str::from_utf8).transpose();
        let named = named.map_err(|fault| Error::BlockState(format!("key: {fault}")))?;
        let key = match (named, &seen) {
            (Some(key), _) => key.into(),
            (None, Some(seen)) => CompactString::from(&seen.block_key),
            (None, None) => return Err(Error::BlockState("neither key nor value".to_owned())),
        };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = seen else {
            if let Some(gone) = shown.remove(&key) {
                self.lift(gone.block.as_deref());
            }
            return Ok(());
        };
        if shown.get(&key).is_some_and(|shown| shown.sequence >= seen.sequence) {
            return Ok(());
        }
        let sequence = seen.sequence;
        let block = seen.blocked.then(|| Arc::new(seen));
        let before = shown.insert(key, Shown { sequence, block: block.clone() });
        let before = before.and_then(|shown| shown.block);
        // A renewed block is replaced in one step, or a send could slip through in between.
        match (before.as_deref(), block) {
            (Some(before), Some(block)) if before.scope == block.scope => {
                self.replace(before, Some(block));
            }
            (before, block) => {
                self.lift(before);
                if let Some(block) = block {
                    self.open(block);
                }
            }
        }
        Ok(())
    }

    fn lift(&self, block: Option<&BlockSeen>) {
        if let Some(block) = block {
            self.replace(block, None);
            self.counts[block.scope.kind as usize].fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn open(&self, block: Arc<BlockSeen>) {
        let held = self.held.pin();
        let mut list = held.get(&place(&block)).cloned().unwrap_or_default();
        let (key, kind) = (Key::from(place(&block)), block.scope.kind);
        list.push(block);
        held.insert(key, list);
        self.counts[kind as usize].fetch_add(1, Ordering::Release);
    }

    fn replace(&self, before: &BlockSeen, after: Option<Arc<BlockSeen>>) {
        let held = self.held.pin();
        let mut list = held.get(&place(before)).cloned().unwrap_or_default();
        list.retain(|block| block.limit_id != before.limit_id);
        list.extend(after);
        if list.is_empty() {
            held.remove(&place(before));
        } else {
            held.insert(Key::from(place(before)), list);
        }
    }

    /// The blocks that hold the send now, in no order. Allocates only if there are any.
    pub fn holding(
        &self,
        send: &Send<'_>,
        filters: &Filters,
        clock: &dyn Clock,
    ) -> Vec<Arc<BlockSeen>> {
        let mut holding = Vec::new();
        let mut folded = [0; 2];
        let country = send.country.map(|country| upper_case(country, &mut folded));
        let scopes = [
            (ScopeKind::Account, Some("")),
            (ScopeKind::Feature, Some(send.feature)),
            (ScopeKind::Profile, send.profile),
            (ScopeKind::Country, country),
            (ScopeKind::Recipient, send.recipient),
            (ScopeKind::Sender, send.sender),
        ];
        let any = |kind: ScopeKind| self.counts[kind as usize].load(Ordering::Acquire) > 0;
        if !scopes.iter().any(|(kind, _)| any(*kind)) {
            return holding;
        }
        // The clock is read only where there is something to compare.
        let mut now = None;
        let held = self.held.pin();
        for (kind, id) in scopes {
            let Some(id) = id.filter(|_| any(kind)) else { continue };
            let key = KeyRef { account: send.account, kind: kind.as_str(), id };
            let Some(list) = held.get(&key) else { continue };
            let now: Millis = *now.get_or_insert_with(|| clock.now());
            let holds = |block: &&Arc<BlockSeen>| now < ends_at(block) && filters.hold(block, send);
            holding.extend(list.iter().filter(holds).cloned());
        }
        holding
    }

    pub fn count(&self) -> usize {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// Where the block stands in `held`.
fn place(block: &BlockSeen) -> KeyRef<'_> {
    KeyRef {
        account: &block.account_id,
        kind: block.scope.kind.as_str(),
        id: block.scope.id.as_deref().unwrap_or_default(),
    }
}

/// Countries are kept in upper case; what is no two bytes is no country and stays as it is.
fn upper_case<'a>(country: &'a str, folded: &'a mut [u8; 2]) -> &'a str {
    let Ok(letters) = <[u8; 2]>::try_from(country.as_bytes()) else { return country };
    *folded = letters.map(|letter| letter.to_ascii_uppercase());
    std::str::from_utf8(folded).unwrap_or(country)
}
