//! Containers of millions of entries that grow by little at a time. Promise: no call moves more
//! than a small part of what is held, so that none takes long, and memory follows what is held
//! instead of doubling.

use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

const PARTS: usize = 256;
const SLOTS: usize = 2_048;
/// Which part a hash belongs to, by eleven of its bits. The last part gets twice as many as the
/// first: tables double when they are full, and so not all do at once.
const PART_OF: &[u8; SLOTS] = &part_of();

/// Part `n` of 256 gets 256 + n shares.
const fn part_of() -> [u8; SLOTS] {
    let all = PARTS * PARTS + PARTS * (PARTS - 1) / 2;
    let (mut parts, mut slot) = ([0; SLOTS], 0);
    let (mut part, mut shares) = (0, PARTS);
    while slot < SLOTS {
        while slot * all >= shares * SLOTS {
            part += 1;
            shares += PARTS + part;
        }
        parts[slot] = part as u8;
        slot += 1;
    }
    parts
}

/// By bits of the middle: a part's table looks at both ends.
fn part(hash: u64) -> usize {
    PART_OF[(hash >> 32) as usize % SLOTS].into()
}

/// A hash table in parts.
#[derive(Debug)]
pub(super) struct PartedTable<T>(Vec<HashTable<T>>);

impl<T> PartedTable<T> {
    pub const PARTS: usize = PARTS;

    pub fn new() -> PartedTable<T> {
        PartedTable((0..PARTS).map(|_| HashTable::new()).collect())
    }

    pub fn find(&self, hash: u64, is: impl FnMut(&T) -> bool) -> Option<&T> {
        self.0[part(hash)].find(hash, is)
    }

    pub fn entry(
        &mut self,
        hash: u64,
        is: impl FnMut(&T) -> bool,
        hash_of: impl Fn(&T) -> u64,
    ) -> Entry<'_, T> {
        self.0[part(hash)].entry(hash, is, hash_of)
    }

    /// The caller knows that it is not there.
    pub fn insert_unique(&mut self, hash: u64, value: T, hash_of: impl Fn(&T) -> u64) {
        self.0[part(hash)].insert_unique(hash, value, hash_of);
    }

    /// Keeps of one part, in 0..PARTS, what is to stay, and gives memory back that would stay
    /// unused.
    pub fn retain(
        &mut self,
        part: usize,
        stays: impl FnMut(&mut T) -> bool,
        hash_of: impl Fn(&T) -> u64,
    ) {
        let table = &mut self.0[part];
        table.retain(stays);
        if table.len() < table.capacity() / SPARSE_PART {
            table.shrink_to_fit(hash_of);
        }
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(HashTable::len).sum()
    }
}

/// A table of which fewer places are taken gives the others back.
pub(super) const SPARSE_PART: usize = 4;

const PIECE: usize = 4_096;

/// A vector in pieces: growing moves nothing.
#[derive(Debug)]
pub(super) struct Pieces<T>(Vec<Vec<T>>);

impl<T> Pieces<T> {
    pub fn new() -> Pieces<T> {
        Pieces(Vec::new())
    }

    /// Gives the value's place.
    pub fn push(&mut self, value: T) -> usize {
        if self.0.last().is_none_or(|last| last.len() == PIECE) {
            self.0.push(Vec::with_capacity(PIECE));
        }
        self.0.last_mut().expect("was just seen or made").push(value);
        self.len() - 1
    }

    pub fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PIECE + last.len())
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }
}

impl<T> Index<usize> for Pieces<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.0[at / PIECE][at % PIECE]
    }
}

impl<T> IndexMut<usize> for Pieces<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.0[at / PIECE][at % PIECE]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// As good as any hash.
    fn hash(number: &u64) -> u64 {
        number
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(17)
            .wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    #[test]
    fn every_part_takes_its_shares_and_the_last_twice_those_of_the_first() {
        let mut slots = [0_usize; PARTS];
        PART_OF.iter().for_each(|part| slots[usize::from(*part)] += 1);
        for (part, slots) in slots.into_iter().enumerate() {
            let due = SLOTS as f64 * (PARTS + part) as f64 / 98_176.0;
            assert!((slots as f64 - due).abs() <= 1.0, "part {part}: {slots} slots of {due}");
        }
    }

    #[test]
    fn memory_of_a_table_follows_what_it_holds() {
        let mut table = PartedTable::new();
        let capacity =
            |table: &PartedTable<u64>| -> usize { table.0.iter().map(HashTable::capacity).sum() };
        let mut doubled = 0;
        for number in 0..400_000 {
            let before = capacity(&table);
            table.insert_unique(hash(&number), number, hash);
            if number >= 100_000 {
                let (held, after) = (number as usize + 1, capacity(&table));
                assert!(after < 2 * held, "{after} places for {held}");
                assert!(after - before <= after / 64, "{before} places became {after} at once");
                doubled += usize::from(after > before);
            }
        }
        assert!(doubled > 2 * PARTS * 9 / 10, "{doubled} parts doubled in two octaves");
        for part in 0..PARTS {
            table.retain(part, |number| *number % 10 == 0, hash);
        }
        assert_eq!(table.len(), 40_000);
        assert!(capacity(&table) < 4 * table.len());
        let found = |number: u64| table.find(hash(&number), |it| *it == number).is_some();
        assert!((0..400_000).all(|number| found(number) == (number % 10 == 0)));
    }

    #[test]
    fn a_vector_in_pieces_gives_what_was_put() {
        let mut pieces = Pieces::new();
        let count = 3 * PIECE + 5;
        for number in 0..count {
            assert_eq!(pieces.push(number), number);
        }
        pieces[PIECE] = 0;
        assert_eq!(
            (pieces[PIECE - 1], pieces[PIECE], pieces[count - 1]),
            (PIECE - 1, 0, count - 1)
        );
        let all: BTreeSet<_> = pieces.iter().copied().collect();
        assert_eq!((pieces.len(), all.len()), (count, count - 1));
    }
}
