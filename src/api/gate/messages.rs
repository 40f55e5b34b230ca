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
