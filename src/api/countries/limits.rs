//! `/v2/countries/limits`: a country's limits are listed, shown, set and removed (K1-K3, K7).

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Executed;
use super::country::{Bound, Limited, REQUESTS_MAX, Shown, Span};
use super::iso::Country;
use super::notices::{Asked as AskedNotices, Notices};
use super::setup::Setup;
use crate::api::caller::Caller;
use crate::api::control::Control;
use crate::api::described::Problems;
use crate::api::extract::JsonBody;
use crate::api::fault::{Fault, Kind};
use crate::api::named::{Named, given};
use crate::api::number::Number;
use crate::fold::Look;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, put, delete))
}

/// Changes of a country's limits: what is left out stays, null removes.
#[derive(Deserialize, ToSchema)]
#[schema(as = CountryLimitsRequest)]
struct Asked {
    /// Requests a UTC day; below the monthly limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 999999999999u64)]
    daily_limit: Option<Option<Number>>,
    /// Requests a calendar month, UTC.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 999999999999u64)]
    monthly_limit: Option<Option<Number>>,
    /// Who is told of the daily limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<AskedNotices>>, max_items = 10)]
    daily_notifications: Option<Option<Vec<AskedNotices>>>,
    /// Who is told of the monthly limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<AskedNotices>>, max_items = 10)]
    monthly_notifications: Option<Option<Vec<AskedNotices>>>,
}

impl Asked {
    /// The country with what is asked, on top of what it has (K3: checked on the merged values).
    fn on(self, former: Limited) -> Result<Limited, Fault> {
        let daily = merged("daily", self.daily_limit, self.daily_notifications, former.daily)?;
        let monthly =
            merged("monthly", self.monthly_limit, self.monthly_notifications, former.monthly)?;
        Limited { country: former.country, daily, monthly }.checked()
    }
}

fn merged(
    span: &str,
    limit: Option<Option<Number>>,
    notices: Option<Option<Vec<AskedNotices>>>,
    former: Option<Bound>,
) -> Result<Option<Bound>, Fault> {
    let (limit_member, notices_member) = (format!("{span}_limit"), format!("{span}_notifications"));
    let former_notices = former.as_ref().map(|bound| bound.notices.clone()).unwrap_or_default();
    let requests = match limit {
        None => former.map(|bound| bound.requests),
        Some(None) => None,
        Some(Some(number)) => {
            let whole = number.whole().filter(|it| (1..=REQUESTS_MAX).contains(it));
            Some(whole.ok_or_else(|| {
                let detail = format!(
                    "{limit_member} must be a whole number of requests from 1 to {REQUESTS_MAX}; \
                     null removes it."
                );
                Fault::invalid(limit_member.as_str(), detail)
            })?)
        }
    };
    let notices = match notices {
        None => former_notices,
        Some(sets) => {
            let notices = Notices::asked(&notices_member, &sets.unwrap_or_default())?;
            if requests.is_none() && !notices.is_empty() {
                let detail = format!("{notices_member} needs a {limit_member} to tell of.");
                return Err(Fault::invalid(notices_member.as_str(), detail));
            }
            notices
        }
    };
    Ok(requests.map(|requests| Bound { requests, notices }))
}

/// Countries with limits
#[utoipa::path(
    get, path = "/v2/countries/limits", tag = "Countries",
    responses((status = 200, body = Executed<Vec<Shown>>), Problems),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Executed<Vec<Shown>>>, Fault> {
    let limited = Limited::all(&control.settings(&caller.account_id));
    Ok(Json(Executed::of(shown(&control, &caller, &limited).await?)))
}

/// A country's limits
#[utoipa::path(
    get, path = "/v2/countries/limits/{iso}", tag = "Countries",
    params(("iso" = String, Path, description = "ISO 3166-1 alpha-2, in either case",
        pattern = "^[A-Za-z]{2}$", example = "IT")),
    responses((status = 200, body = Executed<Shown>), Problems),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Named(iso): Named,
) -> Result<Json<Executed<Shown>>, Fault> {
    let limited = present(&control, &caller, country(&iso)?)?;
    answer(&control, &caller, limited).await
}

/// Set a country's limits
///
/// The n-th request of a limit of n is sent, the next is not. Requests count whether or not there
/// is a limit, so a limit below what was sent today holds at once, once country limits are
/// switched on.
#[utoipa::path(
    put, path = "/v2/countries/limits/{iso}", tag = "Countries", request_body = Asked,
    params(("iso" = String, Path, description = "ISO 3166-1 alpha-2, in either case",
        pattern = "^[A-Za-z]{2}$", example = "IT")),
    responses((status = 200, body = Executed<Shown>), Problems),
)]
async fn put(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Named(iso): Named,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Json<Executed<Shown>>, Fault> {
    let country = country(&iso)?;
    let _turn = control.turn(&caller.account_id).await;
    let account = control.settings(&caller.account_id);
    let limited = asked.on(Limited::of(&account, country))?;
    let settings = limited.settings(&account, &Setup::of(&account));
    control.record(&caller, None, &settings).await?;
    answer(&control, &caller, limited).await
}

/// What was removed.
#[derive(Serialize, ToSchema)]
#[schema(as = CountryLimitsRemoved)]
struct Removed {
    iso_code: String,
    /// Always true.
    deleted: bool,
}

/// Remove a country's limits
#[utoipa::path(
    delete, path = "/v2/countries/limits/{iso}", tag = "Countries",
    params(("iso" = String, Path, description = "ISO 3166-1 alpha-2, in either case",
        pattern = "^[A-Za-z]{2}$", example = "IT")),
    responses((status = 200, body = Executed<Removed>), Problems),
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Named(iso): Named,
) -> Result<Json<Executed<Removed>>, Fault> {
    let country = country(&iso)?;
    let _turn = control.turn(&caller.account_id).await;
    let former = present(&control, &caller, country)?;
    let account = control.settings(&caller.account_id);
    let none = Limited { daily: None, monthly: None, ..former };
    control.record(&caller, None, &none.settings(&account, &Setup::of(&account))).await?;
    Ok(Json(Executed::of(Removed { iso_code: country.to_string(), deleted: true })))
}

async fn answer(
    control: &Control,
    caller: &Caller,
    limited: Limited,
) -> Result<Json<Executed<Shown>>, Fault> {
    let warnings = limited.warnings(control.now()).into_iter().collect();
    let country = limited.country;
    let shown = shown(control, caller, &[limited]).await?.pop().ok_or_else(|| absent(country))?;
    Ok(Json(Executed { warnings, ..Executed::of(shown) }))
}

/// Countries with what their limits have come to.
pub(super) async fn shown(
    control: &Control,
    caller: &Caller,
    limited: &[Limited],
) -> Result<Vec<Shown>, Fault> {
    if limited.is_empty() {
        return Ok(Vec::new());
    }
    let ids = |it: &Limited| Span::BOTH.map(|span| span.limit_id(it.country).into());
    let limits = limited.iter().flat_map(ids).collect();
    let told = control.look(&caller.account_id, Look { limits, ..Look::default() }).await?;
    let setup = Setup::of(&control.settings(&caller.account_id));
    let now = control.now();
    Ok(limited.iter().map(|limited| Shown::of(limited, &setup, &told, now)).collect())
}

fn present(control: &Control, caller: &Caller, country: Country) -> Result<Limited, Fault> {
    let limited = Limited::of(&control.settings(&caller.account_id), country);
    if limited.is_unlimited() { Err(absent(country)) } else { Ok(limited) }
}

fn country(iso: &str) -> Result<Country, Fault> {
    Country::parse(iso).ok_or_else(|| {
        let detail = format!("{iso:?} is no ISO 3166-1 alpha-2 code, such as IT.");
        Fault::invalid("iso", detail)
    })
}

fn absent(country: Country) -> Fault {
    let detail = format!(
        "{country} has no limits; PUT /v2/countries/limits/{country} sets them, and GET \
         /v2/countries/limits lists those there are."
    );
    Fault::new(Kind::Absent, detail)
}
