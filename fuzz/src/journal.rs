//! Journal records: what is read is written alike, and the chain's rule takes any record.

use std::sync::LazyLock;

use tollgate::journal::{Hash, Record, Tip, extends};
use tollgate::wire::fingerprint;

static HEADER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let schema = include_str!("../../schemas/journal-record.avsc");
    [&[0xc3, 0x01][..], &fingerprint(schema).expect("a schema of ours")].concat()
});

/// With the header or, so that mutation need not find it, without.
pub fn journal_record(bytes: &[u8]) {
    let framed = if bytes.starts_with(&[0xc3, 0x01]) {
        bytes.to_vec()
    } else {
        [HEADER.as_slice(), bytes].concat()
    };
    let Ok(record) = Record::decode(&framed) else { return };
    let written = record.encode();
    assert!(written.len() <= framed.len(), "a number has no shorter spelling than the shortest");
    let back = Record::decode(&written).expect("its own bytes");
    assert_eq!(back, record);
    assert_eq!(back.encode(), written);
    if extends(None, &record).is_ok() {
        let tip = Tip::after(&record, Hash::of(&framed), 7);
        assert!(extends(Some(&tip), &record).is_err(), "a record follows itself");
    }
}
