//! Brings a request to the process that owns its account's partition, by the address in the
//! journal. Promise: a request is passed on once at most; who gets it checks the key again.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use super::control::Control;
use super::countries;
use super::fault::{Fault, Kind};
use super::owners::Owners;

/// Marks a request that another process has passed on.
const FORWARDED: HeaderName = HeaderName::from_static("x-tollgate-forwarded");
/// Of one connection only.
const HOP_BY_HOP: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::CONTENT_LENGTH,
];

/// What the layer needs.
pub struct Forward {
    pub control: Arc<Control>,
    pub owners: Owners,
    /// The run of this process as the journal names it; `None` where no engine runs.
    pub own_run: Option<String>,
    pub client: reqwest::Client,
    pub body_bytes_max: usize,
}

impl Forward {
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout)
            .build()
    }

    /// The address of another process that owns the caller's partition.
    fn elsewhere(&self, request: &Request) -> Option<String> {
        let caller = request.extensions().get::<Caller>()?;
        if request.headers().contains_key(FORWARDED) {
            return None;
        }
        let owner = self.owners.of(self.control.partition(&caller.account_id))?;
        (self.own_run.as_ref() != Some(&owner.run)).then_some(owner.address)
    }

    async fn pass_on(&self, address: &str, request: Request) -> Result<Response, Fault> {
        let (parts, body) = request.into_parts();
        // The owner has the bound of the path.
        let bytes_max = self.body_bytes_max.max(countries::BODY_BYTES_MAX);
        let body = to_bytes(body, bytes_max).await.map_err(|_| {
            Fault::new(Kind::TooLarge, format!("The body exceeds {bytes_max} bytes."))
        })?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = without_hop_by_hop(&parts.headers);
        headers.insert(FORWARDED, HeaderValue::from_static("1"));
        let passed = self.client.request(parts.method, format!("http://{address}{path}"));
        let answer = passed.headers(headers).body(body).send().await;
        let answer = answer.map_err(|error| {
            tracing::warn!(address, error = &error as &dyn std::error::Error, "owner not reached");
            Fault::new(
                Kind::Unavailable,
                "The process that owns this account's partition could not be reached; try again \
                 in a moment. If this lasts, look whether `engine.advertised` of each process is \
                 an address that the others reach.",
            )
            .retry_after(1)
        })?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        *response.headers_mut() = without_hop_by_hop(answer.headers());
        let body = answer.bytes().await.map_err(|error| {
            Fault::new(Kind::Upstream, format!("The owner's answer broke off: {error}"))
        })?;
        *response.body_mut() = Body::from(body);
        Ok(response)
    }
}

/// Passes a request on, or lets it through if the partition is of this process.
pub async fn to_owner(
    State(forward): State<Arc<Forward>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(address) = forward.elsewhere(&request) else { return next.run(request).await };
    forward.pass_on(&address, request).await.unwrap_or_else(IntoResponse::into_response)
}

fn without_hop_by_hop(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    kept
}
