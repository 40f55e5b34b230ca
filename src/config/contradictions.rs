//! Rules between several keys, and librdkafka properties that must not be set from outside.
//! Promise: a configuration that starts cannot break what the engine rests on by a raw property.

use std::collections::BTreeMap;

use super::client;
use super::options::{Config, InputFormat, OutputFormat};

/// Keys whose values do not go together.
pub(super) struct Contradiction {
    /// The fault is placed at the first of these that somebody set.
    pub keys: Vec<&'static str>,
    pub message: String,
    pub remedy: String,
}

/// Properties on which the engine's promises rest, and what to do instead of setting them.
const OWN_PROPERTIES: [(&str, &str); 21] = [
    ("acks", "remove it; the engine always waits for all replicas"),
    ("allow.auto.create.topics", "remove it; create topics with `tollgate topics create`"),
    ("auto.offset.reset", "remove it; positions come from the journal"),
    ("bootstrap.servers", "set kafka.bootstrap instead"),
    ("enable.auto.commit", "remove it; positions come from the journal"),
    ("enable.auto.offset.store", "remove it; positions come from the journal"),
    ("enable.gapless.guarantee", "remove it; the journal's chain finds gaps"),
    ("enable.idempotence", "remove it; the engine's producers are always idempotent"),
    ("enable.partition.eof", "remove it; the engine sets it where it needs it"),
    ("group.id", "set kafka.group instead"),
    ("group.instance.id", "set kafka.instance_id instead"),
    ("group.protocol", "remove it; the engine uses the classic group protocol"),
    ("isolation.level", "remove it; the engine sets it where it needs it"),
    ("max.in.flight", "remove it; set engine.appends_in_flight_max for the journal"),
    ("max.in.flight.requests.per.connection", "remove it; see engine.appends_in_flight_max"),
    ("metadata.broker.list", "set kafka.bootstrap instead"),
    ("partition.assignment.strategy", "remove it; the engine chooses it"),
    ("partitioner", "set input.partitioner instead"),
    ("request.required.acks", "remove it; the engine always waits for all replicas"),
    ("session.timeout.ms", "set kafka.session_timeout_ms instead"),
    ("transactional.id", "remove it; no Kafka transactions are used"),
];

/// What is wrong with a raw librdkafka property, and what to do; `None` if it may be set.
pub(super) fn refused_property(name: &str, value: &str) -> Option<(String, String)> {
    if let Some((_, remedy)) = OWN_PROPERTIES.iter().find(|(own, _)| *own == name) {
        return Some(("is set by the engine itself".to_owned(), (*remedy).to_owned()));
    }
    let why = client::refusal(name, value)?;
    let remedy = "see librdkafka's CONFIGURATION.md for names and values";
    Some((format!("is refused by librdkafka: {why}"), remedy.to_owned()))
}

/// All contradictions between keys.
pub(super) fn between_keys(config: &Config) -> Vec<Contradiction> {
    let mut found = Vec::new();
    same_topics(config, &mut found);
    registry(config, &mut found);
    mail(config, &mut found);
    if config.engine.batch_bytes_max > config.engine.memory_bytes_max / 4 {
        found.push(Contradiction {
            keys: vec!["engine.batch_bytes_max", "engine.memory_bytes_max"],
            message: format!(
                "engine.batch_bytes_max ({}) exceeds a quarter of engine.memory_bytes_max ({})",
                config.engine.batch_bytes_max, config.engine.memory_bytes_max
            ),
            remedy: "lower engine.batch_bytes_max or raise engine.memory_bytes_max".to_owned(),
        });
    }
    found
}

fn same_topics(config: &Config, found: &mut Vec<Contradiction>) {
    let topics = &config.topics;
    let named = [
        ("topics.billed", &topics.billed),
        ("topics.commands", &topics.commands),
        ("topics.journal", &topics.journal),
        ("topics.threshold_crossed", &topics.threshold_crossed),
        ("topics.limit_reached", &topics.limit_reached),
        ("topics.block_state", &topics.block_state),
        ("topics.dead_letter", &topics.dead_letter),
        ("topics.received", &topics.received),
        ("topics.deliveries", &topics.deliveries),
        ("topics.undelivered", &topics.undelivered),
        ("topics.sms_requests", &topics.sms_requests),
    ];
    let mut keys_of: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for (key, topic) in named {
        keys_of.entry(topic).or_default().push(key);
    }
    for (topic, keys) in keys_of.into_iter().filter(|(_, keys)| keys.len() > 1) {
        found.push(Contradiction {
            message: format!("{} are all {topic:?}", keys.join(" and ")),
            remedy: "give each its own topic".to_owned(),
            keys,
        });
    }
}

fn mail(config: &Config, found: &mut Vec<Contradiction>) {
    let notify = &config.notify;
    if notify.smtp_url.is_some() != notify.mail_from.is_some() {
        found.push(Contradiction {
            keys: vec!["notify.smtp_url", "notify.mail_from"],
            message: "notify.smtp_url and notify.mail_from need each other".to_owned(),
            remedy: "set both to send mails, or neither".to_owned(),
        });
    }
    if notify.smtp_password.is_some() && notify.smtp_user.is_none() {
        found.push(Contradiction {
            keys: vec!["notify.smtp_password", "notify.smtp_user"],
            message: "notify.smtp_password is set without a user".to_owned(),
            remedy: "set notify.smtp_user too".to_owned(),
        });
    }
}

fn registry(config: &Config, found: &mut Vec<Contradiction>) {
    let input = &config.input;
    if input.schema_registry_password.is_some() && input.schema_registry_user.is_none() {
        found.push(Contradiction {
            keys: vec!["input.schema_registry_password", "input.schema_registry_user"],
            message: "input.schema_registry_password is set without a user".to_owned(),
            remedy: "set input.schema_registry_user too".to_owned(),
        });
    }
    if config.input.schema_registry.is_some() {
        return;
    }
    let reads = config.input.format == InputFormat::Confluent;
    let writes = config.output.format == OutputFormat::Confluent;
    for key in [(reads, "input.format"), (writes, "output.format")] {
        if let (true, key) = key {
            found.push(Contradiction {
                keys: vec![key, "input.schema_registry"],
                message: format!("{key} is confluent, but no Schema Registry is named"),
                remedy: "set input.schema_registry to its URL, or another format".to_owned(),
            });
        }
    }
}
