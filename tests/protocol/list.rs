//! A list of few small values in place: states are copied, hashed and kept by the million. Promise:
//! unused room is always the same, so that equal lists have equal bytes.

use std::ops::{Deref, DerefMut};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct List<T, const N: usize> {
    room: [T; N],
    len: u8,
}

impl<T: Copy + Default, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        List { room: [T::default(); N], len: 0 }
    }
}

impl<T: Copy + Default, const N: usize> List<T, N> {
    /// False, and nothing is added, when there is no room.
    #[must_use]
    pub fn push(&mut self, value: T) -> bool {
        let fits = self.len() < N;
        if fits {
            self.room[self.len()] = value;
            self.len += 1;
        }
        fits
    }

    pub fn remove(&mut self, index: usize) -> T {
        let value = self[index];
        let end = self.len();
        self.room.copy_within(index + 1..end, index);
        self.len -= 1;
        self.room[end - 1] = T::default();
        value
    }

    pub fn truncate(&mut self, len: usize) {
        while self.len() > len {
            self.remove(self.len() - 1);
        }
    }
}

impl<T, const N: usize> Deref for List<T, N> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.room[..self.len as usize]
    }
}

impl<T, const N: usize> DerefMut for List<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.room[..self.len as usize]
    }
}
