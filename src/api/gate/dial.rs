//! The country of a number, by the longest dialling prefix that is known (E.164).
//! Promise: no more than a table: nothing is said about whether the number exists, and what does
//! not begin with `+` (short codes, names) has no country. `dial.txt` holds a country and its
//! prefixes a line, as of libphonenumber 9.0 (Apache-2.0). Where countries share a code and only
//! longer parts of a number tell them apart, the larger one stands for all.
//!
//! A crate for it would bring twenty more, among them unmaintained ones, for this one question.

use std::collections::HashMap;

const TABLE: &str = include_str!("dial.txt");

/// Digits of the longest prefix.
const PREFIX_MAX: usize = 7;

pub(super) struct Dial(HashMap<&'static str, &'static str>);

impl Dial {
    pub(super) fn new() -> Dial {
        let row = |line: &'static str| {
            let (country, prefixes) = line.split_once(' ').unwrap_or((line, ""));
            prefixes.split(' ').map(move |prefix| (prefix, country))
        };
        Dial(TABLE.lines().flat_map(row).collect())
    }

    /// ISO 3166-1 alpha-2.
    pub(super) fn country(&self, number: &str) -> Option<&'static str> {
        let digits = number.strip_prefix('+')?;
        let prefixes = (1..=PREFIX_MAX.min(digits.len())).rev();
        prefixes.filter_map(|length| self.0.get(digits.get(..length)?)).next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_tells_the_country() {
        let dial = Dial::new();
        for (number, country) in [
            ("+393331234567", Some("IT")),
            ("+390669812345", Some("VA")),
            ("+12125550001", Some("US")),
            ("+14165550001", Some("CA")),
            ("+12425550001", Some("BS")),
            ("+77015550001", Some("KZ")),
            ("+79015550001", Some("RU")),
            ("+447700900000", Some("GB")),
            ("+441534000000", Some("JE")),
            ("+4915112345678", Some("DE")),
            ("+999", None),
            ("+", None),
            ("", None),
            ("393331234567", None),
            ("12345", None),
            ("ACME", None),
            ("+è", None),
        ] {
            assert_eq!(dial.country(number), country, "{number}");
        }
    }

    #[test]
    fn every_row_is_a_country_with_its_own_prefixes() {
        let mut seen = std::collections::BTreeSet::new();
        for line in TABLE.lines() {
            let (country, prefixes) = line.split_once(' ').expect("a country and prefixes");
            assert!(country.len() == 2 && country.bytes().all(|it| it.is_ascii_uppercase()));
            for prefix in prefixes.split(' ') {
                assert!(prefix.bytes().all(|it| it.is_ascii_digit()), "{line}");
                assert!((1..=PREFIX_MAX).contains(&prefix.len()), "{line}");
                assert!(seen.insert(prefix), "{prefix} stands twice");
            }
        }
        assert!(seen.len() > 250, "{}", seen.len());
    }
}
