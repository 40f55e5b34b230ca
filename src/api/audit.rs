//! `/v2/audit`: the changes of an account's settings (A12). Promise: newest first, each with who,
//! when, why, from what to what; the oldest are on the command topic alone.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::control::Control;
use super::extract::Params;
use super::fault::Fault;
use crate::settings::{Changed, KEY};

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only changes of this kind, such as `limit_set`.
    kind: Option<String>,
    /// Only changes of this limit, profile, …
    id: Option<String>,
    /// At most so many, 1 to 1,000.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
}

/// Changes in the order from new to old.
#[derive(Serialize, ToSchema)]
struct Audit {
    data: Vec<Entry>,
}

/// One change of a setting.
#[derive(Serialize, ToSchema)]
struct Entry {
    command_id: String,
    /// When it was asked for, RFC 3339.
    issued_at: String,
    /// Who asked for it, such as `api-key:ops-1`.
    actor: Option<String>,
    reason: Option<String>,
    kind: String,
    id: String,
    /// The setting before; null when there was none.
    from: Option<Value>,
    /// The setting after; null when it was removed.
    to: Option<Value>,
}

/// Entries of an answer, where nothing else is asked for.
const ENTRIES: u32 = 100;

/// Who changed which setting, when, from what to what
#[utoipa::path(
    get, path = "/v2/audit", tag = "Account", params(Wanted),
    responses((status = 200, body = Audit), (status = 401), (status = 422)),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Audit>, Fault> {
    let most = wanted.limit.unwrap_or(ENTRIES);
    if !(1..=1_000).contains(&most) {
        return Err(Fault::invalid("limit", "limit must be in 1 to 1,000."));
    }
    let settings = control.settings(&caller.account_id);
    let asked = |value: &Option<String>, own: &str| value.as_deref().is_none_or(|it| it == own);
    let matching = settings
        .audit
        .iter()
        .rev()
        .filter(|changed| asked(&wanted.kind, &changed.kind) && asked(&wanted.id, &changed.id));
    let data = matching.take(most as usize).map(Entry::of).collect();
    Ok(Json(Audit { data }))
}

impl Entry {
    fn of(changed: &Changed) -> Entry {
        let is_key = changed.kind.strip_suffix("_set") == Some(KEY)
            || changed.kind.strip_suffix("_removed") == Some(KEY);
        // A digest is no secret, and nobody's business.
        let shown = |value: &Option<Value>| {
            let mut value = value.clone();
            if let (Some(Value::Object(members)), true) = (&mut value, is_key) {
                members.remove("sha256");
            }
            value
        };
        Entry {
            command_id: changed.command_id.clone(),
            issued_at: changed.issued_at.to_string(),
            actor: changed.actor.clone(),
            reason: changed.reason.clone(),
            kind: changed.kind.clone(),
            id: changed.id.clone(),
            from: shown(&changed.from),
            to: shown(&changed.to),
        }
    }
}
