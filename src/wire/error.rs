//! Faults of the wire: what failed outside, as opposed to lines that are declined.
//! Promise: `Registry` may pass when tried again, the others need a person.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry did not answer, or answered that it cannot now. The record stays undecided.
    #[error("schema registry: {act}: {cause}")]
    Registry { act: String, cause: String },
    #[error("schema registry: {0}")]
    RegistrySettings(String),
    #[error("writer schema {name}: {cause}")]
    WriterSchema { name: String, cause: String },
    /// A container file that cannot be read on.
    #[error("Avro container: {0}")]
    Container(String),
    #[error("Avro container: {0}")]
    Io(#[from] std::io::Error),
    #[error("record does not fit its schema: {0}")]
    Encode(#[from] Box<apache_avro::Error>),
    #[error("inbound message: {0}")]
    Inbound(String),
    #[error("record of block state: {0}")]
    BlockState(String),
    #[error("record of a decision: {0}")]
    Notice(String),
}

impl Error {
    /// Whether the same attempt may succeed later.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Error::Registry { .. })
    }
}
