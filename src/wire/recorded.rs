//! Commands as those read them who show and use settings: with who, when, why, and the body that
//! is no matter of the fold. Promise: what the fold takes and what it refuses is decided by the
//! same decoder, so that both see the same settings.

use serde::Serialize;
use serde_json::{Map, Value};

use super::avro::datum::Datum;
use super::avro::plan::Plan;
use super::avro::{RecordKind, lines};
use super::decoder::json;
use crate::fold::event::{Change, Command, Input};
use crate::fold::limit::LimitSpec;
use crate::time::Millis;

/// A recorded command in full.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// `limit_set`, `profile_removed`, …
    pub kind: String,
    pub command: Command,
    pub issued_at: Millis,
    pub actor: Option<String>,
    pub reason: Option<String>,
    /// The own fields of the kind; those of a limit beside what the fold takes.
    pub body: Map<String, Value>,
}

/// A setting as it is to be recorded (FORMATS.md, "Command").
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    LimitSet {
        spec: LimitSpec,
        body: Map<String, Value>,
    },
    LimitRemoved {
        limit_id: String,
    },
    /// `<kind>_set`: the body is the whole new content.
    Set {
        kind: String,
        body: Map<String, Value>,
    },
    /// `<kind>_removed`: the body names what.
    Removed {
        kind: String,
        body: Map<String, Value>,
    },
}

/// What `write` puts around a setting.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub command_id: &'a str,
    pub account_id: &'a str,
    pub issued_at: Millis,
    pub actor: &'a str,
    pub reason: Option<&'a str>,
}

impl Setting {
    /// The command's bytes, as JSON.
    #[must_use]
    pub fn write(&self, head: &Head<'_>) -> Vec<u8> {
        let mut command = Map::new();
        let mut put = |key: &str, value: Value| command.insert(key.to_owned(), value);
        put("type", self.kind().into());
        put("command_id", head.command_id.into());
        put("account_id", head.account_id.into());
        put("issued_at", head.issued_at.to_string().into());
        put("actor", head.actor.into());
        put("reason", head.reason.into());
        match self {
            Setting::LimitSet { spec, body } => {
                put("limit", limit_value(spec));
                put("body", body.clone().into());
            }
            Setting::LimitRemoved { limit_id } => {
                put("limit_id", limit_id.as_str().into());
            }
            Setting::Set { body, .. } | Setting::Removed { body, .. } => {
                put("body", body.clone().into());
            }
        }
        serde_json::to_vec(&command).expect("keys are texts")
    }

    fn kind(&self) -> String {
        match self {
            Setting::LimitSet { .. } => "limit_set".to_owned(),
            Setting::LimitRemoved { .. } => "limit_removed".to_owned(),
            Setting::Set { kind, .. } => format!("{kind}_set"),
            Setting::Removed { kind, .. } => format!("{kind}_removed"),
        }
    }
}

/// A limit as FORMATS.md writes it.
#[must_use]
pub fn limit_value(spec: &LimitSpec) -> Value {
    shown(&super::shown_lines::limit(spec))
}

fn shown(record: &impl Serialize) -> Value {
    serde_json::to_value(record).expect("our records are plain JSON")
}

/// `None` for what the fold refuses.
pub(super) fn from_json(bytes: &[u8]) -> Option<Recorded> {
    let Input::Command(command) = json(RecordKind::Command, bytes).input else { return None };
    // The fold's decoder took it, so it is an object; one that is nested deeper than serde reads
    // has nothing for us.
    let mut members: Map<String, Value> = serde_json::from_slice(bytes).unwrap_or_default();
    let mut text = |key: &str| match members.remove(key) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    };
    let (kind, actor, reason) = (text("type"), text("actor"), text("reason"));
    let issued_at = text("issued_at").and_then(|text| Millis::parse(&text).ok());
    let body = match members.remove("body") {
        Some(Value::Object(body)) => body,
        _ => Map::new(),
    };
    let (kind, issued_at) = (kind?, issued_at?);
    Some(Recorded { kind, command, issued_at, actor, reason, body })
}

pub(super) fn from_avro(plan: &Plan, bytes: &[u8]) -> Option<Recorded> {
    let Input::Command(command) = lines::decode(RecordKind::Command, plan, bytes).input else {
        return None;
    };
    let Ok(Datum::Record(fields)) = plan.read(bytes) else { return None };
    let [kind, _id, _account, issued_at, actor, reason, _limit, _limit_id, body, _at] =
        fields.as_slice()
    else {
        unreachable!("a plan gives the fields of our schema in its order");
    };
    let body = body.text().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    Some(Recorded {
        kind: kind.text()?.to_owned(),
        command,
        issued_at: issued_at.time()?,
        actor: actor.text().map(str::to_owned),
        reason: reason.text().map(str::to_owned),
        body,
    })
}

impl Recorded {
    /// What the command changes in the fold's limits.
    #[must_use]
    pub fn change(&self) -> &Change {
        &self.command.change
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::built_in;
    use crate::wire::{Decoder, Options};

    const HEAD: Head<'_> = Head {
        command_id: "c-1",
        account_id: "acme",
        issued_at: Millis(1_724_181_428_918),
        actor: "key:k1",
        reason: None,
    };

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(members) => members,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_recorded_is_read_back_by_the_fold_and_by_settings() {
        let decoder = Decoder::new(&Options::default()).expect("a decoder");
        let body = object(serde_json::json!({"id": "p1", "name": "é", "extra": [1, {"a": null}]}));
        let spec = built_in();
        for setting in [
            Setting::LimitSet { spec: spec.clone(), body: body.clone() },
            Setting::LimitRemoved { limit_id: "otp".to_owned() },
            Setting::Set { kind: "profile".to_owned(), body: body.clone() },
            Setting::Removed { kind: "profile".to_owned(), body: body.clone() },
        ] {
            let bytes = setting.write(&HEAD);
            let decoded = decoder.decode_command(&bytes).expect("no registry is asked");
            let Input::Command(command) = decoded.input else { panic!("{decoded:?}") };
            let recorded = decoder.decode_recorded(&bytes).expect("no registry is asked");
            let recorded = recorded.expect("the fold takes it");
            assert_eq!(recorded.command, command);
            assert_eq!(recorded.kind, setting.kind());
            assert_eq!(
                (recorded.issued_at, recorded.actor.as_deref()),
                (HEAD.issued_at, Some("key:k1"))
            );
            match (&setting, command.change) {
                (Setting::LimitSet { .. }, Change::LimitSet(read)) => {
                    assert_eq!((read, recorded.body), (spec.clone(), body.clone()));
                }
                (Setting::LimitRemoved { .. }, Change::LimitRemoved { limit_id }) => {
                    assert_eq!((limit_id.as_str(), recorded.body), ("otp", Map::new()));
                }
                (Setting::Set { .. } | Setting::Removed { .. }, Change::Other) => {
                    assert_eq!(recorded.body, body);
                }
                (setting, change) => panic!("{setting:?} became {change:?}"),
            }
        }
    }

    #[test]
    fn what_the_fold_refuses_changes_no_setting() {
        let decoder = Decoder::new(&Options::default()).expect("a decoder");
        let at = "2024-08-20T00:00:00Z";
        let head = format!(r#""command_id":"c","account_id":"a","issued_at":"{at}""#);
        for line in [
            "{}".to_owned(),
            format!(r#"{{"type":"limit_set",{head}}}"#),
            format!(r#"{{"type":"profile_made",{head}}}"#),
            format!(r#"{{"type":"tick","now":"{at}"}}"#),
        ] {
            assert_eq!(
                decoder.decode_recorded(line.as_bytes()).expect("no registry"),
                None,
                "{line}"
            );
        }
    }
}
