//! The gate over HTTP: `POST /v2/gate/check` answers, `POST /v2/messages` stands before an upstream
//! and forwards what may go. Promise: a denied send is never forwarded, an allowed one is forwarded
//! byte for byte and at most once. It refuses to authenticate: whoever merges the routes puts a
//! `Caller` into each request, and a request without one is answered 401.

mod check;
mod denied;
mod dial;
mod messages;
#[cfg(test)]
mod tests;
mod upstream;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use upstream::{Error as UpstreamError, Options as UpstreamOptions};

use crate::gate::{self, Gate, Send, Verdict};
use crate::tail::{self, SharedClock};
use crate::telemetry::{GateSeen, Metrics};
use dial::Dial;
use upstream::Upstream;

/// Bytes of a request; beyond, it is answered 413.
const BODY_BYTES_MAX: usize = 1 << 20;

/// How `POST /v2/messages` reads a request and where it goes.
#[derive(Clone, Debug)]
pub struct Options {
    /// `gate.upstream`: without it nothing is forwarded, and `/v2/messages` says so.
    pub upstream: Option<UpstreamOptions>,
    /// `gate.mms_feature`: the feature that messages of type MMS count as.
    pub mms_feature: String,
}

impl Default for Options {
    fn default() -> Options {
        Options { upstream: None, mms_feature: "sms".to_owned() }
    }
}

struct State {
    gate: Arc<Gate>,
    metrics: Metrics,
    upstream: Option<Upstream>,
    mms_feature: String,
    dial: Dial,
}

/// A gate for a server: as `Gate::start`, but without the session rule where its topic is missing,
/// which is told. Waits up to `ready_timeout_ms`; a gate that is not ready by then answers as
/// `when_stale` says and goes on reading.
///
/// # Errors
/// When the options are wrong, or a topic that it cannot do without is missing.
pub fn open(options: &gate::Options, clock: &SharedClock) -> Result<Gate, gate::Error> {
    let timeout = std::time::Duration::from_millis(options.ready_timeout_ms.into());
    let gate = Gate::start(options, Arc::clone(clock))?;
    match gate.ready(timeout) {
        Ok(()) => Ok(gate),
        Err(gate::Error::Topic(tail::Error::Absent { topic }))
            if options.session_rule && topic == options.received =>
        {
            tracing::warn!(topic, "the topic is missing: the gate runs without the session rule");
            drop(gate);
            open(&gate::Options { session_rule: false, ..options.clone() }, clock)
        }
        Err(gate::Error::Topic(error @ tail::Error::Unreached { .. })) => {
            tracing::warn!(%error, "the gate has not read everything yet, and goes on");
            Ok(gate)
        }
        Err(error) => Err(error),
    }
}

/// The routes, to be merged into a larger server. The gate shows in the metrics from now on.
///
/// # Errors
/// When the upstream's address or authorization makes no client.
pub fn router(
    gate: Arc<Gate>,
    metrics: &Metrics,
    options: &Options,
) -> Result<OpenApiRouter, UpstreamError> {
    let asked = Arc::clone(&gate);
    metrics.watch_gate(move || GateSeen {
        staleness: asked.staleness(),
        blocks_held: asked.blocks_held(),
    });
    let state = State {
        gate,
        metrics: metrics.clone(),
        upstream: options.upstream.as_ref().map(Upstream::new).transpose()?,
        mms_feature: options.mms_feature.clone(),
        dial: Dial::new(),
    };
    Ok(OpenApiRouter::new()
        .routes(routes!(check::check))
        .routes(routes!(messages::send))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::new(state)))
}

impl State {
    /// Asks the gate, and counts what it says.
    fn ask(&self, send: &Send<'_>) -> Verdict {
        let verdict = self.gate.check(send);
        match verdict {
            Verdict::Allow => self.metrics.gate.allowed.inc(),
            Verdict::Deny(_) => self.metrics.gate.denied.inc(),
        }
        verdict
    }
}

fn json(status: StatusCode, body: &Value) -> Response {
    let bytes = body.to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

fn no_caller() -> Response {
    let body = messages::fault("10009", "Authentication failed", "Send a valid API key.");
    json(StatusCode::UNAUTHORIZED, &body)
}
