//! Bytes to types and back, for every topic and log: strict on the way in, exact on the way out.
//! Promise: no bytes make it panic, and whatever breaks rule 1 of FORMATS.md becomes a refusal
//! with its reason (C6). It refuses to judge what needs the state: unknown limits, duplicates,
//! futures.
//!
//! A record walks: `decoder` (which encoding) -> `json` or `avro` (bytes to fields) -> `raw` ->
//! `validate` (fields to fold types). A decision walks: `shown` (its record) -> `encoder`.

mod avro;
pub mod container;
pub mod json;

mod block;
mod decoder;
mod encoder;
mod error;
mod inbound;
mod notice;
mod raw;
mod recorded;
#[cfg(feature = "engine")]
mod registry;
#[cfg(not(feature = "engine"))]
#[path = "registry_none.rs"]
mod registry;
mod shown;
mod shown_lines;
mod validate;
mod window;

pub use avro::RecordKind;
pub(crate) use avro::{Datum, Plan, Scalar, Unfit};
pub use avro::{Fingerprint, fingerprint};
pub use block::BlockSeen;
pub use decoder::{Decoder, Options};
pub use encoder::{Encoder, Topics};
pub use error::Error;
pub use inbound::Inbound;
pub use notice::{Notice, What};
pub use recorded::{Head, Recorded, Setting, limit_value};
pub use shown_lines::Issued;

use crate::fold::event::Input;
use crate::time::Millis;

/// A line as the fold takes it, and when it says it reached the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<'a> {
    pub input: Input<'a>,
    /// `recorded_at`, or where that is left out `occurred_at`, `issued_at`, a tick's `now`. `None`
    /// only for `Input::Rejected`.
    pub recorded_at: Option<Millis>,
}

impl Decoded<'_> {
    /// The same without the bytes that it was decoded from.
    #[must_use]
    pub fn into_owned(self) -> Decoded<'static> {
        Decoded { input: self.input.into_owned(), recorded_at: self.recorded_at }
    }
}

/// `input.format`: how records of the input topics are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputFormat {
    /// Told by each record's first bytes.
    #[default]
    Auto,
    Json,
    AvroSingle,
    Confluent,
}

/// `output.format`: how decisions are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    #[default]
    Json,
    AvroSingle,
    Confluent,
}

/// Where the schema registry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryOptions {
    pub url: String,
    /// Of one call, connecting included.
    pub timeout_ms: u64,
    pub user: Option<String>,
    pub password: Option<String>,
}

impl InputFormat {
    pub const ALL: [InputFormat; 4] =
        [InputFormat::Auto, InputFormat::Json, InputFormat::AvroSingle, InputFormat::Confluent];

    /// As it is spelled in the config.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            InputFormat::Auto => "auto",
            InputFormat::Json => "json",
            InputFormat::AvroSingle => "avro-single",
            InputFormat::Confluent => "confluent",
        }
    }
}

impl OutputFormat {
    pub const ALL: [OutputFormat; 3] =
        [OutputFormat::Json, OutputFormat::AvroSingle, OutputFormat::Confluent];

    /// As it is spelled in the config.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OutputFormat::Json => "json",
            OutputFormat::AvroSingle => "avro-single",
            OutputFormat::Confluent => "confluent",
        }
    }
}
