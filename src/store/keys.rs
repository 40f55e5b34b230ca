//! Where each row stands: the registry of row kinds and the layout of their keys. Promise: keys
//! are big-endian, so that their order is that of what they name, and what is dropped together
//! lies together. A number once given to a kind is never given to another.

use compact_str::CompactString;

use super::bytes::{Fault, Reader, put_i32, put_i64, put_key_text, put_u32, put_u64};
use crate::fold::limit::{Scope, ScopeKind};
use crate::fold::{AccountNumber, Calendar, DayGroup, LimitRef, TallyKey, TallyRef};
use crate::time::{Day, END, Month};

/// Version of the layout of keys; a store of another one is refused. Values have their own.
pub(super) const FORMAT: u32 = 1;

/// A row's kind: the first byte of its key. Numbers are reserved for ever, those of retired kinds
/// too. The next free one is 11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// The only one: format, partition, journal position, clockwork.
    Position = 1,
    /// account number
    Account = 2,
    /// account, limit_id
    Limit = 3,
    /// account, limit_id, group
    Timer = 4,
    /// window kind, its start, account, scope kind, scope id: old windows are one range
    Tally = 5,
    /// account, limit_id, created, group
    Sliding = 6,
    /// day, account, limit_id, created, group, recipient's digest: old days are one range
    DistinctMember = 7,
    /// day, account, limit_id, created, group
    DistinctArming = 8,
    /// block_key
    Block = 9,
    /// minute, index
    Dedup = 10,
}

impl Kind {
    pub const ALL: [Kind; 10] = [
        Kind::Position,
        Kind::Account,
        Kind::Limit,
        Kind::Timer,
        Kind::Tally,
        Kind::Sliding,
        Kind::DistinctMember,
        Kind::DistinctArming,
        Kind::Block,
        Kind::Dedup,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Position => "position",
            Kind::Account => "account",
            Kind::Limit => "limit",
            Kind::Timer => "timer",
            Kind::Tally => "tally",
            Kind::Sliding => "sliding",
            Kind::DistinctMember => "distinct member",
            Kind::DistinctArming => "distinct arming",
            Kind::Block => "block",
            Kind::Dedup => "dedup",
        }
    }

    /// The kind of a key; `None` for one of a later release.
    pub(super) fn of(key: &[u8]) -> Option<Kind> {
        let first = *key.first()?;
        Kind::ALL.into_iter().find(|kind| *kind as u8 == first)
    }
}

/// One row's key.
#[derive(Clone, Copy)]
pub(super) enum Key<'a> {
    Position,
    Account(AccountNumber),
    Limit(AccountNumber, &'a str),
    Timer(AccountNumber, &'a str, &'a str),
    Tally(TallyKey<'a>),
    Sliding(&'a LimitRef, &'a str),
    Member(&'a LimitRef, &'a DayGroup, u128),
    Arming(&'a LimitRef, &'a DayGroup),
    Block(&'a str),
    Dedup(i64, u64),
}

/// Keys `from..before`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub from: Vec<u8>,
    pub before: Vec<u8>,
}

impl Key<'_> {
    pub fn kind(&self) -> Kind {
        match self {
            Key::Position => Kind::Position,
            Key::Account(_) => Kind::Account,
            Key::Limit(..) => Kind::Limit,
            Key::Timer(..) => Kind::Timer,
            Key::Tally(_) => Kind::Tally,
            Key::Sliding(..) => Kind::Sliding,
            Key::Member(..) => Kind::DistinctMember,
            Key::Arming(..) => Kind::DistinctArming,
            Key::Block(_) => Kind::Block,
            Key::Dedup(..) => Kind::Dedup,
        }
    }

    pub fn write(&self, into: &mut Vec<u8>) {
        into.push(self.kind() as u8);
        match *self {
            Key::Position => {}
            Key::Account(number) => put_u32(number.0, into),
            Key::Limit(account, limit_id) => {
                put_u32(account.0, into);
                into.extend_from_slice(limit_id.as_bytes());
            }
            Key::Timer(account, limit_id, group) => {
                put_u32(account.0, into);
                put_key_text(limit_id, into);
                into.extend_from_slice(group.as_bytes());
            }
            Key::Tally(TallyKey { account, kind, id, window }) => {
                put_window(window, into);
                put_u32(account.0, into);
                into.push(scope_number(kind));
                into.extend_from_slice(id.as_bytes());
            }
            Key::Sliding(limit, group) => {
                put_limit(limit, into);
                into.extend_from_slice(group.as_bytes());
            }
            Key::Member(limit, day_group, digest) => {
                put_i32(day_group.day.0, into);
                put_limit(limit, into);
                put_key_text(&day_group.group, into);
                into.extend_from_slice(&digest.to_be_bytes());
            }
            Key::Arming(limit, day_group) => {
                put_i32(day_group.day.0, into);
                put_limit(limit, into);
                into.extend_from_slice(day_group.group.as_bytes());
            }
            Key::Block(block_key) => into.extend_from_slice(block_key.as_bytes()),
            Key::Dedup(minute, index) => {
                put_i64(minute, into);
                put_u64(index, into);
            }
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48);
        self.write(&mut bytes);
        bytes
    }
}

impl Span {
    /// Every key that begins with `prefix`, which begins with a kind's number.
    fn under(prefix: Vec<u8>) -> Span {
        let last = prefix.iter().rposition(|byte| *byte < 0xFF);
        let last = last.expect("a kind's number is below 255");
        let mut before = prefix[..=last].to_vec();
        before[last] += 1;
        Span { from: prefix, before }
    }

    pub fn all() -> Span {
        Span { from: Vec::new(), before: vec![0xFF] }
    }

    pub fn kind(kind: Kind) -> Span {
        Span::under(vec![kind as u8])
    }

    pub fn tally_days_before(day: Day) -> Span {
        let before = made(Kind::Tally, |into| put_window(Calendar::Day(day), into));
        Span { from: vec![Kind::Tally as u8, DAY_WINDOW], before }
    }

    pub fn tally_months_before(month: Month) -> Span {
        let before = made(Kind::Tally, |into| put_window(Calendar::Month(month), into));
        Span { from: vec![Kind::Tally as u8, MONTH_WINDOW], before }
    }

    /// Every scope of an account in a window.
    pub fn tallies(account: AccountNumber, window: Calendar) -> Span {
        Span::under(made(Kind::Tally, |into| {
            put_window(window, into);
            put_u32(account.0, into);
        }))
    }

    pub fn dedup_before(minute: i64) -> Span {
        let before = made(Kind::Dedup, |into| put_i64(minute, into));
        Span { from: vec![Kind::Dedup as u8], before }
    }

    pub fn dedup_from(minute: i64) -> Span {
        let from = made(Kind::Dedup, |into| put_i64(minute, into));
        Span { from, ..Span::kind(Kind::Dedup) }
    }

    /// `kind` is one of the two distinct kinds, here and below.
    pub fn days_before(kind: Kind, day: Day) -> Span {
        let before = made(kind, |into| put_i32(day.0, into));
        Span { from: vec![kind as u8], before }
    }

    pub fn days_from(kind: Kind, day: Day) -> Span {
        Span { from: made(kind, |into| put_i32(day.0, into)), ..Span::kind(kind) }
    }

    /// A limit's groups in one day.
    pub fn groups_in_day(kind: Kind, day: Day, limit: &LimitRef) -> Span {
        Span::under(made(kind, |into| {
            put_i32(day.0, into);
            put_limit(limit, into);
        }))
    }

    pub fn members(limit: &LimitRef, day_group: &DayGroup) -> Span {
        Span::under(made(Kind::DistinctMember, |into| {
            put_i32(day_group.day.0, into);
            put_limit(limit, into);
            put_key_text(&day_group.group, into);
        }))
    }

    pub fn sliding_groups(limit: &LimitRef) -> Span {
        Span::under(made(Kind::Sliding, |into| put_limit(limit, into)))
    }

    /// What is left of the span behind `key`.
    pub fn behind(self, key: &[u8]) -> Span {
        let mut from = key.to_vec();
        from.push(0);
        Span { from, before: self.before }
    }
}

/// A kind's number and what `place` puts behind it.
fn made(kind: Kind, place: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![kind as u8];
    place(&mut bytes);
    bytes
}

const DAY_WINDOW: u8 = 1;
const MONTH_WINDOW: u8 = 2;

fn put_window(window: Calendar, into: &mut Vec<u8>) {
    match window {
        Calendar::Day(day) => {
            into.push(DAY_WINDOW);
            put_i32(day.0, into);
        }
        Calendar::Month(month) => {
            into.push(MONTH_WINDOW);
            put_i32(month.0, into);
        }
    }
}

fn put_limit(limit: &LimitRef, into: &mut Vec<u8>) {
    put_u32(limit.account.0, into);
    put_key_text(&limit.limit_id, into);
    put_u32(limit.created, into);
}

/// Numbers of scope kinds at rest: not the order of the enum, which may change.
pub(super) fn scope_number(kind: ScopeKind) -> u8 {
    match kind {
        ScopeKind::Account => 1,
        ScopeKind::Feature => 2,
        ScopeKind::Profile => 3,
        ScopeKind::Country => 4,
        ScopeKind::Recipient => 5,
        ScopeKind::Sender => 6,
    }
}

pub(super) fn scope_kind(number: u8) -> Result<ScopeKind, Fault> {
    match number {
        1 => Ok(ScopeKind::Account),
        2 => Ok(ScopeKind::Feature),
        3 => Ok(ScopeKind::Profile),
        4 => Ok(ScopeKind::Country),
        5 => Ok(ScopeKind::Recipient),
        6 => Ok(ScopeKind::Sender),
        _ => Err(Fault::Value("a scope kind")),
    }
}

/// A key's places behind its kind.
fn behind_kind(key: &[u8]) -> Reader<'_> {
    Reader::new(key.get(1..).unwrap_or_default())
}

pub(super) fn account(key: &[u8]) -> Result<AccountNumber, Fault> {
    let mut reader = behind_kind(key);
    let number = AccountNumber(reader.u32()?);
    reader.end().map(|()| number)
}

pub(super) fn limit(key: &[u8]) -> Result<(AccountNumber, CompactString), Fault> {
    let mut reader = behind_kind(key);
    Ok((AccountNumber(reader.u32()?), reader.rest_text()?))
}

pub(super) fn timer(key: &[u8]) -> Result<(AccountNumber, CompactString, CompactString), Fault> {
    let mut reader = behind_kind(key);
    Ok((AccountNumber(reader.u32()?), reader.key_text()?, reader.rest_text()?))
}

pub(super) fn tally(key: &[u8]) -> Result<TallyRef, Fault> {
    let mut reader = behind_kind(key);
    let (kind, start) = (reader.byte()?, reader.i32()?);
    let window = match kind {
        DAY_WINDOW => Calendar::Day(day_in_range(start)?),
        MONTH_WINDOW if (0..=END.month().0).contains(&start) => Calendar::Month(Month(start)),
        MONTH_WINDOW => return Err(Fault::Number),
        _ => return Err(Fault::Value("a window kind")),
    };
    let account = AccountNumber(reader.u32()?);
    let kind = scope_kind(reader.byte()?)?;
    let id = reader.rest_text()?;
    let id = match kind {
        ScopeKind::Account if id.is_empty() => None,
        ScopeKind::Account => return Err(Fault::Long),
        _ => Some(id),
    };
    Ok(TallyRef { account, scope: Scope { kind, id }, window })
}

/// The days that events can lie in, and the one behind them.
fn day_in_range(day: i32) -> Result<Day, Fault> {
    if (0..=END.day().0).contains(&day) { Ok(Day(day)) } else { Err(Fault::Number) }
}

fn read_limit(reader: &mut Reader<'_>) -> Result<LimitRef, Fault> {
    let account = AccountNumber(reader.u32()?);
    Ok(LimitRef { account, limit_id: reader.key_text()?, created: reader.u32()? })
}

pub(super) fn sliding(key: &[u8]) -> Result<(LimitRef, CompactString), Fault> {
    let mut reader = behind_kind(key);
    Ok((read_limit(&mut reader)?, reader.rest_text()?))
}

pub(super) fn distinct_day(key: &[u8]) -> Result<Day, Fault> {
    day_in_range(behind_kind(key).i32()?)
}

pub(super) fn member(key: &[u8]) -> Result<(LimitRef, DayGroup, u128), Fault> {
    let mut reader = behind_kind(key);
    let day = day_in_range(reader.i32()?)?;
    let limit = read_limit(&mut reader)?;
    let group = reader.key_text()?;
    let digest = u128::from_be_bytes(reader.array()?);
    reader.end().map(|()| (limit, DayGroup { day, group }, digest))
}

pub(super) fn arming(key: &[u8]) -> Result<(LimitRef, DayGroup), Fault> {
    let mut reader = behind_kind(key);
    let day = day_in_range(reader.i32()?)?;
    Ok((read_limit(&mut reader)?, DayGroup { day, group: reader.rest_text()? }))
}

pub(super) fn block(key: &[u8]) -> Result<String, Fault> {
    behind_kind(key).rest_text().map(String::from)
}

/// Minute and index of a dedup run.
pub(super) fn dedup(key: &[u8]) -> Result<(i64, u64), Fault> {
    let mut reader = behind_kind(key);
    let place = (reader.i64()?, reader.u64()?);
    reader.end().map(|()| place)
}
