//! From the configuration to the notifier, and `tollgate notify test`. Promise: whatever keeps it
//! from starting is told with the key of the configuration that mends it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::api;
use super::args::{Notify, NotifyTest};
use super::config::load;
use super::engine::wire_options;
use super::keys::settings;
use super::print;
use crate::config::{Config, NotifyOptions};
use crate::error::{Error, Exit};
use crate::notify::channel::Outcome;
use crate::notify::http::{self, Http};
use crate::notify::mail::{self, Mailer};
use crate::notify::plan::Rules;
use crate::notify::signing::WatchedKeyring;
use crate::notify::{Channels, Notifier, Options, Topics, trial};
use crate::settings::known::Known;
use crate::tail::SharedClock;
use crate::telemetry::{SystemClock, Telemetry};
use crate::time::Clock as _;
use crate::topics::Report;
use crate::wire::{self, Decoder, InputFormat};

pub(super) fn run(command: &Notify) -> Result<Exit, Error> {
    match command {
        Notify::Test(test) => try_out(test),
    }
}

/// Starts the notifier, if it is configured, upon topics as they were found. `known` is what
/// another role of this process reads already. Call it inside the server's runtime.
///
/// # Errors
/// When a key of the configuration is wrong, or a topic is missing.
pub(super) fn start(
    config: &Config,
    topics: &Report,
    known: Option<Arc<Known>>,
    telemetry: &Telemetry,
) -> Result<Option<Notifier>, Error> {
    if config.notify.signing_keys.is_none() {
        tracing::warn!(
            "notify does not run: make keys with `tollgate keys signing new` and name their file \
             in notify.signing_keys"
        );
        return Ok(None);
    }
    topics_are_there(config, topics)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let known = match known {
        Some(known) => known,
        None => Arc::new(api::known(config, topics.partitions.unwrap_or(0), &clock)?),
    };
    // Decisions are in the format of the output, whatever the input's is.
    let decisions = wire::Options { format: InputFormat::Auto, ..wire_options(config)? };
    let decisions = Decoder::new(&decisions).map_err(|error| failed(error.to_string()))?;
    // A webhook and its failover, one after the other.
    let attempt_max = Duration::from_millis(config.notify.attempt_timeout_ms.into()) * 2;
    let metrics = telemetry.metrics.notify.clone();
    let channels = channels(config)?;
    let notifier =
        Notifier::start(options(config), known, channels, decisions, metrics, clock, attempt_max)
            .map_err(|error| {
            Error::failed("the notifier does not start")
                .because(error)
                .remedy("check kafka.bootstrap and `tollgate topics check`, then try again")
        })?;
    telemetry.metrics.watch_notify(notifier.seen());
    tracing::info!("notifying");
    Ok(Some(notifier))
}

fn topics_are_there(config: &Config, report: &Report) -> Result<(), Error> {
    let own = [&config.topics.deliveries, &config.topics.undelivered, &config.topics.sms_requests];
    let missing: Vec<_> = own.into_iter().filter(|topic| report.lacks(topic)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!(
        "the notifier needs topics that do not exist: {}",
        missing.join(", ")
    ))
    .remedy("tollgate topics create, with the same configuration"))
}

fn options(config: &Config) -> Options {
    let (notify, topics) = (&config.notify, &config.topics);
    let topics = Topics {
        limit_reached: topics.limit_reached.clone(),
        threshold_crossed: topics.threshold_crossed.clone(),
        deliveries: topics.deliveries.clone(),
        undelivered: topics.undelivered.clone(),
        sms_requests: topics.sms_requests.clone(),
    };
    Options {
        bootstrap: config.kafka.bootstrap.join(","),
        client: config.kafka.client.clone(),
        topics,
        group: format!("{}.notify", config.kafka.group),
        session_timeout: Duration::from_millis(config.kafka.session_timeout_ms.into()),
        rules: Rules {
            collapse: notify.collapse,
            quiet_ms: i64::from(notify.quiet_minutes) * 60_000,
            age_ms_max: i64::from(notify.decision_age_hours_max) * 3_600_000,
        },
        retries_ms: notify.retries_ms.clone(),
        per_host_max: notify.attempts_per_host_max,
        attempts_max: notify.attempts_max,
        pending_max: notify.pending_max,
        failures_to_pause: notify.failures_to_pause,
        pause_ms: notify.pause_ms,
    }
}

fn channels(config: &Config) -> Result<Channels, Error> {
    let notify = &config.notify;
    let path = notify.signing_keys.as_ref().ok_or_else(|| {
        Error::usage("webhooks cannot be signed: notify.signing_keys is unset")
            .remedy("tollgate keys signing new --file FILE makes one; name it there")
    })?;
    let keyring = WatchedKeyring::open(path).map_err(|error| {
        let remedy = error.remedy();
        Error::usage("webhooks cannot be signed").because(error).remedy(remedy)
    })?;
    let root_certificates = root_certificates(notify)?;
    let http = Http::new(&http::Options {
        allow: parsed(&notify.allowed_networks, "notify.allowed_networks", "10.1.2.0/24")?,
        nameservers: parsed::<SocketAddr>(
            &notify.nameservers,
            "notify.nameservers",
            "10.1.2.3:53",
        )?,
        request_timeout_ms: notify.attempt_timeout_ms,
        root_certificates: root_certificates.clone(),
        ..http::Options::default()
    });
    let http = http.map_err(|error| failed(error.to_string()))?;
    Ok(Channels { http, keyring, mailer: mailer(notify, root_certificates)? })
}

fn mailer(
    notify: &NotifyOptions,
    root_certificates: Vec<Vec<u8>>,
) -> Result<Option<Mailer>, Error> {
    let (Some(url), Some(from)) = (&notify.smtp_url, &notify.mail_from) else {
        tracing::warn!("mails are not sent: set notify.smtp_url and notify.mail_from");
        return Ok(None);
    };
    let refused = |why: String| {
        Error::usage(format!("mails cannot be sent: {why}"))
            .remedy("mend notify.smtp_url, notify.smtp_user or notify.mail_from")
    };
    let mut url = reqwest::Url::parse(url).map_err(|error| refused(error.to_string()))?;
    if let Some(user) = &notify.smtp_user {
        let password = notify.smtp_password.as_deref();
        if url.set_username(user).and_then(|()| url.set_password(password)).is_err() {
            return Err(refused("the URL has no host".to_owned()));
        }
    }
    let options = mail::Options {
        url: url.to_string(),
        from: from.clone(),
        timeout_ms: notify.attempt_timeout_ms,
        root_certificates,
    };
    Mailer::new(&options).map(Some).map_err(|error| refused(error.to_string()))
}

fn root_certificates(notify: &NotifyOptions) -> Result<Vec<Vec<u8>>, Error> {
    let Some(path) = &notify.root_certificates else { return Ok(Vec::new()) };
    let read = std::fs::read(path).map_err(|error| {
        Error::usage(format!("notify.root_certificates: {} cannot be read", path.display()))
            .because(error)
            .remedy("name a file of certificates in PEM that this user may read")
    })?;
    Ok(certificates(&read))
}

/// One by one; what holds none is left whole, for the clients to say so.
fn certificates(pem: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(pem);
    let parts = text.split_inclusive("-----END CERTIFICATE-----");
    let parts = parts.filter(|part| part.contains("-----BEGIN CERTIFICATE-----"));
    let found: Vec<_> = parts.map(|part| part.as_bytes().to_vec()).collect();
    if found.is_empty() { vec![pem.to_vec()] } else { found }
}

fn parsed<T: std::str::FromStr>(texts: &[String], key: &str, form: &str) -> Result<Vec<T>, Error> {
    let read = |text: &String| {
        text.parse().map_err(|_| {
            Error::usage(format!("{key}: {text:?} cannot be read"))
                .remedy(format!("write it as {form}"))
        })
    };
    texts.iter().map(read).collect()
}

fn failed(why: String) -> Error {
    Error::failed(format!("the notifier cannot be set up: {why}"))
        .remedy("mend the configuration; `tollgate config check` names keys and ranges")
}

/// Sends a sample through every channel that the account has, and prints what came back.
fn try_out(test: &NotifyTest) -> Result<Exit, Error> {
    let config = load(&test.file)?.config;
    let channels = channels(&config)?;
    let account = settings(&config, &test.account)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed("cannot start a runtime").because(error))?;
    let tried =
        runtime.block_on(trial::send(&channels, &test.account, &account, SystemClock.now()));
    if tried.is_empty() {
        return Err(Error::deviates(format!("account {} has no channel", test.account))
            .remedy("set one with PUT /v2/billing/notifications, or webhook_url of a profile"));
    }
    let mut failed = 0;
    for trial::Tried { channel, to, outcome } in &tried {
        let said = match outcome {
            Outcome::Delivered { answer } => format!("delivered: {answer}"),
            Outcome::Failed { why, .. } | Outcome::Refused { why } => {
                failed += 1;
                format!("failed: {why}")
            }
            Outcome::Gone => {
                failed += 1;
                "failed: 410, it wants nothing any more".to_owned()
            }
        };
        print(&format!("{channel}  {to}  {said}\n"))?;
    }
    if failed == 0 {
        return Ok(Exit::Done);
    }
    Err(Error::deviates(format!("{failed} of {} channels failed", tried.len()))
        .remedy("mend what the lines above name, then try again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_certificates_is_taken_one_by_one() {
        let one = "-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----";
        let found = certificates(format!("# ours\n{one}\n\n{one}\n").as_bytes());
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|found| String::from_utf8_lossy(found).ends_with(one)));
        assert_eq!(certificates(b"none"), [b"none".to_vec()]);
    }
}
