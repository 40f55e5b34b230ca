//! Who calls, and whether they may: the layer in front of every contract. Promise: no request
//! passes without a key that is in force and has the scope that the path asks for; a key that was
//! revoked ends with the command that says so.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::control::Control;
use super::fault::{Fault, Kind};
pub use super::keys::Caller;
use super::keys::{self, Scope};

/// Requests a second of each key, and how many of them may come at once.
pub struct Rates(RateLimiter<String, HashMapStateStore<String>, DefaultClock>);

/// Keys whose rate is remembered before those at rest are forgotten.
const KEYS_REMEMBERED_MAX: usize = 10_000;

impl Rates {
    /// Both at least 1.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Rates {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        Rates(RateLimiter::hashmap(quota))
    }

    fn check(&self, key_id: &str) -> Result<(), Fault> {
        if self.0.len() > KEYS_REMEMBERED_MAX {
            self.0.retain_recent();
        }
        self.0.check_key(&key_id.to_owned()).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Fault::new(Kind::TooMany, "This API key sends requests faster than it may; slow down.")
                .retry_after(wait.as_secs() + 1)
        })
    }
}

/// What the layer needs.
#[derive(Clone)]
pub struct Guard {
    pub control: Arc<Control>,
    pub rates: Arc<Rates>,
}

/// Lets a request pass with its `Caller` among the extensions.
pub async fn authenticate(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    match guard.caller(&request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(fault) => fault.into_response(),
    }
}

impl Guard {
    fn caller(&self, request: &Request) -> Result<Caller, Fault> {
        let Some(key) = presented(request.headers()) else {
            return Err(Fault::new(
                Kind::Unauthenticated,
                "Send an API key as `Authorization: Bearer tg_…` or `X-Auth-Token: tg_…`; \
                 `tollgate keys new --account <account>` makes one.",
            ));
        };
        if !self.control.known.caught_up() {
            return Err(Fault::new(
                Kind::Unavailable,
                "This server is still reading its settings; try again in a moment.",
            )
            .retry_after(1));
        }
        let caller = keys::caller(&self.control.known.settings(), key);
        let Some(caller) = caller else {
            return Err(Fault::new(
                Kind::Unauthenticated,
                "This API key is not known or was revoked; `tollgate keys new` makes another.",
            ));
        };
        let scope = scope_of(request.method(), request.uri().path());
        if !caller.scopes.contains(&scope) {
            return Err(Fault::new(
                Kind::Forbidden,
                format!("This API key lacks the scope `{scope}`; use one that has it."),
            ));
        }
        // A send path asks for every message, and would take this refusal for a limit's.
        if scope != Scope::Gate {
            self.rates.check(&caller.key_id)?;
        }
        Ok(caller)
    }
}

/// The key of a request, from either header.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| headers.get("x-auth-token")?.to_str().ok().map(str::trim))
}

fn scope_of(method: &Method, path: &str) -> Scope {
    if path.starts_with("/v2/gate/") || path == "/v2/messages" {
        Scope::Gate
    } else if method == Method::GET || method == Method::HEAD {
        Scope::Read
    } else {
        Scope::Write
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_rate() {
        let rates = Rates::new(1, 2);
        assert_eq!((rates.check("a"), rates.check("a")), (Ok(()), Ok(())));
        let refused = rates.check("a").expect_err("the third at once");
        assert_eq!(refused.kind, Kind::TooMany);
        assert!((1..=2).contains(&refused.retry_after_s.expect("it says when")));
        assert_eq!(rates.check("b"), Ok(()));
    }

    #[test]
    fn a_key_comes_in_either_header() {
        let presented_in = |name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(
                header::HeaderName::from_static(name),
                header::HeaderValue::from_static(value),
            )]);
            presented(&headers).map(str::to_owned)
        };
        for (name, value) in
            [("authorization", "Bearer k"), ("authorization", "bearer  k"), ("x-auth-token", "k ")]
        {
            assert_eq!(presented_in(name, value).as_deref(), Some("k"), "{name}: {value}");
        }
        for (name, value) in [("authorization", "Basic k"), ("authorization", "k"), ("cookie", "k")]
        {
            assert_eq!(presented_in(name, value), None, "{name}: {value}");
        }
    }

    #[test]
    fn asking_the_gate_is_a_scope_of_its_own() {
        for (method, path, scope) in [
            (Method::GET, "/v2/blocks", Scope::Read),
            (Method::HEAD, "/v2/blocks", Scope::Read),
            (Method::PUT, "/v2/otp/limit", Scope::Write),
            (Method::DELETE, "/v2/otp/limit", Scope::Write),
            (Method::POST, "/v2/gate/check", Scope::Gate),
            (Method::POST, "/v2/messages", Scope::Gate),
            (Method::GET, "/v2/messaging_profiles", Scope::Read),
        ] {
            assert_eq!(scope_of(&method, path), scope, "{method} {path}");
        }
    }
}
