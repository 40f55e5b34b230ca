//! Records of the block-state topic, read back: by the owner, to know the last sequence of each
//! key, and by the gate. Promise: the fields that either needs, from any encoding we write.

use serde::Deserialize;

use super::Error;
use super::avro::datum::{Datum, Unfit};
use super::avro::plan::Plan;
use super::validate;
use crate::fold::limit::Scope;
use crate::time::Millis;

/// The state of one block as its last record tells it (L6).
#[derive(Clone, Debug, PartialEq)]
pub struct BlockSeen {
    pub block_key: String,
    pub account_id: String,
    pub limit_id: String,
    pub limit_version: u32,
    pub scope: Scope,
    /// As in the command: `cost`, `requests`, `recipients`.
    pub measure: String,
    /// As in the command: `day`, `month`, `PT5M`.
    pub window: String,
    pub blocked: bool,
    /// `None` once lifted.
    pub blocked_until: Option<Millis>,
    pub configured_limit: String,
    pub before: String,
    pub current: String,
    /// Rises by 1 with each block record of the account, from 1.
    pub sequence: u64,
    pub now: Millis,
}

#[derive(Deserialize)]
struct BlockJson {
    block_key: String,
    account_id: String,
    limit_id: String,
    limit_version: u32,
    scope: ScopeJson,
    measure: String,
    window: String,
    blocked: bool,
    blocked_until: Option<String>,
    configured_limit: String,
    before: String,
    current: String,
    sequence: u64,
    now: String,
}

#[derive(Deserialize)]
struct ScopeJson {
    kind: String,
    id: Option<String>,
}

pub(super) fn from_json(bytes: &[u8]) -> Result<BlockSeen, Error> {
    let json: BlockJson =
        serde_json::from_slice(bytes).map_err(|fault| Error::BlockState(fault.to_string()))?;
    let time = |text: &str| {
        Millis::parse(text).map_err(|fault| Error::BlockState(format!("{text}: {fault}")))
    };
    Ok(BlockSeen {
        scope: scope(&json.scope.kind, json.scope.id.as_deref())?,
        blocked_until: json.blocked_until.as_deref().map(time).transpose()?,
        now: time(&json.now)?,
        block_key: json.block_key,
        account_id: json.account_id,
        limit_id: json.limit_id,
        limit_version: json.limit_version,
        measure: json.measure,
        window: json.window,
        blocked: json.blocked,
        configured_limit: json.configured_limit,
        before: json.before,
        current: json.current,
        sequence: json.sequence,
    })
}

pub(super) fn from_avro(plan: &Plan, bytes: &[u8]) -> Result<BlockSeen, Error> {
    let datum = plan.read(bytes).map_err(|Unfit(why)| Error::BlockState(*why))?;
    let Datum::Record(fields) = &datum else {
        return Err(Error::BlockState("no record".to_owned()));
    };
    let [
        _kind,
        _id,
        block_key,
        account_id,
        limit_id,
        limit_version,
        scope_named,
        measure,
        window,
        blocked,
        blocked_until,
        configured_limit,
        before,
        current,
        sequence,
        now,
        _cause,
    ] = fields.as_slice()
    else {
        unreachable!("a plan gives the fields of our schema in its order");
    };
    let count = |datum: &Datum<'_>| datum.whole().and_then(|count| u64::try_from(count).ok());
    let version = count(limit_version).and_then(|version| u32::try_from(version).ok());
    let (kind, id) = scope_named.pair();
    let time = |datum: &Datum<'_>, field| {
        let time = validate::time(datum.time(), field);
        time.map_err(|validate::Invalid(why)| Error::BlockState(why))
    };
    Ok(BlockSeen {
        block_key: text(block_key, "block_key")?,
        account_id: text(account_id, "account_id")?,
        limit_id: text(limit_id, "limit_id")?,
        limit_version: present(version, "limit_version")?,
        scope: scope(kind.unwrap_or_default(), id)?,
        measure: text(measure, "measure")?,
        window: text(window, "window")?,
        blocked: present(blocked.boolean(), "blocked")?,
        blocked_until: time(blocked_until, "blocked_until")?,
        configured_limit: text(configured_limit, "configured_limit")?,
        before: text(before, "before")?,
        current: text(current, "current")?,
        sequence: present(count(sequence), "sequence")?,
        now: present(time(now, "now")?, "now")?,
    })
}

fn text(datum: &Datum<'_>, field: &str) -> Result<String, Error> {
    present(datum.text(), field).map(str::to_owned)
}

fn present<T>(value: Option<T>, field: &str) -> Result<T, Error> {
    value.ok_or_else(|| Error::BlockState(format!("{field}: required")))
}

fn scope(kind: &str, id: Option<&str>) -> Result<Scope, Error> {
    match validate::scope_kind(kind) {
        Some(kind) => Ok(Scope { kind, id: id.map(Into::into) }),
        None => Err(Error::BlockState(format!("scope.kind: {kind:?} is not known"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::decision::{BlockChanged, Cause, Decision, Evidence};
    use crate::fold::limit::{Amount, Measure, ScopeKind, Window};
    use crate::money::Money;
    use crate::wire::{Decoder, Encoder, Options, OutputFormat, Topics};

    #[test]
    fn times_beyond_the_calendar_are_refused_with_the_field() {
        let decoder = Decoder::new(&Options::default()).expect("a decoder");
        let encoder = Encoder::new(OutputFormat::AvroSingle, Topics::default(), None);
        let encoder = encoder.expect("an encoder");
        let (now, far) = (Millis(1_724_181_428_918), Millis(i64::MAX));
        for (now, until, field) in
            [(now, now, None), (far, now, Some("now")), (now, far, Some("blocked_until"))]
        {
            let evidence = Evidence {
                id: uuid::Uuid::from_u128(7),
                account_id: "acme".into(),
                limit_id: "limit_7".into(),
                limit_version: 3,
                scope: Scope { kind: ScopeKind::Account, id: None },
                measure: Measure::Cost,
                window: Window::Day,
                configured_limit: Amount::Cost(Money(10_000_000)),
                before: Amount::Cost(Money(9_980_000)),
                current: Amount::Cost(Money(10_000_000)),
                now,
                cause: Cause::WindowEnd,
            };
            let changed = BlockChanged {
                evidence,
                block_key: "acme/limit_7".to_owned(),
                blocked_until: Some(until),
                sequence: 1,
            };
            let bytes = encoder.encode_decision(&Decision::BlockChanged(changed), None, false);
            let read = decoder.decode_block(&bytes.expect("bytes"));
            match (read, field) {
                (Ok(seen), None) => assert_eq!(seen.blocked_until, Some(until)),
                (Err(why), Some(field)) => {
                    assert!(why.to_string().contains(&format!("{field}: outside")), "{why}");
                }
                (read, field) => panic!("{field:?}: {read:?}"),
            }
        }
    }
}
