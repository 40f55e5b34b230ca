//! Keys of what is served over HTTP, with unit, default, range and consequence, as in `options`.
//! Promise: the doc comments are what `config schema` prints; nothing here opens a port.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The server: the control plane under /v2, and for operations /metrics, /livez, /readyz.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpOptions {
    /// Address and port to listen on; port 0 takes a free one and logs it. Paths under /v2 ask for
    /// an API key, those for operations do not: open it (`0.0.0.0:8080`) to trusted networks only,
    /// or set `ops_listen`. It speaks plain HTTP: put TLS in front of it.
    #[schemars(extend("format" = "host-port"))]
    pub listen: String,
    /// Address and port of /metrics, /livez and /readyz, if they are not to be on `listen`.
    #[schemars(extend("format" = "host-port"))]
    pub ops_listen: Option<String>,
    /// Lines that a partition may be behind, events and commands together, beyond which /readyz
    /// says no.
    #[schemars(range(min = 0))]
    pub ready_lag_max: u64,
    /// Milliseconds of silence of an engine thread after which /livez says no. Loading a large
    /// state must fit into it.
    #[schemars(range(min = 1_000, max = 3_600_000))]
    pub live_silence_max_ms: u32,
}

/// Bounds of the control plane (paths under /v2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiOptions {
    /// Milliseconds in which a request must be answered; one that changes something waits until the
    /// fold has passed it. Beyond, it is answered with 504, and may still take effect.
    #[schemars(range(min = 100, max = 300_000))]
    pub request_timeout_ms: u32,
    /// Requests answered at the same time; beyond, 503.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrent_requests_max: usize,
    /// Bytes of a request's body; beyond, 413. Files to upload have a bound of their own.
    #[schemars(range(min = 1_024, max = 67_108_864))]
    pub body_bytes_max: usize,
    /// Requests of one API key a second, over time; beyond, 429. The gate's paths are not bounded
    /// by it: a send path asks for every message.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_second_max: u32,
    /// Requests of one API key that may come at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_at_once_max: u32,
    /// Changes of each account that are kept in memory for /v2/audit, the newest ones. Older ones
    /// are on the command topic only.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub audit_entries_max: usize,
}

/// The gate: what is asked before a send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateOptions {
    /// Milliseconds for which the gate may have been without news from the brokers. Beyond, or
    /// before it has read everything once, `when_stale` answers.
    #[schemars(range(min = 1_000, max = 86_400_000))]
    pub staleness_max_ms: u32,
    /// What the gate answers when it is too stale.
    pub when_stale: WhenStale,
    /// Whether WhatsApp session messages (purpose `session`) need a message of the contact within
    /// the last 24 hours, as `topics.received` tells. Without that topic the gate runs without the
    /// rule, and says so.
    pub session_rule: bool,
    /// Contacts with an open session that are kept, about 200 bytes each. Beyond, the sessions that
    /// end first are forgotten, and their sends are denied.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub sessions_max: usize,
    /// Whole address of the send call to which `POST /v2/messages` forwards what may go, such as
    /// `https://api.telnyx.com/v2/messages`. Unset, that path answers 501.
    #[schemars(extend("format" = "http-url"))]
    pub upstream: Option<String>,
    /// What goes to the upstream as `Authorization`; better set by its variable than in a file.
    /// Unset, none goes: the client's own is never passed on.
    #[schemars(extend("minLength" = 1))]
    pub upstream_authorization: Option<String>,
    /// Milliseconds of one call to the upstream, connecting included; beyond, 504.
    #[schemars(range(min = 100, max = 300_000))]
    pub upstream_timeout_ms: u32,
    /// Calls to the upstream under way; beyond, 503 at once.
    #[schemars(range(min = 1, max = 100_000))]
    pub upstream_calls_max: u32,
    /// The feature that messages of type MMS count as.
    #[schemars(length(min = 1, max = 128))]
    pub mms_feature: String,
}

/// What a gate answers when it may have missed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhenStale {
    /// From what it knows: blocks that it has read hold until they end, and all else goes.
    LastKnown,
    /// Everything goes.
    Allow,
    /// Nothing goes.
    Deny,
}

impl Default for HttpOptions {
    fn default() -> HttpOptions {
        HttpOptions {
            listen: "127.0.0.1:8080".to_owned(),
            ops_listen: None,
            ready_lag_max: 100_000,
            live_silence_max_ms: 30_000,
        }
    }
}

impl Default for ApiOptions {
    fn default() -> ApiOptions {
        ApiOptions {
            request_timeout_ms: 10_000,
            concurrent_requests_max: 1_024,
            body_bytes_max: 1_048_576,
            requests_per_second_max: 1_000,
            requests_at_once_max: 2_000,
            audit_entries_max: 1_000,
        }
    }
}

impl Default for GateOptions {
    fn default() -> GateOptions {
        GateOptions {
            staleness_max_ms: 10_000,
            when_stale: WhenStale::LastKnown,
            session_rule: true,
            sessions_max: 1_000_000,
            upstream: None,
            upstream_authorization: None,
            upstream_timeout_ms: 10_000,
            upstream_calls_max: 256,
            mms_feature: "sms".to_owned(),
        }
    }
}
