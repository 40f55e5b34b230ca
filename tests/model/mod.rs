//! A naive model of Tollgate's evaluation, written from FORMATS.md alone and sharing no code with
//! the product: all accepted events lie in a list, and every total is summed anew at every step.
//! It promises to be obvious, not fast, and it knows nothing of Kafka, storage or Avro.

#![allow(dead_code, reason = "each test binary uses a part of the model")]

pub mod compare;
mod limits;
mod lines;
mod times;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use limits::{Cause, InForce, Step, built_in, six_decimals};
use lines::{Command, Event, Limit, Line};

/// What a log leads to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub decisions: Vec<Value>,
    pub totals: Vec<Value>,
    /// Accepted events.
    pub events: u64,
    pub duplicates: u64,
    pub rejects: u64,
}

/// Evaluates an NDJSON log; `file_name` is only used to name positions.
pub fn run(log: &[u8], file_name: &str, dedup_minutes: u32) -> Outcome {
    let mut model = Model { dedup_minutes: i64::from(dedup_minutes), ..Model::default() };
    for (index, line) in log.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(|byte| b" \t\r".contains(byte)) {
            continue;
        }
        model.position = format!("{file_name}:{}", index + 1);
        model.line(line);
    }
    model.outcome.totals = model.totals();
    model.outcome
}

#[derive(Default)]
struct Model {
    dedup_minutes: i64,
    now: Option<i64>,
    position: String,
    accounts: BTreeMap<String, Account>,
    outcome: Outcome,
}

struct Account {
    events: Vec<Event>,
    limits: BTreeMap<String, InForce>,
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

impl Model {
    fn line(&mut self, bytes: &[u8]) {
        let Ok(object) = serde_json::from_slice::<Map<String, Value>>(bytes) else {
            return self.reject("undecodable", &Map::new());
        };
        let Ok(line) = lines::read(&object) else {
            return self.reject("invalid", &object);
        };
        self.advance(line.moves_to());
        match line {
            Line::Tick(_) => {}
            Line::Event { account, event, .. } => self.event(&account, event, &object),
            Line::Command { account, command_id, command, .. } => match command {
                Command::Set(limit) => self.limit_set(&account, command_id, limit),
                Command::Removed(id) => self.limit_removed(&account, command_id, &id, &object),
                Command::Other => {}
            },
        }
    }

    fn reject(&mut self, reason: &str, object: &Map<String, Value>) {
        // An empty string is an optional left out, in what comes in and so in what is named.
        let name = |key: &str| object.get(key)?.as_str().filter(|text| !text.is_empty());
        self.outcome.rejects += 1;
        self.outcome.decisions.push(json!({
            "type": "rejected",
            "reason": reason,
            "account_id": name("account_id"),
            "event_id": name("event_id"),
            "command_id": name("command_id"),
            "now": self.now.map(times::show),
            "position": self.position,
        }));
    }

    /// Moves `now`, never backwards, and fires the timers on the way, each at its own time.
    fn advance(&mut self, to: i64) {
        let Some(from) = self.now else {
            self.now = Some(to);
            return;
        };
        if to <= from {
            return;
        }
        let mut timers = BTreeSet::new();
        for (account_id, account) in &self.accounts {
            for (limit_id, in_force) in &account.limits {
                for (time, group) in in_force.due(&account.events, from, to) {
                    timers.insert((time, account_id.clone(), limit_id.clone(), group));
                }
            }
        }
        for (time, account_id, limit_id, group) in timers {
            self.now = Some(time);
            let account = self.accounts.get_mut(&account_id).expect("it has a timer");
            account.window_end(&account_id, &limit_id, &group, time, &mut self.outcome.decisions);
        }
        self.now = Some(to);
    }

    fn now(&self) -> i64 {
        self.now.expect("a line that is folded has moved now")
    }

    fn event(&mut self, account_id: &str, event: Event, object: &Map<String, Value>) {
        let now = self.now();
        if event.occurred_at > now + times::DAY {
            return self.reject("future_event", object);
        }
        let account = self.accounts.entry(account_id.to_owned()).or_default();
        let key = match &event.key {
            Some(key) => DedupKey::Idempotency(key.clone()),
            None => DedupKey::EventId(event.event_id.clone()),
        };
        if let Some((then, first)) = account.remembered.get(&key) {
            let minutes = now.div_euclid(times::MINUTE) - then.div_euclid(times::MINUTE);
            if minutes <= self.dedup_minutes {
                if same_payload(first, &event) {
                    self.outcome.duplicates += 1;
                } else {
                    self.reject("conflict", object);
                }
                return;
            }
        }
        account.remembered.insert(key, (now, event.clone()));
        self.outcome.events += 1;
        account.accept(account_id, event, now, &mut self.outcome.decisions);
    }

    fn limit_set(&mut self, account_id: &str, command_id: String, limit: Limit) {
        let now = self.now();
        let account = self.accounts.entry(account_id.to_owned()).or_default();
        account.set(account_id, command_id, limit, now, &mut self.outcome.decisions);
    }

    fn limit_removed(
        &mut self,
        account_id: &str,
        command_id: String,
        limit_id: &str,
        object: &Map<String, Value>,
    ) {
        let now = self.now();
        let account = self.accounts.entry(account_id.to_owned()).or_default();
        let Some(in_force) = account.limits.remove(limit_id) else {
            return self.reject("invalid", object);
        };
        let cause = Cause::Command { command_id, stays_enabled: false };
        account.end(account_id, in_force, &cause, now, &mut self.outcome.decisions);
    }

    /// Every scope with a name in every window with an event.
    fn totals(&self) -> Vec<Value> {
        let mut sums: BTreeMap<(&str, &str, Option<&str>, &str, i64), (i128, i128)> =
            BTreeMap::new();
        for (account_id, account) in &self.accounts {
            for event in &account.events {
                let scopes = [
                    ("account", true, None),
                    ("feature", true, Some(event.feature.as_str())),
                    ("profile", event.profile.is_some(), event.profile.as_deref()),
                    ("country", event.country.is_some(), event.country.as_deref()),
                ];
                let day = times::day(event.occurred_at).0;
                let month = times::month(event.occurred_at).0;
                for (kind, carried, id) in scopes {
                    for (window, start) in [("day", day), ("month", month)] {
                        if carried {
                            let key = (account_id.as_str(), kind, id, window, start);
                            let sum = sums.entry(key).or_default();
                            sum.0 += event.cost;
                            sum.1 += event.requests;
                        }
                    }
                }
            }
        }
        sums.into_iter()
            .map(|((account_id, kind, id, window, start), (cost, requests))| {
                json!({
                    "account_id": account_id,
                    "scope": {"kind": kind, "id": id},
                    "window": window,
                    "window_start": times::show(start),
                    "cost": six_decimals(cost),
                    "requests": i64::try_from(requests).expect("few events"),
                })
            })
            .collect()
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

impl Account {
    fn accept(&mut self, account_id: &str, event: Event, now: i64, out: &mut Vec<Value>) {
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
        self.events.push(event);
        for (limit_id, group, before) in concerned {
            self.settle(account_id, &limit_id, &group, now, Some(before), &cause, out);
        }
    }

    fn window_end(
        &mut self,
        account_id: &str,
        limit_id: &str,
        group: &str,
        now: i64,
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
        self.settle(account_id, limit_id, group, now, Some(before), &Cause::WindowEnd, out);
    }

    fn set(
        &mut self,
        account_id: &str,
        command_id: String,
        limit: Limit,
        now: i64,
        out: &mut Vec<Value>,
    ) {
        let id = limit.id.clone();
        let mut stays_enabled = false;
        let mut next = None;
        match self.limits.remove(&id) {
            None => {}
            Some(old) if old.limit.same_content(&limit) => {
                self.limits.insert(id, old);
                return;
            }
            Some(old) if old.limit.counts_like(&limit) => {
                stays_enabled = old.limit.enabled && limit.enabled;
                next = Some(InForce { limit: limit.clone(), ..old });
            }
            Some(old) => {
                let cause = Cause::Command { command_id: command_id.clone(), stays_enabled: false };
                self.end(account_id, old, &cause, now, out);
            }
        }
        let version = self.versions.entry(id.clone()).or_default();
        *version += 1;
        let mut next = next.unwrap_or_else(|| InForce {
            limit,
            version: 0,
            since: self.events.len(),
            held: BTreeMap::new(),
        });
        next.version = *version;
        let groups = next.groups(&self.events);
        self.limits.insert(id.clone(), next);
        let cause = Cause::Command { command_id, stays_enabled };
        for group in groups {
            self.settle(account_id, &id, &group, now, None, &cause, out);
        }
    }

    /// Lifts the blocks of a limit that is no longer in force.
    fn end(
        &mut self,
        account_id: &str,
        mut ended: InForce,
        cause: &Cause,
        now: i64,
        out: &mut Vec<Value>,
    ) {
        let groups: Vec<String> = ended.held.keys().cloned().collect();
        for group in &groups {
            let total = ended.total(&self.events, group, now);
            let step = Step {
                account: account_id,
                group,
                now,
                before: total,
                current: total,
                amount_th: None,
                cause,
            };
            ended.end(&step, &mut self.sequence, out);
        }
    }

    /// One limit and group in one step; without `before` the step leaves the total as it was.
    fn settle(
        &mut self,
        account_id: &str,
        limit_id: &str,
        group: &str,
        now: i64,
        before: Option<i128>,
        cause: &Cause,
        out: &mut Vec<Value>,
    ) {
        let in_force = self.limits.get_mut(limit_id).expect("it is concerned");
        let current = in_force.total(&self.events, group, now);
        let step = Step {
            account: account_id,
            group,
            now,
            before: before.unwrap_or(current),
            current,
            amount_th: in_force.amount_th(&self.events, group, now),
            cause,
        };
        in_force.settle(&step, &mut self.sequence, out);
    }
}
