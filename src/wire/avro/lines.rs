//! Avro datums of our schemas to what the fold reads, by the same rules as JSON lines. Promise:
//! bytes that do not fit the schema are `undecodable`, values that break a rule `invalid`, the
//! latter naming the ids that the record gives.

use super::datum::{Datum, Scalar, Steps, Unfit};
use super::plan::Plan;
use super::schemas;
use crate::fold::event::{Input, Reason, Refusal, Text};
use crate::money::Money;
use crate::time::Millis;
use crate::wire::Decoded;
use crate::wire::raw::{RawBilled, RawCommand, RawLimit};
use crate::wire::validate::{self, Invalid};

/// Which of our schemas a writer's is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    Billed,
    Command,
    Tick,
    /// Of the block-state topic.
    Block,
    /// Of the topic of inbound messages.
    Inbound,
    /// Of the topic of limits reached.
    Reached,
    /// Of the topic of thresholds crossed.
    Crossed,
}

impl RecordKind {
    pub const ALL: [RecordKind; 7] = [
        RecordKind::Billed,
        RecordKind::Command,
        RecordKind::Tick,
        RecordKind::Block,
        RecordKind::Inbound,
        RecordKind::Reached,
        RecordKind::Crossed,
    ];
    /// What a log holds.
    pub const LINES: [RecordKind; 3] = [RecordKind::Billed, RecordKind::Command, RecordKind::Tick];

    pub fn own(self) -> &'static schemas::OwnSchema {
        match self {
            RecordKind::Billed => &schemas::BILLED_EVENT,
            RecordKind::Command => &schemas::COMMAND,
            RecordKind::Tick => &schemas::TICK,
            RecordKind::Block => &schemas::BLOCK_CHANGED,
            RecordKind::Inbound => &schemas::INBOUND_MESSAGE,
            RecordKind::Reached => &schemas::LIMIT_REACHED,
            RecordKind::Crossed => &schemas::THRESHOLD_CROSSED,
        }
    }

    /// For people: what is wanted where this kind is.
    pub fn topic_holds(self) -> &'static str {
        match self {
            RecordKind::Billed => "billed events",
            RecordKind::Command => "commands",
            RecordKind::Tick => "ticks",
            RecordKind::Block => "block records",
            RecordKind::Inbound => "inbound messages",
            RecordKind::Reached => "limits reached",
            RecordKind::Crossed => "thresholds crossed",
        }
    }
}

/// Decodes one datum; whatever is wrong with it becomes `Input::Rejected`.
pub fn decode<'a>(kind: RecordKind, plan: &Plan, bytes: &'a [u8]) -> Decoded<'a> {
    match decode_front(kind, plan, bytes, &mut Steps::of(bytes)) {
        Ok((decoded, [])) => decoded,
        Ok((_, rest)) => {
            let over = rest.len();
            undecodable(format!("bytes do not fit the schema: {over} bytes are left over"))
        }
        Err(Unfit(why)) => undecodable(format!("bytes do not fit the schema: {why}")),
    }
}

/// Decodes the datum that `bytes` begin with; also gives what stands behind it.
pub fn decode_front<'a>(
    kind: RecordKind,
    plan: &Plan,
    bytes: &'a [u8],
    steps: &mut Steps,
) -> Result<(Decoded<'a>, &'a [u8]), Unfit> {
    if kind == RecordKind::Billed {
        return billed(plan, bytes, steps);
    }
    let (datum, rest) = plan.read_front(bytes, steps)?;
    Ok((judge(kind, datum), rest))
}

pub fn undecodable(detail: String) -> Decoded<'static> {
    rejected(Reason::Undecodable, Ids::default(), detail)
}

/// A datum that was read by a plan for `kind`, which is not `Billed`.
fn judge(kind: RecordKind, datum: Datum<'_>) -> Decoded<'_> {
    let Datum::Record(fields) = datum else {
        return undecodable("bytes do not fit the schema: no record".to_owned());
    };
    match kind {
        RecordKind::Command => command(&fields),
        RecordKind::Tick => tick(&fields),
        RecordKind::Billed
        | RecordKind::Block
        | RecordKind::Inbound
        | RecordKind::Reached
        | RecordKind::Crossed => undecodable("this is no line".to_owned()),
    }
}

/// What a refusal names.
#[derive(Clone, Copy, Default)]
struct Ids<'a> {
    account_id: Option<&'a str>,
    event_id: Option<&'a str>,
    command_id: Option<&'a str>,
}

fn rejected(reason: Reason, ids: Ids<'_>, detail: String) -> Decoded<'static> {
    let refusal = Refusal {
        reason,
        account_id: ids.account_id.map(str::to_owned),
        event_id: ids.event_id.map(str::to_owned),
        command_id: ids.command_id.map(str::to_owned),
        detail,
    };
    Decoded { input: Input::Rejected(refusal), recorded_at: None }
}

fn valid_or_rejected<'a>(ids: Ids<'_>, outcome: Result<Decoded<'a>, Invalid>) -> Decoded<'a> {
    outcome.unwrap_or_else(|Invalid(detail)| rejected(Reason::Invalid, ids, detail))
}

const ORDER: &str = "a plan gives the fields of our schema in its order";

/// The one kind that comes by the million: read straight into its fields.
fn billed<'a>(
    plan: &Plan,
    bytes: &'a [u8],
    steps: &mut Steps,
) -> Result<(Decoded<'a>, &'a [u8]), Unfit> {
    let (mut raw, mut kind) = (RawBilled::default(), None);
    let text = |field: Scalar<'a>| field.text().map(Text::Borrowed);
    let rest = plan.read_flat(bytes, steps, |at, field| match at {
        0 => kind = field.text(),
        1 => raw.event_id = text(field),
        2 => raw.idempotency_key = text(field),
        3 => raw.account_id = text(field),
        4 => raw.profile_id = text(field),
        5 => raw.feature = text(field),
        6 => raw.country = text(field),
        7 => raw.sender = text(field),
        8 => raw.recipient = text(field),
        9 => raw.purpose = text(field),
        10 => raw.requests = field.whole(),
        11 => raw.cost = field.money(),
        12 => raw.occurred_at = field.time(),
        13 => raw.recorded_at = field.time(),
        _ => unreachable!("{ORDER}"),
    })?;
    let (account_id, event_id) = (raw.account_id.clone(), raw.event_id.clone());
    let outcome = of_type(kind, "billed").and_then(|()| validate::billed(raw));
    let decoded = outcome.unwrap_or_else(|Invalid(detail)| {
        let (account_id, event_id) = (account_id.as_deref(), event_id.as_deref());
        rejected(Reason::Invalid, Ids { account_id, event_id, command_id: None }, detail)
    });
    Ok((decoded, rest))
}

fn command(fields: &[Datum<'_>]) -> Decoded<'static> {
    let [
        kind,
        command_id,
        account_id,
        issued_at,
        actor,
        reason,
        limit,
        limit_id,
        _body,
        recorded_at,
    ] = fields
    else {
        unreachable!("{ORDER}");
    };
    let raw = RawCommand {
        kind: kind.text().unwrap_or_default(),
        command_id: command_id.text(),
        account_id: account_id.text(),
        issued_at: issued_at.time(),
        recorded_at: recorded_at.time(),
        actor: actor.text(),
        reason: reason.text(),
        limit: raw_limit(limit),
        limit_id: limit_id.text(),
    };
    let ids = Ids { account_id: raw.account_id, event_id: None, command_id: raw.command_id };
    valid_or_rejected(ids, validate::command(&raw))
}

fn raw_limit<'d>(limit: &'d Datum<'_>) -> Option<RawLimit<'d>> {
    let Datum::Record(fields) = limit else {
        return None;
    };
    let [limit_id, scope, measure, window, amount, action, thresholds, enabled, only] =
        fields.as_slice()
    else {
        unreachable!("{ORDER}");
    };
    let (scope_kind, scope_id) = scope.pair();
    let (only_purpose, only_feature) = only.pair();
    Some(RawLimit {
        limit_id: limit_id.text(),
        scope_kind,
        scope_id,
        measure: measure.text(),
        window: window.text(),
        amount: amount.money(),
        action: action.text(),
        thresholds: thresholds.wholes(),
        enabled: enabled.boolean(),
        only_purpose,
        only_feature,
    })
}

fn tick(fields: &[Datum<'_>]) -> Decoded<'static> {
    let [kind, now] = fields else {
        unreachable!("{ORDER}");
    };
    let outcome = of_type(kind.text(), "tick").and_then(|()| validate::tick(now.time()));
    valid_or_rejected(Ids::default(), outcome)
}

/// An absent type is the schema's own.
fn of_type(kind: Option<&str>, own: &str) -> Result<(), Invalid> {
    match kind {
        None => Ok(()),
        Some(kind) if kind == own => Ok(()),
        Some(kind) => Err(Invalid(format!("type: {kind:?} in a record of {own}"))),
    }
}

/// A plan gives each field the type of our schema or null, so nothing else has to be told apart.
impl<'a> Scalar<'a> {
    /// An empty text is an absent one.
    fn text(self) -> Option<&'a str> {
        match self {
            Scalar::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn whole(self) -> Option<i64> {
        match self {
            Scalar::Whole(number) => Some(number),
            _ => None,
        }
    }

    fn boolean(self) -> Option<bool> {
        match self {
            Scalar::Bool(value) => Some(value),
            _ => None,
        }
    }

    fn money(self) -> Option<Money> {
        match self {
            Scalar::Money(money) => Some(money),
            _ => None,
        }
    }

    fn time(self) -> Option<Millis> {
        match self {
            Scalar::Time(time) => Some(time),
            _ => None,
        }
    }
}

impl<'a> Datum<'a> {
    /// Null for what holds others.
    fn scalar(&self) -> Scalar<'a> {
        match self {
            Datum::Scalar(scalar) => *scalar,
            Datum::Array(_) | Datum::Record(_) => Scalar::Null,
        }
    }

    pub fn text(&self) -> Option<&'a str> {
        self.scalar().text()
    }

    pub fn whole(&self) -> Option<i64> {
        self.scalar().whole()
    }

    pub fn boolean(&self) -> Option<bool> {
        self.scalar().boolean()
    }

    pub fn money(&self) -> Option<Money> {
        self.scalar().money()
    }

    pub fn time(&self) -> Option<Millis> {
        self.scalar().time()
    }

    fn wholes(&self) -> Option<Vec<i64>> {
        match self {
            Datum::Array(elements) => Some(elements.iter().filter_map(Datum::whole).collect()),
            _ => None,
        }
    }

    /// The texts of a record of two.
    pub fn pair(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Datum::Record(fields) => match fields.as_slice() {
                [first, second] => (first.text(), second.text()),
                _ => unreachable!("{ORDER}"),
            },
            _ => (None, None),
        }
    }
}
