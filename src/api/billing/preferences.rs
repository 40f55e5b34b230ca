//! `/v2/billing/notifications`: by which channels an account is told, and where (A10). Promise:
//! what is not named stays as it is; addresses are https URLs.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Answer, success};
use crate::api::caller::Caller;
use crate::api::control::Control;
use crate::api::described::BillingErrors;
use crate::api::extract::JsonBody;
use crate::api::fault::Fault;
use crate::api::named::{given, members};
use crate::api::url;
use crate::settings::Account;
use crate::wire::Setting;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(show, change))
}

/// Kind of the document; an account has one.
const PREFERENCES: &str = "preferences";

/// Changes: what is left out stays, null clears.
#[derive(Deserialize, ToSchema)]
#[schema(as = NotificationPreferencesRequest)]
struct Asked {
    /// Whether e-mails are sent.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    email: Option<Option<bool>>,
    /// Whether short messages are sent.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    sms: Option<Option<bool>>,
    /// Where webhooks go: an https URL.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = "uri", max_length = 2048, pattern = "^https://")]
    webhook: Option<Option<String>>,
    /// Where messages for Slack go: an https URL.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = "uri", max_length = 2048, pattern = "^https://")]
    slack: Option<Option<String>>,
}

/// By which channels the account is told; null where nothing was said.
#[derive(Serialize, ToSchema)]
struct NotificationPreferences {
    email: Option<bool>,
    sms: Option<bool>,
    webhook: Option<String>,
    slack: Option<String>,
}

impl NotificationPreferences {
    fn of(account: &Account) -> NotificationPreferences {
        let none = Map::new();
        let body = account.document(PREFERENCES, "").map_or(&none, |document| &document.body);
        let flag = |member| body.get(member).and_then(Value::as_bool);
        let text = |member| body.get(member).and_then(Value::as_str).map(str::to_owned);
        NotificationPreferences {
            email: flag("email"),
            sms: flag("sms"),
            webhook: text("webhook"),
            slack: text("slack"),
        }
    }

    fn changed(self, asked: Asked) -> Result<NotificationPreferences, Fault> {
        Ok(NotificationPreferences {
            email: asked.email.unwrap_or(self.email),
            sms: asked.sms.unwrap_or(self.sms),
            webhook: address("webhook", asked.webhook, self.webhook)?,
            slack: address("slack", asked.slack, self.slack)?,
        })
    }

    fn setting(&self) -> Setting {
        let body = serde_json::to_value(self).expect("flags and texts are plain JSON");
        Setting::Set { kind: PREFERENCES.to_owned(), body: members(body) }
    }
}

fn address(
    place: &str,
    asked: Option<Option<String>>,
    former: Option<String>,
) -> Result<Option<String>, Fault> {
    match asked {
        None => Ok(former),
        Some(None) => Ok(None),
        Some(Some(url)) if is_https(&url) => Ok(Some(url)),
        Some(Some(_)) => {
            let detail = format!(
                "{place} must be an https URL with a host, without user name and password, of at \
                 most 2048 printable ASCII characters."
            );
            Err(Fault::invalid(place, detail))
        }
    }
}

fn is_https(text: &str) -> bool {
    url::parse(text).is_some_and(|url| {
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none()
    })
}

/// By which channels the account is told
#[utoipa::path(
    get, path = "/v2/billing/notifications", tag = "Billing",
    responses((status = 200, body = super::Success<NotificationPreferences>), BillingErrors),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
) -> Answer<NotificationPreferences> {
    success(NotificationPreferences::of(&control.settings(&caller.account_id)))
}

/// Change by which channels the account is told
#[utoipa::path(
    put, path = "/v2/billing/notifications", tag = "Billing", request_body = Asked,
    responses((status = 200, body = super::Success<NotificationPreferences>), BillingErrors),
)]
async fn change(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Answer<NotificationPreferences>, Fault> {
    let _turn = control.turn(&caller.account_id).await;
    let former = NotificationPreferences::of(&control.settings(&caller.account_id));
    let changed = former.changed(asked)?;
    control.record(&caller, None, &[changed.setting()]).await?;
    Ok(success(changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_urls_with_a_host_and_no_secret() {
        for url in ["https://example.com", "https://hooks.slack.com/services/T0/B0/x?a=b"] {
            assert!(is_https(url), "{url}");
        }
        for url in [
            "",
            "example.com",
            "http://example.com",
            "https://user:secret@example.com",
            "https://user@example.com",
        ] {
            assert!(!is_https(url), "{url}");
        }
    }
}
