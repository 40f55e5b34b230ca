//! What people read, word for word, for each kind of limit.

use serde_json::json;

use super::super::{About, Words};
use super::{month, notice, words};

/// A2, A7: each word of the account's limits, blocking or only telling.
#[test]
fn limits_of_the_account() {
    let account = json!({"kind": "account", "id": null});
    let feature = |id: &str| json!({"kind": "feature", "id": id});
    let everything = "everything the account is charged for (API calls, SMS, voice)";
    for (word, scope, headline, covers) in [
        ("monthly", account.clone(), "Monthly spend limit reached", everything),
        ("daily", account, "Daily spend limit reached", everything),
        ("sms", feature("sms"), "Monthly spend limit for SMS reached", "SMS"),
        ("voice", feature("voice"), "Monthly spend limit for voice reached", "voice"),
        (
            "numbers",
            feature("numbers"),
            "Monthly spend limit for phone numbers reached",
            "phone numbers",
        ),
        (
            "features",
            feature("features"),
            "Monthly spend limit for paid features reached",
            "paid features",
        ),
    ] {
        let fields = json!({"limit_id": format!("limit_{word}"), "scope": scope,
            "configured_limit": "500.00", "current": "500.0075"});
        let notice = if word == "daily" { notice(fields) } else { month(fields) };
        let until = if word == "daily" { "2024-08-21" } else { "2024-09-01" };
        let words = words(&notice);
        assert_eq!(words.subject, format!("Blocked: {headline}: 500.0075 of 500.00 USD"));
        assert_eq!(
            words.sms,
            format!("{headline}: 500.0075 of 500.00 USD. Blocked until {until} 00:00 UTC.")
        );
        let remedy = format!(
            "\nStopped until {until} 00:00 UTC: {covers}.\n\
             To lift the block before then, raise its amount, set its action to alert, or remove \
             it:\n  PUT /v2/billing/limits/{word}\n  DELETE /v2/billing/limits/limit_{word}\n"
        );
        assert!(words.text.contains(&remedy), "{}", words.text);
        assert!(words.text.contains("(100.0 %)"), "{}", words.text);
        let requests =
            format!("`PUT /v2/billing/limits/{word}` or `DELETE /v2/billing/limits/limit_{word}`");
        assert!(words.slack.ends_with(&requests), "{}", words.slack);
    }
    let telling = json!({"limit_id": "limit_monthly", "scope": {"kind": "account", "id": null},
        "action": "alert"});
    let words = words(&month(telling));
    assert_eq!(words.subject, "Monthly spend limit reached: 10.02 of 10.00 USD");
    assert_eq!(words.sms, "Monthly spend limit reached: 10.02 of 10.00 USD. Services go on.");
    assert!(
        words.text.contains("\nServices go on: this limit stops nothing.\nTo change the limit,")
    );
    assert!(words.slack.starts_with("*Reached:* Monthly spend limit reached"));
}

#[test]
fn an_alert_goes_by_its_name() {
    let fields = json!({"limit_id": "alert_0123456789abcdef01234567", "action": "alert",
        "scope": {"kind": "feature", "id": "api"}, "measure": "requests",
        "configured_limit": "100", "before": "99", "current": "101"});
    let about = About { limit_name: Some("Too many calls"), ..About::default() };
    let words = Words::of(&month(fields), &about);
    assert_eq!(
        words.text,
        "\
Threshold of alert \"Too many calls\" reached: 101 of 100 requests.

Account:  acme
Limit:    alert_0123456789abcdef01234567, version 3
Counts:   requests of feature api per UTC month
Used:     101 of 100 requests (101.0 %)
Since:    2024-08-01 00:00 UTC
When:     2024-08-20 19:17 UTC

Services go on: this limit stops nothing.
To change the limit, remove the alert, and make another:
  DELETE /v2/billing/alerts/alert_0123456789abcdef01234567
  POST /v2/billing/alerts

Decision 5350a98c-8577-5571-8ae6-4399c6c6420a
"
    );
    assert_eq!(
        words.sms,
        "Threshold of alert \"Too many calls\" reached: 101 of 100 requests. Services go on."
    );
}

/// K4, K8: each of a country's limits is changed by its own member.
#[test]
fn limits_of_a_country() {
    let fields = |limit_id: &str| {
        json!({"limit_id": limit_id, "scope": {"kind": "country", "id": "IT"},
            "measure": "requests", "configured_limit": "10", "before": "9", "current": "10"})
    };
    let daily = words(&notice(fields("country_IT_day")));
    assert_eq!(
        daily.sms,
        "Daily request limit of messages to country IT reached: 10 of 10 requests. Blocked until \
         2024-08-21 00:00 UTC."
    );
    let remedy = "Stopped until 2024-08-21 00:00 UTC: messages to this country (they get the \
                  status NOT SENT).\n\
                  To lift the block before then, raise daily_limit, or remove the limits of the \
                  country:\n  PUT /v2/countries/limits/IT\n  DELETE /v2/countries/limits/IT\n";
    assert!(daily.text.contains(remedy), "{}", daily.text);
    let monthly = words(&month(fields("country_IT_month")));
    assert!(monthly.text.contains("raise monthly_limit, or"), "{}", monthly.text);
    assert!(monthly.subject.contains("Monthly request limit of messages to country IT reached"));
}

/// O1: until when follows from the oldest.
#[test]
fn one_time_passwords_to_a_number() {
    let words = words(&notice(json!({"limit_id": "otp", "window": "PT300S", "window_start": null,
        "window_end": null, "scope": {"kind": "recipient", "id": "+393331234567"},
        "measure": "requests", "configured_limit": "3", "before": "2", "current": "3"})));
    assert_eq!(
        words.text,
        "\
Limit of one-time passwords to +393331234567 reached: 3 of 3 requests.

Account:  acme
Limit:    otp, version 3
Counts:   requests of recipient +393331234567 in any 5 minutes
Used:     3 of 3 requests (100.0 %)
Since:    5 minutes before
When:     2024-08-20 19:17 UTC
Blocked:  until the oldest of them is 5 minutes old

Stopped until the oldest of them is 5 minutes old: one-time passwords to this number.
To lift the block before then, raise count, or set enabled to false:
  PUT /v2/otp/limit

Decision 5350a98c-8577-5571-8ae6-4399c6c6420a
"
    );
    assert_eq!(
        words.sms,
        "Limit of one-time passwords to +393331234567 reached: 3 of 3 requests. Blocked until the \
         oldest of them is 5 minutes old."
    );
}

/// O4.
#[test]
fn the_tier_of_a_whatsapp_sender() {
    let words = words(&notice(json!({"limit_id": "tier-15550001", "measure": "recipients",
        "scope": {"kind": "sender", "id": "+15550001"}, "configured_limit": "1000",
        "before": "999", "current": "1000"})));
    assert_eq!(
        words.sms,
        "Daily contact limit of WhatsApp sender +15550001 reached: 1000 of 1000 contacts. Blocked \
         until 2024-08-21 00:00 UTC."
    );
    assert!(words.text.contains("Counts:   different recipients of sender +15550001 per UTC day"));
    assert!(words.text.contains("set a higher tier:\n  PUT /v2/whatsapp/senders/+15550001\n"));
}

#[test]
fn a_limit_that_was_recorded_by_hand_is_called_by_what_it_measures() {
    for (scope, window, headline) in [
        (json!({"kind": "account", "id": null}), "day", "Daily spend limit of the account"),
        (json!({"kind": "feature", "id": "rcs"}), "day", "Daily spend limit for feature rcs"),
        (
            json!({"kind": "profile", "id": "p1"}),
            "day",
            "Daily spend limit of messaging profile p1",
        ),
        (
            json!({"kind": "country", "id": "IT"}),
            "day",
            "Daily spend limit of messages to country IT",
        ),
        (json!({"kind": "recipient", "id": "+39"}), "PT1H", "Spend limit of messages to +39"),
        (json!({"kind": "sender", "id": "+1"}), "PT1H", "Spend limit of sender +1"),
    ] {
        // Another's id does not make it that one.
        for limit_id in ["limit_7", "limit_sms", "limit_monthly"] {
            let fields = json!({"limit_id": limit_id, "scope": scope, "window": window});
            let words = words(&notice(fields));
            assert_eq!(words.subject, format!("Blocked: {headline} reached: 10.02 of 10.00 USD"));
            assert!(words.text.contains("record a limit_set of it with a higher amount"));
        }
    }
}
