//! What a replay found, for people and for machines.

use std::fmt;

use serde::Serialize;

use crate::fold::decision::Decision;
use crate::fold::event::{Input, Line, Reason};

/// Counts of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All but blank ones.
    pub lines: u64,
    /// Accepted billed events.
    pub events: u64,
    pub duplicates: u64,
    /// Decodable and valid commands; the fold may still have rejected some.
    pub commands: u64,
    pub ticks: u64,
    pub rejects: RejectCounts,
    pub decisions: DecisionCounts,
    pub elapsed_ms: u64,
    pub lines_per_second: u64,
}

/// Rejected lines by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RejectCounts {
    pub undecodable: u64,
    pub invalid: u64,
    pub future_event: u64,
    pub conflict: u64,
}

/// Decisions by kind, but for rejects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DecisionCounts {
    pub threshold_crossed: u64,
    pub limit_reached: u64,
    /// Block records that block; one that goes on under other terms counts again.
    pub blocked: u64,
    pub lifted: u64,
}

/// What lines are, counted apart from what comes of them.
#[derive(Debug, Default)]
pub(super) struct LineCounts {
    lines: u64,
    commands: u64,
    ticks: u64,
}

impl LineCounts {
    pub fn of(lines: &[Line<'_>]) -> LineCounts {
        let mut counts = LineCounts { lines: lines.len() as u64, ..LineCounts::default() };
        for line in lines {
            match line.input {
                Input::Command(_) => counts.commands += 1,
                Input::Tick => counts.ticks += 1,
                Input::Billed(_) | Input::Rejected(_) => {}
            }
        }
        counts
    }
}

impl RejectCounts {
    #[must_use]
    pub fn all(&self) -> u64 {
        self.undecodable + self.invalid + self.future_event + self.conflict
    }
}

impl DecisionCounts {
    #[must_use]
    pub fn all(&self) -> u64 {
        self.threshold_crossed + self.limit_reached + self.blocked + self.lifted
    }

    /// Counts a decision that is no reject.
    pub fn count(&mut self, decision: &Decision) {
        match decision {
            Decision::ThresholdCrossed(_) => self.threshold_crossed += 1,
            Decision::LimitReached(_) => self.limit_reached += 1,
            Decision::BlockChanged(block) if block.blocked() => self.blocked += 1,
            Decision::BlockChanged(_) => self.lifted += 1,
            Decision::Rejected(_) => {}
        }
    }
}

impl Summary {
    pub(super) fn count_lines(&mut self, counts: &LineCounts) {
        self.lines += counts.lines;
        self.commands += counts.commands;
        self.ticks += counts.ticks;
    }

    pub(super) fn count_decision(&mut self, decision: &Decision) {
        self.decisions.count(decision);
        if let Decision::Rejected(rejected) = decision {
            match rejected.reason {
                Reason::Undecodable => self.rejects.undecodable += 1,
                Reason::Invalid => self.rejects.invalid += 1,
                Reason::FutureEvent => self.rejects.future_event += 1,
                Reason::Conflict => self.rejects.conflict += 1,
            }
        }
    }

    pub(super) fn time(&mut self, elapsed_ms: u64) {
        self.elapsed_ms = elapsed_ms;
        self.lines_per_second = self.lines * 1_000 / elapsed_ms.max(1);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { rejects, decisions, .. } = self;
        writeln!(out, "lines       {:>12}", self.lines)?;
        writeln!(out, "events      {:>12}", self.events)?;
        writeln!(out, "duplicates  {:>12}", self.duplicates)?;
        writeln!(out, "commands    {:>12}", self.commands)?;
        writeln!(out, "ticks       {:>12}", self.ticks)?;
        writeln!(
            out,
            "rejects     {:>12}  undecodable {}, invalid {}, future_event {}, conflict {}",
            rejects.all(),
            rejects.undecodable,
            rejects.invalid,
            rejects.future_event,
            rejects.conflict
        )?;
        writeln!(
            out,
            "decisions   {:>12}  threshold_crossed {}, limit_reached {}, blocked {}, lifted {}",
            decisions.all(),
            decisions.threshold_crossed,
            decisions.limit_reached,
            decisions.blocked,
            decisions.lifted
        )?;
        let (seconds, millis) = (self.elapsed_ms / 1_000, self.elapsed_ms % 1_000);
        let rate = self.lines_per_second;
        write!(out, "time        {seconds:>8}.{millis:03} s, {rate} lines/s")
    }
}
