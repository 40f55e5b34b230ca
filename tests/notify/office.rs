//! What the notifiers of a scenario share: topics, keys, and settings written by hand.

use std::collections::HashMap;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{self, Cluster};
use crate::engine::{Engine, Ground, pause, text, tollgate};
use crate::receiver::now_ms;
use crate::topics::{Tail, Writer};

pub struct Office {
    pub ground: Ground,
    pub writer: Writer,
    bootstrap: String,
}

/// How a delivery stands on the topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    pub newest: Value,
    /// When it ended, in Unix milliseconds.
    pub ended_at: Option<i64>,
    pub ending: String,
}

impl Office {
    /// Topics and a keyring; `more` are further lines of `[notify]`.
    pub fn open(scenario: &str, more: &str) -> Option<(MutexGuard<'static, Cluster>, Office)> {
        let cluster = cluster::take()?;
        let mut ground = Ground::new(&cluster, scenario);
        let keys = ground.folder.join("signing.json");
        tollgate(&["keys", "signing", "new", "--file", text(&keys)]);
        ground.more = format!(
            "[notify]\nsigning_keys = \"{}\"\nallowed_networks = [\"127.0.0.1/32\"]\n{more}",
            text(&keys)
        );
        let bootstrap = cluster.bootstrap.clone();
        let writer = Writer::new(&bootstrap);
        Some((cluster, Office { ground, writer, bootstrap }))
    }

    /// A process that does nothing but notify.
    pub fn notifier(&self, name: &str) -> Engine {
        let mut notifier = self.ground.engine(name);
        notifier.roles = Some("notify");
        notifier
    }

    /// Records a setting of an account.
    pub fn set(&self, account_id: &str, kind: &str, body: &Value) {
        let command = json!({"type": kind, "command_id": format!("c-{}", now_ms()),
            "account_id": account_id, "issued_at": chrono::Utc::now().to_rfc3339(), "body": body});
        let (topic, bytes) = (&self.ground.names.commands, command.to_string());
        self.writer.send(topic, account_id, bytes.as_bytes());
        self.writer.flush();
    }

    /// A limit of the account that is reached now, decided by nobody; gives the decision's id.
    pub fn reach(&self, account_id: &str, limit_id: &str) -> String {
        self.reach_for(account_id, limit_id, 1)
    }

    /// The same for the n-th time: a decision of its own.
    pub fn reach_for(&self, account_id: &str, limit_id: &str, time: u32) -> String {
        let name = format!("{account_id}/{limit_id}/{time}");
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes());
        let now = chrono::Utc::now();
        let decision = json!({"type": "limit_reached", "id": id.to_string(),
            "account_id": account_id, "limit_id": limit_id, "limit_version": 1,
            "scope": {"kind": "account", "id": null}, "measure": "cost", "window": "day",
            "window_start": now.format("%Y-%m-%dT00:00:00.000+00:00").to_string(),
            "window_end": now.format("%Y-%m-%dT23:59:59.999+00:00").to_string(),
            "arming": 1, "action": "block", "configured_limit": "10.00", "before": "9.99",
            "current": "10.02", "now": now.to_rfc3339(), "cause": {"kind": "window_end"}});
        let (topic, bytes) = (&self.ground.names.limit_reached, decision.to_string());
        self.writer.send(topic, account_id, bytes.as_bytes());
        id.to_string()
    }

    /// Every delivery on the topic, by its id.
    pub fn standings(&self) -> HashMap<String, Standing> {
        let mut standings = HashMap::<String, Standing>::new();
        Tail::new(&self.bootstrap, &self.ground.names.deliveries).catch_up(|_, row| {
            let Some(value) = row.value else { return };
            let record: Value = serde_json::from_slice(&value).expect("records are JSON");
            let id = record["id"].as_str().unwrap_or_default().to_owned();
            let none = Standing { newest: Value::Null, ended_at: None, ending: String::new() };
            let standing = standings.entry(id).or_insert(none);
            match record["type"].as_str() {
                Some("ended") => {
                    standing.ended_at.get_or_insert(row.timestamp);
                    standing.ending = record["ending"].as_str().unwrap_or_default().to_owned();
                }
                Some("delivery") => standing.newest = record,
                _ => {}
            }
        });
        standings.retain(|id, _| !id.is_empty());
        standings
    }

    /// All records of a topic.
    pub fn records(&self, topic: &str) -> Vec<Value> {
        let mut records = Vec::new();
        Tail::new(&self.bootstrap, topic).catch_up(|_, row| {
            let value = row.value.expect("no tombstones here");
            records.push(serde_json::from_slice(&value).expect("records are JSON"));
        });
        records
    }
}

/// Looks again and again, for so many seconds at most.
pub fn within(seconds: u64, what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(seconds), "waited in vain until {what}");
        pause(100);
    }
}
