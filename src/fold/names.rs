//! Texts that keys are made of (profiles, features, countries, numbers of limits), each kept once.
//! Promise: a name's number is only good inside one `State`; it is never stored.

use compact_str::CompactString;

use super::table::Map;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(pub(super) u32);

#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: Map<CompactString, Name>,
    texts: Vec<CompactString>,
}

impl Names {
    pub fn intern(&mut self, text: &str) -> Name {
        if let Some(name) = self.numbers.get(text) {
            return *name;
        }
        let name = Name(u32::try_from(self.texts.len()).expect("fewer than 2^32 names in memory"));
        self.texts.push(CompactString::from(text));
        self.numbers.insert(CompactString::from(text), name);
        name
    }

    pub fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).copied()
    }

    pub fn text(&self, name: Name) -> &CompactString {
        &self.texts[name.0 as usize]
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }
}
