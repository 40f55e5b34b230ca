//! libFuzzer's entry; the target is `tollgate_fuzz::JOURNAL_RECORD`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::JOURNAL_RECORD.run(bytes));
