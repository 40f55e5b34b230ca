//! Messages that contacts sent to an account's numbers, as the gate reads them for O5.
//! Promise: what comes out keeps FORMATS.md's bounds, from either encoding; anything else is
//! refused with the rule that it broke.

use super::Error;
use super::avro::datum::{Datum, Unfit};
use super::avro::plan::Plan;
use super::json;
use super::raw::RawInbound;
use super::validate::{self, Invalid};
use crate::fold::event::Text;
use crate::time::Millis;

/// A message that came in (FORMATS.md, "Inbound message").
#[derive(Clone, Debug, PartialEq)]
pub struct Inbound<'a> {
    /// 1..=128 code points, as are the two numbers.
    pub account_id: Text<'a>,
    /// `[a-z][a-z0-9_]*`.
    pub feature: Text<'a>,
    /// The contact.
    pub sender: Text<'a>,
    /// The account's number.
    pub recipient: Text<'a>,
    pub received_at: Millis,
}

pub(super) fn from_json(bytes: &[u8]) -> Result<Inbound<'_>, Error> {
    json::decode_inbound(bytes).map_err(refused)
}

pub(super) fn from_avro<'a>(plan: &Plan, bytes: &'a [u8]) -> Result<Inbound<'a>, Error> {
    let datum = plan.read(bytes).map_err(|Unfit(why)| Error::Inbound(*why))?;
    let Datum::Record(fields) = datum else {
        return Err(Error::Inbound("no record".to_owned()));
    };
    let [kind, account_id, feature, sender, recipient, received_at] = fields.as_slice() else {
        unreachable!("a plan gives the fields of our schema in its order");
    };
    if let Some(other) = kind.text().filter(|kind| *kind != "received") {
        return Err(Error::Inbound(format!("type: {other:?} is not received")));
    }
    let text = |field: &Datum<'a>| field.text().map(Text::Borrowed);
    let raw = RawInbound {
        account_id: text(account_id),
        feature: text(feature),
        sender: text(sender),
        recipient: text(recipient),
        received_at: received_at.time(),
    };
    validate::inbound(raw).map_err(refused)
}

fn refused(Invalid(rule): Invalid) -> Error {
    Error::Inbound(rule)
}
