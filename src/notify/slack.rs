//! Messages for Slack's incoming webhooks: what is posted, and what an answer means. Promise: the
//! answers that Slack documents are told apart by whether another attempt can help. It posts
//! nothing itself.

use std::time::Duration;

use serde_json::json;

use super::channel::Outcome;
use super::words::{Words, foreign};

/// Characters of an answer that are told.
const ANSWER_CHARS_MAX: usize = 100;

/// The JSON that is posted, `application/json`.
#[must_use]
pub fn body(words: &Words) -> Vec<u8> {
    json!({"text": words.slack}).to_string().into_bytes()
}

/// What an answer means for the delivery.
#[must_use]
pub fn outcome(status: u16, body: &str, retry_after: Option<Duration>) -> Outcome {
    let said = foreign::line(&format!("{status} {body}"), ANSWER_CHARS_MAX);
    match status {
        200..=299 => Outcome::Delivered { answer: said },
        // The channel is archived.
        410 => Outcome::Gone,
        // Too slow, too early, too often: of no matter in an hour.
        408 | 425 | 429 => Outcome::Failed { why: said, retry_after },
        400..=499 => Outcome::Refused { why: format!("{said}: {}", remedy(body.trim())) },
        _ => Outcome::Failed { why: said, retry_after },
    }
}

/// What to do about a refusal, by the word that Slack answers with.
fn remedy(word: &str) -> &'static str {
    match word {
        "action_prohibited" | "posting_to_general_channel_denied" => {
            "a rule of the Slack workspace forbids it; ask its administrators to allow it"
        }
        "invalid_payload" | "invalid_blocks" | "no_text" | "user_not_found" => {
            "Slack does not understand the message; is this the URL of an incoming webhook?"
        }
        // no_service, no_team, team_disabled, invalid_token, channel_not_found, …
        _ => {
            "the webhook or its channel is not there any more; make a new incoming webhook in \
             Slack and set its URL: slack of PUT /v2/billing/notifications"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_the_text_and_nothing_else() {
        let words = Words {
            subject: String::new(),
            text: String::new(),
            slack: "*Blocked:* \"Größe &amp; Co\"\nline".to_owned(),
            sms: String::new(),
        };
        let text = String::from_utf8(body(&words)).expect("UTF-8");
        assert_eq!(text, r#"{"text":"*Blocked:* \"Größe &amp; Co\"\nline"}"#);
    }

    /// api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks, and its page on
    /// rate limits.
    #[test]
    fn documented_answers_are_told_apart() {
        let wait = Some(Duration::from_secs(30));
        assert_eq!(outcome(200, "ok", None), Outcome::Delivered { answer: "200 ok".to_owned() });
        assert_eq!(outcome(410, "channel_is_archived", None), Outcome::Gone);
        for (status, word) in [(429, "rate_limited"), (500, "rollup_error"), (503, "")] {
            let why = format!("{status} {word}").trim().to_owned();
            assert_eq!(outcome(status, word, wait), Outcome::Failed { why, retry_after: wait });
        }
        for (status, word, remedy) in [
            (400, "invalid_payload", "is this the URL of an incoming webhook?"),
            (400, "user_not_found", "is this the URL of an incoming webhook?"),
            (403, "action_prohibited", "ask its administrators"),
            (403, "invalid_token", "make a new incoming webhook"),
            (404, "channel_not_found", "make a new incoming webhook"),
            (404, "no_service", "make a new incoming webhook"),
            (404, "no_team", "make a new incoming webhook"),
        ] {
            let Outcome::Refused { why } = outcome(status, word, wait) else { panic!("{word}") };
            assert!(why.starts_with(&format!("{status} {word}: ")), "{why}");
            assert!(why.contains(remedy), "{why}");
        }
    }

    #[test]
    fn other_answers_may_change_and_are_told_in_short() {
        let page = format!("<html>\r\n\u{1b}[31m{}", "x".repeat(10_000));
        let Outcome::Failed { why, retry_after: None } = outcome(302, &page, None) else {
            panic!("a redirect is no refusal");
        };
        assert!(why.starts_with("302 <html> [31mx"), "{why}");
        assert_eq!(why.chars().count(), ANSWER_CHARS_MAX);
        assert!(matches!(outcome(599, "", None), Outcome::Failed { .. }));
    }
}
