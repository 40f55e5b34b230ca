//! What people read of a notice: by mail, in Slack, as a short message. Promise: pure; each says
//! which limit, how much of it, since when, until when and what to do; money is never rounded; what
//! customers named (an alert, a profile, an account) adds no line, header, link or mention.

pub(super) mod foreign;
mod limit;

use crate::fold::decision::Direction;
use crate::fold::limit::{Action, Amount, Measure, ScopeKind};
use crate::settings::{Account, PROFILE};
use crate::time::Millis;
use crate::wire::{Notice, What};
use limit::{Limit, Whose, counts, span};

/// Characters of GSM-7 in one short message.
const SMS_CHARS_MAX: usize = 160;

/// What is known of a notice's limit beside the notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About<'a> {
    /// What its owner calls it: an alert's name.
    pub limit_name: Option<&'a str>,
    /// The name of the messaging profile that it limits.
    pub profile_name: Option<&'a str>,
    /// What it does when it is reached; a threshold does not say so itself.
    pub action: Option<Action>,
}

impl<'a> About<'a> {
    /// From the account's settings, as far as they know the limit.
    #[must_use]
    pub fn of(notice: &Notice, account: &'a Account) -> About<'a> {
        let limit = account.limits.get(notice.limit_id.as_str());
        let name =
            |body: &'a serde_json::Map<String, serde_json::Value>| body.get("name")?.as_str();
        let profile_id = match notice.scope.kind {
            ScopeKind::Profile => notice.scope.id.as_deref(),
            _ => None,
        };
        let profile = profile_id.and_then(|id| account.document(PROFILE, id));
        About {
            limit_name: limit.and_then(|limit| name(&limit.body)),
            profile_name: profile.and_then(|profile| name(&profile.body)),
            action: limit.map(|limit| limit.spec.action),
        }
    }
}

/// One notice in the words of each channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// The body of a mail: plain text, lines end with `\n`.
    pub text: String,
    /// Slack's markup (mrkdwn).
    pub slack: String,
    /// GSM-7, at most 160 characters unless amounts alone need more.
    pub sms: String,
}

impl Words {
    #[must_use]
    pub fn of(notice: &Notice, about: &About<'_>) -> Words {
        let limit = Limit::of(notice, about);
        let told = Told { notice, state: State::of(notice, about), head: Head::of(notice, &limit) };
        Words {
            subject: told.subject(&limit),
            text: told.text(&limit),
            slack: told.slack(&limit),
            sms: told.sms(&limit),
        }
    }
}

/// How things stand after the step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// What the limit covers stopped.
    Blocked,
    /// The limit is reached, and services go on.
    GoesOn,
    /// The limit is not reached; what will happen then, if that is known.
    Below(Option<Action>),
    /// The total fell below a threshold again.
    Eased,
}

impl State {
    fn of(notice: &Notice, about: &About<'_>) -> State {
        let reached = notice.current.units() >= notice.configured_limit.units();
        match (notice.what, about.action) {
            (What::Reached { action: Action::Block }, _) => State::Blocked,
            (What::Reached { action: Action::Alert }, _) => State::GoesOn,
            (What::Crossed { direction: Direction::Down, .. }, _) => State::Eased,
            (What::Crossed { .. }, Some(Action::Block)) if reached => State::Blocked,
            (What::Crossed { .. }, Some(Action::Alert)) if reached => State::GoesOn,
            (What::Crossed { .. }, action) => State::Below(action),
        }
    }
}

/// The headline around the name of whose limit it is.
struct Head {
    before: String,
    after: String,
}

impl Head {
    fn of(notice: &Notice, limit: &Limit<'_>) -> Head {
        let used = used(notice);
        let (before, after) = match notice.what {
            What::Reached { .. } => (capitalized(&limit.what), format!("reached: {used}")),
            What::Crossed { threshold, direction: Direction::Up, .. } => {
                (format!("{threshold} % of the {}", limit.what), format!("used: {used}"))
            }
            What::Crossed { threshold, direction: Direction::Down, .. } => {
                (capitalized(&limit.what), format!("below {threshold} % again: {used}"))
            }
        };
        Head { before, after }
    }

    fn line(&self, whose: Option<String>) -> String {
        let parts = [Some(self.before.clone()), whose, Some(self.after.clone())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// A notice with what follows from it.
struct Told<'a> {
    notice: &'a Notice,
    state: State,
    head: Head,
}

impl Told<'_> {
    fn headline(&self, limit: &Limit<'_>) -> String {
        self.head.line(limit.whose.as_ref().map(|whose| called(whose, foreign::plain)))
    }

    fn subject(&self, limit: &Limit<'_>) -> String {
        let headline = self.headline(limit);
        if self.state == State::Blocked { format!("Blocked: {headline}") } else { headline }
    }

    fn text(&self, limit: &Limit<'_>) -> String {
        let notice = self.notice;
        let percent = percent(notice.current, notice.configured_limit);
        let mut lines = vec![
            format!("{}.", self.headline(limit)),
            String::new(),
            format!("Account:  {}", foreign::plain(&notice.account_id)),
            format!(
                "Limit:    {}, version {}",
                foreign::plain(&notice.limit_id),
                notice.limit_version
            ),
            format!("Counts:   {}", counts(notice)),
            format!("Used:     {} ({percent} %)", used(notice)),
            format!("Since:    {}", self.since()),
            format!("When:     {}", minute(notice.now)),
        ];
        if self.state == State::Blocked {
            lines.push(format!("Blocked:  until {}", self.until()));
        }
        lines.push(String::new());
        lines.push(self.consequence(limit));
        let tail = if limit.requests.is_empty() { "." } else { ":" };
        lines.push(format!("{}, {}{tail}", self.wish(), limit.change));
        lines.extend(limit.requests.iter().map(|request| format!("  {request}")));
        lines.push(String::new());
        lines.push(format!("Decision {}", notice.id));
        lines.join("\n") + "\n"
    }

    fn slack(&self, limit: &Limit<'_>) -> String {
        let notice = self.notice;
        let mark = match self.state {
            State::Blocked => "Blocked",
            State::GoesOn => "Reached",
            State::Below(_) => "Warning",
            State::Eased => "Eased",
        };
        let whose = limit.whose.as_ref().map(|whose| called(whose, foreign::slack));
        let percent = percent(notice.current, notice.configured_limit);
        let mut lines = vec![
            format!("*{mark}:* {} ({percent} %)", self.head.line(whose)),
            format!(
                "Account {}, since {}, at {}",
                foreign::slack(&notice.account_id),
                self.since(),
                minute(notice.now)
            ),
        ];
        lines.push(self.consequence(limit));
        let requests: Vec<String> = limit.requests.iter().map(|it| format!("`{it}`")).collect();
        let tail = if requests.is_empty() { "." } else { ": " };
        let change = format!("{}, {}{tail}", self.wish(), limit.change);
        lines.push(change + &requests.join(" or "));
        lines.join("\n")
    }

    fn sms(&self, limit: &Limit<'_>) -> String {
        let tail = match self.state {
            State::Blocked => format!(". Blocked until {}.", self.until()),
            State::GoesOn => ". Services go on.".to_owned(),
            State::Below(_) => ". Nothing is stopped.".to_owned(),
            State::Eased => ".".to_owned(),
        };
        let own = self.head.line(None).chars().count() + tail.chars().count();
        // A blank, and the two marks around a name.
        let room = SMS_CHARS_MAX.saturating_sub(own + 1);
        let whose = limit.whose.as_ref().and_then(|whose| {
            let name = whose.name.and_then(|name| foreign::short(name, room.saturating_sub(2)));
            name.map(|name| format!("\"{name}\"")).or_else(|| foreign::short(whose.id, room))
        });
        self.head.line(whose) + &tail
    }

    /// What stopped or did not, in one sentence.
    fn consequence(&self, limit: &Limit<'_>) -> String {
        match self.state {
            State::Blocked => format!("Stopped until {}: {}.", self.until(), limit.covers),
            State::GoesOn => "Services go on: this limit stops nothing.".to_owned(),
            State::Below(Some(Action::Block)) => {
                format!("Nothing is stopped. At the limit, this will be: {}.", limit.covers)
            }
            State::Below(Some(Action::Alert)) => "Services go on, also at the limit.".to_owned(),
            State::Below(None) => "Nothing is stopped by this threshold.".to_owned(),
            State::Eased => {
                "A correction, or a change of the limit, brought this about.".to_owned()
            }
        }
    }

    fn wish(&self) -> &'static str {
        match self.state {
            State::Blocked => "To lift the block before then",
            State::GoesOn | State::Below(_) | State::Eased => "To change the limit",
        }
    }

    fn since(&self) -> String {
        match self.notice.bounds {
            Some(bounds) => minute(bounds.start),
            None => format!("{} before", span(&self.notice.window)),
        }
    }

    fn until(&self) -> String {
        match self.notice.bounds {
            Some(bounds) => minute(bounds.end),
            None => format!("the oldest of them is {} old", span(&self.notice.window)),
        }
    }
}

/// A name in quotes, or an id.
fn called(whose: &Whose<'_>, fit: impl Fn(&str) -> String) -> String {
    match whose.name.map(&fit).filter(|name| !name.is_empty()) {
        Some(name) => format!("\"{name}\""),
        None => fit(whose.id),
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// `10.02 of 10.00 USD`.
fn used(notice: &Notice) -> String {
    let unit = match notice.measure {
        Measure::Cost => "USD",
        Measure::Requests => "requests",
        Measure::Recipients => "contacts",
    };
    format!("{} of {} {unit}", notice.current, notice.configured_limit)
}

/// With one decimal, half up on the exact quotient, as the api shows it (A5).
fn percent(current: Amount, limit: Amount) -> String {
    let (current, limit) = (current.units().max(0), limit.units().max(1));
    let doubled = current.checked_mul(2_000).and_then(|tenths| tenths.checked_add(limit));
    let tenths = doubled.map_or(i128::MAX, |doubled| doubled / (limit * 2));
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// `2024-08-21 00:00 UTC`, the minute that holds the time.
fn minute(time: Millis) -> String {
    let full = time.to_string();
    match (full.get(..10), full.get(11..16)) {
        (Some(date), Some(clock)) => format!("{date} {clock} UTC"),
        _ => full,
    }
}

#[cfg(test)]
mod tests;
