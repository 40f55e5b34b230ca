//! From records of decisions to deliveries in the ledger. Promise: what is given back as planned is
//! acknowledged, and was planned by settings that are no older than what caused the decision; a
//! decision that was planned before is not planned again.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::Shared;
use super::delivery::Delivery;
use super::feed::Taken;
use super::ledger::State;
use super::plan::{level, plan, quiet_ms, worth_telling};
use super::record::{Record, Told};
use super::{plan, story};
use crate::time::Millis;
use crate::wire::{Decoder, Error, Notice};

/// How long the command that caused a decision is waited for.
const COMMAND_WAIT: Duration = Duration::from_secs(5);
/// Beyond the age at which a decision is told no more, for clocks that differ.
const SPARE_MS: i64 = 3_600_000;
/// No quiet period is longer than a year.
const QUIET_MS_MAX: i64 = 366 * 86_400_000;
/// Tombstones written at a time.
const FORGET_MAX: usize = 1_000;

/// Nothing is decided about these records: try again in a moment.
#[derive(Debug)]
pub struct Later;

pub struct Planner {
    shared: Arc<Shared>,
    decoder: Decoder,
    runtime: Handle,
}

/// What is written for a batch, in order.
#[derive(Default)]
struct Writes {
    ledger: Vec<(i32, Record)>,
    /// Written before, by a batch that failed half-way, and not ended.
    known: Vec<(i32, Delivery)>,
    /// By partition and account.
    stories: Vec<(i32, String, Vec<u8>)>,
}

impl Planner {
    #[must_use]
    pub fn new(shared: Arc<Shared>, decoder: Decoder, runtime: Handle) -> Planner {
        Planner { shared, decoder, runtime }
    }

    /// Plans and writes down; gives what is to be delivered, by partition. What was planned before
    /// is among it as long as it has not ended.
    ///
    /// # Errors
    /// When a registry, the settings or the log do not answer.
    pub fn plan(&self, batch: &[Taken]) -> Result<Vec<(i32, Delivery)>, Later> {
        let mut writes = Writes::default();
        for taken in batch {
            self.plan_one(taken, &mut writes)?;
        }
        self.write(&writes)?;
        let fresh = writes.ledger.into_iter().filter_map(|(partition, record)| match record {
            Record::Delivery(delivery) => Some((partition, *delivery)),
            _ => None,
        });
        Ok(fresh.chain(writes.known).collect())
    }

    fn plan_one(&self, taken: &Taken, writes: &mut Writes) -> Result<(), Later> {
        let shared = &self.shared;
        let (metrics, rules, now) = (&shared.metrics, &shared.options.rules, shared.clock.now());
        let reached = taken.topic == shared.options.topics.limit_reached;
        let notice = match self.decoder.decode_notice(&taken.value, reached) {
            Ok(notice) => notice,
            Err(error) if error.passes() => {
                tracing::warn!(%error, "a decision cannot be read yet");
                return Err(Later);
            }
            Err(error) => {
                self.set_aside(taken, &error, now, writes);
                return Ok(());
            }
        };
        if let Err(untold) = worth_telling(&notice, rules, now) {
            metrics.decision(match untold {
                plan::Untold::Old => "old",
                plan::Untold::Covered => "covered",
            });
            return Ok(());
        }
        self.await_cause(&notice, taken.partition)?;
        let account = shared.known.settings().account(&notice.account_id);
        let planned = plan(&notice, &account, rules, now);
        for (channel, why) in &planned.without_address {
            metrics.without_address(channel);
            let story = story::without_address(&notice, channel, why, now);
            writes.stories.push((taken.partition, notice.account_id.clone(), story));
        }
        if planned.deliveries.is_empty() {
            metrics.decision("nobody");
            return Ok(());
        }
        let mut fresh = planned.deliveries;
        fresh.retain(|delivery| match shared.state_of(taken.partition, delivery.id) {
            State::Unknown => !writes.has(delivery),
            State::Pending(known) => {
                writes.known.push((taken.partition, *known));
                false
            }
            State::Ended => false,
        });
        if fresh.is_empty() {
            metrics.decision("known");
            return Ok(());
        }
        let quiet_ms = quiet_ms(&notice, &account, rules);
        if quiet_ms > 0 && self.is_quiet(taken.partition, &notice, quiet_ms, writes) {
            metrics.decision("quiet");
            return Ok(());
        }
        metrics.decision("told");
        let records = fresh.into_iter().map(|delivery| Record::Delivery(Box::new(delivery)));
        writes.ledger.extend(records.map(|record| (taken.partition, record)));
        if quiet_ms > 0 {
            // Behind the deliveries: where it stands, they all do.
            let told = Record::Told(Told {
                account_id: notice.account_id.clone(),
                limit_id: notice.limit_id.clone(),
                level: level(&notice),
                at: notice.now,
            });
            writes.ledger.push((taken.partition, told));
        }
        Ok(())
    }

    /// Something as high was told of the limit a moment ago.
    fn is_quiet(&self, partition: i32, notice: &Notice, quiet_ms: i64, writes: &Writes) -> bool {
        let known = self.shared.told(partition, &notice.account_id, &notice.limit_id);
        let told = writes.told(&notice.account_id, &notice.limit_id).cloned().or(known);
        told.is_some_and(|told| {
            let since = notice.now.0.saturating_sub(told.at.0);
            (0..quiet_ms).contains(&since) && told.level >= level(notice)
        })
    }

    /// A decision that cannot be read: it is told as it is, and the rest goes on (L7).
    fn set_aside(&self, taken: &Taken, error: &Error, now: Millis, writes: &mut Writes) {
        let position = format!("{}/{}:{}", taken.topic, taken.partition, taken.offset);
        tracing::error!(%error, position, "a decision cannot be read and is told to nobody");
        self.shared.metrics.decision("unreadable");
        let story = story::unreadable(&position, &error.to_string(), now);
        writes.stories.push((taken.partition, String::new(), story));
    }

    /// The settings that a command changed are known before what it caused is told.
    fn await_cause(&self, notice: &Notice, partition: i32) -> Result<(), Later> {
        let Some(offset) = notice.command_offset else { return Ok(()) };
        let passed = self.shared.known.passed(partition.unsigned_abs(), offset + 1);
        let passed =
            self.runtime.block_on(async { tokio::time::timeout(COMMAND_WAIT, passed).await });
        passed.map_err(|_| {
            tracing::warn!(partition, offset, "a command that was folded is not read yet");
            Later
        })
    }

    fn write(&self, writes: &Writes) -> Result<(), Later> {
        let log = &self.shared.log;
        // All are begun before the first is waited for.
        let stories = writes.stories.iter();
        let stories: Vec<_> = stories
            .map(|(partition, account_id, story)| log.undelivered(*partition, account_id, story))
            .collect();
        let ledger: Vec<_> =
            writes.ledger.iter().map(|(partition, record)| log.put(*partition, record)).collect();
        let written = self.runtime.block_on(async {
            for story in stories {
                story.await?;
            }
            for record in ledger {
                record.await?;
            }
            Ok::<_, rdkafka::error::KafkaError>(())
        });
        if let Err(error) = written {
            tracing::warn!(%error, "deliveries were not written down");
            return Err(Later);
        }
        for (partition, record) in &writes.ledger {
            self.shared.take(*partition, record);
        }
        Ok(())
    }

    /// Writes tombstones for what need not be known any more: a decision whose delivery ended so
    /// long ago would not be told again, and every quiet period is over.
    pub fn forget(&self, partition: i32) {
        let age_ms_max = self.shared.options.rules.age_ms_max;
        let now = self.shared.clock.now().0;
        let ended_before = Millis(now - age_ms_max - SPARE_MS);
        let told_before = Millis(now - QUIET_MS_MAX);
        let mut keys = self.shared.forgettable(partition, ended_before, told_before);
        keys.truncate(FORGET_MAX);
        let begun: Vec<_> = keys.iter().map(|key| self.shared.log.forget(partition, key)).collect();
        let written = self.runtime.block_on(async {
            for tombstone in begun {
                tombstone.await?;
            }
            Ok::<_, rdkafka::error::KafkaError>(())
        });
        match written {
            Ok(()) => self.shared.forget(partition, &keys),
            Err(error) => tracing::warn!(%error, "old deliveries were not forgotten"),
        }
    }
}

impl Writes {
    fn has(&self, delivery: &Delivery) -> bool {
        self.ledger.iter().any(|(_, record)| match record {
            Record::Delivery(other) => other.id == delivery.id,
            _ => false,
        })
    }

    fn told(&self, account_id: &str, limit_id: &str) -> Option<&Told> {
        self.ledger.iter().rev().find_map(|(_, record)| match record {
            Record::Told(told) if told.account_id == account_id && told.limit_id == limit_id => {
                Some(told)
            }
            _ => None,
        })
    }
}
