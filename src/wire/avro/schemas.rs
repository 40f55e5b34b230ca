//! The schemas of Tollgate's topics, as they stand in `schemas/`, and how to write by them.
//! Promise: parsed once, never changed; a test keeps every later version readable by every other.

use std::sync::LazyLock;

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;

use super::canonical::{self, Fingerprint};

/// What a single-object record begins with, before the fingerprint.
pub const SINGLE_OBJECT_MARKER: [u8; 2] = [0xc3, 0x01];

/// One of our schemas.
pub struct OwnSchema {
    /// As in the file, docs included: what a registry is given.
    pub text: &'static str,
    parsed: LazyLock<Parsed>,
}

struct Parsed {
    schema: Schema,
    fingerprint: Fingerprint,
}

impl OwnSchema {
    const fn new(text: &'static str, parse: fn() -> Parsed) -> OwnSchema {
        OwnSchema { text, parsed: LazyLock::new(parse) }
    }

    pub fn schema(&'static self) -> &'static Schema {
        &self.parsed.schema
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.parsed.fingerprint
    }

    /// Appends the datum of `record` to `out`.
    ///
    /// # Errors
    /// When the record's fields are not those of the schema.
    pub fn write(
        &'static self,
        record: &impl Serialize,
        out: &mut Vec<u8>,
    ) -> Result<(), apache_avro::Error> {
        let writer = GenericDatumWriter::builder(self.schema()).human_readable(false).build()?;
        writer.write_ser(out, record).map(drop)
    }
}

fn parse(text: &str) -> Parsed {
    let schema = Schema::parse_str(text).expect("a test parses every schema of the project");
    let fingerprint = canonical::fingerprint(text).expect("a schema that parses has a form");
    Parsed { schema, fingerprint }
}

const BILLED_EVENT_TEXT: &str = include_str!("../../../schemas/billed-event.avsc");
const COMMAND_TEXT: &str = include_str!("../../../schemas/command.avsc");
const TICK_TEXT: &str = include_str!("../../../schemas/tick.avsc");
const THRESHOLD_CROSSED_TEXT: &str = include_str!("../../../schemas/threshold-crossed.avsc");
const LIMIT_REACHED_TEXT: &str = include_str!("../../../schemas/limit-reached.avsc");
const BLOCK_CHANGED_TEXT: &str = include_str!("../../../schemas/block-changed.avsc");
const INBOUND_MESSAGE_TEXT: &str = include_str!("../../../schemas/inbound-message.avsc");
const DEAD_LETTER_TEXT: &str = include_str!("../../../schemas/dead-letter.avsc");

pub static BILLED_EVENT: OwnSchema = OwnSchema::new(BILLED_EVENT_TEXT, || parse(BILLED_EVENT_TEXT));
pub static COMMAND: OwnSchema = OwnSchema::new(COMMAND_TEXT, || parse(COMMAND_TEXT));
pub static TICK: OwnSchema = OwnSchema::new(TICK_TEXT, || parse(TICK_TEXT));
pub static THRESHOLD_CROSSED: OwnSchema =
    OwnSchema::new(THRESHOLD_CROSSED_TEXT, || parse(THRESHOLD_CROSSED_TEXT));
pub static LIMIT_REACHED: OwnSchema =
    OwnSchema::new(LIMIT_REACHED_TEXT, || parse(LIMIT_REACHED_TEXT));
pub static BLOCK_CHANGED: OwnSchema =
    OwnSchema::new(BLOCK_CHANGED_TEXT, || parse(BLOCK_CHANGED_TEXT));
pub static INBOUND_MESSAGE: OwnSchema =
    OwnSchema::new(INBOUND_MESSAGE_TEXT, || parse(INBOUND_MESSAGE_TEXT));
pub static DEAD_LETTER: OwnSchema = OwnSchema::new(DEAD_LETTER_TEXT, || parse(DEAD_LETTER_TEXT));
