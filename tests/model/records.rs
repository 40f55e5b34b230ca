//! The decisions of the model as JSON records, with the ids that FORMATS.md derives from their
//! content. It only writes down what `limits` concluded and decides nothing itself.

use serde_json::{Value, json};
use uuid::Uuid;

use super::limits::{Block, Cause, InForce, Step};
use super::times;

const NAMESPACE: &str = "d5fafeb1-ad4f-5bfd-bfb4-25e354558cda";

impl InForce {
    pub fn threshold_record(
        &self,
        step: &Step,
        arming: u64,
        threshold: u8,
        direction: &str,
        highest: bool,
    ) -> Value {
        let kind = "threshold_crossed";
        let mut record = self.edge(step, kind, &threshold.to_string(), direction, arming);
        record["threshold"] = json!(threshold);
        record["direction"] = json!(direction);
        record["highest"] = json!(highest);
        record
    }

    pub fn reached_record(&self, step: &Step, arming: u64) -> Value {
        let mut record = self.edge(step, "limit_reached", "", "", arming);
        record["action"] = json!(self.limit.action);
        record
    }

    /// What a threshold_crossed and a limit_reached have in common.
    fn edge(
        &self,
        step: &Step,
        kind: &str,
        threshold: &str,
        direction: &str,
        arming: u64,
    ) -> Value {
        let window = self.limit.window.bounds(step.at.now);
        let start = times::show(window.map_or(step.at.now, |w| w.0));
        let key = self.block_key(step);
        let version = self.version;
        let name = format!("{kind}|{version}|{start}|{threshold}|{direction}|{arming}|{key}");
        let mut record = self.common(step, kind, &name);
        record["window_start"] = json!(window.map(|w| times::show(w.0)));
        record["window_end"] = json!(window.map(|w| times::show(w.1)));
        record["arming"] = json!(arming);
        record
    }

    pub fn block_record(&self, step: &Step, block: Option<&Block>, sequence: &mut u64) -> Value {
        *sequence += 1;
        let key = self.block_key(step);
        let mut record =
            self.common(step, "block_changed", &format!("block_changed|{sequence}|{key}"));
        record["block_key"] = json!(key);
        record["blocked"] = json!(block.is_some());
        record["blocked_until"] = json!(block.map(|b| times::show(b.until)));
        record["sequence"] = json!(*sequence);
        record
    }

    /// What all three have in common; `name` is the text behind the id.
    fn common(&self, step: &Step, kind: &str, name: &str) -> Value {
        let namespace = Uuid::parse_str(NAMESPACE).expect("a constant UUID");
        let scope_id = if self.limit.means_each() {
            Some(step.group.to_owned())
        } else {
            self.limit.scope_id.clone()
        };
        json!({
            "type": kind,
            "id": Uuid::new_v5(&namespace, name.as_bytes()).to_string(),
            "account_id": step.at.account,
            "limit_id": self.limit.id,
            "limit_version": self.version,
            "scope": {"kind": self.limit.kind, "id": scope_id},
            "measure": self.limit.measure,
            "window": self.limit.window_text,
            "configured_limit": self.show(self.limit.amount),
            "before": self.show(step.before),
            "current": self.show(step.current),
            "now": times::show(step.at.now),
            "cause": step.at.cause.show(),
        })
    }

    fn block_key(&self, step: &Step) -> String {
        let account = step.at.account.replace('%', "%25").replace('/', "%2F");
        let key = format!("{account}/{}", self.limit.id);
        if self.limit.means_each() { format!("{key}/{}", step.group) } else { key }
    }

    /// Money with two decimals or as many more as it has, counts as they are.
    fn show(&self, amount: i128) -> String {
        if !self.limit.money() {
            return amount.to_string();
        }
        let mut shown = six_decimals(amount);
        for _ in 0..4 {
            if shown.ends_with('0') {
                shown.pop();
            }
        }
        shown
    }
}

pub fn six_decimals(micros: i128) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, fraction) = (micros.abs() / 1_000_000, micros.abs() % 1_000_000);
    format!("{sign}{whole}.{fraction:06}")
}

impl Cause {
    fn show(&self) -> Value {
        match self {
            Cause::Event { event_id, occurred_at, correction } => json!({
                "kind": if *correction { "correction" } else { "event" },
                "event_id": event_id,
                "occurred_at": times::show(*occurred_at),
            }),
            Cause::Command { command_id, .. } => {
                json!({"kind": "command", "command_id": command_id})
            }
            Cause::WindowEnd => json!({"kind": "window_end"}),
        }
    }
}
