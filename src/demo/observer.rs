//! What can be seen of the engine from outside: it reads the journal and the output topics like
//! any consumer, and keeps counts, blocks and the latest decisions. Promise: its memory is
//! bounded.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::told::Told;
use super::{Error, topics};
use crate::journal::{Hash, Record, Tip, extends};
use crate::replay::DecisionCounts;
use crate::time::Millis;

/// Latest decisions kept for the eye.
const LATEST_MAX: usize = 100;
/// Latencies kept for the percentiles: the latest.
const LATENCIES_MAX: usize = 10_000;
/// Records taken in one go before others get their turn.
const RECORDS_MAX: usize = 2_000;

/// Everything seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    tips: BTreeMap<i32, Tip>,
    pub events: u64,
    pub duplicates: u64,
    pub rejects: u64,
    pub decisions: DecisionCounts,
    /// By block key.
    pub blocked: BTreeMap<String, Told>,
    /// Newest last: when it was seen, and what.
    pub latest: VecDeque<(Millis, Told)>,
    /// Block records that opened or lifted a block since this was last emptied.
    pub fresh_blocks: Vec<Told>,
    /// When the engine had caught up with what was produced while it started.
    pub caught_up_at: Option<Millis>,
    /// From a line's time in the log to its decision being read here, in milliseconds, of lines
    /// that came after that.
    latencies_ms: VecDeque<u32>,
    /// Of the latest block record of each account: its records keep their order.
    sequences: BTreeMap<String, u64>,
}

pub struct Observer {
    consumer: BaseConsumer,
    pub seen: Seen,
}

impl Observer {
    pub fn connect(bootstrap: &str, partitions: u32) -> Result<Observer, Error> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "tollgate-demo-observer")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "20")
            .set("fetch.queue.backoff.ms", "20")
            .create()
            .map_err(Error::Observe)?;
        let mut assignment = TopicPartitionList::new();
        for topic in topics::OBSERVED {
            for partition in 0..i32::try_from(partitions).expect("a handful of partitions") {
                assignment
                    .add_partition_offset(topic, partition, Offset::Beginning)
                    .map_err(Error::Observe)?;
            }
        }
        consumer.assign(&assignment).map_err(Error::Observe)?;
        Ok(Observer { consumer, seen: Seen::default() })
    }

    /// Takes what has come; waits at most so long for the first.
    pub fn poll(&mut self, wait: Duration, now: Millis) {
        let mut wait = wait;
        for _ in 0..RECORDS_MAX {
            match self.consumer.poll(wait) {
                Some(Ok(record)) => self.seen.record(&record, now),
                // A lost connection to a broker in the same process comes back or ends the engine.
                Some(Err(error)) => tracing::debug!(%error, "the observer's consumer"),
                None => return,
            }
            wait = Duration::ZERO;
        }
    }
}

impl Seen {
    fn record(&mut self, record: &BorrowedMessage<'_>, now: Millis) {
        let Some(payload) = record.payload() else { return };
        if record.topic() == topics::JOURNAL {
            let offset = u64::try_from(record.offset()).unwrap_or(0);
            self.journaled(record.partition(), offset, payload);
        } else if let Ok(told) = serde_json::from_slice::<Told>(payload) {
            self.told(told, now);
        }
    }

    fn journaled(&mut self, partition: i32, offset: u64, bytes: &[u8]) {
        let Ok(record) = Record::decode(bytes) else { return };
        if extends(self.tips.get(&partition), &record).is_err() {
            return;
        }
        self.events += record.control.events;
        self.duplicates += record.control.duplicates;
        self.rejects += record.control.rejects;
        self.tips.insert(partition, Tip::after(&record, Hash::of(bytes), offset));
    }

    fn told(&mut self, told: Told, now: Millis) {
        let by_event = told.cause.as_ref().is_some_and(|cause| cause.kind == "event");
        if by_event && let Some(Ok(decided)) = told.now.as_deref().map(Millis::parse) {
            self.latency(decided, now);
        }
        match (told.r#type.as_str(), told.blocked) {
            ("threshold_crossed", _) => self.decisions.threshold_crossed += 1,
            ("limit_reached", _) => self.decisions.limit_reached += 1,
            ("block_changed", Some(blocked)) if !self.block(&told, blocked) => return,
            _ => {}
        }
        if self.latest.len() == LATEST_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back((now, told));
    }

    fn latency(&mut self, decided: Millis, read: Millis) {
        if self.caught_up_at.is_none_or(|caught_up_at| decided < caught_up_at) {
            return;
        }
        if self.latencies_ms.len() == LATENCIES_MAX {
            self.latencies_ms.pop_front();
        }
        let latency_ms = read.0.saturating_sub(decided.0);
        self.latencies_ms.push_back(u32::try_from(latency_ms).unwrap_or(0));
    }

    /// False for a repetition, which says nothing new.
    fn block(&mut self, told: &Told, blocked: bool) -> bool {
        let Some(key) = told.block_key.clone() else { return false };
        let sequence = told.sequence.unwrap_or(0);
        let account = told.account_id.clone().unwrap_or_default();
        let known = self.sequences.entry(account).or_default();
        if sequence <= *known {
            return false;
        }
        *known = sequence;
        if blocked {
            self.decisions.blocked += 1;
            self.blocked.insert(key, told.clone());
        } else {
            self.decisions.lifted += 1;
            self.blocked.remove(&key);
        }
        self.fresh_blocks.push(told.clone());
        true
    }

    /// Lines of both topics that the journal names.
    pub fn lines_journaled(&self) -> u64 {
        self.tips.values().map(|tip| tip.billed + tip.commands).sum()
    }

    /// The latency that so many percent of the latest decisions did not exceed.
    pub fn latency_ms(&self, percent: usize) -> Option<u32> {
        let mut sorted: Vec<u32> = self.latencies_ms.iter().copied().collect();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        sorted.get(last * percent / 100).copied()
    }
}
