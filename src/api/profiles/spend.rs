//! What a profile has spent today, and what its limit makes of it (T12). Promise: limit, total and
//! block are of one look, as of the journal; money is never a float.

use serde::Serialize;
use utoipa::ToSchema;

use super::spend_limit::SpendLimit;
use crate::api::number::{Number, percentage_used, remaining};
use crate::engine::partition::Told;
use crate::fold::Calendar;
use crate::fold::limit::Amount;
use crate::money::Money;
use crate::time::Day;

/// A profile's spend of the present UTC day.
#[derive(Serialize, ToSchema)]
#[schema(as = MessagingProfileSpend)]
pub struct Spend {
    /// Always `messaging_profile_spend`.
    record_type: &'static str,
    profile_id: String,
    /// Always `USD`.
    currency: &'static str,
    /// What the day's events cost, corrections taken off: a decimal with two to six decimals.
    current_spend: String,
    /// The limit's amount; null without one.
    daily_spend_limit: Option<String>,
    daily_spend_limit_enabled: bool,
    /// What is left of the limit, never below 0; null without one.
    remaining: Option<String>,
    /// With one decimal, half up on the exact quotient; null without a limit.
    percent_used: Option<Number>,
    /// Whether this limit stops the profile's messages.
    blocked: bool,
    /// When the block ends by itself, RFC 3339; null while there is none.
    blocked_until: Option<String>,
    /// When the counting began: midnight UTC.
    window_start: String,
    /// When it begins anew.
    resets_at: String,
    /// As of this journal record of the account's partition.
    journal_sequence: Option<u64>,
}

impl Spend {
    #[must_use]
    pub fn of(profile_id: &str, today: Day, told: &Told) -> Spend {
        let seen = &told.seen;
        let spent = seen.totals.iter().find(|total| total.window == Calendar::Day(today));
        let spent = spent.map_or(Money::ZERO, |total| total.tally.cost);
        let held =
            seen.limits.first().and_then(|it| Some((SpendLimit::of(&it.spec, profile_id)?, it)));
        let limit = held.map(|(limit, _)| limit);
        let until = held.and_then(|(_, it)| it.blocks.first()).map(|block| block.until);
        let against = |limit: SpendLimit| (Amount::Cost(spent), Amount::Cost(limit.amount));
        let left = |limit| {
            let (spent, amount) = against(limit);
            remaining(spent, amount).to_string()
        };
        let percent = |limit| {
            let (spent, amount) = against(limit);
            percentage_used(spent, amount)
        };
        Spend {
            record_type: "messaging_profile_spend",
            profile_id: profile_id.to_owned(),
            currency: "USD",
            current_spend: spent.to_string(),
            daily_spend_limit: limit.map(|limit| limit.amount.to_string()),
            daily_spend_limit_enabled: limit.is_some_and(|limit| limit.enabled),
            remaining: limit.map(left),
            percent_used: limit.map(percent),
            blocked: until.is_some(),
            blocked_until: until.map(|until| until.to_string()),
            window_start: today.start().to_string(),
            resets_at: today.next().start().to_string(),
            journal_sequence: told.seq,
        }
    }
}
