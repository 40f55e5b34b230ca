//! What the fold reads: billed events, commands, ticks and lines that were refused on the way in.
//! Promise: a value of these types passed rule 1 of FORMATS.md (decodable and valid, as far as
//! that shows without the state). The decoders in `wire` make them; nothing else does.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;

use super::limit::LimitSpec;
use crate::money::Money;
use crate::time::Millis;

/// A text that stands in the bytes of its line, wherever no escape keeps it from that.
pub type Text<'a> = Cow<'a, str>;

/// One line of a log or one record of a topic, with the time at which it reached the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    pub input: Input<'a>,
    /// Time at which the line reached the log. Unused for `Input::Rejected`.
    pub recorded_at: Millis,
    pub position: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Input<'a> {
    Billed(BilledEvent<'a>),
    Command(Command),
    /// Moves `now` to the line's `recorded_at` and does nothing else.
    Tick,
    /// Broke rule 1: reported, does nothing else, not even move `now`.
    Rejected(Refusal),
}

/// Something that was charged (FORMATS.md, "Billed event"). An empty optional text is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct BilledEvent<'a> {
    /// 1..=128 code points.
    pub event_id: Text<'a>,
    pub idempotency_key: Option<Text<'a>>,
    /// 1..=128 code points.
    pub account_id: Text<'a>,
    pub profile_id: Option<Text<'a>>,
    /// `[a-z][a-z0-9_]*`.
    pub feature: Text<'a>,
    /// Two letters, upper case.
    pub country: Option<Text<'a>>,
    pub sender: Option<Text<'a>>,
    pub recipient: Option<Text<'a>>,
    pub purpose: Option<Text<'a>>,
    /// 0..=10^9.
    pub requests: u32,
    /// Absolute value below 10^12 USD; negative is a correction (C4).
    pub cost: Money,
    pub occurred_at: Millis,
}

impl<'a> Line<'a> {
    #[must_use]
    pub fn billed(&self) -> Option<&BilledEvent<'a>> {
        match &self.input {
            Input::Billed(event) => Some(event),
            _ => None,
        }
    }
}

impl Input<'_> {
    /// The same without the bytes that it was decoded from.
    #[must_use]
    pub fn into_owned(self) -> Input<'static> {
        match self {
            Input::Billed(event) => Input::Billed(event.into_owned()),
            Input::Command(command) => Input::Command(command),
            Input::Tick => Input::Tick,
            Input::Rejected(refusal) => Input::Rejected(refusal),
        }
    }
}

impl BilledEvent<'_> {
    /// The same without the bytes that it was decoded from.
    #[must_use]
    pub fn into_owned(self) -> BilledEvent<'static> {
        let own = |text: Text<'_>| Cow::Owned(text.into_owned());
        BilledEvent {
            event_id: own(self.event_id),
            idempotency_key: self.idempotency_key.map(own),
            account_id: own(self.account_id),
            profile_id: self.profile_id.map(own),
            feature: own(self.feature),
            country: self.country.map(own),
            sender: self.sender.map(own),
            recipient: self.recipient.map(own),
            purpose: self.purpose.map(own),
            requests: self.requests,
            cost: self.cost,
            occurred_at: self.occurred_at,
        }
    }
}

/// A recorded change of a setting (FORMATS.md, "Command"). Only limits touch the fold.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub command_id: CompactString,
    pub account_id: CompactString,
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    LimitSet(LimitSpec),
    LimitRemoved {
        limit_id: CompactString,
    },
    /// profile_set, preferences_set, …: kept in the log, no matter of the fold.
    Other,
}

/// Where a line stands: `topic/partition:offset` or `file:line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// `messages.billed/3` or a file's name; shared by all lines of it.
    pub source: Arc<str>,
    /// Offset (from 0) or line number (from 1).
    pub at: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.source, self.at)
    }
}

/// Why a line was declined (C6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    Undecodable,
    Invalid,
    FutureEvent,
    Conflict,
}

impl Reason {
    pub const ALL: [Reason; 4] =
        [Reason::Undecodable, Reason::Invalid, Reason::FutureEvent, Reason::Conflict];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Undecodable => "undecodable",
            Reason::Invalid => "invalid",
            Reason::FutureEvent => "future_event",
            Reason::Conflict => "conflict",
        }
    }
}

/// A line that broke rule 1, with what it named, as far as that was a string.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// `Undecodable` or `Invalid`; the other reasons need the state.
    pub reason: Reason,
    pub account_id: Option<String>,
    pub event_id: Option<String>,
    pub command_id: Option<String>,
    /// For people: what is wrong and where in the line.
    pub detail: String,
}
