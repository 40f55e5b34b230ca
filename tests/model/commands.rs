//! Random limits for the tests' logs: every row of the table of what may be limited, and the ways
//! in which a limit is set once more - raised, lowered, switched, spelled otherwise, or given
//! another scope under the same id.

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::logs::fields;
use super::spelling;
use super::times::{HOUR, MINUTE};

const MONEY: [&str; 14] = [
    "0.01", "0.02", "0.05", "0.10", "0.333333", "1", "1.5", "2", "2.5", "5.00", "10", "25.00",
    "3.000003", "1000",
];
const COUNTS: [&str; 12] = ["1", "1", "2", "2", "3", "3.00", "4", "5", "7.0", "10", "20", "40"];
const PERIODS: [i64; 8] =
    [1000, MINUTE, MINUTE, 5 * MINUTE, 5 * MINUTE, HOUR, 90 * MINUTE, 24 * HOUR];

/// A limit of any row of the table.
pub fn new_limit(dice: &mut Dice, id: &str) -> Map<String, Value> {
    let mut limit = Map::new();
    let row = if id == "otp" { dice.number(&[6, 6, 8, 3, 0]) } else { dice.below(11) as i64 };
    let (kind, ids): (&str, &[&str]) = match row {
        0..=1 => ("account", &[]),
        2 => ("feature", &["sms", "voice", "otp_2", "data"]),
        3 => ("profile", &["p1", "p1", "p2", "p9"]),
        4 => ("country", &["IT", "it", "fr", "DE"]),
        5..=6 => ("recipient", &["+391", "+392", "%/", "r\n"]),
        _ => ("sender", &["+1", "a/b", "s\u{fc}"]),
    };
    let numbers = row >= 5;
    let mut scope = fields(json!({"kind": kind}));
    if !numbers && !ids.is_empty() || numbers && dice.permille(300) {
        scope.insert("id".to_owned(), json!(dice.pick(ids)));
    } else if dice.permille(300) {
        scope.insert("id".to_owned(), if dice.permille(500) { json!("") } else { json!(null) });
    }
    limit.insert("limit_id".to_owned(), json!(id));
    limit.insert("scope".to_owned(), Value::Object(scope));
    let (measure, window) = match row {
        0..=4 => (dice.pick(&["cost", "cost", "requests"]), dice.pick(&["day", "day", "month"])),
        9..=10 => ("recipients", "day"),
        _ => ("requests", ""),
    };
    limit.insert("measure".to_owned(), json!(measure));
    let window = match window {
        "" => spelling::plain_period(dice.number(&PERIODS)),
        calendar => calendar.to_owned(),
    };
    limit.insert("window".to_owned(), json!(window));
    limit.insert("amount".to_owned(), json!(amount(dice, &limit)));
    limit.insert("action".to_owned(), json!(dice.pick(&["block", "block", "alert"])));
    limit.insert("enabled".to_owned(), json!(dice.permille(900)));
    if dice.permille(800) {
        limit.insert("thresholds".to_owned(), percents(dice));
    }
    if numbers && dice.permille(500) {
        limit.insert("only".to_owned(), only(dice));
    }
    limit
}

fn amount(dice: &mut Dice, limit: &Map<String, Value>) -> String {
    let sliding = limit["window"].as_str().is_some_and(|w| w.starts_with('P'));
    if limit["measure"] == "cost" {
        dice.pick(&MONEY).to_owned()
    } else if sliding && dice.permille(150) {
        dice.pick(&["400", "999", "1000", "1000.0"]).to_owned()
    } else {
        dice.pick(&COUNTS).to_owned()
    }
}

fn percents(dice: &mut Dice) -> Value {
    let lists = [
        json!([]),
        json!([100]),
        json!([85]),
        json!([10, 100]),
        json!([1, 2, 3, 50, 100]),
        json!([50, 75, 90, 100]),
        json!([33, 34, 66, 67, 99]),
    ];
    lists[dice.below(lists.len())].clone()
}

fn only(dice: &mut Dice) -> Value {
    let filters = [
        json!(null),
        json!({}),
        json!({"purpose": "otp"}),
        json!({"purpose": "otp", "feature": null}),
        json!({"purpose": "", "feature": "sms"}),
        json!({"purpose": "otp", "feature": "sms"}),
        json!({"purpose": null, "feature": null, "x": 1}),
    ];
    filters[dice.below(filters.len())].clone()
}

/// The limit set once more: changed in a field or two, or the same in other words.
pub fn changed(dice: &mut Dice, limit: &Map<String, Value>, odd: bool) -> Map<String, Value> {
    let mut next = limit.clone();
    for _ in 0..dice.below(3) {
        match dice.below(12) {
            0..=3 => {
                let amount = amount(dice, &next);
                next.insert("amount".to_owned(), json!(amount));
            }
            4..=5 => {
                let enabled = next["enabled"] == json!(false);
                next.insert("enabled".to_owned(), json!(enabled));
            }
            6 => {
                let action = if next["action"] == "block" { "alert" } else { "block" };
                next.insert("action".to_owned(), json!(action));
            }
            7..=8 => {
                next.insert("thresholds".to_owned(), percents(dice));
            }
            9 => {
                next.insert("only".to_owned(), only(dice));
            }
            10 => {
                let other = dice.pick(&["sms", "voice", "p1", "p2", "IT", "FR", "+1", "+391", ""]);
                next["scope"]["id"] = json!(other);
            }
            _ => {
                let other = new_limit(dice, next["limit_id"].as_str().expect("a limit has an id"));
                for key in ["scope", "measure", "window", "amount"] {
                    next.insert(key.to_owned(), other[key].clone());
                }
                next.remove("only");
                next.extend(other.get("only").map(|only| ("only".to_owned(), only.clone())));
            }
        }
    }
    if odd || dice.permille(100) {
        respell(dice, &mut next);
    }
    next
}

/// Writes some fields in another way that means the same.
fn respell(dice: &mut Dice, limit: &mut Map<String, Value>) {
    let amount = limit["amount"].as_str().expect("an amount is text").to_owned();
    limit.insert("amount".to_owned(), json!(spelling::odd_decimal(dice, &amount)));
    if let Some(millis) = PERIODS.iter().find(|p| limit["window"] == spelling::plain_period(**p)) {
        limit.insert("window".to_owned(), json!(spelling::odd_period(dice, *millis)));
    }
    if limit["enabled"] == json!(true) && dice.permille(300) {
        limit.insert("enabled".to_owned(), Value::Null);
    }
    if limit["action"] == "alert" && dice.permille(300) {
        limit.insert("action".to_owned(), dice_empty(dice));
    }
    let calendar_scope = !matches!(limit["scope"]["kind"].as_str(), Some("recipient" | "sender"));
    let usual = if calendar_scope { json!([50, 75, 90, 100]) } else { json!([]) };
    if limit.get("thresholds") == Some(&usual) && dice.permille(500) {
        limit.remove("thresholds");
    }
    if limit["scope"]["kind"] == "country" {
        let id = limit["scope"]["id"].as_str().unwrap_or_default();
        let id = if dice.permille(500) { id.to_lowercase() } else { id.to_uppercase() };
        limit["scope"]["id"] = json!(id);
    }
    if !limit.contains_key("only") && dice.permille(200) {
        limit.insert("only".to_owned(), json!({"purpose": ""}));
    }
}

fn dice_empty(dice: &mut Dice) -> Value {
    if dice.permille(500) { Value::Null } else { json!("") }
}
