//! The values of rows as bytes: a version byte, then the fields in a fixed order. Promise: writing
//! is compact and explicit, reading is total and refuses what the fold could trip over. What
//! changes here gets a new version beside the old one, which stays readable.

use std::sync::Arc;

use compact_str::CompactString;

use super::bytes::{
    Fault, Reader, put_i64, put_maybe_text, put_signed, put_text, put_u32, put_u64, put_varint,
};
use super::keys::{FORMAT, scope_kind, scope_number};
use super::{BlockRow, Position};
use crate::fold::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, Window, is_listed};
use crate::fold::{Arming, Clockwork, Counts, Entry, LimitRow, Sliding, TIMES_MAX, Tally};
use crate::journal::{Hash, Tip};
use crate::money::{LIMIT, Money};
use crate::time::{DAY_MS, END, Millis};

/// Of the values of every kind so far.
const VERSION: u8 = 1;

/// What a store says of itself before anything else is read.
pub(super) struct Identity {
    pub format: u32,
    pub partition: u32,
}

pub(super) fn put_position(partition: u32, position: &Position, into: &mut Vec<u8>) {
    let Position { tip, clockwork, billed_latest, commands_latest } = position;
    into.push(VERSION);
    put_u32(FORMAT, into);
    put_u32(partition, into);
    put_u64(tip.seq, into);
    into.extend_from_slice(&tip.hash.0);
    for number in [tip.offset, tip.billed, tip.commands] {
        put_u64(number, into);
    }
    put_i64(tip.now.0, into);
    put_maybe(tip.published_through, into, put_u64);
    put_maybe(clockwork.now, into, |now, into| put_i64(now.0, into));
    put_i64(clockwork.forgotten_before_minute, into);
    let Counts { events, duplicates, rejects, cost, requests } = clockwork.counts;
    for number in [events, duplicates, rejects, requests] {
        put_u64(number, into);
    }
    put_signed(cost.0, into);
    put_i64(billed_latest.0, into);
    put_i64(commands_latest.0, into);
}

/// The first fields of the position row: they stay where they are in every version.
pub(super) fn identity(value: &[u8]) -> Result<Identity, Fault> {
    let mut reader = Reader::new(value);
    reader.byte()?;
    Ok(Identity { format: reader.u32()?, partition: reader.u32()? })
}

pub(super) fn position(value: &[u8]) -> Result<Position, Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    let _identity = [reader.u32()?, reader.u32()?];
    let tip = Tip {
        seq: offset(&mut reader)?,
        hash: Hash(reader.array()?),
        offset: offset(&mut reader)?,
        billed: offset(&mut reader)?,
        commands: offset(&mut reader)?,
        now: time(&mut reader)?,
        published_through: maybe(&mut reader, offset)?,
    };
    let now = maybe(&mut reader, time)?;
    let forgotten_before_minute = reader.i64()?;
    let (events, duplicates) = (offset(&mut reader)?, offset(&mut reader)?);
    let (rejects, requests) = (offset(&mut reader)?, offset(&mut reader)?);
    let cost = sum(&mut reader)?;
    let counts = Counts { events, duplicates, rejects, cost, requests };
    let (billed_latest, commands_latest) = (time(&mut reader)?, time(&mut reader)?);
    reader.end()?;
    let clockwork = Clockwork { now, forgotten_before_minute, counts };
    Ok(Position { tip, clockwork, billed_latest, commands_latest })
}

/// What an account's row holds beside its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccountValue {
    pub id: CompactString,
    pub sequence: u64,
    pub retired: Vec<(CompactString, u32)>,
}

pub(super) fn put_account(
    id: &str,
    sequence: u64,
    retired: &[(CompactString, u32)],
    into: &mut Vec<u8>,
) {
    into.push(VERSION);
    put_text(id, into);
    put_varint(sequence.into(), into);
    put_varint(retired.len() as u128, into);
    for (limit_id, version) in retired {
        put_text(limit_id, into);
        put_varint((*version).into(), into);
    }
}

pub(super) fn account(value: &[u8]) -> Result<AccountValue, Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    let (id, sequence) = (reader.text()?, reader.count()?);
    let count: u32 = reader.number()?;
    // No capacity from the bytes: a damaged count must not take memory.
    let mut retired = Vec::new();
    for _ in 0..count {
        retired.push((reader.text()?, reader.small_count()?));
    }
    reader.end()?;
    Ok(AccountValue { id, sequence, retired })
}

/// The limit_id stands in the key only.
pub(super) fn put_limit(row: &LimitRow, into: &mut Vec<u8>) {
    let LimitRow { spec, version, created, arming } = row;
    into.push(VERSION);
    into.push(scope_number(spec.scope.kind));
    put_maybe_text(spec.scope.id.as_deref(), into);
    into.push(match spec.measure {
        Measure::Cost => 1,
        Measure::Requests => 2,
        Measure::Recipients => 3,
    });
    match &spec.window {
        Window::Day => into.push(1),
        Window::Month => into.push(2),
        Window::Sliding { period_ms, text } => {
            into.push(3);
            put_signed((*period_ms).into(), into);
            put_text(text, into);
        }
    }
    // Cost or count: the measure tells which.
    put_signed(spec.amount.units(), into);
    into.push(match spec.action {
        Action::Alert => 1,
        Action::Block => 2,
    });
    put_varint(spec.thresholds.len() as u128, into);
    into.extend_from_slice(&spec.thresholds);
    into.push(u8::from(spec.enabled));
    put_maybe_text(spec.only.purpose.as_deref(), into);
    put_maybe_text(spec.only.feature.as_deref(), into);
    put_varint((*version).into(), into);
    put_varint((*created).into(), into);
    put_arming_fields(*arming, into);
}

pub(super) fn limit(limit_id: CompactString, value: &[u8]) -> Result<LimitRow, Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    let scope = Scope { kind: scope_kind(reader.byte()?)?, id: reader.maybe_text()? };
    let measure = match reader.byte()? {
        1 => Measure::Cost,
        2 => Measure::Requests,
        3 => Measure::Recipients,
        _ => return Err(Fault::Value("a measure")),
    };
    let window = window(&mut reader)?;
    let amount = amount(measure, reader.signed()?)?;
    let action = match reader.byte()? {
        1 => Action::Alert,
        2 => Action::Block,
        _ => return Err(Fault::Value("an action")),
    };
    let thresholds = thresholds(&mut reader)?;
    let enabled = reader.flag()?;
    let only = Only { purpose: reader.maybe_text()?, feature: reader.maybe_text()? };
    let (version, created) = (reader.small_count()?, reader.small_count()?);
    let arming = arming_fields(&mut reader)?;
    reader.end()?;
    let most = if window.period_ms().is_some() { i128::from(TIMES_MAX) } else { i128::MAX };
    if !is_listed(&scope, measure, &window, &only) || amount.units() > most {
        return Err(Fault::Value("a limit of this kind"));
    }
    let spec = Arc::new(LimitSpec {
        limit_id,
        scope,
        measure,
        window,
        amount,
        action,
        thresholds,
        enabled,
        only,
    });
    Ok(LimitRow { spec, version, created, arming })
}

fn window(reader: &mut Reader<'_>) -> Result<Window, Fault> {
    match reader.byte()? {
        1 => Ok(Window::Day),
        2 => Ok(Window::Month),
        3 => {
            let (period_ms, text) = (reader.signed_number()?, reader.text()?);
            let exists = (1..=DAY_MS).contains(&period_ms);
            if exists { Ok(Window::Sliding { period_ms, text }) } else { Err(Fault::Number) }
        }
        _ => Err(Fault::Value("a window")),
    }
}

fn amount(measure: Measure, units: i128) -> Result<Amount, Fault> {
    if !(1..LIMIT.0).contains(&units) {
        return Err(Fault::Number);
    }
    match measure {
        Measure::Cost => Ok(Amount::Cost(Money(units))),
        Measure::Requests | Measure::Recipients => {
            u64::try_from(units).map(Amount::Count).map_err(|_| Fault::Number)
        }
    }
}

fn thresholds(reader: &mut Reader<'_>) -> Result<Vec<u8>, Fault> {
    let count: u8 = reader.number()?;
    let thresholds: Vec<u8> = (0..count).map(|_| reader.byte()).collect::<Result<_, _>>()?;
    let rising = thresholds.is_sorted_by(|a, b| a < b);
    let percents = thresholds.iter().all(|percent| (1..=100).contains(percent));
    if rising && percents { Ok(thresholds) } else { Err(Fault::Number) }
}

pub(super) fn put_timer(at: Millis, into: &mut Vec<u8>) {
    into.push(VERSION);
    put_i64(at.0, into);
}

pub(super) fn timer(value: &[u8]) -> Result<Millis, Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    let at = time(&mut reader)?;
    reader.end().map(|()| at)
}

pub(super) fn put_tally(tally: Tally, into: &mut Vec<u8>) {
    into.push(VERSION);
    put_signed(tally.cost.0, into);
    put_varint(tally.requests.into(), into);
}

pub(super) fn tally(value: &[u8]) -> Result<Tally, Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    let tally = Tally { cost: sum(&mut reader)?, requests: reader.count()? };
    reader.end().map(|()| tally)
}

/// The moment by which the group has surely run out comes first: the newest time and the longest
/// period there is, as the limit's own period is not at hand.
pub(super) fn put_sliding(sliding: &Sliding, into: &mut Vec<u8>) {
    into.push(VERSION);
    let newest = sliding.entries().last().map_or(0, |entry| entry.at.0);
    put_i64(newest + DAY_MS, into);
    let mut before = 0;
    for Entry { at, count } in sliding.entries() {
        put_signed((at.0 - before).into(), into);
        put_varint(count.into(), into);
        before = at.0;
    }
}

/// When a sliding group has surely run out.
pub(super) fn sliding_gone_by(value: &[u8]) -> Result<Millis, Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    reader.i64().map(Millis)
}

pub(super) fn sliding(value: &[u8]) -> Result<Sliding, Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    let gone_by = reader.i64()?;
    let mut entries: Vec<Entry> = Vec::new();
    let (mut before, mut total) = (0_i64, 0_u64);
    while !reader.is_empty() {
        let step: i64 = reader.signed_number()?;
        let at = Millis(before.checked_add(step).ok_or(Fault::Number)?);
        let count: u32 = reader.number()?;
        total += u64::from(count);
        let rises = step > 0 || entries.is_empty();
        if !rises || !at.in_range() || count == 0 || total > TIMES_MAX {
            return Err(Fault::Number);
        }
        entries.push(Entry { at, count });
        before = at.0;
    }
    // A sweep goes by it alone: wrong, it would drop times that still count.
    if gone_by != before + DAY_MS {
        return Err(Fault::Number);
    }
    Ok(Sliding::from_entries(entries))
}

/// A member's key says it all.
pub(super) fn put_member(into: &mut Vec<u8>) {
    into.push(VERSION);
}

pub(super) fn member(value: &[u8]) -> Result<(), Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    reader.end()
}

pub(super) fn put_arming(arming: Arming, into: &mut Vec<u8>) {
    into.push(VERSION);
    put_arming_fields(arming, into);
}

pub(super) fn arming(value: &[u8]) -> Result<Arming, Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    let arming = arming_fields(&mut reader)?;
    reader.end().map(|()| arming)
}

fn put_arming_fields(arming: Arming, into: &mut Vec<u8>) {
    let Arming { version, start, ceased } = arming;
    put_varint(version.into(), into);
    put_signed(start.0.into(), into);
    put_varint(ceased.into(), into);
}

fn arming_fields(reader: &mut Reader<'_>) -> Result<Arming, Fault> {
    let (version, start) = (reader.small_count()?, Millis(reader.signed_number()?));
    Ok(Arming { version, start, ceased: reader.small_count()? })
}

pub(super) fn put_dedup(packed: &[u8], into: &mut Vec<u8>) {
    into.push(VERSION);
    into.extend_from_slice(packed);
}

pub(super) fn dedup(value: &[u8]) -> Result<&[u8], Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    Ok(reader.rest())
}

pub(super) fn put_block(row: &BlockRow, into: &mut Vec<u8>) {
    into.push(VERSION);
    put_varint(row.sequence.into(), into);
    put_maybe(row.goes_after, into, |at, into| put_i64(at.0, into));
    into.extend_from_slice(&row.payload);
}

pub(super) fn block(value: &[u8]) -> Result<BlockRow, Fault> {
    let mut reader = Reader::new(value);
    reader.version(VERSION)?;
    let sequence = reader.count()?;
    let goes_after = maybe(&mut reader, |reader| reader.i64().map(Millis))?;
    Ok(BlockRow { sequence, goes_after, payload: reader.rest().to_vec() })
}

/// An offset or a count: 63 bits, as in the journal.
fn offset(reader: &mut Reader<'_>) -> Result<u64, Fault> {
    let value = reader.u64()?;
    if value >> 63 == 0 { Ok(value) } else { Err(Fault::Number) }
}

/// A sum of costs that can be added to.
fn sum(reader: &mut Reader<'_>) -> Result<Money, Fault> {
    let cost = reader.signed()?;
    if cost.unsigned_abs() >> 126 == 0 { Ok(Money(cost)) } else { Err(Fault::Number) }
}

/// A time that a line can have, or a window's end behind it.
fn time(reader: &mut Reader<'_>) -> Result<Millis, Fault> {
    let at = reader.i64()?;
    let bound = END.0 + 32 * DAY_MS;
    if (0..=bound).contains(&at) { Ok(Millis(at)) } else { Err(Fault::Number) }
}

fn put_maybe<T>(value: Option<T>, into: &mut Vec<u8>, put: impl FnOnce(T, &mut Vec<u8>)) {
    into.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(value, into);
    }
}

fn maybe<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    if reader.flag()? { read(reader).map(Some) } else { Ok(None) }
}
