//! Bytes to types and back, for every topic and log: strict on the way in, exact on the way out.
//! Promise: no bytes make it panic, and whatever breaks rule 1 of FORMATS.md becomes a refusal with
//! its reason (C6). It refuses to judge what needs the state: unknown limits, duplicates, futures.

pub mod avro;
pub mod json;
mod raw;
mod shown;
pub mod total;
mod validate;
mod window;

use crate::fold::event::Input;
use crate::time::Millis;

/// A line as the fold takes it, and when it says it reached the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    pub input: Input,
    /// `recorded_at`, or where that is left out `occurred_at`, `issued_at`, a tick's `now`. `None`
    /// only for `Input::Rejected`.
    pub recorded_at: Option<Millis>,
}
