//! What the topic of deliveries says. Promise: a pure fold of its records; an end is final, and
//! what is known is not planned again, in whatever order records of two owners come.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::delivery::Delivery;
use super::record::{EndpointDisabled, Record, Told, told_key};
use crate::time::Millis;

/// The deliveries of one partition.
#[derive(Debug, Default)]
pub struct Ledger {
    pending: HashMap<Uuid, Box<Delivery>>,
    ended: HashMap<Uuid, Millis>,
    /// When each endpoint said that it wants nothing any more.
    disabled: HashMap<String, Millis>,
    told: BTreeMap<String, Told>,
}

/// What is known of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Unknown,
    Pending(Box<Delivery>),
    Ended,
}

impl Ledger {
    /// Takes the next record of the partition; without `record` it is a tombstone.
    pub fn apply(&mut self, key: &str, record: Option<Record>) {
        match record {
            Some(Record::Delivery(delivery)) => {
                // A record of an owner that was overtaken may say less than is known.
                let known = self.pending.get(&delivery.id).map(|known| known.attempts.len());
                let newer = known.is_none_or(|known| known <= delivery.attempts.len());
                if newer && !self.has_ended(delivery.id) {
                    self.pending.insert(delivery.id, delivery);
                }
            }
            Some(Record::Ended(ended)) => {
                self.pending.remove(&ended.id);
                self.ended.insert(ended.id, ended.at);
            }
            Some(Record::EndpointDisabled(EndpointDisabled { endpoint, at })) => {
                self.disabled.insert(endpoint, at);
            }
            Some(Record::Told(told)) => {
                self.told.insert(key.to_owned(), told);
            }
            None => self.forget(key),
        }
    }

    fn forget(&mut self, key: &str) {
        if let Some(endpoint) = key.strip_prefix("endpoint/") {
            self.disabled.remove(endpoint);
        } else if key.starts_with("told/") {
            self.told.remove(key);
        } else if let Some(id) = key.strip_suffix("/ended") {
            if let Ok(id) = Uuid::parse_str(id) {
                self.ended.remove(&id);
            }
        } else if let Ok(id) = Uuid::parse_str(key) {
            self.pending.remove(&id);
        }
    }

    #[must_use]
    pub fn state_of(&self, id: Uuid) -> State {
        match self.pending.get(&id) {
            Some(delivery) => State::Pending(delivery.clone()),
            None if self.has_ended(id) => State::Ended,
            None => State::Unknown,
        }
    }

    #[must_use]
    pub fn has_ended(&self, id: Uuid) -> bool {
        self.ended.contains_key(&id)
    }

    /// What is still to be delivered.
    pub fn pending(&self) -> impl Iterator<Item = &Delivery> {
        self.pending.values().map(Box::as_ref)
    }

    /// When the endpoint said that it wants nothing any more.
    #[must_use]
    pub fn disabled_at(&self, endpoint: &str) -> Option<Millis> {
        self.disabled.get(endpoint).copied()
    }

    /// What was last told of a limit.
    #[must_use]
    pub fn told(&self, account_id: &str, limit_id: &str) -> Option<&Told> {
        self.told.get(&told_key(account_id, limit_id))
    }

    /// Keys of deliveries that ended before `ended_before`, and of limits of which nothing was told
    /// since `told_before`: they need not be known any more.
    #[must_use]
    pub fn forgettable(&self, ended_before: Millis, told_before: Millis) -> Vec<String> {
        let ended = self.ended.iter().filter(|(_, at)| **at < ended_before);
        let ended = ended.flat_map(|(id, _)| [id.to_string(), super::record::ended_key(*id)]);
        let told = self.told.iter().filter(|(_, told)| told.at < told_before);
        ended.chain(told.map(|(key, _)| key.clone())).collect()
    }
}

#[cfg(test)]
mod tests;
