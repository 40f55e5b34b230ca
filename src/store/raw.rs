//! The seam between the rows and what keeps them: keys and values as bytes. Promise: a batch is
//! there whole or not at all. Nothing above it knows RocksDB, nothing below it knows rows.

use super::Error;
use super::keys::{Key, Span};

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
    puts: Vec<Put>,
    /// Keys and values of `puts`, in one piece: hundreds of thousands of them are made at once.
    bytes: Vec<u8>,
}

/// Places in `Batch::bytes`: the key is `start..middle`, the value `middle..end`.
struct Put {
    start: usize,
    middle: usize,
    end: usize,
}

impl Batch {
    pub fn put(&mut self, key: Key<'_>, value: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        key.write(&mut self.bytes);
        let middle = self.bytes.len();
        value(&mut self.bytes);
        self.puts.push(Put { start, middle, end: self.bytes.len() });
    }

    pub fn delete(&mut self, key: Key<'_>) {
        self.deletes.push(key.bytes());
    }

    /// Puts deletes and puts in the order of their keys.
    pub fn sort(&mut self) {
        self.deletes.sort_unstable();
        self.deletes.dedup();
        let bytes = &self.bytes;
        self.puts.sort_by(|a, b| bytes[a.start..a.middle].cmp(&bytes[b.start..b.middle]));
    }

    pub fn puts(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let of = |put: &Put| (&self.bytes[put.start..put.middle], &self.bytes[put.middle..put.end]);
        self.puts.iter().map(of)
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

/// Whether the span has a row.
pub(super) fn any(raw: &impl Raw, span: &Span) -> Result<bool, Error> {
    let mut found = false;
    raw.scan(span, Reading::Once, &mut |_, _| {
        found = true;
        Ok(false)
    })?;
    Ok(found)
}
