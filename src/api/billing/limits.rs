//! `/v2/billing/limits`: limits of the account and of its features are set, listed, changed and
//! removed (A2-A4, A14). Promise: a change acts before it is answered.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::limit::{Asked, BillingLimit, Listed, Shown, Target, Word, amount_of};
use super::{Answer, Deleted, success};
use crate::api::caller::Caller;
use crate::api::control::Control;
use crate::api::described::BillingErrors;
use crate::api::extract::JsonBody;
use crate::api::fault::{Fault, Kind};
use crate::api::named::{Named, seen};
use crate::api::number::Number;
use crate::fold::Look;
use crate::wire::Setting;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list, set_several)).routes(routes!(put, delete))
}

#[derive(Serialize, ToSchema)]
#[schema(as = BillingLimits)]
struct Limits {
    limits: Vec<Listed>,
}

/// Limits after several were set.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingLimitsSet)]
struct SetTogether {
    limits: Vec<Shown>,
}

/// Amounts of several limits at once (A14); at least one, and all or none are set.
#[derive(Deserialize, ToSchema)]
#[schema(as = BillingBundle)]
struct Bundle {
    /// USD, at least 10.
    #[schema(value_type = Option<f64>, minimum = 10, exclusive_maximum = 1000000000000u64)]
    monthly_limit: Option<Number>,
    /// USD.
    #[schema(value_type = Option<f64>, exclusive_minimum = 0, exclusive_maximum = 1000000000000u64)]
    daily_limit: Option<Number>,
    /// USD a month.
    #[schema(value_type = Option<f64>, exclusive_minimum = 0, exclusive_maximum = 1000000000000u64)]
    sms_limit: Option<Number>,
    /// USD a month.
    #[schema(value_type = Option<f64>, exclusive_minimum = 0, exclusive_maximum = 1000000000000u64)]
    voice_limit: Option<Number>,
    /// USD a month.
    #[schema(value_type = Option<f64>, exclusive_minimum = 0, exclusive_maximum = 1000000000000u64)]
    numbers_limit: Option<Number>,
    /// USD a month.
    #[schema(value_type = Option<f64>, exclusive_minimum = 0, exclusive_maximum = 1000000000000u64)]
    features_limit: Option<Number>,
}

impl Bundle {
    fn asked(&self) -> Vec<(Word, &Number)> {
        let amount = |word| match word {
            Word::Monthly => self.monthly_limit.as_ref(),
            Word::Daily => self.daily_limit.as_ref(),
            Word::Sms => self.sms_limit.as_ref(),
            Word::Voice => self.voice_limit.as_ref(),
            Word::Numbers => self.numbers_limit.as_ref(),
            Word::Features => self.features_limit.as_ref(),
        };
        Word::ALL.into_iter().filter_map(|word| Some((word, amount(word)?))).collect()
    }
}

/// Limits, with what they have come to
#[utoipa::path(
    get, path = "/v2/billing/limits", tag = "Billing",
    responses((status = 200, body = super::Success<Limits>), BillingErrors),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
) -> Result<Answer<Limits>, Fault> {
    let account = control.settings(&caller.account_id);
    let ids = Word::ALL.into_iter().map(Word::limit_id);
    let ids: Vec<_> = ids.filter(|id| account.limits.contains_key(id.as_str())).collect();
    if ids.is_empty() {
        return Ok(success(Limits { limits: Vec::new() }));
    }
    let limits = ids.iter().map(|id| id.as_str().into()).collect();
    let told = control.look(&caller.account_id, Look { limits, ..Look::default() }).await?;
    let now = control.now();
    let listed = Word::ALL.into_iter().filter_map(|word| {
        let id = word.limit_id();
        Listed::of(word, account.limits.get(id.as_str())?, seen(&told, &id), now)
    });
    Ok(success(Limits { limits: listed.collect() }))
}

/// Set a limit by its word, or change one by its id
///
/// `monthly` is all charges of the account in the calendar month, `daily` all charges of the UTC
/// day, the others a feature's charges in the calendar month. An id (`limit_…`) changes the given
/// members of a limit that exists. The change acts at once: a limit below the usage blocks, one
/// raised above it lets sending go on.
#[utoipa::path(
    put, path = "/v2/billing/limits/{limit_id}", tag = "Billing",
    params(("limit_id" = String, Path,
        description = "monthly, daily, sms, voice, numbers, features, or a limit's id",
        pattern = "^(limit_)?(monthly|daily|sms|voice|numbers|features)$", example = "daily")),
    request_body = Asked,
    responses((status = 200, body = super::Success<Shown>), BillingErrors),
)]
async fn put(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Named(name): Named,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Answer<Shown>, Fault> {
    let target = Target::parse(&name).ok_or_else(|| no_such(&name))?;
    let word = target.word();
    let _turn = control.turn(&caller.account_id).await;
    let limit = match target {
        Target::Word(word) => BillingLimit::fresh(word, asked)?,
        Target::Id(word) => {
            let former = present(&control, &caller, word).ok_or_else(|| no_such(&name))?;
            former.changed(word, asked)?
        }
    };
    control.record(&caller, None, &[limit.setting(word)]).await?;
    let mut shown = shown(&control, &caller, &[word]).await?;
    shown.pop().map(success).ok_or_else(|| no_such(&name))
}

/// Remove a limit
///
/// Its block ends at once; what was spent stays counted.
#[utoipa::path(
    delete, path = "/v2/billing/limits/{limit_id}", tag = "Billing",
    params(("limit_id" = String, Path,
        description = "A limit's id, or its word",
        pattern = "^(limit_)?(monthly|daily|sms|voice|numbers|features)$", example = "daily")),
    responses((status = 200, body = super::Success<Deleted>), BillingErrors),
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Named(name): Named,
) -> Result<Answer<Deleted>, Fault> {
    let word = Target::parse(&name).ok_or_else(|| no_such(&name))?.word();
    let _turn = control.turn(&caller.account_id).await;
    present(&control, &caller, word).ok_or_else(|| no_such(&name))?;
    let limit_id = word.limit_id();
    let removed = Setting::LimitRemoved { limit_id: limit_id.clone() };
    control.record(&caller, None, &[removed]).await?;
    Ok(success(Deleted { id: limit_id, deleted: true }))
}

/// Set several limits at once
///
/// All or none are set. A limit that exists keeps its action, thresholds and notifications.
#[utoipa::path(
    post, path = "/v2/billing/limits", tag = "Billing", request_body = Bundle,
    responses((status = 200, body = super::Success<SetTogether>), BillingErrors),
)]
async fn set_several(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    JsonBody(bundle): JsonBody<Bundle>,
) -> Result<Answer<SetTogether>, Fault> {
    let asked = bundle.asked();
    if asked.is_empty() {
        return Err(Fault::new(
            Kind::Invalid,
            "Send at least one of monthly_limit, daily_limit, sms_limit, voice_limit, \
             numbers_limit, features_limit.",
        ));
    }
    let mut amounts = Vec::with_capacity(asked.len());
    for (word, number) in asked {
        amounts.push((word, amount_of(word, &format!("{}_limit", word.as_str()), number)?));
    }
    let _turn = control.turn(&caller.account_id).await;
    let settings: Vec<Setting> = amounts
        .iter()
        .map(|(word, amount)| {
            let limit = match present(&control, &caller, *word) {
                Some(former) => former.of_amount(*amount),
                None => BillingLimit::plain(*amount),
            };
            limit.setting(*word)
        })
        .collect();
    control.record(&caller, None, &settings).await?;
    let words: Vec<Word> = amounts.into_iter().map(|(word, _)| word).collect();
    Ok(success(SetTogether { limits: shown(&control, &caller, &words).await? }))
}

/// The limit as it is set.
fn present(control: &Control, caller: &Caller, word: Word) -> Option<BillingLimit> {
    let account = control.settings(&caller.account_id);
    account.limits.get(word.limit_id().as_str()).and_then(BillingLimit::of)
}

/// Limits with what they have come to.
async fn shown(control: &Control, caller: &Caller, words: &[Word]) -> Result<Vec<Shown>, Fault> {
    let limits = words.iter().map(|word| word.limit_id().into()).collect();
    let told = control.look(&caller.account_id, Look { limits, ..Look::default() }).await?;
    let account = control.settings(&caller.account_id);
    let shown = words.iter().filter_map(|word| {
        let id = word.limit_id();
        Shown::of(*word, account.limits.get(id.as_str())?, seen(&told, &id))
    });
    Ok(shown.collect())
}

fn no_such(name: &str) -> Fault {
    let detail = format!(
        "There is no limit {name:?}. GET /v2/billing/limits lists those there are; PUT \
         /v2/billing/limits/monthly (or daily, sms, voice, numbers, features) makes one."
    );
    Fault::new(Kind::Absent, detail)
}
