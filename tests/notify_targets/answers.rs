//! What servers answer that mean no good: redirects, bodies and heads without end, nonsense.

use std::time::Duration;

use tollgate::notify::http::{Answer, Failure, Http, Options};
use tollgate::telemetry::Stopwatch;

use crate::dns::Dns;
use crate::web::{GOOD, Street, Wire, friendly};
use crate::{ALLOWED, http, options, post};

fn redirecting(wire: &mut dyn Wire, path: &str) -> bool {
    // The path is the status and what to write behind `Location: `, or a whole header.
    let (status, target) = path[1..].split_once('/').unwrap();
    let head = format!(
        "HTTP/1.1 {status} There\r\nlocation: {target}\r\nrefresh: 0; url={target}\r\n\
         content-location: {target}\r\nalt-svc: h2=\"127.0.0.1\"\r\nretry-after: 7\r\n\
         content-length: 5\r\n\r\nthere"
    );
    wire.write_all(head.as_bytes()).is_ok()
}

#[tokio::test]
async fn redirects_are_answers_and_are_not_followed() {
    let street = Street::start(None, redirecting);
    let dns = Dns::start();
    let http = http(&dns, ALLOWED);
    let port = street.port;
    let mut sent = 0;
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for target in [
            format!("http://127.0.0.1:{port}/"),
            format!("https://127.0.0.1:{port}/"),
            format!("http://[::1]:{port}/"),
            format!("http://{GOOD}:{port}/200/x"),
            format!("//127.0.0.1:{port}/"),
            "/200/x".to_owned(),
        ] {
            let got = post(&http, &format!("http://{GOOD}:{port}/{status}/{target}")).await;
            let retry_after = Some(Duration::from_secs(7));
            assert_eq!(got.unwrap(), Answer { status, retry_after, body: "there".to_owned() });
            sent += 1;
        }
    }
    assert_eq!((street.trapped(), street.good.requests().len()), (0, sent));
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let street = Street::start(None, friendly);
    let dns = Dns::start();
    let http = http(&dns, ALLOWED);
    let url = format!("http://{GOOD}:{}/endless", street.port);
    let took = Stopwatch::start();
    let answer = post(&http, &url).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 16_384));
    while street.good.hung_up() == 0 {
        assert!(took.elapsed() < Duration::from_secs(20), "the connection was kept");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(took.elapsed() < Duration::from_secs(3), "it was waited for");
}

fn sly(wire: &mut dyn Wire, path: &str) -> bool {
    let begin = |wire: &mut dyn Wire, text: &str| wire.write_all(text.as_bytes()).is_ok();
    let pause = || std::thread::park_timeout(Duration::from_millis(20));
    let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    match path {
        "/drip" => {
            begin(wire, &format!("{ok}content-length: 100000\r\n\r\n"));
            while begin(wire, "x") {
                pause();
            }
        }
        "/drip-chunks" => {
            begin(wire, &format!("{ok}transfer-encoding: chunked\r\n\r\n"));
            while begin(wire, "1\r\nx\r\n") {
                pause();
            }
        }
        "/drip-head" => {
            begin(wire, ok);
            while begin(wire, "x") {
                pause();
            }
        }
        "/continue" => while begin(wire, "HTTP/1.1 100 Continue\r\n\r\n") {},
        "/silent" => std::thread::park_timeout(Duration::from_secs(5)),
        "/hang-up" => {}
        "/broken-off" => drop(begin(wire, &format!("{ok}content-length: 9\r\n\r\nbegun"))),
        "/wide" => drop(begin(wire, &format!("{ok}x: {}\r\n\r\n", "y".repeat(4_000_000)))),
        "/many" => drop(begin(wire, &format!("{ok}{}\r\n", "x: y\r\n".repeat(1_000)))),
        "/garbage" => drop(begin(wire, "SSH-2.0-OpenSSH_9.6\r\n")),
        "/gzip" => {
            let head = format!("{ok}content-encoding: gzip\r\ncontent-length: 3\r\n\r\n");
            begin(wire, &format!("{head}abc"));
        }
        "/control" => {
            begin(wire, &format!("{ok}content-length: 17\r\n\r\n\u{1b}[2Ja\0\r\nb\u{7}\tc {{}}\n"));
        }
        "/no-content" => drop(begin(wire, "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")),
        _ => {
            let head = "HTTP/1.1 429 Slow\r\nconnection: close\r\nretry-after: 9\r\n";
            begin(wire, &format!("{head}content-length: 0\r\n\r\n"));
        }
    }
    false
}

#[tokio::test]
async fn sly_servers_hold_nobody_longer_than_the_time_of_an_attempt() {
    let street = Street::start(None, sly);
    let dns = Dns::start();
    let http = Http::new(&Options { request_timeout_ms: 700, ..options(&dns, ALLOWED) }).unwrap();
    for (path, expected) in [
        // The status stands, whatever becomes of the body.
        ("drip", Ok((200, None))),
        ("drip-chunks", Ok((200, None))),
        ("broken-off", Ok((200, Some("begun")))),
        ("gzip", Ok((200, Some("abc")))),
        ("control", Ok((200, Some("[2Ja b c {}")))),
        ("no-content", Ok((204, Some("")))),
        ("slow-down", Ok((429, Some("")))),
        ("drip-head", Err("no answer in time")),
        ("continue", Err("no answer in time")),
        ("silent", Err("no answer in time")),
        ("hang-up", Err("connection")),
        ("wide", Err("message head is too large")),
        ("many", Err("message head is too large")),
        ("garbage", Err("invalid HTTP version")),
    ] {
        let took = Stopwatch::start();
        let got = post(&http, &format!("http://{GOOD}:{}/{path}", street.port)).await;
        assert!(took.elapsed() < Duration::from_secs(3), "{path}: {:?}", took.elapsed());
        match (got, expected) {
            (Ok(answer), Ok((status, body))) => {
                assert_eq!(answer.status, status, "{path}");
                let slow = answer.body.len() < 100 && answer.body.chars().all(|c| c == 'x');
                let as_said = body.map_or(slow, |body| answer.body == body);
                assert!(as_said, "{path}: {:?}", answer.body);
                let asked = (path == "slow-down").then_some(Duration::from_secs(9));
                assert_eq!(answer.retry_after, asked, "{path}");
            }
            (Err(Failure::Unreached(why)), Err(say)) => assert!(why.contains(say), "{path}: {why}"),
            (got, expected) => panic!("{path}: {got:?}, but {expected:?} was expected"),
        }
    }
    assert_eq!(street.good.requests().len(), 14, "each was sent once");
}
