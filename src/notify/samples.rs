//! Notices and settings for the tests of this module.

use serde_json::Value;
use uuid::Uuid;

use crate::fold::decision::Direction;
use crate::fold::limit::{Action, Amount, Bounds, Measure, Scope, ScopeKind};
use crate::settings::{Account, Settings};
use crate::time::Millis;
use crate::wire::{Decoder, Head, Notice, Options, Setting, What};

/// 2024-08-20T19:17:08.918+00:00
pub const NOW: Millis = Millis(1_724_181_428_918);

/// Limit `limit_7` of account `acme` over 10 requests of a country a day, at 10 of them.
pub fn reached() -> Notice {
    Notice {
        id: Uuid::from_u128(7),
        account_id: "acme".to_owned(),
        limit_id: "limit_7".to_owned(),
        limit_version: 1,
        scope: Scope { kind: ScopeKind::Country, id: Some("IT".into()) },
        measure: Measure::Requests,
        window: "day".to_owned(),
        bounds: Some(Bounds { start: Millis(1_724_112_000_000), end: Millis(1_724_198_400_000) }),
        what: What::Reached { action: Action::Block },
        configured_limit: Amount::Count(10),
        before: Amount::Count(9),
        current: Amount::Count(10),
        now: NOW,
        command_offset: None,
    }
}

/// The same limit from `before` to `current`, which is beyond `threshold` percent.
pub fn crossed(threshold: u8, before: u64, current: u64) -> Notice {
    let (before, current) = (Amount::Count(before), Amount::Count(current));
    let what = What::Crossed { threshold, direction: Direction::Up, highest: true };
    Notice { what, before, current, ..reached() }
}

/// The account after commands of these types and bodies; a `limit_set` has a `limit` too.
pub fn account(commands: &[Value]) -> Account {
    let decoder = Decoder::new(&Options::default()).expect("a decoder");
    let mut settings = Settings::new(0);
    for (number, command) in commands.iter().enumerate() {
        let head = Head {
            command_id: &number.to_string(),
            account_id: "acme",
            issued_at: Millis(i64::try_from(number).expect("few")),
            actor: "test",
            reason: None,
        };
        let none = Setting::Set { kind: String::new(), body: serde_json::Map::new() };
        let written = none.write(&head);
        let mut whole: Value = serde_json::from_slice(&written).expect("a command");
        let members = whole.as_object_mut().expect("an object");
        members.extend(command.as_object().expect("an object").clone());
        let bytes = serde_json::to_vec(&whole).expect("JSON");
        let recorded = decoder.decode_recorded(&bytes).expect("no registry is asked");
        settings.apply(&recorded.expect("a command that the fold takes"));
    }
    (*settings.account("acme")).clone()
}
