//! The rules of FORMATS.md that show without the state, on lines of either encoding.
//! Promise: what comes out is a valid fold type; what does not, says in words which rule it broke.
//! It refuses to know how a field was spelled in bytes: that is the decoders' part.

use compact_str::CompactString;

use super::Decoded;
use super::inbound::Inbound;
use super::raw::{RawBilled, RawCommand, RawInbound, RawLimit};
use super::window::sliding_period_ms;
use crate::fold::event::{BilledEvent, Change, Command, Input, Text};
use crate::fold::limit::{
    Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window, is_listed,
};
use crate::money::{self, MICROS_PER_DOLLAR, Money};
use crate::time::{self, Millis};

/// Code points in a text.
const TEXT_MAX: usize = 128;
/// Code points in a command's reason.
const REASON_MAX: usize = 1024;
/// Characters in a limit_id.
const LIMIT_ID_MAX: usize = 64;
/// Requests of one event.
const REQUESTS_MAX: u32 = 1_000_000_000;
/// Amount of a sliding limit (the fold keeps that many times per group).
const SLIDING_AMOUNT_MAX: u64 = 1000;
/// Thresholds of a limit.
const THRESHOLDS_MAX: usize = 10;
/// Percents at which a limit warns if it does not say.
const THRESHOLDS_DEFAULT: [u8; 4] = [50, 75, 90, 100];

/// The rule that a line broke, in words.
#[derive(Debug)]
pub struct Invalid(pub String);

fn broken<T>(rule: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid(rule.into()))
}

/// A billed event (evaluation 2, "valid").
pub fn billed(raw: RawBilled<'_>) -> Result<Decoded<'_>, Invalid> {
    let cost = required(raw.cost, "cost")?;
    if cost.0.unsigned_abs() >= money::LIMIT.0.unsigned_abs() {
        return broken("cost: 10^12 USD or more");
    }
    let occurred_at = in_range(required(raw.occurred_at, "occurred_at")?, "occurred_at")?;
    let recorded_at = time(raw.recorded_at, "recorded_at")?.unwrap_or(occurred_at);
    let event = BilledEvent {
        event_id: required(short(raw.event_id, "event_id")?, "event_id")?,
        idempotency_key: short(raw.idempotency_key, "idempotency_key")?,
        account_id: required(short(raw.account_id, "account_id")?, "account_id")?,
        profile_id: short(raw.profile_id, "profile_id")?,
        feature: feature(required(raw.feature, "feature")?, "feature")?,
        country: raw.country.map(|id| country(id, "country")).transpose()?,
        sender: short(raw.sender, "sender")?,
        recipient: short(raw.recipient, "recipient")?,
        purpose: short(raw.purpose, "purpose")?,
        requests: requests(raw.requests, cost)?,
        cost,
        occurred_at,
    };
    Ok(Decoded { input: Input::Billed(event), recorded_at: Some(recorded_at) })
}

/// An inbound message: all of its fields are required.
pub fn inbound(raw: RawInbound<'_>) -> Result<Inbound<'_>, Invalid> {
    let needed = |value, field| required(short(value, field)?, field);
    Ok(Inbound {
        account_id: needed(raw.account_id, "account_id")?,
        feature: feature(required(raw.feature, "feature")?, "feature")?,
        sender: needed(raw.sender, "sender")?,
        recipient: needed(raw.recipient, "recipient")?,
        received_at: in_range(required(raw.received_at, "received_at")?, "received_at")?,
    })
}

/// A command: the head, and for the two that touch the fold what they say about a limit.
pub fn command(raw: &RawCommand<'_>) -> Result<Decoded<'static>, Invalid> {
    let issued_at = in_range(required(raw.issued_at, "issued_at")?, "issued_at")?;
    let recorded_at = time(raw.recorded_at, "recorded_at")?.unwrap_or(issued_at);
    bounded(raw.actor, "actor", TEXT_MAX)?;
    bounded(raw.reason, "reason", REASON_MAX)?;
    let command_id = required_text(raw.command_id, "command_id")?;
    let account_id = required_text(raw.account_id, "account_id")?;
    let change = match raw.kind {
        "limit_set" => Change::LimitSet(limit(required(raw.limit.as_ref(), "limit")?)?),
        "limit_removed" => Change::LimitRemoved { limit_id: limit_id(raw.limit_id)? },
        other if is_command_type(other) => Change::Other,
        other => return broken(format!("type: {other:?} is not known")),
    };
    let command = Command { command_id, account_id, change };
    Ok(Decoded { input: Input::Command(command), recorded_at: Some(recorded_at) })
}

/// A tick: it only names a time.
pub fn tick(now: Option<Millis>) -> Result<Decoded<'static>, Invalid> {
    let now = in_range(required(now, "now")?, "now")?;
    Ok(Decoded { input: Input::Tick, recorded_at: Some(now) })
}

/// Whether a type is a command's: a lower-case word ending in `_set` or `_removed`.
fn is_command_type(kind: &str) -> bool {
    let ends = kind.ends_with("_set") || kind.ends_with("_removed");
    ends && is_lower_case_word(kind) && kind.len() <= TEXT_MAX
}

fn limit(raw: &RawLimit<'_>) -> Result<LimitSpec, Invalid> {
    let limit_id = limit_id(raw.limit_id)?;
    let scope = scope(required(raw.scope_kind, "scope.kind")?, raw.scope_id)?;
    let spelled = required(raw.measure, "measure")?;
    let Some(measure) = measure(spelled) else {
        return broken(format!("measure: {spelled:?} is not known"));
    };
    let window = window(required(raw.window, "window")?)?;
    let only = Only {
        purpose: text(raw.only_purpose, "only.purpose")?,
        feature: text(raw.only_feature, "only.feature")?,
    };
    in_table(&scope, measure, &window, &only)?;
    let amount = amount(required(raw.amount, "amount")?, measure, &window)?;
    let spelled = raw.action.unwrap_or(Action::Alert.as_str());
    let Some(action) = action(spelled) else {
        return broken(format!("action: {spelled:?} is neither alert nor block"));
    };
    let thresholds = thresholds(raw.thresholds.as_deref(), scope.kind)?;
    let enabled = raw.enabled.unwrap_or(true);
    Ok(LimitSpec { limit_id, scope, measure, window, amount, action, thresholds, enabled, only })
}

/// A scope whose id an event could carry.
fn scope(kind: &str, id: Option<&str>) -> Result<Scope, Invalid> {
    const ID: &str = "scope.id";
    let Some(kind) = scope_kind(kind) else {
        return broken(format!("scope.kind: {kind:?} is not known"));
    };
    let id = match kind {
        ScopeKind::Account if id.is_some() => {
            return broken("scope.id: an account scope has none");
        }
        ScopeKind::Account => None,
        ScopeKind::Feature => Some(feature(required(id, ID)?.into(), ID)?.into()),
        ScopeKind::Profile => Some(required_text(id, ID)?),
        ScopeKind::Country => Some(country(required(id, ID)?.into(), ID)?.into()),
        ScopeKind::Recipient | ScopeKind::Sender => text(id, ID)?,
    };
    Ok(Scope { kind, id })
}

/// The kind that a record spells out.
pub fn scope_kind(kind: &str) -> Option<ScopeKind> {
    Some(match kind {
        "account" => ScopeKind::Account,
        "feature" => ScopeKind::Feature,
        "profile" => ScopeKind::Profile,
        "country" => ScopeKind::Country,
        "recipient" => ScopeKind::Recipient,
        "sender" => ScopeKind::Sender,
        _ => return None,
    })
}

/// The measure that a record spells out.
pub fn measure(measure: &str) -> Option<Measure> {
    [Measure::Cost, Measure::Requests, Measure::Recipients]
        .into_iter()
        .find(|known| known.as_str() == measure)
}

/// The action that a record spells out.
pub fn action(action: &str) -> Option<Action> {
    [Action::Alert, Action::Block].into_iter().find(|known| known.as_str() == action)
}

fn window(text: &str) -> Result<Window, Invalid> {
    match text {
        "day" => Ok(Window::Day),
        "month" => Ok(Window::Month),
        _ => {
            bounded(Some(text), "window", TEXT_MAX)?;
            match sliding_period_ms(text) {
                Some(period_ms) => Ok(Window::Sliding { period_ms, text: text.into() }),
                None => broken("window: neither day, month nor a period of PT1S to PT24H"),
            }
        }
    }
}

/// Which scope takes which measure, window and `only`.
fn in_table(scope: &Scope, measure: Measure, window: &Window, only: &Only) -> Result<(), Invalid> {
    let of_a_number = matches!(scope.kind, ScopeKind::Recipient | ScopeKind::Sender);
    if !of_a_number && *only != Only::default() {
        return broken("only: for recipient and sender limits alone");
    }
    if is_listed(scope, measure, window, only) {
        return Ok(());
    }
    let (kind, measure, window) = (scope.kind.as_str(), measure.as_str(), window.as_str());
    broken(format!("no such limit: a {kind}'s {measure} by {window}"))
}

fn amount(value: Money, measure: Measure, window: &Window) -> Result<Amount, Invalid> {
    if value <= Money::ZERO || value >= money::LIMIT {
        return broken("amount: not above 0 and below 10^12");
    }
    if measure == Measure::Cost {
        return Ok(Amount::Cost(value));
    }
    if value.0 % MICROS_PER_DOLLAR != 0 {
        return broken("amount: a count must be whole");
    }
    let count = u64::try_from(value.0 / MICROS_PER_DOLLAR).expect("above 0 and below 10^12");
    if matches!(window, Window::Sliding { .. }) && count > SLIDING_AMOUNT_MAX {
        return broken("amount: above 1,000 in a sliding window");
    }
    Ok(Amount::Count(count))
}

fn thresholds(percents: Option<&[i64]>, kind: ScopeKind) -> Result<Vec<u8>, Invalid> {
    let Some(percents) = percents else {
        return Ok(match kind {
            ScopeKind::Recipient | ScopeKind::Sender => Vec::new(),
            ScopeKind::Account | ScopeKind::Feature | ScopeKind::Profile | ScopeKind::Country => {
                THRESHOLDS_DEFAULT.to_vec()
            }
        });
    };
    let rising = percents.windows(2).all(|pair| pair[0] < pair[1]);
    if percents.len() > THRESHOLDS_MAX || !rising {
        return broken("thresholds: at most 10, strictly rising");
    }
    let whole = |percent: &i64| u8::try_from(*percent).ok().filter(|it| (1..=100).contains(it));
    match percents.iter().map(whole).collect() {
        Some(percents) => Ok(percents),
        None => broken("thresholds: whole percents in 1..=100"),
    }
}

fn requests(count: Option<i64>, cost: Money) -> Result<u32, Invalid> {
    let Some(count) = count else {
        return Ok(u32::from(cost >= Money::ZERO));
    };
    match u32::try_from(count) {
        Ok(count) if count <= REQUESTS_MAX => Ok(count),
        _ => broken("requests: outside 0..=10^9"),
    }
}

fn limit_id(id: Option<&str>) -> Result<CompactString, Invalid> {
    let id = required(id, "limit_id")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if id.len() > LIMIT_ID_MAX || !id.bytes().all(plain) {
        return broken("limit_id: 1 to 64 characters of A-Z a-z 0-9 . _ -");
    }
    Ok(id.into())
}

fn feature<'a>(word: Text<'a>, field: &str) -> Result<Text<'a>, Invalid> {
    if word.len() > TEXT_MAX || !is_lower_case_word(&word) {
        return broken(format!("{field}: not a lower-case word of at most {TEXT_MAX} characters"));
    }
    Ok(word)
}

/// `[a-z][a-z0-9_]*`
fn is_lower_case_word(word: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    word.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && word.bytes().all(inner)
}

fn country<'a>(mut id: Text<'a>, field: &str) -> Result<Text<'a>, Invalid> {
    if id.len() != 2 || !id.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return broken(format!("{field}: not two letters"));
    }
    if id.bytes().any(|byte| byte.is_ascii_lowercase()) {
        id.to_mut().make_ascii_uppercase();
    }
    Ok(id)
}

fn required<T>(value: Option<T>, field: &str) -> Result<T, Invalid> {
    match value {
        Some(value) => Ok(value),
        None => broken(format!("{field}: required")),
    }
}

fn required_text(value: Option<&str>, field: &str) -> Result<CompactString, Invalid> {
    bounded(value, field, TEXT_MAX)?;
    required(value, field).map(CompactString::from)
}

fn text(value: Option<&str>, field: &str) -> Result<Option<CompactString>, Invalid> {
    bounded(value, field, TEXT_MAX)?;
    Ok(value.map(CompactString::from))
}

/// As `text`, of what an event carries.
fn short<'a>(value: Option<Text<'a>>, field: &str) -> Result<Option<Text<'a>>, Invalid> {
    bounded(value.as_deref(), field, TEXT_MAX)?;
    Ok(value)
}

/// At most `most` code points. Bytes are counted first: there are never fewer of them.
fn bounded(value: Option<&str>, field: &str, most: usize) -> Result<(), Invalid> {
    match value {
        Some(value) if value.len() > most && value.chars().count() > most => {
            broken(format!("{field}: longer than {most} characters"))
        }
        _ => Ok(()),
    }
}

/// A time that may be left out.
pub fn time(time: Option<Millis>, field: &str) -> Result<Option<Millis>, Invalid> {
    time.map(|time| in_range(time, field)).transpose()
}

fn in_range(time: Millis, field: &str) -> Result<Millis, Invalid> {
    if time.in_range() { Ok(time) } else { broken(format!("{field}: {}", time::Error::Range)) }
}
