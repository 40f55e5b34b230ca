//! Mail by SMTP: one mail to one address. Promise: an attempt ends by its time; neither the login
//! nor the mail goes over an unencrypted way, save to this machine itself; a repeat has the same
//! Message-ID; the password is in no error, answer or log. It tries nothing twice, and keeps no
//! connection: notices are rare, and what is left of a broken talk could be taken for an answer.

mod server;

use std::error::Error as Cause;
use std::fmt;
use std::time::{Duration, SystemTime};

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0, MessageId};
use lettre::transport::smtp::Error as Fault;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use lettre::{Address, Message};
use reqwest::Url;

use super::channel::Outcome;
use super::words::{Words, foreign};
use crate::time::Millis;
use server::{Security, Server};

/// Characters of what the server said that are told.
const ANSWER_CHARS_MAX: usize = 200;
/// How long the server may take for its goodbye: the mail is delivered by then.
const GOODBYE: Duration = Duration::from_millis(500);

/// Which server, who writes, how long.
#[derive(Clone)]
pub struct Options {
    /// `smtps://user:password@host:465`, or `smtp://user:password@host:587?tls=required` for
    /// STARTTLS. Signs of user and password other than letters and digits as `%40` and the like. A
    /// path is the name that this machine greets by. Plain `smtp://host:25` is taken only for a
    /// server on this machine.
    pub url: String,
    /// `alerts@example.com`, or `Alerts <alerts@example.com>`.
    pub from: String,
    /// Milliseconds for all of an attempt, connecting included.
    pub timeout_ms: u32,
    /// PEM certificates that are trusted beside the system's.
    pub root_certificates: Vec<Vec<u8>>,
}

/// Without the URL: it holds the password.
impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Options").field("from", &self.from).finish_non_exhaustive()
    }
}

/// Why there is no mailer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the URL of the mail server: {0}")]
    Url(#[from] server::Error),
    #[error(
        "{0:?} can send no mail: write an address (alerts@example.com), or a name and an address \
         (Alerts <alerts@example.com>)"
    )]
    From(String),
    #[error("root certificate {number} cannot be read ({cause}): give certificates as PEM")]
    Certificate {
        /// Counted from 1.
        number: usize,
        cause: Fault,
    },
    #[error("TLS cannot be set up ({0}): see whether the system's certificates can be read")]
    Tls(Fault),
}

/// Sends mail.
pub struct Mailer {
    server: Server,
    tls: TlsParameters,
    from: Mailbox,
    timeout: Duration,
}

/// What was under way when it broke off.
#[derive(Clone, Copy)]
enum Stage {
    /// Before the server was told of the mail: whatever is wrong, it is not the recipient.
    Connection,
    Login,
    Sender,
    /// From the recipient on.
    Mail,
}

impl Mailer {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// What is wrong with the options.
    pub fn new(options: &Options) -> Result<Mailer, Error> {
        let server = Server::parse(&options.url)?;
        let from: Option<Mailbox> = options.from.parse().ok();
        let from =
            from.and_then(|from| Some(Mailbox::new(from.name, address(from.email.as_ref())?)));
        let from = from.ok_or_else(|| Error::From(options.from.clone()))?;
        let mut tls = TlsParametersBuilder::new(server.host.clone());
        for (place, pem) in options.root_certificates.iter().enumerate() {
            let certificate = Certificate::from_pem(pem)
                .map_err(|cause| Error::Certificate { number: place + 1, cause })?;
            tls = tls.add_root_certificate(certificate);
        }
        let tls = tls.build_native().map_err(Error::Tls)?;
        let timeout = Duration::from_millis(options.timeout_ms.into());
        Ok(Mailer { server, tls, from, timeout })
    }

    /// Sends one mail to one address. `message_id` is the delivery's: a repeat has the same, by
    /// which it can be known. `at` becomes the mail's date.
    pub async fn send(&self, to: &str, message_id: &str, at: Millis, words: &Words) -> Outcome {
        let Some(to) = address(to) else {
            let why = format!("{:?} is no address that mail can be sent to", foreign::plain(to));
            return Outcome::Refused { why };
        };
        let mail = match self.mail(to.clone(), message_id, at, words) {
            Ok(mail) => mail.formatted(),
            Err(error) => return Outcome::Refused { why: format!("no mail can be made: {error}") },
        };
        match tokio::time::timeout(self.timeout, self.pass_on(&to, &mail)).await {
            Ok(Ok(answer)) => Outcome::Delivered { answer },
            Ok(Err(outcome)) => outcome,
            Err(_) => {
                let why =
                    format!("not done after {} ms: {}", self.timeout.as_millis(), self.place());
                Outcome::Failed { why, retry_after: None }
            }
        }
    }

    fn mail(
        &self,
        to: Address,
        message_id: &str,
        at: Millis,
        words: &Words,
    ) -> Result<Message, lettre::error::Error> {
        let since = Duration::from_millis(u64::try_from(at.0).unwrap_or(0));
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        let domain = self.from.email.domain();
        Message::builder()
            .header(MessageId::from(format!("<{message_id}@{domain}>")))
            .date(SystemTime::UNIX_EPOCH + since)
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(words.subject.clone())
            // RFC 3834: no vacation answers, please.
            .raw_header(HeaderValue::new(name, "auto-generated".to_owned()))
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .body(words.text.clone())
    }

    /// The server's answer once it took the mail over.
    async fn pass_on(&self, to: &Address, mail: &[u8]) -> Result<String, Outcome> {
        let broke_off = |stage: Stage| move |fault: Fault| self.outcome(stage, &fault);
        let mut connection = self.connect().await.map_err(broke_off(Stage::Connection))?;
        if let Some(login) = &self.server.login {
            let login = connection.auth(DEFAULT_MECHANISMS, login).await;
            login.map_err(broke_off(Stage::Login))?;
        }
        let mut options = Vec::new();
        let from = &self.from.email;
        if ![from, to].iter().all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let why = format!("{} takes ASCII addresses only (no SMTPUTF8)", self.place());
                return Err(Outcome::Refused { why });
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        if !mail.is_ascii() {
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let sender = Mail::new(Some(from.clone()), options);
        connection.command(sender).await.map_err(broke_off(Stage::Sender))?;
        let recipient = Rcpt::new(to.clone(), Vec::new());
        connection.command(recipient).await.map_err(broke_off(Stage::Mail))?;
        let invited = connection.command(Data).await.map_err(broke_off(Stage::Mail))?;
        // Whoever slipped an answer in before TLS stood has put all that follow out of step.
        if !invited.has_code(354) {
            let why = format!("{} answers out of turn: {} to DATA", self.place(), invited.code());
            return Err(Outcome::Failed { why, retry_after: None });
        }
        let taken = connection.message(mail).await.map_err(broke_off(Stage::Mail))?;
        let answer = format!("{} {}", taken.code(), taken.first_line().unwrap_or_default());
        // However it goes: the mail is taken.
        let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
        Ok(foreign::line(&answer, ANSWER_CHARS_MAX))
    }

    /// Encrypted unless the server is on this machine.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Fault> {
        let Server { host, port, security, hello, .. } = &self.server;
        let tls = (*security == Security::Tls).then(|| self.tls.clone());
        let place = (host.as_str(), *port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(place, Some(self.timeout), hello, tls, None)
                .await?;
        if *security == Security::StartTls {
            connection.starttls(self.tls.clone(), hello).await?;
        }
        Ok(connection)
    }

    /// A 5xx about the recipient or the mail is final. What is wrong before is ours to mend, and
    /// the mail need not be lost by then.
    fn outcome(&self, stage: Stage, fault: &Fault) -> Outcome {
        let said = match fault.status() {
            Some(code) => {
                format!("{code} {}", fault.source().map(ToString::to_string).unwrap_or_default())
            }
            None => fault.to_string(),
        };
        let said = foreign::line(&said, ANSWER_CHARS_MAX);
        let place = self.place();
        let why = match stage {
            Stage::Connection => format!("no connection to {place}: {said}"),
            Stage::Login => format!("{place} refuses the login: {said}"),
            Stage::Sender => format!("{place} takes no mail from {}: {said}", self.from.email),
            Stage::Mail => format!("{place} does not take the mail: {said}"),
        };
        match stage {
            Stage::Mail if fault.is_permanent() => Outcome::Refused { why },
            Stage::Connection | Stage::Login | Stage::Sender | Stage::Mail => {
                Outcome::Failed { why, retry_after: None }
            }
        }
    }

    fn place(&self) -> String {
        format!("{}:{}", self.server.host, self.server.port)
    }
}

/// Without the login.
impl fmt::Debug for Mailer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Mailer")
            .field("server", &self.place())
            .field("security", &self.server.security)
            .finish_non_exhaustive()
    }
}

/// An address as mail servers take it: its domain in ASCII, which every server takes.
fn address(text: &str) -> Option<Address> {
    let address: Address = text.parse().ok()?;
    match ascii_domain(address.domain()) {
        Some(domain) => Address::new(address.user(), domain).ok(),
        None => Some(address),
    }
}

/// `größe.example` as `xn--gre-6ka8i.example`; `None` for one that is ASCII as it is.
fn ascii_domain(domain: &str) -> Option<String> {
    if domain.is_ascii() {
        return None;
    }
    let url = Url::parse(&format!("http://{domain}")).ok()?;
    url.domain().map(str::to_owned)
}

#[cfg(test)]
mod tests;
