//! `/v2/whatsapp/senders`: how many contacts a sender may reach a day, by its tier (O4). Promise:
//! a tier is a limit on distinct recipients; the highest has none.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::control::Control;
use super::described::Problems;
use super::extract::JsonBody;
use super::fault::{Fault, Kind};
use super::named::{Named, members, seen};
use super::number::{Number, remaining};
use crate::engine::partition::Told;
use crate::fold::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window};
use crate::fold::{Calendar, Look};
use crate::settings::Account;
use crate::time::Millis;
use crate::wire::Setting;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, put, delete))
}

/// Kind of the documents that keep senders' tiers; the number is the id.
const SENDER: &str = "whatsapp_sender";
/// Senders of an account.
const SENDERS_MAX: usize = 10_000;
/// Of a number, as in billed events.
const NUMBER_CHARS_MAX: usize = 128;
/// Digits that a limit's id has room for.
const DIGITS_MAX: usize = 50;
const PREFIX: &str = "tier-";

/// Contacts a day of tiers 1 to 4; the last is unlimited.
fn contacts(tier: u8) -> Option<u64> {
    match tier {
        1 => Some(1_000),
        2 => Some(10_000),
        3 => Some(100_000),
        _ => None,
    }
}

/// `tier-` and the number's digits, or a digest of a number that is not + and digits.
fn limit_id(number: &str) -> String {
    match number.strip_prefix('+') {
        Some(digits)
            if (1..=DIGITS_MAX).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            format!("{PREFIX}{digits}")
        }
        // The letter keeps digests apart from digits.
        _ => {
            let digest = Sha256::digest(number.as_bytes());
            let hex =
                digest.iter().take(20).fold(String::new(), |hex, it| hex + &format!("{it:02x}"));
            format!("{PREFIX}h{hex}")
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = WhatsappTierRequest)]
struct Asked {
    /// 1: 1,000, 2: 10,000, 3: 100,000 different contacts a UTC day; 4: unlimited.
    #[schema(minimum = 1, maximum = 4)]
    tier: u8,
}

/// The envelope.
#[derive(Serialize, ToSchema)]
#[schema(as = WhatsappAnswer)]
struct Answer<T> {
    data: T,
}

/// A sender and its contacts today.
#[derive(Serialize, ToSchema)]
#[schema(as = WhatsappSender)]
struct Sender {
    number: String,
    tier: u8,
    /// Contacts a day; null for unlimited.
    daily_contacts_max: Option<u64>,
    /// Different contacts today since the tier's limit was made; null for unlimited.
    contacts_today: Option<Number>,
    remaining: Option<Number>,
    blocked: bool,
    /// When the block ends by itself, RFC 3339.
    blocked_until: Option<String>,
    /// When counting begins anew, RFC 3339.
    resets_at: String,
}

impl Sender {
    fn of(number: &str, tier: u8, told: &Told, now: Millis) -> Sender {
        let seen = seen(told, &limit_id(number));
        let most = contacts(tier);
        let used = most.map(|_| seen.and_then(|seen| seen.total).unwrap_or(Amount::Count(0)));
        let left = used.zip(most).map(|(used, most)| remaining(used, Amount::Count(most)));
        let block = seen.and_then(|seen| seen.blocks.first());
        Sender {
            number: number.to_owned(),
            tier,
            daily_contacts_max: most,
            contacts_today: used.map(Number::from),
            remaining: left.map(Number::from),
            blocked: block.is_some(),
            blocked_until: block.map(|held| held.until.to_string()),
            resets_at: Calendar::Day(now.day()).bounds().end.to_string(),
        }
    }
}

/// The tier that an account's settings have for a number.
fn tier(account: &Account, number: &str) -> Option<u8> {
    tier_of(&account.document(SENDER, number)?.body)
}

fn tier_of(body: &serde_json::Map<String, Value>) -> Option<u8> {
    u8::try_from(body.get("tier")?.as_u64()?).ok()
}

/// The limit of a tier, or its end.
fn limit_setting(account: &Account, number: &str, tier: u8) -> Option<Setting> {
    let limit_id = limit_id(number);
    let Some(most) = contacts(tier) else {
        let is_set = account.limits.contains_key(limit_id.as_str());
        return is_set.then_some(Setting::LimitRemoved { limit_id });
    };
    let spec = LimitSpec {
        limit_id: limit_id.into(),
        scope: Scope { kind: ScopeKind::Sender, id: Some(number.into()) },
        measure: Measure::Recipients,
        window: Window::Day,
        amount: Amount::Count(most),
        action: Action::Block,
        thresholds: Vec::new(),
        enabled: true,
        only: Only { purpose: None, feature: Some("whatsapp".into()) },
    };
    let body = members(json!({"type": "whatsapp_tier", "tier": tier}));
    Some(Setting::LimitSet { spec, body })
}

/// Senders with a tier
#[utoipa::path(
    get, path = "/v2/whatsapp/senders", tag = "WhatsApp",
    responses((status = 200, body = Answer<Vec<Sender>>), Problems),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Answer<Vec<Sender>>>, Fault> {
    let account = control.settings(&caller.account_id);
    let senders = account.documents(SENDER);
    let senders: Vec<_> =
        senders.filter_map(|(id, document)| Some((id, tier_of(&document.body)?))).collect();
    if senders.is_empty() {
        return Ok(Json(Answer { data: Vec::new() }));
    }
    let limits = senders.iter().map(|(number, _)| limit_id(number).into()).collect();
    let told = control.look(&caller.account_id, Look { limits, ..Look::default() }).await?;
    let now = control.now();
    let data = senders.iter().map(|(number, tier)| Sender::of(number, *tier, &told, now));
    Ok(Json(Answer { data: data.collect() }))
}

/// A sender's tier, and its contacts today
#[utoipa::path(
    get, path = "/v2/whatsapp/senders/{number}", tag = "WhatsApp",
    params(("number" = String, Path, description = "As billed events have it, such as +15550001",
        min_length = 1, max_length = 128, example = "+15550001")),
    responses((status = 200, body = Answer<Sender>), Problems),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Named(number): Named,
) -> Result<Json<Answer<Sender>>, Fault> {
    answer(&control, &caller, &number).await
}

/// Set a sender's tier
///
/// It acts at once: a lower tier may hold the sender, a higher one lets it go on. Contacts are
/// counted from the moment a sender has a tier of 1 to 3, and anew when it comes back from 4.
#[utoipa::path(
    put, path = "/v2/whatsapp/senders/{number}", tag = "WhatsApp", request_body = Asked,
    params(("number" = String, Path, description = "As billed events have it, such as +15550001",
        min_length = 1, max_length = 128, example = "+15550001")),
    responses(
        (status = 200, body = Answer<Sender>),
        (status = 409, description = "The account has too many senders",
         content_type = "application/problem+json"),
        Problems,
    ),
)]
async fn put(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Named(number): Named,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Json<Answer<Sender>>, Fault> {
    if number.is_empty() || number.chars().count() > NUMBER_CHARS_MAX {
        return Err(Fault::invalid("number", "A number has 1 to 128 characters."));
    }
    if !(1..=4).contains(&asked.tier) {
        return Err(Fault::invalid("tier", "tier must be 1, 2, 3, or 4 for unlimited."));
    }
    let _turn = control.turn(&caller.account_id).await;
    let account = control.settings(&caller.account_id);
    if tier(&account, &number).is_none() && account.documents(SENDER).count() >= SENDERS_MAX {
        let detail = "An account has at most 10000 senders; remove one that is not used any more.";
        return Err(Fault::new(Kind::Conflict, detail));
    }
    let mut settings: Vec<_> = limit_setting(&account, &number, asked.tier).into_iter().collect();
    let body = members(json!({"id": number, "tier": asked.tier}));
    settings.push(Setting::Set { kind: SENDER.to_owned(), body });
    control.record(&caller, None, &settings).await?;
    answer(&control, &caller, &number).await
}

/// What was removed.
#[derive(Serialize, ToSchema)]
#[schema(as = WhatsappSenderRemoved)]
struct Removed {
    number: String,
    /// Always true.
    deleted: bool,
}

/// Remove a sender's tier: it is not limited any more
#[utoipa::path(
    delete, path = "/v2/whatsapp/senders/{number}", tag = "WhatsApp",
    params(("number" = String, Path, description = "As billed events have it, such as +15550001",
        min_length = 1, max_length = 128, example = "+15550001")),
    responses((status = 200, body = Answer<Removed>), Problems),
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Named(number): Named,
) -> Result<Json<Answer<Removed>>, Fault> {
    let _turn = control.turn(&caller.account_id).await;
    let account = control.settings(&caller.account_id);
    tier(&account, &number).ok_or_else(|| absent(&number))?;
    let mut settings = Vec::new();
    let limit_id = limit_id(&number);
    if account.limits.contains_key(limit_id.as_str()) {
        settings.push(Setting::LimitRemoved { limit_id });
    }
    let body = members(json!({"id": number}));
    settings.push(Setting::Removed { kind: SENDER.to_owned(), body });
    control.record(&caller, None, &settings).await?;
    Ok(Json(Answer { data: Removed { number, deleted: true } }))
}

async fn answer(
    control: &Control,
    caller: &Caller,
    number: &str,
) -> Result<Json<Answer<Sender>>, Fault> {
    let tier = tier(&control.settings(&caller.account_id), number);
    let tier = tier.ok_or_else(|| absent(number))?;
    let limits = vec![limit_id(number).into()];
    let told = control.look(&caller.account_id, Look { limits, ..Look::default() }).await?;
    Ok(Json(Answer { data: Sender::of(number, tier, &told, control.now()) }))
}

fn absent(number: &str) -> Fault {
    let detail = format!(
        "The sender {number:?} has no tier; PUT {{\"tier\": 1}} to this path gives it one."
    );
    Fault::new(Kind::Absent, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_limit_ids_of_their_own_within_the_bounds() {
        assert_eq!(limit_id("+15550001"), "tier-15550001");
        let long = format!("+{}", "1".repeat(60));
        let odd = ["15550001", "+", "+1 555", "MyBrand", "é", long.as_str()];
        let ids: std::collections::HashSet<_> = odd.iter().map(|number| limit_id(number)).collect();
        assert_eq!(ids.len(), odd.len());
        for id in ids {
            assert!(id.len() <= 64 && id.starts_with("tier-h"), "{id}");
        }
    }
}
