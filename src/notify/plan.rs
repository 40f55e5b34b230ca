//! Who is told of a decision, and by which channel. Promise: pure; it follows from the decision,
//! the account's settings and the rules alone, so that planning again gives the same deliveries.
//!
//! - Of one step only the highest is told: the limit reached, else the last threshold (`collapse`).
//!   Thresholds that ceased to hold are not told.
//! - By the channels that the limit names (`notifications`, A2), else by those of the account's
//!   preferences (A10). A profile's limit goes to the profile's webhook if it has one, and by mail
//!   unless that is switched off (T4); its thresholds are told only where the limit names channels.
//! - Addresses of a notification set are told when the set's percent is crossed (K5).
//! - A limit that each number has by itself is told only where the limit names channels: a flood of
//!   numbers shall not be a flood of mails.

use serde_json::{Map, Value};

use super::delivery::{Delivery, Target};
use crate::fold::decision::Direction;
use crate::fold::limit::ScopeKind;
use crate::settings::{Account, LimitSetting, PREFERENCES, PROFILE};
use crate::time::Millis;
use crate::wire::{Notice, What};

/// How notices become deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether of several crossings in one step only the highest is told.
    pub collapse: bool,
    /// Milliseconds for which nothing is told of a limit after something was, unless it is higher.
    /// A limit may have its own (`quiet_minutes` in its body).
    pub quiet_ms: i64,
    /// Milliseconds after which a decision is too old to be told.
    pub age_ms_max: i64,
}

/// What a notice comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub deliveries: Vec<Delivery>,
    /// Channels that were wanted and have no address, with what to do.
    pub without_address: Vec<(&'static str, &'static str)>,
}

/// Why nothing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// It is older than may be.
    Old,
    /// A higher one of the same step is told, or it ceased to hold.
    Covered,
}

/// Whether a notice is told at all.
///
/// # Errors
/// Why not.
pub fn worth_telling(notice: &Notice, rules: &Rules, now: Millis) -> Result<(), Untold> {
    if now.0.saturating_sub(notice.now.0) > rules.age_ms_max {
        return Err(Untold::Old);
    }
    match notice.what {
        What::Reached { .. } => Ok(()),
        What::Crossed { direction: Direction::Down, .. } => Err(Untold::Covered),
        // At or above the limit, the limit reached says it.
        What::Crossed { highest, .. } => {
            let below = notice.current.units() < notice.configured_limit.units();
            if rules.collapse && !(highest && below) { Err(Untold::Covered) } else { Ok(()) }
        }
    }
}

/// Percent of the limit that is told of.
#[must_use]
pub fn level(notice: &Notice) -> u8 {
    match notice.what {
        What::Reached { .. } => 100,
        What::Crossed { threshold, .. } => threshold,
    }
}

/// The limit's quiet period in milliseconds.
#[must_use]
pub fn quiet_ms(notice: &Notice, account: &Account, rules: &Rules) -> i64 {
    let limit = account.limits.get(notice.limit_id.as_str());
    let own = limit.and_then(|limit| limit.body.get("quiet_minutes")).and_then(Value::as_i64);
    own.map_or(rules.quiet_ms, |minutes| minutes.saturating_mul(60_000))
}

/// Who is told of a notice that is worth telling.
#[must_use]
pub fn plan(notice: &Notice, account: &Account, rules: &Rules, now: Millis) -> Plan {
    let none = Map::new();
    let preferences = account.document(PREFERENCES, "").map_or(&none, |document| &document.body);
    let limit = account.limits.get(notice.limit_id.as_str());
    let channels = channels(notice, limit, preferences);
    let mut plan = Plan::default();
    let mut targets = Vec::new();
    if channels.webhook {
        match webhook(notice, account, preferences) {
            Some(target) => targets.push(target),
            None => plan.without_address.push(("webhook", NO_WEBHOOK)),
        }
    }
    if channels.slack {
        match text(preferences, "slack") {
            Some(_) => targets.push(Target::Slack),
            None => plan.without_address.push(("slack", NO_SLACK)),
        }
    }
    let mut addresses = Vec::new();
    if channels.email {
        addresses = texts(preferences.get("email_addresses"));
        if addresses.is_empty() {
            plan.without_address.push(("email", NO_ADDRESS));
        }
    }
    addresses.extend(limit.map(|limit| of_sets(notice, limit, rules)).unwrap_or_default());
    for address in addresses {
        let target = Target::Email { address };
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    if channels.sms {
        targets.push(Target::Sms);
    }
    let delivery = |target| Delivery::new(notice.clone(), target, now);
    plan.deliveries = targets.into_iter().map(delivery).collect();
    plan
}

const NO_WEBHOOK: &str =
    "no webhook is set: PUT /v2/billing/notifications, or webhook_url of the profile";
const NO_SLACK: &str = "no Slack address is set: PUT /v2/billing/notifications";
const NO_ADDRESS: &str = "no mailbox is set: email_addresses of PUT /v2/billing/notifications";

#[derive(Clone, Copy, Default)]
struct Channels {
    webhook: bool,
    slack: bool,
    email: bool,
    sms: bool,
}

fn channels(
    notice: &Notice,
    limit: Option<&LimitSetting>,
    preferences: &Map<String, Value>,
) -> Channels {
    let named = limit.and_then(|limit| limit.body.get("notifications"));
    if let Some(Value::Array(named)) = named {
        let is = |channel: &str| named.iter().any(|one| one.as_str() == Some(channel));
        return Channels {
            webhook: is("webhook"),
            slack: is("slack"),
            email: is("email"),
            sms: is("sms"),
        };
    }
    let of_number = matches!(notice.scope.kind, ScopeKind::Recipient | ScopeKind::Sender);
    if of_number && limit.is_none_or(|limit| limit.spec.scope.id.is_none()) {
        return Channels::default();
    }
    let flag = |member: &str| preferences.get(member).and_then(Value::as_bool);
    let of_profile = notice.scope.kind == ScopeKind::Profile;
    if of_profile && matches!(notice.what, What::Crossed { .. }) {
        return Channels::default();
    }
    Channels {
        webhook: of_profile || text(preferences, "webhook").is_some(),
        slack: text(preferences, "slack").is_some(),
        email: flag("email").unwrap_or(of_profile),
        sms: flag("sms").unwrap_or(false),
    }
}

/// The profile's webhook, else the account's.
fn webhook(notice: &Notice, account: &Account, preferences: &Map<String, Value>) -> Option<Target> {
    if notice.scope.kind == ScopeKind::Profile
        && let Some(profile_id) = &notice.scope.id
        && !profile_urls(account, profile_id).is_empty()
    {
        return Some(Target::ProfileWebhook { profile_id: profile_id.to_string() });
    }
    text(preferences, "webhook").map(|_| Target::Webhook)
}

/// `webhook_url` and `webhook_failover_url` of a profile, as far as they are set.
#[must_use]
pub fn profile_urls(account: &Account, profile_id: &str) -> Vec<String> {
    let Some(profile) = account.document(PROFILE, profile_id) else { return Vec::new() };
    let urls = ["webhook_url", "webhook_failover_url"];
    urls.iter().filter_map(|member| text(&profile.body, member)).map(str::to_owned).collect()
}

/// A text that is not empty.
#[must_use]
pub fn text<'b>(body: &'b Map<String, Value>, member: &str) -> Option<&'b str> {
    body.get(member).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The texts of a list.
#[must_use]
pub fn texts(listed: Option<&Value>) -> Vec<String> {
    let listed = listed.and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The addresses of the sets whose percent this step crossed.
fn of_sets(notice: &Notice, limit: &LimitSetting, rules: &Rules) -> Vec<String> {
    let sets = limit.body.get("sets").and_then(Value::as_array);
    let crossed = |set: &&Value| {
        let percent = set.get("trigger_after").and_then(Value::as_u64);
        percent.and_then(|percent| u8::try_from(percent).ok()).is_some_and(|percent| {
            if rules.collapse {
                percent <= level(notice) && began_to_hold(notice, percent)
            } else {
                // Each percent has a threshold of its own.
                matches!(notice.what, What::Crossed { threshold, .. } if threshold == percent)
            }
        })
    };
    let crossed = sets.into_iter().flatten().filter(crossed);
    crossed.flat_map(|set| texts(set.get("emails"))).collect()
}

/// Whether the step brought the total to `percent` of the limit. Where the total did not move, the
/// limit did, and what held before is not known.
fn began_to_hold(notice: &Notice, percent: u8) -> bool {
    let holds = |total: i128| {
        let (left, right) = (total.checked_mul(100), notice.configured_limit.units());
        left.zip(right.checked_mul(percent.into())).is_none_or(|(left, right)| left >= right)
    };
    let (before, current) = (notice.before.units(), notice.current.units());
    holds(current) && (before == current || !holds(before))
}

#[cfg(test)]
mod tests;
