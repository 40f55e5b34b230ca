//! One JSON line of a log or a topic to what the fold reads (FORMATS.md).
//! Promise: no JSON object in UTF-8 is `undecodable`, a wrong type or value is `invalid`, and each
//! names the ids that the line gives as texts. Unknown members are ignored, the last of a repeated
//! key counts, and a blank line is the caller's to skip.

use std::borrow::Cow;

use super::syntax::{SyntaxError, Value, read_array, read_fields, read_object};
use crate::fold::event::{Input, Reason, Refusal};
use crate::money::Money;
use crate::time::Millis;
use crate::wire::Decoded;
use crate::wire::raw::{RawBilled, RawCommand, RawLimit};
use crate::wire::validate::{self, Invalid};

/// Decodes one line. Never fails: what cannot be taken is `Input::Rejected`.
#[must_use]
pub fn decode_line(bytes: &[u8]) -> Decoded<'_> {
    let members = match Members::read(bytes) {
        Ok(members) => members,
        Err(detail) => return rejected(Reason::Undecodable, &Members::default(), detail),
    };
    match members.judge() {
        Ok(decoded) => decoded,
        Err(Invalid(detail)) => rejected(Reason::Invalid, &members, detail),
    }
}

fn rejected(reason: Reason, members: &Members<'_>, detail: String) -> Decoded<'static> {
    let refusal = Refusal {
        reason,
        account_id: members.value(Field::AccountId).named(),
        event_id: members.value(Field::EventId).named(),
        command_id: members.value(Field::CommandId).named(),
        detail,
    };
    Decoded { input: Input::Rejected(refusal), recorded_at: None }
}

/// The members of a line that mean something.
#[derive(Clone, Copy)]
enum Field {
    Type,
    EventId,
    IdempotencyKey,
    AccountId,
    ProfileId,
    Feature,
    Country,
    Sender,
    Recipient,
    Purpose,
    Requests,
    Cost,
    OccurredAt,
    RecordedAt,
    CommandId,
    IssuedAt,
    Actor,
    Reason,
    Limit,
    LimitId,
    Now,
}

/// Their keys, in the order of `Field` and of the lines in FORMATS.md.
const KEYS: [&str; 21] = [
    "type",
    "event_id",
    "idempotency_key",
    "account_id",
    "profile_id",
    "feature",
    "country",
    "sender",
    "recipient",
    "purpose",
    "requests",
    "cost",
    "occurred_at",
    "recorded_at",
    "command_id",
    "issued_at",
    "actor",
    "reason",
    "limit",
    "limit_id",
    "now",
];

/// Their values; each is null until it is seen.
#[derive(Default)]
struct Members<'a>([Value<'a>; KEYS.len()]);

impl<'a> Members<'a> {
    fn read(bytes: &'a [u8]) -> Result<Members<'a>, String> {
        let text = std::str::from_utf8(bytes)
            .map_err(|fault| format!("not UTF-8 from byte {}", fault.valid_up_to()))?;
        let mut members = Members::default();
        read_fields(text, &KEYS, |place, value| {
            if let Some(place) = place {
                members.0[place] = value;
            }
        })
        .map_err(no_object)?;
        Ok(members)
    }

    fn value(&self, field: Field) -> &Value<'a> {
        &self.0[field as usize]
    }

    fn judge(&self) -> Result<Decoded<'a>, Invalid> {
        match self.text(Field::Type)? {
            None | Some("billed") => validate::billed(self.billed()?),
            Some("tick") => validate::tick(self.time(Field::Now)?),
            Some(kind) => self.command(kind),
        }
    }

    fn billed(&self) -> Result<RawBilled<'a>, Invalid> {
        let text = |field| self.value(field).own_text(KEYS[field as usize]);
        Ok(RawBilled {
            event_id: text(Field::EventId)?,
            idempotency_key: text(Field::IdempotencyKey)?,
            account_id: text(Field::AccountId)?,
            profile_id: text(Field::ProfileId)?,
            feature: text(Field::Feature)?,
            country: text(Field::Country)?,
            sender: text(Field::Sender)?,
            recipient: text(Field::Recipient)?,
            purpose: text(Field::Purpose)?,
            requests: self.value(Field::Requests).whole("requests")?,
            cost: self.value(Field::Cost).money("cost")?,
            occurred_at: self.time(Field::OccurredAt)?,
            recorded_at: self.time(Field::RecordedAt)?,
        })
    }

    fn command(&self, kind: &str) -> Result<Decoded<'a>, Invalid> {
        let mut raw = RawCommand {
            kind,
            command_id: self.text(Field::CommandId)?,
            account_id: self.text(Field::AccountId)?,
            issued_at: self.time(Field::IssuedAt)?,
            recorded_at: self.time(Field::RecordedAt)?,
            actor: self.text(Field::Actor)?,
            reason: self.text(Field::Reason)?,
            limit: None,
            limit_id: None,
        };
        // `limit` and `limit_id` mean something only to these two; elsewhere they are unknown.
        match kind {
            "limit_set" => {
                let limit = LimitMembers::read(self.value(Field::Limit))?;
                raw.limit = Some(limit.raw()?);
                validate::command(&raw)
            }
            "limit_removed" => {
                raw.limit_id = self.text(Field::LimitId)?;
                validate::command(&raw)
            }
            _ => validate::command(&raw),
        }
    }

    fn text(&self, field: Field) -> Result<Option<&str>, Invalid> {
        self.value(field).text(KEYS[field as usize])
    }

    fn time(&self, field: Field) -> Result<Option<Millis>, Invalid> {
        self.value(field).time(KEYS[field as usize])
    }
}

/// The members of a `limit`, those of its `scope` and `only` beside its own.
#[derive(Default)]
struct LimitMembers<'a> {
    limit_id: Value<'a>,
    scope_kind: Value<'a>,
    scope_id: Value<'a>,
    measure: Value<'a>,
    window: Value<'a>,
    amount: Value<'a>,
    action: Value<'a>,
    thresholds: Option<Vec<i64>>,
    enabled: Value<'a>,
    only_purpose: Value<'a>,
    only_feature: Value<'a>,
}

impl<'a> LimitMembers<'a> {
    fn read(limit: &Value<'a>) -> Result<LimitMembers<'a>, Invalid> {
        let mut members = LimitMembers::default();
        let (mut scope, mut only, mut thresholds) = <(Value<'a>, Value<'a>, Value<'a>)>::default();
        limit.members("limit", |key, value| match key.as_ref() {
            "limit_id" => members.limit_id = value,
            "scope" => scope = value,
            "measure" => members.measure = value,
            "window" => members.window = value,
            "amount" => members.amount = value,
            "action" => members.action = value,
            "thresholds" => thresholds = value,
            "enabled" => members.enabled = value,
            "only" => only = value,
            _ => {}
        })?;
        scope.members("scope", |key, value| match key.as_ref() {
            "kind" => members.scope_kind = value,
            "id" => members.scope_id = value,
            _ => {}
        })?;
        only.members("only", |key, value| match key.as_ref() {
            "purpose" => members.only_purpose = value,
            "feature" => members.only_feature = value,
            _ => {}
        })?;
        members.thresholds = thresholds.wholes("thresholds")?;
        Ok(members)
    }

    fn raw(&self) -> Result<RawLimit<'_>, Invalid> {
        Ok(RawLimit {
            limit_id: self.limit_id.text("limit_id")?,
            scope_kind: self.scope_kind.text("scope.kind")?,
            scope_id: self.scope_id.text("scope.id")?,
            measure: self.measure.text("measure")?,
            window: self.window.text("window")?,
            amount: self.amount.money("amount")?,
            action: self.action.text("action")?,
            thresholds: self.thresholds.clone(),
            enabled: self.enabled.boolean("enabled")?,
            only_purpose: self.only_purpose.text("only.purpose")?,
            only_feature: self.only_feature.text("only.feature")?,
        })
    }
}

/// A value as the type that its field wants; null is `None` for all of them.
impl<'a> Value<'a> {
    /// The text of an id that a refusal names.
    fn named(&self) -> Option<String> {
        match self {
            Value::Text(text) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        }
    }

    /// An empty text is an absent one.
    pub(super) fn text(&self, field: &str) -> Result<Option<&str>, Invalid> {
        match self {
            Value::Null => Ok(None),
            Value::Text(text) if text.is_empty() => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other => wrong(field, "a string", other),
        }
    }

    /// As `text`, apart from this value.
    pub(super) fn own_text(&self, field: &str) -> Result<Option<Cow<'a, str>>, Invalid> {
        match self {
            Value::Text(text) if !text.is_empty() => Ok(Some(text.clone())),
            other => other.text(field).map(|_| None),
        }
    }

    pub(super) fn time(&self, field: &str) -> Result<Option<Millis>, Invalid> {
        let parse = |text| Millis::parse(text).map_err(|fault| spelled(field, fault));
        self.text(field)?.map(parse).transpose()
    }

    fn money(&self, field: &str) -> Result<Option<Money>, Invalid> {
        let parse = |text| Money::parse(text).map_err(|fault| spelled(field, fault));
        self.text(field)?.map(parse).transpose()
    }

    /// A number spelled without dot and exponent.
    fn whole(&self, field: &str) -> Result<Option<i64>, Invalid> {
        match self {
            Value::Null => Ok(None),
            Value::Number(digits) => match digits.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Invalid(format!("{field}: {digits} is no whole number in bounds"))),
            },
            other => wrong(field, "a whole number", other),
        }
    }

    fn boolean(&self, field: &str) -> Result<Option<bool>, Invalid> {
        match self {
            Value::Null => Ok(None),
            Value::Bool(value) => Ok(Some(*value)),
            other => wrong(field, "a boolean", other),
        }
    }

    fn wholes(&self, field: &str) -> Result<Option<Vec<i64>>, Invalid> {
        let text = match self {
            Value::Null => return Ok(None),
            Value::Array(text) => text,
            other => return wrong(field, "an array", other),
        };
        let mut elements = Vec::new();
        read_array(text, |element| elements.push(element))
            .map_err(|fault| Invalid(no_object(fault)))?;
        let required = |element: &Value<'_>| match element.whole(field)? {
            Some(number) => Ok(number),
            None => wrong(field, "a whole number", &Value::Null),
        };
        elements.iter().map(required).collect::<Result<_, _>>().map(Some)
    }

    /// Calls `member` with what an object holds; null holds nothing.
    fn members(
        &self,
        field: &str,
        member: impl FnMut(Cow<'a, str>, Value<'a>),
    ) -> Result<(), Invalid> {
        match self {
            Value::Null => Ok(()),
            Value::Object(text) => {
                read_object(text, member).map_err(|fault| Invalid(no_object(fault)))
            }
            other => wrong(field, "an object", other),
        }
    }
}

fn wrong<T>(field: &str, wanted: &str, value: &Value<'_>) -> Result<T, Invalid> {
    Err(Invalid(format!("{field}: {wanted} is wanted, not {}", value.kind())))
}

fn spelled(field: &str, fault: impl std::fmt::Display) -> Invalid {
    Invalid(format!("{field}: {fault}"))
}

pub(super) fn no_object(fault: SyntaxError) -> String {
    format!("no JSON object: {} is wanted at byte {}", fault.wanted, fault.at)
}
