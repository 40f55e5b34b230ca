//! libFuzzer's entry; the target is `tollgate_fuzz::SHEET_XLS`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::SHEET_XLS.run(bytes));
