//! libFuzzer's entry; the target is `tollgate_fuzz::STORED_ROWS`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::STORED_ROWS.run(bytes));
