//! Records of the topic of deliveries. Promise: the newest record of each key is all there is to
//! know; that a delivery has ended stands under a key of its own, so that a late record of an
//! owner that was paused cannot wake it again.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::delivery::{Delivery, Ending};
use super::text;
use crate::time::Millis;

/// What a record says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// What is to be delivered, and what was tried.
    Delivery(Box<Delivery>),
    Ended(Ended),
    /// An endpoint that wants nothing any more (410).
    EndpointDisabled(EndpointDisabled),
    /// What was last told of a limit: for its quiet period.
    Told(Told),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    #[serde(with = "text::id")]
    pub id: Uuid,
    pub ending: Ending,
    #[serde(with = "text::time")]
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointDisabled {
    /// Of account and URL (`endpoints::fingerprint`); the URL itself may be secret.
    pub endpoint: String,
    #[serde(with = "text::time")]
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub account_id: String,
    pub limit_id: String,
    /// Percent of the limit; 100 when it was reached.
    pub level: u8,
    #[serde(with = "text::time")]
    pub at: Millis,
}

impl Record {
    /// The record's key; the newest of a key counts.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Record::Delivery(delivery) => delivery.id.to_string(),
            Record::Ended(ended) => ended_key(ended.id),
            Record::EndpointDisabled(disabled) => format!("endpoint/{}", disabled.endpoint),
            Record::Told(told) => told_key(&told.account_id, &told.limit_id),
        }
    }

    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("records are plain JSON")
    }

    /// # Errors
    /// What is wrong with the bytes, for people.
    pub fn read(bytes: &[u8]) -> Result<Record, String> {
        serde_json::from_slice(bytes).map_err(|fault| fault.to_string())
    }
}

/// The key under which the end of a delivery stands.
#[must_use]
pub fn ended_key(id: Uuid) -> String {
    format!("{id}/ended")
}

/// A limit_id has no slash.
#[must_use]
pub fn told_key(account_id: &str, limit_id: &str) -> String {
    format!("told/{limit_id}/{account_id}")
}
