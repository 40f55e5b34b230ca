//! Which partitions of billed this process owns, as the consumer group gives them out.
//! Promise: every change is told in order; a member that leaves does so at once, so that others
//! take over without waiting for a timeout. It reads no records: what it is given it pauses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Context, config, lasts};
use super::{Error, Options, Topics};

/// How long leaving may take; then the group finds out by its timeout.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// Offsets are committed every so many polls: about once a second.
const POLLS_PER_COMMIT: u32 = 10;
/// A member that is silent for so long between polls is out; it polls all the time.
const POLL_INTERVAL_MS_MAX: u32 = 300_000;

/// What happened to this member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Assigned(Vec<i32>),
    /// Another member gets them next.
    Revoked(Vec<i32>),
    /// Another member may have had them for a while already.
    Lost(Vec<i32>),
    /// The group cannot be joined or kept; needs a person.
    Failed(String),
}

/// How far billed and commands are folded, until it is committed.
#[derive(Default)]
pub(super) struct Commits(Mutex<BTreeMap<i32, (u64, u64)>>);

impl Commits {
    pub(super) fn note(&self, partition: i32, billed: u64, commands: u64) {
        self.noted().insert(partition, (billed, commands));
    }

    fn noted(&self) -> MutexGuard<'_, BTreeMap<i32, (u64, u64)>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Takes out what was noted for `owned`, as the client wants it.
    fn take(&self, owned: &BTreeSet<i32>, topics: &Topics) -> Option<TopicPartitionList> {
        let mut noted = self.noted();
        let mut list = TopicPartitionList::new();
        for partition in owned {
            let Some((billed, commands)) = noted.remove(partition) else { continue };
            for (topic, offset) in [(&topics.billed, billed), (&topics.commands, commands)] {
                let offset = i64::try_from(offset).expect("offsets are those of a log");
                list.add_partition_offset(topic, *partition, Offset::Offset(offset))
                    .expect("an offset that fits");
            }
        }
        (list.count() > 0).then_some(list)
    }
}

/// The membership of this process in the group. Dropped without `leave`, it leaves later.
pub struct Membership {
    leaving: Arc<AtomicBool>,
    left: Receiver<()>,
}

impl Membership {
    pub(super) fn join(
        options: &Options,
        commits: Arc<Commits>,
    ) -> Result<(Membership, Receiver<Change>), Error> {
        let failed = |source| Error { client: "the group member", source };
        let (changes, told) = mpsc::channel();
        let context = Member {
            context: Context::new("the group member"),
            topics: options.topics.clone(),
            commits,
            owned: Mutex::default(),
            changes,
        };
        let consumer = consumer(options, context).map_err(|error| failed(error.into()))?;
        let leaving = Arc::new(AtomicBool::new(false));
        let (gone, left) = mpsc::channel::<()>();
        let asked_to_leave = Arc::clone(&leaving);
        std::thread::Builder::new()
            .name("kafka-member".to_owned())
            .spawn(move || {
                attend(&consumer, &asked_to_leave);
                // Closing leaves the group.
                drop(consumer);
                drop(gone);
            })
            .map_err(|error| failed(error.into()))?;
        Ok((Membership { leaving, left }, told))
    }

    /// Leaves the group, so that it gives the partitions to others at once. Waits for that, for a
    /// bounded time.
    pub fn leave(self) {
        self.leaving.store(true, Ordering::Relaxed);
        if self.left.recv_timeout(LEAVE_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the group did not take note of the leaving in time");
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.leaving.store(true, Ordering::Relaxed);
    }
}

fn consumer(options: &Options, context: Member) -> KafkaResult<BaseConsumer<Member>> {
    let session_timeout_ms = options.session_timeout_ms;
    let mut config = config(
        options,
        // A topic that was made a moment ago, or grew, is found soon.
        &[("topic.metadata.refresh.interval.ms", "10000")],
        &[
            ("group.id", options.group.as_str()),
            // What stays with a member during a rebalance is not taken away from it.
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "latest"),
            ("allow.auto.create.topics", "false"),
        ],
    );
    config.set("session.timeout.ms", session_timeout_ms.to_string());
    if let Some(instance_id) = &options.instance_id {
        config.set("group.instance.id", instance_id);
    }
    config.set("heartbeat.interval.ms", (session_timeout_ms / 3).clamp(1, 3_000).to_string());
    let poll_interval_ms = session_timeout_ms.max(POLL_INTERVAL_MS_MAX);
    config.set("max.poll.interval.ms", poll_interval_ms.to_string());
    let topic = options.topics.billed.clone();
    let consumer = BaseConsumer::from_config_and_context(&config, context)?;
    consumer.subscribe(&[&topic])?;
    Ok(consumer)
}

/// Serves the group until asked to leave.
fn attend(consumer: &BaseConsumer<Member>, leaving: &AtomicBool) {
    let mut polls = 0;
    while !leaving.load(Ordering::Relaxed) {
        match consumer.poll(POLL_TIMEOUT) {
            None | Some(Ok(_)) => {}
            Some(Err(error)) => consumer.context().report_fault(&error),
        }
        polls += 1;
        if polls >= POLLS_PER_COMMIT {
            polls = 0;
            let owned = consumer.context().owned().clone();
            consumer.context().commit(consumer, &owned);
        }
    }
    let owned = consumer.context().owned().clone();
    consumer.context().commit(consumer, &owned);
}

struct Member {
    context: Context,
    topics: Topics,
    commits: Arc<Commits>,
    owned: Mutex<BTreeSet<i32>>,
    changes: Sender<Change>,
}

impl Member {
    fn owned(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.owned.lock().expect("no holder of this lock panics")
    }

    fn tell(&self, change: Change) {
        // Nobody listens any more at the end of the process.
        let _ = self.changes.send(change);
    }

    fn report_fault(&self, error: &KafkaError) {
        let lasting = matches!(error, KafkaError::MessageConsumptionFatal(_))
            || error.rdkafka_error_code().is_some_and(lasts);
        if lasting {
            self.tell(Change::Failed(error.to_string()));
        }
    }

    /// Best effort: an error is one of tools, which see the lag a little later.
    fn commit(&self, consumer: &BaseConsumer<Member>, partitions: &BTreeSet<i32>) {
        let Some(list) = self.commits.take(partitions, &self.topics) else { return };
        if let Err(error) = consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "offsets of the group not committed");
        }
    }

    /// Takes what was given, and reads none of it.
    fn assign(
        &self,
        consumer: &BaseConsumer<Member>,
        list: &mut TopicPartitionList,
    ) -> KafkaResult<()> {
        // From the end: the offsets of the group are not asked for, and hardly a record is fetched
        // before the pause.
        list.set_all_offsets(Offset::End)?;
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list)?,
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(list)?,
        }
        consumer.pause(list)
    }

    fn unassign(
        &self,
        consumer: &BaseConsumer<Member>,
        list: &TopicPartitionList,
    ) -> KafkaResult<()> {
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
        }
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for Member {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions: Vec<i32> = list.elements().iter().map(|one| one.partition()).collect();
        let done = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let done = self.assign(consumer, list);
            self.owned().extend(&partitions);
            self.tell(Change::Assigned(partitions));
            done
        } else {
            let lost = consumer.assignment_lost();
            if !lost {
                self.commit(consumer, &partitions.iter().copied().collect());
            }
            self.owned().retain(|partition| !partitions.contains(partition));
            let change = if lost { Change::Lost } else { Change::Revoked };
            self.tell(change(partitions));
            self.unassign(consumer, list)
        };
        if let Err(error) = done {
            self.tell(Change::Failed(error.to_string()));
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "offsets of the group not committed");
        }
    }
}
