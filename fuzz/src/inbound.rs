//! Inbound messages, in either encoding.

use serde_json::{Value, json};
use tollgate::wire::{Decoder, Error, Inbound, InputFormat};

use crate::agree::decoder;

thread_local! {
    static DECODER: Decoder = decoder(InputFormat::Auto);
}

/// What is taken keeps the bounds and comes back when it is written as JSON; what is refused says
/// why.
pub fn inbound(bytes: &[u8]) {
    DECODER.with(|decoder| match decoder.decode_inbound(bytes) {
        Ok(message) => {
            let texts = [&message.account_id, &message.sender, &message.recipient];
            assert!(texts.iter().all(|text| (1..=128).contains(&text.chars().count())));
            assert!(message.feature.starts_with(|first: char| first.is_ascii_lowercase()));
            assert!(message.received_at.in_range());
            let again = line(&message).to_string();
            let decoded = decoder.decode_inbound(again.as_bytes());
            assert_eq!(decoded.as_ref().ok(), Some(&message), "{again}");
        }
        Err(Error::Inbound(why)) => assert!(!why.is_empty(), "a refusal without a reason"),
        Err(other) => panic!("no registry is asked: {other}"),
    });
}

fn line(message: &Inbound<'_>) -> Value {
    json!({"type": "received", "account_id": message.account_id, "feature": message.feature,
        "sender": message.sender, "recipient": message.recipient,
        "received_at": message.received_at.to_string()})
}
