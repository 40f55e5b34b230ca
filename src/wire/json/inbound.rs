//! One JSON record of the topic of inbound messages. Promise: as for lines: a wrong type or value
//! is a reason in words, unknown members are ignored, and the last of a repeated key counts.

use super::line::no_object;
use super::syntax::{Value, read_fields};
use crate::wire::inbound::Inbound;
use crate::wire::raw::RawInbound;
use crate::wire::validate::{self, Invalid};

/// In the order of the line in FORMATS.md.
const KEYS: [&str; 6] = ["type", "account_id", "feature", "sender", "recipient", "received_at"];

/// Decodes one record.
pub fn decode_inbound(bytes: &[u8]) -> Result<Inbound<'_>, Invalid> {
    let text = std::str::from_utf8(bytes)
        .map_err(|fault| Invalid(format!("not UTF-8 from byte {}", fault.valid_up_to())))?;
    let mut members = <[Value<'_>; KEYS.len()]>::default();
    read_fields(text, &KEYS, |place, value| {
        if let Some(place) = place {
            members[place] = value;
        }
    })
    .map_err(|fault| Invalid(no_object(fault)))?;
    let [kind, account_id, feature, sender, recipient, received_at] = &members;
    let kind = kind.text("type")?;
    if let Some(other) = kind.filter(|kind| *kind != "received") {
        return Err(Invalid(format!("type: {other:?} is not received")));
    }
    validate::inbound(RawInbound {
        account_id: account_id.own_text("account_id")?,
        feature: feature.own_text("feature")?,
        sender: sender.own_text("sender")?,
        recipient: recipient.own_text("recipient")?,
        received_at: received_at.time("received_at")?,
    })
}
