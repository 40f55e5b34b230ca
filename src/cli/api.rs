//! From the configuration to the control plane's routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use super::engine::{decoder, partitioner};
use crate::api::commands::{self, Commands};
use crate::api::control::Control;
use crate::api::forward::Forward;
use crate::api::known::Known;
use crate::api::owners::Owners;
use crate::api::server::{self, Bounds};
use crate::config::{Config, InputFormat};
use crate::engine::runner::Setup;
use crate::error::Error;
use crate::tail::{self, SharedClock, Start};
use crate::telemetry::SystemClock;

/// Begins to read settings and owners, and gives the routes. `engine` is that of this process. Call
/// it inside the server's runtime.
///
/// # Errors
/// When a client cannot be made, or commands in JSON would not be read.
pub(super) fn router(
    config: &Config,
    partitions: usize,
    engine: Option<&Setup>,
) -> Result<Router, Error> {
    if !matches!(config.input.format, InputFormat::Auto | InputFormat::Json) {
        return Err(Error::usage("the api records settings in JSON, which input.format refuses")
            .remedy(
                "set input.format to auto, or leave the api out: tollgate run --roles engine",
            ));
    }
    let clock: SharedClock = Arc::new(SystemClock);
    let partitions = u32::try_from(partitions).unwrap_or(u32::MAX);
    let known = Known::start(
        &tail_options(config, &config.topics.commands, Start::Beginning),
        partitions,
        decoder(config)?,
        config.api.audit_entries_max,
        Arc::clone(&clock),
    );
    let known = known.map_err(|error| failed("the settings").because(error))?;
    let owners = Owners::start(
        &tail_options(config, &config.topics.journal, Start::Last),
        partitions,
        Arc::clone(&clock),
    );
    let owners = owners.map_err(|error| failed("the journal's owners").because(error))?;
    let timeout = Duration::from_millis(config.api.request_timeout_ms.into());
    let commands = commands(config, partitions)?;
    let desk = engine.map(|engine| engine.desk.clone()).unwrap_or_default();
    let control = Arc::new(Control::new(known, commands, desk, clock, timeout));
    let forward = Forward {
        control: Arc::clone(&control),
        owners,
        own_run: engine.map(|engine| engine.options.owner.run.clone()),
        client: Forward::client(timeout)
            .map_err(|error| failed("the server's own client").because(error))?,
        body_bytes_max: config.api.body_bytes_max,
    };
    let bounds = Bounds {
        concurrent_requests_max: config.api.concurrent_requests_max,
        request_timeout: timeout,
        body_bytes_max: config.api.body_bytes_max,
        requests_per_second_max: config.api.requests_per_second_max,
        requests_at_once_max: config.api.requests_at_once_max,
    };
    Ok(server::router(control, forward, &bounds))
}

/// What appends commands.
///
/// # Errors
/// When a client's property is refused.
pub(super) fn commands(config: &Config, partitions: u32) -> Result<Commands, Error> {
    let commands = Commands::new(commands::Options {
        bootstrap: config.kafka.bootstrap.join(","),
        client: config.kafka.client.clone(),
        topic: config.topics.commands.clone(),
        partitions,
        partitioner: partitioner(config),
        timeout_ms: config.api.request_timeout_ms,
    });
    commands.map_err(|error| failed("the producer of commands").because(error))
}

pub(super) fn tail_options(config: &Config, topic: &str, start: Start) -> tail::Options {
    tail::Options {
        client: config.kafka.client.clone(),
        start,
        ..tail::Options::new(&config.kafka.bootstrap.join(","), topic)
    }
}

fn failed(what: &str) -> Error {
    Error::failed(format!("{what} cannot be set up"))
        .remedy("mend the configuration; `tollgate config check` names keys and ranges")
}
