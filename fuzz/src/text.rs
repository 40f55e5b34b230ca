//! Money, times and periods: small texts, each beside another reading of the same rule.

use chrono::{DateTime, Datelike};
use rust_decimal::Decimal;
use tollgate::fold::event::{Change, Input};
use tollgate::fold::limit::Window;
use tollgate::money::{LIMIT, Money};
use tollgate::time::{END, Millis};
use tollgate::wire::json::decode_line;

pub fn money(bytes: &[u8]) {
    if let Some(micros) = bytes.first_chunk().map(|bytes| i128::from_be_bytes(*bytes)) {
        printed_money(Money(micros));
        printed_money(Money(micros >> 56));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let ours = Money::parse(text).ok();
    assert_eq!(ours, plain_decimal(text), "{text:?}");
    if let Some(money) = ours {
        printed_money(money);
    }
}

fn printed_money(money: Money) {
    let (short, six) = (money.to_string(), money.six().to_string());
    assert!(six.starts_with(&short) && six[short.len()..].bytes().all(|byte| byte == b'0'));
    let digits: String = six.chars().filter(|character| *character != '.').collect();
    assert_eq!(digits.parse::<i128>(), Ok(money.0), "{six}");
    if money.0.unsigned_abs() < LIMIT.0.unsigned_abs() {
        assert_eq!(Money::parse(&short), Ok(money));
        assert_eq!(Money::parse(&six), Ok(money));
    }
}

/// Digits with at most a dot and 1 to 6 more, below 10^12 (FORMATS.md), by another library.
fn plain_decimal(text: &str) -> Option<Money> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut parts = digits.split('.');
    let (whole, fraction) = (parts.next()?, parts.next());
    let all_digits = |part: &str| !part.is_empty() && part.chars().all(|it| it.is_ascii_digit());
    let fits = all_digits(whole)
        && fraction.is_none_or(|it| all_digits(it) && it.len() <= 6)
        && parts.next().is_none();
    let whole = whole.trim_start_matches('0');
    if !fits || whole.len() > 12 {
        return None;
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    let plain = format!("{sign}0{whole}.{}", fraction.unwrap_or("0"));
    let mut decimal = Decimal::from_str_exact(&plain).expect("at most 18 digits");
    decimal.rescale(6);
    Some(Money(decimal.mantissa()))
}

pub fn time(bytes: &[u8]) {
    if let Some(ms) = bytes.first_chunk().map(|bytes| i64::from_be_bytes(*bytes)) {
        printed_time(Millis(ms.rem_euclid(END.0)));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let theirs = DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis());
    match Millis::parse(text) {
        Ok(ours) => {
            assert_eq!(Some(ours.0), theirs, "{text:?}");
            printed_time(ours);
        }
        Err(why) => {
            // Chrono also takes leap seconds, a blank for the T, and a minus that is no ASCII.
            let strict = text.is_ascii()
                && text.as_bytes().get(10).is_some_and(|byte| matches!(byte, b'T' | b't'))
                && text.get(17..19) != Some("60");
            let in_range = theirs.is_some_and(|ms| Millis(ms).in_range());
            assert!(!(strict && in_range), "{text:?}: {why}");
        }
    }
}

fn printed_time(time: Millis) {
    assert_eq!(Millis::parse(&time.to_string()), Ok(time));
    let (day, month) = (time.day(), time.month());
    assert!(day.start() <= time && time < day.next().start(), "{time}");
    assert!(month.start() <= time && time < month.next().start(), "{time}");
    assert_eq!((day.next().previous(), month.next().previous()), (day, month));
    let theirs = DateTime::from_timestamp_millis(time.0).expect("a time in range");
    assert_eq!(month.0, (theirs.year() - 1970) * 12 + theirs.month0() as i32, "{time}");
}

/// A period stands in a limit, so it is read there.
pub fn duration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let line = serde_json::json!({
        "type": "limit_set", "command_id": "c", "account_id": "a",
        "issued_at": "2024-08-20T00:00:00Z",
        "limit": {
            "limit_id": "l", "scope": {"kind": "recipient"}, "measure": "requests",
            "window": text, "amount": "1",
        },
    });
    let bytes = line.to_string().into_bytes();
    let decoded = decode_line(&bytes);
    crate::agree::lines_come_back(&decoded);
    let ours = match decoded.input {
        Input::Command(command) => match command.change {
            Change::LimitSet(spec) => match spec.window {
                Window::Sliding { period_ms, text: kept } => {
                    assert_eq!(kept, text);
                    Some(period_ms)
                }
                Window::Day | Window::Month => panic!("{text:?} is no window of a recipient"),
            },
            Change::LimitRemoved { .. } | Change::Other => panic!("a limit was set"),
        },
        Input::Rejected(_) => None,
        Input::Billed(_) | Input::Tick => panic!("a command was given"),
    };
    assert_eq!(ours, period_ms(text), "{text:?}");
}

/// PTnHnMnS, PT1S to PT24H, in texts of at most 128 characters (FORMATS.md), letter by letter.
fn period_ms(text: &str) -> Option<i64> {
    let mut rest = text.strip_prefix("PT").filter(|_| text.len() <= 128)?;
    let mut seconds = 0_u128;
    for (letter, unit) in [('H', 3600), ('M', 60), ('S', 1)] {
        let Some((digits, behind)) = rest.split_once(letter) else { continue };
        if digits.is_empty() || !digits.chars().all(|it| it.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        let count: u128 = if significant.len() > 9 { 1 << 40 } else { digits.parse().ok()? };
        seconds += count * unit;
        rest = behind;
    }
    let fits = rest.is_empty() && (1..=86_400).contains(&seconds);
    fits.then_some(seconds as i64 * 1000)
}
