//! `POST /v2/gate/check`: may this send go?

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{self};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{State, denied, json, no_caller};
use crate::api::caller::Caller;
use crate::gate::{Send, Verdict};

/// Code points of a text, as in a billed event.
const TEXT_MAX: usize = 128;

const FIELDS: &str = "profile_id, feature, country, sender, recipient, purpose";

/// A misspelled field would let a send through that should be held: others are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GateQuestion)]
struct Question {
    #[schema(max_length = 128)]
    profile_id: Option<String>,
    /// A lower-case word: sms, voice, whatsapp, …
    #[schema(max_length = 128, pattern = "^[a-z][a-z0-9_]*$")]
    feature: String,
    /// ISO 3166-1 alpha-2.
    #[schema(pattern = "^[A-Za-z]{2}$")]
    country: Option<String>,
    #[schema(max_length = 128)]
    sender: Option<String>,
    #[schema(max_length = 128)]
    recipient: Option<String>,
    /// `otp`, `session`, …
    #[schema(max_length = 128)]
    purpose: Option<String>,
}

/// The send may go.
#[derive(Serialize, ToSchema)]
#[schema(as = GateAllowed)]
struct Allowed {
    allowed: bool,
    /// Milliseconds since the gate was known to have read everything; null before the first time.
    staleness_ms: Option<u64>,
}

/// Whether a send may go
#[utoipa::path(
    post, path = "/v2/gate/check", tag = "Gate", request_body = Question,
    responses(
        (status = 200, body = Allowed, description = "The send may go"),
        (status = 429, body = Value, description = "A limit holds it: the body is that of the \
            product whose limit ends last; Retry-After says when"),
        (status = 400, body = Value, description = "The request cannot be read"),
        (status = 401, body = Value, description = "No valid API key"),
        (status = 403, body = Value, description = "The API key lacks the scope gate"),
        (status = 413, body = Value, description = "The body is too large"),
        (status = 422, body = Value, description = "The request breaks a rule"),
        (status = 503, body = Value, description = "The gate does not know, or is too busy"),
        (status = 504, body = Value, description = "Not in time"),
    ),
)]
pub(super) async fn check(
    extract::State(state): extract::State<Arc<State>>,
    caller: Option<Extension<Caller>>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(Extension(caller)) = caller else { return no_caller() };
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return refused(rejection.status(), &rejection.body_text()),
    };
    let question: Question = match serde_json::from_slice(&body) {
        Ok(question) => question,
        Err(fault) if fault.is_data() => {
            let told = format!("{fault}. Send an object with feature and any of: {FIELDS}.");
            return refused(StatusCode::UNPROCESSABLE_ENTITY, &told);
        }
        Err(fault) => {
            let told = format!("The body is no JSON: {fault}. Send an object with: {FIELDS}.");
            return refused(StatusCode::BAD_REQUEST, &told);
        }
    };
    if let Some(rule) = broken_rule(&question) {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, &rule);
    }
    let send = Send {
        account: &caller.account_id,
        profile: question.profile_id.as_deref(),
        feature: &question.feature,
        country: question.country.as_deref(),
        sender: question.sender.as_deref(),
        recipient: question.recipient.as_deref(),
        purpose: question.purpose.as_deref(),
    };
    match state.ask(&send) {
        Verdict::Allow => {
            let staleness = state.gate.staleness().map(|staleness| staleness.as_millis());
            let staleness_ms = staleness.and_then(|ms| u64::try_from(ms).ok());
            Json(Allowed { allowed: true, staleness_ms }).into_response()
        }
        Verdict::Deny(denial) => denied::answer(&denial).into_response(),
    }
}

/// What no billed event could carry, and what to send instead.
fn broken_rule(question: &Question) -> Option<String> {
    let Question { profile_id, feature, country, sender, recipient, purpose } = question;
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    if !feature.starts_with(|first: char| first.is_ascii_lowercase()) || !feature.bytes().all(inner)
    {
        return Some("feature: send a lower-case word such as sms, voice or whatsapp.".to_owned());
    }
    let letters =
        |code: &String| code.len() == 2 && code.bytes().all(|it| it.is_ascii_alphabetic());
    if country.as_ref().is_some_and(|code| !letters(code)) {
        return Some("country: send two letters (ISO 3166-1 alpha-2), or leave it out.".to_owned());
    }
    let texts = [
        ("profile_id", profile_id.as_deref()),
        ("feature", Some(feature.as_str())),
        ("sender", sender.as_deref()),
        ("recipient", recipient.as_deref()),
        ("purpose", purpose.as_deref()),
    ];
    let long = |text: &str| text.chars().count() > TEXT_MAX;
    let (name, _) = texts.into_iter().find(|(_, text)| text.is_some_and(long))?;
    Some(format!("{name}: send at most {TEXT_MAX} characters."))
}

fn refused(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Refused");
    json(
        status,
        &json!({"type": "about:blank", "title": title, "status": status.as_u16(),
        "detail": detail}),
    )
}
