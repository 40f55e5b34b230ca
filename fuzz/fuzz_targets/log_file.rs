//! libFuzzer's entry; the target is `tollgate_fuzz::LOG_FILE`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::LOG_FILE.run(bytes));
