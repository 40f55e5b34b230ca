//! Billed events, commands and ticks as their records: what generators and the api append.
//! Promise: what is shown here decodes to the same fold type, in both encodings. It refuses the
//! commands that do not touch the fold: their own fields are not the fold's to know.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::shown::{ScopeShown, Text, Time, Usd, scope};
use crate::fold::event::{BilledEvent, Change, Command};
use crate::fold::limit::{Amount, LimitSpec};
use crate::money::{MICROS_PER_DOLLAR, Money};
use crate::time::Millis;

/// What a recorded command says beside its change.
#[derive(Clone, Copy, Debug)]
pub struct Issued<'a> {
    pub at: Millis,
    pub actor: Option<&'a str>,
    pub reason: Option<&'a str>,
    /// When it reached the log; `None` on a topic, where the record's timestamp says so.
    pub recorded_at: Option<Millis>,
}

#[derive(Serialize)]
#[serde(rename = "BilledEvent")]
pub struct BilledShown<'a> {
    r#type: &'static str,
    event_id: &'a str,
    idempotency_key: Option<&'a str>,
    account_id: &'a str,
    profile_id: Option<&'a str>,
    feature: &'a str,
    country: Option<&'a str>,
    sender: Option<&'a str>,
    recipient: Option<&'a str>,
    purpose: Option<&'a str>,
    requests: Option<i64>,
    cost: Usd,
    occurred_at: Time,
    recorded_at: Option<Time>,
}

#[derive(Serialize)]
#[serde(rename = "Command")]
pub struct CommandShown<'a> {
    r#type: &'static str,
    command_id: &'a str,
    account_id: &'a str,
    issued_at: Time,
    actor: Option<&'a str>,
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<LimitShown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_at: Option<Time>,
}

#[derive(Serialize)]
#[serde(rename = "Limit")]
pub struct LimitShown<'a> {
    limit_id: &'a str,
    scope: ScopeShown<'a>,
    measure: &'static str,
    window: &'a str,
    amount: AmountShown,
    action: Option<&'static str>,
    thresholds: Option<Percents<'a>>,
    enabled: Option<bool>,
    only: Option<OnlyShown<'a>>,
}

#[derive(Serialize)]
#[serde(rename = "Only")]
struct OnlyShown<'a> {
    purpose: Option<&'a str>,
    feature: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename = "Tick")]
pub struct TickShown {
    r#type: &'static str,
    now: Time,
}

/// Money with two decimals or more and counts as whole numbers in JSON, scale 6 for both in Avro.
struct AmountShown(Amount);

impl Serialize for AmountShown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Amount::Cost(money) => Usd(money).serialize(serializer),
            Amount::Count(count) if serializer.is_human_readable() => {
                Text(count).serialize(serializer)
            }
            Amount::Count(count) => {
                Usd(Money(i128::from(count) * MICROS_PER_DOLLAR)).serialize(serializer)
            }
        }
    }
}

struct Percents<'a>(&'a [u8]);

impl Serialize for Percents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_seq(Some(self.0.len()))?;
        self.0.iter().try_for_each(|percent| elements.serialize_element(&i64::from(*percent)))?;
        elements.end()
    }
}

pub fn billed<'a>(event: &'a BilledEvent<'_>, recorded_at: Option<Millis>) -> BilledShown<'a> {
    BilledShown {
        r#type: "billed",
        event_id: &event.event_id,
        idempotency_key: event.idempotency_key.as_deref(),
        account_id: &event.account_id,
        profile_id: event.profile_id.as_deref(),
        feature: &event.feature,
        country: event.country.as_deref(),
        sender: event.sender.as_deref(),
        recipient: event.recipient.as_deref(),
        purpose: event.purpose.as_deref(),
        requests: Some(i64::from(event.requests)),
        cost: Usd(event.cost),
        occurred_at: Time(event.occurred_at),
        recorded_at: recorded_at.map(Time),
    }
}

/// `None` for a command that does not touch the fold.
pub fn command<'a>(command: &'a Command, issued: Issued<'a>) -> Option<CommandShown<'a>> {
    let (r#type, limit_spec, limit_id) = match &command.change {
        Change::LimitSet(spec) => ("limit_set", Some(limit(spec)), None),
        Change::LimitRemoved { limit_id } => ("limit_removed", None, Some(limit_id.as_str())),
        Change::Other => return None,
    };
    Some(CommandShown {
        r#type,
        command_id: &command.command_id,
        account_id: &command.account_id,
        issued_at: Time(issued.at),
        actor: issued.actor,
        reason: issued.reason,
        limit: limit_spec,
        limit_id,
        recorded_at: issued.recorded_at.map(Time),
    })
}

pub fn limit(spec: &LimitSpec) -> LimitShown<'_> {
    LimitShown {
        limit_id: &spec.limit_id,
        scope: scope(&spec.scope),
        measure: spec.measure.as_str(),
        window: spec.window.as_str(),
        amount: AmountShown(spec.amount),
        action: Some(spec.action.as_str()),
        thresholds: Some(Percents(&spec.thresholds)),
        enabled: Some(spec.enabled),
        only: Some(OnlyShown {
            purpose: spec.only.purpose.as_deref(),
            feature: spec.only.feature.as_deref(),
        }),
    }
}

pub fn tick(now: Millis) -> TickShown {
    TickShown { r#type: "tick", now: Time(now) }
}
