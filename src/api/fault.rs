//! What the server says when it does not do what was asked. Promise: every error names what is
//! wrong and what to do next; it is worded once, and dressed in the body of the product whose
//! path was called.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refusal or a failure on the way to an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub kind: Kind,
    /// What is wrong and what to do, as sentences for people.
    pub detail: String,
    /// The member of the body or the parameter that is wrong: `thresholds[2]`, `page[size]`.
    pub place: Option<String>,
    /// Seconds until it makes sense to ask again.
    pub retry_after_s: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 400: not to be read as what it should be.
    Malformed,
    /// 401
    Unauthenticated,
    /// 403
    Forbidden,
    /// 404
    Absent,
    /// 405
    Method,
    /// 409
    Conflict,
    /// 413
    TooLarge,
    /// 415
    MediaType,
    /// 422: read, and against a rule.
    Invalid,
    /// 429
    TooMany,
    /// 501: needs something that is not configured.
    NotConfigured,
    /// 502: another server did not do its part.
    Upstream,
    /// 503
    Unavailable,
    /// 504: recorded, or passed on, and not seen to have an effect in time.
    Late,
}

impl Kind {
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Kind::Malformed => StatusCode::BAD_REQUEST,
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::Absent => StatusCode::NOT_FOUND,
            Kind::Method => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Kind::NotConfigured => StatusCode::NOT_IMPLEMENTED,
            Kind::Upstream => StatusCode::BAD_GATEWAY,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Late => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Kind::Malformed => "malformed_request",
            Kind::Unauthenticated => "unauthenticated",
            Kind::Forbidden => "forbidden",
            Kind::Absent => "not_found",
            Kind::Method => "method_not_allowed",
            Kind::Conflict => "conflict",
            Kind::TooLarge => "too_large",
            Kind::MediaType => "unsupported_media_type",
            Kind::Invalid => "invalid",
            Kind::TooMany => "too_many_requests",
            Kind::NotConfigured => "not_configured",
            Kind::Upstream => "upstream_failed",
            Kind::Unavailable => "unavailable",
            Kind::Late => "not_in_time",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Kind::Malformed => "The request cannot be read",
            Kind::Unauthenticated => "No valid API key",
            Kind::Forbidden => "The API key may not do this",
            Kind::Absent => "Not found",
            Kind::Method => "Method not allowed",
            Kind::Conflict => "Conflict",
            Kind::TooLarge => "Too large",
            Kind::MediaType => "Unsupported media type",
            Kind::Invalid => "The request breaks a rule",
            Kind::TooMany => "Too many requests",
            Kind::NotConfigured => "Not configured",
            Kind::Upstream => "Another server failed",
            Kind::Unavailable => "Not available at the moment",
            Kind::Late => "Not in time",
        }
    }
}

impl Fault {
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Fault {
        Fault { kind, detail: detail.into(), place: None, retry_after_s: None }
    }

    /// 422 about a member of the body or a parameter.
    #[must_use]
    pub fn invalid(place: impl Into<String>, detail: impl Into<String>) -> Fault {
        Fault { place: Some(place.into()), ..Fault::new(Kind::Invalid, detail) }
    }

    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Fault {
        Fault { retry_after_s: Some(seconds), ..self }
    }
}

/// A response that `dress` gives its body.
impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The outermost layer: gives faults the body that clients of the path expect.
pub async fn dress(request: Request, next: Next) -> Response {
    let style = Style::of(request.uri().path());
    let mut response = next.run(request).await;
    let Some(fault) = response.extensions_mut().remove::<Fault>() else { return response };
    let mut dressed = style.dressed(&fault);
    for (name, value) in response.headers() {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name) {
            dressed.headers_mut().append(name, value.clone());
        }
    }
    dressed
}

/// Whose error body it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `{"errors":[{"code","title","detail",…}]}` (T10).
    Errors,
    /// `{"success":false,"error":{"code","message"}}` (A1).
    Success,
    /// RFC 9457.
    Problem,
}

impl Style {
    fn of(path: &str) -> Style {
        let under = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if under("/v2/messaging_profiles") || under("/v2/messages") {
            Style::Errors
        } else if under("/v2/billing") {
            Style::Success
        } else {
            Style::Problem
        }
    }

    fn dressed(self, fault: &Fault) -> Response {
        let (code, title, status) = (fault.kind.code(), fault.kind.title(), fault.kind.status());
        // The members of a problem stand beside the product's own.
        let mut body = json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "detail": fault.detail,
            "code": code,
        });
        let mut put = |key: &str, value: Value| {
            body.as_object_mut().expect("an object").insert(key.to_owned(), value);
        };
        if let Some(place) = &fault.place {
            put("place", place.as_str().into());
        }
        match self {
            Style::Errors => {
                let mut error = json!({"code": code, "title": title, "detail": fault.detail});
                if let Some(place) = &fault.place {
                    error["source"] = json!({"pointer": format!("/{place}")});
                }
                put("errors", json!([error]));
            }
            Style::Success => {
                put("success", false.into());
                put("error", json!({"code": code, "message": fault.detail}));
            }
            Style::Problem => {}
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self == Style::Problem {
            let problem = HeaderValue::from_static("application/problem+json");
            headers.insert(header::CONTENT_TYPE, problem);
        }
        if let Some(seconds) = fault.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if fault.kind == Kind::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // Clients built by the vendor's generator obey it, and would else repeat a 409 or 429.
        if matches!(fault.kind, Kind::Conflict | Kind::Late) {
            let name = HeaderName::from_static("x-should-retry");
            headers.insert(name, HeaderValue::from_static("false"));
        }
        response
    }
}
