//! The fuzz targets: one for each decoder or parser that meets foreign bytes. A target is a plain
//! function from bytes to a panic or none; it asserts a property wherever there is one (what is
//! decoded encodes to something that decodes alike, both encodings agree, another implementation
//! of the same rule agrees) and holds memory to a bound.
//!
//! Two drivers share them: libFuzzer (`fuzz_targets/`, `make fuzz`), for as long as one likes, and
//! `tests/short.rs`, which needs nothing but stable Rust. Seeds come from `examples/seeds`.

#![deny(unsafe_code)]

mod agree;
mod avro;
mod config;
mod inbound;
mod journal;
mod json;
mod log;
pub mod memory;
mod readers;
mod sheet;
mod store;
mod text;

pub use sheet::by_calamine;
pub use store::{pack, unpack};

/// A target and its bounds.
pub struct Target {
    pub name: &'static str,
    body: fn(&[u8]),
    /// Bytes that one input may make the target hold at once, apart from apache-avro beside it.
    memory_bytes_max: usize,
}

const MIB: usize = 1 << 20;

pub const AVRO_CONFLUENT: Target = Target::new("avro_confluent", avro::confluent, 4 * MIB);
pub const AVRO_SINGLE_OBJECT: Target =
    Target::new("avro_single_object", avro::single_object, 4 * MIB);
pub const AVRO_WRITER_SCHEMA: Target =
    Target::new("avro_writer_schema", avro::writer_schema, 64 * MIB);
pub const CONFIG: Target = Target::new("config", config::config, 32 * MIB);
pub const DURATION: Target = Target::new("duration", text::duration, MIB);
pub const INBOUND: Target = Target::new("inbound", inbound::inbound, 4 * MIB);
pub const JOURNAL_RECORD: Target = Target::new("journal_record", journal::journal_record, 4 * MIB);
pub const JSON_LINE: Target = Target::new("json_line", json::json_line, 16 * MIB);
pub const JSON_RECORD: Target = Target::new("json_record", json::json_record, 16 * MIB);
pub const LOG_FILE: Target = Target::new("log_file", log::log_file, 192 * MIB);
pub const MONEY: Target = Target::new("money", text::money, MIB);
pub const READERS: Target = Target::new("readers", readers::readers, 16 * MIB);
pub const SHEET_CSV: Target = Target::new("sheet_csv", sheet::sheet_csv, 4 * MIB);
pub const SHEET_XLS: Target = Target::new("sheet_xls", sheet::sheet_xls, 32 * MIB);
pub const SHEET_XLSX: Target = Target::new("sheet_xlsx", sheet::sheet_xlsx, 64 * MIB);
pub const STORED_ROWS: Target = Target::new("stored_rows", store::stored_rows, 32 * MIB);
pub const TIME: Target = Target::new("time", text::time, MIB);

pub const TARGETS: [&Target; 17] = [
    &AVRO_CONFLUENT,
    &AVRO_SINGLE_OBJECT,
    &AVRO_WRITER_SCHEMA,
    &CONFIG,
    &DURATION,
    &INBOUND,
    &JOURNAL_RECORD,
    &JSON_LINE,
    &JSON_RECORD,
    &LOG_FILE,
    &MONEY,
    &READERS,
    &SHEET_CSV,
    &SHEET_XLS,
    &SHEET_XLSX,
    &STORED_ROWS,
    &TIME,
];

impl Target {
    const fn new(name: &'static str, body: fn(&[u8]), memory_bytes_max: usize) -> Target {
        Target { name, body, memory_bytes_max }
    }

    /// # Panics
    /// When a property does not hold or the bound on memory is passed.
    pub fn run(&self, bytes: &[u8]) {
        let held = memory::peak(|| (self.body)(bytes));
        let Target { name, memory_bytes_max, .. } = self;
        assert!(held <= *memory_bytes_max, "{name}: {held} bytes held at once");
    }
}
