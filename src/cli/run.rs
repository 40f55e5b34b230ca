//! `tollgate run`: checks what it stands on, then runs the roles until a signal.
//! Promise: configuration, address and topics are checked before anything is folded; a signal ends
//! it in order with exit code 0.

use super::Log;
use super::args::{Role, Run};
use super::config::load;
use super::stop::Stop;
use crate::api::ops::{self, Ops};
use crate::config::Config;
use crate::engine::runner;
use crate::error::{Error, Exit};
use crate::telemetry::Telemetry;
use crate::topics::{self, Severity};

pub(super) fn run(args: &Run, log: Log) -> Result<Exit, Error> {
    let config = load(&args.file)?.config;
    log.start(&config.log);
    let stop = Stop::on_signal()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), roles = ?args.roles, "starting");
    let partitions = check_topics(&config)?;
    let telemetry = Telemetry::default();
    with_ops_server(&config, &telemetry, &stop, || {
        for role in &args.roles {
            match role {
                Role::Engine => run_engine(&config, partitions, &telemetry, &stop)?,
            }
        }
        Ok(())
    })?;
    tracing::info!("stopped");
    Ok(Exit::Done)
}

fn run_engine(
    config: &Config,
    partitions: usize,
    telemetry: &Telemetry,
    stop: &Stop,
) -> Result<(), Error> {
    let (setup, decoder) = super::engine::setup(config, partitions, telemetry)?;
    runner::run(setup, &decoder, &stop.flag())
        .map_err(|error| Error::failed("the engine ended").because(error))
}

/// Logs warnings; errors end the start, all at once. Gives the partition count.
fn check_topics(config: &Config) -> Result<usize, Error> {
    let report = topics::check(config)?;
    let partitions = report.partitions.unwrap_or(0);
    let mut errors = Vec::new();
    for finding in report.findings {
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
        return Ok(partitions);
    }
    let found = format!("the topics are not as the engine needs them\n{}", errors.join("\n"));
    Err(Error::failed(found).remedy("mend them, then run `tollgate topics check`"))
}

/// Serves /metrics, /livez and /readyz while `work` runs; `work` ends by itself or on a signal.
fn with_ops_server(
    config: &Config,
    telemetry: &Telemetry,
    stop: &Stop,
    work: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("ops")
        .enable_all()
        .build()
        .map_err(|error| Error::failed("cannot start a runtime").because(error))?;
    let listening = runtime.block_on(ops::listen(&config.http));
    let (listener, address) = listening.map_err(|error| {
        Error::failed("the operations server does not start")
            .because(error)
            .remedy("set http.listen to a free address of this host")
    })?;
    tracing::info!(%address, "serving /metrics, /livez and /readyz");
    let ops = Ops { telemetry: telemetry.clone(), options: config.http.clone() };
    // It outlives the work, so that the way down can be watched, and ends with the runtime.
    let served = runtime.spawn(ops::serve(listener, ops, std::future::pending()));
    let outcome = work();
    if served.is_finished() {
        tracing::warn!("the operations server ended before the engine");
    }
    // Whatever still waits for the signal may go too.
    stop.raise();
    runtime.shutdown_background();
    outcome
}
