//! Reads decisions as a member of the notifiers' group, and plans their deliveries. Promise: an
//! offset is committed once every delivery of what stands before it is in the ledger; a partition
//! is read no sooner than its ledger is known to its end, and its couriers go before it does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::crew::Crew;
use super::planner::{Later, Planner};
use super::{Shared, locked};
use crate::kafka;

const POLL: Duration = Duration::from_millis(50);
/// Messages that are planned together.
const BATCH_MAX: usize = 500;
/// How long questions to the brokers may take.
const ASK: Duration = Duration::from_secs(10);
/// What could not be planned is tried again after so many polls of `POLL`.
const POLLS_UNTIL_AGAIN: u64 = 10;
/// What need not be known any more is forgotten after so many polls: about once a minute.
const POLLS_UNTIL_TIDY: u64 = 1_200;

/// Its name in the log.
const CLIENT: &str = "the notifier";
/// Properties that the user may change.
const READING: [(&str, &str); 4] = [
    ("client.id", "tollgate"),
    ("socket.keepalive.enable", "true"),
    ("fetch.wait.max.ms", "100"),
    ("topic.metadata.refresh.interval.ms", "10000"),
];
/// What the promise rests on.
const PINNED: [(&str, &str); 5] = [
    // Partition p of both topics goes to one member.
    ("partition.assignment.strategy", "range"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    ("allow.auto.create.topics", "false"),
];

/// The member and what it reads.
pub struct Feed {
    consumer: BaseConsumer<Member>,
    planner: Planner,
    shared: Arc<Shared>,
    crew: Arc<Crew>,
    /// Behind what is planned, by topic and partition.
    positions: HashMap<(String, i32), i64>,
    /// When the group was last asked, by the lease's clock.
    asked_us: i64,
    /// Whether reading is paused because too much is under way.
    full: bool,
    polls: u64,
    /// The poll before which nothing is read, since something could not be planned.
    again_at: u64,
}

/// What happens to the member while it polls.
pub struct Member {
    crew: Arc<Crew>,
    drain: Duration,
    /// Given, and their ledgers not yet known to the end; with the time of that.
    arriving: Mutex<BTreeMap<i32, i64>>,
    shared: Arc<Shared>,
}

impl Member {
    fn arriving(&self) -> MutexGuard<'_, BTreeMap<i32, i64>> {
        locked(&self.arriving)
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        kafka::log(CLIENT, level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(client = CLIENT, %error, reason, "kafka client");
    }
}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            let partitions = partitions(list);
            self.arriving().retain(|partition, _| !partitions.contains(partition));
            let partitions: Vec<i32> = partitions.into_iter().collect();
            self.crew.part(&partitions, self.drain);
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                // Nothing is read before the ledger is.
                if let Err(error) = consumer.pause(list) {
                    tracing::error!(%error, "partitions of notify cannot be paused");
                }
                let now_us = self.shared.lease.now_us();
                let given = partitions(list).into_iter().map(|partition| (partition, now_us));
                self.arriving().extend(given);
            }
            Rebalance::Error(error) => tracing::error!(%error, "the group of notify failed"),
            Rebalance::Revoke(_) => {}
        }
    }
}

fn partitions(list: &TopicPartitionList) -> BTreeSet<i32> {
    list.elements().iter().map(|one| one.partition()).collect()
}

impl Feed {
    /// Joins the group.
    ///
    /// # Errors
    /// When a property is refused.
    pub fn join(
        shared: Arc<Shared>,
        crew: Arc<Crew>,
        planner: Planner,
        drain: Duration,
    ) -> Result<Feed, KafkaError> {
        let options = &shared.options;
        let mut config = kafka::layered(&options.bootstrap, &READING, &options.client, &PINNED);
        let session_timeout_ms = options.session_timeout.as_millis();
        config
            .set("group.id", &options.group)
            .set("session.timeout.ms", session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", (session_timeout_ms / 3).clamp(1, 3_000).to_string());
        let member = Member {
            shared: Arc::clone(&shared),
            crew: Arc::clone(&crew),
            drain,
            arriving: Mutex::default(),
        };
        let consumer = BaseConsumer::from_config_and_context(&config, member)?;
        let topics = &options.topics;
        consumer.subscribe(&[&topics.limit_reached, &topics.threshold_crossed])?;
        Ok(Feed {
            consumer,
            planner,
            shared,
            crew,
            positions: HashMap::new(),
            asked_us: i64::MIN,
            full: false,
            polls: 0,
            again_at: 0,
        })
    }

    /// Until it is to stop; then it leaves the group, once attempts under way have ended.
    pub fn attend(mut self, stopping: &AtomicBool) {
        while !stopping.load(Ordering::Relaxed) {
            self.turn();
        }
        self.renew(true);
        let owned = self.crew.owned();
        self.crew.part(&owned, self.consumer.context().drain);
    }

    fn turn(&mut self) {
        self.polls += 1;
        self.welcome();
        let (batch, failed) = self.poll();
        if let Some(error) = failed {
            tracing::warn!(%error, "decisions cannot be read now");
        }
        if let Err(Later) = self.plan(batch) {
            self.again_at = self.polls + POLLS_UNTIL_AGAIN;
        }
        self.throttle();
        self.renew(false);
        if self.polls.is_multiple_of(POLLS_UNTIL_TIDY) {
            for partition in self.crew.owned() {
                self.planner.forget(partition);
                // Of a partition that came back while attempts were still under way.
                self.crew.send_all(partition);
            }
        }
    }

    /// What has come, as owned bytes: polling may change what is assigned.
    fn poll(&self) -> (Vec<Taken>, Option<KafkaError>) {
        let mut batch = Vec::new();
        let mut wait = POLL;
        while let Some(polled) = self.consumer.poll(wait) {
            match polled {
                Ok(message) => batch.push(Taken::of(&message)),
                Err(error) => return (batch, Some(error)),
            }
            if batch.len() >= BATCH_MAX {
                break;
            }
            wait = Duration::ZERO;
        }
        (batch, None)
    }

    /// Takes over partitions whose ledgers are known to the end that they had when they came.
    fn welcome(&mut self) {
        let arriving = self.consumer.context().arriving().clone();
        for (partition, since_us) in arriving {
            if !self.shared.ledger_is_whole(partition, since_us) {
                continue;
            }
            match self.find_positions(partition) {
                // What was fetched before the pause took hold was dropped: it comes again.
                Ok(()) => {
                    self.consumer.context().arriving().remove(&partition);
                    self.crew.join(partition);
                    self.renew(true);
                    self.set_reading(&[partition], !self.full);
                }
                Err(error) => tracing::warn!(%error, partition, "offsets of notify are not known"),
            }
        }
    }

    /// Goes to where the group stands in the partition of both topics; at first their beginnings.
    fn find_positions(&mut self, partition: i32) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        let topics = &self.shared.options.topics;
        for topic in [&topics.limit_reached, &topics.threshold_crossed] {
            list.add_partition(topic, partition);
        }
        let committed = self.consumer.committed_offsets(list, ASK)?;
        for one in committed.elements() {
            let begins = match one.offset() {
                Offset::Offset(offset) => offset,
                _ => self.consumer.fetch_watermarks(one.topic(), partition, ASK)?.0,
            };
            self.consumer.seek(one.topic(), partition, Offset::Offset(begins), ASK)?;
            self.positions.insert((one.topic().to_owned(), partition), begins);
        }
        Ok(())
    }

    /// # Errors
    /// `Later`: what was not planned comes again.
    fn plan(&mut self, mut batch: Vec<Taken>) -> Result<(), Later> {
        batch.retain(|taken| self.crew.owns(taken.partition));
        if batch.is_empty() {
            return Ok(());
        }
        match self.planner.plan(&batch) {
            Ok(planned) => {
                for taken in &batch {
                    let place = (taken.topic.clone(), taken.partition);
                    self.positions.insert(place, taken.offset + 1);
                }
                for (partition, delivery) in planned {
                    self.crew.send(partition, delivery);
                }
                Ok(())
            }
            Err(Later) => {
                for taken in &batch {
                    self.go_back(&taken.topic, taken.partition);
                }
                Err(Later)
            }
        }
    }

    fn go_back(&self, topic: &str, partition: i32) {
        let place = (topic.to_owned(), partition);
        let Some(position) = self.positions.get(&place) else { return };
        let sought = self.consumer.seek(topic, partition, Offset::Offset(*position), ASK);
        if let Err(error) = sought {
            tracing::error!(%error, topic, partition, "decisions cannot be read again");
        }
    }

    /// Reads nothing while too much is under way, or what could not be planned waits.
    fn throttle(&mut self) {
        let bound = self.shared.options.pending_max;
        let under_way = self.crew.under_way();
        let bound = if self.full { bound - bound / 10 } else { bound };
        let full = under_way >= bound || self.polls < self.again_at;
        if full != self.full {
            self.full = full;
            let owned = self.crew.owned();
            self.set_reading(&owned, !full);
        }
    }

    fn set_reading(&self, partitions: &[i32], reading: bool) {
        let mut list = TopicPartitionList::new();
        let topics = &self.shared.options.topics;
        for partition in partitions {
            for topic in [&topics.limit_reached, &topics.threshold_crossed] {
                list.add_partition(topic, *partition);
            }
        }
        let set = if reading { self.consumer.resume(&list) } else { self.consumer.pause(&list) };
        if let Err(error) = set {
            tracing::error!(%error, reading, "reading of decisions cannot be switched");
        }
    }

    /// Commits the positions, which also proves that this process is a member still.
    fn renew(&mut self, at_once: bool) {
        let session_timeout = self.shared.options.session_timeout;
        let now_us = self.shared.lease.now_us();
        let quarter = i64::try_from(session_timeout.as_micros() / 4).unwrap_or(i64::MAX);
        if !at_once && now_us.saturating_sub(self.asked_us) < quarter {
            return;
        }
        self.asked_us = now_us;
        let mut list = TopicPartitionList::new();
        // Of others' partitions it would take back what they committed.
        self.positions.retain(|(_, partition), _| self.crew.owns(*partition));
        for ((topic, partition), position) in &self.positions {
            list.add_partition_offset(topic, *partition, Offset::Offset(*position))
                .expect("an offset of the log");
        }
        if list.count() == 0 {
            return;
        }
        match self.consumer.commit(&list, CommitMode::Sync) {
            Ok(()) => self.shared.lease.renew(now_us, session_timeout),
            Err(error) => tracing::debug!(%error, "offsets of notify not committed"),
        }
    }
}

/// A record of a decision.
pub struct Taken {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub value: Vec<u8>,
}

impl Taken {
    fn of(message: &BorrowedMessage<'_>) -> Taken {
        Taken {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            value: message.payload().unwrap_or_default().to_vec(),
        }
    }
}
