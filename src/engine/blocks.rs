//! Block-state, level-triggered (L6): the last record of a key is the whole truth about it.
//! Promise: where the topic shows a lower sequence than the valid chain decided, and nothing of
//! ours for the key is under way, the present record is published. That one rule covers a fresh
//! decision, a crash before publishing, and an old record of a paused owner that woke.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::log::{self, Log, Output, Read, Source, Stored, Topic};
use crate::fault_point;
use crate::store::BlockRow;
use crate::time::Millis;
use crate::wire::Decoder;

/// Keys that one `publish` looks at, at most.
const KEYS_PER_TURN: usize = 1_000;

#[derive(Debug, Default)]
struct Key {
    /// What the valid chain decided; `None` for a key that it does not know.
    decided: Option<BlockRow>,
    /// Sequence of the topic's last record; `None` where it has none, or a tombstone.
    shown: Option<u64>,
    under_way: Option<UnderWay>,
}

/// A publish of ours, until it was read back.
#[derive(Debug, PartialEq)]
enum UnderWay {
    /// `shown`: something of the key was read since, it may be this.
    Sent {
        id: u64,
        shown: bool,
    },
    Acknowledged {
        offset: Option<u64>,
    },
}

#[derive(Debug, Default)]
pub struct Blocks {
    keys: BTreeMap<String, Key>,
    /// Keys to look at.
    due: BTreeSet<String>,
    /// Lifted keys of numbers, by the time after which they go.
    going: BTreeSet<(Millis, String)>,
    sent: HashMap<u64, String>,
    /// Keys whose publish is acknowledged and not yet read back.
    unread: BTreeSet<String>,
    /// Offset behind the last record read.
    read_to: u64,
    /// Rows changed since the last checkpoint.
    changed: BTreeSet<String>,
    /// The topic was read to its end at least once.
    complete: bool,
}

impl Blocks {
    /// Begins with the rows of the store; the topic is read again from its beginning.
    #[must_use]
    pub fn new(rows: Vec<(String, BlockRow)>) -> Blocks {
        let mut blocks = Blocks::default();
        for (key, row) in rows {
            blocks.decide(key, row);
        }
        blocks.changed.clear();
        blocks
    }

    /// Takes a record of the valid chain. An older one than is known changes nothing.
    pub fn decide(&mut self, key: String, row: BlockRow) {
        let known = self.keys.entry(key.clone()).or_default();
        if known.decided.as_ref().is_some_and(|decided| decided.sequence > row.sequence) {
            return;
        }
        if let Some(after) = known.decided.as_ref().and_then(|decided| decided.goes_after) {
            self.going.remove(&(after, key.clone()));
        }
        if let Some(after) = row.goes_after {
            self.going.insert((after, key.clone()));
        }
        known.decided = Some(row);
        self.changed.insert(key.clone());
        self.due.insert(key);
    }

    /// Reads what has arrived of the topic. True when anything came.
    ///
    /// # Errors
    /// The log's.
    pub fn read(
        &mut self,
        log: &mut impl Log,
        decoder: &Decoder,
        most: usize,
    ) -> Result<bool, log::Error> {
        let mut came = false;
        for _ in 0..most {
            fault_point::at("blocks.read")?;
            match log.poll(Source::BlockState)? {
                Some(Read::Record(stored)) => self.show(&stored, decoder),
                Some(Read::End) => {
                    self.complete = true;
                    // What was acknowledged before is read, or compacted away by something newer.
                    for key in std::mem::take(&mut self.unread) {
                        self.read_back(key);
                    }
                }
                None => break,
            }
            came = true;
        }
        Ok(came)
    }

    fn show(&mut self, stored: &Stored, decoder: &Decoder) {
        self.read_to = stored.offset + 1;
        let Some(key) = stored.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else {
            return;
        };
        let shown = stored.value.as_deref().and_then(|value| decoder.decode_block(value).ok());
        let known = self.keys.entry(key.to_owned()).or_default();
        known.shown = shown.map(|block| block.sequence);
        if stored.value.is_some() && known.shown.is_none() {
            // Not a block record: anything we decided is newer.
            known.shown = Some(0);
        }
        match &mut known.under_way {
            Some(UnderWay::Sent { shown, .. }) => *shown = true,
            Some(UnderWay::Acknowledged { offset: Some(offset) }) if *offset <= stored.offset => {
                known.under_way = None;
                self.unread.remove(key);
            }
            _ => {}
        }
        self.due.insert(key.to_owned());
    }

    fn read_back(&mut self, key: String) {
        if let Some(known) = self.keys.get_mut(&key) {
            known.under_way = None;
            self.due.insert(key);
        }
    }

    /// Publishes, with `known_sequence(key)` giving the last sequence that the valid chain gave to
    /// the key's account: an unknown key above it belongs to a record we have yet to fold.
    ///
    /// # Errors
    /// The log's, other than `Full`.
    pub fn publish(
        &mut self,
        log: &mut impl Log,
        ids: &mut u64,
        now: Millis,
        known_sequence: impl Fn(&str) -> u64,
    ) -> Result<bool, log::Error> {
        if !self.complete {
            return Ok(false);
        }
        while let Some((after, key)) = self.going.first().cloned()
            && after <= now
        {
            self.going.remove(&(after, key.clone()));
            self.due.insert(key);
        }
        let due: Vec<String> = self.due.iter().take(KEYS_PER_TURN).cloned().collect();
        let mut any = false;
        for key in due {
            match self.wanted(&key, now, &known_sequence) {
                Wanted::Nothing => {}
                Wanted::Record(value) => {
                    let topic = Topic::BlockState;
                    let output = Output { topic, key: Some(key.clone().into_bytes()), value };
                    let id = *ids + 1;
                    match publish(log, id, &output) {
                        Ok(()) => *ids = id,
                        Err(log::Error::Full(_)) => return Ok(any),
                        Err(error) => return Err(error),
                    }
                    let known = self.keys.get_mut(&key).expect("a wanted key is known");
                    known.under_way = Some(UnderWay::Sent { id, shown: false });
                    self.sent.insert(id, key.clone());
                    any = true;
                }
                Wanted::Forgetting => {
                    self.keys.remove(&key);
                    self.changed.insert(key.clone());
                }
            }
            self.due.remove(&key);
        }
        Ok(any)
    }

    fn wanted(&self, key: &str, now: Millis, known_sequence: impl Fn(&str) -> u64) -> Wanted {
        let Some(known) = self.keys.get(key) else { return Wanted::Nothing };
        if known.under_way.is_some() {
            return Wanted::Nothing;
        }
        let gone = match &known.decided {
            None => {
                if known.shown.is_none() {
                    return Wanted::Forgetting;
                }
                if known.shown > Some(known_sequence(key)) {
                    return Wanted::Nothing;
                }
                true
            }
            Some(decided) => decided.goes_after.is_some_and(|after| after <= now),
        };
        match (&known.decided, gone) {
            (_, true) if known.shown.is_some() => Wanted::Record(None),
            (_, true) => Wanted::Forgetting,
            (Some(decided), false) if known.shown < Some(decided.sequence) => {
                Wanted::Record(Some(decided.payload.clone()))
            }
            _ => Wanted::Nothing,
        }
    }

    /// True when the publish was one of these.
    pub fn published(&mut self, id: u64, offset: Option<u64>) -> bool {
        let Some(key) = self.sent.remove(&id) else { return false };
        if let Some(known) = self.keys.get_mut(&key)
            && let Some(UnderWay::Sent { id: sent, shown }) = known.under_way
            && sent == id
        {
            known.under_way = Some(UnderWay::Acknowledged { offset });
            // Without an offset the end would tell, but may have been read already.
            if offset.map_or(shown, |offset| offset < self.read_to) {
                self.read_back(key);
            } else {
                self.unread.insert(key);
            }
        }
        true
    }

    /// True when the publish was one of these; it is looked at again.
    pub fn failed(&mut self, id: u64) -> bool {
        let Some(key) = self.sent.remove(&id) else { return false };
        if let Some(known) = self.keys.get_mut(&key)
            && matches!(known.under_way, Some(UnderWay::Sent { id: sent, .. }) if sent == id)
        {
            known.under_way = None;
            self.due.insert(key);
        }
        true
    }

    /// Publishes that are not acknowledged yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.sent.len()
    }

    /// Whether the topic shows everything that was decided.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.complete && self.due.is_empty() && self.sent.is_empty() && self.unread.is_empty()
    }

    /// Rows for a checkpoint: those changed since the last.
    pub fn freeze(&mut self) -> Vec<(String, Option<BlockRow>)> {
        let row = |key: String| {
            let row = self.keys.get(&key).and_then(|known| known.decided.clone());
            (key, row)
        };
        std::mem::take(&mut self.changed).into_iter().map(row).collect()
    }
}

fn publish(log: &mut impl Log, id: u64, output: &Output) -> Result<(), log::Error> {
    fault_point::at("blocks.publish")?;
    log.publish(id, output)
}

enum Wanted {
    Nothing,
    /// `None` is a tombstone.
    Record(Option<Vec<u8>>),
    /// The key's row goes.
    Forgetting,
}
