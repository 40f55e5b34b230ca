//! Time as milliseconds since the Unix epoch, calendar windows in UTC, and the RFC 3339 forms.
//! Promise: no clock is read here. `Clock` is the seam by which the engine learns the time.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Timelike};

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

/// Where the engine learns the time from; the fold gets it as an argument only (L1).
pub trait Clock {
    fn now(&self) -> Millis;
}

/// A UTC calendar day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// A UTC calendar month, counted from January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(pub i32);

/// Why a text is not a time that Tollgate takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("not an RFC 3339 time with an offset")]
    Form,
    #[error("outside the years 1970 to 2199")]
    Range,
}

/// 2200-01-01T00:00:00Z: the first moment that is refused.
pub const END: Millis = Millis(7_258_118_400_000);

impl Millis {
    /// Reads an RFC 3339 time with an offset; digits past the millisecond are cut off.
    ///
    /// # Errors
    /// `Form` when it is no such time, `Range` outside the years 1970 to 2199 (in UTC).
    pub fn parse(text: &str) -> Result<Millis, Error> {
        // chrono also takes a space for the `T` and a Unicode minus; the RFC's grammar does not.
        if !text.is_ascii() || !matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
            return Err(Error::Form);
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| Error::Form)?;
        let millis = Millis(time.timestamp_millis());
        if millis.in_range() { Ok(millis) } else { Err(Error::Range) }
    }

    /// Whether it lies in the years 1970 to 2199.
    #[must_use]
    pub fn in_range(self) -> bool {
        (0..END.0).contains(&self.0)
    }

    #[must_use]
    pub fn day(self) -> Day {
        let days = self.0.div_euclid(DAY_MS);
        Day(i32::try_from(days).expect("a time within chrono's range"))
    }

    #[must_use]
    pub fn month(self) -> Month {
        let date = date(self.day());
        Month((date.year() - 1970) * 12 + date.month0() as i32)
    }

    /// The minute since the epoch that holds this time (the unit of the dedup window).
    #[must_use]
    pub fn minute(self) -> i64 {
        self.0.div_euclid(MINUTE_MS)
    }
}

impl Day {
    #[must_use]
    pub fn start(self) -> Millis {
        Millis(i64::from(self.0) * DAY_MS)
    }

    #[must_use]
    pub fn next(self) -> Day {
        Day(self.0 + 1)
    }

    #[must_use]
    pub fn previous(self) -> Day {
        Day(self.0 - 1)
    }
}

impl Month {
    #[must_use]
    pub fn start(self) -> Millis {
        let year = 1970 + self.0.div_euclid(12);
        let month = self.0.rem_euclid(12) as u32 + 1;
        let date = NaiveDate::from_ymd_opt(year, month, 1).expect("a month of chrono's range");
        Millis(i64::from(date.to_epoch_days()) * DAY_MS)
    }

    #[must_use]
    pub fn next(self) -> Month {
        Month(self.0 + 1)
    }

    #[must_use]
    pub fn previous(self) -> Month {
        Month(self.0 - 1)
    }
}

fn date(day: Day) -> NaiveDate {
    NaiveDate::from_epoch_days(day.0).expect("a day of chrono's range")
}

/// RFC 3339 with milliseconds and `+00:00`: the form of every output.
impl fmt::Display for Millis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = DateTime::from_timestamp_millis(self.0).ok_or(fmt::Error)?;
        write!(
            out,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}+00:00",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.timestamp_subsec_millis()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_to_milliseconds_and_printed_in_utc() {
        for (text, expected) in [
            ("2024-08-20T19:17:08.918+00:00", "2024-08-20T19:17:08.918+00:00"),
            ("2024-08-20T19:17:08Z", "2024-08-20T19:17:08.000+00:00"),
            ("2024-08-20T19:17:08.9189999+05:30", "2024-08-20T13:47:08.918+00:00"),
            ("2024-02-29T23:30:00.000-11:00", "2024-03-01T10:30:00.000+00:00"),
        ] {
            assert_eq!(Millis::parse(text).expect("a time").to_string(), expected);
        }
    }

    #[test]
    fn other_times_are_refused() {
        for text in ["", "2024-08-20", "2024-08-20 19:17:08Z", "2024-08-20T19:17:08", "soon"] {
            assert_eq!(Millis::parse(text), Err(Error::Form), "{text:?}");
        }
        assert_eq!(Millis::parse("1969-12-31T23:59:59.999Z"), Err(Error::Range));
        assert_eq!(Millis::parse("2200-01-01T00:00:00Z"), Err(Error::Range));
    }

    #[test]
    fn months_start_where_the_calendar_says() {
        let leap = Millis::parse("2024-02-29T12:00:00Z").expect("a time");
        assert_eq!(leap.month().start().to_string(), "2024-02-01T00:00:00.000+00:00");
        assert_eq!(leap.month().next().start().to_string(), "2024-03-01T00:00:00.000+00:00");
        assert_eq!(leap.day().next().start().to_string(), "2024-03-01T00:00:00.000+00:00");
    }
}
