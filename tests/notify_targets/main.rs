//! Where notifications may go: hostile targets of every kind against real servers on loopback and a
//! DNS server that lies. A trap listens at the same port as the one address that is allowed, and
//! nobody may ever come to it.

#![cfg(feature = "notify")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod allowed;
mod answers;
mod dns;
mod hostile;
mod logs;
mod web;

use dns::{Dns, Reply, addresses};
use hostile::{End, HOSTS, URLS};
use tollgate::notify::http::{Answer, Failure, Http, Options};
use web::{GOOD, Street, curt, friendly};

fn options(dns: &Dns, allow: &[&str]) -> Options {
    logs::hear();
    Options {
        allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
        nameservers: vec![dns.server],
        connect_timeout_ms: 1_500,
        request_timeout_ms: 3_000,
        ..Options::default()
    }
}

fn http(dns: &Dns, allow: &[&str]) -> Http {
    Http::new(&options(dns, allow)).unwrap()
}

const ALLOWED: &[&str] = &["127.0.0.2/32"];

async fn post(http: &Http, url: &str) -> Result<Answer, Failure> {
    let headers = [("x-signature", "SECRET".to_owned())];
    let answer = http.post(url, &headers, b"{\"text\": \"SECRET\"}".to_vec()).await;
    if let Err(failure) = &answer {
        let said = failure.to_string();
        assert!(!said.contains("SECRET"), "{url}: {said}");
        assert!(said.chars().count() < 500 && !said.chars().any(char::is_control), "{said:?}");
    }
    answer
}

fn end(answer: &Result<Answer, Failure>) -> Option<End> {
    match answer {
        Ok(_) => None,
        Err(Failure::Refused(_)) => Some(End::Refused),
        Err(Failure::Unreached(_)) => Some(End::Unreached),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_targets_meet_no_connection() {
    let street = Street::start(None, friendly);
    let dns = Dns::start();
    let names = hostile::names();
    for (name, reply, _) in &names {
        dns.tell(name.trim_end_matches('.'), reply.clone());
    }
    let targets = HOSTS.len() + URLS.len() + names.len();
    assert!(targets >= 60, "{targets} are too few");
    for allow in [&[][..], ALLOWED] {
        let http = http(&dns, allow);
        for url in URLS {
            let url = url.replace("{port}", &street.port.to_string());
            let got = post(&http, &url).await;
            assert_eq!(end(&got), Some(End::Refused), "{url:?}: {got:?}");
            assert_eq!(http.check(&url).unwrap_err(), got.unwrap_err());
        }
        for scheme in ["https", "http"] {
            for host in HOSTS {
                let url = format!("{scheme}://{host}:{}/SECRET?key=SECRET", street.port);
                let got = post(&http, &url).await;
                assert_eq!(end(&got), Some(End::Refused), "{url}: {got:?}");
                assert_eq!(http.check(&url).unwrap_err(), got.unwrap_err());
            }
            for (name, _, expected) in &names {
                let url = format!("{scheme}://{name}:{}/SECRET?key=SECRET", street.port);
                let got = post(&http, &url).await;
                let pointless = scheme == "http" && allow.is_empty();
                let expected = if pointless { End::Refused } else { *expected };
                assert_eq!(end(&got), Some(expected), "{url}: {got:?}");
            }
        }
        assert_eq!(street.trapped(), 0);
    }
    assert_eq!(street.good.connections(), 0, "nobody was sent there");
}

#[tokio::test]
async fn a_name_that_turns_to_loopback_is_refused_at_its_next_connection() {
    let street = Street::start(None, curt);
    let dns = Dns::start();
    dns.tell("rebind.example", Reply::Turns(vec![addresses(&[GOOD]), addresses(&["127.0.0.1"])]));
    let http = http(&dns, ALLOWED);
    let url = format!("http://rebind.example:{}/SECRET", street.port);
    assert_eq!(post(&http, &url).await.unwrap().status, 200);
    let turned = post(&http, &url).await.unwrap_err();
    let Failure::Refused(why) = &turned else { panic!("{turned:?}") };
    assert!(why.contains("127.0.0.1 is loopback: not allowed"), "{why}");
    assert_eq!((street.trapped(), street.good.connections()), (0, 1));
}

#[tokio::test]
async fn a_name_that_turns_back_is_reached_again() {
    let street = Street::start(None, curt);
    let dns = Dns::start();
    dns.tell("rebind.example", Reply::Turns(vec![addresses(&["127.0.0.1"]), addresses(&[GOOD])]));
    let http = http(&dns, ALLOWED);
    let url = format!("http://rebind.example:{}/", street.port);
    assert_eq!(end(&post(&http, &url).await), Some(End::Refused));
    assert_eq!(post(&http, &url).await.unwrap().status, 200);
    assert_eq!((street.trapped(), street.good.connections()), (0, 1));
}

#[tokio::test]
async fn an_idle_connection_stays_with_the_address_that_was_judged() {
    let street = Street::start(None, friendly);
    let dns = Dns::start();
    dns.tell("rebind.example", Reply::Turns(vec![addresses(&[GOOD]), addresses(&["127.0.0.1"])]));
    let http = http(&dns, ALLOWED);
    let url = format!("http://rebind.example:{}/", street.port);
    for _ in 0..5 {
        assert_eq!(post(&http, &url).await.unwrap().status, 200);
    }
    assert_eq!(
        (street.trapped(), street.good.connections(), dns.asked("rebind.example")),
        (0, 1, 1)
    );
    let requests = street.good.requests();
    assert_eq!(requests.len(), 5);
    assert!(!requests[4].to_lowercase().contains("cookie"), "{}", requests[4]);
}

/// What is asked for at once is many connections, each with its own question to DNS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_mixed_answer_only_what_is_allowed_is_connected_to() {
    let street = Street::start(None, curt);
    let dns = Dns::start();
    let mixed = addresses(&["127.0.0.1", "::1", "::ffff:127.0.0.1", GOOD, "0.0.0.0"]);
    let mut many = vec!["127.0.0.1".parse().unwrap(); 3_000];
    many.push(GOOD.parse().unwrap());
    dns.tell("mixed.example", Reply::Addresses(mixed.clone(), 0));
    dns.tell("mixed-alias.example", Reply::Behind(vec!["inner.example".to_owned()], mixed));
    dns.tell("mapped.example", Reply::Addresses(addresses(&["::ffff:127.0.0.2", "::1"]), 0));
    dns.tell("too-long.example", Reply::TooLong(many));
    let names = ["mixed.example", "mixed-alias.example", "mapped.example", "too-long.example"];
    let (open, closed) = (http(&dns, ALLOWED), http(&dns, &[]));
    for name in names {
        let url = format!("http://{name}:{}/", street.port);
        let attempts: Vec<_> = (0..10)
            .map(|_| {
                let (http, url) = (open.clone(), url.clone());
                tokio::spawn(async move { post(&http, &url).await })
            })
            .collect();
        for attempt in attempts {
            assert_eq!(attempt.await.unwrap().unwrap().status, 200, "{name}");
        }
        let https = format!("https://{name}:{}/", street.port);
        assert_eq!(end(&post(&closed, &https).await), Some(End::Refused), "{name}");
    }
    assert_eq!((street.trapped(), street.good.connections()), (0, 40));
}
