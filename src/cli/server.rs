//! The HTTP server of a process. Promise: it listens before anything else begins, since its address
//! goes into the journal, and outlives the engine, so that the way down can be watched.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::args::Role;
use super::{api, notify};
use crate::api::ops::{self, Ops};
use crate::config::{Config, HttpOptions};
use crate::engine::runner::Setup;
use crate::error::Error;
use crate::notify::Notifier;
use crate::settings::known::Known;
use crate::telemetry::Telemetry;
use crate::topics::Report;

/// How long its readers may take to end.
const END: Duration = Duration::from_secs(3);

pub(super) struct Server {
    runtime: Runtime,
    listener: Option<TcpListener>,
    /// With the port that was taken for 0.
    pub address: SocketAddr,
    /// Where operations have an address of their own.
    ops: Option<TcpListener>,
}

impl Server {
    /// Listens where the options say, before anything is served.
    ///
    /// # Errors
    /// An address is in use, or not of this host.
    pub fn listen(options: &HttpOptions) -> Result<Server, Error> {
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
        let (listener, address) = listen(&options.listen, "http.listen")?;
        let ops = options.ops_listen.as_deref();
        let ops = ops.map(|address| listen(address, "http.ops_listen")).transpose()?;
        if let Some((_, address)) = &ops {
            tracing::info!(%address, "serving /metrics, /livez and /readyz");
        }
        let ops = ops.map(|(listener, _)| listener);
        Ok(Server { runtime, listener: Some(listener), address, ops })
    }

    /// The control plane's routes for these roles, `None` for a process that only folds; and the
    /// settings, where they read them.
    ///
    /// # Errors
    /// When a client cannot be made, or a topic is missing.
    pub fn routes(
        &self,
        config: &Config,
        partitions: usize,
        roles: &[Role],
        engine: Option<&Setup>,
        telemetry: &Telemetry,
    ) -> Result<(Option<Router>, Option<Arc<Known>>), Error> {
        if !roles.iter().any(|role| matches!(role, Role::Api | Role::Gate)) {
            return Ok((None, None));
        }
        let _inside = self.runtime.enter();
        let (routes, known) = api::router(config, partitions, roles, engine, telemetry)?;
        Ok((Some(routes), known))
    }

    /// The notifier, if it is configured; it works on this server's runtime.
    ///
    /// # Errors
    /// When a key of the configuration is wrong, or a topic is missing.
    pub fn notifier(
        &self,
        config: &Config,
        topics: &Report,
        known: Option<Arc<Known>>,
        telemetry: &Telemetry,
    ) -> Result<Option<Notifier>, Error> {
        let _inside = self.runtime.enter();
        notify::start(config, topics, known, telemetry)
    }

    /// Serves from now on, until `end`.
    pub fn serve(&mut self, config: &Config, telemetry: &Telemetry, api: Option<Router>) {
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

    /// Ends with whatever it is answering, and with what it reads.
    pub fn end(self) {
        self.runtime.shutdown_timeout(END);
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
