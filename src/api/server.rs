//! The server of the control plane: contracts behind keys, bounds around them, their description
//! beside them. Promise: every request has a bound in size, time and number, and every answer of
//! an error says what to do next.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use super::caller::{self, Guard, Rates};
use super::control::Control;
use super::fault::{self, Fault, Kind};
use super::forward::{self, Forward};
use super::{audit, billing, blocks, countries, otp, profiles, usage, whatsapp};

/// Bounds of the server.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Requests answered at the same time.
    pub concurrent_requests_max: usize,
    pub request_timeout: Duration,
    /// Of a request; files to upload have their own.
    pub body_bytes_max: usize,
    /// Requests of one key a second, and at once.
    pub requests_per_second_max: u32,
    pub requests_at_once_max: u32,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tollgate",
        description = "Limits, usage, blocks, and the gate in front of sending. Every answer about \
                       totals is as of the journal; who reads after a write sees the write.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    security(("bearer" = []), ("token" = [])),
)]
struct Description;

/// Every contract.
fn contracts() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .merge(audit::routes())
        .merge(billing::routes())
        .merge(blocks::routes())
        .merge(countries::routes())
        .merge(otp::routes())
        .merge(profiles::routes())
        .merge(usage::routes())
        .merge(whatsapp::routes())
}

/// What a process serves of it.
pub struct Parts {
    /// The contracts, and the way to the owners of other partitions.
    pub contracts: Option<Forward>,
    /// The gate's routes.
    pub gate: Option<OpenApiRouter>,
}

/// The routes of the control plane, to be merged into the process's server.
pub fn router(control: Arc<Control>, parts: Parts, bounds: &Bounds) -> Router {
    let rates = Rates::new(bounds.requests_per_second_max, bounds.requests_at_once_max);
    let guard = Guard { control: Arc::clone(&control), rates: Arc::new(rates) };
    let places = Arc::new(Semaphore::new(bounds.concurrent_requests_max));
    let request_timeout = bounds.request_timeout;
    let mut served = OpenApiRouter::with_openapi(Description::openapi());
    if let Some(forward) = parts.contracts {
        let to_owner = middleware::from_fn_with_state(Arc::new(forward), forward::to_owner);
        let body_max = DefaultBodyLimit::max(bounds.body_bytes_max);
        served = served.merge(contracts().layer(to_owner).layer(body_max).with_state(control));
    }
    let served = served.merge(parts.gate.unwrap_or_default());
    let (guarded, mut description) = served.split_for_parts();
    describe_keys(&mut description);
    let guarded = guarded.layer(middleware::from_fn_with_state(guard, caller::authenticate));
    let page = SwaggerUi::new("/docs").url("/v2/openapi.json", description);
    Router::new()
        .merge(guarded)
        .merge(page)
        .method_not_allowed_fallback(|| async {
            Fault::new(Kind::Method, "This path has other methods; /docs lists them.")
        })
        .fallback(|| async { Fault::new(Kind::Absent, "No such path; /docs lists them all.") })
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            bounded(request_timeout, Arc::clone(&places), request, next)
        }))
        .layer(middleware::from_fn(fault::dress))
}

/// Refuses a request beyond the bound at once, and ends one that takes too long.
async fn bounded(
    request_timeout: Duration,
    places: Arc<Semaphore>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_place) = places.try_acquire() else {
        let busy = "This server answers as many requests as it may; try again in a moment.";
        return Fault::new(Kind::Unavailable, busy).retry_after(1).into_response();
    };
    let answered = tokio::time::timeout(request_timeout, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let late = "The answer was not there in time; look again before repeating a change.";
        Fault::new(Kind::Late, late).into_response()
    })
}

fn describe_keys(description: &mut utoipa::openapi::OpenApi) {
    let components = description.components.get_or_insert_default();
    let bearer = Http::new(HttpAuthScheme::Bearer);
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let token = ApiKey::Header(ApiKeyValue::new("X-Auth-Token"));
    components.add_security_scheme("token", SecurityScheme::ApiKey(token));
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use axum::http::StatusCode;
    use axum::routing::get;
    use tokio::sync::Notify;

    use super::*;

    fn ask(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).expect("connected");
        let request = "GET /v2/slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }

    /// One request is answered at a time, and for at most 200 ms.
    #[test]
    fn a_request_beyond_the_bounds_is_told_so() {
        let (places, entered) = (Arc::new(Semaphore::new(1)), Arc::new(Notify::new()));
        let inside = Arc::clone(&entered);
        let routes = Router::new()
            .route(
                "/v2/slow",
                get(move || async move {
                    inside.notify_one();
                    std::future::pending::<StatusCode>().await
                }),
            )
            .layer(middleware::from_fn(move |request: Request, next: Next| {
                bounded(Duration::from_millis(200), Arc::clone(&places), request, next)
            }))
            .layer(middleware::from_fn(fault::dress));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async move { axum::serve(listener, routes).await });
        let first = std::thread::spawn(move || ask(address));
        runtime.block_on(entered.notified());
        let second = ask(address);
        assert!(second.starts_with("HTTP/1.1 503"), "{second}");
        assert!(second.contains("retry-after: 1"), "{second}");
        let first = first.join().expect("it was answered");
        assert!(first.starts_with("HTTP/1.1 504"), "{first}");
        assert!(first.contains("\"code\":\"not_in_time\""), "{first}");
        assert!(ask(address).starts_with("HTTP/1.1 504"), "the place is free again");
    }
}
