//! `tollgate run`: checks what it stands on, then runs the roles until a signal.
//! Promise: configuration, address and topics are checked before anything is folded; a signal ends
//! it in order with exit code 0.

use super::Log;
use super::args::{Role, Run};
use super::config::load;
use super::server::Server;
use super::stop::Stop;
use crate::config::Config;
use crate::engine::runner::{self, Setup};
use crate::error::{Error, Exit};
use crate::telemetry::Telemetry;
use crate::topics::{self, Report, Severity};
use crate::wire::Decoder;

pub(super) fn run(args: &Run, log: Log) -> Result<Exit, Error> {
    let config = load(&args.file)?.config;
    log.start(&config.log);
    let stop = Stop::on_signal()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), roles = ?args.roles, "starting");
    let topics = check_topics(&config)?;
    let partitions = topics.partitions.unwrap_or(0);
    let mut server = Server::listen(&config.http)?;
    let telemetry = Telemetry::default();
    let engine = if args.roles.contains(&Role::Engine) {
        Some(super::engine::setup(&config, partitions, &advertised(&config, &server), &telemetry)?)
    } else {
        None
    };
    let engine_setup = engine.as_ref().map(|(setup, _)| setup);
    let (api, known) = server.routes(&config, partitions, &args.roles, engine_setup, &telemetry)?;
    server.serve(&config, &telemetry, api);
    let notifier = if args.roles.contains(&Role::Notify) {
        server.notifier(&config, &topics, known, &telemetry)?
    } else {
        None
    };
    let outcome = work(engine, &stop);
    drop(notifier);
    // Whatever still waits for the signal may go too.
    stop.raise();
    // It outlives the engine, so that the way down can be watched.
    server.end();
    outcome?;
    tracing::info!("stopped");
    Ok(Exit::Done)
}

/// Under which other processes reach this one.
fn advertised(config: &Config, server: &Server) -> String {
    if let Some(address) = &config.engine.advertised {
        return address.clone();
    }
    if server.address.ip().is_unspecified() {
        tracing::warn!(
            address = %server.address,
            "other processes cannot reach this one to pass requests on: set engine.advertised to \
             its host and port, unless it runs alone"
        );
    }
    server.address.to_string()
}

/// Runs the engine, or waits where there is none, until a signal.
fn work(engine: Option<(Setup, Decoder)>, stop: &Stop) -> Result<(), Error> {
    let Some((setup, decoder)) = engine else {
        // Its end is the message.
        let _ = stop.receiver().recv();
        return Ok(());
    };
    runner::run(setup, &decoder, &stop.flag())
        .map_err(|error| Error::failed("the engine ended").because(error))
}

/// Logs warnings; errors end the start, all at once. Gives what was found.
fn check_topics(config: &Config) -> Result<Report, Error> {
    let report = topics::check(config)?;
    let mut errors = Vec::new();
    for finding in &report.findings {
        match finding.severity {
            Severity::Error => errors.push(finding.to_string()),
            Severity::Warning => tracing::warn!(
                topics = finding.topics.join(","),
                remedy = finding.remedy,
                "topics: {}",
                finding.message
            ),
        }
    }
    if errors.is_empty() {
        return Ok(report);
    }
    let found = format!("the topics are not as the engine needs them\n{}", errors.join("\n"));
    Err(Error::failed(found).remedy("mend them, then run `tollgate topics check`"))
}
