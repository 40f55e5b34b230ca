//! A billing limit: what a request asks of it, how it is recorded, how it is shown. Promise: pure;
//! what is refused here names the rule.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Channel;
use super::amount::usd;
use crate::api::fault::Fault;
use crate::api::named::{members, texts};
use crate::api::number::{Number, percentage_used, remaining};
use crate::fold::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window};
use crate::fold::{Calendar, LimitSeen};
use crate::money::{MICROS_PER_DOLLAR, Money};
use crate::settings::LimitSetting;
use crate::time::Millis;
use crate::wire::Setting;

/// The least that a monthly limit may be (A11).
const MONTHLY_MIN: Money = Money(10 * MICROS_PER_DOLLAR);
/// Thresholds where nothing else is asked for (A2).
const THRESHOLDS: [u8; 4] = [50, 75, 90, 100];
/// Of one limit (FORMATS.md, "Command").
const THRESHOLDS_MAX: usize = 10;

/// What a limit is for: the words of A2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    Monthly,
    Daily,
    Sms,
    Voice,
    Numbers,
    Features,
}

impl Word {
    pub const ALL: [Word; 6] =
        [Word::Monthly, Word::Daily, Word::Sms, Word::Voice, Word::Numbers, Word::Features];

    pub fn as_str(self) -> &'static str {
        match self {
            Word::Monthly => "monthly",
            Word::Daily => "daily",
            Word::Sms => "sms",
            Word::Voice => "voice",
            Word::Numbers => "numbers",
            Word::Features => "features",
        }
    }

    /// It never changes (A3).
    pub fn limit_id(self) -> String {
        format!("limit_{}", self.as_str())
    }

    /// All charges of the account, or those of a feature (A6).
    fn scope(self) -> Scope {
        match self {
            Word::Monthly | Word::Daily => Scope { kind: ScopeKind::Account, id: None },
            Word::Sms | Word::Voice | Word::Numbers | Word::Features => {
                Scope { kind: ScopeKind::Feature, id: Some(self.as_str().into()) }
            }
        }
    }

    fn window(self) -> Window {
        match self {
            Word::Daily => Window::Day,
            Word::Monthly | Word::Sms | Word::Voice | Word::Numbers | Word::Features => {
                Window::Month
            }
        }
    }
}

/// How a path names a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// By its word: it is made if there is none.
    Word(Word),
    /// By its id: it must be there (A4).
    Id(Word),
}

impl Target {
    pub fn parse(name: &str) -> Option<Target> {
        Word::ALL.into_iter().find_map(|word| match name {
            _ if name == word.as_str() => Some(Target::Word(word)),
            _ if name == word.limit_id() => Some(Target::Id(word)),
            _ => None,
        })
    }

    pub fn word(self) -> Word {
        match self {
            Target::Word(word) | Target::Id(word) => word,
        }
    }
}

/// A limit as it is asked for. Named by its word, `amount` is required and what is left out is as
/// by default; named by its id, what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = BillingLimitRequest)]
pub struct Asked {
    /// USD, at most six decimals. At least 10 for the monthly limit (A11).
    #[schema(value_type = Option<f64>, exclusive_minimum = 0, exclusive_maximum = 1000000000000u64)]
    amount: Option<Number>,
    action: Option<AskedAction>,
    /// Who is told; left out, the channels of `/v2/billing/notifications`.
    notifications: Option<Vec<Channel>>,
    /// Whole percents of the amount, rising; by default 50, 75, 90, 100.
    #[schema(value_type = Option<Vec<u8>>, max_items = 10)]
    thresholds: Option<Vec<i64>>,
    /// Whether every feature stops at the limit; only with the action `block` (A7).
    overage_protection: Option<bool>,
    /// Minutes for which nothing more is told of it, unless it is a higher threshold.
    #[schema(maximum = 525_600)]
    quiet_minutes: Option<u32>,
}

/// What happens at the limit: `alert` tells, `block` stops what the limit covers (A7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BillingLimitAction)]
#[serde(rename_all = "lowercase")]
pub enum AskedAction {
    Alert,
    Block,
}

impl AskedAction {
    fn of(action: Action) -> AskedAction {
        match action {
            Action::Alert => AskedAction::Alert,
            Action::Block => AskedAction::Block,
        }
    }
}

/// A billing limit in force, or about to be.
#[derive(Clone, Debug, PartialEq)]
pub struct BillingLimit {
    amount: Money,
    action: Action,
    thresholds: Vec<u8>,
    notifications: Option<Vec<Channel>>,
    overage_protection: bool,
    quiet_minutes: Option<u32>,
}

impl BillingLimit {
    /// As a setting has it; `None` for a setting that is no billing limit.
    pub fn of(setting: &LimitSetting) -> Option<BillingLimit> {
        let Amount::Cost(amount) = setting.spec.amount else { return None };
        let body = &setting.body;
        let named = |it: &Value| it.is_array().then(|| Channel::named(&texts(body, NOTIFICATIONS)));
        Some(BillingLimit {
            amount,
            action: setting.spec.action,
            thresholds: setting.spec.thresholds.clone(),
            notifications: body.get(NOTIFICATIONS).and_then(named),
            overage_protection: body.get(OVERAGE).and_then(Value::as_bool).unwrap_or(false),
            quiet_minutes: body.get(QUIET).and_then(|it| u32::try_from(it.as_u64()?).ok()),
        })
    }

    /// With nothing but an amount.
    pub fn plain(amount: Money) -> BillingLimit {
        BillingLimit {
            amount,
            action: Action::Alert,
            thresholds: THRESHOLDS.to_vec(),
            notifications: None,
            overage_protection: false,
            quiet_minutes: None,
        }
    }

    /// A limit named by its word, as asked and else as by default.
    ///
    /// # Errors
    /// 422 naming the member.
    pub fn fresh(word: Word, asked: Asked) -> Result<BillingLimit, Fault> {
        if asked.amount.is_none() {
            return Err(Fault::invalid("amount", "amount is required: a number of USD above 0."));
        }
        BillingLimit::plain(MONTHLY_MIN).changed(word, asked)
    }

    /// As it is, with what is asked.
    ///
    /// # Errors
    /// 422 naming the member.
    pub fn changed(mut self, word: Word, asked: Asked) -> Result<BillingLimit, Fault> {
        if let Some(amount) = &asked.amount {
            self.amount = amount_of(word, "amount", amount)?;
        }
        if let Some(percents) = asked.thresholds {
            self.thresholds = thresholds(&percents)?;
        }
        if let Some(channels) = asked.notifications {
            self.notifications = Some(Channel::each_once(&channels));
        }
        if asked.quiet_minutes.is_some_and(|minutes| minutes > QUIET_MAX) {
            return Err(Fault::invalid(QUIET, format!("{QUIET} is at most {QUIET_MAX}, a year.")));
        }
        self.quiet_minutes = asked.quiet_minutes.or(self.quiet_minutes);
        match asked.action {
            Some(AskedAction::Alert) => {
                self.action = Action::Alert;
                // Alone it says nothing any more; asked for, it is refused below.
                self.overage_protection = false;
            }
            Some(AskedAction::Block) => self.action = Action::Block,
            None => {}
        }
        if let Some(overage_protection) = asked.overage_protection {
            self.overage_protection = overage_protection;
        }
        if self.overage_protection && self.action == Action::Alert {
            return Err(Fault::invalid(
                OVERAGE,
                "overage_protection is for limits that block: send \"action\": \"block\" with it.",
            ));
        }
        Ok(self)
    }

    /// As it is, with another amount.
    pub fn of_amount(self, amount: Money) -> BillingLimit {
        BillingLimit { amount, ..self }
    }

    /// The command that sets it.
    pub fn setting(&self, word: Word) -> Setting {
        let mut body = members(json!({"type": word.as_str(), OVERAGE: self.overage_protection}));
        if let Some(channels) = &self.notifications {
            let channels: Vec<&str> = channels.iter().map(|it| it.as_str()).collect();
            body.insert(NOTIFICATIONS.to_owned(), channels.into());
        }
        if let Some(minutes) = self.quiet_minutes {
            body.insert(QUIET.to_owned(), minutes.into());
        }
        let spec = LimitSpec {
            limit_id: word.limit_id().into(),
            scope: word.scope(),
            measure: Measure::Cost,
            window: word.window(),
            amount: Amount::Cost(self.amount),
            action: self.action,
            thresholds: self.thresholds.clone(),
            enabled: true,
            only: Only::default(),
        };
        Setting::LimitSet { spec, body }
    }
}

/// Members of the body recorded with a limit.
const NOTIFICATIONS: &str = "notifications";
const OVERAGE: &str = "overage_protection";
const QUIET: &str = "quiet_minutes";
const QUIET_MAX: u32 = 525_600;

/// The amount of a limit of this word.
///
/// # Errors
/// 422 about `place`.
pub fn amount_of(word: Word, place: &str, number: &Number) -> Result<Money, Fault> {
    let amount = usd(place, number)?;
    if word == Word::Monthly && amount < MONTHLY_MIN {
        let detail = format!("{place}: a monthly limit is at least 10 USD.");
        return Err(Fault::invalid(place, detail));
    }
    Ok(amount)
}

fn thresholds(percents: &[i64]) -> Result<Vec<u8>, Fault> {
    if percents.len() > THRESHOLDS_MAX {
        return Err(Fault::invalid("thresholds", "thresholds has at most 10 percents."));
    }
    let mut taken: Vec<u8> = Vec::with_capacity(percents.len());
    for (place, percent) in percents.iter().enumerate() {
        let whole = u8::try_from(*percent).ok().filter(|it| (1..=100).contains(it));
        let rises = |it: &u8| taken.last().is_none_or(|last| last < it);
        let Some(percent) = whole.filter(rises) else {
            let detail = "thresholds are whole percents in 1 to 100, each once, in rising order.";
            return Err(Fault::invalid(format!("thresholds[{place}]"), detail));
        };
        taken.push(percent);
    }
    Ok(taken)
}

/// A limit after a change (A2).
#[derive(Serialize, ToSchema)]
#[schema(as = BillingLimitState)]
pub struct Shown {
    r#type: Word,
    amount: Number,
    action: AskedAction,
    /// What the window has come to, in USD.
    current_usage: Number,
    /// What is left of the amount, never below 0.
    remaining: Number,
    /// With one decimal, rounded half up (A5).
    percentage_used: Number,
    notifications: Vec<Channel>,
    /// RFC 3339.
    created_at: String,
}

/// A limit in the list (A3).
#[derive(Serialize, ToSchema)]
#[schema(as = BillingLimitListed)]
pub struct Listed {
    /// `limit_…`; it never changes.
    id: String,
    r#type: Word,
    amount: Number,
    action: AskedAction,
    /// What the window has come to, in USD.
    current_usage: Number,
    /// What is left of the amount, never below 0.
    remaining: Number,
    /// With one decimal, rounded half up (A5).
    percentage_used: Number,
    /// Always `active`: blocks have members of their own.
    status: String,
    /// Whether it stops what it covers at this moment.
    blocked: bool,
    /// When the block ends by itself, RFC 3339.
    blocked_until: Option<String>,
    overage_protection: bool,
    /// When the window ends and usage begins anew, RFC 3339.
    resets_at: Option<String>,
    thresholds: Vec<u8>,
    notifications: Vec<Channel>,
    /// RFC 3339.
    created_at: String,
}

/// What the fold knows of it; nothing yet is nothing used.
fn total(seen: Option<&LimitSeen>) -> Amount {
    seen.and_then(|seen| seen.total).unwrap_or(Amount::Cost(Money::ZERO))
}

impl Shown {
    /// `None` for a setting that is no billing limit.
    pub fn of(word: Word, setting: &LimitSetting, seen: Option<&LimitSeen>) -> Option<Shown> {
        let limit = BillingLimit::of(setting)?;
        let (used, amount) = (total(seen), Amount::Cost(limit.amount));
        Some(Shown {
            r#type: word,
            amount: amount.into(),
            action: AskedAction::of(limit.action),
            current_usage: used.into(),
            remaining: remaining(used, amount).into(),
            percentage_used: percentage_used(used, amount),
            notifications: limit.notifications.unwrap_or_default(),
            created_at: setting.created_at.to_string(),
        })
    }
}

impl Listed {
    /// `None` for a setting that is no billing limit.
    pub fn of(
        word: Word,
        setting: &LimitSetting,
        seen: Option<&LimitSeen>,
        now: Millis,
    ) -> Option<Listed> {
        let limit = BillingLimit::of(setting)?;
        let shown = Shown::of(word, setting, seen)?;
        let block = seen.and_then(|seen| seen.blocks.first());
        let window = Calendar::holding(&setting.spec.window, now);
        Some(Listed {
            id: word.limit_id(),
            r#type: word,
            amount: shown.amount,
            action: shown.action,
            current_usage: shown.current_usage,
            remaining: shown.remaining,
            percentage_used: shown.percentage_used,
            status: "active".to_owned(),
            blocked: block.is_some(),
            blocked_until: block.map(|held| held.until.to_string()),
            overage_protection: limit.overage_protection,
            resets_at: window.map(|window| window.bounds().end.to_string()),
            thresholds: limit.thresholds,
            notifications: shown.notifications,
            created_at: shown.created_at,
        })
    }
}
