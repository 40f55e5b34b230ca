//! The messaging API behind the gate. Promise: one request gives at most one call, which follows no
//! redirect; the client's credentials stay here, and calls are bounded in number and in time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use reqwest::{Client, Url};
use tokio::sync::Semaphore;

use super::json;
use super::messages::{PURPOSE, fault};

/// Bytes of an answer; beyond, it is not relayed.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Where allowed messages go.
#[derive(Clone)]
pub struct Options {
    /// `gate.upstream`: the whole address of the send call, such as
    /// `https://api.telnyx.com/v2/messages`.
    pub url: String,
    /// `gate.upstream_authorization`: goes out as `Authorization`; without it none does.
    pub authorization: Option<String>,
    /// `gate.upstream_timeout_ms`: of one call, connecting included; beyond, 504.
    pub timeout_ms: u32,
    /// `gate.upstream_calls_max`: calls under way; beyond, 503 at once.
    pub calls_max: u32,
}

impl Options {
    /// The defaults, for an address.
    #[must_use]
    pub fn new(url: &str) -> Options {
        let url = url.to_owned();
        Options { url, authorization: None, timeout_ms: 10_000, calls_max: 256 }
    }
}

/// The secret stays out of logs.
impl std::fmt::Debug for Options {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Options")
            .field("url", &self.url)
            .field("authorization", &self.authorization.as_ref().map(|_| "…"))
            .field("timeout_ms", &self.timeout_ms)
            .field("calls_max", &self.calls_max)
            .finish()
    }
}

/// Why there is no client of the upstream.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("gate.upstream: {url} is no http or https address")]
    Address { url: String },
    #[error("gate.upstream_authorization: not a value that a header may have")]
    Authorization,
    #[error("gate.upstream: no client can be made")]
    Client(#[source] reqwest::Error),
}

pub(super) struct Upstream {
    client: Client,
    url: Url,
    authorization: Option<HeaderValue>,
    calls: Semaphore,
}

impl Upstream {
    pub(super) fn new(options: &Options) -> Result<Upstream, Error> {
        let address = || Error::Address { url: options.url.clone() };
        let url = Url::parse(&options.url).map_err(|_| address())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(address());
        }
        let value = |text: &String| {
            let mut value = HeaderValue::from_str(text).map_err(|_| Error::Authorization)?;
            value.set_sensitive(true);
            Ok(value)
        };
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(Duration::from_millis(options.timeout_ms.into()))
            .build()
            .map_err(Error::Client)?;
        Ok(Upstream {
            client,
            url,
            authorization: options.authorization.as_ref().map(value).transpose()?,
            calls: Semaphore::new(usize::try_from(options.calls_max).unwrap_or(usize::MAX)),
        })
    }

    /// Sends the body on, and relays what comes back.
    pub(super) async fn forward(&self, headers: &HeaderMap, body: Bytes) -> Response {
        let Ok(_call) = self.calls.try_acquire() else {
            let detail = "gate.upstream_calls_max calls are under way: try again.";
            let told = fault("10011", "Too many calls are under way", detail);
            let retry = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
            return (retry, json(StatusCode::SERVICE_UNAVAILABLE, &told)).into_response();
        };
        let mut outgoing = passing(headers);
        outgoing.remove(PURPOSE);
        outgoing.remove("x-auth-token");
        outgoing.remove(header::COOKIE);
        outgoing.remove(header::AUTHORIZATION);
        if let Some(authorization) = &self.authorization {
            outgoing.insert(header::AUTHORIZATION, authorization.clone());
        }
        let call = self.client.post(self.url.clone()).headers(outgoing).body(body).send();
        match call.await {
            Ok(answer) => relay(answer).await,
            Err(error) => failed(&error),
        }
    }
}

async fn relay(mut answer: reqwest::Response) -> Response {
    let (status, headers) = (answer.status(), passing(answer.headers()));
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => {
                body.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => {
                let detail = format!(
                    "It was sent on; the answer ({status}) is longer than {ANSWER_BYTES_MAX} bytes."
                );
                let told = fault("10016", "The answer is too long", &detail);
                return unrepeated(json(StatusCode::BAD_GATEWAY, &told));
            }
            Ok(None) => break,
            Err(error) => return failed(&error),
        }
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Whether it was sent may not be known: a client that repeats it needs an idempotency key, and is
/// not told to do so by itself, unless the upstream was never reached.
fn failed(error: &reqwest::Error) -> Response {
    tracing::warn!(error = %without_url(error), "the upstream of the gate did not answer");
    if error.is_connect() {
        let told = fault("10016", "The upstream is not reached", "It was not sent: try again.");
        return json(StatusCode::BAD_GATEWAY, &told);
    }
    let detail = "Whether it was sent is not known: repeat it only with its idempotency key.";
    let (status, title) = match error.is_timeout() {
        true => (StatusCode::GATEWAY_TIMEOUT, "The upstream did not answer in time"),
        false => (StatusCode::BAD_GATEWAY, "The upstream did not answer"),
    };
    unrepeated(json(status, &fault("10016", title, detail)))
}

/// Addresses may hold secrets.
fn without_url(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { "failed".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}

fn unrepeated(mut response: Response) -> Response {
    let no = HeaderValue::from_static("false");
    response.headers_mut().insert(HeaderName::from_static("x-should-retry"), no);
    response
}

/// All but what belongs to one connection (RFC 9110, 7.6.1), and what the next one sets itself.
fn passing(headers: &HeaderMap) -> HeaderMap {
    let mut passing = headers.clone();
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    for name in &named {
        passing.remove(name.as_str());
    }
    for name in [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::EXPECT,
        header::HOST,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ] {
        passing.remove(name);
    }
    passing
}
