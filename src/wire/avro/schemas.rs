//! The schemas of Tollgate's topics, as they stand in `schemas/`.
//! Promise: parsed once, never changed; a test keeps every later version readable by every other.

use std::sync::LazyLock;

use apache_avro::Schema;

/// A schema and the text it was parsed from (which a registry is given, docs included).
pub struct OwnSchema {
    pub text: &'static str,
    schema: LazyLock<Schema>,
}

impl OwnSchema {
    const fn new(text: &'static str, parse: fn() -> Schema) -> OwnSchema {
        OwnSchema { text, schema: LazyLock::new(parse) }
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }
}

fn parse(text: &str) -> Schema {
    Schema::parse_str(text).expect("a test parses every schema of the project")
}

const BILLED_EVENT_TEXT: &str = include_str!("../../../schemas/billed-event.avsc");
const COMMAND_TEXT: &str = include_str!("../../../schemas/command.avsc");
const TICK_TEXT: &str = include_str!("../../../schemas/tick.avsc");
const JOURNAL_RECORD_TEXT: &str = include_str!("../../../schemas/journal-record.avsc");
const THRESHOLD_CROSSED_TEXT: &str = include_str!("../../../schemas/threshold-crossed.avsc");
const LIMIT_REACHED_TEXT: &str = include_str!("../../../schemas/limit-reached.avsc");
const BLOCK_CHANGED_TEXT: &str = include_str!("../../../schemas/block-changed.avsc");
const DEAD_LETTER_TEXT: &str = include_str!("../../../schemas/dead-letter.avsc");

pub static BILLED_EVENT: OwnSchema = OwnSchema::new(BILLED_EVENT_TEXT, || parse(BILLED_EVENT_TEXT));
pub static COMMAND: OwnSchema = OwnSchema::new(COMMAND_TEXT, || parse(COMMAND_TEXT));
pub static TICK: OwnSchema = OwnSchema::new(TICK_TEXT, || parse(TICK_TEXT));
pub static JOURNAL_RECORD: OwnSchema =
    OwnSchema::new(JOURNAL_RECORD_TEXT, || parse(JOURNAL_RECORD_TEXT));
pub static THRESHOLD_CROSSED: OwnSchema =
    OwnSchema::new(THRESHOLD_CROSSED_TEXT, || parse(THRESHOLD_CROSSED_TEXT));
pub static LIMIT_REACHED: OwnSchema =
    OwnSchema::new(LIMIT_REACHED_TEXT, || parse(LIMIT_REACHED_TEXT));
pub static BLOCK_CHANGED: OwnSchema =
    OwnSchema::new(BLOCK_CHANGED_TEXT, || parse(BLOCK_CHANGED_TEXT));
pub static DEAD_LETTER: OwnSchema = OwnSchema::new(DEAD_LETTER_TEXT, || parse(DEAD_LETTER_TEXT));
