//! Rows to bytes and back, in both stores; damaged bytes.

mod retention;
mod strategies;

use proptest::prelude::*;

use super::keys::{self, Kind, Span};
use super::memory::{Disk, MemoryStore};
use super::raw::{Raw, Reading};
use super::write::Writer;
use super::{BlockRow, Checkpoint, Position, Retention, Store, codec, read};
use crate::fold::limit::{Scope, ScopeKind};
use crate::fold::{
    AccountNumber, Arming, Calendar, Clockwork, DayGroup, Entry, LimitRef, Loaded, Need, Row,
    Sliding, State, Tallies, Tally, TallyRef,
};
use crate::journal::{Hash, Tip};
use crate::money::Money;
use crate::time::{Day, Millis, Month};
use strategies::{blocks, position, rows, tallies};

const PARTITION: u32 = 7;

/// Drops nothing by calendar.
const KEEP: Retention =
    Retention { days_before: Day(0), months_before: Month(0), minutes_before: i64::MIN };

fn position_at(now: Millis) -> Position {
    let tip = Tip {
        seq: 1,
        hash: Hash::ZERO,
        offset: 2,
        billed: 0,
        commands: 0,
        now,
        published_through: None,
    };
    let clockwork = Clockwork { now: Some(now), ..Clockwork::default() };
    Position { tip, clockwork, billed_latest: now, commands_latest: Millis(0) }
}

fn checkpoint(now: Millis, retention: Retention, rows: Vec<Row>) -> Checkpoint {
    let (position, tallies, blocks) = (position_at(now), Tallies::default(), Vec::new());
    Checkpoint { epoch: 1, position, rows, tallies, blocks, retention, urgent: false }
}

/// What is stored, each row as text: with its key, so that two stores can be told apart.
fn stored(raw: &impl Raw) -> Vec<String> {
    let mut found = Vec::new();
    raw.scan(&Span::all(), Reading::Once, &mut |key, value| {
        found.push(match Kind::of(key).unwrap() {
            Kind::Position => format!("{:?}", codec::position(value).unwrap()),
            Kind::Account => {
                format!("{:?} {:?}", keys::account(key).unwrap(), codec::account(value).unwrap())
            }
            Kind::Limit => {
                let (account, limit_id) = keys::limit(key).unwrap();
                format!("{account:?} {:?}", codec::limit(limit_id, value).unwrap())
            }
            Kind::Timer => {
                format!("{:?} {:?}", keys::timer(key).unwrap(), codec::timer(value).unwrap())
            }
            Kind::Tally => {
                format!("{:?} {:?}", keys::tally(key).unwrap(), codec::tally(value).unwrap())
            }
            Kind::Sliding => {
                format!("{:?} {:?}", keys::sliding(key).unwrap(), codec::sliding(value).unwrap())
            }
            Kind::DistinctMember => {
                codec::member(value).unwrap();
                format!("{:?}", keys::member(key).unwrap())
            }
            Kind::DistinctArming => {
                format!("{:?} {:?}", keys::arming(key).unwrap(), codec::arming(value).unwrap())
            }
            Kind::Block => {
                format!("{:?} {:?}", keys::block(key).unwrap(), codec::block(value).unwrap())
            }
            Kind::Dedup => {
                format!("{:?} {:?}", keys::dedup(key).unwrap(), codec::dedup(value).unwrap())
            }
        });
        Ok(true)
    })
    .unwrap();
    found.sort_unstable();
    found
}

/// The same of rows that were not written.
fn shown(
    rows: &[Row],
    tallies: &[(TallyRef, Tally)],
    blocks: &[(String, Option<BlockRow>)],
    position: &Position,
) -> Vec<String> {
    let mut shown = vec![format!("{position:?}")];
    for row in rows {
        match row {
            Row::Account { number, id, sequence, retired } => {
                let (id, retired) = (id.clone(), retired.clone());
                let value = codec::AccountValue { id, sequence: *sequence, retired };
                shown.push(format!("{number:?} {value:?}"));
            }
            Row::Limit { account, row, .. } => {
                shown.extend(row.iter().map(|row| format!("{account:?} {row:?}")));
            }
            Row::Timer { account, limit_id, group, at } => {
                let place = (account, limit_id, group);
                shown.extend(at.map(|at| format!("{place:?} {at:?}")));
            }
            Row::Sliding { limit, group, sliding } => {
                shown.push(format!("{:?} {sliding:?}", (limit, group)));
            }
            Row::Distinct { limit, key, members, arming } => {
                shown.extend(members.iter().map(|digest| format!("{:?}", (limit, key, digest))));
                shown.push(format!("{:?} {arming:?}", (limit, key)));
            }
            Row::GroupsDropped { .. } => {}
            Row::Dedup { minute, index, packed } => {
                shown.push(format!("{:?} {packed:?}", (minute, index)));
            }
        }
    }
    shown.extend(tallies.iter().map(|(key, tally)| format!("{key:?} {tally:?}")));
    let blocks = blocks.iter().filter_map(|(key, row)| Some((key, row.as_ref()?)));
    shown.extend(blocks.map(|(key, row)| format!("{key:?} {row:?}")));
    shown.sort_unstable();
    shown
}

/// The same rows, to be taken away.
fn taken_away(rows: &[Row]) -> Vec<Row> {
    let gone = |row: &Row| match row.clone() {
        Row::Limit { account, limit_id, .. } => Some(Row::Limit { account, limit_id, row: None }),
        Row::Timer { account, limit_id, group, .. } => {
            Some(Row::Timer { account, limit_id, group, at: None })
        }
        Row::Sliding { limit, .. } | Row::Distinct { limit, .. } => {
            Some(Row::GroupsDropped { limit })
        }
        Row::Account { .. } | Row::Dedup { .. } | Row::GroupsDropped { .. } => None,
    };
    rows.iter().filter_map(gone).collect()
}

fn comes_back(
    raw: &impl Raw,
    rows: Vec<Row>,
    tallies: &[(TallyRef, Tally)],
    blocks: Vec<(String, Option<BlockRow>)>,
    position: Position,
) -> Result<(), TestCaseError> {
    // At the beginning of time nothing ran out.
    let early = position_at(Millis(0));
    let expected = shown(&rows, tallies, &blocks, &early);
    let gone: Vec<_> = blocks.iter().map(|(key, _)| (key.clone(), None)).collect();
    let (none, leaving) = (Vec::new(), taken_away(&rows));
    let mut writer = Writer::default();
    let first = Checkpoint {
        epoch: 1,
        position: early,
        rows,
        tallies: tallies.iter().cloned().collect(),
        blocks,
        retention: KEEP,
        urgent: false,
    };
    prop_assert_eq!(writer.write(raw, PARTITION, &first).unwrap(), 1);
    prop_assert_eq!(stored(raw), expected);
    let stays = |row: &&Row| matches!(row, Row::Account { .. } | Row::Dedup { .. });
    let stays: Vec<Row> = first.rows.iter().filter(stays).cloned().collect();
    let position =
        Position { clockwork: Clockwork { now: None, ..position.clockwork }, ..position };
    let second = Checkpoint {
        epoch: 2,
        position: position.clone(),
        rows: leaving,
        tallies: Tallies::default(),
        blocks: gone,
        retention: KEEP,
        urgent: false,
    };
    prop_assert_eq!(writer.write(raw, PARTITION, &second).unwrap(), 2);
    prop_assert_eq!(stored(raw), shown(&stays, tallies, &none, &position));
    prop_assert_eq!(read::position(raw, PARTITION).unwrap(), Some(position));
    Ok(())
}

proptest! {
    #[test]
    fn rows_come_back_and_go_in_memory(
        rows in rows(),
        tallies in tallies(),
        blocks in blocks(),
        position in position(),
    ) {
        comes_back(&Disk::default(), rows, &tallies, blocks, position)?;
    }

    /// One bit of one row wrong: the start says what is damaged, or takes it for another value.
    #[test]
    fn damaged_rows_are_refused_or_read_but_never_panic(
        rows in rows(),
        tallies in tallies(),
        blocks in blocks(),
        (row, byte, bit, cut) in any::<(prop::sample::Index, prop::sample::Index, u8, bool)>(),
        flip_key: bool,
    ) {
        let disk = Disk::default();
        let written = Checkpoint {
            epoch: 1,
            position: position_at(Millis(0)),
            rows: rows.clone(),
            tallies: tallies.iter().cloned().collect(),
            blocks,
            retention: KEEP,
            urgent: false,
        };
        Writer::default().write(&disk, PARTITION, &written).unwrap();
        let mut dump = disk.dump();
        let count = dump.len();
        let (key, value) = &mut dump[row.index(count)];
        let bytes = if flip_key { key } else { value };
        let at = byte.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << (bit % 8) }
        let mut store = MemoryStore::open(Disk::of(dump), PARTITION);
        let _ = store.restore(&mut State::new(10));
        let mut needs: Vec<Need> = rows.iter().filter_map(|row| match row {
            Row::Sliding { limit, group, .. } => Some(Need::Sliding(limit.clone(), group.clone())),
            Row::Distinct { limit, .. } => Some(Need::Groups(limit.clone())),
            _ => None,
        }).collect();
        needs.extend(tallies.into_iter().map(|(key, _)| Need::Tally(key)));
        let _ = store.load(&needs);
    }
}

#[cfg(feature = "engine")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn rows_come_back_and_go_in_rocksdb(
        rows in rows(),
        tallies in tallies(),
        blocks in blocks(),
        position in position(),
    ) {
        use super::rocks::{Database, Options, Shared};
        for table_bytes_min in [0, usize::MAX] {
            let (cache_bytes, write_buffer_bytes) = (4 << 20, 1 << 20);
            let shared = Shared::new(Options { cache_bytes, write_buffer_bytes, table_bytes_min });
            let dir = tempfile::tempdir().unwrap();
            let database = Database::open(dir.path(), &shared).unwrap();
            comes_back(&database, rows.clone(), &tallies, blocks.clone(), position.clone())?;
        }
    }
}

fn limit_named(limit_id: &str, created: u32) -> LimitRef {
    LimitRef { account: AccountNumber(1), limit_id: limit_id.into(), created }
}

fn distinct(limit: &LimitRef, day: i32, group: &str, members: &[u128]) -> Row {
    let key = DayGroup { day: Day(day), group: group.into() };
    let (limit, members) = (limit.clone(), members.to_vec());
    Row::Distinct { limit, key, members, arming: Arming::default() }
}

fn sliding_row(limit: &LimitRef, group: &str, newest: Millis) -> Row {
    let entries = vec![Entry { at: newest, count: 1 }];
    let (limit, group) = (limit.clone(), group.into());
    Row::Sliding { limit, group, sliding: Sliding::from_entries(entries) }
}

fn tally_in(window: Calendar) -> (TallyRef, Tally) {
    let scope = Scope { kind: ScopeKind::Feature, id: Some("sms".into()) };
    let key = TallyRef { account: AccountNumber(0), scope, window };
    (key, Tally { cost: Money(1), requests: 1 })
}

#[test]
fn a_limits_groups_are_loaded_whole_and_without_its_namesakes() {
    let limits = [limit_named("a", 1), limit_named("a", 2), limit_named("a.", 1)];
    let mut rows = Vec::new();
    for (number, limit) in (0..).zip(&limits) {
        rows.push(sliding_row(limit, "+39", Millis(number)));
        for day in [9, 10, 11] {
            rows.push(distinct(limit, day, "s", &[1, 2, u128::from(day.unsigned_abs())]));
        }
        rows.push(distinct(limit, 10, "s\0", &[5]));
    }
    let mut store = MemoryStore::open(Disk::default(), PARTITION);
    store.submit(checkpoint(Day(10).start(), KEEP, rows));
    store.wait().unwrap().unwrap();
    for limit in &limits {
        let whole = store.load(&[Need::Groups(limit.clone())]).unwrap();
        let mut groups = Vec::new();
        for row in whole {
            match row {
                Loaded::Tally(..) => panic!("no tally was asked for"),
                Loaded::Sliding(of, group, _) => {
                    assert_eq!((&of, group.as_str()), (limit, "+39"));
                }
                Loaded::Distinct(of, key, row) => {
                    assert_eq!(&of, limit);
                    groups.push((key.day.0, key.group.to_string(), row.count()));
                }
            }
        }
        let group = |day, name: &str, count| (day, name.to_owned(), count);
        let expected =
            [group(9, "s", 3), group(10, "s", 3), group(10, "s\0", 1), group(11, "s", 3)];
        assert_eq!(groups, expected);
        let key = DayGroup { day: Day(10), group: "s".into() };
        let one = store.load(&[Need::Distinct(limit.clone(), key.clone())]).unwrap();
        assert!(matches!(&one[..], [Loaded::Distinct(_, found, row)]
            if *found == key && row.count() == 3));
        let absent = DayGroup { day: Day(8), group: "s".into() };
        assert!(store.load(&[Need::Distinct(limit.clone(), absent)]).unwrap().is_empty());
    }
}

#[test]
fn rows_without_a_position_are_damage() {
    let disk = Disk::default();
    let tallies = Tallies::from_iter([tally_in(Calendar::Day(Day(1)))]);
    let written = Checkpoint { tallies, ..checkpoint(Millis(0), KEEP, Vec::new()) };
    Writer::default().write(&disk, PARTITION, &written).unwrap();
    let dump = disk.dump().into_iter().filter(|(key, _)| key[0] != Kind::Position as u8);
    let mut store = MemoryStore::open(Disk::of(dump), PARTITION);
    let refused = store.position().unwrap_err().to_string();
    assert!(refused.contains("damaged (tally row 05"), "{refused}");
}
