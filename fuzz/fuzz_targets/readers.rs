//! libFuzzer's entry; the target is `tollgate_fuzz::READERS`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::READERS.run(bytes));
