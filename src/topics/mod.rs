//! The topics: creates them, and checks that they are as the engine assumes (DESIGN.md, "Assumed
//! and checked at start"). Promise: every deviation is reported at once, with the command that
//! mends it. Existing topics are never changed from here: that is their operator's to decide.

mod expected;
mod kafka;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

pub use expected::{Role, roles};
pub use kafka::{Created, Error, check, create};

use crate::config::Config;

const DOES_NOT_EXIST: &str = "does not exist";

/// What was found out about the topics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Partitions of the topic of billed events, if it exists.
    pub partitions: Option<usize>,
    pub findings: Vec<Finding>,
}

/// One deviation from what the engine assumes, of all topics that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    pub topics: Vec<String>,
    /// What is so, and what that would lead to.
    pub message: String,
    /// What to do, as a command where there is one.
    pub remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The engine does not start.
    Error,
    /// It starts, with less safety.
    Warning,
}

/// A topic as the brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub partitions: usize,
    /// The least number of copies of any of its partitions.
    pub replication: usize,
    /// `None` where the brokers do not tell (an embedded broker).
    pub settings: Option<BTreeMap<String, String>>,
}

impl Report {
    #[must_use]
    pub fn lacks(&self, topic: &str) -> bool {
        self.findings.iter().any(|finding| {
            finding.message == DOES_NOT_EXIST && finding.topics.iter().any(|one| one == topic)
        })
    }

    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let topics = self.topics.join(", ");
        write!(out, "{severity}: {topics}: {}\n  next: {}", self.message, self.remedy)
    }
}

/// Compares topics with what the engine assumes. Pure: `topics` holds those that exist.
#[must_use]
pub fn judge(config: &Config, topics: &BTreeMap<String, Topic>) -> Report {
    let partitions = topics.get(&config.topics.billed).map(|topic| topic.partitions);
    let mut findings: Vec<Finding> = Vec::new();
    for (role, name) in roles(&config.topics) {
        match topics.get(name) {
            None => findings.push(Finding {
                severity: role.missing(),
                topics: vec![name.to_owned()],
                message: DOES_NOT_EXIST.to_owned(),
                remedy: "tollgate topics create, with the same configuration".to_owned(),
            }),
            Some(topic) => {
                let mut found =
                    expected::Judged { config, role, name, topic, findings: Vec::new() };
                found.partitions(partitions);
                found.replication();
                found.settings();
                findings.append(&mut found.findings);
            }
        }
    }
    Report { partitions, findings: gathered(findings) }
}

/// Makes one finding of those that differ in their topic only; errors come first.
fn gathered(findings: Vec<Finding>) -> Vec<Finding> {
    let mut gathered: Vec<Finding> = Vec::new();
    for mut finding in findings {
        let same = gathered.iter_mut().find(|other| {
            (other.severity, &other.message, &other.remedy)
                == (finding.severity, &finding.message, &finding.remedy)
        });
        match same {
            Some(same) => same.topics.append(&mut finding.topics),
            None => gathered.push(finding),
        }
    }
    gathered.sort_by_key(|finding| finding.severity);
    gathered
}
