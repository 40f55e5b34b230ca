//! One account of the model: its accepted events, its limits in force, and the dedup keys it
//! remembers. Each step works out the totals before and after and lets the limits say what
//! changed; whether a line may be folded at all was decided before.

use std::collections::BTreeMap;

use serde_json::Value;

use super::limits::{Cause, InForce, Moment, Step, built_in};
use super::lines::{Event, Limit};
use super::times;

pub struct Account {
    pub events: Vec<Event>,
    pub limits: BTreeMap<String, InForce>,
    /// The last version of every limit id ever used.
    versions: BTreeMap<String, u64>,
    /// The number of the last block record.
    sequence: u64,
    remembered: BTreeMap<DedupKey, (i64, Event)>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum DedupKey {
    Idempotency(String),
    EventId(String),
}

/// What the dedup window says of an event.
pub enum Seen {
    New,
    Duplicate,
    Conflict,
}

impl Default for Account {
    fn default() -> Self {
        Account {
            events: Vec::new(),
            limits: BTreeMap::from([("otp".to_owned(), built_in())]),
            versions: BTreeMap::from([("otp".to_owned(), 1)]),
            sequence: 0,
            remembered: BTreeMap::new(),
        }
    }
}

impl Account {
    pub fn seen(&self, event: &Event, now: i64, dedup_minutes: i64) -> Seen {
        let Some((then, first)) = self.remembered.get(&dedup_key(event)) else {
            return Seen::New;
        };
        let minutes = now.div_euclid(times::MINUTE) - then.div_euclid(times::MINUTE);
        if minutes > dedup_minutes {
            Seen::New
        } else if same_payload(first, event) {
            Seen::Duplicate
        } else {
            Seen::Conflict
        }
    }

    /// Counts an event that is neither a duplicate nor a conflict.
    pub fn accept(&mut self, account: &str, event: Event, now: i64, out: &mut Vec<Value>) {
        let mut concerned = Vec::new();
        for (limit_id, in_force) in &self.limits {
            if let Some(group) = in_force.limit.group_of(&event) {
                let before = in_force.total(&self.events, &group, now);
                concerned.push((limit_id.clone(), group, before));
            }
        }
        let cause = Cause::Event {
            event_id: event.event_id.clone(),
            occurred_at: event.occurred_at,
            correction: event.cost < 0,
        };
        self.remembered.insert(dedup_key(&event), (now, event.clone()));
        self.events.push(event);
        let at = Moment { account, now, cause };
        for (limit_id, group, before) in concerned {
            self.settle(&at, &limit_id, &group, Some(before), out);
        }
    }

    /// Fires one timer.
    pub fn window_end(
        &mut self,
        account: &str,
        now: i64,
        limit_id: &str,
        group: &str,
        out: &mut Vec<Value>,
    ) {
        let in_force = &self.limits[limit_id];
        let before = match in_force.limit.window.bounds(now) {
            Some((start, _)) => {
                assert_eq!(start, now, "a calendar timer fires at a window's start");
                0
            }
            None => in_force.total(&self.events, group, now - 1),
        };
        let at = Moment { account, now, cause: Cause::WindowEnd };
        self.settle(&at, limit_id, group, Some(before), out);
    }

    /// Creates or changes a limit.
    pub fn set(
        &mut self,
        account: &str,
        now: i64,
        command_id: String,
        limit: Limit,
        out: &mut Vec<Value>,
    ) {
        let id = limit.id.clone();
        let created = self.events.len();
        let mut at =
            Moment { account, now, cause: Cause::Command { command_id, stays_enabled: false } };
        let (since, held) = match self.limits.get(&id).cloned() {
            None => (created, BTreeMap::new()),
            Some(old) if old.limit.same_content(&limit) => return,
            Some(old) if old.limit.counts_like(&limit) => {
                if let Cause::Command { stays_enabled, .. } = &mut at.cause {
                    *stays_enabled = old.limit.enabled && limit.enabled;
                }
                (old.since, old.held)
            }
            Some(_) => {
                self.end(&at, &id, out);
                (created, BTreeMap::new())
            }
        };
        let version = self.versions.entry(id.clone()).or_default();
        *version += 1;
        let in_force = InForce { limit, version: *version, since, held };
        let groups = in_force.groups(&self.events);
        self.limits.insert(id.clone(), in_force);
        for group in groups {
            self.settle(&at, &id, &group, None, out);
        }
    }

    /// Removes a limit; false if there is none of that id.
    pub fn remove(
        &mut self,
        account: &str,
        now: i64,
        command_id: String,
        id: &str,
        out: &mut Vec<Value>,
    ) -> bool {
        let cause = Cause::Command { command_id, stays_enabled: false };
        self.end(&Moment { account, now, cause }, id, out)
    }

    /// Takes a limit out of force: its blocks are lifted, all else ceases in silence.
    fn end(&mut self, at: &Moment, id: &str, out: &mut Vec<Value>) -> bool {
        let Some(ended) = self.limits.remove(id) else {
            return false;
        };
        for (group, held) in &ended.held {
            if held.block.is_some() {
                let total = ended.total(&self.events, group, at.now);
                let step = Step { at, group, before: total, current: total, amount_th: None };
                out.push(ended.block_record(&step, None, &mut self.sequence));
            }
        }
        true
    }

    /// One limit and group in one step; without `before` the step leaves the total as it was.
    fn settle(
        &mut self,
        at: &Moment,
        limit_id: &str,
        group: &str,
        before: Option<i128>,
        out: &mut Vec<Value>,
    ) {
        let in_force = self.limits.get_mut(limit_id).expect("it is concerned");
        let current = in_force.total(&self.events, group, at.now);
        let step = Step {
            at,
            group,
            before: before.unwrap_or(current),
            current,
            amount_th: in_force.amount_th(&self.events, group, at.now),
        };
        in_force.settle(&step, &mut self.sequence, out);
    }
}

fn dedup_key(event: &Event) -> DedupKey {
    match &event.key {
        Some(key) => DedupKey::Idempotency(key.clone()),
        None => DedupKey::EventId(event.event_id.clone()),
    }
}

fn same_payload(a: &Event, b: &Event) -> bool {
    a.profile == b.profile
        && a.feature == b.feature
        && a.country == b.country
        && a.sender == b.sender
        && a.recipient == b.recipient
        && a.purpose == b.purpose
        && a.requests == b.requests
        && a.cost == b.cost
}
