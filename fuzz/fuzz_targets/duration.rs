//! libFuzzer's entry; the target is `tollgate_fuzz::DURATION`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::DURATION.run(bytes));
