//! From the configuration to the control plane's routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

use super::args::Role;
use super::engine::{decoder, partitioner, wire_options};
use crate::api;
use crate::api::commands::{self, Commands};
use crate::api::control::Control;
use crate::api::forward::Forward;
use crate::api::gate::UpstreamOptions;
use crate::api::owners::Owners;
use crate::api::server::{self, Bounds, Parts};
use crate::config::{self, Config, InputFormat};
use crate::engine::runner::Setup;
use crate::error::Error;
use crate::gate::{self, WhenStale};
use crate::settings::known::Known;
use crate::tail::{self, SharedClock, Start};
use crate::telemetry::{SystemClock, Telemetry};

/// Whether settings that are recorded in JSON, keys among them, would be read.
///
/// # Errors
/// When `input.format` refuses JSON.
pub(super) fn takes_json(config: &Config) -> Result<(), Error> {
    match config.input.format {
        InputFormat::Auto | InputFormat::Json => Ok(()),
        InputFormat::AvroSingle | InputFormat::Confluent => {
            Err(Error::usage("settings and keys are recorded in JSON, which input.format refuses")
                .remedy("set input.format to auto, which reads every encoding"))
        }
    }
}

/// Begins to read the settings of all accounts.
///
/// # Errors
/// When a client cannot be made.
pub(super) fn known(
    config: &Config,
    partitions: usize,
    clock: &SharedClock,
) -> Result<Known, Error> {
    let known = Known::start(
        &tail_options(config, &config.topics.commands, Start::Beginning),
        u32::try_from(partitions).unwrap_or(u32::MAX),
        decoder(config)?,
        config.api.audit_entries_max,
        Arc::clone(clock),
    );
    known.map_err(|error| failed("the settings").because(error))
}

/// Begins to read settings and owners, and gives the routes, and the settings where it reads them.
/// `engine` is that of this process. Call
/// it inside the server's runtime.
///
/// # Errors
/// When a client cannot be made, or a topic is missing.
pub(super) fn router(
    config: &Config,
    partitions: usize,
    roles: &[Role],
    engine: Option<&Setup>,
    telemetry: &Telemetry,
) -> Result<(Router, Option<Arc<Known>>), Error> {
    if let Err(error) = takes_json(config) {
        tracing::warn!(%error, "neither api nor gate are served");
        return Ok((Router::new(), None));
    }
    let clock: SharedClock = Arc::new(SystemClock);
    let known = Arc::new(known(config, partitions, &clock)?);
    let partitions = u32::try_from(partitions).unwrap_or(u32::MAX);
    let timeout = Duration::from_millis(config.api.request_timeout_ms.into());
    let commands = commands(config, partitions)?;
    let desk = engine.map(|engine| engine.desk.clone()).unwrap_or_default();
    let control = Control::new(Arc::clone(&known), commands, desk, Arc::clone(&clock), timeout);
    let control = Arc::new(control);
    let contracts = roles.contains(&Role::Api).then(|| {
        Ok::<_, Error>(Forward {
            control: Arc::clone(&control),
            owners: owners(config, partitions, &clock)?,
            own_run: engine.map(|engine| engine.options.owner.run.clone()),
            client: Forward::client(timeout)
                .map_err(|error| failed("the server's own client").because(error))?,
            body_bytes_max: config.api.body_bytes_max,
        })
    });
    let gate = roles.contains(&Role::Gate).then(|| gate_routes(config, &clock, telemetry));
    let parts = Parts { contracts: contracts.transpose()?, gate: gate.transpose()? };
    let bounds = Bounds {
        concurrent_requests_max: config.api.concurrent_requests_max,
        request_timeout: timeout,
        body_bytes_max: config.api.body_bytes_max,
        requests_per_second_max: config.api.requests_per_second_max,
        requests_at_once_max: config.api.requests_at_once_max,
    };
    Ok((server::router(control, parts, &bounds), Some(known)))
}

fn owners(config: &Config, partitions: u32, clock: &SharedClock) -> Result<Owners, Error> {
    let options = tail_options(config, &config.topics.journal, Start::Last);
    Owners::start(&options, partitions, Arc::clone(clock))
        .map_err(|error| failed("the journal's owners").because(error))
}

/// Milliseconds that the start waits for the gate to have read everything.
const GATE_READY_MS: u32 = 30_000;

fn gate_routes(
    config: &Config,
    clock: &SharedClock,
    telemetry: &Telemetry,
) -> Result<OpenApiRouter, Error> {
    let options = &config.gate;
    let gate = api::gate::open(
        &gate::Options {
            client: config.kafka.client.clone(),
            block_state: config.topics.block_state.clone(),
            commands: config.topics.commands.clone(),
            session_rule: options.session_rule,
            received: config.topics.received.clone(),
            sessions_max: options.sessions_max,
            wire: wire_options(config)?,
            staleness_max_ms: options.staleness_max_ms,
            when_stale: match options.when_stale {
                config::WhenStale::LastKnown => WhenStale::LastKnown,
                config::WhenStale::Allow => WhenStale::Allow,
                config::WhenStale::Deny => WhenStale::Deny,
            },
            ready_timeout_ms: GATE_READY_MS,
            ..gate::Options::new(&config.kafka.bootstrap.join(","))
        },
        clock,
    );
    let gate = gate.map_err(|error| {
        Error::failed("the gate does not start")
            .because(error)
            .remedy("tollgate topics check tells what is missing")
    })?;
    let upstream = options.upstream.as_ref().map(|url| UpstreamOptions {
        url: url.clone(),
        authorization: options.upstream_authorization.clone(),
        timeout_ms: options.upstream_timeout_ms,
        calls_max: options.upstream_calls_max,
    });
    let served = api::gate::Options { upstream, mms_feature: options.mms_feature.clone() };
    api::gate::router(Arc::new(gate), &telemetry.metrics, &served)
        .map_err(|error| failed("the gate's upstream").because(error))
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
