//! `/v2/countries/limits/settings`: the toggle of country limits and the notifications that they
//! share (K2, K5). Promise: switching re-sets every country's limits in the same request; counting
//! goes on whichever way it stands.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Executed;
use super::country::{Bound, Limited, Span};
use super::notices::{Asked as AskedNotices, Notice, Notices};
use crate::api::caller::Caller;
use crate::api::control::Control;
use crate::api::described::Problems;
use crate::api::extract::JsonBody;
use crate::api::fault::Fault;
use crate::api::named::{given, members};
use crate::settings::Account;
use crate::wire::Setting;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(show, change))
}

/// Kind of the document; an account has one.
const COUNTRY_SETTINGS: &str = "country_settings";

/// How an account uses country limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setup {
    /// Off by default (K2).
    pub enabled: bool,
    apply_to_all: bool,
    daily: Notices,
    monthly: Notices,
}

/// Changes: what is left out stays, null clears.
#[derive(Deserialize, ToSchema)]
#[schema(as = CountrySettingsRequest)]
struct Asked {
    /// Whether country limits hold anything.
    enabled: Option<bool>,
    /// Whether the notifications here stand in for those of each country.
    apply_to_all: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<AskedNotices>>, max_items = 10)]
    daily_notifications: Option<Option<Vec<AskedNotices>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<AskedNotices>>, max_items = 10)]
    monthly_notifications: Option<Option<Vec<AskedNotices>>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CountrySettings)]
struct Shown {
    enabled: bool,
    apply_to_all: bool,
    daily_notifications: Vec<Notice>,
    monthly_notifications: Vec<Notice>,
}

impl Setup {
    #[must_use]
    pub fn of(account: &Account) -> Setup {
        let none = Map::new();
        let document = account.document(COUNTRY_SETTINGS, "");
        let body = document.map_or(&none, |document| &document.body);
        let flag = |member| body.get(member).and_then(Value::as_bool).unwrap_or(false);
        Setup {
            enabled: flag("enabled"),
            apply_to_all: flag("apply_to_all"),
            daily: Notices::recorded(body.get("daily_notifications")),
            monthly: Notices::recorded(body.get("monthly_notifications")),
        }
    }

    fn changed(mut self, asked: Asked) -> Result<Setup, Fault> {
        self.enabled = asked.enabled.unwrap_or(self.enabled);
        self.apply_to_all = asked.apply_to_all.unwrap_or(self.apply_to_all);
        if let Some(sets) = asked.daily_notifications {
            self.daily = Notices::asked("daily_notifications", &sets.unwrap_or_default())?;
        }
        if let Some(sets) = asked.monthly_notifications {
            self.monthly = Notices::asked("monthly_notifications", &sets.unwrap_or_default())?;
        }
        Ok(self)
    }

    fn setting(&self) -> Setting {
        let body = members(json!({
            "enabled": self.enabled,
            "apply_to_all": self.apply_to_all,
            "daily_notifications": self.daily.value(),
            "monthly_notifications": self.monthly.value(),
        }));
        Setting::Set { kind: COUNTRY_SETTINGS.to_owned(), body }
    }

    /// Whom a country's limit tells: the shared sets while they apply to all, else its own.
    #[must_use]
    pub fn notices_in_force<'n>(&'n self, span: Span, bound: &'n Bound) -> &'n Notices {
        match span {
            Span::Daily if self.apply_to_all => &self.daily,
            Span::Monthly if self.apply_to_all => &self.monthly,
            Span::Daily | Span::Monthly => &bound.notices,
        }
    }

    fn shown(&self) -> Shown {
        Shown {
            enabled: self.enabled,
            apply_to_all: self.apply_to_all,
            daily_notifications: self.daily.shown(),
            monthly_notifications: self.monthly.shown(),
        }
    }
}

/// Whether country limits are on, and the notifications they share
#[utoipa::path(
    get, path = "/v2/countries/limits/settings", tag = "Countries",
    responses((status = 200, body = Executed<Shown>), Problems),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
) -> Json<Executed<Shown>> {
    let setup = Setup::of(&control.settings(&caller.account_id));
    Json(Executed::of(setup.shown()))
}

/// Switch country limits on or off, and change the notifications they share
///
/// Off is the default. Requests are counted whichever way it stands: what was used up before
/// switching on holds at once.
#[utoipa::path(
    put, path = "/v2/countries/limits/settings", tag = "Countries", request_body = Asked,
    responses((status = 200, body = Executed<Shown>), Problems),
)]
async fn change(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Json<Executed<Shown>>, Fault> {
    let _turn = control.turn(&caller.account_id).await;
    let account = control.settings(&caller.account_id);
    let former = Setup::of(&account);
    let setup = former.clone().changed(asked)?;
    // Limits before the document: an attempt that ended in between is completed by the next one.
    let limited = Limited::all(&account);
    let mut settings: Vec<Setting> =
        limited.iter().flat_map(|limited| limited.settings(&account, &setup)).collect();
    if setup != former {
        settings.push(setup.setting());
    }
    control.record(&caller, None, &settings).await?;
    Ok(Json(Executed::of(setup.shown())))
}
