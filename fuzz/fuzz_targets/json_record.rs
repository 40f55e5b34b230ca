//! libFuzzer's entry; the target is `tollgate_fuzz::JSON_RECORD`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::JSON_RECORD.run(bytes));
