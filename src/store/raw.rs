//! The seam between the rows and what keeps them: keys and values as bytes. Promise: a batch is
//! there whole or not at all. Nothing above it knows RocksDB, nothing below it knows rows.

use super::Error;
use super::keys::{Key, Span};
use super::pace::Pace;

/// Ordered bytes, on disk or in memory.
pub(super) trait Raw {
    /// Where they are, for messages.
    fn place(&self) -> &str;

    /// The values of `keys`, which are sorted, in the same order.
    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Error>;

    /// Gives the rows of the span in order, until `each` says `Ok(false)`.
    fn scan(&self, span: &Span, reading: Reading, each: &mut Each<'_>) -> Result<(), Error>;

    /// Writes the batch: its ranges go, then its deletes, then its puts come.
    fn write(&self, batch: &Batch) -> Result<(), Error>;
}

/// Takes a key and its value.
pub(super) type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool, Error> + 'a;

/// What a scan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Rows of the present: worth keeping at hand.
    Hot,
    /// A pass over everything, which must not push the hot rows out of the cache.
    Once,
}

/// What is written at once.
#[derive(Default)]
pub(super) struct Batch {
    pub ranges: Vec<Span>,
    pub deletes: Vec<Vec<u8>>,
    /// How fast it is written.
    pub pace: Pace,
    puts: Vec<Put>,
    /// Keys and values of `puts`, in one piece: hundreds of thousands of them are made at once.
    bytes: Vec<u8>,
}

/// A key and its value in `Batch::bytes`, one behind the other.
struct Put {
    /// The first bytes of the key, or it and zeros: most keys differ in them.
    first: [u64; 2],
    start: usize,
    key_bytes: u32,
    value_bytes: u32,
}

impl Batch {
    /// Empty, to be written at this pace.
    pub fn at(pace: &Pace) -> Batch {
        Batch { pace: pace.clone(), ..Batch::default() }
    }

    pub fn put(&mut self, key: Key<'_>, value: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        key.write(&mut self.bytes);
        let middle = self.bytes.len();
        let first = first_bytes(&self.bytes[start..]);
        value(&mut self.bytes);
        let (key_bytes, value_bytes) = (length(start, middle), length(middle, self.bytes.len()));
        self.puts.push(Put { first, start, key_bytes, value_bytes });
    }

    pub fn delete(&mut self, key: Key<'_>) {
        self.deletes.push(key.bytes());
    }

    /// Puts deletes and puts in the order of their keys.
    pub fn sort(&mut self) {
        self.deletes.sort_unstable();
        self.deletes.dedup();
        let bytes = &self.bytes;
        let key = |put: &Put| put.within(bytes).0;
        self.puts.sort_by(|a, b| a.first.cmp(&b.first).then_with(|| key(a).cmp(key(b))));
    }

    pub fn puts(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.puts.iter().map(|put| put.within(&self.bytes))
    }

    /// How many puts there are.
    #[cfg(feature = "engine")]
    pub fn len(&self) -> usize {
        self.puts.len()
    }

    /// Deletes (`None`) and puts together, in order if they are: of a key that has both, the put.
    #[cfg(feature = "engine")]
    pub fn changes(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let mut puts = self.puts().peekable();
        let mut deletes = self.deletes.iter().map(Vec::as_slice).peekable();
        std::iter::from_fn(move || {
            let put = puts.peek().map(|(key, _)| *key);
            match deletes.next_if(|gone| put.is_none_or(|put| *gone <= put)) {
                Some(gone) if put != Some(gone) => Some((gone, None)),
                _ => puts.next().map(|(key, value)| (key, Some(value))),
            }
        })
    }

    /// Bytes of keys and values.
    #[cfg(feature = "engine")]
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.deletes.iter().map(Vec::len).sum::<usize>()
    }
}

impl Put {
    fn within<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let (key, rest) = bytes[self.start..].split_at(self.key_bytes as usize);
        (key, &rest[..self.value_bytes as usize])
    }
}

/// In the order of the keys, as far as they go.
fn first_bytes(key: &[u8]) -> [u64; 2] {
    let mut first = [0; 16];
    let common = key.len().min(first.len());
    first[..common].copy_from_slice(&key[..common]);
    let first = u128::from_be_bytes(first);
    [(first >> 64) as u64, first as u64]
}

fn length(from: usize, to: usize) -> u32 {
    u32::try_from(to - from).expect("no key and no value has 4 GiB")
}

/// Whether the span has a row.
pub(super) fn any(raw: &impl Raw, span: &Span) -> Result<bool, Error> {
    let mut found = false;
    raw.scan(span, Reading::Once, &mut |_, _| {
        found = true;
        Ok(false)
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Keys that share their first bytes, that end there, and that come twice.
        #[test]
        fn puts_are_in_the_order_of_their_keys(
            keys in prop::collection::vec("[a\0]{13,17}", 0..40),
        ) {
            let mut batch = Batch::default();
            let mut expected = BTreeMap::new();
            for (key, at) in keys.iter().zip(0..) {
                batch.put(Key::Block(key), |into| into.push(at));
                expected.entry(Key::Block(key).bytes()).or_insert_with(Vec::new).push(vec![at]);
            }
            batch.sort();
            let mut found = BTreeMap::<_, Vec<_>>::new();
            for (key, value) in batch.puts() {
                let last = found.last_key_value().map(|(last, _): (&Vec<u8>, _)| last.as_slice());
                prop_assert!(last <= Some(key));
                found.entry(key.to_vec()).or_default().push(value.to_vec());
            }
            // Of one key, the last put still comes last.
            prop_assert_eq!(found, expected);
        }
    }
}
