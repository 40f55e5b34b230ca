//! What the Kafka clients of all roles have in common: layers of properties, and the log. Promise:
//! properties of the user override defaults, and cannot undo what a role's promises rest on. How a
//! role reads and writes is its own business.

use std::collections::BTreeMap;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

/// Properties of clients that read or write all the time. The user may change them.
pub const STEADY: [(&str, &str); 5] = [
    ("client.id", "tollgate"),
    ("socket.nagle.disable", "true"),
    ("socket.keepalive.enable", "true"),
    ("socket.timeout.ms", "10000"),
    ("reconnect.backoff.max.ms", "1000"),
];

/// Defaults, then the user's properties, then what is not the user's to change.
#[must_use]
pub fn layered<'p>(
    bootstrap: &str,
    defaults: impl IntoIterator<Item = &'p (&'p str, &'p str)>,
    user: &BTreeMap<String, String>,
    pinned: &[(&str, &str)],
) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (property, value) in defaults {
        config.set(*property, *value);
    }
    for (property, value) in user {
        config.set(property, value);
    }
    for (property, value) in pinned {
        config.set(*property, *value);
    }
    config.set("bootstrap.servers", bootstrap);
    // By itself rdkafka would take the level from the `log` crate, which is not used here.
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}

/// Of a producer whose records are acknowledged by all replicas and stand in the order in which
/// they were begun; an append has failed after `timeout_ms`.
#[must_use]
pub fn writer(
    bootstrap: &str,
    user: &BTreeMap<String, String>,
    linger_ms: u32,
    timeout_ms: u32,
) -> ClientConfig {
    let defaults = [("client.id", "tollgate"), ("socket.nagle.disable", "true")];
    let pinned =
        [("acks", "all"), ("enable.idempotence", "true"), ("allow.auto.create.topics", "false")];
    let mut config = layered(bootstrap, &defaults, user, &pinned);
    config.set("linger.ms", linger_ms.to_string());
    config.set("message.timeout.ms", timeout_ms.to_string());
    config
}

/// Logs what a client says of itself; its name says whose it is.
pub fn log(client: &str, level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => {
            tracing::warn!(client, facility, message, "kafka client");
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(client, facility, message, "kafka client");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_overrides_defaults_and_not_what_is_pinned() {
        let user = [("client.id", "mine"), ("acks", "0"), ("bootstrap.servers", "elsewhere")];
        let user = user.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let config = layered("here:1", &STEADY, &user, &[("acks", "all")]);
        for (property, value) in [
            ("client.id", "mine"),
            ("socket.timeout.ms", "10000"),
            ("acks", "all"),
            ("bootstrap.servers", "here:1"),
        ] {
            assert_eq!(config.get(property), Some(value));
        }
    }
}
