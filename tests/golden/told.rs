//! Decisions and totals in the words of a case. Promise: whatever a decision says is in its
//! sentence or among the details that a case may ask for.

use tollgate::fold::decision::{Cause, Decision, Direction, Evidence};
use tollgate::fold::limit::{Bounds, ScopeKind};
use tollgate::fold::{Calendar, Total};
use tollgate::time::{MINUTE_MS, Millis};

use super::case::{Case, Step};

/// The sentence a case expects behind `=>`.
pub fn sentence(case: &Case, step: &Step, decision: &Decision) -> String {
    match decision {
        Decision::ThresholdCrossed(crossed) => {
            let verb = match crossed.direction {
                Direction::Up => "crosses",
                Direction::Down => "falls below",
            };
            let highest = if crossed.highest { ", highest" } else { "" };
            let what = format!("{verb} {}%", crossed.threshold);
            about(case, step, &crossed.evidence, &what) + highest
        }
        Decision::LimitReached(reached) => about(case, step, &reached.evidence, "reached"),
        Decision::BlockChanged(block) => {
            let what = match block.blocked_until {
                Some(until) => format!("blocks until {}", moment(until)),
                None => "lifted".to_owned(),
            };
            about(case, step, &block.evidence, &what)
        }
        Decision::Rejected(rejected) => {
            let id = rejected.event_id.as_ref().or(rejected.command_id.as_ref());
            let id = id.map_or_else(String::new, |id| format!(" {id}"));
            format!("rejected{id}: {}", rejected.reason.as_str())
        }
    }
}

fn about(case: &Case, step: &Step, evidence: &Evidence, what: &str) -> String {
    let Evidence { limit_id, scope, before, current, configured_limit, now, .. } = evidence;
    let time = if *now == step.at { String::new() } else { format!("at {}: ", moment(*now)) };
    let account = match evidence.account_id.as_str() {
        account if account == case.account => String::new(),
        account => format!("{account} "),
    };
    let number = match (scope.kind, &scope.id) {
        (ScopeKind::Recipient | ScopeKind::Sender, Some(id)) => format!(" for {id}"),
        _ => String::new(),
    };
    format!("{time}{account}{limit_id}{number} {what}, {before} -> {current} of {configured_limit}")
}

/// Everything else that a case may ask for in parentheses.
pub fn details(decision: &Decision) -> Vec<String> {
    match decision {
        Decision::ThresholdCrossed(crossed) => {
            let mut told = evidence(&crossed.evidence);
            told.push(format!("arming {}", crossed.arming));
            told.extend(crossed.bounds.map(window));
            told
        }
        Decision::LimitReached(reached) => {
            let mut told = evidence(&reached.evidence);
            told.push(format!("arming {}", reached.arming));
            told.push(format!("action {}", reached.action.as_str()));
            told.extend(reached.bounds.map(window));
            told
        }
        Decision::BlockChanged(block) => {
            let mut told = evidence(&block.evidence);
            told.push(format!("block record {}", block.sequence));
            told.push(format!("block key {}", block.block_key));
            told
        }
        Decision::Rejected(rejected) => vec![format!("position {}", rejected.position)],
    }
}

fn evidence(evidence: &Evidence) -> Vec<String> {
    let (cause, position) = match &evidence.cause {
        Cause::Event { event_id, position, .. } => (format!("event {event_id}"), Some(position)),
        Cause::Correction { event_id, position, .. } => {
            (format!("correction {event_id}"), Some(position))
        }
        Cause::Command { command_id, position } => {
            (format!("command {command_id}"), Some(position))
        }
        Cause::WindowEnd => ("window end".to_owned(), None),
    };
    let mut told = vec![
        format!("id {}", evidence.id),
        format!("version {}", evidence.limit_version),
        format!("measure {}", evidence.measure.as_str()),
        format!("per {}", evidence.window.as_str()),
        format!("cause {cause}"),
    ];
    told.extend(position.map(|position| format!("position {position}")));
    told
}

fn window(bounds: Bounds) -> String {
    format!("window {} to {}", moment(bounds.start), moment(bounds.end))
}

/// `total profile be3e 2024-08-20: 10.02 USD, 3 requests`
pub fn total(total: &Total) -> String {
    let id = total.scope.id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
    let start = total.window.bounds().start.to_string();
    let window = match total.window {
        Calendar::Day(_) => &start[..10],
        Calendar::Month(_) => &start[..7],
    };
    let (cost, requests) = (total.tally.cost, total.tally.requests);
    format!("total {}{id} {window}: {cost} USD, {requests} requests", total.scope.kind.as_str())
}

/// To the minute, or as much finer as it is.
fn moment(time: Millis) -> String {
    let text = time.to_string().replace('T', " ");
    let digits = match time.0 {
        ms if ms % MINUTE_MS == 0 => 16,
        ms if ms % 1_000 == 0 => 19,
        _ => 23,
    };
    text[..digits].to_owned()
}
