//! Traffic for the scenario that the naive model can follow: few accounts, so that limits are reached
//! and lifted all the time, short sliding windows, so that timers fire between the kills, and every
//! kind of line that FORMATS.md knows, the bad ones too. It knows the formats and nothing else.

use serde_json::{Value, json};
use tollgate::time::Millis;

use crate::dice::Dice;

const ACCOUNTS: u64 = 24;
const DAY_MS: i64 = 86_400_000;

/// One record to send.
pub struct Line {
    pub command: bool,
    pub account: String,
    pub bytes: Vec<u8>,
}

pub struct Traffic {
    dice: Dice,
    number: u64,
    /// The latest events, to be sent again or contradicted.
    recent: Vec<(String, Value)>,
}

impl Traffic {
    pub fn new(seed: u64) -> Traffic {
        Traffic { dice: Dice::new(seed), number: 0, recent: Vec::new() }
    }

    /// The next line, at this time.
    pub fn next(&mut self, now: i64) -> Line {
        self.number += 1;
        let account = format!("acct-{}", self.dice.below(ACCOUNTS));
        let number = self.number;
        match self.dice.below(1000) {
            0..40 => self.command(account, now),
            40..60 if !self.recent.is_empty() => self.again(),
            60..68 if !self.recent.is_empty() => self.conflict(),
            68..78 => Line { command: false, bytes: self.garbage(&account, now, number), account },
            _ => self.event(account, now),
        }
    }

    fn event(&mut self, account: String, now: i64) -> Line {
        let dice = &mut self.dice;
        let correction = dice.percent(6);
        let amount = dice.below(900_000) + 1;
        let cost = format!("{}0.{amount:06}", if correction { "-" } else { "" });
        let occurred_at = match dice.below(100) {
            0..4 => now - DAY_MS - dice.below(20 * 3_600_000) as i64,
            4..6 => now - 35 * DAY_MS,
            6..9 => now + dice.below(20 * 3_600_000) as i64,
            9..20 => now - dice.below(4_000) as i64,
            _ => now,
        };
        let purpose = dice.pick(&[Some("otp"), None, None, Some("marketing")]);
        let event = json!({
            "type": "billed",
            "event_id": format!("e-{}", self.number),
            "idempotency_key": dice.percent(20).then(|| format!("k-{}", self.number)),
            "account_id": account,
            "profile_id": format!("profile-{}", dice.below(3)),
            "feature": dice.pick(&["sms", "voice", "whatsapp", "numbers"]),
            "country": dice.pick(&["IT", "de", "US"]),
            "sender": format!("+1555000{}", dice.below(3)),
            "recipient": format!("+39333{}", dice.below(12)),
            "purpose": purpose,
            "requests": if correction { 0 } else { 1 + dice.below(2) },
            "cost": cost,
            "occurred_at": Millis(occurred_at).to_string(),
        });
        if self.recent.len() < 64 {
            self.recent.push((account.clone(), event.clone()));
        } else {
            let place = dice.below(64) as usize;
            self.recent[place] = (account.clone(), event.clone());
        }
        Line { command: false, account, bytes: event.to_string().into_bytes() }
    }

    fn again(&mut self) -> Line {
        let (account, event) = self.dice.pick(&self.recent).clone();
        Line { command: false, account, bytes: event.to_string().into_bytes() }
    }

    fn conflict(&mut self) -> Line {
        let (account, mut event) = self.dice.pick(&self.recent).clone();
        event["cost"] = json!("7.77");
        Line { command: false, account, bytes: event.to_string().into_bytes() }
    }

    fn garbage(&mut self, account: &str, now: i64, number: u64) -> Vec<u8> {
        let event = |cost: &str, at: i64| {
            json!({"event_id": format!("g-{number}"), "account_id": account, "feature": "sms",
                   "cost": cost, "occurred_at": Millis(at).to_string()})
            .to_string()
        };
        let bytes = match self.dice.below(7) {
            0 => "{\"type\":\"billed\",\"event_id\":".to_owned(),
            1 => "no JSON at all".to_owned(),
            2 => "[1,2,3]".to_owned(),
            3 => event("1.2345678", now),
            4 => event("1e3", now),
            5 => event("1.00", now + 2 * DAY_MS),
            _ => return b"{\"event_id\":\"\xff\xfe\"}".to_vec(),
        };
        bytes.into_bytes()
    }

    fn command(&mut self, account: String, now: i64) -> Line {
        let limit = self.limit();
        let command = if self.dice.percent(12) {
            json!({"type": "limit_removed", "limit_id": limit["limit_id"]})
        } else {
            json!({"type": "limit_set", "limit": limit})
        };
        let mut command = command;
        command["command_id"] = json!(format!("c-{}", self.number));
        command["account_id"] = json!(account);
        command["issued_at"] = json!(Millis(now).to_string());
        command["actor"] = json!("suite");
        Line { command: true, account, bytes: command.to_string().into_bytes() }
    }

    fn limit(&mut self) -> Value {
        let dice = &mut self.dice;
        let whole = (1 + dice.below(40)).to_string();
        let action = *dice.pick(&["alert", "block", "block"]);
        let thresholds = dice.pick(&["[50,75,90,100]", "[]", "[10,100]", "[1,2,3]", "[90,50]"]);
        let thresholds: Value = serde_json::from_str(thresholds).expect("it is JSON");
        let enabled = !dice.percent(10);
        let calendar = *dice.pick(&["day", "month"]);
        let period = *dice.pick(&["PT2S", "PT3S", "PT8S", "PT1M"]);
        let (id, scope, measure, window, only) = match dice.below(9) {
            0 | 1 => ("account", json!({"kind": "account"}), "cost", calendar, json!(null)),
            2 => (
                "profile",
                json!({"kind": "profile", "id": "profile-1"}),
                "cost",
                calendar,
                json!(null),
            ),
            3 => (
                "country",
                json!({"kind": "country", "id": "it"}),
                "requests",
                calendar,
                json!(null),
            ),
            4 => ("feature", json!({"kind": "feature", "id": "sms"}), "cost", "month", json!(null)),
            5 => ("each", json!({"kind": "recipient"}), "requests", period, json!(null)),
            6 => (
                "one",
                json!({"kind": "sender", "id": "+15550001"}),
                "requests",
                period,
                json!({"feature": "sms"}),
            ),
            7 => ("tier", json!({"kind": "sender"}), "recipients", "day", json!(null)),
            _ => {
                ("otp", json!({"kind": "recipient"}), "requests", period, json!({"purpose": "otp"}))
            }
        };
        let amount = match measure {
            "cost" => format!("{whole}.50"),
            _ if dice.percent(5) => "2.5".to_owned(),
            _ => (1 + dice.below(12)).to_string(),
        };
        let mut limit = json!({"limit_id": id, "scope": scope, "measure": measure, "window": window,
            "amount": amount, "action": action, "enabled": enabled});
        if dice.percent(60) {
            limit["thresholds"] = thresholds;
        }
        if !only.is_null() {
            limit["only"] = only;
        }
        limit
    }
}
