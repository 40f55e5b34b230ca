//! Reads the text of a sliding period, `PTnHnMnS` (FORMATS.md, "Command").
//! Promise: only whole hours, minutes and seconds in this order, 1 second to 24 hours in all.

/// Longest sliding period, in seconds.
const PERIOD_S_MAX: i64 = 24 * 60 * 60;

/// The period in milliseconds, or `None` when the text is no such period.
pub fn sliding_period_ms(text: &str) -> Option<i64> {
    let mut rest = text.strip_prefix("PT")?;
    let mut units = [(b'H', 3600), (b'M', 60), (b'S', 1)].into_iter();
    let mut total_s = 0_i64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letter = *rest.as_bytes().get(digits)?;
        // The search goes on behind the unit before, so each stands once and in order.
        let (_, unit_s) = units.find(|(unit, _)| *unit == letter)?;
        let count: i64 = rest[..digits].parse().ok()?;
        total_s = total_s.checked_add(count.checked_mul(unit_s)?)?;
        rest = &rest[digits + 1..];
    }
    (1..=PERIOD_S_MAX).contains(&total_s).then(|| total_s * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_by_value() {
        for (text, seconds) in [
            ("PT1S", 1),
            ("PT5M", 300),
            ("PT300S", 300),
            ("PT1H30M", 5400),
            ("PT90M", 5400),
            ("PT1H0M", 3600),
            ("PT0H1M", 60),
            ("PT1H1S", 3601),
            ("PT007S", 7),
            ("PT24H", 86_400),
            ("PT86400S", 86_400),
            ("PT23H59M60S", 86_400),
        ] {
            assert_eq!(sliding_period_ms(text), Some(seconds * 1000), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_period() {
        for text in [
            "",
            "P",
            "PT",
            "PT0S",
            "PT0H0M0S",
            "PT5",
            "PTM",
            "PT5M\n",
            " PT5M",
            "pt5m",
            "PT5m",
            "PT1M1H",
            "PT1M1M",
            "PT24H1S",
            "PT25H",
            "P1D",
            "PT1.5H",
            "PT-1S",
            "PT+1S",
            "PT1S ",
            "PT٣S",
            "day",
            "PT99999999999999999999H",
            "PT9223372036854775807H",
            "PT9223372036854775807S",
            "PT9223372036854776S",
            "PTé",
        ] {
            assert_eq!(sliding_period_ms(text), None, "{text:?}");
        }
    }
}
