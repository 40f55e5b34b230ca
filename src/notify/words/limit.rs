//! Which limit a notice is about: how it is called, what it covers, and where it is changed.
//! Promise: the same limit is called the same everywhere; what it is follows from its id and its
//! scope together, so that a limit that only has another's id is not taken for it.

use super::About;
use super::foreign::{plain, segment};
use crate::fold::BUILT_IN;
use crate::fold::limit::{Measure, ScopeKind};
use crate::time::{HOUR_MS, MINUTE_MS};
use crate::wire::Notice;

/// Words for one limit. `what` and `whose` together call it: `daily spend limit of messaging
/// profile` and the profile.
pub struct Limit<'a> {
    pub what: String,
    pub whose: Option<Whose<'a>>,
    /// What stops when it blocks, without a foreign word: `SMS`, `messages of this sender`.
    pub covers: &'static str,
    /// How to raise it or to switch it off, as the object of "to change it".
    pub change: String,
    /// The requests that do so: `PUT /v2/otp/limit`.
    pub requests: Vec<String>,
}

/// A name that a customer gave, or an id.
pub struct Whose<'a> {
    pub name: Option<&'a str>,
    pub id: &'a str,
}

/// What a limit is, as far as the api made it.
enum Kind<'a> {
    /// `limit_monthly` and the like (A2), by its word.
    Billing(&'a str),
    Alert,
    Profile,
    Country,
    Otp,
    Tier,
    /// Recorded by other means than the api.
    Other,
}

impl<'a> Limit<'a> {
    #[must_use]
    pub fn of(notice: &'a Notice, about: &About<'a>) -> Limit<'a> {
        let id = notice.scope.id.as_deref().unwrap_or_default();
        let named = |name: Option<&'a str>| {
            let name = name.filter(|name| !plain(name).is_empty());
            (name.is_some() || !id.is_empty()).then_some(Whose { name, id })
        };
        match kind(notice) {
            Kind::Billing(word) => billing(word),
            Kind::Alert => Limit {
                what: "threshold of alert".to_owned(),
                whose: Some(Whose { name: about.limit_name, id: &notice.limit_id }),
                covers: covers(notice),
                change: "remove the alert, and make another".to_owned(),
                requests: vec![
                    format!("DELETE /v2/billing/alerts/{}", segment(&notice.limit_id)),
                    "POST /v2/billing/alerts".to_owned(),
                ],
            },
            Kind::Profile => Limit {
                what: format!("{} of messaging profile", measured(notice)),
                whose: named(about.profile_name),
                covers: covers(notice),
                change: "raise daily_spend_limit, or set daily_spend_limit_enabled to false"
                    .to_owned(),
                requests: vec![format!("PATCH /v2/messaging_profiles/{}", segment(id))],
            },
            Kind::Country => Limit {
                what: format!("{} of messages to country", measured(notice)),
                whose: named(None),
                covers: covers(notice),
                change: format!(
                    "raise {}_limit, or remove the limits of the country",
                    period(notice).unwrap_or("daily")
                ),
                requests: vec![
                    format!("PUT /v2/countries/limits/{}", segment(id)),
                    format!("DELETE /v2/countries/limits/{}", segment(id)),
                ],
            },
            Kind::Otp => Limit {
                what: "limit of one-time passwords to".to_owned(),
                whose: named(None),
                covers: "one-time passwords to this number",
                change: "raise count, or set enabled to false".to_owned(),
                requests: vec!["PUT /v2/otp/limit".to_owned()],
            },
            Kind::Tier => Limit {
                what: "daily contact limit of WhatsApp sender".to_owned(),
                whose: named(None),
                covers: covers(notice),
                change: "set a higher tier".to_owned(),
                requests: vec![format!("PUT /v2/whatsapp/senders/{}", segment(id))],
            },
            Kind::Other => Limit {
                what: other(notice),
                whose: named(match notice.scope.kind {
                    ScopeKind::Profile => about.profile_name,
                    _ => None,
                }),
                covers: covers(notice),
                change:
                    "record a limit_set of it with a higher amount or with enabled false, or a \
                         limit_removed"
                        .to_owned(),
                requests: Vec::new(),
            },
        }
    }
}

fn kind(notice: &Notice) -> Kind<'_> {
    let id = notice.limit_id.as_str();
    let scope = notice.scope.kind;
    if let Some(word) = id.strip_prefix("limit_") {
        let ours = match word {
            "monthly" => scope == ScopeKind::Account && notice.window == "month",
            "daily" => scope == ScopeKind::Account && notice.window == "day",
            "sms" | "voice" | "numbers" | "features" => {
                scope == ScopeKind::Feature && notice.scope.id.as_deref() == Some(word)
            }
            _ => false,
        };
        return if ours { Kind::Billing(word) } else { Kind::Other };
    }
    match scope {
        ScopeKind::Account | ScopeKind::Feature if id.starts_with("alert_") => Kind::Alert,
        ScopeKind::Profile if id.starts_with("spend-") => Kind::Profile,
        ScopeKind::Country if id.starts_with("country_") => Kind::Country,
        ScopeKind::Recipient if id == BUILT_IN => Kind::Otp,
        ScopeKind::Sender if id.starts_with("tier-") => Kind::Tier,
        _ => Kind::Other,
    }
}

fn billing(word: &str) -> Limit<'_> {
    let (what, covers) = match word {
        "monthly" | "daily" => (format!("{word} spend limit"), EVERYTHING),
        feature => {
            let feature = feature_words(feature);
            (format!("monthly spend limit for {feature}"), feature)
        }
    };
    Limit {
        what,
        whose: None,
        covers,
        change: "raise its amount, set its action to alert, or remove it".to_owned(),
        requests: vec![
            format!("PUT /v2/billing/limits/{word}"),
            format!("DELETE /v2/billing/limits/limit_{word}"),
        ],
    }
}

const EVERYTHING: &str = "everything the account is charged for (API calls, SMS, voice)";

fn feature_words(feature: &str) -> &'static str {
    match feature {
        "sms" => "SMS",
        "voice" => "voice",
        "numbers" => "phone numbers",
        "features" => "paid features",
        "api" => "API calls",
        "whatsapp" => "WhatsApp",
        _ => "this feature",
    }
}

/// `daily` or `monthly`; sliding windows have no such word.
fn period(notice: &Notice) -> Option<&'static str> {
    match notice.window.as_str() {
        "day" => Some("daily"),
        "month" => Some("monthly"),
        _ => None,
    }
}

/// `daily spend limit`, `contact limit`.
fn measured(notice: &Notice) -> String {
    let limit = match notice.measure {
        Measure::Cost => "spend limit",
        Measure::Requests => "request limit",
        Measure::Recipients => "contact limit",
    };
    period(notice).map_or_else(|| limit.to_owned(), |period| format!("{period} {limit}"))
}

/// What somebody's own limit is called: by what it measures, and whose.
fn other(notice: &Notice) -> String {
    let measured = measured(notice);
    match notice.scope.kind {
        ScopeKind::Account => format!("{measured} of the account"),
        ScopeKind::Feature => format!("{measured} for feature"),
        ScopeKind::Profile => format!("{measured} of messaging profile"),
        ScopeKind::Country => format!("{measured} of messages to country"),
        ScopeKind::Recipient => format!("{measured} of messages to"),
        ScopeKind::Sender => format!("{measured} of sender"),
    }
}

fn covers(notice: &Notice) -> &'static str {
    match notice.scope.kind {
        ScopeKind::Account => EVERYTHING,
        ScopeKind::Feature => feature_words(notice.scope.id.as_deref().unwrap_or_default()),
        ScopeKind::Profile => "new outbound messages of this profile (they get HTTP 429)",
        ScopeKind::Country => "messages to this country (they get the status NOT SENT)",
        ScopeKind::Recipient => "messages to this number",
        ScopeKind::Sender => "messages of this sender",
    }
}

/// What is counted, precisely: `cost in USD of profile be3eb60a-… per UTC day`.
#[must_use]
pub fn counts(notice: &Notice) -> String {
    let measure = match notice.measure {
        Measure::Cost => "cost in USD",
        Measure::Requests => "requests",
        Measure::Recipients => "different recipients",
    };
    let scope = match notice.scope.id.as_deref() {
        Some(id) => format!("{} {}", notice.scope.kind.as_str(), plain(id)),
        None => format!("the {}", notice.scope.kind.as_str()),
    };
    let window = match notice.window.as_str() {
        "day" => "per UTC day".to_owned(),
        "month" => "per UTC month".to_owned(),
        sliding => format!("in any {}", span(sliding)),
    };
    format!("{measure} of {scope} {window}")
}

/// A sliding period in words: `PT5M` and `PT300S` are `5 minutes`. Of what is no such period, the
/// letters and digits.
#[must_use]
pub fn span(period: &str) -> String {
    let Some(period_ms) = period_ms(period) else {
        return period.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    };
    let (count, unit) = match period_ms {
        _ if period_ms % HOUR_MS == 0 => (period_ms / HOUR_MS, "hour"),
        _ if period_ms % MINUTE_MS == 0 => (period_ms / MINUTE_MS, "minute"),
        _ => (period_ms / 1_000, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// `PTnHnMnS`, as commands have it: bounded there by 24 h.
fn period_ms(period: &str) -> Option<i64> {
    let mut rest = period.strip_prefix("PT").filter(|rest| !rest.is_empty())?;
    let mut total_ms: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (count, behind) = rest.split_at(digits);
        let unit_ms = match behind.as_bytes().first()? {
            b'H' => HOUR_MS,
            b'M' => MINUTE_MS,
            b'S' => 1_000,
            _ => return None,
        };
        total_ms = total_ms.checked_add(count.parse::<i64>().ok()?.checked_mul(unit_ms)?)?;
        rest = &behind[1..];
    }
    Some(total_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_told_in_words() {
        for (period, words) in [
            ("PT5M", "5 minutes"),
            ("PT300S", "5 minutes"),
            ("PT1H", "1 hour"),
            ("PT60M", "1 hour"),
            ("PT1M30S", "90 seconds"),
            ("PT24H", "24 hours"),
            ("PT1S", "1 second"),
            ("PT", "PT"),
            ("PT5", "PT5"),
            ("P1D", "P1D"),
            ("PTM", "PTM"),
        ] {
            assert_eq!(span(period), words);
        }
    }
}
