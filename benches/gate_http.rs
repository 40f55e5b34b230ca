//! `POST /v2/gate/check` under load: a server in this process with 100,000 blocks known, and
//! clients that ask one after the other on connections that stay open. Prints requests a second
//! and times of answers. `GATE_SECONDS` (5) and `GATE_CONNECTIONS` (16) bound it; clients and
//! server share the machine. `cargo bench --bench gate_http`
//!
//! By another program, with a key to be checked: `tollgate demo` prints URL, key and a profile that
//! is held; then `hey -z 10s -c 16 -m POST -H 'Authorization: Bearer tg_…'
//! -d '{"feature":"sms","profile_id":"…"}' http://127.0.0.1:…/v2/gate/check`.
#![allow(clippy::unwrap_used, reason = "a measurement that fails shall say where")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]
#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::{Extension, Router};
use tollgate::api::caller::Caller;
use tollgate::api::gate::{Options, router};
use tollgate::api::keys::Scope;
use tollgate::gate::{self, Gate, Topic};
use tollgate::telemetry::{Metrics, SystemClock};

const BLOCKS: usize = 100_000;

fn main() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
    };
    let lasting = Duration::from_secs(number("GATE_SECONDS", 5));
    let connections = number("GATE_CONNECTIONS", 16);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = serve(&runtime);
    for (name, recipient, status) in [("allow", "+15559999", "200"), ("deny", "+3900000007", "429")]
    {
        let body = format!(
            r#"{{"feature":"sms","profile_id":"p1","country":"IT","recipient":"{recipient}","purpose":"otp"}}"#
        );
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                let body = body.clone();
                std::thread::spawn(move || client(address, &body, status, lasting))
            })
            .collect();
        let mut times: Vec<Duration> =
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        let rate = times.len() as u64 / lasting.as_secs();
        println!(
            "{name}: {rate} requests/s on {connections} connections; p50 {:?}, p99 {:?}, most {:?}",
            at(50),
            at(99),
            at(100)
        );
    }
}

fn serve(runtime: &tokio::runtime::Runtime) -> SocketAddr {
    let gate = Gate::by_hand(&gate::Options::new("nowhere"), Arc::new(SystemClock)).unwrap();
    for number in 0..BLOCKS {
        let recipient = format!("+39{number:08}");
        let value = format!(
            r#"{{"block_key":"acme/otp/{recipient}","account_id":"acme","limit_id":"otp",
            "limit_version":1,"scope":{{"kind":"recipient","id":"{recipient}"}},
            "measure":"requests","window":"PT5M","blocked":true,
            "blocked_until":"2199-01-01T00:00:00Z","configured_limit":"3","before":"2",
            "current":"3","sequence":{},"now":"2024-08-20T12:00:00Z"}}"#,
            number + 1
        );
        gate.feed(Topic::BlockState, None, Some(value.as_bytes())).unwrap();
    }
    let caller = Caller::of("acme", &[Scope::Gate]);
    let routes = router(Arc::new(gate), &Metrics::new(), &Options::default()).unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        axum::serve(listener, Router::from(routes).layer(Extension(caller))).await
    });
    address
}

/// The times of all answers within `lasting`.
fn client(address: SocketAddr, body: &str, status: &str, lasting: Duration) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let length = body.len();
    let request = format!(
        "POST /v2/gate/check HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let (mut times, mut answer) = (Vec::new(), vec![0; 64 * 1024]);
    let started = Instant::now();
    while started.elapsed() < lasting {
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        let mut read = 0;
        while !is_whole(&answer[..read]) {
            let more = stream.read(&mut answer[read..]).unwrap();
            assert!(more > 0, "the server hung up");
            read += more;
        }
        times.push(asked.elapsed());
        assert_eq!(&answer[9..12], status.as_bytes());
    }
    times
}

/// Whether the head and as many bytes as it names have come.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let text = std::str::from_utf8(&answer[..head]).unwrap();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    answer.len() == head + 4 + length.parse::<usize>().unwrap()
}
