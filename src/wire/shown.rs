//! Decisions and totals as their records: the names and the order of fields on FORMATS.md's page.
//! Promise: JSON and Avro come from the same structs, so that their names cannot part; only times,
//! bytes and money differ, by `is_human_readable`. Nothing is decided or left out here.

use std::fmt::Display;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::fold::Total;
use crate::fold::decision::{BlockChanged, Cause, LimitReached, Rejected, ThresholdCrossed};
use crate::fold::event::Position;
use crate::fold::limit::{Amount, Bounds, Scope};
use crate::money::{Money, Six};
use crate::time::Millis;

/// As its text, in both encodings.
#[derive(Clone, Copy)]
pub struct Text<T>(pub T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// RFC 3339 in JSON, milliseconds since the epoch in Avro.
#[derive(Clone, Copy)]
pub struct Time(pub Millis);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&self.0)
        } else {
            serializer.serialize_i64(self.0.0)
        }
    }
}

/// A decimal text in JSON, the unscaled number's bytes in Avro (scale 6).
#[derive(Clone, Copy)]
pub struct Usd(pub Money);

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(&self.0);
        }
        let bytes = self.0.0.to_be_bytes();
        // As short as the sign allows, as Java writes it.
        let spare = |pair: &&[u8]| matches!(pair, [0, 0..=0x7f] | [0xff, 0x80..=0xff]);
        let start = bytes.windows(2).take_while(spare).count();
        serializer.serialize_bytes(&bytes[start..])
    }
}

/// Base64 in JSON, the bytes themselves in Avro.
#[derive(Clone, Copy)]
pub struct Bytes<'a>(pub &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
        } else {
            serializer.serialize_bytes(self.0)
        }
    }
}

#[derive(Serialize)]
pub struct ScopeShown<'a> {
    kind: &'static str,
    id: Option<&'a str>,
}

#[derive(Default, Serialize)]
pub struct CauseShown<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Text<&'a Position>>,
}

#[derive(Serialize)]
#[serde(rename = "ThresholdCrossed")]
pub struct ThresholdCrossedShown<'a> {
    r#type: &'static str,
    id: Text<Uuid>,
    account_id: &'a str,
    limit_id: &'a str,
    limit_version: u32,
    scope: ScopeShown<'a>,
    measure: &'static str,
    window: &'a str,
    window_start: Option<Time>,
    window_end: Option<Time>,
    arming: u32,
    threshold: u8,
    direction: &'static str,
    highest: bool,
    configured_limit: Text<Amount>,
    before: Text<Amount>,
    current: Text<Amount>,
    now: Time,
    cause: CauseShown<'a>,
}

#[derive(Serialize)]
#[serde(rename = "LimitReached")]
pub struct LimitReachedShown<'a> {
    r#type: &'static str,
    id: Text<Uuid>,
    account_id: &'a str,
    limit_id: &'a str,
    limit_version: u32,
    scope: ScopeShown<'a>,
    measure: &'static str,
    window: &'a str,
    window_start: Option<Time>,
    window_end: Option<Time>,
    arming: u32,
    action: &'static str,
    configured_limit: Text<Amount>,
    before: Text<Amount>,
    current: Text<Amount>,
    now: Time,
    cause: CauseShown<'a>,
}

#[derive(Serialize)]
#[serde(rename = "BlockChanged")]
pub struct BlockChangedShown<'a> {
    r#type: &'static str,
    id: Text<Uuid>,
    block_key: &'a str,
    account_id: &'a str,
    limit_id: &'a str,
    limit_version: u32,
    scope: ScopeShown<'a>,
    measure: &'static str,
    window: &'a str,
    blocked: bool,
    blocked_until: Option<Time>,
    configured_limit: Text<Amount>,
    before: Text<Amount>,
    current: Text<Amount>,
    sequence: i64,
    now: Time,
    cause: CauseShown<'a>,
}

#[derive(Serialize)]
#[serde(rename = "Rejected")]
pub struct RejectedShown<'a> {
    r#type: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_id: Option<&'a str>,
    detail: &'a str,
    now: Option<Time>,
    position: Text<&'a Position>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "present")]
    original: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "present")]
    truncated: Option<bool>,
}

/// A value that is there or whose field is skipped, never null: Avro has no union for it.
fn present<T: Serialize, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(serializer),
        None => serializer.serialize_unit(),
    }
}

#[derive(Serialize)]
pub struct TotalShown<'a> {
    account_id: &'a str,
    scope: ScopeShown<'a>,
    window: &'static str,
    window_start: Time,
    cost: Text<Six>,
    requests: u64,
}

pub fn scope(scope: &Scope) -> ScopeShown<'_> {
    ScopeShown { kind: scope.kind.as_str(), id: scope.id.as_deref() }
}

fn cause(cause: &Cause) -> CauseShown<'_> {
    let of_event = |kind, event_id, occurred_at, position| CauseShown {
        kind,
        event_id: Some(event_id),
        occurred_at: Some(Time(occurred_at)),
        command_id: None,
        position: Some(Text(position)),
    };
    match cause {
        Cause::Event { event_id, occurred_at, position } => {
            of_event("event", event_id, *occurred_at, position)
        }
        Cause::Correction { event_id, occurred_at, position } => {
            of_event("correction", event_id, *occurred_at, position)
        }
        Cause::Command { command_id, position } => CauseShown {
            kind: "command",
            command_id: Some(command_id),
            position: Some(Text(position)),
            ..CauseShown::default()
        },
        Cause::WindowEnd => CauseShown { kind: "window_end", ..CauseShown::default() },
    }
}

fn start(bounds: Option<Bounds>) -> Option<Time> {
    bounds.map(|bounds| Time(bounds.start))
}

fn end(bounds: Option<Bounds>) -> Option<Time> {
    bounds.map(|bounds| Time(bounds.end))
}

pub fn threshold_crossed(crossed: &ThresholdCrossed) -> ThresholdCrossedShown<'_> {
    let evidence = &crossed.evidence;
    ThresholdCrossedShown {
        r#type: "threshold_crossed",
        id: Text(evidence.id),
        account_id: &evidence.account_id,
        limit_id: &evidence.limit_id,
        limit_version: evidence.limit_version,
        scope: scope(&evidence.scope),
        measure: evidence.measure.as_str(),
        window: evidence.window.as_str(),
        window_start: start(crossed.bounds),
        window_end: end(crossed.bounds),
        arming: crossed.arming,
        threshold: crossed.threshold,
        direction: crossed.direction.as_str(),
        highest: crossed.highest,
        configured_limit: Text(evidence.configured_limit),
        before: Text(evidence.before),
        current: Text(evidence.current),
        now: Time(evidence.now),
        cause: cause(&evidence.cause),
    }
}

pub fn limit_reached(reached: &LimitReached) -> LimitReachedShown<'_> {
    let evidence = &reached.evidence;
    LimitReachedShown {
        r#type: "limit_reached",
        id: Text(evidence.id),
        account_id: &evidence.account_id,
        limit_id: &evidence.limit_id,
        limit_version: evidence.limit_version,
        scope: scope(&evidence.scope),
        measure: evidence.measure.as_str(),
        window: evidence.window.as_str(),
        window_start: start(reached.bounds),
        window_end: end(reached.bounds),
        arming: reached.arming,
        action: reached.action.as_str(),
        configured_limit: Text(evidence.configured_limit),
        before: Text(evidence.before),
        current: Text(evidence.current),
        now: Time(evidence.now),
        cause: cause(&evidence.cause),
    }
}

pub fn block_changed(changed: &BlockChanged) -> BlockChangedShown<'_> {
    let evidence = &changed.evidence;
    BlockChangedShown {
        r#type: "block_changed",
        id: Text(evidence.id),
        block_key: &changed.block_key,
        account_id: &evidence.account_id,
        limit_id: &evidence.limit_id,
        limit_version: evidence.limit_version,
        scope: scope(&evidence.scope),
        measure: evidence.measure.as_str(),
        window: evidence.window.as_str(),
        blocked: changed.blocked(),
        blocked_until: changed.blocked_until.map(Time),
        configured_limit: Text(evidence.configured_limit),
        before: Text(evidence.before),
        current: Text(evidence.current),
        sequence: i64::try_from(changed.sequence).expect("nobody counts to 2^63 block records"),
        now: Time(evidence.now),
        cause: cause(&evidence.cause),
    }
}

/// The line's bytes as the dead-letter topic shows them.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The first 512 KiB; the caller cuts.
    pub bytes: &'a [u8],
    pub truncated: bool,
}

pub fn rejected<'a>(rejected: &'a Rejected, original: Option<Original<'a>>) -> RejectedShown<'a> {
    RejectedShown {
        r#type: "rejected",
        reason: rejected.reason.as_str(),
        account_id: rejected.account_id.as_deref(),
        event_id: rejected.event_id.as_deref(),
        command_id: rejected.command_id.as_deref(),
        detail: &rejected.detail,
        now: rejected.now.map(Time),
        position: Text(&rejected.position),
        original: original.map(|original| Bytes(original.bytes)),
        truncated: original.map(|original| original.truncated),
    }
}

pub fn total(total: &Total) -> TotalShown<'_> {
    TotalShown {
        account_id: &total.account_id,
        scope: scope(&total.scope),
        window: total.window.as_str(),
        window_start: Time(total.window.bounds().start),
        cost: Text(total.tally.cost.six()),
        requests: total.tally.requests,
    }
}
