//! `tollgate generate`: from flags and configuration to the generator's options.
//! Promise: it adds no defaults of its own; Ctrl-C ends it in order, with what was written whole.

use std::io::{ErrorKind, Write};
use std::path::Path;

use super::args::Generate;
use super::config::load;
use super::stop::Stop;
use crate::config::{Config, Partitioner};
use crate::error::{Error, Exit};
use crate::generate::{self, Destination, Options, Shares, TopicOptions};
use crate::telemetry::SystemClock;
use crate::time::Clock;

pub(super) fn run(args: &Generate) -> Result<Exit, Error> {
    let (options, destination) = match &args.out {
        Some(path) if path == Path::new("-") => (for_file(args), Destination::Stdout),
        Some(path) => (for_file(args), Destination::File(path.clone())),
        None => {
            let config = load(&args.file)?.config;
            (for_topics(args), Destination::Topic(topics(&config)))
        }
    };
    let stop = Stop::on_signal()?;
    let written = generate::run(&options, &destination, &SystemClock, &stop.receiver());
    let summary = match written {
        Ok(summary) => summary,
        // A reader that went away (`| head`) has what it wanted.
        Err(generate::Error::Write { cause, .. }) if cause.kind() == ErrorKind::BrokenPipe => {
            return Ok(Exit::Done);
        }
        Err(error) => return Err(told(error)),
    };
    let text = format!(
        "{} lines: {} events, {} commands, {} garbage; {} bytes\n",
        summary.lines, summary.events, summary.commands, summary.garbage, summary.bytes
    );
    // Standard output may be the log itself; nobody is owed this line.
    let _ = std::io::stderr().write_all(text.as_bytes());
    Ok(Exit::Done)
}

/// What flags mean wherever the traffic goes.
fn common(args: &Generate) -> Options {
    let mix = &args.mix;
    Options {
        events: args.events.unwrap_or(u64::MAX),
        seed: args.seed,
        accounts: mix.accounts,
        profiles_per_account: mix.profiles,
        zipf_exponent: mix.zipf,
        limits_per_account: mix.limits,
        shares: Shares {
            duplicates: mix.duplicates,
            conflicts: mix.conflicts,
            late: mix.late,
            early: mix.early,
            corrections: mix.corrections,
            garbage: mix.garbage,
            otp: mix.otp,
            changes: mix.changes,
        },
        ..Options::default()
    }
}

fn for_file(args: &Generate) -> Options {
    let mut options = Options { start: args.start, ..common(args) };
    if let Some(rate) = args.rate {
        options.gap_us = 1_000_000 / rate;
    }
    options
}

/// On topics events occur now: at their rate, or all at once as fast as they can be sent.
fn for_topics(args: &Generate) -> Options {
    Options {
        start: SystemClock.now(),
        gap_us: args.rate.map_or(0, |rate| 1_000_000 / rate),
        paced: args.rate.is_some(),
        ..common(args)
    }
}

fn topics(config: &Config) -> TopicOptions {
    let partitioner = match config.input.partitioner {
        Partitioner::Murmur2 => "murmur2_random",
        Partitioner::Crc32 => "consistent_random",
    };
    let raw = config.kafka.client.iter().map(|(name, value)| (name.clone(), value.clone()));
    TopicOptions {
        bootstrap: config.kafka.bootstrap.join(","),
        billed: config.topics.billed.clone(),
        commands: config.topics.commands.clone(),
        settings: raw.chain([("partitioner".to_owned(), partitioner.to_owned())]).collect(),
    }
}

fn told(error: generate::Error) -> Error {
    match &error {
        generate::Error::OutOfBounds { .. }
        | generate::Error::Calendar
        | generate::Error::Share(_) => Error::usage("cannot generate that").because(error),
        generate::Error::Write { .. } => Error::failed("generating stopped")
            .because(error)
            .remedy("check the path, its rights and the space on the disk"),
        generate::Error::Publish { .. } => Error::failed("generating stopped")
            .because(error)
            .remedy("check the brokers, and the topics with `tollgate topics check`"),
    }
}
