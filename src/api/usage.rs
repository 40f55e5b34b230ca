//! `/v2/usage`: what a day or month came to, by feature, profile and country (A12). Promise: the
//! totals are the fold's, exact, and as of the journal record that the answer names.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::control::Control;
use super::described::Problems;
use super::extract::Params;
use super::fault::Fault;
use crate::fold::limit::ScopeKind;
use crate::fold::{Calendar, Look, Tally, Total};
use crate::time::Millis;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(show))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// `day` or `month`, UTC; `day` if left out.
    #[param(inline)]
    window: Option<Window>,
    /// A date (`2024-08-20`) in the day or month; today if left out. Days are kept for 40 days and
    /// months for 14 months, unless the configuration says otherwise.
    #[param(format = Date, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    start: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UsageWindow)]
#[serde(rename_all = "lowercase")]
enum Window {
    #[default]
    Day,
    Month,
}

/// The envelope.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageAnswer)]
struct Answer {
    data: Usage,
    /// As of this journal record of the account's partition.
    journal_sequence: Option<u64>,
}

/// What an account used in a day or month.
#[derive(Serialize, ToSchema)]
struct Usage {
    window: Window,
    /// When the window begins, RFC 3339.
    start: String,
    /// When the next one begins, RFC 3339.
    end: String,
    total: Used,
    features: Vec<UsedBy>,
    profiles: Vec<UsedBy>,
    countries: Vec<UsedBy>,
}

/// What was charged, and for how many requests.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageTotal)]
struct Used {
    /// USD with six decimals.
    cost: String,
    requests: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageOfOne)]
struct UsedBy {
    /// The feature, profile or country.
    id: String,
    /// USD with six decimals.
    cost: String,
    requests: u64,
}

/// What a day or month came to, by feature, profile and country
#[utoipa::path(
    get, path = "/v2/usage", tag = "Account", params(Wanted),
    responses((status = 200, body = Answer), Problems),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Answer>, Fault> {
    let at = match &wanted.start {
        None => control.now(),
        Some(date) => start_of(date)?,
    };
    let window = wanted.window.unwrap_or_default();
    let calendar = match window {
        Window::Day => Calendar::Day(at.day()),
        Window::Month => Calendar::Month(at.month()),
    };
    let look = Look { all_in: vec![calendar], ..Look::default() };
    let told = control.look(&caller.account_id, look).await?;
    let totals = &told.seen.totals;
    let of_kind = |kind: ScopeKind| totals.iter().filter(move |it| it.scope.kind == kind);
    let by = |kind| of_kind(kind).map(UsedBy::of).collect();
    let account = of_kind(ScopeKind::Account).next().map(|total| total.tally);
    let bounds = calendar.bounds();
    let data = Usage {
        window,
        start: bounds.start.to_string(),
        end: bounds.end.to_string(),
        total: Used::of(account.unwrap_or_default()),
        features: by(ScopeKind::Feature),
        profiles: by(ScopeKind::Profile),
        countries: by(ScopeKind::Country),
    };
    Ok(Json(Answer { data, journal_sequence: told.seq }))
}

fn start_of(date: &str) -> Result<Millis, Fault> {
    let wrong = |_| {
        let detail = "start must be a date of the years 1970 to 2199, such as 2024-08-20.";
        Fault::invalid("start", detail)
    };
    Millis::parse(&format!("{date}T00:00:00Z")).map_err(wrong)
}

impl Used {
    fn of(tally: Tally) -> Used {
        Used { cost: tally.cost.six().to_string(), requests: tally.requests }
    }
}

impl UsedBy {
    fn of(total: &Total) -> UsedBy {
        let Used { cost, requests } = Used::of(total.tally);
        let id = total.scope.id.as_ref().map(ToString::to_string).unwrap_or_default();
        UsedBy { id, cost, requests }
    }
}
