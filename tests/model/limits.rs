//! One limit of the model: which events concern it, what its total is at an instant, and which
//! decisions follow when what holds after a step differs from what held before. Every total is
//! summed anew from the accepted events; nothing is cached.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::lines::{Event, Limit, Window};
use super::times;

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
    pub until: i64,
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

/// Whose step it is, when and why.
pub struct Moment<'a> {
    pub account: &'a str,
    pub now: i64,
    pub cause: Cause,
}

/// One limit and group in one step.
pub struct Step<'a> {
    pub at: &'a Moment<'a>,
    pub group: &'a str,
    pub before: i128,
    pub current: i128,
    /// The amount-th newest time of a sliding window, if it has as many.
    pub amount_th: Option<i64>,
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

    pub fn money(&self) -> bool {
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
        let (start, end) = match self.limit.window {
            Window::Sliding(period) => (now - period + 1, i64::MAX),
            Window::Day => times::day(now),
            Window::Month => times::month(now),
        };
        events
            .iter()
            .filter(|event| (start..end).contains(&event.occurred_at))
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
                Window::Sliding(period) => [event.occurred_at + period; 2],
                Window::Day => [event.day.0, event.day.1],
                Window::Month => [event.month.0, event.month.1],
            };
            for instant in instants {
                if from < instant && instant <= to {
                    due.extend(self.limit.group_of(event).map(|group| (instant, group)));
                }
            }
        }
        due
    }

    /// Brings what is held in a group up to what holds now, and says what changed.
    pub fn settle(&mut self, step: &Step, sequence: &mut u64, out: &mut Vec<Value>) {
        let held = self.held_at(step);
        let holds: BTreeSet<u8> =
            self.limit.thresholds.iter().copied().filter(|t| self.holds(*t, step)).collect();
        let reached = self.limit.enabled && step.current >= self.limit.amount;
        let block = (reached && self.limit.action == "block").then(|| self.block(step));

        if held.block.is_some() && block.is_none() {
            out.push(self.block_record(step, None, sequence));
        }
        for t in held.thresholds.iter().rev() {
            if step.at.cause.tells_falls()
                && !holds.contains(t)
                && self.limit.thresholds.contains(t)
            {
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

        let ceased = !held.thresholds.is_subset(&holds) || (held.reached && !reached);
        let grows = ceased && held.window_start.is_some();
        let arming = held.arming + u64::from(grows);
        let after = Held { arming, thresholds: holds, reached, block, ..held };
        self.held.insert(step.group.to_owned(), after);
    }

    /// What is held before the step, as the window and version of the step see it: a new window
    /// begins with nothing but the block that may go on, a new version with arming 1.
    fn held_at(&self, step: &Step) -> Held {
        let mut held = self.held.get(step.group).cloned().unwrap_or_default();
        let window_start = self.limit.window.bounds(step.at.now).map(|(start, _)| start);
        if held.window_start != window_start {
            held = Held { window_start, block: held.block, ..Held::default() };
        }
        if held.version != self.version {
            held.version = self.version;
            held.arming = 1;
        }
        held
    }

    fn holds(&self, threshold: u8, step: &Step) -> bool {
        let part = i128::from(threshold) * self.limit.amount;
        self.limit.enabled && step.current * 100 >= part
    }

    fn block(&self, step: &Step) -> Block {
        let until = match (self.limit.window, self.limit.window.bounds(step.at.now)) {
            (Window::Sliding(period), _) => {
                step.amount_th.expect("a reached total has amount times") + period
            }
            (_, Some((_, end))) => end,
            (_, None) => unreachable!("a calendar window has bounds"),
        };
        Block { until, amount: self.limit.amount, version: self.version }
    }
}

impl Cause {
    /// Whether thresholds that cease are announced.
    fn tells_falls(&self) -> bool {
        match self {
            Cause::Event { correction, .. } => *correction,
            Cause::Command { stays_enabled, .. } => *stays_enabled,
            Cause::WindowEnd => false,
        }
    }
}
