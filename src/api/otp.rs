//! `/v2/otp/limit`: how many one-time passwords a recipient gets in a sliding period (O1). Promise:
//! it is the built-in limit of every account, set to other numbers; deleting brings those of the
//! built-in one back.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::control::Control;
use super::described::Problems;
use super::extract::JsonBody;
use super::fault::Fault;
use super::named::{members, seen};
use super::number::Number;
use crate::fold::limit::{Amount, LimitSpec, Window};
use crate::fold::{BUILT_IN, Look, built_in};
use crate::settings::Account;
use crate::wire::Setting;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(show, change, restore))
}

/// Of a sliding limit (FORMATS.md, "Command").
const COUNT_MAX: u64 = 1_000;
const PERIOD_S_MAX: u32 = 86_400;

/// Changes: what is left out stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = OtpLimitRequest)]
struct Asked {
    /// One-time passwords to a recipient in the period; the last of them blocks.
    #[schema(minimum = 1, maximum = 1000)]
    count: Option<u64>,
    /// Another period begins to count anew.
    #[schema(minimum = 1, maximum = 86400)]
    period_seconds: Option<u32>,
    enabled: Option<bool>,
}

/// The envelope.
#[derive(Serialize, ToSchema)]
struct OtpLimit {
    data: Limited,
}

/// One-time passwords to a recipient in any period of this length.
#[derive(Serialize, ToSchema)]
#[schema(as = OtpLimitState)]
struct Limited {
    count: u64,
    period_seconds: u64,
    enabled: bool,
    /// Whether it is the built-in limit: 3 in 300 seconds.
    default: bool,
    /// Recipients held now, those that are held longest first.
    blocked: Vec<Blocked>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OtpRecipientBlocked)]
struct Blocked {
    recipient: String,
    /// When the oldest one leaves the period, RFC 3339.
    blocked_until: String,
    /// One-time passwords in the period.
    current: Number,
}

/// How many one-time passwords a recipient may get, and who gets none now
#[utoipa::path(
    get, path = "/v2/otp/limit", tag = "One-time passwords",
    responses((status = 200, body = OtpLimit), Problems),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<OtpLimit>, Fault> {
    answer(&control, &caller).await
}

/// Change how many one-time passwords a recipient may get
///
/// Another period begins to count anew; another count acts on what was counted.
#[utoipa::path(
    put, path = "/v2/otp/limit", tag = "One-time passwords", request_body = Asked,
    responses((status = 200, body = OtpLimit), Problems),
)]
async fn change(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Json<OtpLimit>, Fault> {
    let _turn = control.turn(&caller.account_id).await;
    let spec = asked.on(present(&control.settings(&caller.account_id)))?;
    control.record(&caller, None, &[setting(spec)]).await?;
    answer(&control, &caller).await
}

/// Bring the built-in limit back: 3 in 300 seconds
#[utoipa::path(
    delete, path = "/v2/otp/limit", tag = "One-time passwords",
    responses((status = 200, body = OtpLimit), Problems),
)]
async fn restore(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<OtpLimit>, Fault> {
    let _turn = control.turn(&caller.account_id).await;
    control.record(&caller, None, &[setting(built_in())]).await?;
    answer(&control, &caller).await
}

/// As it is set, or built in.
fn present(account: &Account) -> LimitSpec {
    account.limits.get(BUILT_IN).map_or_else(built_in, |setting| setting.spec.clone())
}

fn setting(spec: LimitSpec) -> Setting {
    Setting::LimitSet { spec, body: members(json!({"type": "otp"})) }
}

impl Asked {
    fn on(&self, former: LimitSpec) -> Result<LimitSpec, Fault> {
        // Whatever else a command may have put under this id ends here.
        let mut spec = LimitSpec { enabled: former.enabled, ..built_in() };
        if let Amount::Count(count) = former.amount {
            spec.amount = Amount::Count(count);
        }
        if former.window.period_ms().is_some() {
            spec.window = former.window;
        }
        if let Some(count) = self.count {
            if !(1..=COUNT_MAX).contains(&count) {
                return Err(Fault::invalid("count", "count must be in 1 to 1000."));
            }
            spec.amount = Amount::Count(count);
        }
        if let Some(period_s) = self.period_seconds {
            if !(1..=PERIOD_S_MAX).contains(&period_s) {
                let detail = "period_seconds must be in 1 to 86400.";
                return Err(Fault::invalid("period_seconds", detail));
            }
            let text = format!("PT{period_s}S").into();
            spec.window = Window::Sliding { period_ms: i64::from(period_s) * 1_000, text };
        }
        spec.enabled = self.enabled.unwrap_or(spec.enabled);
        Ok(spec)
    }
}

async fn answer(control: &Control, caller: &Caller) -> Result<Json<OtpLimit>, Fault> {
    let look = Look { limits: vec![BUILT_IN.into()], ..Look::default() };
    let told = control.look(&caller.account_id, look).await?;
    let spec = present(&control.settings(&caller.account_id));
    let count = match spec.amount {
        Amount::Count(count) => count,
        Amount::Cost(_) => 0,
    };
    let period_ms = spec.window.period_ms().unwrap_or(0);
    let mut held: Vec<_> = seen(&told, BUILT_IN).map(|it| it.blocks.clone()).unwrap_or_default();
    held.sort_by_key(|held| std::cmp::Reverse(held.until));
    let blocked = held.into_iter().map(|held| Blocked {
        recipient: held.scope.id.map(String::from).unwrap_or_default(),
        blocked_until: held.until.to_string(),
        current: held.total.into(),
    });
    let data = Limited {
        count,
        period_seconds: u64::try_from(period_ms / 1_000).unwrap_or(0),
        enabled: spec.enabled,
        default: spec == built_in(),
        blocked: blocked.collect(),
    };
    Ok(Json(OtpLimit { data }))
}
