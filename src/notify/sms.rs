//! Short messages are sent by the carrier itself: Tollgate asks for them on a topic. Promise: one
//! JSON record a delivery, with its id, so that whoever sends may drop a repeat.

use serde_json::json;
use uuid::Uuid;

use crate::time::Millis;

/// A short message that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Of the delivery: the same however often it is asked for.
    pub id: Uuid,
    pub account_id: &'a str,
    /// E.164 numbers (`+15550001`). Empty: the carrier knows the account's number.
    pub to: &'a [String],
    /// At most 160 characters of GSM-7 as a rule (`Words::sms`).
    pub text: &'a str,
    pub limit_id: &'a str,
    /// Of the decision that is told.
    pub decision_id: Uuid,
    pub requested_at: Millis,
}

/// The record for the topic of short messages asked for.
#[must_use]
pub fn record(request: &Request<'_>) -> Vec<u8> {
    let record = json!({
        "type": "sms_requested",
        "id": request.id.to_string(),
        "account_id": request.account_id,
        "to": request.to,
        "text": request.text,
        "limit_id": request.limit_id,
        "decision_id": request.decision_id.to_string(),
        "requested_at": request.requested_at.to_string(),
    });
    record.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_has_what_a_sender_needs() {
        let request = Request {
            id: Uuid::from_u128(1),
            account_id: "acme",
            to: &["+15550001".to_owned()],
            text: "Größe\n\"x\"",
            limit_id: "otp",
            decision_id: Uuid::from_u128(2),
            requested_at: Millis(1_724_181_428_918),
        };
        let written: serde_json::Value = serde_json::from_slice(&record(&request)).expect("JSON");
        let expected = json!({
            "type": "sms_requested",
            "id": "00000000-0000-0000-0000-000000000001",
            "account_id": "acme",
            "to": ["+15550001"],
            "text": "Größe\n\"x\"",
            "limit_id": "otp",
            "decision_id": "00000000-0000-0000-0000-000000000002",
            "requested_at": "2024-08-20T19:17:08.918+00:00",
        });
        assert_eq!(written, expected);
        let nobody = record(&Request { to: &[], ..request });
        let nobody: serde_json::Value = serde_json::from_slice(&nobody).expect("JSON");
        assert_eq!(nobody["to"], json!([]));
    }
}
