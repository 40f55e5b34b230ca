//! libFuzzer's entry; the target is `tollgate_fuzz::MONEY`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::MONEY.run(bytes));
