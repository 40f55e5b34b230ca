//! Decisions as they stand on the output topics, read as any consumer would read them.

use serde::Deserialize;

/// Any decision; what a kind lacks is `None`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Told {
    pub r#type: String,
    pub account_id: Option<String>,
    pub limit_id: Option<String>,
    pub scope: Option<ScopeTold>,
    pub measure: Option<String>,
    pub window: Option<String>,
    pub threshold: Option<u8>,
    pub direction: Option<String>,
    pub block_key: Option<String>,
    pub sequence: Option<u64>,
    pub blocked: Option<bool>,
    pub blocked_until: Option<String>,
    pub configured_limit: Option<String>,
    pub current: Option<String>,
    pub now: Option<String>,
    pub reason: Option<String>,
    pub detail: Option<String>,
    pub cause: Option<CauseTold>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ScopeTold {
    pub kind: String,
    pub id: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct CauseTold {
    pub kind: String,
}

impl Told {
    /// In a line, for people.
    pub fn sentence(&self) -> String {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        if self.r#type == "rejected" {
            let detail = self.detail.as_deref().unwrap_or("");
            let (account, reason) = (or_dash(&self.account_id), or_dash(&self.reason));
            return format!("{account} rejected: {reason} ({detail})");
        }
        let what = match (self.r#type.as_str(), self.blocked) {
            ("threshold_crossed", _) => {
                let falls = self.direction.as_deref() == Some("down");
                let verb = if falls { "falls below" } else { "crosses" };
                format!("{verb} {}%", self.threshold.unwrap_or(0))
            }
            ("limit_reached", _) => "reached".to_owned(),
            (_, Some(true)) => "BLOCKED".to_owned(),
            (_, _) => "lifted".to_owned(),
        };
        let used = format!("{} of {}", or_dash(&self.current), or_dash(&self.configured_limit));
        let place = self.place();
        format!("{} {place} {what}, {used} {}", or_dash(&self.account_id), self.unit())
    }

    /// The limit and whom it is about.
    pub fn place(&self) -> String {
        let limit = self.limit_id.as_deref().unwrap_or("-");
        match &self.scope {
            Some(ScopeTold { kind, id: Some(id) }) => format!("{limit} {kind} {id}"),
            Some(ScopeTold { kind, id: None }) => format!("{limit} {kind}"),
            None => limit.to_owned(),
        }
    }

    pub fn unit(&self) -> String {
        let unit = match self.measure.as_deref() {
            Some("cost") => "USD",
            Some(measure) => measure,
            None => "",
        };
        format!("{unit} per {}", self.window.as_deref().unwrap_or("-"))
    }
}
