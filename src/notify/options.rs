//! What a notifier is started with.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::Rules;

/// Topics of a notifier; all have as many partitions as the billed topic.
#[derive(Clone, Debug)]
pub struct Topics {
    pub limit_reached: String,
    pub threshold_crossed: String,
    /// What is to be delivered and what was; compacted.
    pub deliveries: String,
    pub undelivered: String,
    pub sms_requests: String,
}

#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port`, comma-separated.
    pub bootstrap: String,
    /// librdkafka properties of the user.
    pub client: BTreeMap<String, String>,
    /// Consumer group of the notifiers.
    pub group: String,
    pub session_timeout: Duration,
    pub topics: Topics,
    pub rules: Rules,
    /// Milliseconds to wait after the first, second, … failure.
    pub retries_ms: Vec<u64>,
    /// Attempts to one host under way at the same time.
    pub per_host_max: usize,
    /// Attempts under way in all.
    pub attempts_max: usize,
    /// Deliveries that have not ended, beyond which no more decisions are read.
    pub pending_max: usize,
    /// Failures of an endpoint in a row at which it is paused.
    pub failures_to_pause: u32,
    /// Milliseconds of its first pause; each further one is twice as long, an hour at most.
    pub pause_ms: u64,
}
