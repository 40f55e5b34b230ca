//! `tollgate generate`: seeded synthetic traffic of a messaging carrier, with the limits and the
//! trouble a real one has: repeats, conflicts, late and early events, corrections, garbage.
//! Promise: the same options give the same bytes on every machine and in every release. It decides
//! nothing and knows no clock but the one that paces it.

use std::fmt;
use std::str::FromStr;

use crate::time::{self, Millis};

mod catalog;
mod garbage;
mod json;
mod limits;
#[cfg(feature = "engine")]
mod output;
mod random;
#[cfg(feature = "engine")]
mod topic;
mod traffic;
mod world;

pub use json::LineWriter;
#[cfg(feature = "engine")]
pub use output::{Destination, Summary, TopicOptions, run, write};
#[cfg(feature = "engine")]
pub use topic::Publisher;
pub use traffic::{Body, Generated, Setting, Traffic};

/// What to generate. Everything but `events` and `seed` has a sensible default.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Billed events, repeats included; commands and garbage come on top. `u64::MAX` has no end.
    pub events: u64,
    pub seed: u64,
    /// 1..=1,000,000.
    pub accounts: u32,
    /// 1..=10,000.
    pub profiles_per_account: u32,
    /// Exponent of the Zipf law over accounts and over each account's profiles, 0.0..=8.0.
    pub zipf_exponent: f64,
    /// When the log begins.
    pub start: Millis,
    /// Mean gap between two events in log time, in microseconds, 0..=86,400,000,000.
    pub gap_us: u64,
    /// Send each line when its time has come (log time runs as the clock does) instead of at once.
    pub paced: bool,
    /// Limits that an account opens with, at most; 0 for a log without commands.
    pub limits_per_account: u32,
    /// Limits are sized as for a log of this many events; `None` for as many as it has.
    pub limits_sized_for: Option<u64>,
    pub shares: Shares,
}

/// How much of the events is of a kind; each event draws for each kind in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The same event (or another id under the same idempotency key) once more.
    pub duplicates: Share,
    /// The id of an earlier event with another cost.
    pub conflicts: Share,
    /// Occurred one minute to 36 hours before they were recorded.
    pub late: Share,
    /// Occur one minute to 23 hours after they were recorded.
    pub early: Share,
    /// Refunds: negative cost.
    pub corrections: Share,
    /// Lines in front of an event that must be rejected, in many ways.
    pub garbage: Share,
    /// Messages (sms, whatsapp, voice) with the purpose otp.
    pub otp: Share,
    /// Commands in front of an event that change or remove a limit.
    pub changes: Share,
}

impl Default for Shares {
    fn default() -> Shares {
        Shares {
            duplicates: Share(5_000),
            conflicts: Share(500),
            late: Share(5_000),
            early: Share(1_000),
            corrections: Share(5_000),
            garbage: Share(500),
            otp: Share(300_000),
            changes: Share(500),
        }
    }
}

impl Default for Options {
    /// A million events of these span 55 hours, three midnights and the end of a month.
    fn default() -> Options {
        Options {
            events: 1_000_000,
            seed: 1,
            accounts: 1_000,
            profiles_per_account: 5,
            zipf_exponent: 1.0,
            start: Millis(1_725_040_800_000),
            gap_us: 200_000,
            paced: false,
            limits_per_account: 12,
            limits_sized_for: None,
            shares: Shares::default(),
        }
    }
}

impl Options {
    /// A log ends when its time comes here: what is early by a day can still be written.
    const LAST: Millis = Millis(time::END.0 - 2 * time::DAY_MS);

    /// # Errors
    /// The first value that is out of its bounds.
    pub fn check(&self) -> Result<(), Error> {
        let bounds = |name, value: u64, low: u64, high: u64| {
            let good = (low..=high).contains(&value);
            if good { Ok(()) } else { Err(Error::OutOfBounds { name, low, high }) }
        };
        bounds("accounts", self.accounts.into(), 1, 1_000_000)?;
        bounds("profiles per account", self.profiles_per_account.into(), 1, 10_000)?;
        bounds("gap in microseconds", self.gap_us, 0, 86_400_000_000)?;
        if !(0.0..=8.0).contains(&self.zipf_exponent) {
            return Err(Error::OutOfBounds { name: "zipf exponent", low: 0, high: 8 });
        }
        let first = Millis(time::DAY_MS * 2);
        if !(first..Options::LAST).contains(&self.start) {
            return Err(Error::Calendar);
        }
        Ok(())
    }
}

/// A part of a whole in millionths, so that no float decides what is generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// Millionths in the whole.
    pub const WHOLE: u64 = 1_000_000;
    pub const NONE: Share = Share(0);

    #[must_use]
    pub fn per_million(self) -> u32 {
        self.0
    }
}

/// Reads `0.005` or `0.5%`.
impl FromStr for Share {
    type Err = Error;

    fn from_str(text: &str) -> Result<Share, Error> {
        let refused = || Error::Share(text.to_owned());
        let (number, whole) = match text.strip_suffix('%') {
            Some(percents) => (percents.trim_end(), 100),
            None => (text, 1),
        };
        let micros = crate::money::Money::parse(number).map_err(|_| refused())?.0;
        let per_million = u32::try_from(micros / whole).map_err(|_| refused())?;
        if u64::from(per_million) > Share::WHOLE {
            return Err(refused());
        }
        Ok(Share(per_million))
    }
}

/// As a percentage: the form `from_str` reads.
impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(out, "{whole}%");
        }
        let fraction = format!("{rest:04}");
        write!(out, "{whole}.{}%", fraction.trim_end_matches('0'))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{name} must lie between {low} and {high}")]
    OutOfBounds { name: &'static str, low: u64, high: u64 },
    #[error("the start must lie in the years 1970 to 2199, two days off their ends")]
    Calendar,
    #[error("{0:?} is not a share: write 0.005 or 0.5%, at most 100%")]
    Share(String),
    #[error("could not write {place}")]
    Write {
        place: String,
        #[source]
        cause: std::io::Error,
    },
    #[cfg(feature = "engine")]
    #[error("could not publish to {topic}")]
    Publish {
        topic: String,
        #[source]
        cause: rdkafka::error::KafkaError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_fractions_and_percentages() {
        for (text, per_million, shown) in [
            ("0.005", 5_000, "0.5%"),
            ("0.5%", 5_000, "0.5%"),
            ("1", 1_000_000, "100%"),
            ("100%", 1_000_000, "100%"),
            ("0", 0, "0%"),
            ("0.0001%", 1, "0.0001%"),
        ] {
            let share: Share = text.parse().expect("a share");
            assert_eq!((share.per_million(), share.to_string().as_str()), (per_million, shown));
        }
        for text in ["", "2", "101%", "-0.1", "half", "1e-3"] {
            assert!(text.parse::<Share>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn options_out_of_bounds_are_refused_by_name() {
        assert!(Options::default().check().is_ok());
        let none = Options { accounts: 0, ..Options::default() };
        assert_eq!(
            none.check().expect_err("no accounts").to_string(),
            "accounts must lie between 1 and 1000000"
        );
        let old = Options { start: Millis(0), ..Options::default() };
        assert!(matches!(old.check(), Err(Error::Calendar)));
    }

    #[test]
    fn a_log_ends_with_the_calendar() {
        let start = Millis(Options::LAST.0 - 1_000);
        let options = Options { start, gap_us: 1_000_000, ..Options::default() };
        let lines = Traffic::new(&options).expect("good options").count();
        assert!(lines < 10_000, "{lines}");
    }
}
