//! `/v2/billing/alerts`: somebody is told when a count or a cost is reached (A9). Promise: an
//! alert is a limit that holds nothing; repeated with its idempotency key it is made once.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::amount::usd;
use super::idempotency::{Keyed, SHA256};
use super::{Answer, Channel, Deleted, success};
use crate::api::caller::Caller;
use crate::api::control::Control;
use crate::api::described::BillingErrors;
use crate::api::extract::{read, unread};
use crate::api::fault::{Fault, Kind};
use crate::api::named::{Named, members, seen, texts};
use crate::api::number::{Number, percentage_used};
use crate::fold::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window};
use crate::fold::{LimitSeen, Look};
use crate::money::Money;
use crate::settings::LimitSetting;
use crate::wire::Setting;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(delete))
}

/// Alerts of an account.
const ALERTS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 128;
/// Below 10^12, as every amount.
const COUNT_MAX: u64 = 999_999_999_999;
/// What the ids of alerts begin with.
const PREFIX: &str = "alert_";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertMetric)]
#[serde(rename_all = "lowercase")]
enum Metric {
    Sms,
    Voice,
    Api,
    /// Everything the account is charged for.
    Total,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertType)]
#[serde(rename_all = "lowercase")]
enum Measured {
    /// Requests.
    Count,
    /// USD.
    Cost,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertPeriod)]
#[serde(rename_all = "lowercase")]
enum Period {
    Daily,
    #[default]
    Monthly,
}

/// An alert as it is asked for.
#[derive(Deserialize, ToSchema)]
#[schema(as = AlertRequest)]
struct Asked {
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    metric: Metric,
    /// USD with at most six decimals, or a whole number of requests; above 0.
    #[schema(value_type = f64, exclusive_minimum = 0, exclusive_maximum = 1000000000000u64)]
    threshold: Number,
    r#type: Measured,
    /// Who is told.
    #[schema(min_items = 1)]
    notification: Vec<Channel>,
    /// UTC; `monthly` if left out.
    period: Option<Period>,
}

/// An alert as it was made.
#[derive(Serialize, ToSchema)]
struct Alert {
    /// `alert_…`
    id: String,
    name: String,
    metric: Metric,
    threshold: Number,
    r#type: Measured,
    notification: Vec<Channel>,
    period: Period,
    /// RFC 3339.
    created_at: String,
}

/// An alert, and how far it is.
#[derive(Serialize, ToSchema)]
struct AlertListed {
    #[serde(flatten)]
    alert: Alert,
    /// USD or requests in the period so far.
    current_usage: Number,
    /// With one decimal, rounded half up.
    percentage_used: Number,
    /// Whether the threshold is reached.
    reached: bool,
}

#[derive(Serialize, ToSchema)]
struct Alerts {
    alerts: Vec<AlertListed>,
}

impl Asked {
    fn amount(&self) -> Result<Amount, Fault> {
        match self.r#type {
            Measured::Cost => usd("threshold", &self.threshold).map(Amount::Cost),
            Measured::Count => {
                let whole = self.threshold.whole().filter(|it| (1..=COUNT_MAX).contains(it));
                whole.map(Amount::Count).ok_or_else(|| {
                    let detail =
                        "threshold must be a whole number of requests from 1 to 999999999999.";
                    Fault::invalid("threshold", detail)
                })
            }
        }
    }

    fn checked(&self) -> Result<Amount, Fault> {
        if !(1..=NAME_CHARS_MAX).contains(&self.name.chars().count()) {
            return Err(Fault::invalid("name", "name must have 1 to 128 characters."));
        }
        if self.notification.is_empty() {
            let detail = "notification must name at least one of email, sms, webhook, slack.";
            return Err(Fault::invalid("notification", detail));
        }
        self.amount()
    }
}

impl Alert {
    fn asked(id: String, asked: Asked, amount: Amount, created_at: String) -> Alert {
        Alert {
            id,
            name: asked.name,
            metric: asked.metric,
            threshold: amount.into(),
            r#type: asked.r#type,
            notification: Channel::each_once(&asked.notification),
            period: asked.period.unwrap_or_default(),
            created_at,
        }
    }

    /// `None` for a setting that is no alert.
    fn of(setting: &LimitSetting) -> Option<Alert> {
        let (spec, body) = (&setting.spec, &setting.body);
        if !spec.limit_id.starts_with(PREFIX) {
            return None;
        }
        let text = |member| Some(body.get(member).and_then(Value::as_str)?.to_owned());
        let metric = match (spec.scope.kind, spec.scope.id.as_deref()) {
            (ScopeKind::Account, None) => Metric::Total,
            (ScopeKind::Feature, Some("sms")) => Metric::Sms,
            (ScopeKind::Feature, Some("voice")) => Metric::Voice,
            (ScopeKind::Feature, Some("api")) => Metric::Api,
            _ => return None,
        };
        let r#type = match spec.amount {
            Amount::Cost(_) => Measured::Cost,
            Amount::Count(_) => Measured::Count,
        };
        let period = if spec.window == Window::Day { Period::Daily } else { Period::Monthly };
        Some(Alert {
            id: spec.limit_id.to_string(),
            name: text("name")?,
            metric,
            threshold: spec.amount.into(),
            r#type,
            notification: Channel::named(&texts(body, "notifications")),
            period,
            created_at: text("created_at").unwrap_or_else(|| setting.created_at.to_string()),
        })
    }

    fn setting(&self, amount: Amount, keyed: Option<&Keyed>) -> Setting {
        let feature = |id: &str| Scope { kind: ScopeKind::Feature, id: Some(id.into()) };
        let channels: Vec<&str> = self.notification.iter().map(|it| it.as_str()).collect();
        let mut body = members(json!({
            "type": "alert",
            "name": self.name,
            "notifications": channels,
            "created_at": self.created_at,
        }));
        if let Some(keyed) = keyed {
            body.insert(SHA256.to_owned(), keyed.sha256().into());
        }
        let spec = LimitSpec {
            limit_id: self.id.as_str().into(),
            scope: match self.metric {
                Metric::Sms => feature("sms"),
                Metric::Voice => feature("voice"),
                Metric::Api => feature("api"),
                Metric::Total => Scope { kind: ScopeKind::Account, id: None },
            },
            measure: match self.r#type {
                Measured::Count => Measure::Requests,
                Measured::Cost => Measure::Cost,
            },
            window: match self.period {
                Period::Daily => Window::Day,
                Period::Monthly => Window::Month,
            },
            amount,
            action: Action::Alert,
            thresholds: vec![100],
            enabled: true,
            only: Only::default(),
        };
        Setting::LimitSet { spec, body }
    }
}

impl AlertListed {
    fn of(setting: &LimitSetting, seen: Option<&LimitSeen>) -> Option<AlertListed> {
        let alert = Alert::of(setting)?;
        let amount = setting.spec.amount;
        let nothing = match amount {
            Amount::Cost(_) => Amount::Cost(Money::ZERO),
            Amount::Count(_) => Amount::Count(0),
        };
        let used = seen.and_then(|seen| seen.total).unwrap_or(nothing);
        Some(AlertListed {
            alert,
            current_usage: used.into(),
            percentage_used: percentage_used(used, amount),
            reached: used.units() >= amount.units(),
        })
    }
}

/// Alerts, with how far each is
#[utoipa::path(
    get, path = "/v2/billing/alerts", tag = "Billing",
    responses((status = 200, body = super::Success<Alerts>), BillingErrors),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
) -> Result<Answer<Alerts>, Fault> {
    let account = control.settings(&caller.account_id);
    let ours: Vec<_> =
        account.limits.values().filter(|setting| Alert::of(setting).is_some()).collect();
    if ours.is_empty() {
        return Ok(success(Alerts { alerts: Vec::new() }));
    }
    let limits = ours.iter().map(|setting| setting.spec.limit_id.clone()).collect();
    let told = control.look(&caller.account_id, Look { limits, ..Look::default() }).await?;
    let listed =
        |setting: &&LimitSetting| AlertListed::of(setting, seen(&told, &setting.spec.limit_id));
    Ok(success(Alerts { alerts: ours.iter().filter_map(listed).collect() }))
}

/// Make an alert
///
/// It tells when the period's count or cost reaches the threshold, and stops nothing. With
/// `X-Idempotency-Key` a repeated request gets the first answer, also after the alert was removed;
/// the key with another body is a conflict.
#[utoipa::path(
    post, path = "/v2/billing/alerts", tag = "Billing", request_body = Asked,
    params(("X-Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 printable ASCII characters of the client's choice",
        min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses(
        (status = 201, body = super::Success<Alert>),
        (status = 409, description = "The key came with another body, or there are too many alerts",
         content_type = "application/json"),
        BillingErrors,
    ),
)]
async fn create(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Fault> {
    let body = body.map_err(unread)?;
    let keyed = Keyed::of(&headers, &caller.account_id, &body)?;
    let _turn = control.turn(&caller.account_id).await;
    let account = control.settings(&caller.account_id);
    let id = keyed.as_ref().map_or_else(|| Uuid::from_u128(rand::random()), Keyed::id);
    let id = format!("{PREFIX}{}", &id.simple().to_string()[..24]);
    let made = account.limits.get(id.as_str());
    if let Some(keyed) = &keyed {
        if let Some(answer) = keyed.answered(&account, &id)? {
            return created(answer);
        }
        // Made by an attempt that ended before its answer was kept.
        made.map(|made| keyed.compare(&made.body)).transpose()?;
    }
    let asked: Asked = read(&body)?;
    let amount = asked.checked()?;
    let alerts = account.limits.keys().filter(|id| id.starts_with(PREFIX)).count();
    if made.is_none() && alerts >= ALERTS_MAX {
        let detail = "An account has at most 100 alerts; remove one that is not needed any more.";
        return Err(Fault::new(Kind::Conflict, detail));
    }
    let former = made.and_then(Alert::of).map(|alert| alert.created_at);
    let created_at = former.unwrap_or_else(|| control.now().to_string());
    let alert = Alert::asked(id, asked, amount, created_at);
    let answer = serde_json::to_string(&alert).map_err(|error| {
        Fault::new(Kind::Invalid, format!("The alert cannot be written as JSON: {error}."))
    })?;
    let mut settings = vec![alert.setting(amount, keyed.as_ref())];
    if let Some(keyed) = &keyed {
        settings.extend(keyed.kept(&account, &alert.id, &answer));
    }
    control.record(&caller, None, &settings).await?;
    created(answer)
}

/// The answer as it was kept, digit for digit.
fn created(answer: String) -> Result<Response, Fault> {
    let raw = RawValue::from_string(answer).map_err(|error| {
        tracing::error!(%error, "a kept answer is no JSON");
        Fault::new(Kind::Unavailable, "The first answer to this key cannot be read any more.")
    })?;
    Ok((StatusCode::CREATED, success(raw)).into_response())
}

/// Remove an alert
#[utoipa::path(
    delete, path = "/v2/billing/alerts/{id}", tag = "Billing",
    params(("id" = String, Path, description = "`alert_…`", pattern = "^alert_[0-9a-f]{24}$")),
    responses((status = 200, body = super::Success<Deleted>), BillingErrors),
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
) -> Result<Answer<Deleted>, Fault> {
    let _turn = control.turn(&caller.account_id).await;
    let account = control.settings(&caller.account_id);
    if account.limits.get(id.as_str()).and_then(Alert::of).is_none() {
        let detail = format!("There is no alert {id:?}; GET /v2/billing/alerts lists them.");
        return Err(Fault::new(Kind::Absent, detail));
    }
    control.record(&caller, None, &[Setting::LimitRemoved { limit_id: id.clone() }]).await?;
    Ok(success(Deleted { id, deleted: true }))
}
