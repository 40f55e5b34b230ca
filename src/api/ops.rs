//! The server for operations: `/metrics`, `/livez`, `/readyz`.
//! Promise: it only reads what the engine reports by atomics, so that no request holds the engine
//! up. It has no authentication and shows no account's numbers.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;

use crate::config::HttpOptions;
use crate::telemetry::{Metrics, Telemetry};

/// What the server shows.
#[derive(Clone, Debug)]
pub struct Ops {
    pub telemetry: Telemetry,
    pub options: HttpOptions,
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}")]
    Listen { address: String, source: std::io::Error },
    #[error("the server ended")]
    Serve(#[source] std::io::Error),
}

/// The routes, to be merged into a larger server.
pub fn router(ops: Ops) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(Arc::new(ops))
}

/// Listens on an address; the second value is it with the port that was taken for 0.
///
/// # Errors
/// `Listen`: the address is in use, or not of this host.
pub async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address: address.to_owned(), source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Serves until `stop` resolves; requests under way are answered first.
///
/// # Errors
/// `Serve`: accepting connections failed for good.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let served = axum::serve(listener, routes).with_graceful_shutdown(stop);
    served.await.map_err(Error::Serve)
}

async fn metrics(State(ops): State<Arc<Ops>>) -> Response {
    ([(header::CONTENT_TYPE, Metrics::content_type())], ops.telemetry.metrics.render())
        .into_response()
}

async fn livez(State(ops): State<Arc<Ops>>) -> Response {
    let silence_max = Duration::from_millis(ops.options.live_silence_max_ms.into());
    answer(ops.telemetry.heartbeats.report(silence_max), "live")
}

async fn readyz(State(ops): State<Arc<Ops>>) -> Response {
    answer(ops.telemetry.readiness.report(ops.options.ready_lag_max), "ready")
}

/// 200 when the report says yes, else 503.
fn answer(report: serde_json::Value, verdict: &str) -> Response {
    let yes = report.get(verdict).and_then(serde_json::Value::as_bool).unwrap_or(false);
    let status = if yes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn fetch(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("connected");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }

    #[test]
    fn the_server_tells_readiness_liveness_and_metrics() {
        let ops = Ops {
            telemetry: Telemetry::default(),
            options: HttpOptions { listen: "127.0.0.1:0".to_owned(), ..HttpOptions::default() },
        };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (listener, address) = runtime.block_on(listen(&ops.options.listen)).expect("listening");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = runtime.spawn(serve(listener, router(ops.clone()), async {
            stopped.await.ok();
        }));

        let answer = fetch(address, "/readyz");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("no partitions assigned"), "{answer}");
        ops.telemetry.readiness.assigned();
        assert!(fetch(address, "/readyz").starts_with("HTTP/1.1 200"));
        assert!(fetch(address, "/livez").contains("\"live\":true"));
        let answer = fetch(address, "/metrics");
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains("tollgate_build_info{version="), "{answer}");
        assert!(fetch(address, "/nothing").starts_with("HTTP/1.1 404"));

        stop.send(()).expect("the server waits for it");
        runtime.block_on(served).expect("it did not panic").expect("it ended in order");
    }
}
