//! Topics in memory, and the engine's log upon them. Promise: what a test or a simulation does to
//! it happens in the order in which it is called; nothing waits, nothing is random. Several logs
//! on the same topics are several owners.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::log::{Ack, Bounds, Error, Log, Output, Place, Read, Source, Stored, Topic};
use crate::journal::Hash;
use crate::time::Millis;

/// One partition of every topic, shared by all who hold a clone.
#[derive(Clone, Debug, Default)]
pub struct MemoryTopics(Arc<Mutex<Topics>>);

#[derive(Debug, Default)]
struct Topics {
    /// Timestamp of what is appended now.
    now: Millis,
    sources: [Vec<Stored>; 4],
    outputs: [Vec<Stored>; 4],
    /// Appends are acknowledged only when told so.
    holds_appends: bool,
    refuses_publishes: bool,
    away: bool,
}

impl MemoryTopics {
    fn lock(&self) -> MutexGuard<'_, Topics> {
        // A test that panicked elsewhere leaves whole records behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is appended from now on carries this timestamp.
    pub fn set_now(&self, now: Millis) {
        self.lock().now = now;
    }

    /// Appends a record, as a producer other than the engine does.
    pub fn produce(&self, source: Source, key: Option<&[u8]>, value: Option<&[u8]>) -> u64 {
        let mut topics = self.lock();
        let timestamp = topics.now;
        push(&mut topics.sources[source as usize], timestamp, key, value)
    }

    /// Every record of a source.
    #[must_use]
    pub fn source(&self, source: Source) -> Vec<Stored> {
        self.lock().sources[source as usize].clone()
    }

    /// Every record of an output topic.
    #[must_use]
    pub fn output(&self, topic: Topic) -> Vec<Stored> {
        match topic {
            Topic::BlockState => self.source(Source::BlockState),
            other => self.lock().outputs[other as usize].clone(),
        }
    }

    /// Appends wait for `MemoryLog::release` while this is set.
    pub fn hold_appends(&self, holds: bool) {
        self.lock().holds_appends = holds;
    }

    /// Questions about bounds and seeks fail while this is set, as when brokers are out of reach.
    pub fn go_away(&self, away: bool) {
        self.lock().away = away;
    }

    /// Publishes fail while this is set.
    pub fn refuse_publishes(&self, refuses: bool) {
        self.lock().refuses_publishes = refuses;
    }
}

fn push(to: &mut Vec<Stored>, timestamp: Millis, key: Option<&[u8]>, value: Option<&[u8]>) -> u64 {
    let offset = to.len() as u64;
    let (key, value) = (key.map(Bytes::copy_from_slice), value.map(Bytes::copy_from_slice));
    to.push(Stored { offset, timestamp, key, value });
    offset
}

fn reachable(topics: &Topics, source: Source) -> Result<(), Error> {
    let (place, reason) = (Place::Source(source), "out of reach".to_owned());
    if topics.away { Err(Error::Passing { place, reason }) } else { Ok(()) }
}

/// What becomes of an append that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Acknowledged,
    /// Lands, and is acknowledged without an offset.
    WithoutOffset,
    /// Lands, but the engine hears of a failure.
    LandsUnheard,
    /// Does not land.
    Refused,
}

/// An owner's log upon the topics.
#[derive(Debug)]
pub struct MemoryLog {
    topics: MemoryTopics,
    positions: [Option<u64>; 4],
    ended: [bool; 4],
    acks: VecDeque<Ack>,
    held: VecDeque<(u64, Vec<u8>)>,
    committed: Option<(u64, u64)>,
}

impl MemoryLog {
    #[must_use]
    pub fn new(topics: MemoryTopics) -> MemoryLog {
        MemoryLog {
            topics,
            positions: [None; 4],
            ended: [false; 4],
            acks: VecDeque::new(),
            held: VecDeque::new(),
            committed: None,
        }
    }

    /// Appends that are held, oldest first.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Decides the fate of the oldest append held.
    pub fn release(&mut self, fate: Fate) {
        let Some((id, bytes)) = self.held.pop_front() else { return };
        self.settle(id, &bytes, fate);
    }

    /// What was told to the consumer group last.
    #[must_use]
    pub fn committed(&self) -> Option<(u64, u64)> {
        self.committed
    }

    fn settle(&mut self, id: u64, bytes: &[u8], fate: Fate) {
        let mut topics = self.topics.lock();
        let timestamp = topics.now;
        let key = Hash::of(bytes).0;
        let journal = &mut topics.sources[Source::Journal as usize];
        let mut land = || push(journal, timestamp, Some(&key), Some(bytes));
        let ack = match fate {
            Fate::Acknowledged => {
                Ack::Appended { id, offset: Some(land()), timestamp: Some(timestamp) }
            }
            Fate::WithoutOffset => {
                land();
                Ack::Appended { id, offset: None, timestamp: None }
            }
            Fate::LandsUnheard => {
                land();
                Ack::AppendFailed { id, reason: "timed out".to_owned() }
            }
            Fate::Refused => Ack::AppendFailed { id, reason: "refused".to_owned() },
        };
        drop(topics);
        self.acks.push_back(ack);
    }
}

impl Log for MemoryLog {
    fn bounds(&mut self, source: Source) -> Result<Bounds, Error> {
        let topics = self.topics.lock();
        reachable(&topics, source)?;
        let records = &topics.sources[source as usize];
        let end = records.last().map_or(0, |last| last.offset + 1);
        Ok(Bounds { start: records.first().map_or(0, |first| first.offset), end })
    }

    fn seek(&mut self, source: Source, offset: u64) -> Result<(), Error> {
        reachable(&self.topics.lock(), source)?;
        self.positions[source as usize] = Some(offset);
        self.ended[source as usize] = false;
        Ok(())
    }

    fn poll(&mut self, source: Source) -> Result<Option<Read>, Error> {
        let index = source as usize;
        let Some(position) = self.positions[index] else { return Ok(None) };
        let topics = self.topics.lock();
        let records = &topics.sources[index];
        let start = records.first().map_or(0, |first| first.offset);
        if position < start {
            let end = records.last().map_or(0, |last| last.offset + 1);
            return Err(Error::Truncated { place: source, offset: position, start, end });
        }
        match records.get((position - start) as usize) {
            Some(stored) => {
                self.positions[index] = Some(stored.offset + 1);
                self.ended[index] = false;
                Ok(Some(Read::Record(stored.clone())))
            }
            None if !self.ended[index] => {
                self.ended[index] = true;
                Ok(Some(Read::End))
            }
            None => Ok(None),
        }
    }

    fn append(&mut self, id: u64, bytes: &[u8]) -> Result<(), Error> {
        let holds = self.topics.lock().holds_appends;
        if holds {
            self.held.push_back((id, bytes.to_vec()));
        } else {
            self.settle(id, bytes, Fate::Acknowledged);
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<(), Error> {
        self.acks.retain(|ack| !matches!(ack, Ack::Appended { .. } | Ack::AppendFailed { .. }));
        self.held.clear();
        Ok(())
    }

    fn publish(&mut self, id: u64, output: &Output) -> Result<(), Error> {
        let mut topics = self.topics.lock();
        if topics.refuses_publishes {
            self.acks.push_back(Ack::PublishFailed { id, reason: "refused".to_owned() });
            return Ok(());
        }
        let timestamp = topics.now;
        let to = match output.topic {
            Topic::BlockState => &mut topics.sources[Source::BlockState as usize],
            other => &mut topics.outputs[other as usize],
        };
        let offset = push(to, timestamp, output.key.as_deref(), output.value.as_deref());
        self.acks.push_back(Ack::Published { id, offset: Some(offset) });
        Ok(())
    }

    fn acks(&mut self) -> Option<Ack> {
        self.acks.pop_front()
    }

    fn commit(&mut self, billed: u64, commands: u64) {
        self.committed = Some((billed, commands));
    }
}
