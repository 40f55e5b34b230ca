//! libFuzzer's entry; the target is `tollgate_fuzz::INBOUND`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::INBOUND.run(bytes));
