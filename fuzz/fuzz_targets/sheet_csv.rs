//! libFuzzer's entry; the target is `tollgate_fuzz::SHEET_CSV`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::SHEET_CSV.run(bytes));
