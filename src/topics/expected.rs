//! What each topic must be like, why, and how a deviation is mended.
//! Promise: what `topics create` sets and what `topics check` asks for come from the same table.
//! A setting that only people care about (compression, segment size) is left to them.

use super::{Finding, Severity, Topic};
use crate::config::{Config, TopicsOptions};

/// What a topic is to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Billed,
    Commands,
    Journal,
    ThresholdCrossed,
    LimitReached,
    BlockState,
    DeadLetter,
    /// Not the engine's: the gate's.
    Received,
    /// The notifier's three.
    Deliveries,
    Undelivered,
    SmsRequests,
}

/// Bytes that a dead letter may take: 512 KiB of original in base64, its fields, and the record.
const DEAD_LETTER_BYTES: i64 = 800_000;
const DAY_MS: i64 = 86_400_000;

/// All topics by role.
#[must_use]
pub fn roles(topics: &TopicsOptions) -> [(Role, &str); 11] {
    [
        (Role::Billed, &topics.billed),
        (Role::Commands, &topics.commands),
        (Role::Journal, &topics.journal),
        (Role::ThresholdCrossed, &topics.threshold_crossed),
        (Role::LimitReached, &topics.limit_reached),
        (Role::BlockState, &topics.block_state),
        (Role::DeadLetter, &topics.dead_letter),
        (Role::Received, &topics.received),
        (Role::Deliveries, &topics.deliveries),
        (Role::Undelivered, &topics.undelivered),
        (Role::SmsRequests, &topics.sms_requests),
    ]
}

impl Role {
    /// The settings with which a topic is created.
    #[must_use]
    pub fn settings(self, topics: &TopicsOptions) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("cleanup.policy", self.cleanup().to_owned()),
            ("unclean.leader.election.enable", "false".to_owned()),
            ("min.insync.replicas", insync_least(topics.replication.into()).to_string()),
        ];
        if self.is_log() || self == Role::Deliveries {
            settings.push(("message.timestamp.type", "LogAppendTime".to_owned()));
        }
        if self.is_log() {
            settings.push(("retention.ms", self.retention_ms(topics).to_string()));
            settings.push(("retention.bytes", "-1".to_owned()));
        }
        settings
    }

    /// What it means that it is not there. Without inbound messages only the gate's session rule
    /// is off; without its topics the notifier does not run, and says so itself.
    pub(super) fn missing(self) -> Severity {
        match self {
            Role::Received | Role::Deliveries | Role::Undelivered | Role::SmsRequests => {
                Severity::Warning
            }
            _ => Severity::Error,
        }
    }

    /// Whether the fold is rebuilt from it.
    fn is_log(self) -> bool {
        matches!(self, Role::Billed | Role::Commands | Role::Journal)
    }

    fn cleanup(self) -> &'static str {
        if matches!(self, Role::BlockState | Role::Deliveries) { "compact" } else { "delete" }
    }

    /// For ever is -1.
    fn retention_ms(self, topics: &TopicsOptions) -> i64 {
        match topics.log_retention_days {
            Some(days) if self != Role::Commands => i64::from(days) * DAY_MS,
            _ => -1,
        }
    }
}

/// Replicas that must have a record before it counts as written.
fn insync_least(replication: usize) -> usize {
    if replication >= 3 { 2 } else { 1 }
}

/// One topic under judgement.
pub(super) struct Judged<'a> {
    pub config: &'a Config,
    pub role: Role,
    pub name: &'a str,
    pub topic: &'a Topic,
    pub findings: Vec<Finding>,
}

impl Judged<'_> {
    fn find(&mut self, severity: Severity, message: String, remedy: String) {
        let topics = vec![self.name.to_owned()];
        self.findings.push(Finding { severity, topics, message, remedy });
    }

    /// Partition p of one topic belongs to partition p of all others.
    pub fn partitions(&mut self, billed: Option<usize>) {
        let Some(billed) = billed else { return };
        if self.role == Role::Received {
            return;
        }
        let have = self.topic.partitions;
        if have == billed {
            return;
        }
        let message = format!(
            "has {have} partitions, but {} has {billed}: all topics need the same count",
            self.config.topics.billed
        );
        let remedy = if have < billed {
            format!(
                "if nothing was folded yet: kafka-topics.sh --bootstrap-server {} --alter --topic \
                 {} --partitions {billed}; else accounts have moved: name a new set of topics",
                self.bootstrap(),
                self.name
            )
        } else {
            format!(
                "kafka-topics.sh cannot take partitions away: name a new topic in topics.* and run \
                 tollgate topics create, or give {} the count it had",
                self.config.topics.billed
            )
        };
        self.find(Severity::Error, message, remedy);
    }

    pub fn replication(&mut self) {
        let copies = self.topic.replication;
        if copies < 3 {
            let message = format!(
                "has {copies} {}: the loss of one broker can lose acknowledged records or stop \
                 the engine",
                if copies == 1 { "copy" } else { "copies" }
            );
            let remedy = "fine for trying out; else raise it with kafka-reassign-partitions.sh, or \
                          create it anew with topics.replication = 3";
            self.find(Severity::Warning, message, remedy.to_owned());
        }
    }

    pub fn settings(&mut self) {
        if self.topic.settings.is_none() {
            let message = "does not tell its settings, so they were not checked".to_owned();
            let remedy = "fine on an embedded broker; else let this user describe topic configs";
            return self.find(Severity::Warning, message, remedy.to_owned());
        }
        self.cleanup();
        self.insync();
        if self.setting("unclean.leader.election.enable") == Some("true") {
            let message = "allows unclean leader election: acknowledged records could vanish";
            let remedy = self.alter("unclean.leader.election.enable", "false");
            self.find(Severity::Error, message.to_owned(), remedy);
        }
        if self.role.is_log() {
            self.timestamps();
            self.retention();
        }
        if self.role == Role::DeadLetter
            && let Some(most) = self.number("max.message.bytes")
            && most < DEAD_LETTER_BYTES
        {
            let message = format!("takes records of at most {most} bytes: long rejects do not fit");
            let remedy = self.alter("max.message.bytes", "1048588");
            self.find(Severity::Error, message, remedy);
        }
    }

    fn cleanup(&mut self) {
        let wanted = self.role.cleanup();
        let Some(have) = self.setting("cleanup.policy").map(str::to_owned) else { return };
        if have == wanted {
            return;
        }
        let (severity, why) = match self.role {
            Role::BlockState => (Severity::Error, "blocks would be forgotten, or pile up"),
            Role::Billed | Role::Commands | Role::Journal => {
                (Severity::Error, "records the state is rebuilt from would be dropped")
            }
            Role::ThresholdCrossed | Role::LimitReached | Role::DeadLetter => {
                (Severity::Warning, "decisions would be dropped")
            }
            Role::Deliveries => {
                (Severity::Error, "deliveries would be forgotten and made again, or pile up")
            }
            Role::Undelivered => (Severity::Warning, "notifications would be lost"),
            Role::Received | Role::SmsRequests => (Severity::Warning, "messages would be dropped"),
        };
        let remedy = self.alter("cleanup.policy", wanted);
        self.find(severity, format!("has cleanup.policy={have}: {why}"), remedy);
    }

    fn insync(&mut self) {
        let copies = self.topic.replication;
        let Some(least) = self.number("min.insync.replicas") else { return };
        let wanted = insync_least(copies) as i64;
        let remedy = self.alter("min.insync.replicas", &wanted.to_string());
        if least > copies as i64 {
            let message = format!(
                "has min.insync.replicas={least} but {copies} copies: nothing can be written"
            );
            self.find(Severity::Error, message, remedy);
        } else if least < wanted {
            // Others write the billed events; what they can lose is theirs to decide.
            let of_others = matches!(self.role, Role::Billed | Role::Received);
            let severity = if of_others { Severity::Warning } else { Severity::Error };
            let message = format!(
                "has min.insync.replicas={least}: a record counts as written with one copy, and \
                 vanishes with its broker"
            );
            self.find(severity, message, remedy);
        }
    }

    fn timestamps(&mut self) {
        let Some(have) = self.setting("message.timestamp.type").map(str::to_owned) else { return };
        if have != "LogAppendTime" {
            let message = format!(
                "has message.timestamp.type={have}: the fold's time would follow the clocks of \
                 producers"
            );
            let remedy = self.alter("message.timestamp.type", "LogAppendTime");
            self.find(Severity::Error, message, remedy);
        }
    }

    fn retention(&mut self) {
        if self.role == Role::Commands {
            for setting in ["retention.ms", "retention.bytes"] {
                let Some(have) = self.number(setting).filter(|have| *have != -1) else { continue };
                let message = format!("has {setting}={have}: limits would be forgotten");
                let remedy = self.alter(setting, "-1");
                self.find(Severity::Error, message, remedy);
            }
            return;
        }
        let wanted = self.role.retention_ms(&self.config.topics);
        if let Some(have) = self.number("retention.ms")
            && have != -1
            && (wanted == -1 || have < wanted)
        {
            let days = have / DAY_MS;
            let message = format!(
                "has retention.ms={have} ({days} days): a partition whose state is lost after \
                 that cannot be rebuilt"
            );
            let mut remedy = self.alter("retention.ms", &wanted.to_string());
            if days >= 2 {
                remedy.push_str(&format!("; or accept it: topics.log_retention_days = {days}"));
            }
            self.find(Severity::Warning, message, remedy);
        }
        if let Some(have) = self.number("retention.bytes").filter(|have| *have != -1) {
            let message = format!(
                "has retention.bytes={have}: under load records go before their time, and a lost \
                 state cannot be rebuilt"
            );
            let remedy = self.alter("retention.bytes", "-1");
            self.find(Severity::Warning, message, remedy);
        }
    }

    fn setting(&self, name: &str) -> Option<&str> {
        self.topic.settings.as_ref()?.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.setting(name)?.parse().ok()
    }

    fn bootstrap(&self) -> String {
        self.config.kafka.bootstrap.join(",")
    }

    fn alter(&self, setting: &str, value: &str) -> String {
        format!(
            "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} \
             --add-config {setting}={value}",
            self.bootstrap(),
            self.name
        )
    }
}
