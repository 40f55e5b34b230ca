//! Keys of the notifier, with unit, default, range and consequence, as in `options`. Promise: the
//! doc comments are what `config schema` prints; nothing here sends anything.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The notifier: webhooks, e-mail, Slack and short messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyOptions {
    /// File with the keys that sign webhooks, the same for all notifiers: `tollgate keys signing
    /// new` makes it. Unset, the role notify does not run.
    #[schemars(extend("minLength" = 1))]
    pub signing_keys: Option<PathBuf>,
    /// Networks (`10.1.2.0/24`, `fd00::/8`) that webhooks and Slack may be sent to although they
    /// are private; plain http is allowed to them only. Any other private, loopback or link-local
    /// address is refused.
    #[schemars(extend("type" = ["array", "string"]))]
    #[schemars(extend("items" = {"type": "string", "minLength": 1}))]
    pub allowed_networks: Vec<String>,
    /// DNS servers that hosts of webhooks are asked of, each `address:port`. Empty: those of the
    /// system.
    #[schemars(extend("type" = ["array", "string"]))]
    #[schemars(extend("items" = {"type": "string", "format": "host-port"}))]
    pub nameservers: Vec<String>,
    /// File with certificates in PEM that are trusted beside the system's, for webhooks and mail.
    #[schemars(extend("minLength" = 1))]
    pub root_certificates: Option<PathBuf>,
    /// Milliseconds in which an attempt must be answered, connecting included.
    #[schemars(range(min = 100, max = 120_000))]
    pub attempt_timeout_ms: u32,
    /// Milliseconds to wait after the first, second, … failure of a delivery, a tenth more or less;
    /// after the last one it is given up.
    #[schemars(extend("type" = ["array", "string"]))]
    #[schemars(extend("items" = {"type": "integer", "minimum": 1, "maximum": 604_800_000}))]
    pub retries_ms: Vec<u64>,
    /// Attempts at one host under way at the same time; the mail server is one.
    #[schemars(range(min = 1, max = 10_000))]
    pub attempts_per_host_max: usize,
    /// Attempts under way in all.
    #[schemars(range(min = 1, max = 100_000))]
    pub attempts_max: usize,
    /// Deliveries of this process that have not ended, about 2 KB each; beyond, decisions wait on
    /// their topics.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub pending_max: usize,
    /// Failures of an endpoint in a row at which nothing is sent to it for a while.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub failures_to_pause: u32,
    /// Milliseconds of the first such pause; each further one is twice as long, an hour at most.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub pause_ms: u64,
    /// Hours after which a decision is too old to be told. It bounds what a notifier tells that
    /// runs for the first time, and for how long deliveries are remembered.
    #[schemars(range(min = 1, max = 8_760))]
    pub decision_age_hours_max: u32,
    /// Whether of several thresholds that one message crosses only the highest is told, and
    /// nothing but the limit itself when it is reached.
    pub collapse: bool,
    /// Minutes for which nothing more is told of a limit, unless it is a higher threshold; a limit
    /// may have its own (`quiet_minutes`).
    #[schemars(range(max = 525_600))]
    pub quiet_minutes: u32,
    /// Mail server: `smtps://mail.example.com` (TLS, port 465) or
    /// `smtp://mail.example.com?tls=required` (STARTTLS, port 587). Unset, no mail is sent, and
    /// those who were to get one are told of on the topic of undelivered notifications.
    #[schemars(extend("minLength" = 1))]
    pub smtp_url: Option<String>,
    /// User of the mail server. Unset, none is sent.
    #[schemars(extend("minLength" = 1))]
    pub smtp_user: Option<String>,
    /// Password of that user; better set by its variable than in a file.
    #[schemars(extend("minLength" = 1))]
    pub smtp_password: Option<String>,
    /// From whom mails come: `Limits <limits@example.com>`.
    #[schemars(extend("minLength" = 1))]
    pub mail_from: Option<String>,
}

impl Default for NotifyOptions {
    fn default() -> NotifyOptions {
        NotifyOptions {
            signing_keys: None,
            allowed_networks: Vec::new(),
            nameservers: Vec::new(),
            root_certificates: None,
            attempt_timeout_ms: 10_000,
            retries_ms: vec![
                5_000, 30_000, 120_000, 600_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000,
            ],
            attempts_per_host_max: 4,
            attempts_max: 256,
            pending_max: 100_000,
            failures_to_pause: 10,
            pause_ms: 60_000,
            decision_age_hours_max: 24,
            collapse: true,
            quiet_minutes: 0,
            smtp_url: None,
            smtp_user: None,
            smtp_password: None,
            mail_from: None,
        }
    }
}
