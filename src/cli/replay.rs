//! `tollgate replay`: from flags to the replay's options, and its summary to where it can be seen.
//! Promise: standard output carries decisions or totals alone when they go there.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::args::Replay;
use super::print;
use crate::error::{Error, Exit};
use crate::replay::{self, Options};
use crate::telemetry::SystemClock;

pub(super) fn run(args: &Replay) -> Result<Exit, Error> {
    let options = Options {
        logs: args.log.clone(),
        decisions: args.decisions.clone(),
        totals: args.totals.clone(),
        dedup_minutes: args.dedup_minutes.into(),
        threads: args.threads.map_or(0, usize::from),
    };
    let summary = match replay::run(&options, &SystemClock) {
        Ok(summary) => summary,
        // A reader that went away (`| head`) has what it wanted.
        Err(replay::Error::Write { cause, .. }) if cause.kind() == ErrorKind::BrokenPipe => {
            return Ok(Exit::Done);
        }
        Err(error) => return Err(told(error)),
    };
    let text = if args.json {
        let json = serde_json::to_string(&summary).expect("a summary is plain JSON");
        format!("{json}\n")
    } else {
        format!("{summary}\n")
    };
    if goes_to_stdout(&args.decisions) || goes_to_stdout(&args.totals) {
        // What was asked for has been written; the summary is a courtesy there.
        let _ = std::io::stderr().write_all(text.as_bytes());
    } else {
        print(&text)?;
    }
    Ok(if args.strict && summary.rejects.all() > 0 { Exit::Deviates } else { Exit::Done })
}

fn goes_to_stdout(path: &Option<PathBuf>) -> bool {
    path.as_deref() == Some(Path::new("-"))
}

fn told(error: replay::Error) -> Error {
    match &error {
        replay::Error::NoLog
        | replay::Error::StdinTwice
        | replay::Error::SamePlace(_)
        | replay::Error::OverLog(_) => Error::usage("cannot replay so").because(error),
        replay::Error::Read { .. } => Error::failed("the replay stopped")
            .because(error)
            .remedy("check that the file exists, may be read and is whole"),
        replay::Error::Threads(_) => Error::failed("the replay did not start")
            .because(error)
            .remedy("allow the process more threads, or replay with --threads 1"),
        replay::Error::Write { .. } => Error::failed("the replay stopped")
            .because(error)
            .remedy("check the path, its rights and the space on the disk"),
    }
}
