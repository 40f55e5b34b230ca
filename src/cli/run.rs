//! `tollgate run`: checks what it stands on, then runs the roles until a signal.
//! Promise: configuration, address and topics are checked before anything is folded; a signal ends
//! it in order with exit code 0.

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::args::{Role, Run};
use super::config::load;
use super::stop::Stop;
use super::{Log, api};
use crate::api::ops::{self, Ops};
use crate::config::Config;
use crate::engine::runner::{self, Setup};
use crate::error::{Error, Exit};
use crate::telemetry::Telemetry;
use crate::topics::{self, Severity};
use crate::wire::Decoder;

pub(super) fn run(args: &Run, log: Log) -> Result<Exit, Error> {
    let config = load(&args.file)?.config;
    log.start(&config.log);
    let stop = Stop::on_signal()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), roles = ?args.roles, "starting");
    let partitions = check_topics(&config)?;
    let mut server = Server::listen(&config)?;
    let telemetry = Telemetry::default();
    let engine = if args.roles.contains(&Role::Engine) {
        let address = config.engine.advertised.clone();
        let address = address.unwrap_or_else(|| server.address.to_string());
        Some(super::engine::setup(&config, partitions, &address, &telemetry)?)
    } else {
        None
    };
    let serves = args.roles.iter().any(|role| matches!(role, Role::Api | Role::Gate));
    let api = if serves {
        let _inside = server.runtime.enter();
        let engine = engine.as_ref().map(|(setup, _)| setup);
        Some(api::router(&config, partitions, &args.roles, engine, &telemetry)?)
    } else {
        None
    };
    server.serve(&config, &telemetry, api);
    let outcome = work(engine, &stop);
    // Whatever still waits for the signal may go too.
    stop.raise();
    // It outlives the engine, so that the way down can be watched.
    server.runtime.shutdown_background();
    outcome?;
    tracing::info!("stopped");
    Ok(Exit::Done)
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

/// The process's server, listening before anything else begins: its address goes into the journal.
struct Server {
    runtime: Runtime,
    listener: Option<TcpListener>,
    address: SocketAddr,
    /// Where operations have an address of their own.
    ops: Option<TcpListener>,
}

impl Server {
    fn listen(config: &Config) -> Result<Server, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("http")
            .enable_all()
            .build()
            .map_err(|error| Error::failed("cannot start a runtime").because(error))?;
        let listen = |address: &str, key: &str| {
            runtime.block_on(ops::listen(address)).map_err(|error| {
                Error::failed("the server does not start")
                    .because(error)
                    .remedy(format!("set {key} to a free address of this host"))
            })
        };
        let (listener, address) = listen(&config.http.listen, "http.listen")?;
        let ops = config.http.ops_listen.as_deref();
        let ops = ops.map(|address| listen(address, "http.ops_listen")).transpose()?;
        if let Some((_, address)) = &ops {
            tracing::info!(%address, "serving /metrics, /livez and /readyz");
        }
        let ops = ops.map(|(listener, _)| listener);
        Ok(Server { runtime, listener: Some(listener), address, ops })
    }

    fn serve(&mut self, config: &Config, telemetry: &Telemetry, api: Option<Router>) {
        let ops = Ops { telemetry: telemetry.clone(), options: config.http.clone() };
        let address = self.address;
        tracing::info!(%address, api = api.is_some(), "serving");
        let mut routes = api.unwrap_or_default();
        let Some(listener) = self.listener.take() else { return };
        match self.ops.take() {
            Some(own) => self.spawn(own, ops::router(ops)),
            None => routes = routes.merge(ops::router(ops)),
        }
        self.spawn(listener, routes);
    }

    fn spawn(&self, listener: TcpListener, routes: Router) {
        self.runtime.spawn(async move {
            let served = ops::serve(listener, routes, std::future::pending()).await;
            if let Err(error) = served {
                tracing::error!(error = &error as &dyn std::error::Error, "a server ended");
            }
        });
    }
}
