//! libFuzzer's entry; the target is `tollgate_fuzz::TIME`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::TIME.run(bytes));
