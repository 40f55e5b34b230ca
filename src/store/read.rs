//! Rows out of a store: its position, the resident rows of a start, the rows that a batch needs.
//! Promise: what cannot be read is an error that names the row; nothing is skipped in silence
//! (L7).

use std::collections::BTreeMap;

use super::bytes::Fault;
use super::keys::{self, FORMAT, Key, Kind, Span};
use super::raw::{Raw, Reading};
use super::{BlockRow, Error, Position, codec};
use crate::fold::{
    AccountNumber, Arming, Calendar, DayGroup, Distinct, LimitRef, Loaded, Need, State, TallyRef,
    Total,
};
use crate::time::Day;

/// What is wrong with a row.
pub(super) fn fault(raw: &impl Raw, key: &[u8], fault: Fault) -> Error {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let kind = Kind::of(key).map_or("unknown", Kind::as_str);
    let place = raw.place().to_owned();
    match fault {
        Fault::Version(version) => {
            Error::Format { place, what: format!("{kind} rows of version {version}") }
        }
        _ => Error::Damaged { place, what: format!("{kind} row {hex}: {fault}") },
    }
}

/// A row that is well by itself but does not fit the others.
fn misfit(raw: &impl Raw, key: &[u8], what: &'static str) -> Error {
    fault(raw, key, Fault::Value(what))
}

/// The position; also checks that the store is one this release knows, and of this partition.
pub(super) fn position(raw: &impl Raw, partition: u32) -> Result<Option<Position>, Error> {
    let key = Key::Position.bytes();
    let found = raw.get_many(std::slice::from_ref(&key))?.pop().flatten();
    let Some(value) = found else {
        // Rows without a position were never written: a batch is whole.
        return match any_key(raw)? {
            Some(key) => Err(misfit(raw, &key, "the position behind this row")),
            None => Ok(None),
        };
    };
    let broken = |it| fault(raw, &key, it);
    let identity = codec::identity(&value).map_err(broken)?;
    let place = raw.place().to_owned();
    if identity.format != FORMAT {
        return Err(Error::Format { place, what: format!("format {}", identity.format) });
    }
    if identity.partition != partition {
        let found = identity.partition;
        return Err(Error::Partition { place, expected: partition, found });
    }
    codec::position(&value).map(Some).map_err(broken)
}

fn any_key(raw: &impl Raw) -> Result<Option<Vec<u8>>, Error> {
    let mut first = None;
    raw.scan(&Span::all(), Reading::Once, &mut |key, _| {
        first = Some(key.to_vec());
        Ok(false)
    })?;
    Ok(first)
}

/// Fills an empty state with the clockwork and the resident rows; gives the block rows.
pub(super) fn restore(
    raw: &impl Raw,
    partition: u32,
    state: &mut State,
) -> Result<Vec<(String, BlockRow)>, Error> {
    let Some(position) = position(raw, partition)? else { return Ok(Vec::new()) };
    state.restore_clockwork(position.clockwork);
    restore_settings(raw, state)?;
    // Ids of earlier minutes are forgotten; their rows may lie here until they are dropped.
    let span = Span::dedup_from(position.clockwork.forgotten_before_minute);
    raw.scan(&span, Reading::Once, &mut |key, value| {
        let broken = |it| fault(raw, key, it);
        let (minute, _index) = keys::dedup(key).map_err(broken)?;
        let packed = codec::dedup(value).map_err(broken)?;
        let loaded = state.restore_dedup(minute, packed);
        loaded
            .map(|()| true)
            .ok_or_else(|| misfit(raw, key, "a part of an id, or no minute of an event"))
    })?;
    let mut blocks = Vec::new();
    raw.scan(&Span::kind(Kind::Block), Reading::Once, &mut |key, value| {
        let broken = |it| fault(raw, key, it);
        blocks.push((keys::block(key).map_err(broken)?, codec::block(value).map_err(broken)?));
        Ok(true)
    })?;
    Ok(blocks)
}

/// Accounts in the order of their numbers, their limits, the limits' timers.
fn restore_settings(raw: &impl Raw, state: &mut State) -> Result<(), Error> {
    raw.scan(&Span::kind(Kind::Account), Reading::Once, &mut |key, value| {
        let broken = |it| fault(raw, key, it);
        let number = keys::account(key).map_err(broken)?;
        let row = codec::account(value).map_err(broken)?;
        let taken = state.restore_account(number, row.id, row.sequence, row.retired);
        taken.map(|()| true).map_err(|_| misfit(raw, key, "the account before this one"))
    })?;
    raw.scan(&Span::kind(Kind::Limit), Reading::Once, &mut |key, value| {
        let broken = |it| fault(raw, key, it);
        let (account, limit_id) = keys::limit(key).map_err(broken)?;
        let row = codec::limit(limit_id, value).map_err(broken)?;
        let taken = state.restore_limit(account, row);
        taken.map(|()| true).ok_or_else(|| misfit(raw, key, "the limit's account"))
    })?;
    raw.scan(&Span::kind(Kind::Timer), Reading::Once, &mut |key, value| {
        let broken = |it| fault(raw, key, it);
        let (account, limit_id, group) = keys::timer(key).map_err(broken)?;
        let at = codec::timer(value).map_err(broken)?;
        let taken = state.restore_timer(account, limit_id, group, at);
        taken.map(|()| true).ok_or_else(|| misfit(raw, key, "the timer's limit"))
    })
}

/// The rows that are there of those needed.
pub(super) fn load(raw: &impl Raw, needs: &[Need]) -> Result<Vec<Loaded>, Error> {
    let mut wanted = Vec::with_capacity(needs.len());
    let mut rows = Vec::new();
    for need in needs {
        match need {
            Need::Tally(key) => wanted.push((Key::Tally(key.key()).bytes(), need)),
            Need::Sliding(limit, group) => {
                wanted.push((Key::Sliding(limit, group).bytes(), need));
            }
            Need::Distinct(limit, key) => {
                wanted.push((Key::Arming(limit, key).bytes(), need));
            }
            Need::Groups(limit) => load_groups(raw, limit, &mut rows)?,
            Need::Window(account, window) => load_window(raw, *account, *window, &mut rows)?,
        }
    }
    wanted.sort_unstable();
    let (keys, wanted): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
    let values = raw.get_many(&keys)?;
    for ((key, need), value) in keys.iter().zip(wanted).zip(values) {
        let Some(value) = value else { continue };
        let broken = |it| fault(raw, key, it);
        rows.push(match need {
            Need::Tally(tally) => {
                Loaded::Tally(tally.clone(), codec::tally(&value).map_err(broken)?)
            }
            Need::Sliding(limit, group) => {
                let sliding = codec::sliding(&value).map_err(broken)?;
                Loaded::Sliding(limit.clone(), group.clone(), sliding)
            }
            Need::Distinct(limit, day_group) => {
                let arming = codec::arming(&value).map_err(broken)?;
                let members = members(raw, limit, day_group)?;
                let distinct = Distinct::new(members, arming);
                Loaded::Distinct(limit.clone(), day_group.clone(), distinct)
            }
            // Were loaded above; they have no key of their own.
            Need::Groups(_) | Need::Window(..) => continue,
        });
    }
    Ok(rows)
}

/// Every tally of an account in a window.
fn load_window(
    raw: &impl Raw,
    account: AccountNumber,
    window: Calendar,
    rows: &mut Vec<Loaded>,
) -> Result<(), Error> {
    raw.scan(&Span::tallies(account, window), Reading::Hot, &mut |key, value| {
        let broken = |it| fault(raw, key, it);
        let tally = codec::tally(value).map_err(broken)?;
        rows.push(Loaded::Tally(keys::tally(key).map_err(broken)?, tally));
        Ok(true)
    })
}

/// Every group of a limit, sliding or distinct.
fn load_groups(raw: &impl Raw, limit: &LimitRef, rows: &mut Vec<Loaded>) -> Result<(), Error> {
    raw.scan(&Span::sliding_groups(limit), Reading::Hot, &mut |key, value| {
        let broken = |it| fault(raw, key, it);
        let (_, group) = keys::sliding(key).map_err(broken)?;
        let sliding = codec::sliding(value).map_err(broken)?;
        rows.push(Loaded::Sliding(limit.clone(), group, sliding));
        Ok(true)
    })?;
    for day in distinct_days(raw)? {
        for (day_group, arming) in armings(raw, day, limit)? {
            let members = members(raw, limit, &day_group)?;
            let distinct = Distinct::new(members, arming);
            rows.push(Loaded::Distinct(limit.clone(), day_group, distinct));
        }
    }
    Ok(())
}

/// The days that have groups: a seek a day, as each limit's groups lie by day first. Every group
/// has its arming's row.
pub(super) fn distinct_days(raw: &impl Raw) -> Result<Vec<Day>, Error> {
    let mut days: Vec<Day> = Vec::new();
    loop {
        let span = match days.last() {
            Some(day) => Span::days_from(Kind::DistinctArming, day.next()),
            None => Span::kind(Kind::DistinctArming),
        };
        let before = days.len();
        raw.scan(&span, Reading::Hot, &mut |key, _| {
            days.push(keys::distinct_day(key).map_err(|it| fault(raw, key, it))?);
            Ok(false)
        })?;
        if days.len() == before {
            return Ok(days);
        }
    }
}

fn armings(
    raw: &impl Raw,
    day: Day,
    limit: &LimitRef,
) -> Result<BTreeMap<DayGroup, Arming>, Error> {
    let mut found = BTreeMap::new();
    let span = Span::groups_in_day(Kind::DistinctArming, day, limit);
    raw.scan(&span, Reading::Hot, &mut |key, value| {
        let broken = |it| fault(raw, key, it);
        let (_, day_group) = keys::arming(key).map_err(broken)?;
        found.insert(day_group, codec::arming(value).map_err(broken)?);
        Ok(true)
    })?;
    Ok(found)
}

fn members(raw: &impl Raw, limit: &LimitRef, day_group: &DayGroup) -> Result<Vec<u128>, Error> {
    let mut members = Vec::new();
    raw.scan(&Span::members(limit, day_group), Reading::Hot, &mut |key, value| {
        let broken = |it| fault(raw, key, it);
        codec::member(value).map_err(broken)?;
        let (_, _, digest) = keys::member(key).map_err(broken)?;
        members.push(digest);
        Ok(true)
    })?;
    Ok(members)
}

/// Every tally with its account's id, in the order of the store.
pub(super) fn totals(raw: &impl Raw, totals: &mut Vec<Total>) -> Result<(), Error> {
    let mut accounts = Vec::new();
    raw.scan(&Span::kind(Kind::Account), Reading::Once, &mut |key, value| {
        accounts.push(codec::account(value).map_err(|it| fault(raw, key, it))?.id);
        Ok(true)
    })?;
    raw.scan(&Span::kind(Kind::Tally), Reading::Once, &mut |key, value| {
        let broken = |it| fault(raw, key, it);
        let TallyRef { account, scope, window } = keys::tally(key).map_err(broken)?;
        let account_id = accounts.get(account.0 as usize);
        let account_id = account_id.ok_or_else(|| misfit(raw, key, "the tally's account"))?;
        let tally = codec::tally(value).map_err(broken)?;
        totals.push(Total { account_id: account_id.to_string(), scope, window, tally });
        Ok(true)
    })
}
