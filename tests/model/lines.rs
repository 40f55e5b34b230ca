//! From the bytes of one line to an event, a command or a tick of the model, or to the reason
//! why it is none. Everything that can be judged without state is judged here; nothing is
//! trimmed, repaired or guessed.

use super::json::{Json, Object};
use super::times;

/// One rule of the page is broken; which one does not matter to the model.
#[derive(Debug)]
pub struct Broken;

type Judged<T> = Result<T, Broken>;

#[derive(Clone, Debug)]
pub struct Event {
    pub event_id: String,
    pub key: Option<String>,
    pub profile: Option<String>,
    pub feature: String,
    pub country: Option<String>,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    pub purpose: Option<String>,
    pub requests: i128,
    /// Micro-dollars.
    pub cost: i128,
    pub occurred_at: i64,
    /// The UTC day and month that hold it.
    pub day: (i64, i64),
    pub month: (i64, i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    Day,
    Month,
    Sliding(i64),
}

#[derive(Clone, Debug)]
pub struct Limit {
    pub id: String,
    pub kind: String,
    pub scope_id: Option<String>,
    pub measure: String,
    pub window: Window,
    /// As the command spelled it.
    pub window_text: String,
    /// Micro-dollars for cost, else a count.
    pub amount: i128,
    pub action: String,
    pub thresholds: Vec<u8>,
    pub enabled: bool,
    pub only_purpose: Option<String>,
    pub only_feature: Option<String>,
}

#[derive(Debug)]
pub enum Command {
    Set(Box<Limit>),
    Removed(String),
    Other,
}

#[derive(Debug)]
pub enum Line {
    Event { account: String, event: Box<Event>, recorded_at: i64 },
    Command { account: String, command_id: String, command: Command, recorded_at: i64 },
    Tick(i64),
}

impl Line {
    pub fn moves_to(&self) -> i64 {
        match self {
            Line::Event { recorded_at, .. } | Line::Command { recorded_at, .. } => *recorded_at,
            Line::Tick(now) => *now,
        }
    }
}

/// What a decodable line says.
pub fn read(o: &Object) -> Judged<Line> {
    let kind = match text(o, "type", 128)? {
        None => return read_event(o),
        Some(kind) => kind,
    };
    match kind.as_str() {
        "billed" => read_event(o),
        "tick" => Ok(Line::Tick(required(instant(o, "now")?)?)),
        other if word(other) && (other.ends_with("_set") || other.ends_with("_removed")) => {
            read_command(o, other)
        }
        _ => Err(Broken),
    }
}

fn read_event(o: &Object) -> Judged<Line> {
    let account = required(text(o, "account_id", 128)?)?;
    let feature = required(text(o, "feature", 128)?)?;
    if !word(&feature) {
        return Err(Broken);
    }
    let cost = required(text(o, "cost", usize::MAX)?)?;
    let cost = match cost.strip_prefix('-') {
        Some(positive) => -micros(positive)?,
        None => micros(&cost)?,
    };
    if cost.abs() >= 10i128.pow(18) {
        return Err(Broken);
    }
    let requests = match given(o, "requests") {
        None if cost < 0 => 0,
        None => 1,
        Some(value) => whole(value, 0, 1_000_000_000)?,
    };
    let occurred_at = required(instant(o, "occurred_at")?)?;
    let event = Event {
        event_id: required(text(o, "event_id", 128)?)?,
        key: text(o, "idempotency_key", 128)?,
        profile: text(o, "profile_id", 128)?,
        feature,
        country: text(o, "country", 128)?.map(|c| country(&c)).transpose()?,
        sender: text(o, "sender", 128)?,
        recipient: text(o, "recipient", 128)?,
        purpose: text(o, "purpose", 128)?,
        requests,
        cost,
        occurred_at,
        day: times::day(occurred_at),
        month: times::month(occurred_at),
    };
    let recorded_at = instant(o, "recorded_at")?.unwrap_or(occurred_at);
    Ok(Line::Event { account, event: Box::new(event), recorded_at })
}

fn read_command(o: &Object, kind: &str) -> Judged<Line> {
    let command_id = required(text(o, "command_id", 128)?)?;
    let account = required(text(o, "account_id", 128)?)?;
    let issued_at = required(instant(o, "issued_at")?)?;
    text(o, "actor", 128)?;
    text(o, "reason", 1024)?;
    let recorded_at = instant(o, "recorded_at")?.unwrap_or(issued_at);
    let command = match kind {
        "limit_set" => Command::Set(Box::new(read_limit(required(object(o, "limit")?)?)?)),
        "limit_removed" => Command::Removed(limit_id(o)?),
        _ => Command::Other,
    };
    Ok(Line::Command { account, command_id, command, recorded_at })
}

fn read_limit(o: &Object) -> Judged<Limit> {
    let scope = required(object(o, "scope")?)?;
    let kind = required(text(scope, "kind", usize::MAX)?)?;
    let mut scope_id = text(scope, "id", 128)?;
    let measure = required(text(o, "measure", usize::MAX)?)?;
    let window_text = required(text(o, "window", 128)?)?;
    let window = match window_text.as_str() {
        "day" => Window::Day,
        "month" => Window::Month,
        sliding => Window::Sliding(period(sliding)?),
    };
    let (only_purpose, only_feature) = match object(o, "only")? {
        None => (None, None),
        Some(only) => (text(only, "purpose", 128)?, text(only, "feature", 128)?),
    };
    let calendar = matches!(window, Window::Day | Window::Month);
    let money_or_count = calendar && matches!(measure.as_str(), "cost" | "requests");
    let unfiltered = only_purpose.is_none() && only_feature.is_none();
    let numbers = matches!(kind.as_str(), "recipient" | "sender");
    let in_table = match kind.as_str() {
        "account" => scope_id.is_none() && money_or_count && unfiltered,
        "feature" | "profile" | "country" => scope_id.is_some() && money_or_count && unfiltered,
        "recipient" => !calendar && measure == "requests",
        "sender" => {
            (!calendar && measure == "requests")
                || (window == Window::Day && measure == "recipients")
        }
        _ => false,
    };
    if !in_table {
        return Err(Broken);
    }
    if kind == "feature" && !scope_id.as_deref().is_some_and(word) {
        return Err(Broken);
    }
    if kind == "country" {
        scope_id = scope_id.map(|id| country(&id)).transpose()?;
    }
    Ok(Limit {
        id: limit_id(o)?,
        amount: amount(o, &measure, calendar)?,
        action: action(o)?,
        thresholds: thresholds(o, numbers)?,
        enabled: enabled(o)?,
        kind,
        scope_id,
        measure,
        window,
        window_text,
        only_purpose,
        only_feature,
    })
}

fn amount(o: &Object, measure: &str, calendar: bool) -> Judged<i128> {
    let micro = micros(&required(text(o, "amount", usize::MAX)?)?)?;
    if micro <= 0 || micro >= 10i128.pow(18) {
        return Err(Broken);
    }
    if measure == "cost" {
        return Ok(micro);
    }
    let count = micro / 1_000_000;
    if micro % 1_000_000 != 0 || (!calendar && count > 1000) {
        return Err(Broken);
    }
    Ok(count)
}

fn action(o: &Object) -> Judged<String> {
    match text(o, "action", usize::MAX)? {
        None => Ok("alert".to_owned()),
        Some(action) if action == "alert" || action == "block" => Ok(action),
        Some(_) => Err(Broken),
    }
}

fn enabled(o: &Object) -> Judged<bool> {
    match given(o, "enabled") {
        None => Ok(true),
        Some(Json::Bool(enabled)) => Ok(*enabled),
        Some(_) => Err(Broken),
    }
}

fn thresholds(o: &Object, numbers: bool) -> Judged<Vec<u8>> {
    let list = match given(o, "thresholds") {
        None if numbers => return Ok(Vec::new()),
        None => return Ok(vec![50, 75, 90, 100]),
        Some(Json::List(list)) => list,
        Some(_) => return Err(Broken),
    };
    let mut percents: Vec<u8> = Vec::new();
    for value in list {
        let percent = whole(value, 1, 100)? as u8;
        if percents.last().is_some_and(|last| *last >= percent) {
            return Err(Broken);
        }
        percents.push(percent);
    }
    if percents.len() > 10 { Err(Broken) } else { Ok(percents) }
}

fn limit_id(o: &Object) -> Judged<String> {
    let id = required(text(o, "limit_id", 64)?)?;
    let fits = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if fits { Ok(id) } else { Err(Broken) }
}

/// The value of a key that is there and not null.
fn given<'a>(o: &'a Object, key: &str) -> Option<&'a Json> {
    o.get(key).filter(|value| !matches!(value, Json::Null))
}

/// A string of at most `max` code points; null, left out and "" are none.
fn text(o: &Object, key: &str, max: usize) -> Judged<Option<String>> {
    match given(o, key) {
        None => Ok(None),
        Some(Json::Text(s)) if s.is_empty() => Ok(None),
        Some(Json::Text(s)) if s.chars().count() <= max => Ok(Some(s.clone())),
        Some(_) => Err(Broken),
    }
}

fn object<'a>(o: &'a Object, key: &str) -> Judged<Option<&'a Object>> {
    match given(o, key) {
        None => Ok(None),
        Some(Json::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(Broken),
    }
}

fn instant(o: &Object, key: &str) -> Judged<Option<i64>> {
    text(o, key, usize::MAX)?.map(|t| times::parse(&t).ok_or(Broken)).transpose()
}

/// A whole number, written without fraction and exponent.
fn whole(value: &Json, least: i128, most: i128) -> Judged<i128> {
    match value {
        Json::Number(digits) => match digits.parse() {
            Ok(n) if least <= n && n <= most => Ok(n),
            _ => Err(Broken),
        },
        _ => Err(Broken),
    }
}

fn required<T>(value: Option<T>) -> Judged<T> {
    value.ok_or(Broken)
}

fn word(s: &str) -> bool {
    s.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn country(s: &str) -> Judged<String> {
    if s.len() == 2 && s.bytes().all(|b| b.is_ascii_alphabetic()) {
        Ok(s.to_ascii_uppercase())
    } else {
        Err(Broken)
    }
}

/// Digits, or digits with a dot and one to six more, in millionths; at least 10^18 if too many.
fn micros(s: &str) -> Judged<i128> {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = match s.split_once('.') {
        None => (s, "0"),
        Some(parts) => parts,
    };
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return Err(Broken);
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > 12 {
        return Ok(10i128.pow(18));
    }
    format!("{whole}{fraction:0<6}").parse().map_err(|_| Broken)
}

/// Milliseconds of PTnHnMnS, from one second to a day.
fn period(s: &str) -> Judged<i64> {
    let mut rest = s.strip_prefix("PT").ok_or(Broken)?;
    let mut total: i64 = 0;
    let mut parts = 0;
    for (unit, length) in [('H', times::HOUR), ('M', times::MINUTE), ('S', 1000)] {
        if let Some((count, after)) = rest.split_once(unit) {
            if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Broken);
            }
            // More than a day is refused in any unit, so a huge count may stand for itself.
            let count = count.parse::<i64>().unwrap_or(i64::MAX).min(100_000);
            total += count * length;
            parts += 1;
            rest = after;
        }
    }
    if parts == 0 || !rest.is_empty() || !(1000..=times::DAY).contains(&total) {
        return Err(Broken);
    }
    Ok(total)
}
