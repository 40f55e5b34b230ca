//! libFuzzer's entry; the target is `tollgate_fuzz::AVRO_WRITER_SCHEMA`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::AVRO_WRITER_SCHEMA.run(bytes));
