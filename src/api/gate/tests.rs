//! The routes over real connections, with a gate that is fed by hand and an upstream of the test's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Extension, Router};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::*;
use crate::api::keys::{Caller, Scope};
use crate::gate::{Denial, Topic};
use crate::telemetry::SystemClock;
use crate::time::Millis;
use crate::wire::{self, BlockSeen, Decoder};

/// T3, as REQUIREMENTS.md has it.
const T3: &str = concat!(
    r#"{"errors":[{"code":"40333","title":"Messaging profile spend limit reached","detail":"The d"#,
    r#"aily spend limit configured on this messaging profile has been reached","meta":{"url":"htt"#,
    r#"ps://developers.telnyx.com/docs/overview/errors/40333"}}]}"#,
);
const NEVER: &str = "2199-01-01T00:00:00.000+00:00";

fn record(limit_id: &str, kind: &str, id: Option<&str>, until: &str) -> Value {
    json!({"block_key": format!("acme/{limit_id}"), "account_id": "acme", "limit_id": limit_id,
        "limit_version": 2, "scope": {"kind": kind, "id": id}, "measure": "cost", "window": "day",
        "blocked": true, "blocked_until": until, "configured_limit": "10.00", "before": "9.98",
        "current": "10.02", "sequence": 1, "now": "2024-08-20T12:00:00Z"})
}

fn seen(record: &Value) -> Arc<BlockSeen> {
    let decoder = Decoder::new(&wire::Options::default()).expect("a decoder");
    Arc::new(decoder.decode_block(record.to_string().as_bytes()).expect("a block record"))
}

fn denial(blocks: Vec<Arc<BlockSeen>>, session_closed: bool, stale: bool) -> Denial {
    let now = Millis::parse("2024-08-20T12:00:00.001Z").expect("a time");
    Denial { blocks, session_closed, stale, now }
}

/// Status, headers by name, and body of a block that ends at midnight.
fn denied_by(kind: &str, id: Option<&str>) -> (u16, HeaderMap, String) {
    let block = seen(&record("l_1", kind, id, "2024-08-21T00:00:00Z"));
    let (status, headers, body) = denied::answer(&denial(vec![block], false, false));
    assert_eq!(headers["content-type"], "application/json");
    (status.as_u16(), headers, body)
}

#[test]
fn a_profiles_denial_is_t3_to_the_letter() {
    let (status, headers, body) = denied_by("profile", Some("p1"));
    assert_eq!((status, body.as_str()), (429, T3));
    assert_eq!(headers["retry-after"], "43200", "11:59:59.999 hours, rounded up");
    assert_eq!(headers["x-should-retry"], "false");
    assert_eq!(headers["x-tollgate-limit"], "l_1");
    assert_eq!(headers["x-tollgate-blocked-until"], "2024-08-21T00:00:00.000+00:00");
}

#[test]
fn every_other_denial_has_its_products_members_and_lists_the_blocks() {
    let told = "Limit l_1 of country IT is reached (10.02 of 10.00 per day); sending resumes at \
                2024-08-21T00:00:00.000+00:00.";
    for (kind, id, members) in [
        ("country", Some("IT"), json!({"status": "NOT SENT", "trace": "SMS limit reached"})),
        ("account", None, json!({"success": false, "status": 429})),
        ("feature", Some("sms"), json!({"success": false, "status": 429})),
        ("recipient", Some("+39333"), json!({"status": 429})),
        ("sender", Some("+15550001"), json!({"status": 429})),
    ] {
        let (status, headers, body) = denied_by(kind, id);
        assert_eq!(status, 429, "{kind}");
        assert_eq!(
            (&headers["retry-after"], &headers["x-should-retry"]),
            (&"43200".parse().expect("a value"), &"false".parse().expect("a value"))
        );
        let body: Value = serde_json::from_str(&body).expect("JSON");
        for (name, member) in members.as_object().expect("members") {
            assert_eq!(&body[name], member, "{kind}: {body}");
        }
        assert_eq!(body["allowed"], false, "{kind}");
        assert_eq!(body["blocks"][0]["limit_id"], "l_1", "{kind}");
        assert_eq!(body["blocks"][0]["blocked_until"], "2024-08-21T00:00:00.000+00:00");
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(message.is_empty(), kind == "country", "{kind}");
        assert!(message.is_empty() || message.contains("l_1") && message.contains("2024-08-21"));
    }
    let (_, _, body) = denied_by("country", Some("IT"));
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["detail"], told);
}

#[test]
fn a_closed_session_and_a_stale_gate_say_so() {
    let (status, headers, body) = denied::answer(&denial(Vec::new(), true, false));
    assert_eq!((status.as_u16(), headers.get("retry-after")), (429, None));
    assert!(body.contains("session_closed") && headers["x-should-retry"] == "false");
    let (status, headers, body) = denied::answer(&denial(Vec::new(), false, true));
    assert_eq!((status.as_u16(), &headers["retry-after"]), (503, &1.into()));
    assert!(body.contains("gate_stale") && !headers.contains_key("x-should-retry"));
}

/// A server of the routes, and the requests that its upstream got.
struct Rig {
    runtime: Runtime,
    address: SocketAddr,
    forwarded: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    metrics: Metrics,
}

fn serve(runtime: &Runtime, router: Router) -> SocketAddr {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    runtime.spawn(async move { axum::serve(listener, router).await });
    address
}

/// With an upstream if `change` says what it is given.
fn rig(change: Option<fn(&mut UpstreamOptions)>) -> Rig {
    let runtime = Runtime::new().expect("a runtime");
    let forwarded = Arc::new(Mutex::new(Vec::new()));
    let got = Arc::clone(&forwarded);
    let answer = move |headers: HeaderMap, body: Bytes| async move {
        let slow = headers.contains_key("x-slow");
        got.lock().expect("unpoisoned").push((headers, body));
        if slow {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let seen = [("x-request-id", "r1"), ("content-type", "application/vnd.x+json")];
        (StatusCode::ACCEPTED, seen, r#"{"data": {"id":"m1"} }"#)
    };
    let api = serve(&runtime, Router::new().route("/v9/send", post(answer)));
    let upstream = change.map(|change| {
        let mut options = UpstreamOptions::new(&format!("http://{api}/v9/send"));
        change(&mut options);
        options
    });
    let gate = Gate::by_hand(&gate::Options::new("nowhere"), Arc::new(SystemClock));
    let gate = gate.expect("a gate");
    for (limit_id, kind, id) in [
        ("l_p", "profile", "p1"),
        ("l_c", "country", "IT"),
        ("l_m", "feature", "mms"),
        ("otp", "recipient", "+4915112345678"),
    ] {
        let value = record(limit_id, kind, Some(id), NEVER).to_string();
        gate.feed(Topic::BlockState, None, Some(value.as_bytes())).expect("a block record");
    }
    let metrics = Metrics::new();
    let options = Options { upstream, mms_feature: "mms".to_owned() };
    let router = router(Arc::new(gate), &metrics, &options).expect("routes");
    let caller = Caller::of("acme", &[Scope::Gate]);
    let address = serve(&runtime, Router::from(router).layer(Extension(caller)));
    Rig { runtime, address, forwarded, metrics }
}

/// Sends headers (each with its line end) and a body; gives the status and the whole answer.
fn ask(address: SocketAddr, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("connected");
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}Content-Length: \
         {length}\r\n\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let status = answer[9..12].parse().expect("a status");
    (status, answer)
}

#[test]
fn a_check_is_answered_200_or_429_and_counted() {
    let rig = rig(None);
    let check = |body: &str| ask(rig.address, "/v2/gate/check", "", body);
    let (status, answer) = check(r#"{"feature":"sms","profile_id":"p2","country":"FR"}"#);
    assert_eq!(status, 200);
    assert!(answer.ends_with(r#"{"allowed":true,"staleness_ms":0}"#), "{answer}");
    let (status, answer) = check(r#"{"feature":"sms","profile_id":"p1"}"#);
    assert!(status == 429 && answer.ends_with(T3), "{answer}");
    let (status, answer) = check(r#"{"feature":"sms","profile_id":null,"country":"it"}"#);
    assert!(status == 429 && answer.contains(r#""status":"NOT SENT""#), "{answer}");
    let text = rig.metrics.render();
    assert!(text.contains("tollgate_gate_checks_total{verdict=\"denied\"} 2"), "{text}");
    assert!(text.contains("tollgate_gate_blocks_held 4"), "{text}");
}

#[test]
fn bad_questions_are_told_what_to_send() {
    let rig = rig(None);
    let long = format!(r#"{{"feature":"sms","sender":"{}"}}"#, "x".repeat(129));
    for (body, status, told) in [
        ("", 400, "no JSON"),
        ("{", 400, "no JSON"),
        ("{}", 422, "missing field `feature`"),
        (r#"{"feature":"sms","profile":"p1"}"#, 422, "unknown field `profile`"),
        (r#"{"feature":5}"#, 422, "invalid type"),
        (r#"{"feature":""}"#, 422, "lower-case word"),
        (r#"{"feature":"SMS"}"#, 422, "lower-case word"),
        (r#"{"feature":"sms","country":"ITA"}"#, 422, "two letters"),
        (&long, 422, "at most 128"),
    ] {
        let (answered, answer) = ask(rig.address, "/v2/gate/check", "", body);
        assert_eq!(answered, status, "{body}: {answer}");
        assert!(answer.contains(told), "{body}: {answer}");
    }
    let (status, _) = ask(rig.address, "/v2/gate/check", "", &" ".repeat(BODY_BYTES_MAX + 1));
    assert_eq!(status, 413);
}

#[test]
fn a_server_without_the_topic_of_inbound_messages_runs_without_the_session_rule() {
    let cluster = rdkafka::mocking::MockCluster::new(1).expect("a mock cluster");
    for topic in ["tollgate.block-state", "tollgate.commands"] {
        cluster.create_topic(topic, 1, 1).expect("a topic");
    }
    let session_rule = true;
    let mut options =
        gate::Options { session_rule, ..gate::Options::new(&cluster.bootstrap_servers()) };
    let clock: SharedClock = Arc::new(SystemClock);
    let gate = open(&options, &clock).expect("a gate");
    let feature = "whatsapp";
    let session = Send { account: "acme", feature, purpose: Some("session"), ..Send::default() };
    assert!(gate.check(&session).allowed());
    options.commands = "nowhere".to_owned();
    assert!(open(&options, &clock).is_err(), "it cannot do without the commands");
    options.bootstrap = "127.0.0.1:1".to_owned();
    options.ready_timeout_ms = 50;
    let waiting = open(&options, &clock).expect("a gate that goes on trying");
    assert_eq!(waiting.staleness(), None);
}

#[test]
fn without_a_caller_nothing_is_told() {
    let rig = rig(None);
    let gate = Gate::by_hand(&gate::Options::new("nowhere"), Arc::new(SystemClock));
    let gate = Arc::new(gate.expect("a gate"));
    let bare = router(gate, &Metrics::new(), &Options::default()).expect("routes");
    let address = serve(&rig.runtime, bare.into());
    for path in ["/v2/gate/check", "/v2/messages"] {
        assert_eq!(ask(address, path, "", r#"{"feature":"sms","to":"+39"}"#).0, 401, "{path}");
    }
}

/// With blanks and an escape that no other writer would put there.
const MESSAGE: &str = r#"{ "to":"+33\u0036123", "from":"+15550001","text":"hi",  "extra":[1e3]}"#;

#[test]
fn an_allowed_message_goes_on_byte_for_byte_and_its_answer_comes_back() {
    let rig = rig(Some(|options| options.authorization = Some("Bearer ours".to_owned())));
    let headers = "Authorization: Bearer theirs\r\nIdempotency-Key: k1\r\nX-Tollgate-Purpose: \
                   otp\r\nContent-Type: application/json\r\nCookie: a=b\r\nX-Hop: 1\r\n\
                   Connection: x-hop\r\n";
    let (status, answer) = ask(rig.address, "/v2/messages", headers, MESSAGE);
    assert_eq!(status, 202, "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"data\": {\"id\":\"m1\"} }"), "{answer}");
    assert!(answer.contains("x-request-id: r1") && answer.contains("application/vnd.x+json"));
    let forwarded = rig.forwarded.lock().expect("unpoisoned");
    let [(headers, body)] = forwarded.as_slice() else { panic!("{forwarded:?}") };
    assert_eq!(body, MESSAGE);
    assert_eq!(headers["authorization"], "Bearer ours");
    assert_eq!(headers["idempotency-key"], "k1");
    assert_eq!(headers["content-type"], "application/json");
    for gone in ["cookie", "x-tollgate-purpose", "x-hop"] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
}

#[test]
fn a_denied_message_is_not_forwarded() {
    let rig = rig(Some(|_| {}));
    let send = |headers: &str, body: &str| ask(rig.address, "/v2/messages", headers, body);
    let (status, answer) = send("", r#"{"to":"+33612","messaging_profile_id":"p1","text":"x"}"#);
    assert!(status == 429 && answer.ends_with(T3), "{answer}");
    assert!(answer.contains("x-should-retry: false"), "{answer}");
    let (status, answer) = send("", r#"{"to":"+393331234567"}"#);
    assert!(status == 429 && answer.contains("NOT SENT"), "the country is that of the number");
    assert_eq!(send("", r#"{"to":"+33612","type":"MMS"}"#).0, 429);
    let otp = r#"{"to":"+4915112345678"}"#;
    assert_eq!(send("X-Tollgate-Purpose: otp\r\n", otp).0, 429);
    assert_eq!(rig.forwarded.lock().expect("unpoisoned").len(), 0);
    assert_eq!(send("", otp).0, 202, "no one-time password");
    let forwarded = rig.forwarded.lock().expect("unpoisoned");
    assert!(!forwarded[0].0.contains_key("authorization"));
}

#[test]
fn a_message_that_two_readers_may_read_differently_is_refused() {
    let rig = rig(Some(|_| {}));
    for (body, status, told) in [
        ("to=+39", 400, "no JSON"),
        ("{}", 422, "missing field `to`"),
        (r#"{"to":["+33612"]}"#, 422, "invalid type"),
        (r#"{"to":"+33612","to":"+39333"}"#, 422, "duplicate field `to`"),
    ] {
        let (answered, answer) = ask(rig.address, "/v2/messages", "", body);
        assert_eq!(answered, status, "{body}: {answer}");
        assert!(answer.contains(told) && answer.contains(r#"{"errors":["#), "{answer}");
    }
    assert_eq!(rig.forwarded.lock().expect("unpoisoned").len(), 0);
}

#[test]
fn an_upstream_that_is_missing_away_slow_or_busy_is_told() {
    let none = rig(None);
    let (status, answer) = ask(none.address, "/v2/messages", "", MESSAGE);
    assert!(status == 501 && answer.contains("gate.upstream"), "{answer}");
    let away = rig(Some(|options| options.url = "http://127.0.0.1:1/".to_owned()));
    let (status, answer) = ask(away.address, "/v2/messages", "", MESSAGE);
    assert!(status == 502 && answer.contains("It was not sent"), "{answer}");
    let slow = rig(Some(|options| options.timeout_ms = 100));
    let (status, answer) = ask(slow.address, "/v2/messages", "X-Slow: 1\r\n", MESSAGE);
    assert!(status == 504 && answer.contains("x-should-retry: false"), "{answer}");
    let busy = rig(Some(|options| options.calls_max = 1));
    let address = busy.address;
    let first = std::thread::spawn(move || ask(address, "/v2/messages", "X-Slow: 1\r\n", MESSAGE));
    while busy.forwarded.lock().expect("unpoisoned").is_empty() {
        std::thread::yield_now();
    }
    let (status, answer) = ask(address, "/v2/messages", "", MESSAGE);
    assert!(status == 503 && answer.contains("gate.upstream_calls_max"), "{answer}");
    assert_eq!(first.join().expect("answered").0, 202);
}

#[test]
fn an_address_that_is_none_is_refused_at_the_start() {
    for url in ["", "api.telnyx.com", "ftp://host/", "unix:/socket"] {
        let refused = upstream::Upstream::new(&UpstreamOptions::new(url));
        assert!(matches!(refused, Err(UpstreamError::Address { .. })), "{url}");
    }
    let options = UpstreamOptions {
        authorization: Some("a\nb".to_owned()),
        ..UpstreamOptions::new("http://host/")
    };
    assert!(matches!(upstream::Upstream::new(&options), Err(UpstreamError::Authorization)));
    assert!(!format!("{options:?}").contains("a\\nb"));
}
