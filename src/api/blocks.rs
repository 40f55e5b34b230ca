//! `/v2/blocks`: what is held at this moment, by which limit, until when (C5).

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::control::Control;
use super::fault::Fault;
use crate::fold::{Held, LimitSeen, Look};

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Blocks in force, those that end last first.
#[derive(Serialize, ToSchema)]
struct Blocks {
    data: Vec<Block>,
    /// As of this journal record of the account's partition.
    journal_sequence: Option<u64>,
}

/// One limit holding one scope.
#[derive(Serialize, ToSchema)]
struct Block {
    limit_id: String,
    limit_version: u32,
    scope: Scope,
    /// `cost`, `requests` or `recipients`.
    measure: String,
    /// `day`, `month`, or a sliding period such as `PT5M`.
    window: String,
    /// The amount of the limit, a decimal or whole number.
    configured_limit: String,
    /// The total in the window.
    current: String,
    /// When the block ends by itself, RFC 3339.
    blocked_until: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BlockScope)]
struct Scope {
    /// `account`, `feature`, `profile`, `country`, `recipient` or `sender`.
    kind: String,
    id: Option<String>,
}

/// Blocks in force
#[utoipa::path(
    get, path = "/v2/blocks", tag = "Account",
    responses((status = 200, body = Blocks), (status = 401), (status = 503)),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Blocks>, Fault> {
    let limits = control.settings(&caller.account_id).limit_ids();
    let told = control.look(&caller.account_id, Look { limits, ..Look::default() }).await?;
    let held = |limit: &LimitSeen| {
        let blocks = limit.blocks.iter();
        blocks.map(|held| (held.until, Block::of(limit, held))).collect::<Vec<_>>()
    };
    let mut blocks: Vec<_> = told.seen.limits.iter().flat_map(held).collect();
    blocks.sort_by_key(|(until, _)| std::cmp::Reverse(*until));
    let data = blocks.into_iter().map(|(_, block)| block).collect();
    Ok(Json(Blocks { data, journal_sequence: told.seq }))
}

impl Block {
    fn of(limit: &LimitSeen, held: &Held) -> Block {
        let spec = &limit.spec;
        Block {
            limit_id: spec.limit_id.to_string(),
            limit_version: limit.version,
            scope: Scope {
                kind: held.scope.kind.as_str().to_owned(),
                id: held.scope.id.as_ref().map(ToString::to_string),
            },
            measure: spec.measure.as_str().to_owned(),
            window: spec.window.as_str().to_owned(),
            configured_limit: spec.amount.to_string(),
            current: held.total.to_string(),
            blocked_until: held.until.to_string(),
        }
    }
}
