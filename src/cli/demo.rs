//! `tollgate demo`: puts the engine into the demo's seat, and prints the summary.
//! Promise: the engine is set up by the same code as in `run`; only addresses, names and folders
//! differ.

use std::io::IsTerminal;
use std::sync::atomic::AtomicBool;

use super::args::{Demo, Role};
use super::server::Server;
use super::stop::Stop;
use super::{Log, engine, print};
use crate::config::{Config, HttpOptions};
use crate::demo::{self, Guest, Options, Seat, Summary, View, topics};
use crate::engine::runner;
use crate::error::{Error, Exit};
use crate::telemetry::{SystemClock, Telemetry};

pub(super) fn run(args: &Demo, log: Log) -> Result<Exit, Error> {
    let stop = Stop::on_signal()?;
    let table = !args.json && std::io::stdout().is_terminal();
    // A log line amid the table would tear it.
    if !table || !std::io::stderr().is_terminal() {
        log.start_quiet();
    }
    let mut server = Server::listen(&HttpOptions {
        listen: "127.0.0.1:0".to_owned(),
        ..HttpOptions::default()
    })?;
    let options = Options {
        rate: args.rate,
        seed: args.seed,
        duration: args.duration,
        // Without a terminal the table becomes lines.
        view: match (args.json, table) {
            (true, _) => View::Nothing,
            (false, true) => View::Table,
            (false, false) => View::Lines,
        },
        guest: Some(Guest::at(server.address)),
    };
    let engine = move |seat: Seat, stop: &AtomicBool| {
        let ran = run_engine(seat, stop, &mut server);
        // Its readers go before the broker does.
        server.end();
        ran
    };
    let summary = demo::run(&options, &SystemClock, &stop.receiver(), engine);
    let summary = summary.map_err(|error| match error {
        demo::Error::Rate => Error::usage("cannot demonstrate that").because(error),
        _ => Error::failed("the demo ended").because(error),
    })?;
    let json = || serde_json::to_string(&summary).expect("a summary is plain JSON") + "\n";
    print(&if args.json { json() } else { told(&summary) })?;
    Ok(Exit::Done)
}

fn run_engine(seat: Seat, stop: &AtomicBool, server: &mut Server) -> Result<(), String> {
    let partitions = seat.partitions as usize;
    let (config, telemetry) = (config(seat), Telemetry::default());
    let address = server.address.to_string();
    let prepared = engine::setup(&config, partitions, &address, &telemetry);
    let (setup, decoder) = prepared.map_err(|error| error.to_string())?;
    let routes = server.routes(&config, partitions, &Role::ALL, Some(&setup), &telemetry);
    let (routes, _) = routes.map_err(|error| error.to_string())?;
    server.serve(&config, &telemetry, routes);
    runner::run(setup, &decoder, stop).map_err(|error| error.to_string())
}

fn config(seat: Seat) -> Config {
    let mut config = Config::default();
    config.kafka.bootstrap = vec![seat.bootstrap];
    config.engine.state_dir = seat.state_dir;
    config.topics.billed = topics::BILLED.to_owned();
    config.topics.commands = topics::COMMANDS.to_owned();
    config.topics.journal = topics::JOURNAL.to_owned();
    config.topics.block_state = topics::BLOCK_STATE.to_owned();
    config.topics.limit_reached = topics::LIMIT_REACHED.to_owned();
    config.topics.threshold_crossed = topics::THRESHOLD_CROSSED.to_owned();
    config.topics.dead_letter = topics::DEAD_LETTER.to_owned();
    config.topics.received = topics::RECEIVED.to_owned();
    config
}

fn told(summary: &Summary) -> String {
    let Summary { decisions, .. } = summary;
    let ms = |latency: Option<u32>| latency.map_or("-".to_owned(), |ms| format!("{ms} ms"));
    format!(
        "ran         {} s\n\
         lines       {} produced, {} folded and journaled\n\
         events      {}, duplicates {}, rejects {}\n\
         decisions   thresholds {}, limits reached {}, blocked {}, lifted {}; blocked now {}\n\
         latency     event to decision, read by a consumer: p50 {}, p99 {}\n",
        summary.elapsed_ms / 1_000,
        summary.lines_produced,
        summary.lines_journaled,
        summary.events,
        summary.duplicates,
        summary.rejects,
        decisions.threshold_crossed,
        decisions.limit_reached,
        decisions.blocked,
        decisions.lifted,
        summary.blocked_now,
        ms(summary.latency_p50_ms),
        ms(summary.latency_p99_ms),
    )
}
