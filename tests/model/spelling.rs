//! The many ways to write the same thing: JSON with blanks, escapes and keys in any order, one
//! instant in any offset and precision, one amount with more zeros, one period in other units.
//! What it writes means exactly what it was given.

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::times::{self, HOUR, MINUTE};

/// The plainest form of an instant.
pub fn plain_time(at: i64) -> Value {
    json!(times::show(at))
}

/// Any RFC 3339 form of an instant.
pub fn odd_time(dice: &mut Dice, at: i64) -> Value {
    let minutes = dice.number(&[0, 0, 0, 330, -660, 840, 60, -1439, 1439, 345]);
    let local = at + minutes * MINUTE;
    // Local dates before 1970 or after 2199 are a question of their own.
    let (local, minutes) =
        if (0..7_258_118_400_000).contains(&local) { (local, minutes) } else { (at, 0) };
    let shown = times::show(local);
    let (date, rest) = shown.split_at(10);
    let (clock, milli) = (&rest[1..9], &rest[10..13]);
    let t = dice.pick(&["T", "T", "T", "t"]);
    let fraction = match dice.below(8) {
        0 if milli == "000" => String::new(),
        1 if milli.ends_with("00") => format!(".{}", &milli[..1]),
        2 if milli.ends_with('0') => format!(".{}", &milli[..2]),
        3 => format!(".{milli}999"),
        4 => format!(".{milli}000000"),
        5 => format!(".{milli}9999999999999"),
        _ => format!(".{milli}"),
    };
    let offset = if minutes == 0 {
        dice.pick(&["Z", "z", "+00:00", "-00:00"]).to_owned()
    } else {
        let sign = if minutes < 0 { '-' } else { '+' };
        let ahead = minutes.abs() * MINUTE;
        format!("{sign}{:02}:{:02}", ahead / HOUR, ahead % HOUR / MINUTE)
    };
    json!(format!("{date}{t}{clock}{fraction}{offset}"))
}

/// The same amount with other zeros, when there is room for them.
pub fn odd_decimal(dice: &mut Dice, plain: &str) -> String {
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = dice.below(7 - fraction.len());
    let fraction = format!("{fraction}{}", "0".repeat(zeros));
    let lead = if dice.permille(100) { "0" } else { "" };
    if fraction.is_empty() {
        format!("{sign}{lead}{whole}")
    } else {
        format!("{sign}{lead}{whole}.{fraction}")
    }
}

/// The same period in other units.
pub fn odd_period(dice: &mut Dice, millis: i64) -> String {
    let seconds = millis / 1000;
    let (h, m, s) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    match dice.below(6) {
        0 => format!("PT{seconds}S"),
        1 => format!("PT{}M{s}S", seconds / 60),
        2 => format!("PT{h}H{m}M{s}S"),
        3 if s == 0 => format!("PT{}M", seconds / 60),
        4 => format!("PT{h}H{}S", seconds % 3600),
        _ => plain_period(millis),
    }
}

pub fn plain_period(millis: i64) -> String {
    let seconds = millis / 1000;
    let mut shown = "PT".to_owned();
    for (count, unit) in [(seconds / 3600, 'H'), (seconds % 3600 / 60, 'M'), (seconds % 60, 'S')] {
        if count > 0 {
            shown += &format!("{count}{unit}");
        }
    }
    shown
}

/// JSON of an object as most programs write it.
pub fn plain_json(object: &Map<String, Value>) -> Vec<u8> {
    Value::Object(object.clone()).to_string().into_bytes()
}

/// JSON of an object with its keys in any order, blanks and escapes.
pub fn odd_json(dice: &mut Dice, object: &Map<String, Value>) -> Vec<u8> {
    let mut out = blanks(dice);
    write(dice, &Value::Object(object.clone()), &mut out);
    out += &blanks(dice);
    out.into_bytes()
}

fn blanks(dice: &mut Dice) -> String {
    if dice.permille(30) { dice.pick(&[" ", "  ", "\t", "\r"]).to_owned() } else { String::new() }
}

fn write(dice: &mut Dice, value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut left: Vec<(&String, &Value)> = fields.iter().collect();
            out.push('{');
            while !left.is_empty() {
                let (key, inner) = left.swap_remove(dice.below(left.len()));
                out.push_str(&blanks(dice));
                write_string(dice, key, out);
                out.push_str(&blanks(dice));
                out.push(':');
                out.push_str(&blanks(dice));
                write(dice, inner, out);
                out.push_str(&blanks(dice));
                if !left.is_empty() {
                    out.push(',');
                }
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&blanks(dice));
                write(dice, item, out);
            }
            out.push(']');
        }
        Value::String(text) => write_string(dice, text, out),
        other => out.push_str(&other.to_string()),
    }
}

fn write_string(dice: &mut Dice, text: &str, out: &mut String) {
    if !dice.permille(60) {
        out.push_str(&json!(text).to_string());
        return;
    }
    out.push('"');
    for c in text.chars() {
        if c == '/' && dice.permille(500) {
            out.push_str("\\/");
        } else if c < ' ' || c == '"' || c == '\\' || dice.permille(500) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let escaped = format!("\\u{unit:04x}");
                out.push_str(&if dice.permille(500) {
                    escaped.replace('a', "A").replace('f', "F")
                } else {
                    escaped
                });
            }
        } else {
            out.push(c);
        }
    }
    out.push('"');
}
