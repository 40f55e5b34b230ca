//! Thresholds crossed and limits reached, read back by those who tell people of them. Promise: the
//! fields that a notification needs, from any encoding we write; in JSON as FORMATS.md has them, so
//! that a notice can be kept beside its delivery.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::Error;
use super::avro::datum::{Datum, Unfit};
use super::avro::plan::Plan;
use super::validate;
use crate::fold::decision::Direction;
use crate::fold::limit::{Action, Amount, Bounds, Measure, Scope};
use crate::money::Money;
use crate::time::Millis;

const REACHED: &str = "limit_reached";
const CROSSED: &str = "threshold_crossed";

/// A decision of which people are told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Of the decision: the same whenever it is published (FORMATS.md, "Decisions").
    pub id: Uuid,
    pub account_id: String,
    pub limit_id: String,
    pub limit_version: u32,
    /// For a limit of each recipient or sender, with the number concerned.
    pub scope: Scope,
    pub measure: Measure,
    /// As in the command: `day`, `month`, `PT5M`.
    pub window: String,
    /// `None` for sliding windows.
    pub bounds: Option<Bounds>,
    pub what: What,
    pub configured_limit: Amount,
    /// The limit's total before the step, and after it.
    pub before: Amount,
    pub current: Amount,
    /// The time of the step.
    pub now: Millis,
    /// The offset of the command that caused it; none for other causes, and not kept.
    pub command_offset: Option<u64>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Reached {
        action: Action,
    },
    /// `highest` marks the last of a step's thresholds.
    Crossed {
        threshold: u8,
        direction: Direction,
        highest: bool,
    },
}

/// The fields of both kinds of records, as FORMATS.md names them. What a kind lacks is left out.
#[derive(Serialize, Deserialize)]
struct Fields {
    r#type: String,
    id: String,
    account_id: String,
    limit_id: String,
    limit_version: u32,
    scope: ScopeFields,
    measure: String,
    window: String,
    window_start: Option<String>,
    window_end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    highest: Option<bool>,
    configured_limit: String,
    before: String,
    current: String,
    now: String,
    #[serde(skip_serializing)]
    cause: Option<CauseFields>,
}

#[derive(Deserialize)]
struct CauseFields {
    kind: String,
    position: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ScopeFields {
    kind: String,
    id: Option<String>,
}

/// In JSON as on the topics, without the cause.
impl Serialize for Notice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Notice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Notice, D::Error> {
        Fields::deserialize(deserializer)?.read().map_err(D::Error::custom)
    }
}

pub(super) fn from_json(bytes: &[u8]) -> Result<Notice, Error> {
    serde_json::from_slice(bytes).map_err(|fault| Error::Notice(fault.to_string()))
}

/// A record of the topic of limits reached.
pub(super) fn reached_from_avro(plan: &Plan, bytes: &[u8]) -> Result<Notice, Error> {
    let fields = record(plan, bytes)?;
    let [head @ .., _arming, action, configured_limit, before, current, now, cause] =
        fields.as_slice()
    else {
        unreachable!("a plan gives the fields of our schema in its order");
    };
    let told = Fields {
        action: action.text().map(str::to_owned),
        cause: CauseFields::of(cause),
        ..Fields::from_datums(head, [configured_limit, before, current, now])?
    };
    told.read().map_err(Error::Notice)
}

/// A record of the topic of thresholds crossed.
pub(super) fn crossed_from_avro(plan: &Plan, bytes: &[u8]) -> Result<Notice, Error> {
    let fields = record(plan, bytes)?;
    let [head @ .., _arming, threshold, direction, highest, limit, before, current, now, cause] =
        fields.as_slice()
    else {
        unreachable!("a plan gives the fields of our schema in its order");
    };
    let told = Fields {
        threshold: threshold.whole().and_then(|percent| u8::try_from(percent).ok()),
        direction: direction.text().map(str::to_owned),
        highest: highest.boolean(),
        cause: CauseFields::of(cause),
        ..Fields::from_datums(head, [limit, before, current, now])?
    };
    told.read().map_err(Error::Notice)
}

fn record<'a>(plan: &Plan, bytes: &'a [u8]) -> Result<Vec<Datum<'a>>, Error> {
    match plan.read(bytes) {
        Ok(Datum::Record(fields)) => Ok(fields),
        Ok(_) => Err(Error::Notice("no record".to_owned())),
        Err(Unfit(why)) => Err(Error::Notice(*why)),
    }
}

impl CauseFields {
    fn of(datum: &Datum<'_>) -> Option<CauseFields> {
        let Datum::Record(fields) = datum else { return None };
        let [kind, _event_id, _occurred_at, _command_id, position] = fields.as_slice() else {
            unreachable!("a plan gives the fields of our schema in its order");
        };
        let position = position.text().map(str::to_owned);
        Some(CauseFields { kind: kind.text()?.to_owned(), position })
    }

    /// Behind the colon of `topic/partition:offset`.
    fn command_offset(&self) -> Option<u64> {
        let position = self.position.as_deref().filter(|_| self.kind == "command")?;
        position.rsplit_once(':')?.1.parse().ok()
    }
}

impl Fields {
    fn of(notice: &Notice) -> Fields {
        let (kind, action, crossed) = match notice.what {
            What::Reached { action } => (REACHED, Some(action.as_str().to_owned()), None),
            What::Crossed { threshold, direction, highest } => {
                (CROSSED, None, Some((threshold, direction.as_str().to_owned(), highest)))
            }
        };
        Fields {
            r#type: kind.to_owned(),
            id: notice.id.to_string(),
            account_id: notice.account_id.clone(),
            limit_id: notice.limit_id.clone(),
            limit_version: notice.limit_version,
            scope: ScopeFields {
                kind: notice.scope.kind.as_str().to_owned(),
                id: notice.scope.id.as_deref().map(str::to_owned),
            },
            measure: notice.measure.as_str().to_owned(),
            window: notice.window.clone(),
            window_start: notice.bounds.map(|bounds| bounds.start.to_string()),
            window_end: notice.bounds.map(|bounds| bounds.end.to_string()),
            action,
            threshold: crossed.as_ref().map(|(threshold, _, _)| *threshold),
            direction: crossed.as_ref().map(|(_, direction, _)| direction.clone()),
            highest: crossed.as_ref().map(|(_, _, highest)| *highest),
            configured_limit: notice.configured_limit.to_string(),
            before: notice.before.to_string(),
            current: notice.current.to_string(),
            now: notice.now.to_string(),
            cause: None,
        }
    }

    /// `head` is what both schemas begin with, `tail` three amounts and `now`.
    fn from_datums(head: &[Datum<'_>], tail: [&Datum<'_>; 4]) -> Result<Fields, Error> {
        let [kind, id, account, limit, version, scope, measure, window, start, end] = head else {
            unreachable!("a plan gives the fields of our schema in its order");
        };
        let text = |datum: &Datum<'_>, field: &str| {
            let found = datum.text().map(str::to_owned);
            found.ok_or_else(|| Error::Notice(format!("{field}: required")))
        };
        let time = |datum: &Datum<'_>, field| {
            let time = validate::time(datum.time(), field);
            let time = time.map_err(|validate::Invalid(why)| Error::Notice(why))?;
            Ok::<_, Error>(time.map(|time| time.to_string()))
        };
        let [configured_limit, before, current, now] = tail;
        let (scope_kind, scope_id) = scope.pair();
        let version = version.whole().and_then(|version| u32::try_from(version).ok());
        Ok(Fields {
            r#type: text(kind, "type")?,
            id: text(id, "id")?,
            account_id: text(account, "account_id")?,
            limit_id: text(limit, "limit_id")?,
            limit_version: version
                .ok_or_else(|| Error::Notice("limit_version: no version".to_owned()))?,
            scope: ScopeFields {
                kind: scope_kind.unwrap_or_default().to_owned(),
                id: scope_id.map(str::to_owned),
            },
            measure: text(measure, "measure")?,
            window: text(window, "window")?,
            window_start: time(start, "window_start")?,
            window_end: time(end, "window_end")?,
            action: None,
            threshold: None,
            direction: None,
            highest: None,
            configured_limit: text(configured_limit, "configured_limit")?,
            before: text(before, "before")?,
            current: text(current, "current")?,
            now: time(now, "now")?.ok_or_else(|| Error::Notice("now: required".to_owned()))?,
            cause: None,
        })
    }

    /// The values that the texts stand for, or the field that is wrong.
    fn read(self) -> Result<Notice, String> {
        let measure = validate::measure(&self.measure)
            .ok_or_else(|| format!("measure: {:?} is not known", self.measure))?;
        let amount = |field: &str, text: &str| {
            let read = match measure {
                Measure::Cost => Money::parse(text).ok().map(Amount::Cost),
                Measure::Requests | Measure::Recipients => text.parse().ok().map(Amount::Count),
            };
            read.ok_or_else(|| format!("{field}: {text:?} is no amount"))
        };
        let time = |field: &str, text: &str| {
            Millis::parse(text).map_err(|fault| format!("{field}: {text:?}: {fault}"))
        };
        let bounds = match (&self.window_start, &self.window_end) {
            (Some(start), Some(end)) => {
                Some(Bounds { start: time("window_start", start)?, end: time("window_end", end)? })
            }
            _ => None,
        };
        let kind = validate::scope_kind(&self.scope.kind)
            .ok_or_else(|| format!("scope.kind: {:?} is not known", self.scope.kind))?;
        Ok(Notice {
            id: Uuid::parse_str(&self.id).map_err(|_| format!("id: {:?} is no UUID", self.id))?,
            what: self.what()?,
            scope: Scope { kind, id: self.scope.id.map(Into::into) },
            measure,
            bounds,
            configured_limit: amount("configured_limit", &self.configured_limit)?,
            before: amount("before", &self.before)?,
            current: amount("current", &self.current)?,
            now: time("now", &self.now)?,
            command_offset: self.cause.and_then(|cause| cause.command_offset()),
            account_id: self.account_id,
            limit_id: self.limit_id,
            limit_version: self.limit_version,
            window: self.window,
        })
    }

    fn what(&self) -> Result<What, String> {
        match self.r#type.as_str() {
            REACHED => {
                let action = self.action.as_deref().ok_or("action: required")?;
                let action = validate::action(action)
                    .ok_or_else(|| format!("action: {action:?} is not known"))?;
                Ok(What::Reached { action })
            }
            CROSSED => {
                let threshold = self.threshold.ok_or("threshold: required")?;
                let direction = match self.direction.as_deref() {
                    Some("up") => Direction::Up,
                    Some("down") => Direction::Down,
                    Some(other) => return Err(format!("direction: {other:?} is not known")),
                    None => return Err("direction: required".to_owned()),
                };
                Ok(What::Crossed { threshold, direction, highest: self.highest == Some(true) })
            }
            other => Err(format!("type: {other:?} tells of no limit")),
        }
    }
}

#[cfg(test)]
mod tests;
