//! Random valid billed events and commands, for the round trips of the wire.

use compact_str::CompactString;
use proptest::prelude::*;
use tollgate::fold::event::{BilledEvent, Change, Command, Text};
use tollgate::fold::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window};
use tollgate::money::{LIMIT, Money};
use tollgate::time::{END, Millis};

pub fn time() -> impl Strategy<Value = Millis> {
    prop_oneof![0..END.0, Just(0), Just(END.0 - 1)].prop_map(Millis)
}

fn text() -> impl Strategy<Value = CompactString> {
    prop_oneof!["[a-z0-9+-]{1,12}", "\\PC{1,128}", "[\\x00-\\x7f]{1,20}"].prop_map(Into::into)
}

fn maybe() -> impl Strategy<Value = Option<CompactString>> {
    prop::option::of(text())
}

fn country() -> impl Strategy<Value = CompactString> {
    "[A-Z]{2}".prop_map(Into::into)
}

fn feature() -> impl Strategy<Value = CompactString> {
    "[a-z][a-z0-9_]{0,10}".prop_map(Into::into)
}

pub fn billed() -> impl Strategy<Value = BilledEvent<'static>> {
    let ids = (text(), maybe(), text(), maybe(), feature());
    let route = (prop::option::of(country()), maybe(), maybe(), maybe());
    let most = LIMIT.0 - 1;
    let cost = prop_oneof![-most..=most, -300_i128..300, Just(most), Just(-most)];
    let charge = (0_u32..=1_000_000_000, cost, time());
    let own = |text: CompactString| Text::Owned(text.into_string());
    (ids, route, charge).prop_map(move |(ids, route, (requests, cost, occurred_at))| BilledEvent {
        event_id: own(ids.0),
        idempotency_key: ids.1.map(own),
        account_id: own(ids.2),
        profile_id: ids.3.map(own),
        feature: own(ids.4),
        country: route.0.map(own),
        sender: route.1.map(own),
        recipient: route.2.map(own),
        purpose: route.3.map(own),
        requests,
        cost: Money(cost),
        occurred_at,
    })
}

fn calendar_limit() -> impl Strategy<Value = (Scope, Measure, Window, Amount, Only)> {
    let scope = prop_oneof![
        Just(Scope { kind: ScopeKind::Account, id: None }),
        feature().prop_map(|id| Scope { kind: ScopeKind::Feature, id: Some(id) }),
        text().prop_map(|id| Scope { kind: ScopeKind::Profile, id: Some(id) }),
        country().prop_map(|id| Scope { kind: ScopeKind::Country, id: Some(id) }),
    ];
    let window = prop_oneof![Just(Window::Day), Just(Window::Month)];
    let measured = prop_oneof![
        (1..LIMIT.0).prop_map(|micros| (Measure::Cost, Amount::Cost(Money(micros)))),
        (1_u64..1_000_000_000_000).prop_map(|count| (Measure::Requests, Amount::Count(count))),
    ];
    (scope, window, measured).prop_map(|(scope, window, (measure, amount))| {
        (scope, measure, window, amount, Only::default())
    })
}

fn number_limit() -> impl Strategy<Value = (Scope, Measure, Window, Amount, Only)> {
    let only = (maybe(), maybe()).prop_map(|(purpose, feature)| Only { purpose, feature });
    let kind = prop_oneof![Just(ScopeKind::Recipient), Just(ScopeKind::Sender)];
    (kind, maybe(), 1_i64..=86_400, 1_u64..=1000, any::<bool>(), only).prop_map(
        |(kind, id, period_s, count, distinct, only)| {
            let scope = Scope { kind, id };
            if distinct && kind == ScopeKind::Sender {
                let amount = Amount::Count(count * 100);
                return (scope, Measure::Recipients, Window::Day, amount, only);
            }
            let text = format!("PT{period_s}S").into();
            let window = Window::Sliding { period_ms: period_s * 1000, text };
            (scope, Measure::Requests, window, Amount::Count(count), only)
        },
    )
}

pub fn command() -> impl Strategy<Value = Command> {
    let limit_id = || "[A-Za-z0-9._-]{1,64}".prop_map(CompactString::from);
    let limit = prop_oneof![calendar_limit(), number_limit()];
    let action = prop_oneof![Just(Action::Alert), Just(Action::Block)];
    let thresholds = prop::collection::btree_set(1_u8..=100, 0..=10);
    let set = (limit_id(), limit, action, thresholds, any::<bool>()).prop_map(
        |(limit_id, (scope, measure, window, amount, only), action, thresholds, enabled)| {
            let thresholds = thresholds.into_iter().collect();
            Change::LimitSet(LimitSpec {
                limit_id,
                scope,
                measure,
                window,
                amount,
                action,
                thresholds,
                enabled,
                only,
            })
        },
    );
    let removed = limit_id().prop_map(|limit_id| Change::LimitRemoved { limit_id });
    (text(), text(), prop_oneof![3 => set, 1 => removed])
        .prop_map(|(command_id, account_id, change)| Command { command_id, account_id, change })
}
