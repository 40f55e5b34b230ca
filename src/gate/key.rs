//! Keys of three texts that are found by borrowed parts: no lookup allocates.

use std::hash::{Hash, Hasher};

use compact_str::CompactString;
use papaya::{Equivalent, HashMap, ResizeMode};

/// Keyed per process, so that nobody can choose accounts or numbers that collide. The map takes its
/// tags from bits that foldhash's fast variant does not mix well enough.
pub(super) type Map<V> = HashMap<Key, V, foldhash::quality::RandomState>;

/// An empty map. The writer finishes each growth in one go: a growth left half done would make
/// readers look in two tables until enough is written, which on a quiet topic takes for ever.
pub(super) fn map<V>() -> Map<V> {
    HashMap::builder()
        .hasher(foldhash::quality::RandomState::default())
        .resize_mode(ResizeMode::Blocking)
        .build()
}

/// An account and what is named inside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    account: CompactString,
    kind: CompactString,
    id: CompactString,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct KeyRef<'a> {
    pub account: &'a str,
    /// A kind of scope, or one of the two numbers of a session.
    pub kind: &'a str,
    pub id: &'a str,
}

impl From<KeyRef<'_>> for Key {
    fn from(key: KeyRef<'_>) -> Key {
        Key { account: key.account.into(), kind: key.kind.into(), id: key.id.into() }
    }
}

impl Key {
    fn parts(&self) -> KeyRef<'_> {
        KeyRef { account: &self.account, kind: &self.kind, id: &self.id }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, into: &mut H) {
        self.parts().hash(into);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, into: &mut H) {
        self.account.hash(into);
        self.kind.hash(into);
        self.id.hash(into);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.id == key.id && self.kind == key.kind && self.account == key.account
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn a_key_and_its_parts_are_found_by_the_same_hash() {
        let parts = KeyRef { account: "acme", kind: "profile", id: "be3eb60a" };
        let hasher = foldhash::quality::RandomState::default();
        assert_eq!(hasher.hash_one(parts), hasher.hash_one(Key::from(parts)));
        assert!(parts.equivalent(&parts.into()));
        assert!(!parts.equivalent(&KeyRef { account: "acm", kind: "eprofile", ..parts }.into()));
    }
}
