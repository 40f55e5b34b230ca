//! A naive model of Tollgate's evaluation, written from FORMATS.md alone and sharing no code with
//! the product: all accepted events lie in a list, and every total is summed anew at every step.
//! It promises to be obvious, not fast, and it knows nothing of Kafka, storage or Avro.

#![allow(dead_code, reason = "each test binary uses a part of the model")]

mod account;
pub mod commands;
pub mod compare;
pub mod dice;
pub mod garbage;
mod json;
mod limits;
mod lines;
pub mod logs;
mod records;
pub mod shrink;
pub mod spelling;
pub mod stamp;
mod times;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use account::{Account, Seen};
use json::{Json, Object};
use lines::{Command, Event, Limit, Line};
use records::six_decimals;

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

impl Model {
    fn line(&mut self, bytes: &[u8]) {
        let Some(object) = json::object(bytes) else {
            return self.reject("undecodable", &Object::new());
        };
        let Ok(line) = lines::read(&object) else {
            return self.reject("invalid", &object);
        };
        self.advance(line.moves_to());
        match line {
            Line::Tick(_) => {}
            Line::Event { account, event, .. } => self.event(&account, *event, &object),
            Line::Command { account, command_id, command, .. } => match command {
                Command::Set(limit) => self.limit_set(&account, command_id, *limit),
                Command::Removed(id) => self.limit_removed(&account, command_id, &id, &object),
                Command::Other => {}
            },
        }
    }

    fn reject(&mut self, reason: &str, object: &Object) {
        // An empty string is an optional left out, in what comes in and so in what is named.
        let name = |key: &str| match object.get(key) {
            Some(Json::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        };
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
            let out = &mut self.outcome.decisions;
            let account = self.accounts.get_mut(&account_id).expect("it has a timer");
            account.window_end(&account_id, time, &limit_id, &group, out);
        }
        self.now = Some(to);
    }

    fn now(&self) -> i64 {
        self.now.expect("a line that is folded has moved now")
    }

    fn event(&mut self, account_id: &str, event: Event, object: &Object) {
        let now = self.now();
        if event.occurred_at > now + times::DAY {
            return self.reject("future_event", object);
        }
        let account = self.accounts.entry(account_id.to_owned()).or_default();
        match account.seen(&event, now, self.dedup_minutes) {
            Seen::Conflict => self.reject("conflict", object),
            Seen::Duplicate => self.outcome.duplicates += 1,
            Seen::New => {
                self.outcome.events += 1;
                account.accept(account_id, event, now, &mut self.outcome.decisions);
            }
        }
    }

    fn limit_set(&mut self, account_id: &str, command_id: String, limit: Limit) {
        let now = self.now();
        let account = self.accounts.entry(account_id.to_owned()).or_default();
        account.set(account_id, now, command_id, limit, &mut self.outcome.decisions);
    }

    fn limit_removed(
        &mut self,
        account_id: &str,
        command_id: String,
        limit_id: &str,
        object: &Object,
    ) {
        let now = self.now();
        let account = self.accounts.entry(account_id.to_owned()).or_default();
        let out = &mut self.outcome.decisions;
        if !account.remove(account_id, now, command_id, limit_id, out) {
            self.reject("invalid", object);
        }
    }

    /// Every scope with a name in every window with an event.
    fn totals(&self) -> Vec<Value> {
        let mut sums: BTreeMap<_, (i128, i128)> = BTreeMap::new();
        for (account_id, account) in &self.accounts {
            for event in &account.events {
                let windows = [("day", event.day.0), ("month", event.month.0)];
                let named = [
                    ("feature", Some(&event.feature)),
                    ("profile", event.profile.as_ref()),
                    ("country", event.country.as_ref()),
                ];
                let mut scopes = vec![("account", None)];
                scopes.extend(named.into_iter().filter(|(_, id)| id.is_some()));
                for (kind, id) in scopes {
                    for (window, start) in windows {
                        let sum = sums.entry((account_id, kind, id, window, start)).or_default();
                        sum.0 += event.cost;
                        sum.1 += event.requests;
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
