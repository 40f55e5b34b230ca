//! The limits of one country: read from settings, checked, written as commands, shown with what
//! they have come to. Promise: pure; a country that passes the check has a limit, none of zero,
//! and a daily one strictly below the monthly one (K3).

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::iso::Country;
use super::lint::{self, Warning};
use super::notices::{Notice, Notices};
use super::setup::Setup;
use crate::api::fault::{Fault, Kind};
use crate::api::named::{members, seen};
use crate::api::number::{Number, percentage_used, remaining};
use crate::engine::partition::Told;
use crate::fold::Calendar;
use crate::fold::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window};
use crate::settings::{Account, LimitSetting};
use crate::time::{DAY_MS, Millis};
use crate::wire::Setting;

/// The most requests that a limit may be: below 10^12, as every amount.
pub const REQUESTS_MAX: u64 = 999_999_999_999;

/// Which of a country's two limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Daily,
    Monthly,
}

impl Span {
    pub const BOTH: [Span; 2] = [Span::Daily, Span::Monthly];

    #[must_use]
    pub fn limit_id(self, country: Country) -> String {
        match self {
            Span::Daily => format!("country_{country}_day"),
            Span::Monthly => format!("country_{country}_month"),
        }
    }

    fn window(self) -> Window {
        match self {
            Span::Daily => Window::Day,
            Span::Monthly => Window::Month,
        }
    }
}

/// A limit, and whom it tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub requests: u64,
    pub notices: Notices,
}

impl Bound {
    fn of(setting: &LimitSetting) -> Option<Bound> {
        let Amount::Count(requests) = setting.spec.amount else { return None };
        Some(Bound { requests, notices: Notices::recorded(setting.body.get(OWN)) })
    }
}

/// Members of the body recorded with a limit: the sets that are told, and the country's own, which
/// the shared ones of the account may stand in for.
const SETS: &str = "sets";
const OWN: &str = "own_sets";

/// What a country is limited to.
#[derive(Clone, Debug, PartialEq)]
pub struct Limited {
    pub country: Country,
    pub daily: Option<Bound>,
    pub monthly: Option<Bound>,
}

impl Limited {
    /// As settings have it; without limits if they have none.
    #[must_use]
    pub fn of(account: &Account, country: Country) -> Limited {
        let bound =
            |span: Span| account.limits.get(span.limit_id(country).as_str()).and_then(Bound::of);
        Limited { country, daily: bound(Span::Daily), monthly: bound(Span::Monthly) }
    }

    /// Every country that has a limit, by code.
    #[must_use]
    pub fn all(account: &Account) -> Vec<Limited> {
        let country = |id: &str| {
            let (code, _) = id.strip_prefix("country_")?.split_once('_')?;
            Country::parse(code)
        };
        let mut countries: Vec<_> = account.limits.keys().filter_map(|id| country(id)).collect();
        countries.dedup();
        let limited = countries.into_iter().map(|country| Limited::of(account, country));
        limited.filter(|limited| !limited.is_unlimited()).collect()
    }

    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.daily.is_none() && self.monthly.is_none()
    }

    #[must_use]
    pub fn bound(&self, span: Span) -> Option<&Bound> {
        match span {
            Span::Daily => self.daily.as_ref(),
            Span::Monthly => self.monthly.as_ref(),
        }
    }

    /// # Errors
    /// 422: no limit, or a daily one that is not below the monthly one.
    pub fn checked(self) -> Result<Limited, Fault> {
        match (&self.daily, &self.monthly) {
            (None, None) => Err(Fault::new(
                Kind::Invalid,
                "Send a daily_limit, a monthly_limit, or both; DELETE removes a country's limits.",
            )),
            (Some(daily), Some(monthly)) if daily.requests >= monthly.requests => {
                let detail = format!(
                    "The daily limit ({}) must be below the monthly limit ({}).",
                    daily.requests, monthly.requests
                );
                Err(Fault::invalid("daily_limit", detail))
            }
            (Some(_), _) | (None, Some(_)) => Ok(self),
        }
    }

    /// The commands that make settings say this; none for what they say already.
    #[must_use]
    pub fn settings(&self, account: &Account, setup: &Setup) -> Vec<Setting> {
        let changed = |span: Span| {
            let limit_id = span.limit_id(self.country);
            let former = account.limits.get(limit_id.as_str());
            let Some(bound) = self.bound(span) else {
                return former.map(|_| Setting::LimitRemoved { limit_id });
            };
            let told = setup.notices_in_force(span, bound);
            let spec = LimitSpec {
                limit_id: limit_id.into(),
                scope: Scope { kind: ScopeKind::Country, id: Some(self.country.code().into()) },
                measure: Measure::Requests,
                window: span.window(),
                amount: Amount::Count(bound.requests),
                action: Action::Block,
                thresholds: told.percents(),
                enabled: setup.enabled,
                only: Only::default(),
            };
            let body = members(json!({
                "type": "country",
                SETS: told.value(),
                OWN: bound.notices.value(),
            }));
            let same = former.is_some_and(|it| it.spec == spec && it.body == body);
            (!same).then_some(Setting::LimitSet { spec, body })
        };
        Span::BOTH.into_iter().filter_map(changed).collect()
    }

    /// What to say about it in the month of `now` (K7).
    #[must_use]
    pub fn warnings(&self, now: Millis) -> Option<Warning> {
        let (daily, monthly) = (self.daily.as_ref()?, self.monthly.as_ref()?);
        let month = Calendar::Month(now.month()).bounds();
        let days = u64::try_from((month.end.0 - month.start.0) / DAY_MS).unwrap_or(31);
        lint::warnings(self.country, daily.requests, monthly.requests, days)
    }
}

/// A country's limits, and what they have come to.
#[derive(Serialize, ToSchema)]
#[schema(as = CountryLimits)]
pub struct Shown {
    /// ISO 3166-1 alpha-2.
    iso_code: String,
    daily_limit: Option<u64>,
    monthly_limit: Option<u64>,
    /// Whether the account's toggle is on: while it is off nothing is held, and all is counted.
    enabled: bool,
    daily: Option<Standing>,
    monthly: Option<Standing>,
    daily_notifications: Vec<Notice>,
    monthly_notifications: Vec<Notice>,
}

/// A limit in its present window.
#[derive(Serialize, ToSchema)]
#[schema(as = CountryLimitStanding)]
pub struct Standing {
    /// Requests counted.
    used: Number,
    /// Never below 0.
    remaining: Number,
    /// With one decimal, rounded half up.
    percentage_used: Number,
    blocked: bool,
    /// When the block ends by itself, RFC 3339.
    blocked_until: Option<String>,
    /// When counting begins anew, RFC 3339.
    resets_at: String,
}

impl Shown {
    #[must_use]
    pub fn of(limited: &Limited, setup: &Setup, told: &Told, now: Millis) -> Shown {
        let notices = |bound: &Option<Bound>| {
            bound.as_ref().map(|bound| bound.notices.shown()).unwrap_or_default()
        };
        Shown {
            iso_code: limited.country.to_string(),
            daily_limit: limited.daily.as_ref().map(|bound| bound.requests),
            monthly_limit: limited.monthly.as_ref().map(|bound| bound.requests),
            enabled: setup.enabled,
            daily: Standing::of(limited, Span::Daily, told, now),
            monthly: Standing::of(limited, Span::Monthly, told, now),
            daily_notifications: notices(&limited.daily),
            monthly_notifications: notices(&limited.monthly),
        }
    }
}

impl Standing {
    fn of(limited: &Limited, span: Span, told: &Told, now: Millis) -> Option<Standing> {
        let amount = Amount::Count(limited.bound(span)?.requests);
        let seen = seen(told, &span.limit_id(limited.country));
        let used = seen.and_then(|seen| seen.total).unwrap_or(Amount::Count(0));
        let block = seen.and_then(|seen| seen.blocks.first());
        let window = match span {
            Span::Daily => Calendar::Day(now.day()),
            Span::Monthly => Calendar::Month(now.month()),
        };
        Some(Standing {
            used: used.into(),
            remaining: remaining(used, amount).into(),
            percentage_used: percentage_used(used, amount),
            blocked: block.is_some(),
            blocked_until: block.map(|held| held.until.to_string()),
            resets_at: window.bounds().end.to_string(),
        })
    }
}
