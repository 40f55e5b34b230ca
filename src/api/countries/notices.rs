//! Notification sets: at which percent of a country's limit whose mailboxes are told (K5).
//! Promise: percents are whole, addresses look like addresses, and a limit's thresholds are the
//! percents of its sets.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::emails::Emails;
use crate::api::fault::Fault;

/// Sets of one limit: as many as it may have thresholds (FORMATS.md, "Command").
const SETS_MAX: usize = 10;
/// A set as it is asked for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = NotificationSetRequest)]
pub struct Asked {
    /// Percent of the limit.
    #[schema(value_type = u8, minimum = 1, maximum = 100)]
    trigger_after: i64,
    emails: Emails,
}

/// Who is told at which percent of the limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotificationSet)]
pub struct Notice {
    trigger_after: u8,
    emails: Vec<String>,
}

/// The sets of one limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices(Vec<Notice>);

impl Notices {
    /// # Errors
    /// 422 with the place inside `member`.
    pub fn asked(member: &str, asked: &[Asked]) -> Result<Notices, Fault> {
        if asked.len() > SETS_MAX {
            let detail = format!("{member} has at most {SETS_MAX} sets.");
            return Err(Fault::invalid(member, detail));
        }
        let sets = asked.iter().enumerate();
        let notices = sets.map(|(number, set)| set.checked(&format!("{member}[{number}]")));
        Ok(Notices(notices.collect::<Result<_, Fault>>()?))
    }

    /// As a setting's body has them; none where there are none.
    #[must_use]
    pub fn recorded(sets: Option<&Value>) -> Notices {
        let read = |set: &Value| serde_json::from_value(set.clone()).ok();
        let sets = sets.and_then(Value::as_array);
        Notices(sets.into_iter().flatten().filter_map(read).collect())
    }

    #[must_use]
    pub fn value(&self) -> Value {
        json!(self.0)
    }

    #[must_use]
    pub fn shown(&self) -> Vec<Notice> {
        self.0.clone()
    }

    /// Each once, rising: the thresholds of the limit.
    #[must_use]
    pub fn percents(&self) -> Vec<u8> {
        let mut percents: Vec<u8> = self.0.iter().map(|set| set.trigger_after).collect();
        percents.sort_unstable();
        percents.dedup();
        percents
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Asked {
    fn checked(&self, place: &str) -> Result<Notice, Fault> {
        let percent = u8::try_from(self.trigger_after).ok().filter(|it| (1..=100).contains(it));
        let Some(trigger_after) = percent else {
            let detail = "trigger_after is a whole percent in 1 to 100.";
            return Err(Fault::invalid(format!("{place}.trigger_after"), detail));
        };
        let emails = self.emails.checked(&format!("{place}.emails"))?;
        Ok(Notice { trigger_after, emails })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(sets: Value) -> Result<Notices, Fault> {
        let sets: Vec<Asked> = serde_json::from_value(sets).expect("the shape of sets");
        Notices::asked("daily_notifications", &sets)
    }

    /// K5's example: 50 % to one, 85 % to more.
    #[test]
    fn sets_give_the_thresholds_and_keep_each_address_once() {
        let notices = asked(json!([
            {"trigger_after": 85, "emails": "a@example.com, b@example.com,a@example.com"},
            {"trigger_after": 50, "emails": ["ops@example.co.uk"]},
            {"trigger_after": 85, "emails": "c@example.com"},
        ]))
        .expect("valid sets");
        assert_eq!(notices.percents(), [50, 85]);
        assert_eq!(notices.0[0].emails, ["a@example.com", "b@example.com"]);
        assert_eq!(Notices::recorded(Some(&notices.value())), notices);
    }

    #[test]
    fn sets_that_break_a_rule_are_refused_with_their_place() {
        for (sets, place) in [
            (json!([{"trigger_after": 0, "emails": "a@b.c"}]), "[0].trigger_after"),
            (json!([{"trigger_after": 101, "emails": "a@b.c"}]), "[0].trigger_after"),
            (json!([{"trigger_after": 50, "emails": ""}]), "[0].emails"),
            (json!([{"trigger_after": 50, "emails": []}]), "[0].emails"),
            (json!([{"trigger_after": 50, "emails": "a@b.c,"}]), "[0].emails"),
            (json!([{"trigger_after": 50, "emails": "a@b"}]), "[0].emails"),
            (json!([{"trigger_after": 50, "emails": "a@b.c\r\nBcc: d@e.f"}]), "[0].emails"),
            (json!([{"trigger_after": 50, "emails": ["a@b.c", "a@b..c"]}]), "[0].emails"),
            (json!([{"trigger_after": 50, "emails": ["a b@c.d"]}]), "[0].emails"),
            (json!(vec![json!({"trigger_after": 1, "emails": "a@b.c"}); 11]), ""),
        ] {
            let refused = asked(sets.clone()).expect_err("against a rule");
            assert_eq!(refused.place, Some(format!("daily_notifications{place}")), "{sets}");
        }
    }
}
