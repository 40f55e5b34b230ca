//! Who is told, case by case: A2, A8, A10, K5, T4.

use serde_json::json;

use super::*;
use crate::fold::limit::{Amount, Measure, Scope};
use crate::notify::samples::{NOW, account, crossed, reached};

const RULES: Rules = Rules { collapse: true, quiet_ms: 0, age_ms_max: 86_400_000 };

fn limit(scope: &Value, window: &str, body: &Value) -> Value {
    json!({"type": "limit_set", "body": body, "limit": {"limit_id": "limit_7", "scope": scope,
        "measure": "requests", "window": window, "amount": "10", "action": "block"}})
}

fn of_country(body: &Value) -> Value {
    limit(&json!({"kind": "country", "id": "IT"}), "day", body)
}

fn preferences(body: &Value) -> Value {
    json!({"type": "preferences_set", "body": body})
}

fn all_channels() -> Value {
    preferences(&json!({"email": true, "sms": true, "webhook": "https://a.example/hook",
        "slack": "https://hooks.slack.com/services/T/B/x", "email_addresses": ["ops@a.example"]}))
}

fn targets(notice: &Notice, commands: &[Value]) -> Vec<String> {
    let plan = plan(notice, &account(commands), &RULES, NOW);
    let targets = plan.deliveries.iter().map(|delivery| delivery.target.to_string());
    targets.chain(plan.without_address.iter().map(|(channel, _)| format!("no {channel}"))).collect()
}

#[test]
fn preferences_choose_the_channels_where_the_limit_names_none() {
    let all = ["webhook", "slack", "email|ops@a.example", "sms"];
    assert_eq!(targets(&reached(), &[of_country(&json!({})), all_channels()]), all);
    assert_eq!(targets(&reached(), &[of_country(&json!({}))]), Vec::<String>::new());
    let some = preferences(&json!({"email": false, "webhook": "https://a.example"}));
    assert_eq!(targets(&reached(), &[some]), ["webhook"]);
}

#[test]
fn channels_that_the_limit_names_go_before_preferences() {
    let named = |channels: Value| of_country(&json!({"notifications": channels}));
    assert_eq!(targets(&reached(), &[named(json!([])), all_channels()]), Vec::<String>::new());
    assert_eq!(targets(&reached(), &[named(json!(["sms"])), all_channels()]), ["sms"]);
    let wanted = named(json!(["email", "webhook", "slack", "sms"]));
    let without = ["sms", "no webhook", "no slack", "no email"];
    assert_eq!(targets(&reached(), &[wanted]), without);
}

/// T4: the profile's webhook and a mail; a profile without a webhook has the account's.
#[test]
fn a_profile_tells_its_own_webhook() {
    let scope = Scope { kind: ScopeKind::Profile, id: Some("p1".into()) };
    let spent = Notice { scope, ..reached() };
    let profile = |body: Value| json!({"type": "profile_set", "body": body});
    let own = profile(json!({"id": "p1", "webhook_url": "https://p.example"}));
    assert_eq!(targets(&spent, std::slice::from_ref(&own)), ["profile-webhook|p1", "no email"]);
    let failover = profile(json!({"id": "p1", "webhook_failover_url": "https://f.example"}));
    assert_eq!(targets(&spent, &[failover])[0], "profile-webhook|p1");
    let none = profile(json!({"id": "p1", "webhook_url": ""}));
    let told = targets(&spent, &[none, all_channels()]);
    assert_eq!(told, ["webhook", "slack", "email|ops@a.example", "sms"]);
    let quiet = preferences(&json!({"email": false}));
    assert_eq!(targets(&spent, &[own.clone(), quiet]), ["profile-webhook|p1"]);
    let crossed = Notice { scope: spent.scope.clone(), ..crossed(50, 1, 5) };
    assert_eq!(targets(&crossed, &[own, all_channels()]), Vec::<String>::new());
}

/// K5: 50 % to one, 85 % to more; 85 % of 10 is 9.
#[test]
fn addresses_of_sets_are_told_when_their_percent_is_crossed() {
    let sets = of_country(&json!({"notifications": [], "sets": [
        {"trigger_after": 50, "emails": ["a@x.example"]},
        {"trigger_after": 85, "emails": ["b@x.example", "c@x.example"]},
        {"trigger_after": 100, "emails": ["a@x.example", "d@x.example"]},
    ]}));
    let told = |notice: &Notice| targets(notice, std::slice::from_ref(&sets));
    let (a, b, c, d) =
        ("email|a@x.example", "email|b@x.example", "email|c@x.example", "email|d@x.example");
    assert_eq!(told(&crossed(50, 4, 5)), [a]);
    assert_eq!(told(&crossed(85, 8, 9)), [b, c]);
    assert_eq!(told(&crossed(85, 3, 9)), [a, b, c], "one jump over both");
    assert_eq!(told(&reached()), [a, d], "85 % was told before");
    let at_once = Notice { before: Amount::Count(0), ..reached() };
    assert_eq!(told(&at_once), [a, b, c, d], "each address once");
    let lowered = Notice { before: Amount::Count(9), ..crossed(85, 9, 9) };
    assert_eq!(told(&lowered), [a, b, c], "the limit moved, not the total");
    let each = Rules { collapse: false, ..RULES };
    let addresses = |notice: &Notice| {
        plan(notice, &account(std::slice::from_ref(&sets)), &each, NOW).deliveries.len()
    };
    assert_eq!((addresses(&crossed(85, 3, 9)), addresses(&reached())), (2, 0));
}

#[test]
fn limits_of_each_number_are_told_only_where_they_name_channels() {
    let number = Scope { kind: ScopeKind::Recipient, id: Some("+393331234567".into()) };
    let pumped = Notice { scope: number, bounds: None, window: "PT5M".to_owned(), ..reached() };
    let each = |body: Value| limit(&json!({"kind": "recipient"}), "PT5M", &body);
    assert_eq!(targets(&pumped, &[all_channels()]), Vec::<String>::new(), "the built-in limit");
    assert_eq!(targets(&pumped, &[each(json!({})), all_channels()]), Vec::<String>::new());
    let named = each(json!({"notifications": ["slack"]}));
    assert_eq!(targets(&pumped, &[named, all_channels()]), ["slack"]);
    let one = limit(&json!({"kind": "recipient", "id": "+393331234567"}), "PT5M", &json!({}));
    assert_eq!(targets(&pumped, &[one, all_channels()]).len(), 4);
}

/// A8: one message may cross several; the highest is told, and the limit reached above all.
#[test]
fn of_one_step_the_highest_is_told() {
    let lower = |notice: Notice| match notice.what {
        What::Crossed { threshold, direction, .. } => {
            Notice { what: What::Crossed { threshold, direction, highest: false }, ..notice }
        }
        What::Reached { .. } => notice,
    };
    let falling = |notice: Notice| {
        let what = What::Crossed { threshold: 50, direction: Direction::Down, highest: false };
        Notice { what, ..notice }
    };
    let each = Rules { collapse: false, ..RULES };
    for (notice, collapsed, apart) in [
        (reached(), Ok(()), Ok(())),
        (crossed(75, 1, 8), Ok(()), Ok(())),
        (lower(crossed(50, 1, 8)), Err(Untold::Covered), Ok(())),
        (crossed(90, 1, 10), Err(Untold::Covered), Ok(())),
        (falling(crossed(50, 8, 4)), Err(Untold::Covered), Err(Untold::Covered)),
    ] {
        assert_eq!(worth_telling(&notice, &RULES, NOW), collapsed, "{notice:?}");
        assert_eq!(worth_telling(&notice, &each, NOW), apart, "{notice:?}");
    }
    let late = |by: i64| worth_telling(&reached(), &RULES, Millis(NOW.0 + by));
    assert_eq!((late(86_400_000), late(86_400_001)), (Ok(()), Err(Untold::Old)));
}

#[test]
fn percents_of_huge_amounts_do_not_wrap() {
    let money = |micros: i128| Amount::Cost(crate::money::Money(micros));
    let huge = Notice {
        measure: Measure::Cost,
        configured_limit: money(999_999_999_999_999_999),
        before: money(0),
        current: money(i128::MAX),
        ..crossed(50, 0, 0)
    };
    assert!(began_to_hold(&huge, 50));
}

#[test]
fn a_limit_may_have_its_own_quiet_period() {
    let rules = Rules { quiet_ms: 7, ..RULES };
    let own = account(&[of_country(&json!({"quiet_minutes": 2}))]);
    assert_eq!(quiet_ms(&reached(), &own, &rules), 120_000);
    assert_eq!(quiet_ms(&reached(), &account(&[]), &rules), 7);
}

#[test]
fn planning_again_gives_the_same_deliveries() {
    let settings = account(&[of_country(&json!({})), all_channels()]);
    let first = plan(&reached(), &settings, &RULES, NOW);
    let again = plan(&reached(), &settings, &RULES, Millis(NOW.0 + 5));
    let ids = |plan: &Plan| plan.deliveries.iter().map(|it| it.id).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&again));
    let mut distinct = ids(&first);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 4);
}
