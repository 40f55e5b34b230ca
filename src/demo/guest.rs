//! The viewer's own account in the demo: a key, and a profile whose limit is reached from the
//! start, to be asked about and lifted over HTTP. Promise: it is made of commands and a billed
//! event, as any other account.

use std::net::SocketAddr;

use serde_json::json;

use super::topics;
use crate::api::keys::{NewKey, Scope};
use crate::time::Millis;
use crate::wire::Head;

/// The account.
pub const ACCOUNT: &str = "you";
/// Its profile.
const PROFILE: &str = "be3eb60a-51d1-4d0b-8d7f-0d4f5f7a2c11";
/// The limit's id, by which the control plane knows it as the profile's.
const LIMIT: &str = "spend-be3eb60a-51d1-4d0b-8d7f-0d4f5f7a2c11";

/// Something to try out.
pub struct Step {
    pub name: &'static str,
    pub why: &'static str,
    pub command: String,
}

pub struct Guest {
    key: NewKey,
    /// Where the control plane and the gate are served.
    address: SocketAddr,
}

impl Guest {
    #[must_use]
    pub fn at(address: SocketAddr) -> Guest {
        Guest { key: NewKey::make(), address }
    }

    /// Topics and records to begin with: a key, a limit of 0.50 USD a day, and a message for it.
    #[must_use]
    pub fn records(&self, now: Millis) -> Vec<(&'static str, Vec<u8>)> {
        let time = now.to_string();
        let actor = "tollgate demo";
        let head = Head {
            command_id: "demo-key",
            account_id: ACCOUNT,
            issued_at: now,
            actor,
            reason: None,
        };
        let limit = json!({
            "type": "limit_set", "command_id": "demo-limit", "account_id": ACCOUNT,
            "issued_at": time, "actor": actor,
            "limit": {
                "limit_id": LIMIT, "scope": {"kind": "profile", "id": PROFILE},
                "measure": "cost", "window": "day", "amount": "0.50", "action": "block",
            },
        });
        let event = json!({
            "event_id": "demo-message", "account_id": ACCOUNT, "profile_id": PROFILE,
            "feature": "sms", "country": "IT", "cost": "0.50", "occurred_at": time,
        });
        vec![
            (topics::COMMANDS, self.key.setting(&Scope::ALL, Some("demo")).write(&head)),
            (topics::COMMANDS, limit.to_string().into_bytes()),
            (topics::BILLED, event.to_string().into_bytes()),
        ]
    }

    /// Where the contracts are described.
    #[must_use]
    pub fn page(&self) -> String {
        format!("http://{}/docs", self.address)
    }

    /// What to type to see a block and its lifting.
    #[must_use]
    pub fn steps(&self) -> [Step; 2] {
        let (base, key) = (format!("http://{}", self.address), &self.key.key);
        let curl = |flags: &str, path: &str, body: &str| {
            format!("curl -s {flags} {base}{path} -H 'Authorization: Bearer {key}' -d '{body}'")
        };
        let ask = format!(r#"{{"feature":"sms","profile_id":"{PROFILE}"}}"#);
        let profile = format!("/v2/messaging_profiles/{PROFILE}");
        [
            Step {
                name: "ask",
                why: "ask before a send: 429, the spend limit is reached; 200 once it is raised",
                command: curl("-i", "/v2/gate/check", &ask),
            },
            Step {
                name: "raise",
                why: "raise the limit, which lifts the block",
                command: curl("-X PATCH", &profile, r#"{"daily_spend_limit":"100.00"}"#),
            },
        ]
    }
}
