//! Records of the topic of undelivered notifications. Promise: each tells the whole story in one
//! record: what was to be told, to whom, what was tried, and what to do.

use serde::Serialize;
use uuid::Uuid;

use super::delivery::{Attempt, Delivery, Target};
use super::endpoints::Paused;
use super::text;
use crate::time::Millis;
use crate::wire::Notice;

/// A record; its key is the account.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Story<'a> {
    /// Given up, or there was no address.
    Undelivered {
        #[serde(with = "text::id")]
        id: Uuid,
        account_id: &'a str,
        channel: &'a str,
        why: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        target: Option<&'a Target>,
        attempts: &'a [Attempt],
        notice: &'a Notice,
        #[serde(with = "text::time")]
        at: Millis,
    },
    /// An endpoint keeps failing and is left alone for a while.
    EndpointPaused {
        account_id: &'a str,
        endpoint: &'a str,
        failures: u32,
        why: &'a str,
        #[serde(with = "text::time")]
        paused_until: Millis,
        #[serde(with = "text::time")]
        at: Millis,
    },
    /// An endpoint said that it wants nothing any more.
    EndpointDisabled {
        account_id: &'a str,
        endpoint: &'a str,
        why: &'a str,
        #[serde(with = "text::time")]
        at: Millis,
    },
    /// A decision that cannot be read.
    Unreadable {
        /// `topic/partition:offset`.
        position: &'a str,
        why: &'a str,
        #[serde(with = "text::time")]
        at: Millis,
    },
}

fn bytes(story: &Story<'_>) -> Vec<u8> {
    serde_json::to_vec(story).expect("stories are plain JSON")
}

/// A delivery that is given up.
#[must_use]
pub fn undelivered(delivery: &Delivery, why: &str, at: Millis) -> Vec<u8> {
    bytes(&Story::Undelivered {
        id: delivery.id,
        account_id: &delivery.notice.account_id,
        channel: delivery.target.channel(),
        why,
        target: Some(&delivery.target),
        attempts: &delivery.attempts,
        notice: &delivery.notice,
        at,
    })
}

/// A channel that was asked for and has no address.
#[must_use]
pub fn without_address(notice: &Notice, channel: &str, why: &str, at: Millis) -> Vec<u8> {
    let name = format!("without-address|{}|{channel}", notice.id);
    bytes(&Story::Undelivered {
        id: Uuid::new_v5(&crate::fold::decision::NAMESPACE, name.as_bytes()),
        account_id: &notice.account_id,
        channel,
        why,
        target: None,
        attempts: &[],
        notice,
        at,
    })
}

#[must_use]
pub fn paused(account_id: &str, endpoint: &str, paused: Paused, why: &str, at: Millis) -> Vec<u8> {
    let Paused { failures, until: paused_until } = paused;
    bytes(&Story::EndpointPaused { account_id, endpoint, failures, why, paused_until, at })
}

#[must_use]
pub fn disabled(account_id: &str, endpoint: &str, at: Millis) -> Vec<u8> {
    let why = "it answered 410 and gets nothing until its URL is set again";
    bytes(&Story::EndpointDisabled { account_id, endpoint, why, at })
}

#[must_use]
pub fn unreadable(position: &str, why: &str, at: Millis) -> Vec<u8> {
    bytes(&Story::Unreadable { position, why, at })
}
