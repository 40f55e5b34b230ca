//! Rule 1 of FORMATS.md on JSON lines, one case a line: what is taken, what is refused and how.
//! Promise: each case changes one thing in a line that is fine.

use serde_json::{Value, json};
use tollgate::fold::event::{BilledEvent, Change, Command, Input, Reason, Refusal};
use tollgate::fold::limit::{Action, Amount, LimitSpec, Only, ScopeKind};
use tollgate::money::Money;
use tollgate::time::Millis;
use tollgate::wire::json::decode_line;

fn billed() -> Value {
    json!({"type": "billed", "event_id": "e1", "account_id": "acme", "profile_id": "p1",
        "feature": "sms", "country": "IT", "sender": "+1", "recipient": "+39", "purpose": "otp",
        "requests": 1, "cost": "0.0075", "occurred_at": "2024-08-20T19:17:08.918+00:00"})
}

fn limit_set() -> Value {
    json!({"type": "limit_set", "command_id": "c1", "account_id": "acme",
        "issued_at": "2024-08-20T19:17:08.918Z", "actor": "ops", "reason": "why",
        "limit": {"limit_id": "L1", "scope": {"kind": "profile", "id": "p1"}, "measure": "cost",
        "window": "day", "amount": "10.00", "action": "block", "thresholds": [50, 100],
        "enabled": true, "only": {"purpose": null, "feature": null}}})
}

/// Sets what stands at `path` to the JSON `value`; an empty one takes it away.
fn with(mut line: Value, path: &str, value: &str) -> Value {
    let (parent, key) = path.rsplit_once('/').expect("a path");
    let parent = line.pointer_mut(parent).expect("a parent").as_object_mut().expect("an object");
    match value {
        "" => parent.remove(key),
        value => parent.insert(key.to_owned(), serde_json::from_str(value).expect("JSON")),
    };
    line
}

fn input(line: &Value) -> Input<'static> {
    decode_line(line.to_string().as_bytes()).input.into_owned()
}

fn refusal(input: Input<'_>) -> Option<Refusal> {
    match input {
        Input::Rejected(refusal) => Some(refusal),
        Input::Billed(_) | Input::Command(_) | Input::Tick => None,
    }
}

fn event(line: &Value) -> BilledEvent<'static> {
    match input(line) {
        Input::Billed(event) => event,
        other => panic!("{line}: {other:?}"),
    }
}

fn limit(line: &Value) -> LimitSpec {
    match input(line) {
        Input::Command(Command { change: Change::LimitSet(limit), .. }) => limit,
        other => panic!("{line}: {other:?}"),
    }
}

fn text_of(count: usize) -> String {
    format!("\"{}\"", "ü".repeat(count))
}

/// Cases are `path value`; a value that is left out takes the member away.
fn each(line: &Value, cases: &str, mut check: impl FnMut(&Value)) {
    for case in cases.lines().map(str::trim).filter(|case| !case.is_empty()) {
        let (path, value) = case.split_once(' ').unwrap_or((case, ""));
        check(&with(line.clone(), path, value));
    }
}

fn taken(line: &Value, cases: &str) {
    each(line, cases, |line| {
        if let Some(refusal) = refusal(input(line)) {
            panic!("{line}: {}", refusal.detail);
        }
    });
}

fn refused(line: &Value, cases: &str) {
    each(line, cases, |line| {
        let refusal = refusal(input(line)).unwrap_or_else(|| panic!("taken: {line}"));
        assert_eq!(refusal.reason, Reason::Invalid, "{line}");
        let named =
            |key: &str| line[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        assert_eq!(refusal.account_id, named("account_id"));
        assert_eq!(refusal.event_id, named("event_id"));
        assert_eq!(refusal.command_id, named("command_id"));
    });
}

#[test]
fn billed_events_are_taken_when_they_keep_the_rules() {
    taken(
        &billed(),
        r#"/type
        /type null
        /type ""
        /event_id "6f1c9f4e-54f2-4b0e-9d3c-3a1c70f1e9aa"
        /profile_id
        /profile_id null
        /profile_id ""
        /feature "x_9"
        /feature "fees"
        /country
        /country ""
        /country "it"
        /country "zZ"
        /requests
        /requests null
        /requests 0
        /requests 1000000000
        /cost "0"
        /cost "-0"
        /cost "-12.5"
        /cost "007"
        /cost "999999999999.999999"
        /cost "-999999999999.999999"
        /occurred_at "1970-01-01T00:00:00Z"
        /occurred_at "2199-12-31T23:59:59.999999Z"
        /occurred_at "2024-08-20t19:17:08.1z"
        /recorded_at null
        /recorded_at ""
        /recorded_at "2024-08-20T19:17:08-11:00"
        /unknown {"deep": [1, {"type": "tick"}]}
        /command_id 5
        /limit 5
        /now "soon""#,
    );
    for path in ["/event_id", "/account_id", "/sender", "/idempotency_key"] {
        taken(&billed(), &format!("{path} {}", text_of(128)));
        refused(&billed(), &format!("{path} {}", text_of(129)));
    }
}

#[test]
fn billed_events_are_refused_when_they_break_one() {
    refused(
        &billed(),
        r#"/type 5
        /type ["billed"]
        /type "Billed"
        /type "what_ever"
        /type "received"
        /event_id
        /event_id null
        /event_id ""
        /event_id 5
        /account_id
        /account_id ""
        /account_id {}
        /feature
        /feature ""
        /feature "SMS"
        /feature "_x"
        /feature "9x"
        /feature "s ms"
        /feature "sms\n"
        /feature "ü"
        /country "I"
        /country "ITA"
        /country "I1"
        /country "ß"
        /country "it\n"
        /country 39
        /profile_id 5
        /sender false
        /recipient {}
        /purpose []
        /idempotency_key 1
        /requests -1
        /requests 1000000001
        /requests 99999999999999999999
        /requests 1.0
        /requests 1e2
        /requests "1"
        /requests ""
        /requests true
        /cost
        /cost null
        /cost ""
        /cost 1
        /cost "1.1234567"
        /cost "1."
        /cost ".5"
        /cost "+1"
        /cost " 1"
        /cost "1e3"
        /cost "1_0"
        /cost "0.1\n"
        /cost "NaN"
        /cost "1000000000000"
        /cost "-1000000000000"
        /occurred_at
        /occurred_at ""
        /occurred_at 1724181428918
        /occurred_at "2024-08-20"
        /occurred_at "2024-08-20T10:00:60Z"
        /occurred_at "2024-08-20T10:00:00,5Z"
        /occurred_at "1969-12-31T23:59:59.999Z"
        /occurred_at "2200-01-01T00:00:00Z"
        /recorded_at "x"
        /recorded_at 0
        /recorded_at "2200-01-01T00:00:00Z""#,
    );
}

#[test]
fn commands_are_taken_when_they_keep_the_rules() {
    taken(
        &limit_set(),
        r#"/type "profile_set"
        /type "profile_removed"
        /type "preferences_set"
        /type "x9_set"
        /actor
        /actor null
        /actor ""
        /reason
        /recorded_at "2024-08-20T19:17:08Z"
        /event_id 5
        /limit_id 7
        /limit/limit_id "A-z.0_9"
        /limit/action
        /limit/action null
        /limit/action ""
        /limit/action "alert"
        /limit/enabled
        /limit/enabled null
        /limit/enabled false
        /limit/thresholds
        /limit/thresholds null
        /limit/thresholds []
        /limit/thresholds [1,2,3,4,5,6,7,8,9,100]
        /limit/only
        /limit/only null
        /limit/only {}
        /limit/only {"purpose":"","feature":null,"x":1}
        /limit/scope {"kind":"account"}
        /limit/scope {"kind":"account","id":""}
        /limit/scope {"kind":"feature","id":"sms"}
        /limit/scope {"kind":"country","id":"it","x":1}
        /limit/window "month"
        /limit/measure "requests"
        /limit/amount "0.000001"
        /limit/amount "999999999999.999999"
        /limit/unknown 5"#,
    );
    taken(&limit_set(), &format!("/reason {}", text_of(1024)));
    taken(&limit_set(), &format!("/limit/limit_id \"{}\"", "x".repeat(64)));
    let other = with(limit_set(), "/type", "\"profile_set\"");
    taken(&other, "/limit 5\n/limit_id {}\n/limit");
    let removed = with(limit_set(), "/type", "\"limit_removed\"");
    taken(&removed, "/limit_id \"L1\"");
    let removed = with(removed, "/limit_id", "\"L1\"");
    taken(&removed, "/limit 5");
    refused(&removed, "/limit_id\n/limit_id \"\"\n/limit_id 7\n/limit_id \"a b\"");
}

#[test]
fn commands_are_refused_when_they_break_one() {
    refused(
        &limit_set(),
        r#"/type "what_ever"
        /type "_set"
        /type "Limit_set"
        /type "9x_set"
        /type "x set"
        /type "x_set\n"
        /type "limit_setx"
        /command_id
        /command_id ""
        /command_id 5
        /account_id
        /issued_at
        /issued_at "x"
        /recorded_at "x"
        /actor {}
        /reason 5
        /limit
        /limit null
        /limit []
        /limit "x"
        /limit {}
        /limit/limit_id
        /limit/limit_id ""
        /limit/limit_id 5
        /limit/limit_id "a/b"
        /limit/limit_id "ü"
        /limit/scope
        /limit/scope null
        /limit/scope []
        /limit/scope {}
        /limit/scope {"kind":"planet","id":"x"}
        /limit/scope {"kind":"account","id":"x"}
        /limit/scope {"kind":"profile"}
        /limit/scope {"kind":"profile","id":""}
        /limit/scope {"kind":"profile","id":5}
        /limit/scope {"kind":"feature","id":"SMS"}
        /limit/scope {"kind":"feature","id":"sms\n"}
        /limit/scope {"kind":"country","id":"ITA"}
        /limit/measure
        /limit/measure ""
        /limit/measure "recipients"
        /limit/measure "money"
        /limit/window
        /limit/window ""
        /limit/window "week"
        /limit/window "PT5M"
        /limit/window "PT5M\n"
        /limit/amount
        /limit/amount ""
        /limit/amount 10
        /limit/amount "0"
        /limit/amount "-1"
        /limit/amount "abc"
        /limit/amount "1.0000001"
        /limit/amount "1000000000000"
        /limit/action "stop"
        /limit/action []
        /limit/enabled 0
        /limit/enabled ""
        /limit/enabled "true"
        /limit/thresholds {}
        /limit/thresholds ""
        /limit/thresholds [0]
        /limit/thresholds [101]
        /limit/thresholds [90,50]
        /limit/thresholds [50,50]
        /limit/thresholds [50.0]
        /limit/thresholds ["50"]
        /limit/thresholds [null]
        /limit/thresholds [true]
        /limit/thresholds [1,2,3,4,5,6,7,8,9,10,11]
        /limit/only false
        /limit/only ""
        /limit/only "otp"
        /limit/only {"purpose":5}
        /limit/only {"purpose":"otp"}
        /limit/only {"feature":"sms"}"#,
    );
    refused(&limit_set(), &format!("/reason {}", text_of(1025)));
    refused(&limit_set(), &format!("/actor {}", text_of(129)));
    refused(&limit_set(), &format!("/limit/limit_id \"{}\"", "x".repeat(65)));
    refused(&limit_set(), &format!("/type \"{}_set\"", "x".repeat(125)));
    let profile =
        |count| format!("/limit/scope {{\"kind\":\"profile\",\"id\":{}}}", text_of(count));
    taken(&limit_set(), &profile(128));
    refused(&limit_set(), &profile(129));
}

#[test]
fn limits_of_numbers_keep_to_their_rows_of_the_table() {
    let mut line = with(limit_set(), "/limit/scope", r#"{"kind":"sender","id":null}"#);
    for (path, value) in [
        ("/limit/measure", "\"requests\""),
        ("/limit/window", "\"PT5M\""),
        ("/limit/amount", "\"3\""),
    ] {
        line = with(line, path, value);
    }
    taken(
        &line,
        r#"/limit/scope {"kind":"recipient"}
        /limit/scope {"kind":"recipient","id":"+39"}
        /limit/amount "3.000000"
        /limit/amount "1000"
        /limit/only {"purpose":"otp","feature":"SMS"}
        /limit/window "PT1S"
        /limit/window "PT24H"
        /limit/window "PT86400S"
        /limit/window "PT1H30M"
        /limit/window "PT0H90M0S""#,
    );
    refused(
        &line,
        r#"/limit/scope {"kind":"recipient","id":5}
        /limit/measure "cost"
        /limit/measure "recipients"
        /limit/amount "3.5"
        /limit/amount "1001"
        /limit/window "day"
        /limit/window "month"
        /limit/window "PT0S"
        /limit/window "PT24H1S""#,
    );
    let tier = with(with(line, "/limit/measure", "\"recipients\""), "/limit/window", "\"day\"");
    taken(&tier, "/limit/amount \"100000\"\n/limit/only {\"feature\":\"whatsapp\"}");
    refused(
        &tier,
        r#"/limit/scope {"kind":"recipient"}
        /limit/window "month"
        /limit/window "PT5M"
        /limit/amount "2.5""#,
    );
}

#[test]
fn what_is_left_out_has_its_default() {
    assert_eq!(event(&with(billed(), "/requests", "")).requests, 1);
    let correction = with(billed(), "/cost", "\"-0.01\"");
    assert_eq!(event(&with(correction.clone(), "/requests", "null")).requests, 0);
    assert_eq!(event(&correction).requests, 1);
    let nothing = with(billed(), "/cost", "\"-0\"");
    assert_eq!(event(&with(nothing, "/requests", "")).requests, 1);
    assert_eq!(event(&with(billed(), "/country", "\"it\"")).country.as_deref(), Some("IT"));
    assert_eq!(event(&with(billed(), "/profile_id", "\"\"")).profile_id, None);
    let bare = ["action", "thresholds", "enabled", "only"]
        .iter()
        .fold(limit_set(), |line, key| with(line, &format!("/limit/{key}"), ""));
    let spec = limit(&bare);
    assert_eq!(spec.action, Action::Alert);
    assert_eq!(spec.thresholds, [50, 75, 90, 100]);
    assert!(spec.enabled);
    assert_eq!(spec.only, Only::default());
    assert_eq!(spec.amount, Amount::Cost(Money(10_000_000)));
    let number = r#"{"limit_id":"L1","scope":{"kind":"sender"},"measure":"recipients",
        "window":"day","amount":"1000"}"#;
    let spec = limit(&with(limit_set(), "/limit", number));
    assert_eq!((spec.scope.kind, spec.scope.id), (ScopeKind::Sender, None));
    assert_eq!(spec.thresholds, [0; 0]);
    assert_eq!(spec.amount, Amount::Count(1000));
}

#[test]
fn a_line_reached_the_log_when_it_says_or_when_it_happened() {
    let recorded = |line: Value| decode_line(line.to_string().as_bytes()).recorded_at;
    let at = |text| Some(Millis::parse(text).expect("a time"));
    let later = "\"2024-08-20T20:00:00.0019+01:00\"";
    assert_eq!(recorded(billed()), at("2024-08-20T19:17:08.918Z"));
    assert_eq!(recorded(with(billed(), "/recorded_at", later)), at("2024-08-20T19:00:00.001Z"));
    assert_eq!(recorded(limit_set()), at("2024-08-20T19:17:08.918Z"));
    assert_eq!(recorded(with(limit_set(), "/recorded_at", later)), at("2024-08-20T19:00:00.001Z"));
    let tick = json!({"type": "tick", "now": "2024-08-20T19:17:08Z", "recorded_at": "ignored"});
    assert_eq!(recorded(tick.clone()), at("2024-08-20T19:17:08Z"));
    refused(&tick, "/now\n/now null\n/now \"\"\n/now \"soon\"\n/now 5");
    assert_eq!(recorded(with(billed(), "/cost", "5")), None);
}

#[test]
fn of_a_repeated_key_the_last_counts() {
    let line = br#"{"event_id":5,"event_id":"a","event_id":"e","account_id":"x","feature":"sms",
        "cost":"1","cost":"2","occurred_at":"2024-08-20T19:17:08Z"}"#;
    match decode_line(line).input {
        Input::Billed(event) => {
            assert_eq!(event.event_id, "e");
            assert_eq!(event.cost, Money(2_000_000));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn escapes_are_read_before_anything_is_judged() {
    let line =
        br#"{"\u0065vent_id":"\u00e9\ud83d\ude00\n\"","account_id":"a\/b","feature":"s\u006ds",
        "cost":"\u0031","occurred_at":"2024-08-20T19:17:08Z"}"#;
    match decode_line(line).input {
        Input::Billed(event) => {
            assert_eq!(event.event_id, "é😀\n\"");
            assert_eq!(event.account_id, "a/b");
            assert_eq!(event.feature, "sms");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_object_is_undecodable_and_names_nothing() {
    let half = br#"{"account_id":"a","event_id":"\ud83d"}"#;
    for line in [
        b"".as_slice(),
        b"5",
        b"null",
        b"[]",
        b"\"x\"",
        b"NaN",
        b"{\"cost\":NaN}",
        b"{\"type\":\"tick\"",
        b"{\"type\":\"billed\",broken",
        b"{\"account_id\":\"a\"} x",
        b"{\"account_id\":\"a\",}",
        b"{'account_id':'a'}",
        b"{\"account_id\":\"\xff\"}",
        b"\xef\xbb\xbf{}",
        b"{\"x\":01}",
        b"{\"x\":\"\t\"}",
        half,
    ] {
        let refusal = refusal(decode_line(line).input).expect("refused");
        assert_eq!(refusal.reason, Reason::Undecodable, "{line:?}");
        assert_eq!((refusal.account_id, refusal.event_id, refusal.command_id), (None, None, None));
    }
    for line in [b"{}".as_slice(), b" \t{ } \r", b"{\"event_id\":5}"] {
        assert_eq!(refusal(decode_line(line).input).expect("refused").reason, Reason::Invalid);
    }
}
