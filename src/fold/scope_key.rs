//! What a scope is called and where the index looks for it. Promise: two names never share a key.

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher};

use compact_str::CompactString;
use foldhash::quality::FixedState;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::limit::{Scope, ScopeKind};
use super::tally::AccountNumber;

/// What names a scope inside a partition. The account's own has the empty text.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScopeKey<'a> {
    pub account: AccountNumber,
    pub kind: ScopeKind,
    pub id: Id<&'a str>,
}

/// The id of a scope; most profiles have a UUID, which takes no memory beside the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id<T> {
    /// Of one in its canonical spelling.
    Uuid([u8; 16]),
    Text(T),
}

/// Where a key stands in the index: half its hash, so that a growing index leaves the rows alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

impl Slot {
    pub fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl<'a> ScopeKey<'a> {
    pub fn new(account: AccountNumber, kind: ScopeKind, id: &'a str) -> ScopeKey<'a> {
        let id = canonical_uuid(id).map_or(Id::Text(id), Id::Uuid);
        ScopeKey { account, kind, id }
    }

    /// As limits, totals and stored rows name it.
    pub fn scope(&self) -> Scope {
        let named = self.kind != ScopeKind::Account;
        Scope { kind: self.kind, id: named.then(|| self.id.to_own().text()) }
    }

    /// By the bytes of kind and id, as totals of one account are sorted.
    pub fn cmp_in_account(&self, other: &ScopeKey<'_>) -> Ordering {
        let kinds = self.kind.as_str().cmp(other.kind.as_str());
        kinds.then_with(|| self.id.cmp_text(&other.id))
    }

    pub fn slot(&self) -> Slot {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write_u64(u64::from(self.account.0) << 8 | self.kind as u64);
        match &self.id {
            Id::Uuid(bytes) => hasher.write(bytes),
            Id::Text(text) => hasher.write(text.as_bytes()),
        }
        let hash = hasher.finish();
        Slot((hash >> 32) as u32)
    }
}

impl Id<&str> {
    pub fn to_own(self) -> Id<CompactString> {
        match self {
            Id::Uuid(bytes) => Id::Uuid(bytes),
            Id::Text(text) => Id::Text(text.into()),
        }
    }

    /// By the bytes of their texts.
    fn cmp_text(&self, other: &Id<&str>) -> Ordering {
        match (self, other) {
            // Digits of one case at the same places.
            (Id::Uuid(own), Id::Uuid(other)) => own.cmp(other),
            (Id::Text(own), Id::Text(other)) => own.cmp(other),
            (Id::Uuid(own), Id::Text(other)) => UuidText::default().of(*own).cmp(other),
            (Id::Text(own), Id::Uuid(other)) => (*own).cmp(UuidText::default().of(*other)),
        }
    }
}

impl Id<CompactString> {
    pub fn text(&self) -> CompactString {
        match self {
            Id::Uuid(bytes) => UuidText::default().of(*bytes).into(),
            Id::Text(text) => text.clone(),
        }
    }

    pub fn as_str(&self) -> Id<&str> {
        match self {
            Id::Uuid(bytes) => Id::Uuid(*bytes),
            Id::Text(text) => Id::Text(text),
        }
    }

    pub fn is(&self, other: &Id<&str>) -> bool {
        match (self, other) {
            (Id::Uuid(own), Id::Uuid(other)) => own == other,
            (Id::Text(own), Id::Text(other)) => own == other,
            (Id::Uuid(_), Id::Text(_)) | (Id::Text(_), Id::Uuid(_)) => false,
        }
    }
}

/// The bytes of a UUID in its canonical spelling (lower case, hyphens), which alone is taken by
/// value: two texts never share an id. By hand: twice in every event, this is a fourth of the time
/// of a parser that takes all spellings.
pub(super) fn canonical_uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if [text[8], text[13], text[18], text[23]] != *b"----" {
        return None;
    }
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let (mut bytes, mut wrong) = ([0; 16], 0);
    for (byte, at) in bytes.iter_mut().zip(PLACES) {
        let (high, low) = (DIGITS[usize::from(text[at])], DIGITS[usize::from(text[at + 1])]);
        wrong |= high | low;
        *byte = high << 4 | low;
    }
    (wrong & NO_DIGIT == 0).then_some(bytes)
}

const NO_DIGIT: u8 = 0x80;

/// The value of each lower-case hexadecimal digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// Room for the canonical spelling of one UUID after the other.
pub(super) struct UuidText([u8; Hyphenated::LENGTH]);

impl Default for UuidText {
    fn default() -> UuidText {
        UuidText([0; Hyphenated::LENGTH])
    }
}

impl UuidText {
    pub fn of(&mut self, bytes: [u8; 16]) -> &str {
        Uuid::from_bytes(bytes).hyphenated().encode_lower(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const UUID: &str = "01234567-89ab-cdef-fedc-ba9876543210";

    /// As the parser of all spellings sees it.
    fn is_canonical(text: &str) -> bool {
        Uuid::try_parse(text).is_ok_and(|uuid| uuid.hyphenated().to_string() == text)
    }

    #[test]
    fn a_canonical_uuid_is_taken_by_its_bytes_and_shown_as_it_was() {
        let bytes = Uuid::try_parse(UUID).expect("a UUID").into_bytes();
        assert_eq!(canonical_uuid(UUID), Some(bytes));
        assert_eq!(UuidText::default().of(bytes), UUID);
    }

    /// Two names never share a key: other spellings, and what is no UUID, stay texts.
    #[test]
    fn any_other_spelling_of_a_uuid_is_another_name() {
        for at in 0..UUID.len() {
            for byte in 0..128_u8 {
                // One character, and two neighbours: the digits of one byte.
                for width in [1, 2] {
                    let mut bytes = UUID.as_bytes().to_vec();
                    bytes.iter_mut().skip(at).take(width).for_each(|other| *other = byte);
                    let text = String::from_utf8(bytes).expect("ASCII");
                    assert_eq!(canonical_uuid(&text).is_some(), is_canonical(&text), "{text:?}");
                }
            }
        }
        for text in
            [&UUID[1..], &format!("{UUID}0"), &format!("{{{UUID}}}"), &UUID.replace('-', "")]
        {
            assert_eq!(canonical_uuid(text), None, "{text}");
        }
    }

    #[test]
    fn keys_of_an_account_are_sorted_as_their_texts() {
        let kinds = [ScopeKind::Profile, ScopeKind::Account, ScopeKind::Country];
        let others = ["", "0", "01234567", "g", &UUID.to_uppercase(), &UUID.replace('9', "a")];
        let ids = others.into_iter().chain([UUID]);
        let named: Vec<_> = ids.flat_map(|id| kinds.map(|kind| (kind, id))).collect();
        let key = |(kind, id)| ScopeKey::new(AccountNumber(0), kind, id);
        let texts = |(kind, id): (ScopeKind, _)| (kind.as_str(), id);
        for one in &named {
            for other in &named {
                let found = key(*one).cmp_in_account(&key(*other));
                assert_eq!(found, texts(*one).cmp(&texts(*other)), "{one:?} {other:?}");
            }
        }
    }

    /// Customers choose names, and many choose the same: each still has a place of its own.
    #[test]
    fn scopes_of_the_same_name_are_spread_over_the_index() {
        let mut places = BTreeSet::new();
        for account in 0..1_000 {
            for kind in [ScopeKind::Account, ScopeKind::Profile, ScopeKind::Sender] {
                let key = ScopeKey::new(AccountNumber(account), kind, "main");
                places.insert(key.slot().spread());
            }
        }
        assert!(places.len() > 2_990, "{} places", places.len());
    }
}
