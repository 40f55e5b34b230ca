//! Lines and values that break a rule, or only seem to: the values that sit on either side of a
//! bound, the types that do not fit, and bytes that are no JSON. Most of what comes out of here
//! is to be rejected; which of it is for the readers of the log to say.

use serde_json::{Map, Value, json};

use super::dice::Dice;

/// Times that are none, or lie at or beyond the bounds.
const TIMES: [&str; 30] = [
    "",
    "x",
    "2024-08-20",
    "2024-08-20T10:00:00",
    "2024-08-20 10:00:00Z",
    "2024-08-20T10:00Z",
    "2024-08-20T10:00:60Z",
    "2016-12-31T23:59:60Z",
    "2024-08-20T24:00:00Z",
    "2024-08-20T23:60:00Z",
    "2024-08-20T10:00:00.Z",
    "2024-08-20T10:00:00,5Z",
    "2024-08-20T10:00:00.5",
    "2024-08-20T10:00:00+0530",
    "2024-08-20T10:00:00+05",
    "2024-08-20T10:00:00+24:00",
    "2024-08-20T10:00:00+05:60",
    "2024-08-20T10:00:00 Z",
    "2024-08-20T10:00:00Z\n",
    " 2024-08-20T10:00:00Z",
    "2024-02-30T10:00:00Z",
    "2023-02-29T10:00:00Z",
    "2100-02-29T10:00:00Z",
    "2024-13-01T10:00:00Z",
    "2024-00-10T10:00:00Z",
    "2024-8-20T10:00:00Z",
    "+2024-08-20T10:00:00Z",
    "1969-12-30T23:59:59Z",
    "2200-01-02T00:00:00Z",
    "\u{ff12}024-08-20T10:00:00Z",
];

const DECIMALS: [&str; 26] = [
    "",
    " 1",
    "1 ",
    "1.",
    ".5",
    ".",
    "-",
    "+1",
    "--1",
    "- 1",
    "1e2",
    "1_0",
    "1,5",
    "0x10",
    "NaN",
    "1.0000000",
    "1.0000001",
    "0.000001",
    "-0",
    "-0.000000",
    "999999999999.999999",
    "1000000000000",
    "-999999999999.999999",
    "-1000000000000.000000",
    "\u{0661}",
    "0.1\n",
];

const PERIODS: [&str; 26] = [
    "PT005M",
    "PT0H0M7S",
    "PT0H",
    "PT000000000000000000000000000030S",
    "PT",
    "P1D",
    "PT0S",
    "PT24H",
    "PT24H1S",
    "PT1440M",
    "PT86400S",
    "PT86401S",
    "pt5m",
    "PT5m",
    "PT5",
    "PT1.5M",
    "PT1M1H",
    "PT1S1M",
    "PT5M\n",
    " PT5M",
    "PT-5M",
    "PT+5M",
    "week",
    "Day",
    "PT99999999999999999999S",
    "PTHMS",
];

const WORDS: [&str; 20] = [
    "",
    "SMS",
    "sms ",
    "s-ms",
    "1sms",
    "_sms",
    "sms_1",
    "\u{fc}",
    "IT",
    "it",
    "ITA",
    "I",
    "I1",
    "\u{df}",
    "it\n",
    "\u{130}T",
    "alert",
    "block",
    "stop",
    "limit_set",
];

/// A value of another type, or none at all.
fn other_type(dice: &mut Dice) -> Value {
    match dice.below(12) {
        0..=2 => Value::Null,
        3 => json!(5),
        4 => json!(1.0),
        5 => json!(0),
        6 => json!(true),
        7 => json!(false),
        8 => json!([]),
        9 => json!({}),
        10 => json!(["a"]),
        _ => json!(""),
    }
}

/// Texts at the bounds of 64, 128 and 1,024 code points.
fn long_text(dice: &mut Dice) -> Value {
    let length = dice.number(&[63, 64, 65, 127, 128, 129, 1023, 1024, 1025]) as usize;
    json!(dice.pick(&["x", "\u{fc}", "\u{1f600}", "7"]).repeat(length))
}

/// Whole numbers at the bounds of requests and percents.
fn number(dice: &mut Dice) -> Value {
    match dice.below(4) {
        0 => json!(18_446_744_073_709_551_615u64),
        1 => json!([1.5, -0.0, 1.0, 1e9, 1e300][dice.below(5)]),
        _ => json!(dice.number(&[-1, 0, 1, 1_000_000_000, 1_000_000_001, i64::MIN, i64::MAX])),
    }
}

fn percents(dice: &mut Dice) -> Value {
    let lists = [
        json!([0]),
        json!([101]),
        json!([50, 50]),
        json!([90, 50]),
        json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        json!([50.0]),
        json!([50.5]),
        json!(["50"]),
        json!([null]),
        json!([1, 100]),
        json!([]),
        json!(50),
        json!(""),
    ];
    lists[dice.below(lists.len())].clone()
}

/// Puts another value into one field of a line, at any depth; or takes the field away.
pub fn spoil(dice: &mut Dice, object: &mut Map<String, Value>) {
    let keys: Vec<String> = object.keys().cloned().collect();
    if keys.is_empty() {
        return;
    }
    let key = keys[dice.below(keys.len())].clone();
    if let Some(Value::Object(inner)) = object.get_mut(&key)
        && dice.permille(850)
    {
        return spoil(dice, inner);
    }
    if dice.permille(150) {
        object.remove(&key);
        return;
    }
    let value = match (key.as_str(), dice.below(4)) {
        (_, 0) => other_type(dice),
        (_, 1) if dice.permille(400) => long_text(dice),
        ("now" | "occurred_at" | "recorded_at" | "issued_at", _) => json!(dice.pick(&TIMES)),
        ("cost" | "amount", _) => json!(dice.pick(&DECIMALS)),
        ("requests", _) => number(dice),
        ("thresholds", _) => percents(dice),
        ("window", _) => json!(dice.pick(&PERIODS)),
        _ => json!(dice.pick(&WORDS)),
    };
    object.insert(key, value);
}

/// A line that is no event, command or tick at all.
pub fn line(dice: &mut Dice) -> Vec<u8> {
    let lines: [&[u8]; 24] = [
        b"{}",
        b"5",
        b"null",
        b"[]",
        b"\"billed\"",
        b"not json",
        b"{\"type\":\"billed\",broken",
        b"{\"type\":\"tick\"",
        b"{\"type\":\"tick\",\"now\":\"2024-08-20T10:00:00Z\"} x",
        b"{\"cost\":NaN}",
        b"{\"cost\":Infinity}",
        b"{\"event_id\":5}",
        b"{\"event_id\":\"\xff\"}",
        b"{\"event_id\":\"a\tb\"}",
        b"{\"event_id\":\"\\x\"}",
        b"{\"event_id\":\"e\",}",
        b"{'event_id':'e'}",
        b"\xef\xbb\xbf{}",
        b"{\"type\":\"what_ever\",\"command_id\":\"c\",\"account_id\":\"acme\"}",
        b"{\"type\":\"_set\",\"command_id\":\"c\",\"account_id\":\"acme\"}",
        b"{\"type\":\"tick\",\"now\":null,\"command_id\":\"zz\",\"event_id\":\"q\"}",
        b"{\"type\":\"tick\",\"account_id\":\"acme\",\"event_id\":7}",
        b"{\"type\":\"rejected\",\"account_id\":\"\"}",
        b"\x00",
    ];
    lines[dice.below(lines.len())].to_vec()
}

/// Puts a field in front of those of a line that no program would write.
pub fn prefix(dice: &mut Dice, line: &[u8]) -> Vec<u8> {
    let field = dice.pick(&[
        r#""unknown_field":1e400"#,
        r#""unknown_field":-0.0E-0"#,
        r#""unknown_field":00"#,
        r#""unknown_field":"\ud83d\ude00""#,
        r#""unknown_field":"\ude00\ud83d""#,
        r#""unknown_field":[[[[[[[[{"x":{}}]]]]]]],[]]"#,
        r#""requests":-0"#,
        r#""requests":1e0"#,
        r#""account_id":5"#,
        r#""type":"tick""#,
    ]);
    match line.iter().position(|byte| *byte == b'{') {
        None => line.to_vec(),
        Some(at) => {
            let (before, rest) = (&line[..=at], &line[at + 1..]);
            [before, field.as_bytes(), b",", rest].concat()
        }
    }
}
