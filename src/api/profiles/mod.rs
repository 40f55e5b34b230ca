//! `/v2/messaging_profiles`: profiles and their daily spend limits, as the vendor's SDK talks of
//! them (T1, T7 to T10, T12). Promise: a change is in force when its answer comes; the limit is an
//! ordinary limit of the account, and all that belongs to a profile beside it is a document.

mod fields;
mod list;
mod profile;
mod seen;
mod spend;
mod spend_limit;

pub use spend_limit::limit_id;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::list::{Asked, Meta};
use self::profile::{MessagingProfileChange, NewMessagingProfile, Profile};
use self::spend::Spend;
use self::spend_limit::Wanted;
use super::caller::Caller;
use super::control::Control;
use super::extract::{JsonBody, Params};
use super::fault::{Fault, Kind};
use crate::fold::Calendar;
use crate::settings::{Account, PROFILE};

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(retrieve, update, delete))
        .routes(routes!(spend))
}

/// One profile.
#[derive(Serialize, ToSchema)]
#[schema(as = MessagingProfileAnswer)]
struct One {
    data: Profile,
}

/// Some profiles.
#[derive(Serialize, ToSchema)]
#[schema(as = MessagingProfilePage)]
struct Page {
    data: Vec<Profile>,
    meta: Meta,
}

/// What a profile has spent.
#[derive(Serialize, ToSchema)]
#[schema(as = MessagingProfileSpendAnswer)]
struct Spent {
    data: Spend,
}

/// Code points of a profile's id (FORMATS.md, "Billed event").
const ID_MAX: usize = 128;

/// The id in the path.
struct ProfileId(String);

impl<S: Send + Sync> FromRequestParts<S> for ProfileId {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) if (1..=ID_MAX).contains(&id.chars().count()) => Ok(ProfileId(id)),
            // No event can name it, and nothing was created with it.
            Ok(_) | Err(_) => Err(absent()),
        }
    }
}

fn absent() -> Fault {
    Fault::new(
        Kind::Absent,
        "No such messaging profile: none of this id was created here or billed to this account. \
         GET /v2/messaging_profiles lists those that are.",
    )
}

/// Messaging profiles, created or billed
#[utoipa::path(
    get, path = "/v2/messaging_profiles", tag = "Messaging profiles", params(Asked),
    responses(
        (status = 200, body = Page), (status = 401), (status = 403), (status = 422),
        (status = 429), (status = 502), (status = 503), (status = 504),
    ),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Params(asked): Params<Asked>,
) -> Result<Json<Page>, Fault> {
    asked.check()?;
    let account = control.settings(&caller.account_id);
    let look = seen::look_for_all(&account, control.now());
    let told = control.look(&caller.account_id, look).await?;
    let mut ids = seen::billed(&account, &told.seen.totals);
    ids.extend(account.documents(PROFILE).map(|(id, _)| id.to_owned()));
    let profiles = ids.iter().map(|id| Profile::of(&account, id)).collect();
    let (data, meta) = asked.page(profiles);
    Ok(Json(Page { data, meta }))
}

/// Create a messaging profile
#[utoipa::path(
    post, path = "/v2/messaging_profiles", tag = "Messaging profiles",
    request_body = NewMessagingProfile,
    responses(
        (status = 200, body = One), (status = 400), (status = 401), (status = 403),
        (status = 413), (status = 422), (status = 429), (status = 502), (status = 503),
        (status = 504),
    ),
)]
async fn create(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Json<One>, Fault> {
    let wanted = Wanted::read(body)?;
    if wanted.name().is_none_or(str::is_empty) {
        return Err(Fault::invalid("name", "name must be a text that is not empty."));
    }
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string();
    let _turn = control.turn(&caller.account_id).await;
    change(&control, &caller, &id, &wanted).await
}

/// One messaging profile
#[utoipa::path(
    get, path = "/v2/messaging_profiles/{id}", tag = "Messaging profiles",
    params(("id" = String, Path, min_length = 1, max_length = 128, description = "The profile's")),
    responses(
        (status = 200, body = One), (status = 401), (status = 403), (status = 404),
        (status = 429), (status = 502), (status = 503), (status = 504),
    ),
)]
async fn retrieve(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    ProfileId(id): ProfileId,
) -> Result<Json<One>, Fault> {
    let account = existing(&control, &caller, &id).await?;
    Ok(Json(One { data: Profile::of(&account, &id) }))
}

/// Change a messaging profile, its daily spend limit for one
///
/// What the body leaves out stays as it is; null clears. The limit is in force with the answer:
/// disabling or raising it lifts its block, and enabling or lowering it blocks at once where the
/// day's spend has reached it. No change resets the spend.
#[utoipa::path(
    patch, path = "/v2/messaging_profiles/{id}", tag = "Messaging profiles",
    params(("id" = String, Path, min_length = 1, max_length = 128, description = "The profile's")),
    request_body = MessagingProfileChange,
    responses(
        (status = 200, body = One), (status = 400), (status = 401), (status = 403),
        (status = 404), (status = 413), (status = 422), (status = 429), (status = 502),
        (status = 503), (status = 504),
    ),
)]
async fn update(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    ProfileId(id): ProfileId,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Json<One>, Fault> {
    let wanted = Wanted::read(body)?;
    let _turn = control.turn(&caller.account_id).await;
    existing(&control, &caller, &id).await?;
    change(&control, &caller, &id, &wanted).await
}

/// Delete a messaging profile and its daily spend limit
///
/// Answers with the profile as it was. Its spend goes on counting for the account. An event that
/// names it on a later UTC day brings it back, without its settings.
#[utoipa::path(
    delete, path = "/v2/messaging_profiles/{id}", tag = "Messaging profiles",
    params(("id" = String, Path, min_length = 1, max_length = 128, description = "The profile's")),
    responses(
        (status = 200, body = One), (status = 401), (status = 403), (status = 404),
        (status = 429), (status = 502), (status = 503), (status = 504),
    ),
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    ProfileId(id): ProfileId,
) -> Result<Json<One>, Fault> {
    let _turn = control.turn(&caller.account_id).await;
    let account = existing(&control, &caller, &id).await?;
    let data = Profile::of(&account, &id);
    let now = control.now();
    let ahead = control.look(&caller.account_id, seen::look_ahead(&id, now)).await?;
    let until = seen::hidden_until(&ahead.seen.totals, now);
    control.record(&caller, None, &spend_limit::deletion(&account, &id, until)).await?;
    Ok(Json(One { data }))
}

/// What a messaging profile has spent today, and whether its limit blocks it
#[utoipa::path(
    get, path = "/v2/messaging_profiles/{id}/spend", tag = "Messaging profiles",
    params(("id" = String, Path, min_length = 1, max_length = 128, description = "The profile's")),
    responses(
        (status = 200, body = Spent), (status = 401), (status = 403), (status = 404),
        (status = 429), (status = 502), (status = 503), (status = 504),
    ),
)]
async fn spend(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    ProfileId(id): ProfileId,
) -> Result<Json<Spent>, Fault> {
    let account = control.settings(&caller.account_id);
    let now = control.now();
    let mut look = seen::look_for(&id, seen::gone_until(&account, &id), now);
    look.totals.push((spend_limit::scope(&id), Calendar::Day(now.day())));
    let told = control.look(&caller.account_id, look).await?;
    let exists = account.document(PROFILE, &id).is_some()
        || seen::billed(&account, &told.seen.totals).contains(&id);
    if !exists {
        return Err(absent());
    }
    Ok(Json(Spent { data: Spend::of(&id, now.day(), &told) }))
}

/// The account's settings, in which the profile exists.
///
/// # Errors
/// 404 for one that was neither created nor billed.
async fn existing(control: &Control, caller: &Caller, id: &str) -> Result<Arc<Account>, Fault> {
    let account = control.settings(&caller.account_id);
    if account.document(PROFILE, id).is_none() {
        let look = seen::look_for(id, seen::gone_until(&account, id), control.now());
        let told = control.look(&caller.account_id, look).await?;
        if !seen::billed(&account, &told.seen.totals).contains(id) {
            return Err(absent());
        }
    }
    Ok(account)
}

/// Records what is wanted and answers with what is. The caller's turn must be taken.
async fn change(
    control: &Control,
    caller: &Caller,
    id: &str,
    wanted: &Wanted,
) -> Result<Json<One>, Fault> {
    let settings = wanted.settings(&control.settings(&caller.account_id), id)?;
    control.record(caller, None, &settings).await?;
    let account = control.settings(&caller.account_id);
    Ok(Json(One { data: Profile::of(&account, id) }))
}
