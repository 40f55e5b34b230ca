//! Mail against a server that people who did not write Tollgate made: aiosmtpd, unmodified, with
//! and without TLS, patient and not. What it saw is the truth, not what we believe to have sent.

#![cfg(feature = "notify")]
#![allow(clippy::disallowed_methods, reason = "the suite measures how long an attempt takes")]

#[path = "../suite/python.rs"]
mod python;
mod server;
#[path = "../suite/mod.rs"]
mod suite;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate::notify::channel::Outcome;
use tollgate::notify::mail::{Mailer, Options};
use tollgate::notify::words::{About, Words};
use tollgate::time::Millis;

use server::{Server, pem};

/// 2024-08-20T19:17:08.918+00:00
const AT: Millis = Millis(1_724_181_428_918);
const ID: &str = "5350a98c-8577-5571-8ae6-4399c6c6420a";
const PASSWORD: &str = "pa:ss/wörd@#?";
const PASSWORD_IN_URL: &str = "pa%3Ass%2Fw%C3%B6rd%40%23%3F";

fn words(profile: &str) -> Words {
    let notice = serde_json::from_value(json!({
        "type": "limit_reached", "id": ID, "account_id": "acme", "limit_id": "spend-p1",
        "limit_version": 3, "scope": {"kind": "profile", "id": "p1"}, "measure": "cost",
        "window": "day", "window_start": "2024-08-20T00:00:00.000+00:00",
        "window_end": "2024-08-21T00:00:00.000+00:00", "action": "block",
        "configured_limit": "10.00", "before": "9.98", "current": "10.02",
        "now": "2024-08-20T19:17:08.918+00:00",
    }));
    let about = About { profile_name: Some(profile), ..About::default() };
    Words::of(&notice.expect("a notice"), &about)
}

/// One attempt with these options.
fn attempt(url: &str, certificate: Option<Vec<u8>>, to: &str, words: &Words) -> Outcome {
    let options = Options {
        url: url.to_owned(),
        from: "Wächter <alerts@tollgate.example>".to_owned(),
        timeout_ms: 5_000,
        root_certificates: certificate.into_iter().collect(),
    };
    attempt_with(&options, to, words)
}

fn attempt_with(options: &Options, to: &str, words: &Words) -> Outcome {
    let mailer = Mailer::new(options).expect("the options are fine");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.expect("a runtime").block_on(mailer.send(to, ID, AT, words));
    let told = format!("{outcome:?}");
    assert!(!told.contains("wörd") && !told.contains("w%C3"), "the password is told: {told}");
    outcome
}

fn failed(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { why, retry_after: None } => why,
        other => panic!("not failed: {other:?}"),
    }
}

fn refused(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused { why } => why,
        other => panic!("not refused: {other:?}"),
    }
}

/// That the server took nothing over, and that no word of a mail or a login came in clear.
fn assert_nothing_came(seen: &Value) {
    assert_eq!(seen["mails"], json!([]));
    for verb in seen["verbs"].as_array().expect("an array") {
        let open = ["EHLO", "STARTTLS", "QUIT"].contains(&verb[0].as_str().expect("a verb"));
        assert!(open || verb[1] == true, "in clear: {verb}");
    }
}

/// Both ways of TLS with both ways to log in; what arrives is read by Python's own parser of mail.
#[test]
fn a_mail_arrives_over_tls_with_a_login() {
    for (security, mechanism, scheme, tail) in [
        ("tls", "PLAIN", "smtps", ""),
        ("tls", "LOGIN", "smtps", "/relay.example?tls=required"),
        ("starttls-required", "PLAIN", "smtp", "?tls=required"),
        ("starttls-required", "LOGIN", "smtp", "?tls=required"),
    ] {
        let asked = json!({"security": security, "password": PASSWORD, "mechanisms": [mechanism]});
        let Some(server) = Server::start(&asked) else { return };
        let url = format!("{scheme}://me:{PASSWORD_IN_URL}@localhost:{}{tail}", server.port);
        let words = words("Größe & 数");
        let outcome = attempt(&url, Some(server.certificate()), "ops@example.com", &words);
        let answer = "250 2.0.0 Ok: queued".to_owned();
        assert_eq!(outcome, Outcome::Delivered { answer }, "{security} {mechanism}");
        let seen = server.seen();
        let secured =
            json!([["AUTH", true], ["MAIL", true], ["RCPT", true], ["DATA", true], ["QUIT", true]]);
        let verbs = seen["verbs"].as_array().expect("an array");
        assert_eq!(json!(verbs[verbs.len() - 5..]), secured, "{verbs:?}");
        assert_eq!(seen["mails"].as_array().map(Vec::len), Some(1));
        let mail = &seen["mails"][0];
        assert_eq!(mail["from"], "alerts@tollgate.example");
        assert_eq!(mail["to"], json!(["ops@example.com"]));
        assert_eq!(mail["login"], "me");
        let read = server::parsed(mail);
        assert_eq!(
            read["headers"],
            json!({
                "Message-ID": format!("<{ID}@tollgate.example>"),
                "Date": "Tue, 20 Aug 2024 19:17:08 +0000",
                "From": "Wächter <alerts@tollgate.example>",
                "To": "ops@example.com",
                "Subject": "Blocked: Daily spend limit of messaging profile \"Größe & 数\" \
                            reached: 10.02 of 10.00 USD",
                "Auto-Submitted": "auto-generated",
                "MIME-Version": "1.0",
                "Content-Type": "text/plain; charset=\"utf-8\"",
                "Content-Transfer-Encoding": read["headers"]["Content-Transfer-Encoding"],
            })
        );
        assert_eq!(server::body(&read), words.text.trim_end());
        assert_eq!(read["defects"], json!([]));
        assert_eq!(read["widest"].as_u64().map(|widest| widest <= 78), Some(true), "{read}");
    }
    suite::verdict("mail", "ran: aiosmtpd took mails over TLS and STARTTLS, with a login");
}

#[test]
fn a_repeat_has_the_same_id() {
    let Some(server) = Server::start(&json!({"security": "tls"})) else { return };
    let url = format!("smtps://localhost:{}", server.port);
    for _ in 0..2 {
        let outcome = attempt(&url, Some(server.certificate()), "ops@example.com", &words("p"));
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    }
    let seen = server.seen();
    let mails = seen["mails"].as_array().expect("an array");
    let ids: Vec<_> =
        mails.iter().map(|mail| server::parsed(mail)["headers"]["Message-ID"].clone()).collect();
    let id = json!(format!("<{ID}@tollgate.example>"));
    assert_eq!(ids, [id.clone(), id]);
}

/// Without it anybody on the way could read along.
#[test]
fn a_certificate_that_does_not_prove_the_server_ends_the_attempt() {
    for security in ["tls", "starttls-required"] {
        let asked = json!({"security": security, "password": PASSWORD});
        let (scheme, tail) =
            if security == "tls" { ("smtps", "") } else { ("smtp", "?tls=required") };
        let Some(server) = Server::start(&asked) else { return };
        let url = format!("{scheme}://me:{PASSWORD_IN_URL}@localhost:{}{tail}", server.port);
        for stranger in [None, Some(pem("stranger"))] {
            let outcome = attempt(&url, stranger, "ops@example.com", &words("p"));
            assert!(failed(&outcome).contains("certificate"), "{outcome:?}");
        }
        assert_nothing_came(&server.seen());

        // Of a CA that is trusted, for another host.
        let mut elsewhere = asked.clone();
        elsewhere["host"] = json!("elsewhere.example");
        let Some(server) = Server::start(&elsewhere) else { return };
        let url = format!("{scheme}://me:{PASSWORD_IN_URL}@localhost:{}{tail}", server.port);
        let outcome = attempt(&url, Some(server.certificate()), "ops@example.com", &words("p"));
        assert!(failed(&outcome).contains("mismatch"), "{outcome:?}");
        assert_nothing_came(&server.seen());
    }
}

#[test]
fn nothing_goes_in_clear_to_a_server_without_tls() {
    let asked = json!({"security": "none", "password": PASSWORD});
    let Some(server) = Server::start(&asked) else { return };
    for (scheme, tail) in [("smtp", "?tls=required"), ("smtps", "")] {
        let url = format!("{scheme}://me:{PASSWORD_IN_URL}@localhost:{}{tail}", server.port);
        let outcome = attempt(&url, None, "ops@example.com", &words("p"));
        failed(&outcome);
        let seen = server.seen();
        assert_nothing_came(&seen);
        assert_eq!(seen["verbs"][0], json!(["EHLO", false]), "the server was asked");
    }
}

/// Only there: any other host without TLS is refused before it is asked (`Mailer::new`).
#[test]
fn a_server_on_this_machine_may_be_plain() {
    let Some(server) = Server::start(&json!({"security": "none"})) else { return };
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let outcome = attempt(&url, None, "ops@example.com", &words("p"));
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    assert_eq!(server.seen()["mails"].as_array().map(Vec::len), Some(1));
}

/// What is said of the recipient is final; what is wrong on our side is to be mended.
#[test]
fn answers_say_whether_another_attempt_can_help() {
    for (verb, answer, may_help) in [
        ("MAIL", "451 4.3.0 later", true),
        ("MAIL", "550 5.7.1 no such sender", true),
        ("RCPT", "450 4.2.1 greylisted", true),
        ("RCPT", "421 4.7.0 too many connections", true),
        ("RCPT", "550 5.1.1 no such user", false),
        ("RCPT", "552 5.2.2 mailbox full", false),
        ("DATA", "452 4.3.1 no room", true),
        ("DATA", "554 5.7.1 taken for spam", false),
    ] {
        let asked = json!({"security": "tls", "answers": {verb: answer}});
        let Some(server) = Server::start(&asked) else { return };
        let url = format!("smtps://localhost:{}", server.port);
        let outcome = attempt(&url, Some(server.certificate()), "ops@example.com", &words("p"));
        let why = if may_help { failed(&outcome) } else { refused(&outcome) };
        assert!(why.ends_with(answer), "{why}");
        assert_eq!(server.seen()["mails"], json!([]));
    }
}

#[test]
fn a_wrong_password_loses_no_mail() {
    let asked = json!({"security": "tls", "password": "another"});
    let Some(server) = Server::start(&asked) else { return };
    let url = format!("smtps://me:{PASSWORD_IN_URL}@localhost:{}", server.port);
    let outcome = attempt(&url, Some(server.certificate()), "ops@example.com", &words("p"));
    assert!(failed(&outcome).contains("refuses the login: 535"), "{outcome:?}");
    // Nor does none at all.
    let url = format!("smtps://localhost:{}", server.port);
    let outcome = attempt(&url, Some(server.certificate()), "ops@example.com", &words("p"));
    assert!(failed(&outcome).contains("takes no mail from alerts@tollgate.example: 530"));
    assert_eq!(server.seen()["mails"], json!([]));
}

#[test]
fn an_attempt_ends_by_its_time() {
    for (security, silent_at) in
        [("none", "connect"), ("tls", "connect"), ("tls", "RCPT"), ("tls", "DATA")]
    {
        let asked = json!({"security": security, "silent_at": silent_at});
        let Some(server) = Server::start(&asked) else { return };
        let scheme = if security == "tls" { "smtps" } else { "smtp" };
        let options = Options {
            url: format!("{scheme}://localhost:{}", server.port),
            from: "alerts@tollgate.example".to_owned(),
            timeout_ms: 700,
            root_certificates: vec![server.certificate()],
        };
        let began = Instant::now();
        let outcome = attempt_with(&options, "ops@example.com", &words("p"));
        let took = began.elapsed();
        assert!(failed(&outcome).starts_with("not done after 700 ms"), "{outcome:?}");
        assert!((700..3_000).contains(&took.as_millis()), "{silent_at}: {took:?}");
        assert_eq!(server.seen()["mails"], json!([]));
    }
    // Nobody listens.
    let outcome = attempt("smtp://127.0.0.1:1", None, "ops@example.com", &words("p"));
    assert!(failed(&outcome).contains("no connection to 127.0.0.1:1"), "{outcome:?}");
}

/// Also where our own cleaning of names were to fail: a subject and an address as they come.
#[test]
fn nobody_writes_headers_or_commands_through_a_name() {
    let Some(server) = Server::start(&json!({"security": "tls"})) else { return };
    let url = format!("smtps://localhost:{}", server.port);
    let name = "p\r\nBcc: victim@example.com\r\n\r\n.\r\nMAIL FROM:<x@example.com>\r\n";
    let clean = words(name);
    let raw = Words { subject: name.to_owned(), text: name.to_owned(), ..clean.clone() };
    for words in [clean, raw] {
        let outcome = attempt(&url, Some(server.certificate()), "ops@example.com", &words);
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    }
    let to = "ops@example.com>\r\nRCPT TO:<victim@example.com";
    let outcome = attempt(&url, Some(server.certificate()), to, &words("p"));
    assert!(refused(&outcome).contains("no address"), "{outcome:?}");
    let seen = server.seen();
    let mails = seen["mails"].as_array().expect("an array");
    assert_eq!(mails.len(), 2);
    for mail in mails {
        assert_eq!(mail["to"], json!(["ops@example.com"]));
        let read = server::parsed(mail);
        assert_eq!(read["headers"]["Bcc"], Value::Null);
        assert_eq!(read["headers"].as_object().map(serde_json::Map::len), Some(9));
    }
    let body = server::body(&server::parsed(&mails[1]));
    assert_eq!(body, name.replace("\r\n", "\n").trim_end(), "a line that is a dot ends no mail");
}

/// RFC 6531: the domain is written in ASCII for any server; letters before the @ need one that
/// takes them.
#[test]
fn addresses_beyond_ascii_are_sent_where_the_server_takes_them() {
    for utf8 in [false, true] {
        let Some(server) = Server::start(&json!({"security": "tls", "utf8": utf8})) else { return };
        let url = format!("smtps://localhost:{}", server.port);
        let send = |to: &str| attempt(&url, Some(server.certificate()), to, &words("p"));
        let outcome = send("ops@größe.example");
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
        assert_eq!(server.seen()["mails"][0]["to"], json!(["ops@xn--gre-6ka8i.example"]));
        let outcome = send("größe@example.com");
        if utf8 {
            assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
            let mail = &server.seen()["mails"][1];
            assert_eq!(mail["to"], json!(["größe@example.com"]));
            assert_eq!(server::parsed(mail)["headers"]["To"], "größe@example.com");
        } else {
            assert!(refused(&outcome).contains("ASCII addresses only"), "{outcome:?}");
        }
    }
}

/// Such as one that somebody on the way slipped in before TLS stood (CVE-2021-38084 and others).
#[test]
fn answers_out_of_step_deliver_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let says_yes = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut asked = Vec::new();
        let lines = BufReader::new(stream.try_clone().expect("a second hand")).lines();
        stream.write_all(b"220 mail.example\r\n").expect("the client reads");
        for line in lines.map_while(Result::ok) {
            asked.push(line);
            stream.write_all(b"250 yes\r\n").expect("the client reads");
        }
        asked
    });
    let url = format!("smtp://127.0.0.1:{port}");
    let outcome = attempt(&url, None, "ops@example.com", &words("p"));
    assert!(failed(&outcome).ends_with("answers out of turn: 250 to DATA"), "{outcome:?}");
    let asked = says_yes.join().expect("no panic");
    assert_eq!(asked.last().map(String::as_str), Some("DATA"), "{asked:?}");
}

/// One mailer serves many deliveries at once.
#[test]
fn many_mails_go_at_the_same_time() {
    let Some(server) = Server::start(&json!({"security": "tls"})) else { return };
    let options = Options {
        url: format!("smtps://localhost:{}", server.port),
        from: "alerts@tollgate.example".to_owned(),
        timeout_ms: 20_000,
        root_certificates: vec![server.certificate()],
    };
    let mailer = std::sync::Arc::new(Mailer::new(&options).expect("the options are fine"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let words = std::sync::Arc::new(words("p"));
    let sent: Vec<_> = (0..20)
        .map(|number| {
            let (mailer, words) = (mailer.clone(), words.clone());
            let to = format!("{number}@example.com");
            runtime.spawn(async move { mailer.send(&to, ID, AT, &words).await })
        })
        .collect();
    for sent in sent {
        let outcome = runtime.block_on(sent).expect("no panic");
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    }
    assert_eq!(server.seen()["mails"].as_array().map(Vec::len), Some(20));
    runtime.shutdown_timeout(Duration::from_secs(1));
}
