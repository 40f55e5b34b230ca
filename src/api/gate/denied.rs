//! A denial as the product whose limit holds the send would put it (T3, A7, K4, O2).
//! Promise: the limit that ends last decides over the form; 429 says when to try again, and that a
//! client shall not do so by itself before. All other blocks are listed, except in T3's body,
//! which is to the letter.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::fold::limit::ScopeKind;
use crate::gate::{Cause, Denial};
use crate::wire::BlockSeen;

/// T3, byte for byte.
pub(super) const PROFILE_BODY: &str = concat!(
    r#"{"errors":[{"code":"40333","title":"Messaging profile spend limit reached","#,
    r#""detail":"The daily spend limit configured on this messaging profile has been reached","#,
    r#""meta":{"url":"https://developers.telnyx.com/docs/overview/errors/40333"}}]}"#,
);

/// Seconds after which a stale gate may know more.
const STALE_RETRY_S: u64 = 1;

pub(super) fn answer(denial: &Denial) -> (StatusCode, HeaderMap, String) {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let (status, body) = match denial.cause() {
        Cause::Stale => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(STALE_RETRY_S));
            (StatusCode::SERVICE_UNAVAILABLE, stale(denial).to_string())
        }
        cause => {
            let no_retry = HeaderName::from_static("x-should-retry");
            headers.insert(no_retry, HeaderValue::from_static("false"));
            if let Some(seconds) = denial.retry_after_s() {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            let body = match cause {
                Cause::Block(block) => {
                    name(&mut headers, block);
                    held(denial, block)
                }
                Cause::SessionClosed | Cause::Stale => session(denial).to_string(),
            };
            (StatusCode::TOO_MANY_REQUESTS, body)
        }
    };
    (status, headers, body)
}

/// The facts that T3's body has no place for.
fn name(headers: &mut HeaderMap, block: &BlockSeen) {
    let facts = [
        ("x-tollgate-limit", block.limit_id.clone()),
        ("x-tollgate-scope", block.scope.kind.as_str().to_owned()),
        ("x-tollgate-blocked-until", ends(block)),
    ];
    for (name, fact) in facts {
        // A limit_id is plain by its rule; whatever else came is left out.
        if let Ok(value) = HeaderValue::from_str(&fact) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

fn ends(block: &BlockSeen) -> String {
    block.blocked_until.map_or_else(|| "unknown".to_owned(), |until| until.to_string())
}

fn held(denial: &Denial, block: &BlockSeen) -> String {
    let (limit_id, until) = (&block.limit_id, ends(block));
    let scope = match &block.scope.id {
        Some(id) => format!("{} {id}", block.scope.kind.as_str()),
        None => "the account".to_owned(),
    };
    let again = match block.blocked_until {
        Some(_) => format!("sending resumes at {until}"),
        None => "sending resumes when it is lifted".to_owned(),
    };
    let detail = format!(
        "Limit {limit_id} of {scope} is reached ({} of {} per {}); {again}.",
        block.current, block.configured_limit, block.window
    );
    let mut body = match block.scope.kind {
        ScopeKind::Profile => return PROFILE_BODY.to_owned(),
        ScopeKind::Country => {
            json!({"status": "NOT SENT", "trace": "SMS limit reached"})
        }
        ScopeKind::Account | ScopeKind::Feature => {
            json!({"success": false, "error": {"code": "limit_reached", "message": detail}})
        }
        ScopeKind::Recipient => {
            json!({"error": {"code": "too_many_requests", "message": detail}})
        }
        ScopeKind::Sender => {
            json!({"error": {"code": "sender_limit_reached", "message": detail}})
        }
    };
    add(&mut body, problem(429, "limit-reached", "A limit holds this send", &detail, denial));
    body.to_string()
}

fn session(denial: &Denial) -> Value {
    let detail = "The contact has not written to this number within the last 24 hours: send a \
                  template message, or wait until the contact writes.";
    let mut body = json!({"error": {"code": "session_closed", "message": detail}});
    add(&mut body, problem(429, "session-closed", "No WhatsApp session is open", detail, denial));
    body
}

fn stale(denial: &Denial) -> Value {
    let detail = "The gate has had no news from the brokers for too long and is set to refuse \
                  rather than guess: try again, or see tollgate_gate_staleness_seconds.";
    let mut body = json!({"error": {"code": "gate_stale", "message": detail}});
    add(&mut body, problem(503, "gate-stale", "The gate does not know", detail, denial));
    body
}

/// Members in the manner of RFC 9457 beside the product's own.
fn problem(status: u16, kind: &str, title: &str, detail: &str, denial: &Denial) -> Value {
    let blocks: Vec<Value> = denial.blocks.iter().map(|block| shown(block)).collect();
    json!({"type": format!("urn:tollgate:problem:{kind}"), "title": title, "status": status,
        "detail": detail, "allowed": false, "blocks": blocks})
}

fn shown(block: &BlockSeen) -> Value {
    json!({
        "limit_id": block.limit_id,
        "limit_version": block.limit_version,
        "scope": {"kind": block.scope.kind.as_str(), "id": block.scope.id.as_deref()},
        "measure": block.measure,
        "window": block.window,
        "configured_limit": block.configured_limit,
        "current": block.current,
        "blocked_until": block.blocked_until.map(|until| until.to_string()),
    })
}

/// What the product says stays as it is (K4's `status` is a text).
fn add(body: &mut Value, members: Value) {
    if let (Value::Object(body), Value::Object(members)) = (body, members) {
        let own: &mut Map<String, Value> = body;
        for (name, member) in members {
            own.entry(name).or_insert(member);
        }
    }
}
