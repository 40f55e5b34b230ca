//! Random rows of every kind: what the fold may write, and a little beyond.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;
use proptest::prelude::*;

use crate::fold::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window};
use crate::fold::{
    AccountNumber, Arming, Calendar, Clockwork, Counts, DayGroup, Entry, LimitRef, LimitRow, Row,
    Sliding, Tally, TallyRef,
};
use crate::journal::{Hash, Tip};
use crate::money::{LIMIT, Money};
use crate::store::{BlockRow, Position};
use crate::time::{DAY_MS, Day, Millis, Month};

/// Short texts with everything that a key could stumble over.
fn text() -> impl Strategy<Value = CompactString> {
    "[\\x00-\\x02a\u{e9}\u{10FFFF}/+]{0,5}".prop_map(CompactString::from)
}

fn limit_id() -> impl Strategy<Value = CompactString> {
    "[ab._-]{1,3}".prop_map(CompactString::from)
}

fn account() -> impl Strategy<Value = AccountNumber> {
    prop_oneof![0..3u32, Just(u32::MAX)].prop_map(AccountNumber)
}

fn day() -> impl Strategy<Value = Day> {
    (0..84_006).prop_map(Day)
}

fn moment() -> impl Strategy<Value = Millis> {
    (0..84_006 * DAY_MS).prop_map(Millis)
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..=i64::MAX.cast_unsigned(), 0..200_u64, Just(i64::MAX.cast_unsigned())]
}

fn small_count() -> impl Strategy<Value = u32> {
    prop_oneof![0..=i32::MAX.cast_unsigned(), 0..200_u32, Just(i32::MAX.cast_unsigned())]
}

fn sum() -> impl Strategy<Value = i128> {
    let most = (1_i128 << 126) - 1;
    prop_oneof![-most..=most, -200..200_i128, Just(most), Just(-most)]
}

fn arming() -> impl Strategy<Value = Arming> {
    let parts = (small_count(), moment(), small_count());
    parts.prop_map(|(version, start, ceased)| Arming { version, start, ceased })
}

fn limit_ref() -> impl Strategy<Value = LimitRef> {
    let parts = (account(), limit_id(), any::<u32>());
    parts.prop_map(|(account, limit_id, created)| LimitRef { account, limit_id, created })
}

fn kind() -> impl Strategy<Value = ScopeKind> {
    prop::sample::select(vec![
        ScopeKind::Account,
        ScopeKind::Feature,
        ScopeKind::Profile,
        ScopeKind::Country,
        ScopeKind::Recipient,
        ScopeKind::Sender,
    ])
}

fn tally_ref() -> impl Strategy<Value = TallyRef> {
    let window = prop_oneof![
        day().prop_map(Calendar::Day),
        (0..2_761).prop_map(|m| Calendar::Month(Month(m)))
    ];
    (account(), kind(), text(), window).prop_map(|(account, kind, id, window)| {
        let id = (kind != ScopeKind::Account).then_some(id);
        TallyRef { account, scope: Scope { kind, id }, window }
    })
}

fn sliding() -> impl Strategy<Value = Sliding> {
    prop::collection::btree_map(0..7_258_118_400_000_i64, 1..100_u32, 1..10).prop_map(|times| {
        let entry = |(at, count)| Entry { at: Millis(at), count };
        Sliding::from_entries(times.into_iter().map(entry).collect())
    })
}

type Content = (Scope, Measure, Window, Amount, Only);

/// What the table of FORMATS.md lists for scopes with calendar windows.
fn calendar_limit() -> impl Strategy<Value = Content> {
    let scope = (0..4_usize, text()).prop_map(|(at, id)| {
        let kinds =
            [ScopeKind::Account, ScopeKind::Feature, ScopeKind::Profile, ScopeKind::Country];
        Scope { kind: kinds[at], id: (at > 0).then_some(id) }
    });
    let measured = prop_oneof![
        (1..LIMIT.0).prop_map(|micros| (Measure::Cost, Amount::Cost(Money(micros)))),
        (1..=u64::MAX / 32).prop_map(|count| (Measure::Requests, Amount::Count(count))),
    ];
    let window = prop_oneof![Just(Window::Day), Just(Window::Month)];
    (scope, measured, window).prop_map(|(scope, (measure, amount), window)| {
        (scope, measure, window, amount, Only::default())
    })
}

/// And for numbers.
fn number_limit() -> impl Strategy<Value = Content> {
    let maybe = || prop::option::of(text());
    let period = (1..=DAY_MS, text());
    let who = (any::<bool>(), maybe(), maybe(), maybe());
    (who, period, 1..=1_000_u64, prop::option::of(1..=u64::MAX / 32)).prop_map(
        |((sender, id, purpose, feature), (period_ms, text), times, recipients)| {
            let only = Only { purpose, feature };
            let kind = if sender { ScopeKind::Sender } else { ScopeKind::Recipient };
            let scope = Scope { kind, id };
            match recipients.filter(|_| sender) {
                Some(count) => {
                    (scope, Measure::Recipients, Window::Day, Amount::Count(count), only)
                }
                None => {
                    let window = Window::Sliding { period_ms, text };
                    (scope, Measure::Requests, window, Amount::Count(times), only)
                }
            }
        },
    )
}

fn limit_row() -> impl Strategy<Value = LimitRow> {
    let content = prop_oneof![calendar_limit(), number_limit()];
    let thresholds = prop::collection::btree_set(1..=100_u8, 0..=10);
    let what = (content, any::<bool>(), thresholds, any::<bool>());
    (limit_id(), what, small_count(), small_count(), arming()).prop_map(
        |(limit_id, (content, block, thresholds, enabled), version, created, arming)| {
            let (scope, measure, window, amount, only) = content;
            let spec = Arc::new(LimitSpec {
                limit_id,
                scope,
                measure,
                window,
                amount,
                action: if block { Action::Block } else { Action::Alert },
                thresholds: thresholds.into_iter().collect(),
                enabled,
                only,
            });
            LimitRow { spec, version, created, arming }
        },
    )
}

/// Rows that are there after they are written.
fn row() -> impl Strategy<Value = Row> {
    let retired = prop::collection::vec((limit_id(), small_count()), 0..3);
    prop_oneof![
        (account(), text(), count(), retired).prop_map(|(number, id, sequence, retired)| {
            Row::Account { number, id, sequence, retired }
        }),
        (account(), limit_row()).prop_map(|(account, row)| {
            Row::Limit { account, limit_id: row.spec.limit_id.clone(), row: Some(row) }
        }),
        (account(), limit_id(), text(), moment()).prop_map(|(account, limit_id, group, at)| {
            Row::Timer { account, limit_id, group, at: Some(at) }
        }),
        (limit_ref(), text(), sliding()).prop_map(|(limit, group, sliding)| Row::Sliding {
            limit,
            group,
            sliding
        }),
        (limit_ref(), day(), text(), prop::collection::vec(any::<u128>(), 0..4), arming())
            .prop_map(|(limit, day, group, members, arming)| {
                Row::Distinct { limit, key: DayGroup { day, group }, members, arming }
            }),
        (any::<i64>(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(minute, index, packed)| Row::Dedup { minute, index, packed }),
    ]
}

pub fn position() -> impl Strategy<Value = Position> {
    let numbers = (count(), count(), count(), count());
    let counts = (count(), count(), count(), sum(), count());
    let times = (moment(), prop::option::of(moment()), any::<i64>(), moment(), moment());
    (numbers, any::<[u8; 32]>(), prop::option::of(count()), times, counts).prop_map(
        |(numbers, hash, published_through, times, counts)| {
            let (seq, offset, billed, commands) = numbers;
            let (tip_now, now, forgotten_before_minute, billed_latest, commands_latest) = times;
            let (events, duplicates, rejects, micros, requests) = counts;
            let cost = Money(micros);
            let tip = Tip {
                seq,
                hash: Hash(hash),
                offset,
                billed,
                commands,
                now: tip_now,
                published_through,
            };
            let counts = Counts { events, duplicates, rejects, cost, requests };
            let clockwork = Clockwork { now, forgotten_before_minute, counts };
            Position { tip, clockwork, billed_latest, commands_latest }
        },
    )
}

pub fn block() -> impl Strategy<Value = BlockRow> {
    let parts = (count(), prop::collection::vec(any::<u8>(), 0..9), prop::option::of(moment()));
    parts.prop_map(|(sequence, payload, goes_after)| BlockRow { sequence, payload, goes_after })
}

/// A row's place; the fold names each once in a checkpoint.
fn place(row: &Row) -> String {
    match row {
        Row::Account { number, .. } => format!("account {number:?}"),
        Row::Limit { account, limit_id, .. } => format!("limit {account:?} {limit_id}"),
        Row::Timer { account, limit_id, group, .. } => {
            format!("timer {account:?} {limit_id:?} {group:?}")
        }
        Row::Sliding { limit, group, .. } => format!("sliding {limit:?} {group:?}"),
        Row::Distinct { limit, key, .. } => format!("distinct {limit:?} {key:?}"),
        Row::GroupsDropped { limit } => format!("dropped {limit:?}"),
        Row::Dedup { minute, index, .. } => format!("dedup {minute} {index}"),
    }
}

/// Tallies, each of another place.
pub fn tallies() -> impl Strategy<Value = Vec<(TallyRef, Tally)>> {
    let tally = (sum(), count());
    let tally = tally.prop_map(|(micros, requests)| Tally { cost: Money(micros), requests });
    prop::collection::btree_map(tally_ref(), tally, 0..20)
        .prop_map(|tallies| tallies.into_iter().collect())
}

pub fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(row(), 0..60).prop_map(|rows| {
        let by_place: BTreeMap<String, Row> =
            rows.into_iter().map(|row| (place(&row), row)).collect();
        by_place.into_values().collect()
    })
}

pub fn blocks() -> impl Strategy<Value = Vec<(String, Option<BlockRow>)>> {
    let name = text().prop_map(String::from);
    prop::collection::btree_map(name, block().prop_map(Some), 0..4)
        .prop_map(|blocks| blocks.into_iter().collect())
}
