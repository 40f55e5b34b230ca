//! What every Kafka client of the process has in common.
//! Promise: raw properties come first, so that what a role sets on top cannot be broken by them.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::options::KafkaOptions;

impl KafkaOptions {
    /// Brokers and raw properties; the role adds its own on top.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("client.id", "tollgate");
        for (property, value) in &self.client {
            client.set(property, value);
        }
        client.set("bootstrap.servers", self.bootstrap.join(","));
        client
    }

    /// How long brokers may take to answer a question about the cluster.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.into())
    }
}

/// What librdkafka has against a property; `None` if it takes it.
pub(super) fn refusal(name: &str, value: &str) -> Option<String> {
    let mut native = ClientConfig::new();
    native.set(name, value);
    match native.create_native_config() {
        Ok(_) => None,
        Err(KafkaError::ClientConfig(_, description, _, _)) => Some(description.trim().to_owned()),
        Err(other) => Some(other.to_string()),
    }
}
