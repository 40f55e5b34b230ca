//! Money as an integer of micro-dollars, and its plain decimal form at the edges.
//! Promise: parsing and printing are exact; arithmetic is checked. It knows no other currency than
//! USD and never rounds.

use std::fmt;

use rust_decimal::Decimal;

/// Digits behind the dot that an amount may carry.
pub const SCALE: u32 = 6;
/// One dollar in micro-dollars.
pub const MICROS_PER_DOLLAR: i128 = 1_000_000;
/// Bound (exclusive) on the absolute value of a cost or an amount: 10^12 USD.
pub const LIMIT: Money = Money(1_000_000_000_000 * MICROS_PER_DOLLAR);

/// An exact sum in micro-dollars. Sums of a window stay far below i128 (10^12 USD an event).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i128);

/// Why a text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("not a plain decimal: digits, at most one dot, 1 to 6 digits behind it")]
    Form,
    #[error("10^12 USD or more")]
    Large,
}

impl Money {
    pub const ZERO: Money = Money(0);

    /// Reads digits with at most a dot and 1 to 6 more, with a leading `-` allowed (FORMATS.md).
    ///
    /// # Errors
    /// `Form` for anything else, `Large` when the absolute value is 10^12 USD or more.
    pub fn parse(text: &str) -> Result<Money, Error> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(Error::Form),
            Some((whole, fraction)) => (whole, fraction),
            None => (digits, ""),
        };
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() > SCALE as usize || !plain(whole) || !plain(fraction)
        {
            return Err(Error::Form);
        }
        let significant = whole.trim_start_matches('0');
        if significant.len() > 12 {
            return Err(Error::Large);
        }
        let digit = |value: i128, byte: u8| value * 10 + i128::from(byte - b'0');
        let whole = significant.bytes().fold(0, digit);
        let missing = (0..SCALE as usize - fraction.len()).map(|_| b'0');
        let micros = fraction.bytes().chain(missing).fold(whole, digit);
        Ok(Money(if negative { -micros } else { micros }))
    }

    /// Adds; `None` on overflow (C1: an error, never a wrap).
    #[must_use]
    pub fn checked_add(self, other: Money) -> Option<Money> {
        self.0.checked_add(other.0).map(Money)
    }

    /// As a decimal of scale 6; `None` past 96 bits, which no window's sum reaches.
    #[must_use]
    pub fn to_decimal(self) -> Option<Decimal> {
        Decimal::try_from_i128_with_scale(self.0, SCALE).ok()
    }

    /// Six decimals: the form of totals.
    #[must_use]
    pub fn six(self) -> Six {
        Six(self)
    }
}

/// At least two decimals and as many more as the value has: the form of decisions.
impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fraction = self.0.unsigned_abs() % MICROS_PER_DOLLAR.unsigned_abs();
        let mut digits = SCALE as usize;
        while digits > 2 && fraction.is_multiple_of(10) {
            fraction /= 10;
            digits -= 1;
        }
        write_decimal(out, self.0, fraction, digits)
    }
}

/// Prints with exactly six decimals.
pub struct Six(Money);

impl fmt::Display for Six {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.0;
        let fraction = micros.unsigned_abs() % MICROS_PER_DOLLAR.unsigned_abs();
        write_decimal(out, micros, fraction, SCALE as usize)
    }
}

fn write_decimal(
    out: &mut fmt::Formatter<'_>,
    micros: i128,
    fraction: u128,
    digits: usize,
) -> fmt::Result {
    let sign = if micros < 0 { "-" } else { "" };
    let whole = micros.unsigned_abs() / MICROS_PER_DOLLAR.unsigned_abs();
    write!(out, "{sign}{whole}.{fraction:0digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_parsed_exactly_and_printed_in_both_forms() {
        for (text, short, six) in [
            ("0.0075", "0.0075", "0.007500"),
            ("10", "10.00", "10.000000"),
            ("-0.5", "-0.50", "-0.500000"),
            ("0000000000000000001.10", "1.10", "1.100000"),
            ("999999999999.999999", "999999999999.999999", "999999999999.999999"),
            ("-0", "0.00", "0.000000"),
        ] {
            let money = Money::parse(text).expect("a plain decimal");
            assert_eq!(money.to_string(), short);
            assert_eq!(money.six().to_string(), six);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["", " 1", "+1", "1.", ".5", "1e3", "NaN", "1.0000001", "--1", "1,5", "٣"] {
            assert_eq!(Money::parse(text), Err(Error::Form), "{text:?}");
        }
        assert_eq!(Money::parse("1000000000000"), Err(Error::Large));
    }
}
