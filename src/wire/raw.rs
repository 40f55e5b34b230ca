//! What a line says before it is judged: its fields with the right types but any content.
//! Both encodings are brought into this form, so that one set of rules (`validate`) serves both.
//! An absent field is `None`, and so is an empty text (FORMATS.md: absent is null, left out, "").

use crate::fold::event::Text;
use crate::money::Money;
use crate::time::Millis;

#[derive(Clone, Debug, Default)]
pub struct RawBilled<'a> {
    pub event_id: Option<Text<'a>>,
    pub idempotency_key: Option<Text<'a>>,
    pub account_id: Option<Text<'a>>,
    pub profile_id: Option<Text<'a>>,
    pub feature: Option<Text<'a>>,
    pub country: Option<Text<'a>>,
    pub sender: Option<Text<'a>>,
    pub recipient: Option<Text<'a>>,
    pub purpose: Option<Text<'a>>,
    pub requests: Option<i64>,
    pub cost: Option<Money>,
    pub occurred_at: Option<Millis>,
    pub recorded_at: Option<Millis>,
}

#[derive(Clone, Debug, Default)]
pub struct RawInbound<'a> {
    pub account_id: Option<Text<'a>>,
    pub feature: Option<Text<'a>>,
    pub sender: Option<Text<'a>>,
    pub recipient: Option<Text<'a>>,
    pub received_at: Option<Millis>,
}

#[derive(Clone, Debug, Default)]
pub struct RawCommand<'a> {
    /// The command's `type`.
    pub kind: &'a str,
    pub command_id: Option<&'a str>,
    pub account_id: Option<&'a str>,
    pub issued_at: Option<Millis>,
    pub recorded_at: Option<Millis>,
    pub actor: Option<&'a str>,
    pub reason: Option<&'a str>,
    /// Of a `limit_set`.
    pub limit: Option<RawLimit<'a>>,
    /// Of a `limit_removed`.
    pub limit_id: Option<&'a str>,
}

#[derive(Clone, Debug, Default)]
pub struct RawLimit<'a> {
    pub limit_id: Option<&'a str>,
    pub scope_kind: Option<&'a str>,
    pub scope_id: Option<&'a str>,
    pub measure: Option<&'a str>,
    pub window: Option<&'a str>,
    /// In units of 10^-6 for every measure; a count must come out whole.
    pub amount: Option<Money>,
    pub action: Option<&'a str>,
    pub thresholds: Option<Vec<i64>>,
    pub enabled: Option<bool>,
    pub only_purpose: Option<&'a str>,
    pub only_feature: Option<&'a str>,
}
