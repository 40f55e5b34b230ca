//! `POST /v2/messages`: the send call of the vendor's SDK, asked about and forwarded.
//! Promise: the bytes that were judged are the bytes that go on; a body that another reader could
//! understand otherwise (a repeated key) is refused.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{State, denied, json, no_caller};
use crate::api::caller::Caller;
use crate::gate::{Send, Verdict};

/// What a message is for (`otp`, `session`, …): the SDK's call has no field for it.
pub(super) const PURPOSE: &str = "x-tollgate-purpose";

/// The fields that matter to the gate; all others pass.
#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    messaging_profile_id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

/// What the gate reads of a message; all other members are for the upstream.
#[derive(ToSchema)]
#[schema(as = OutboundMessage)]
#[expect(dead_code, reason = "describes what `Message` borrows")]
struct Sent {
    /// The recipient, +E.164.
    to: String,
    /// The sender.
    from: Option<String>,
    messaging_profile_id: Option<String>,
    /// `SMS` or `MMS`.
    r#type: Option<String>,
}

/// Send a message, if the gate lets it
///
/// The vendor's call: an allowed message goes to the upstream byte for byte, whose answer is given
/// back; unknown members are kept.
#[utoipa::path(
    post, path = "/v2/messages", tag = "Gate",
    request_body(content = Sent, content_type = "application/json"),
    responses(
        (status = 200, body = Value, description = "The upstream's answer, whatever its status"),
        (status = 429, body = Value, description = "A limit holds it; Retry-After says until when"),
        (status = 400, body = Value, description = "The request cannot be read"),
        (status = 401, body = Value, description = "No valid API key"),
        (status = 403, body = Value, description = "The API key lacks the scope gate"),
        (status = 413, body = Value, description = "The body is too large"),
        (status = 422, body = Value, description = "The request breaks a rule"),
        (status = 501, body = Value, description = "No upstream is configured"),
        (status = 502, body = Value, description = "The upstream failed"),
        (status = 503, body = Value, description = "The gate does not know, or is too busy"),
        (status = 504, body = Value, description = "The upstream did not answer in time"),
    ),
)]
pub(super) async fn send(
    extract::State(state): extract::State<Arc<State>>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(Extension(caller)) = caller else { return no_caller() };
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            let told = fault("10015", "Bad Request", &rejection.body_text());
            return json(rejection.status(), &told);
        }
    };
    let message: Message<'_> = match serde_json::from_slice(&body) {
        Ok(message) => message,
        Err(error) => return misread(&error),
    };
    let mms = message.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("mms"));
    let send = Send {
        account: &caller.account_id,
        profile: message.messaging_profile_id.as_deref(),
        feature: if mms { &state.mms_feature } else { "sms" },
        country: state.dial.country(&message.to),
        sender: message.from.as_deref(),
        recipient: Some(&message.to),
        purpose: headers.get(PURPOSE).and_then(|purpose| purpose.to_str().ok()),
    };
    if let Verdict::Deny(denial) = state.ask(&send) {
        return denied::answer(&denial).into_response();
    }
    match &state.upstream {
        Some(upstream) => upstream.forward(&headers, body).await,
        None => {
            let detail = "The gate would let this message go, and there is nowhere to send it: \
                          set gate.upstream to the address of the messaging API.";
            let told = fault("10013", "No upstream is configured", detail);
            json(StatusCode::NOT_IMPLEMENTED, &told)
        }
    }
}

fn misread(error: &serde_json::Error) -> Response {
    if error.is_data() {
        let told = format!("{error}. Send to as a text, and from, type as texts if any.");
        return json(StatusCode::UNPROCESSABLE_ENTITY, &fault("10004", "Invalid parameter", &told));
    }
    let told = format!("The body is no JSON: {error}.");
    json(StatusCode::BAD_REQUEST, &fault("10015", "Bad Request", &told))
}

/// An error as the vendor's SDK reads it.
pub(super) fn fault(code: &str, title: &str, detail: &str) -> Value {
    json!({"errors": [{"code": code, "title": title, "detail": detail}]})
}
