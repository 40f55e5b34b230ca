//! What a country's limits will lead to that is perhaps not meant (K7). Promise: warnings never
//! keep a limit from being set.

use serde::Serialize;
use utoipa::ToSchema;

use super::iso::Country;

/// A limit works, and perhaps not as meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CountryLimitWarning)]
pub struct Warning {
    /// `unusable_remainder` or `exhausted_early`.
    code: String,
    iso_code: String,
    message: String,
}

/// The part of the monthly limit, in percent, that may stay out of reach without a word.
const UNUSABLE_PERCENT_MAX: u128 = 10;

/// Of both limits in a month of so many days; neither is 0.
#[must_use]
pub fn warnings(country: Country, daily: u64, monthly: u64, days: u64) -> Option<Warning> {
    let most = u128::from(daily) * u128::from(days);
    let monthly_wide = u128::from(monthly);
    let warning = |code: &str, message| {
        Some(Warning { code: code.to_owned(), iso_code: country.to_string(), message })
    };
    if most < monthly_wide {
        let unusable = monthly_wide - most;
        if unusable * 100 <= monthly_wide * UNUSABLE_PERCENT_MAX {
            return None;
        }
        return warning(
            "unusable_remainder",
            format!(
                "{daily} a day for {days} days are {most}: {unusable} of the {monthly} a month \
                 cannot be used."
            ),
        );
    }
    let lasts = monthly.div_ceil(daily);
    if lasts >= days {
        return None;
    }
    warning(
        "exhausted_early",
        format!("At {daily} a day the {monthly} a month are exhausted in {lasts} days."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_do_not_fit_each_other_are_told() {
        let italy = Country::parse("IT").expect("a country");
        let told = |daily, monthly, days| {
            let warning = warnings(italy, daily, monthly, days)?;
            Some((warning.code, warning.message))
        };
        let (code, message) = told(10, 1_000, 30).expect("700 are out of reach");
        assert_eq!(code, "unusable_remainder");
        assert_eq!(
            message,
            "10 a day for 30 days are 300: 700 of the 1000 a month cannot be used."
        );
        let (code, message) = told(400, 1_000, 31).expect("it lasts three days");
        assert_eq!(code, "exhausted_early");
        assert_eq!(message, "At 400 a day the 1000 a month are exhausted in 3 days.");
        assert_eq!(told(100, 3_000, 30), None);
        assert_eq!(told(100, 3_300, 30), None, "a little out of reach is no matter");
        assert_eq!(told(100, 2_950, 30), None, "it lasts the month");
        assert!(told(1, 999_999_999_999, 28).is_some() && told(u64::MAX, u64::MAX, 31).is_some());
    }
}
