//! libFuzzer's entry; the target is `tollgate_fuzz::CONFIG`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::CONFIG.run(bytes));
