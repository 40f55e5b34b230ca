//! `tollgate topics`: creates the topics, and reports how they deviate from what the engine needs.
//! Promise: exit code 3 exactly when the engine would not start on them.

use super::args::Topics;
use super::config::load;
use super::print;
use crate::error::{Error, Exit};
use crate::topics::{self, Report};

pub(super) fn run(command: &Topics) -> Result<Exit, Error> {
    match command {
        Topics::Create(file) => {
            let config = load(file)?.config;
            let created = topics::create(&config)?;
            for name in &created.made {
                print(&format!("created {name} with {} partitions\n", created.partitions))?;
            }
            for name in &created.found {
                print(&format!("{name} exists and was left as it is\n"))?;
            }
            // What was just made is as it should be, but brokers take a moment to tell.
            if created.found.is_empty() {
                return Ok(Exit::Done);
            }
            let mut report = topics::check(&config)?;
            for finding in &mut report.findings {
                finding.topics.retain(|topic| created.found.contains(topic));
            }
            report.findings.retain(|finding| !finding.topics.is_empty());
            verdict(&report)
        }
        Topics::Check { file, json } => {
            let report = topics::check(&load(file)?.config)?;
            if !json {
                return verdict(&report);
            }
            let text = serde_json::to_string_pretty(&report).expect("a report is plain JSON");
            print(&format!("{text}\n"))?;
            Ok(if report.has_errors() { Exit::Deviates } else { Exit::Done })
        }
    }
}

fn verdict(report: &Report) -> Result<Exit, Error> {
    for finding in &report.findings {
        print(&format!("{finding}\n"))?;
    }
    if report.has_errors() {
        print("the engine does not start on these topics\n")?;
        return Ok(Exit::Deviates);
    }
    print("the topics are as the engine needs them\n")?;
    Ok(Exit::Done)
}
