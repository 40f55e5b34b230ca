//! What people read, and what never gets into it.

mod kinds;

use serde_json::{Value, json};

use super::*;
use crate::settings::Settings;
use crate::wire::{Decoder, Options};

/// A notice about a spend limit of 10.00 at 10.02, with other members where they are named.
fn notice(other: Value) -> Notice {
    let mut fields = json!({
        "type": "limit_reached", "id": "5350a98c-8577-5571-8ae6-4399c6c6420a",
        "account_id": "acme", "limit_id": "spend-be3eb60a-58f4-4a0c-a0a1-8c8a1b0b6d3f",
        "limit_version": 3,
        "scope": {"kind": "profile", "id": "be3eb60a-58f4-4a0c-a0a1-8c8a1b0b6d3f"},
        "measure": "cost", "window": "day", "window_start": "2024-08-20T00:00:00.000+00:00",
        "window_end": "2024-08-21T00:00:00.000+00:00", "action": "block",
        "configured_limit": "10.00", "before": "9.98", "current": "10.02",
        "now": "2024-08-20T19:17:08.918+00:00",
    });
    let members = fields.as_object_mut().expect("an object");
    members.extend(other.as_object().expect("an object").clone());
    serde_json::from_value(fields).expect("a notice")
}

/// Of the calendar month that the notice's day is in.
fn month(mut other: Value) -> Notice {
    let members = other.as_object_mut().expect("an object");
    members.insert("window".to_owned(), "month".into());
    members.insert("window_start".to_owned(), "2024-08-01T00:00:00.000+00:00".into());
    members.insert("window_end".to_owned(), "2024-09-01T00:00:00.000+00:00".into());
    notice(other)
}

fn words(notice: &Notice) -> Words {
    Words::of(notice, &About::default())
}

const MARKETING: About<'static> =
    About { limit_name: None, profile_name: Some("Größe & Co"), action: Some(Action::Block) };

#[test]
fn a_profiles_spend_limit_that_blocks() {
    let words = Words::of(&notice(json!({})), &MARKETING);
    assert_eq!(
        words.subject,
        "Blocked: Daily spend limit of messaging profile \"Größe & Co\" reached: 10.02 of 10.00 USD"
    );
    assert_eq!(
        words.text,
        "\
Daily spend limit of messaging profile \"Größe & Co\" reached: 10.02 of 10.00 USD.

Account:  acme
Limit:    spend-be3eb60a-58f4-4a0c-a0a1-8c8a1b0b6d3f, version 3
Counts:   cost in USD of profile be3eb60a-58f4-4a0c-a0a1-8c8a1b0b6d3f per UTC day
Used:     10.02 of 10.00 USD (100.2 %)
Since:    2024-08-20 00:00 UTC
When:     2024-08-20 19:17 UTC
Blocked:  until 2024-08-21 00:00 UTC

Stopped until 2024-08-21 00:00 UTC: new outbound messages of this profile (they get HTTP 429).
To lift the block before then, raise daily_spend_limit, or set daily_spend_limit_enabled to false:
  PATCH /v2/messaging_profiles/be3eb60a-58f4-4a0c-a0a1-8c8a1b0b6d3f

Decision 5350a98c-8577-5571-8ae6-4399c6c6420a
"
    );
    assert_eq!(
        words.slack,
        "\
*Blocked:* Daily spend limit of messaging profile \"Größe &amp; Co\" reached: 10.02 of 10.00 USD \
(100.2 %)
Account acme, since 2024-08-20 00:00 UTC, at 2024-08-20 19:17 UTC
Stopped until 2024-08-21 00:00 UTC: new outbound messages of this profile (they get HTTP 429).
To lift the block before then, raise daily_spend_limit, or set daily_spend_limit_enabled to false: \
`PATCH /v2/messaging_profiles/be3eb60a-58f4-4a0c-a0a1-8c8a1b0b6d3f`"
    );
    assert_eq!(
        words.sms,
        "Daily spend limit of messaging profile \"Größe & Co\" reached: 10.02 of 10.00 USD. \
         Blocked until 2024-08-21 00:00 UTC."
    );
}

#[test]
fn a_threshold_says_how_far_it_is_and_what_will_stop() {
    let crossed = json!({"type": "threshold_crossed", "threshold": 75, "direction": "up",
        "highest": true, "before": "7.4975", "current": "7.505"});
    let words = Words::of(&notice(crossed), &MARKETING);
    assert_eq!(
        words.subject,
        "75 % of the daily spend limit of messaging profile \"Größe & Co\" used: 7.505 of 10.00 USD"
    );
    assert!(words.text.contains("Used:     7.505 of 10.00 USD (75.1 %)\n"), "{}", words.text);
    assert!(!words.text.contains("Blocked"), "{}", words.text);
    let will = "Nothing is stopped. At the limit, this will be: new outbound messages of this \
                profile (they get HTTP 429).\nTo change the limit, raise daily_spend_limit";
    assert!(words.text.contains(will), "{}", words.text);
    assert!(words.slack.starts_with("*Warning:* 75 % of the daily spend limit"), "{}", words.slack);
    assert!(words.sms.ends_with("used: 7.505 of 10.00 USD. Nothing is stopped."), "{}", words.sms);
}

#[test]
fn a_threshold_of_a_step_that_reached_the_limit_says_what_stopped() {
    let crossed = json!({"type": "threshold_crossed", "threshold": 90, "direction": "up",
        "highest": true});
    let blocked = Words::of(&notice(crossed.clone()), &MARKETING);
    assert!(blocked.subject.starts_with("Blocked: 90 % of the daily spend limit of"));
    let alert = About { action: Some(Action::Alert), ..MARKETING };
    let goes_on = Words::of(&notice(crossed.clone()), &alert);
    assert!(goes_on.text.contains("Services go on"), "{}", goes_on.text);
    let unknown = words(&notice(crossed));
    assert!(unknown.text.contains("Nothing is stopped by this threshold."), "{}", unknown.text);
}

#[test]
fn a_threshold_that_ceased_to_hold_says_so() {
    let crossed = json!({"type": "threshold_crossed", "threshold": 75, "direction": "down",
        "highest": false, "before": "7.60", "current": "7.40"});
    let words = Words::of(&notice(crossed), &MARKETING);
    assert_eq!(
        words.sms,
        "Daily spend limit of messaging profile \"Größe & Co\" below 75 % again: 7.40 of 10.00 USD."
    );
    assert!(words.text.contains("A correction, or a change of the limit, brought this about."));
}

/// C1: what the totals have, to the last digit.
#[test]
fn money_is_never_rounded_and_percents_are_half_up() {
    for (current, limit, used, percent) in [
        ("9.999999", "10", "9.999999 of 10.00 USD", "100.0"),
        ("150.75", "500", "150.75 of 500.00 USD", "30.2"),
        ("0.0075", "999999999999.999999", "0.0075 of 999999999999.999999 USD", "0.0"),
        ("999999999999.999999", "0.000001", "999999999999.999999 of 0.000001 USD", ""),
        ("-5", "10", "-5.00 of 10.00 USD", "0.0"),
    ] {
        let crossed = json!({"type": "threshold_crossed", "threshold": 50, "direction": "up",
            "highest": true, "current": current, "configured_limit": limit});
        let text = words(&notice(crossed)).text;
        assert!(text.contains(&format!("{used} ({percent}")), "{text}");
    }
}

#[test]
fn foreign_names_add_no_line_and_no_mention() {
    let name = "x\r\nBcc: a@example.com\r\n\r\n<!channel> `https://example.com`";
    let about = About { profile_name: Some(name), ..About::default() };
    let fields = json!({"account_id": "acme\n<!here>", "limit_id": "spend-1",
        "scope": {"kind": "profile", "id": "p\r\n`@here"}});
    let words = Words::of(&notice(fields), &about);
    assert!(!words.subject.contains(['\r', '\n']), "{}", words.subject);
    assert!(!words.sms.contains(['\r', '\n']), "{}", words.sms);
    assert_eq!(
        words.text.lines().count(),
        Words::of(&notice(json!({})), &about).text.lines().count()
    );
    assert_eq!(words.slack.lines().count(), 4);
    for sign in ["<", "@h", "a@e", "://e", "example.com", "https://"] {
        assert!(!words.slack.contains(sign), "{sign}: {}", words.slack);
    }
    assert_eq!(words.slack.matches('`').count(), 2, "{}", words.slack);
    assert!(words.text.contains("PATCH /v2/messaging_profiles/p%0D%0A%60%40here\n"));
}

/// Longest names, ids and amounts that the formats let pass.
#[test]
fn a_short_message_fits_one_part() {
    let long = "N".repeat(128);
    let about = About { profile_name: Some(&long), limit_name: Some(&long), action: None };
    let number = format!("+{}", "9".repeat(127));
    let cases = [
        notice(json!({})),
        notice(
            json!({"configured_limit": "999999999999.999999", "current": "999999999999.999999"}),
        ),
        month(json!({"limit_id": "alert_0123456789abcdef01234567", "action": "alert",
            "scope": {"kind": "account", "id": null}})),
        notice(json!({"limit_id": "otp", "window": "PT23H59M59S", "window_start": null,
            "window_end": null, "scope": {"kind": "recipient", "id": number},
            "measure": "requests", "configured_limit": "1000", "before": "2", "current": "1000"})),
        notice(json!({"limit_id": "tier-h0", "measure": "recipients",
            "scope": {"kind": "sender", "id": number}, "configured_limit": "100000",
            "before": "0", "current": "100000"})),
        notice(json!({"type": "threshold_crossed", "threshold": 100, "direction": "up",
            "highest": true, "current": "9.999999"})),
    ];
    for notice in cases {
        for about in [about, About { profile_name: Some("数数数"), ..about }, About::default()] {
            let sms = Words::of(&notice, &about).sms;
            assert!(sms.chars().count() <= SMS_CHARS_MAX, "{}: {sms}", sms.chars().count());
            assert!(sms.chars().all(foreign::is_gsm), "{sms}");
        }
    }
}

#[test]
fn a_name_that_gsm_lacks_gives_way_to_the_id() {
    let about = About { profile_name: Some("数"), ..About::default() };
    let sms = Words::of(&notice(json!({})), &about).sms;
    assert!(sms.contains("profile be3eb60a-58f4-4a0c-a0a1-8c8a1b0b6d3f reached"), "{sms}");
}

#[test]
fn settings_say_what_is_known_of_a_limit() {
    let notice = notice(json!({"limit_id": "spend-1", "scope": {"kind": "profile", "id": "p1"}}));
    assert_eq!(About::of(&notice, &Account::default()), About::default());
    let spec = json!({"limit_id": "spend-1", "scope": {"kind": "profile", "id": "p1"},
        "measure": "cost", "window": "day", "amount": "10.00", "action": "block"});
    let limit = json!({"type": "limit_set", "limit": spec, "body": {"name": "Mine"}});
    let profile = json!({"type": "profile_set", "body": {"id": "p1", "name": "Marketing"}});
    let mut settings = Settings::new(0);
    let decoder = Decoder::new(&Options::default()).expect("a decoder");
    for mut command in [limit, profile] {
        let members = command.as_object_mut().expect("an object");
        for (member, value) in [
            ("command_id", "1"),
            ("account_id", "acme"),
            ("issued_at", "2024-08-20T00:00:00.000+00:00"),
            ("actor", "test"),
        ] {
            members.insert(member.to_owned(), value.into());
        }
        let recorded = decoder.decode_recorded(command.to_string().as_bytes());
        settings.apply(&recorded.expect("read without a registry").expect("a valid command"));
    }
    let known = About {
        limit_name: Some("Mine"),
        profile_name: Some("Marketing"),
        action: Some(Action::Block),
    };
    assert_eq!(About::of(&notice, &settings.account("acme")), known);
}
