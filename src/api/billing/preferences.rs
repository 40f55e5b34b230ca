//! `/v2/billing/notifications`: by which channels an account is told, and where (A10). Promise:
//! what is not named stays as it is; URLs are https; mailboxes and phone numbers, which A10 leaves
//! open, look like such.

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
use crate::api::emails::Emails;
use crate::api::extract::JsonBody;
use crate::api::fault::Fault;
use crate::api::named::{given, members};
use crate::api::url;
use crate::settings::{Account, PREFERENCES};
use crate::wire::Setting;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(show, change))
}

const PHONE_NUMBERS_MAX: usize = 20;

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
    /// Where e-mails go: 1 to 20 addresses, as a list or with commas between.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Emails>)]
    email_addresses: Option<Option<Emails>>,
    /// Where short messages go: at most 20. Without any, the carrier's number of the account.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<PhoneNumber>>, max_items = 20)]
    phone_numbers: Option<Option<Vec<PhoneNumber>>>,
}

/// E.164: `+` and 7 to 15 digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(pattern = r"^\+[1-9][0-9]{6,14}$")]
struct PhoneNumber(String);

/// By which channels the account is told; null where nothing was said.
#[derive(Serialize, ToSchema)]
struct NotificationPreferences {
    email: Option<bool>,
    sms: Option<bool>,
    webhook: Option<String>,
    slack: Option<String>,
    email_addresses: Option<Vec<String>>,
    phone_numbers: Option<Vec<PhoneNumber>>,
}

impl NotificationPreferences {
    fn of(account: &Account) -> NotificationPreferences {
        let none = Map::new();
        let document = account.document(PREFERENCES, "");
        NotificationPreferences::recorded(document.map_or(&none, |document| &document.body))
    }

    fn recorded(body: &Map<String, Value>) -> NotificationPreferences {
        let flag = |member| body.get(member).and_then(Value::as_bool);
        let text = |member| body.get(member).and_then(Value::as_str).map(str::to_owned);
        let listed = |member| {
            let list = body.get(member)?.as_array()?.iter().filter_map(Value::as_str);
            Some(list.map(str::to_owned).collect::<Vec<_>>())
        };
        NotificationPreferences {
            email: flag("email"),
            sms: flag("sms"),
            webhook: text("webhook"),
            slack: text("slack"),
            email_addresses: listed("email_addresses"),
            phone_numbers: listed("phone_numbers")
                .map(|numbers| numbers.into_iter().map(PhoneNumber).collect()),
        }
    }

    fn changed(self, asked: Asked) -> Result<NotificationPreferences, Fault> {
        Ok(NotificationPreferences {
            email: asked.email.unwrap_or(self.email),
            sms: asked.sms.unwrap_or(self.sms),
            webhook: address("webhook", asked.webhook, self.webhook)?,
            slack: address("slack", asked.slack, self.slack)?,
            email_addresses: match asked.email_addresses {
                None => self.email_addresses,
                Some(None) => None,
                Some(Some(emails)) => Some(emails.checked("email_addresses")?),
            },
            phone_numbers: match asked.phone_numbers {
                None => self.phone_numbers,
                Some(None) => None,
                Some(Some(numbers)) => Some(phone_numbers(numbers)?),
            },
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

/// Each once.
fn phone_numbers(asked: Vec<PhoneNumber>) -> Result<Vec<PhoneNumber>, Fault> {
    let place = "phone_numbers";
    if asked.len() > PHONE_NUMBERS_MAX {
        let detail = format!("phone_numbers has at most {PHONE_NUMBERS_MAX} numbers.");
        return Err(Fault::invalid(place, detail));
    }
    let mut numbers: Vec<PhoneNumber> = Vec::with_capacity(asked.len());
    for (number, phone) in asked.into_iter().enumerate() {
        if !phone.is_valid() {
            let detail = format!("{:?} is not + and 7 to 15 digits (E.164).", phone.0);
            return Err(Fault::invalid(format!("{place}[{number}]"), detail));
        }
        if !numbers.contains(&phone) {
            numbers.push(phone);
        }
    }
    Ok(numbers)
}

impl PhoneNumber {
    fn is_valid(&self) -> bool {
        self.0.strip_prefix('+').is_some_and(|digits| {
            (7..=15).contains(&digits.len())
                && !digits.starts_with('0')
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    }
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
    use serde_json::json;

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

    fn changed(former: Value, asked: Value) -> Result<Value, Fault> {
        let asked: Asked = serde_json::from_value(asked).expect("the shape of preferences");
        let former = NotificationPreferences::recorded(&members(former));
        former.changed(asked).map(|changed| json!(changed))
    }

    #[test]
    fn mailboxes_and_numbers_are_merged_and_cleared_like_the_rest() {
        let nothing = json!({"email": null, "sms": null, "webhook": null, "slack": null,
            "email_addresses": null, "phone_numbers": null});
        assert_eq!(changed(json!({}), json!({})).expect("valid"), nothing);
        let asked = json!({"email_addresses": "a@b.c, d@e.f,a@b.c",
            "phone_numbers": ["+15550001", "+393331234567", "+15550001"]});
        let set = changed(json!({"email": true}), asked).expect("valid");
        let expected = json!({"email": true, "sms": null, "webhook": null, "slack": null,
            "email_addresses": ["a@b.c", "d@e.f"],
            "phone_numbers": ["+15550001", "+393331234567"]});
        assert_eq!(set, expected);
        assert_eq!(changed(set.clone(), json!({})).expect("valid"), set, "what is left out stays");
        let cleared = json!({"email": null, "email_addresses": null, "phone_numbers": null});
        assert_eq!(changed(set, cleared).expect("valid"), nothing);
    }

    #[test]
    fn mailboxes_and_numbers_that_are_none_are_refused_with_their_place() {
        for (asked, place) in [
            (json!({"email_addresses": "a@b.c, nobody"}), "email_addresses"),
            (json!({"email_addresses": []}), "email_addresses"),
            (json!({"phone_numbers": ["+15550001", "15550001"]}), "phone_numbers[1]"),
            (json!({"phone_numbers": ["+155500"]}), "phone_numbers[0]"),
            (json!({"phone_numbers": ["+1234567890123456"]}), "phone_numbers[0]"),
            (json!({"phone_numbers": ["+0555000100"]}), "phone_numbers[0]"),
            (json!({"phone_numbers": ["+1555 0001"]}), "phone_numbers[0]"),
            (json!({"phone_numbers": ["+1555٣001"]}), "phone_numbers[0]"),
            (json!({"phone_numbers": vec!["+15550001"; 21]}), "phone_numbers"),
        ] {
            let refused = changed(json!({}), asked.clone()).expect_err("against a rule");
            assert_eq!(refused.place.as_deref(), Some(place), "{asked}");
        }
        let longest = json!({"phone_numbers": ["+1234567", "+123456789012345"]});
        assert!(changed(json!({}), longest).is_ok());
    }
}
