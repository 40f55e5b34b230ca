//! One limit of the model: which events concern it, what its total is at an instant, and which
//! decisions follow when what holds after a step differs from what held before. Every total is
//! summed anew from the accepted events; nothing is cached.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::lines::{Event, Limit, Window};
use super::times;

const NAMESPACE: &str = "d5fafeb1-ad4f-5bfd-bfb4-25e354558cda";

/// A limit in force, with what it held after the last step, group by group.
#[derive(Clone, Debug)]
pub struct InForce {
    pub limit: Limit,
    pub version: u64,
    /// How many events its account had accepted when it was created.
    pub since: usize,
    pub held: BTreeMap<String, Held>,
}

#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Start of the window and limit version in which the rest holds.
    window_start: Option<i64>,
    version: u64,
    arming: u64,
    thresholds: BTreeSet<u8>,
    reached: bool,
    pub block: Option<Block>,
}

/// What the last record of an open block said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    until: i64,
    amount: i128,
    version: u64,
}

/// What set a step off.
#[derive(Clone, Debug)]
pub enum Cause {
    Event { event_id: String, occurred_at: i64, correction: bool },
    Command { command_id: String, stays_enabled: bool },
    WindowEnd,
}

/// One limit and group in one step.
pub struct Step<'a> {
    pub account: &'a str,
    pub group: &'a str,
    pub now: i64,
    pub before: i128,
    pub current: i128,
    /// Of the amount-th newest time of a sliding window.
    pub amount_th: Option<i64>,
    pub cause: &'a Cause,
}

/// The built-in limit that every account has from the first.
pub fn built_in() -> InForce {
    let limit = Limit {
        id: "otp".to_owned(),
        kind: "recipient".to_owned(),
        scope_id: None,
        measure: "requests".to_owned(),
        window: Window::Sliding(5 * times::MINUTE),
        window_text: "PT5M".to_owned(),
        amount: 3,
        action: "block".to_owned(),
        thresholds: Vec::new(),
        enabled: true,
        only_purpose: Some("otp".to_owned()),
        only_feature: None,
    };
    InForce { limit, version: 1, since: 0, held: BTreeMap::new() }
}

impl Window {
    /// The calendar window that holds `at`; none for a sliding one.
    pub fn bounds(self, at: i64) -> Option<(i64, i64)> {
        match self {
            Window::Day => Some(times::day(at)),
            Window::Month => Some(times::month(at)),
            Window::Sliding(_) => None,
        }
    }
}

impl Limit {
    /// Same kind of total: anything else under the same id is removal plus creation.
    pub fn counts_like(&self, other: &Limit) -> bool {
        self.kind == other.kind
            && self.scope_id == other.scope_id
            && self.measure == other.measure
            && self.window == other.window
            && self.only_purpose == other.only_purpose
            && self.only_feature == other.only_feature
    }

    pub fn same_content(&self, other: &Limit) -> bool {
        self.counts_like(other)
            && self.amount == other.amount
            && self.action == other.action
            && self.thresholds == other.thresholds
            && self.enabled == other.enabled
    }

    pub fn means_each(&self) -> bool {
        self.scope_id.is_none() && self.kind != "account"
    }

    /// The group that an event falls in: "" unless the scope means each number by itself.
    pub fn group_of(&self, event: &Event) -> Option<String> {
        if self.only_purpose.is_some() && self.only_purpose != event.purpose {
            return None;
        }
        if self.only_feature.as_ref().is_some_and(|only| *only != event.feature) {
            return None;
        }
        let carried = match self.kind.as_str() {
            "account" => return Some(String::new()),
            "feature" => Some(&event.feature),
            "profile" => event.profile.as_ref(),
            "country" => event.country.as_ref(),
            "recipient" => event.recipient.as_ref(),
            "sender" => event.sender.as_ref(),
            other => unreachable!("no scope kind {other}"),
        }?;
        match &self.scope_id {
            None => Some(carried.clone()),
            Some(id) if id == carried => Some(String::new()),
            Some(_) => None,
        }
    }

    fn money(&self) -> bool {
        self.measure == "cost"
    }
}

impl InForce {
    pub fn total(&self, events: &[Event], group: &str, now: i64) -> i128 {
        match self.limit.window {
            Window::Sliding(_) => self.times(events, group, now).len() as i128,
            Window::Day | Window::Month if self.limit.measure == "recipients" => {
                let mut seen = BTreeSet::new();
                for event in self.in_window(&events[self.since..], group, now) {
                    if event.requests > 0 {
                        seen.extend(event.recipient.as_ref());
                    }
                }
                seen.len() as i128
            }
            Window::Day | Window::Month => {
                let in_window = self.in_window(events, group, now);
                if self.limit.money() {
                    in_window.iter().map(|e| e.cost).sum()
                } else {
                    in_window.iter().map(|e| e.requests).sum()
                }
            }
        }
    }

    /// The times of a sliding window, newest first, one for each request, at most 1,000.
    fn times(&self, events: &[Event], group: &str, now: i64) -> Vec<i64> {
        let mut times: Vec<i64> = Vec::new();
        for event in self.in_window(&events[self.since..], group, now) {
            let often = event.requests.min(1000) as usize;
            times.extend(std::iter::repeat_n(event.occurred_at, often));
        }
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.truncate(1000);
        times
    }

    /// The amount-th newest time, if there are as many.
    pub fn amount_th(&self, events: &[Event], group: &str, now: i64) -> Option<i64> {
        match self.limit.window {
            Window::Sliding(_) => {
                let times = self.times(events, group, now);
                times.get(self.limit.amount as usize - 1).copied()
            }
            Window::Day | Window::Month => None,
        }
    }

    fn in_window<'a>(&self, events: &'a [Event], group: &str, now: i64) -> Vec<&'a Event> {
        let inside = |at: i64| match (self.limit.window, self.limit.window.bounds(now)) {
            (Window::Sliding(period), _) => at > now - period,
            (_, Some((start, end))) => start <= at && at < end,
            (_, None) => unreachable!("a calendar window has bounds"),
        };
        events
            .iter()
            .filter(|event| inside(event.occurred_at))
            .filter(|event| self.limit.group_of(event).as_deref() == Some(group))
            .collect()
    }

    /// All groups that an event of the account ever fell in.
    pub fn groups(&self, events: &[Event]) -> BTreeSet<String> {
        events.iter().filter_map(|event| self.limit.group_of(event)).collect()
    }

    /// The instants after `from` up to `to` at which something may begin or cease by itself.
    pub fn due(&self, events: &[Event], from: i64, to: i64) -> BTreeSet<(i64, String)> {
        let mut due = BTreeSet::new();
        for event in events {
            let instants = match self.limit.window {
                Window::Sliding(period) => vec![event.occurred_at + period],
                Window::Day | Window::Month => {
                    let of_event = self.limit.window.bounds(event.occurred_at);
                    of_event.map(|(start, end)| vec![start, end]).unwrap_or_default()
                }
            };
            for instant in instants {
                if from < instant && instant <= to {
                    due.extend(self.limit.group_of(event).map(|group| (instant, group)));
                }
            }
        }
        due
    }

    /// Ends what the limit holds in a group: a block is lifted, all else ceases in silence.
    pub fn end(&mut self, step: &Step, sequence: &mut u64, out: &mut Vec<Value>) {
        let held = self.held.remove(step.group).unwrap_or_default();
        if held.block.is_some() {
            out.push(self.block_record(step, None, sequence));
        }
    }

    /// Brings what is held in a group up to what holds now, and says what changed.
    pub fn settle(&mut self, step: &Step, sequence: &mut u64, out: &mut Vec<Value>) {
        let limit = &self.limit;
        let window = limit.window.bounds(step.now);
        let mut held = self.held.remove(step.group).unwrap_or_default();
        if held.window_start != window.map(|w| w.0) {
            let block = held.block.take();
            held = Held { window_start: window.map(|w| w.0), block, ..Held::default() };
        }
        if held.version != self.version {
            held.version = self.version;
            held.arming = 1;
        }

        let holds: BTreeSet<u8> = limit
            .thresholds
            .iter()
            .copied()
            .filter(|t| limit.enabled && step.current * 100 >= i128::from(*t) * limit.amount)
            .collect();
        let reached = limit.enabled && step.current >= limit.amount;
        let block = (reached && limit.action == "block").then(|| Block {
            until: match (limit.window, window) {
                (Window::Sliding(period), _) => {
                    step.amount_th.expect("a reached total has amount times") + period
                }
                (_, Some((_, end))) => end,
                (_, None) => unreachable!("a calendar window has bounds"),
            },
            amount: limit.amount,
            version: self.version,
        });

        if held.block.is_some() && block.is_none() {
            out.push(self.block_record(step, None, sequence));
        }
        let told = match step.cause {
            Cause::Event { correction, .. } => *correction,
            Cause::Command { stays_enabled, .. } => *stays_enabled,
            Cause::WindowEnd => false,
        };
        for t in held.thresholds.iter().rev() {
            if told && !holds.contains(t) && limit.thresholds.contains(t) {
                out.push(self.threshold_record(step, held.arming, *t, "down", false));
            }
        }
        let rising: Vec<u8> = holds.difference(&held.thresholds).copied().collect();
        for t in &rising {
            let highest = rising.last() == Some(t);
            out.push(self.threshold_record(step, held.arming, *t, "up", highest));
        }
        if reached && !held.reached {
            out.push(self.reached_record(step, held.arming));
        }
        if block.is_some() && block != held.block {
            out.push(self.block_record(step, block.as_ref(), sequence));
        }

        let ceased =
            held.thresholds.difference(&holds).next().is_some() || held.reached && !reached;
        if ceased && window.is_some() {
            held.arming += 1;
        }
        held.thresholds = holds;
        held.reached = reached;
        held.block = block;
        self.held.insert(step.group.to_owned(), held);
    }

    fn threshold_record(
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

    fn reached_record(&self, step: &Step, arming: u64) -> Value {
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
        let window = self.limit.window.bounds(step.now);
        let start = times::show(window.map_or(step.now, |w| w.0));
        let key = self.block_key(step);
        let version = self.version;
        let name = format!("{kind}|{version}|{start}|{threshold}|{direction}|{arming}|{key}");
        let mut record = self.common(step, kind, &name);
        record["window_start"] = json!(window.map(|w| times::show(w.0)));
        record["window_end"] = json!(window.map(|w| times::show(w.1)));
        record["arming"] = json!(arming);
        record
    }

    fn block_record(&self, step: &Step, block: Option<&Block>, sequence: &mut u64) -> Value {
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
            "account_id": step.account,
            "limit_id": self.limit.id,
            "limit_version": self.version,
            "scope": {"kind": self.limit.kind, "id": scope_id},
            "measure": self.limit.measure,
            "window": self.limit.window_text,
            "configured_limit": self.show(self.limit.amount),
            "before": self.show(step.before),
            "current": self.show(step.current),
            "now": times::show(step.now),
            "cause": step.cause.show(),
        })
    }

    fn block_key(&self, step: &Step) -> String {
        let account = step.account.replace('%', "%25").replace('/', "%2F");
        let key = format!("{account}/{}", self.limit.id);
        if self.limit.means_each() { format!("{key}/{}", step.group) } else { key }
    }

    /// Money with two decimals or as many more as it has, counts as they are.
    fn show(&self, amount: i128) -> String {
        if !self.limit.money() {
            return amount.to_string();
        }
        let mut shown = six_decimals(amount);
        while shown.ends_with('0')
            && !shown[..shown.len() - 1].ends_with(|c: char| c == '.')
            && shown.len() - shown.find('.').expect("written with a dot") > 3
        {
            shown.pop();
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
