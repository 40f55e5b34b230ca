//! Mails as they are written, and what is refused before any server is asked.

use super::*;

fn options() -> Options {
    Options {
        url: "smtps://me:secret@localhost:1".to_owned(),
        from: "Wächter <alerts@größe.example>".to_owned(),
        timeout_ms: 1_000,
        root_certificates: Vec::new(),
    }
}

fn words(subject: &str, text: &str) -> Words {
    Words {
        subject: subject.to_owned(),
        text: text.to_owned(),
        slack: String::new(),
        sms: String::new(),
    }
}

fn mail(subject: &str, text: &str) -> String {
    let mailer = Mailer::new(&options()).expect("the options are fine");
    let to = address("ops@example.com").expect("an address");
    let mail = mailer.mail(to, "0-1", Millis(1_724_181_428_918), &words(subject, text));
    String::from_utf8(mail.expect("a mail").formatted()).expect("ASCII")
}

#[test]
fn a_mail_says_that_a_machine_wrote_it_and_when() {
    let mail = mail("Blocked: Größe", "Größe\n");
    for header in [
        "Message-ID: <0-1@xn--gre-6ka8i.example>\r\n",
        "Date: Tue, 20 Aug 2024 19:17:08 +0000\r\n",
        "From: =?utf-8?b?V8OkY2h0ZXI=?= <alerts@xn--gre-6ka8i.example>\r\n",
        "To: ops@example.com\r\n",
        "Subject: Blocked: =?utf-8?b?R3LDtsOfZQ==?=\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "MIME-Version: 1.0\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n",
    ] {
        assert!(mail.contains(header), "{header}{mail}");
    }
    assert!(mail.is_ascii(), "{mail}");
}

/// `Words` lets none through; a line of its own could not begin here either.
#[test]
fn a_subject_begins_no_header() {
    let mail = mail("x\r\nBcc: a@example.com\r\n\r\nbody", "");
    let (head, _) = mail.split_once("\r\n\r\n").expect("a blank line ends the headers");
    assert!(!head.to_lowercase().contains("\r\nbcc"), "{head}");
    assert_eq!(head.matches("\r\nSubject: ").count(), 1, "{head}");
}

#[test]
fn options_that_are_wrong_say_what_to_do() {
    let from = |from: &str| Mailer::new(&Options { from: from.to_owned(), ..options() });
    assert!(from("alerts@example.com").is_ok());
    for sender in ["", "alerts", "a@b@c", "x\r\nBcc: y <a@example.com>"] {
        let error = from(sender).expect_err("no sender").to_string();
        assert!(error.contains("write an address"), "{error}");
    }
    let wrong = Options { root_certificates: vec![b"no PEM".to_vec()], ..options() };
    let error = Mailer::new(&wrong).expect_err("no certificate").to_string();
    assert!(error.starts_with("root certificate 1 cannot be read"), "{error}");
    let plain = Options { url: "smtp://me:secret@example.com".to_owned(), ..options() };
    let error = Mailer::new(&plain).expect_err("in clear").to_string();
    assert!(error.contains("?tls=required") && !error.contains("secret"), "{error}");
}

#[test]
fn the_password_is_shown_nowhere() {
    let shown = format!("{:?} {:?}", options(), Mailer::new(&options()).expect("fine"));
    assert!(!shown.contains("secret") && shown.contains("localhost:1"), "{shown}");
}

#[test]
fn domains_are_written_in_ascii() {
    for (text, written) in [
        ("a@example.com", Some("a@example.com")),
        ("a@größe.example", Some("a@xn--gre-6ka8i.example")),
        ("größe@größe.example", Some("größe@xn--gre-6ka8i.example")),
        ("a@example.com\r\nRCPT TO:<b@example.com>", None),
        ("a@example.com> <b@example.com", None),
        ("a", None),
        ("", None),
    ] {
        let read = address(text);
        assert_eq!(read.as_ref().map(AsRef::<str>::as_ref), written, "{text:?}");
    }
}
