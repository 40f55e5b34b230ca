//! The body of a webhook (T4). Promise: the daily spend limit of a profile is told as the vendor
//! tells it, to the letter; all else in the same envelope, under event types of our own, as
//! `schemas/webhook.schema.json` describes them. A body depends on its arguments alone, so that an
//! attempt after a restart says the same.

use serde::Serialize;

use crate::fold::limit::{Measure, ScopeKind};
use crate::wire::{Notice, What};

/// Why a webhook is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A limit was reached or a threshold crossed.
    Decision,
    /// Somebody wants to see whether webhooks arrive; the notice is made up.
    Trial,
}

/// What `event_type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// The daily spend limit of a messaging profile was reached.
    ProfileSpendLimitReached,
    /// Any other limit was.
    LimitReached,
    ThresholdCrossed,
    Trial,
}

impl EventType {
    /// What a webhook of this notice is called. The vendor's name goes by what is limited, not by
    /// how the limit came about.
    #[must_use]
    pub fn of(notice: &Notice, occasion: Occasion) -> EventType {
        let profile = notice.scope.kind == ScopeKind::Profile && notice.scope.id.is_some();
        let daily_spend = notice.measure == Measure::Cost && notice.window == "day";
        match (occasion, notice.what) {
            (Occasion::Trial, _) => EventType::Trial,
            (Occasion::Decision, What::Reached { .. }) if profile && daily_spend => {
                EventType::ProfileSpendLimitReached
            }
            (Occasion::Decision, What::Reached { .. }) => EventType::LimitReached,
            (Occasion::Decision, What::Crossed { .. }) => EventType::ThresholdCrossed,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::ProfileSpendLimitReached => "messaging-profile.spend-limit-reached",
            EventType::LimitReached => "limit.reached",
            EventType::ThresholdCrossed => "limit.threshold-crossed",
            EventType::Trial => "notification.test",
        }
    }
}

/// The fields in the order of T4: receivers compare texts, though they should not.
#[derive(Serialize)]
struct Envelope<'a> {
    data: Event<'a>,
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Event<'a> {
    event_type: &'static str,
    id: String,
    occurred_at: String,
    payload: Payload<'a>,
    record_type: &'static str,
}

#[derive(Serialize)]
struct Meta<'a> {
    attempt: u32,
    delivered_to: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    ProfileSpend(ProfileSpend<'a>),
    Limit(Limit<'a>),
}

#[derive(Serialize)]
struct ProfileSpend<'a> {
    configured_limit: String,
    current_cost: String,
    profile_id: Option<&'a str>,
}

/// The fields of the decision (FORMATS.md), without what only machines of ours need.
#[derive(Serialize)]
struct Limit<'a> {
    account_id: &'a str,
    limit_id: &'a str,
    limit_version: u32,
    scope: Scope<'a>,
    measure: &'static str,
    window: &'a str,
    window_start: Option<String>,
    window_end: Option<String>,
    configured_limit: String,
    before: String,
    current: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(flatten)]
    crossing: Option<Crossing>,
}

#[derive(Serialize)]
struct Scope<'a> {
    kind: &'static str,
    id: Option<&'a str>,
}

#[derive(Serialize)]
struct Crossing {
    threshold: u8,
    direction: &'static str,
    highest: bool,
}

/// The bytes to send, and to sign as they are. `attempt` counts from 1; `delivered_to` is the URL
/// of this attempt.
#[must_use]
pub fn body(notice: &Notice, occasion: Occasion, attempt: u32, delivered_to: &str) -> Vec<u8> {
    let event_type = EventType::of(notice, occasion);
    let payload = match event_type {
        EventType::ProfileSpendLimitReached => Payload::ProfileSpend(ProfileSpend {
            configured_limit: notice.configured_limit.to_string(),
            current_cost: notice.current.to_string(),
            profile_id: notice.scope.id.as_deref(),
        }),
        EventType::LimitReached | EventType::ThresholdCrossed | EventType::Trial => {
            Payload::Limit(limit(notice))
        }
    };
    let envelope = Envelope {
        data: Event {
            event_type: event_type.as_str(),
            id: notice.id.to_string(),
            occurred_at: notice.now.to_string(),
            payload,
            record_type: "event",
        },
        meta: Meta { attempt, delivered_to },
    };
    serde_json::to_vec(&envelope).expect("texts and numbers are JSON")
}

fn limit(notice: &Notice) -> Limit<'_> {
    let (action, crossing) = match notice.what {
        What::Reached { action } => (Some(action.as_str()), None),
        What::Crossed { threshold, direction, highest } => {
            (None, Some(Crossing { threshold, direction: direction.as_str(), highest }))
        }
    };
    Limit {
        account_id: &notice.account_id,
        limit_id: &notice.limit_id,
        limit_version: notice.limit_version,
        scope: Scope { kind: notice.scope.kind.as_str(), id: notice.scope.id.as_deref() },
        measure: notice.measure.as_str(),
        window: &notice.window,
        window_start: notice.bounds.map(|bounds| bounds.start.to_string()),
        window_end: notice.bounds.map(|bounds| bounds.end.to_string()),
        configured_limit: notice.configured_limit.to_string(),
        before: notice.before.to_string(),
        current: notice.current.to_string(),
        action,
        crossing,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::fold::decision::Direction;
    use crate::fold::limit::{Action, Amount, Bounds, Scope as LimitScope};
    use crate::money::Money;
    use crate::time::Millis;

    fn cost(text: &str) -> Amount {
        Amount::Cost(Money::parse(text).expect("money"))
    }

    /// The profile of T4, 10.02 of 10.
    fn notice() -> Notice {
        let profile = "be3eb60a-6e2f-4a3b-9d2f-0d4c0c6a7b10";
        Notice {
            id: Uuid::from_u128(0x6f1c_0000_0000_5000_8000_0000_0000_0001),
            account_id: "acme".to_owned(),
            limit_id: "limit_7".to_owned(),
            limit_version: 3,
            scope: LimitScope { kind: ScopeKind::Profile, id: Some(profile.into()) },
            measure: Measure::Cost,
            window: "day".to_owned(),
            bounds: Some(Bounds {
                start: Millis(1_724_112_000_000),
                end: Millis(1_724_198_400_000),
            }),
            what: What::Reached { action: Action::Block },
            configured_limit: cost("10"),
            before: cost("9.98"),
            current: cost("10.02"),
            now: Millis(1_724_181_428_918),
            command_offset: None,
        }
    }

    fn text(notice: &Notice, occasion: Occasion, attempt: u32, to: &str) -> String {
        String::from_utf8(body(notice, occasion, attempt, to)).expect("UTF-8")
    }

    #[test]
    fn a_profiles_spend_limit_is_told_to_the_letter() {
        let to = "https://example.com/webhook-url";
        let expected = r#"{"data":{"event_type":"messaging-profile.spend-limit-reached","#
            .to_owned()
            + r#""id":"6f1c0000-0000-5000-8000-000000000001","#
            + r#""occurred_at":"2024-08-20T19:17:08.918+00:00","payload":{"#
            + r#""configured_limit":"10.00","current_cost":"10.02","#
            + r#""profile_id":"be3eb60a-6e2f-4a3b-9d2f-0d4c0c6a7b10"},"record_type":"event"},"#
            + r#""meta":{"attempt":1,"delivered_to":"https://example.com/webhook-url"}}"#;
        assert_eq!(text(&notice(), Occasion::Decision, 1, to), expected);
        let alert = Notice { what: What::Reached { action: Action::Alert }, ..notice() };
        assert_eq!(text(&alert, Occasion::Decision, 1, to), expected);
    }

    #[test]
    fn money_is_never_rounded_across_the_limit() {
        let close = Notice { current: cost("10.000001"), ..notice() };
        let told = text(&close, Occasion::Decision, 2, "https://b.example/");
        assert!(told.contains(r#""current_cost":"10.000001""#), "{told}");
        assert!(told.ends_with(r#""attempt":2,"delivered_to":"https://b.example/"}}"#), "{told}");
    }

    #[test]
    fn any_other_limit_is_told_in_our_own_words() {
        let month = Notice { window: "month".to_owned(), ..notice() };
        let expected = r#"{"data":{"event_type":"limit.reached","#.to_owned()
            + r#""id":"6f1c0000-0000-5000-8000-000000000001","#
            + r#""occurred_at":"2024-08-20T19:17:08.918+00:00","payload":{"#
            + r#""account_id":"acme","limit_id":"limit_7","limit_version":3,"#
            + r#""scope":{"kind":"profile","id":"be3eb60a-6e2f-4a3b-9d2f-0d4c0c6a7b10"},"#
            + r#""measure":"cost","window":"month","#
            + r#""window_start":"2024-08-20T00:00:00.000+00:00","#
            + r#""window_end":"2024-08-21T00:00:00.000+00:00","#
            + r#""configured_limit":"10.00","before":"9.98","current":"10.02","#
            + r#""action":"block"},"record_type":"event"},"#
            + r#""meta":{"attempt":1,"delivered_to":"u"}}"#;
        assert_eq!(text(&month, Occasion::Decision, 1, "u"), expected);
    }

    #[test]
    fn a_crossing_names_its_threshold_and_a_sliding_limit_its_number() {
        let crossed = What::Crossed { threshold: 75, direction: Direction::Up, highest: true };
        let sliding = Notice {
            scope: LimitScope { kind: ScopeKind::Recipient, id: Some("+393331234567".into()) },
            measure: Measure::Requests,
            window: "PT5M".to_owned(),
            bounds: None,
            what: crossed,
            configured_limit: Amount::Count(4),
            before: Amount::Count(2),
            current: Amount::Count(3),
            ..notice()
        };
        let expected = r#""payload":{"account_id":"acme","limit_id":"limit_7","#.to_owned()
            + r#""limit_version":3,"scope":{"kind":"recipient","id":"+393331234567"},"#
            + r#""measure":"requests","window":"PT5M","window_start":null,"window_end":null,"#
            + r#""configured_limit":"4","before":"2","current":"3","#
            + r#""threshold":75,"direction":"up","highest":true}"#;
        let told = text(&sliding, Occasion::Decision, 1, "u");
        assert!(told.contains(r#""event_type":"limit.threshold-crossed""#), "{told}");
        assert!(told.contains(&expected), "{told}");
        let profile = Notice { what: crossed, ..notice() };
        let event_type = EventType::of(&profile, Occasion::Decision);
        assert_eq!(event_type, EventType::ThresholdCrossed);
    }

    /// Nobody's program may take a trial for a limit.
    #[test]
    fn a_trial_is_called_one() {
        let told = text(&notice(), Occasion::Trial, 1, "u");
        assert!(told.starts_with(r#"{"data":{"event_type":"notification.test","#), "{told}");
        assert!(told.contains(r#""payload":{"account_id":"acme","#), "{told}");
    }
}
