//! Amounts of USD in requests (C1). Promise: what a JSON number says is taken exactly, however it
//! is spelled; nothing is rounded.

use crate::api::fault::Fault;
use crate::api::number::Number;
use crate::money::Money;

/// Digits that an exponent may move the dot by: more than any amount has.
const SHIFT_MAX: i32 = 30;

/// Above 0, below 10^12, at most six decimals.
///
/// # Errors
/// 422 about `place`.
pub fn usd(place: &str, number: &Number) -> Result<Money, Fault> {
    let money = match spelled_out(number.as_str()) {
        Some(plain) => Money::parse(&plain).ok(),
        None => number.money(),
    };
    money.filter(|money| *money > Money::ZERO).ok_or_else(|| {
        let detail = format!(
            "{place} must be a number of USD above 0 and below 1000000000000, with at most 6 \
             decimals."
        );
        Fault::invalid(place, detail)
    })
}

/// `1.5e2` as `150`; `None` without an exponent, or with one that no amount has.
fn spelled_out(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let shift: i32 = exponent.parse().ok()?;
    if !(-SHIFT_MAX..=SHIFT_MAX).contains(&shift) {
        return None;
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let dot = i32::try_from(whole.len()).ok()?.checked_add(shift)?;
    let mut digits = format!("{whole}{fraction}");
    if dot <= 0 {
        digits.insert_str(0, &"0".repeat(usize::try_from(1 - dot).ok()?));
    }
    let dot = usize::try_from(dot.max(1)).ok()?;
    while digits.len() < dot {
        digits.push('0');
    }
    let (whole, fraction) = digits.split_at_checked(dot)?;
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_taken_exactly_however_they_are_spelled() {
        for (text, money) in [
            ("500", "500"),
            ("150.75", "150.75"),
            ("0.000001", "0.000001"),
            ("999999999999.999999", "999999999999.999999"),
            ("5e2", "500"),
            ("1.5E+2", "150"),
            ("1e-06", "0.000001"),
            ("12345.678e-3", "12.345678"),
            ("1.50e1", "15"),
        ] {
            let number = serde_json::from_str(text).expect("a number");
            let expected = Money::parse(money).expect("money");
            assert_eq!(usd("amount", &number), Ok(expected), "{text}");
        }
        for text in [
            "0",
            "-1",
            "1000000000000",
            "0.0000001",
            "1e12",
            "1e99999999999",
            "1e-7",
            "0e5",
            "-1e2",
        ] {
            let number = serde_json::from_str(text).expect("a number");
            let refused = usd("amount", &number).expect_err(text);
            assert_eq!(refused.place.as_deref(), Some("amount"));
        }
    }
}
