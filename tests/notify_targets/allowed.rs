//! What is allowed is reached, by the way that was meant, and nothing of it is told to others.

use std::net::TcpListener;

use tollgate::notify::http::{Answer, Failure, Http, Options};

use crate::dns::{Dns, Reply, addresses};
use crate::web::{GOOD, Street, Web, certificate, curt, friendly};
use crate::{ALLOWED, http, logs, options, post};

#[tokio::test]
async fn an_allowed_network_is_reached_by_http_and_by_https() {
    let (root, acceptor) = certificate(&[GOOD, "good.example"]);
    let (plain, secure) = (Street::start(None, friendly), Street::start(Some(acceptor), friendly));
    let dns = Dns::start();
    dns.tell("good.example", Reply::Addresses(addresses(&[GOOD]), 60));
    let http =
        Http::new(&Options { root_certificates: vec![root], ..options(&dns, ALLOWED) }).unwrap();
    let ok = Answer { status: 200, retry_after: None, body: "ok".to_owned() };
    for host in [GOOD, "good.example", "[::ffff:127.0.0.2]", "0x7f.2"] {
        let url = format!("http://{host}:{}/a/b?c=d#e", plain.port);
        http.check(&url).unwrap();
        assert_eq!(post(&http, &url).await, Ok(ok.clone()), "{url}");
    }
    for host in [GOOD, "good.example", "GOOD.Example"] {
        let url = format!("https://{host}:{}/a/b?c=d#e", secure.port);
        http.check(&url).unwrap();
        assert_eq!(post(&http, &url).await, Ok(ok.clone()), "{url}");
    }
    assert_eq!((plain.trapped(), secure.trapped()), (0, 0));
    let requests = [plain.good.requests(), secure.good.requests()].concat();
    assert_eq!(requests.len(), 7);
    for request in requests {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /a/b?c=d HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("x-signature: SECRET\r\n") && head.contains("user-agent: Tollgate/"));
        let head = head.to_lowercase();
        for unasked in ["referer", "cookie", "accept-encoding", "authorization", "proxy"] {
            assert!(!head.contains(unasked), "{head}");
        }
        assert_eq!(body, "{\"text\": \"SECRET\"}");
    }
}

/// In a program of its own, for the environment of this one cannot be changed.
#[test]
fn proxies_of_the_environment_are_not_asked() {
    let proxy = Web::start(TcpListener::bind("127.0.0.1:0").unwrap(), None, friendly);
    let at = format!("http://{}", proxy.address);
    let mut tests = std::process::Command::new(std::env::current_exe().unwrap());
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        tests.env(name, &at).env(name.to_uppercase(), &at);
    }
    let told = tests
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .args(["--exact", "allowed::an_allowed_network_is_reached_by_http_and_by_https"])
        .output()
        .unwrap();
    let told_text = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success() && told_text.contains("1 passed"), "{told_text}");
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn without_trust_there_is_no_answer() {
    let (root, acceptor) = certificate(&["other.example"]);
    let (secure, plain) = (Street::start(Some(acceptor), friendly), Street::start(None, friendly));
    let dns = Dns::start();
    let unknown = http(&dns, ALLOWED);
    let known =
        Http::new(&Options { root_certificates: vec![root], ..options(&dns, ALLOWED) }).unwrap();
    for (http, port, say) in [
        (&unknown, secure.port, "certificate"),
        (&known, secure.port, "IP address mismatch"),
        (&known, plain.port, ""), // no TLS at all
    ] {
        let failure = post(http, &format!("https://{GOOD}:{port}/SECRET")).await.unwrap_err();
        let Failure::Unreached(why) = &failure else { panic!("{failure:?}") };
        assert!(why.starts_with(&format!("https://{GOOD}:{port}: ")), "{why}");
        assert!(why.contains(say), "{why}");
    }
    assert!(secure.good.requests().is_empty() && plain.good.requests().is_empty());
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let dns = Dns::start();
    let http = http(&dns, ALLOWED);
    let free = TcpListener::bind((GOOD, 0)).unwrap().local_addr().unwrap();
    let failure = post(&http, &format!("http://{free}/SECRET")).await.unwrap_err();
    let Failure::Unreached(why) = failure else { panic!("{failure:?}") };
    assert!(why.starts_with(&format!("http://{free}: ")) && why.contains("refused"), "{why}");
}

#[tokio::test]
async fn nothing_that_is_logged_shows_a_secret() {
    let street = Street::start(None, curt);
    let dns = Dns::start();
    dns.tell("logged.example", Reply::Addresses(addresses(&[GOOD]), 0));
    dns.tell("refused.example", Reply::Addresses(addresses(&["127.0.0.1"]), 0));
    let http = http(&dns, ALLOWED);
    for host in ["logged.example", "refused.example", "none.example", "10.0.0.1", GOOD] {
        let _either = post(&http, &format!("http://{host}:{}/SECRET?SECRET", street.port)).await;
    }
    let heard = logs::hear().text();
    assert!(heard.contains("logged.example"), "nothing was heard: {heard}");
    assert!(!heard.contains("SECRET"), "{heard}");
}
