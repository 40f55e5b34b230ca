//! What a channel answers. Promise: every failure says what happened in words for people, and
//! whether trying again may help.

use std::time::Duration;

/// How an attempt to deliver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other side took it over.
    Delivered {
        /// What it answered, short, for people: `200`, `250 2.0.0 Ok`.
        answer: String,
    },
    /// It may work later.
    Failed {
        /// What happened, short, for people; no secret.
        why: String,
        /// How long the other side asked us to wait (`Retry-After`), as it said.
        retry_after: Option<Duration>,
    },
    /// Trying again is of no use: an address that is not allowed, a mailbox that is not there.
    Refused { why: String },
    /// The endpoint wants nothing any more (410).
    Gone,
}
