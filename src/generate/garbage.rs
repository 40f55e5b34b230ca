//! Lines that must be rejected: broken JSON, broken text, broken rules. Promise: no line holds a
//! line break, and each is refused by FORMATS.md whatever the state is.

use std::io::Write as _;

use super::random::Draws;
use super::world::hex;
use crate::time::{DAY_MS, Millis};

/// One line that must be rejected, without its line break.
pub fn line(account_id: &str, now: Millis, draws: &mut Draws) -> Vec<u8> {
    let id = hex(draws.bits());
    let mut bytes = Vec::with_capacity(256);
    let good = Event {
        account_id,
        event_id: &id,
        feature: "sms",
        cost: r#""0.0075""#,
        occurred_at: now,
        recorded_at: now,
    };
    let written = match draws.below(10) {
        0 => write!(bytes, "GET /health HTTP/1.1"),
        1 => bytes.write_all(b"{\"type\":\"billed\",\"event_id\":\"\xff\xfe\",\"cost\":\"1\"}"),
        2 => {
            write!(bytes, r#"{{"type":"billed","event_id":"{id}","account_id":"{account_id}","cos"#)
        }
        3 => write!(bytes, r#"[{{"event_id":"{id}"}}]"#),
        4 => Event { cost: r#""12,50""#, ..good }.write(&mut bytes),
        5 => Event { feature: "SMS", ..good }.write(&mut bytes),
        6 => Event { cost: "0.0075", ..good }.write(&mut bytes),
        7 => Event { account_id: "", ..good }.write(&mut bytes),
        8 => Event { occurred_at: Millis(now.0 + 3 * DAY_MS), ..good }.write(&mut bytes),
        _ => command(&mut bytes, account_id, &id, now),
    };
    written.expect("a buffer in memory takes every write");
    bytes
}

/// An event with a part or two that are not good.
struct Event<'text> {
    account_id: &'text str,
    event_id: &'text str,
    feature: &'text str,
    /// As JSON.
    cost: &'text str,
    occurred_at: Millis,
    recorded_at: Millis,
}

impl Event<'_> {
    fn write(&self, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let Event { account_id, event_id, feature, cost, occurred_at, recorded_at } = self;
        write!(bytes, r#"{{"type":"billed","event_id":"{event_id}","account_id":"{account_id}","#)?;
        write!(bytes, r#""feature":"{feature}","cost":{cost},"occurred_at":"{occurred_at}","#)?;
        // Without it an event of the future would carry `now` with it and be accepted.
        write!(bytes, r#""recorded_at":"{recorded_at}"}}"#)
    }
}

/// A limit of nothing at all.
fn command(
    bytes: &mut Vec<u8>,
    account_id: &str,
    command_id: &str,
    now: Millis,
) -> std::io::Result<()> {
    write!(bytes, r#"{{"type":"limit_set","command_id":"{command_id}","#)?;
    write!(bytes, r#""account_id":"{account_id}","issued_at":"{now}","actor":"api-key:ops-2","#)?;
    write!(bytes, r#""limit":{{"limit_id":"limit_0","scope":{{"kind":"account"}},"#)?;
    write!(bytes, r#""measure":"cost","window":"day","amount":"0"}}}}"#)
}
