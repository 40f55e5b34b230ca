//! One message to one target, and its whole story. Promise: its id follows from the decision and
//! the target alone, so that planning it again is the same delivery; what it says fits one record.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::text;
use crate::fold::decision::NAMESPACE;
use crate::time::Millis;
use crate::wire::Notice;

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    #[serde(with = "text::id")]
    pub id: Uuid,
    pub target: Target,
    pub notice: Notice,
    /// When it is tried next.
    #[serde(with = "text::time")]
    pub next_at: Millis,
    /// What was tried, oldest first. A round may try two: a webhook and its failover.
    pub attempts: Vec<Attempt>,
    /// Rounds of attempts that failed.
    pub rounds: usize,
}

/// Who is told. Addresses of webhooks and Slack are those of the settings at each attempt: whoever
/// mends a wrong one gets what is still to come.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "channel", rename_all = "kebab-case")]
pub enum Target {
    /// `webhook_url` of a profile, then its `webhook_failover_url` (T4).
    ProfileWebhook { profile_id: String },
    /// The account's webhook (A10).
    Webhook,
    /// The account's Slack (A10).
    Slack,
    /// A mailbox.
    Email { address: String },
    /// The account's numbers, by the carrier.
    Sms,
}

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    #[serde(with = "text::time")]
    pub at: Millis,
    /// Where to: a mailbox, or a URL up to its host, since what follows may be secret.
    pub to: String,
    /// What came back, for people.
    pub answer: String,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    Delivered,
    /// Given up; the whole story is in the topic of undelivered notifications.
    Undelivered,
}

impl Target {
    /// `webhook`, `slack`, `email` or `sms`: as limits and metrics name it.
    #[must_use]
    pub fn channel(&self) -> &'static str {
        match self {
            Target::ProfileWebhook { .. } | Target::Webhook => "webhook",
            Target::Slack => "slack",
            Target::Email { .. } => "email",
            Target::Sms => "sms",
        }
    }
}

/// What tells targets of a decision apart.
impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::ProfileWebhook { profile_id } => write!(out, "profile-webhook|{profile_id}"),
            Target::Email { address } => write!(out, "email|{address}"),
            Target::Webhook | Target::Slack | Target::Sms => out.write_str(self.channel()),
        }
    }
}

impl Delivery {
    /// To be tried at once.
    #[must_use]
    pub fn new(notice: Notice, target: Target, now: Millis) -> Delivery {
        let id = Delivery::id_of(notice.id, &target);
        Delivery { id, target, notice, next_at: now, attempts: Vec::new(), rounds: 0 }
    }

    /// The id of what tells `target` of a decision: UUID v5 in the namespace of decisions.
    #[must_use]
    pub fn id_of(decision: Uuid, target: &Target) -> Uuid {
        Uuid::new_v5(&NAMESPACE, format!("delivery|{decision}|{target}").as_bytes())
    }

    /// The number of the attempt that comes next, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.attempts.len()).map_or(u32::MAX, |made| made.saturating_add(1))
    }
}
