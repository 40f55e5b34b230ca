//! The daily spend limit behind a profile: which limit of the account it is, what a request makes
//! of it, and the commands that record it. Promise: the account's limit is the one place where the
//! amount and the flag stand; a change never touches a total (T7).

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::fields::{self, READ_ONLY};
use super::seen::{DELETED, UNTIL};
use crate::api::fault::Fault;
use crate::fold::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window};
use crate::money::{self, Money};
use crate::settings::{Account, LimitSetting, PROFILE};
use crate::time::Millis;
use crate::wire::Setting;

/// Percents at which the limit warns.
const THRESHOLDS: [u8; 4] = [50, 75, 90, 100];

const AMOUNT: &str = "daily_spend_limit";
const FLAG: &str = "daily_spend_limit_enabled";

/// The id of a profile's daily spend limit: `spend-` and the profile's id if that is a UUID in its
/// usual spelling, else the first 32 hexadecimal digits of the id's SHA-256.
#[must_use]
pub fn limit_id(profile_id: &str) -> String {
    let usual = uuid::Uuid::try_parse(profile_id).is_ok_and(|id| id.to_string() == profile_id);
    if usual {
        return format!("spend-{profile_id}");
    }
    let digest = Sha256::digest(profile_id.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("spend-{hex}")
}

#[must_use]
pub fn scope(profile_id: &str) -> Scope {
    Scope { kind: ScopeKind::Profile, id: Some(profile_id.into()) }
}

/// A profile's daily spend limit as it is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpendLimit {
    pub amount: Money,
    pub enabled: bool,
}

impl SpendLimit {
    /// `None` for a limit of another kind that somebody recorded under this id.
    #[must_use]
    pub fn of(spec: &LimitSpec, profile_id: &str) -> Option<SpendLimit> {
        let Amount::Cost(amount) = spec.amount else { return None };
        let ours = spec.scope == scope(profile_id) && spec.window == Window::Day;
        ours.then_some(SpendLimit { amount, enabled: spec.enabled })
    }
}

/// The limit's setting, if there is one.
#[must_use]
pub fn set_in<'a>(account: &'a Account, profile_id: &str) -> Option<&'a LimitSetting> {
    let limit = account.limits.get(limit_id(profile_id).as_str())?;
    SpendLimit::of(&limit.spec, profile_id).map(|_| limit)
}

/// What a request wants of a profile. Null clears.
#[derive(Debug, PartialEq)]
pub struct Wanted {
    /// `None` keeps it, `Some(None)` removes it.
    amount: Option<Option<Money>>,
    enabled: Option<bool>,
    fields: Map<String, Value>,
}

impl Wanted {
    /// Reads a body; what the server alone says is left out.
    ///
    /// # Errors
    /// 422 for a field that holds what it may not (T1).
    pub fn read(mut body: Map<String, Value>) -> Result<Wanted, Fault> {
        for name in READ_ONLY {
            body.remove(name);
        }
        let amount = match body.remove(AMOUNT) {
            None => None,
            Some(Value::Null) => Some(None),
            Some(Value::String(text)) => Some(Some(amount(&text)?)),
            Some(_) => {
                let detail = "daily_spend_limit must be a string such as \"10.00\", or null.";
                return Err(Fault::invalid(AMOUNT, detail));
            }
        };
        let enabled = match body.remove(FLAG) {
            None => None,
            Some(Value::Null) => Some(false),
            Some(Value::Bool(enabled)) => Some(enabled),
            Some(_) => {
                let detail = "daily_spend_limit_enabled must be true or false.";
                return Err(Fault::invalid(FLAG, detail));
            }
        };
        fields::check(&body)?;
        Ok(Wanted { amount, enabled, fields: body })
    }

    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.fields.get("name").and_then(Value::as_str)
    }

    /// What is to be recorded so that the profile is as wanted; nothing if it is.
    ///
    /// # Errors
    /// 422 when the limit would be enforced without an amount (T1), 413 for a profile too large.
    pub fn settings(&self, account: &Account, profile_id: &str) -> Result<Vec<Setting>, Fault> {
        let mut settings: Vec<Setting> = self.limit(account, profile_id)?.into_iter().collect();
        let former = account.document(PROFILE, profile_id).map(|document| &document.body);
        let mut body = fields::merged(former, &self.fields)?;
        body.insert("id".to_owned(), profile_id.into());
        if !settings.is_empty() || former != Some(&body) {
            settings.push(Setting::Set { kind: PROFILE.to_owned(), body });
        }
        if account.document(DELETED, profile_id).is_some() {
            settings.push(Setting::Removed { kind: DELETED.to_owned(), body: named(profile_id) });
        }
        Ok(settings)
    }

    fn limit(&self, account: &Account, profile_id: &str) -> Result<Option<Setting>, Fault> {
        let limit_id = limit_id(profile_id);
        let former = set_in(account, profile_id);
        let was = former.and_then(|former| SpendLimit::of(&former.spec, profile_id));
        let amount = self.amount.unwrap_or(was.map(|was| was.amount));
        let enabled = self.enabled.unwrap_or(was.is_some_and(|was| was.enabled));
        let Some(amount) = amount else {
            if enabled {
                let detail = "An enabled limit needs a daily_spend_limit; set one, or send \
                              daily_spend_limit_enabled false.";
                return Err(Fault::invalid(FLAG, detail));
            }
            return Ok(former.map(|_| Setting::LimitRemoved { limit_id }));
        };
        if was == Some(SpendLimit { amount, enabled }) {
            return Ok(None);
        }
        let thresholds = former.map_or(THRESHOLDS.to_vec(), |it| it.spec.thresholds.clone());
        let spec = LimitSpec {
            limit_id: limit_id.into(),
            scope: scope(profile_id),
            measure: Measure::Cost,
            window: Window::Day,
            amount: Amount::Cost(amount),
            action: Action::Block,
            thresholds,
            enabled,
            only: Only::default(),
        };
        let body = former.map(|former| former.body.clone()).unwrap_or_default();
        Ok(Some(Setting::LimitSet { spec, body }))
    }
}

/// What is to be recorded so that the profile and its limit are gone, and stay so whatever was
/// billed before `billed_until`. Its totals stay (T7).
#[must_use]
pub fn deletion(account: &Account, profile_id: &str, billed_until: Millis) -> Vec<Setting> {
    let mut settings = Vec::new();
    if set_in(account, profile_id).is_some() {
        settings.push(Setting::LimitRemoved { limit_id: limit_id(profile_id) });
    }
    if account.document(PROFILE, profile_id).is_some() {
        settings.push(Setting::Removed { kind: PROFILE.to_owned(), body: named(profile_id) });
    }
    let mut body = named(profile_id);
    body.insert(UNTIL.to_owned(), billed_until.to_string().into());
    settings.push(Setting::Set { kind: DELETED.to_owned(), body });
    settings
}

fn named(profile_id: &str) -> Map<String, Value> {
    Map::from_iter([("id".to_owned(), profile_id.into())])
}

/// T1: an unsigned plain decimal above 0.
fn amount(text: &str) -> Result<Money, Fault> {
    let refused = |detail: &str| Err(Fault::invalid(AMOUNT, detail));
    match Money::parse(text) {
        Err(money::Error::Large) => refused("daily_spend_limit must be below 10^12 USD."),
        Ok(money) if !text.starts_with('-') && money > Money::ZERO => Ok(money),
        Ok(_) if !text.starts_with('-') => refused(
            "daily_spend_limit must be above 0; to stop sending, disable the profile where you \
             send.",
        ),
        Ok(_) | Err(money::Error::Form) => refused(
            "daily_spend_limit must be an unsigned plain decimal in USD, such as \"10.00\": \
             digits, at most one dot, at most six digits behind it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<Wanted, Fault> {
        match body {
            Value::Object(body) => Wanted::read(body),
            other => panic!("{other}"),
        }
    }

    /// T1.
    #[test]
    fn a_limit_is_an_unsigned_plain_decimal_above_nothing() {
        for text in ["0.12", "1", "1.23", "10.00", "0.000001", "999999999999.999999", "007.50"] {
            let wanted = read(json!({"daily_spend_limit": text})).expect(text);
            assert_eq!(wanted.amount, Some(Some(Money::parse(text).expect("money"))), "{text}");
        }
        for value in [
            json!("0"),
            json!("0.00"),
            json!("-0"),
            json!("-1"),
            json!("+1"),
            json!("1e3"),
            json!("NaN"),
            json!("inf"),
            json!(""),
            json!(" 1"),
            json!("1 "),
            json!("1."),
            json!(".5"),
            json!("1,5"),
            json!("0.0000001"),
            json!("1.0000000"),
            json!("1000000000000"),
            json!("٣"),
            json!(10),
            json!(10.5),
            json!(true),
            json!(["1"]),
        ] {
            let fault = read(json!({"daily_spend_limit": value})).expect_err("refused");
            assert_eq!(fault.place.as_deref(), Some("daily_spend_limit"), "{value}");
        }
    }

    #[test]
    fn a_limit_has_one_id_which_no_other_profile_has() {
        let uuid = "be3eb60a-1b5c-4a6e-9d0f-2f6c5a1b7c8d";
        assert_eq!(limit_id(uuid), format!("spend-{uuid}"));
        // SHA-256 of "abc" begins so.
        assert_eq!(limit_id("abc"), "spend-ba7816bf8f01cfea414140de5dae2223");
        let upper = limit_id(&uuid.to_uppercase());
        assert!(upper != limit_id(uuid) && upper.len() == 38, "{upper}");
    }

    #[test]
    fn what_is_as_wanted_records_nothing_but_the_profile_itself() {
        let account = Account::default();
        let wanted = read(json!({"daily_spend_limit_enabled": false})).expect("fine");
        let settings = wanted.settings(&account, "p").expect("fine");
        let Ok([Setting::Set { kind, body }]) = <[Setting; 1]>::try_from(settings) else {
            panic!("more than the profile");
        };
        assert_eq!((kind.as_str(), Value::Object(body)), (PROFILE, json!({"id": "p"})));
        let wanted = read(json!({"daily_spend_limit_enabled": true})).expect("fine");
        let fault = wanted.settings(&account, "p").expect_err("no amount");
        assert_eq!(fault.place.as_deref(), Some(FLAG));
    }
}
