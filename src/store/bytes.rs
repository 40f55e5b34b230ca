//! The smallest pieces of keys and values: big-endian integers whose order is that of the numbers,
//! varints, texts. Promise: reading is total (damaged bytes give a `Fault`, never a panic) and
//! takes only what writing makes. It knows no row.

use compact_str::CompactString;

/// Why bytes are not what a row's key or value should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("it ends too soon")]
    Short,
    #[error("bytes are left over")]
    Long,
    #[error("a number is out of range")]
    Number,
    #[error("a text is not UTF-8")]
    Text,
    #[error("{0} is not one that exists")]
    Value(&'static str),
    /// The bytes may well be good, for a later release.
    #[error("it has version {0}")]
    Version(u8),
}

/// Ends a text inside a key; a zero byte of the text itself is followed by `ZERO` instead. So
/// texts sort by their bytes, and a text before its extensions.
const END: [u8; 2] = [0, 1];
const ZERO: [u8; 2] = [0, 0xFF];

pub(super) fn put_u32(value: u32, into: &mut Vec<u8>) {
    into.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_u64(value: u64, into: &mut Vec<u8>) {
    into.extend_from_slice(&value.to_be_bytes());
}

/// With the sign flipped, so that negative numbers sort first.
pub(super) fn put_i32(value: i32, into: &mut Vec<u8>) {
    put_u32(value.cast_unsigned() ^ 1 << 31, into);
}

/// With the sign flipped, so that negative numbers sort first.
pub(super) fn put_i64(value: i64, into: &mut Vec<u8>) {
    put_u64(value.cast_unsigned() ^ 1 << 63, into);
}

/// Seven bits a byte, the low ones first.
pub(super) fn put_varint(value: u128, into: &mut Vec<u8>) {
    let mut rest = value;
    while rest >= 0x80 {
        into.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

/// A signed number as a varint: small absolute values are short.
pub(super) fn put_signed(value: i128, into: &mut Vec<u8>) {
    put_varint((value << 1 ^ value >> 127).cast_unsigned(), into);
}

pub(super) fn put_text(text: &str, into: &mut Vec<u8>) {
    put_varint(text.len() as u128, into);
    into.extend_from_slice(text.as_bytes());
}

/// A byte 0 for `None`, or 1 and the text.
pub(super) fn put_maybe_text(text: Option<&str>, into: &mut Vec<u8>) {
    into.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_text(text, into);
    }
}

/// A text inside a key, where more follows.
pub(super) fn put_key_text(text: &str, into: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            0 => into.extend_from_slice(&ZERO),
            _ => into.push(byte),
        }
    }
    into.extend_from_slice(&END);
}

/// Takes bytes from the front.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), Fault> {
        if self.0.is_empty() { Ok(()) } else { Err(Fault::Long) }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Everything that is left, as a text.
    pub fn rest_text(self) -> Result<CompactString, Fault> {
        CompactString::from_utf8(self.0).map_err(|_| Fault::Text)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(Fault::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    pub fn byte(&mut self) -> Result<u8, Fault> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// The version byte that every value begins with.
    pub fn version(&mut self, known: u8) -> Result<(), Fault> {
        let version = self.byte()?;
        if version == known { Ok(()) } else { Err(Fault::Version(version)) }
    }

    pub fn flag(&mut self) -> Result<bool, Fault> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::Value("a yes or no")),
        }
    }

    pub fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, Fault> {
        Ok((self.u32()? ^ 1 << 31).cast_signed())
    }

    pub fn i64(&mut self) -> Result<i64, Fault> {
        Ok((self.u64()? ^ 1 << 63).cast_signed())
    }

    pub fn varint(&mut self) -> Result<u128, Fault> {
        let mut value = 0;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7F);
            let overflows = bits << shift >> shift != bits;
            let padded = byte == 0 && shift > 0;
            if overflows || padded {
                return Err(Fault::Number);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::Number)
    }

    /// A varint of a narrower type.
    pub fn number<N: TryFrom<u128>>(&mut self) -> Result<N, Fault> {
        N::try_from(self.varint()?).map_err(|_| Fault::Number)
    }

    /// A varint that can be counted on: half of its type's range at most.
    pub fn count(&mut self) -> Result<u64, Fault> {
        self.number::<i64>().map(i64::cast_unsigned)
    }

    /// As `count`.
    pub fn small_count(&mut self) -> Result<u32, Fault> {
        self.number::<i32>().map(i32::cast_unsigned)
    }

    pub fn signed(&mut self) -> Result<i128, Fault> {
        let coded = self.varint()?;
        let magnitude = (coded >> 1).cast_signed();
        Ok(if coded & 1 == 0 { magnitude } else { !magnitude })
    }

    /// A signed varint of a narrower type.
    pub fn signed_number<N: TryFrom<i128>>(&mut self) -> Result<N, Fault> {
        N::try_from(self.signed()?).map_err(|_| Fault::Number)
    }

    pub fn text(&mut self) -> Result<CompactString, Fault> {
        let length: usize = self.number()?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Fault::Short)?;
        self.0 = rest;
        CompactString::from_utf8(text).map_err(|_| Fault::Text)
    }

    pub fn maybe_text(&mut self) -> Result<Option<CompactString>, Fault> {
        if self.flag()? { self.text().map(Some) } else { Ok(None) }
    }

    /// A text inside a key, where more follows.
    pub fn key_text(&mut self) -> Result<CompactString, Fault> {
        let mut text = Vec::new();
        loop {
            match self.byte()? {
                0 => match [0, self.byte()?] {
                    END => break,
                    ZERO => text.push(0),
                    _ => return Err(Fault::Text),
                },
                byte => text.push(byte),
            }
        }
        CompactString::from_utf8(text).map_err(|_| Fault::Text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn numbers_come_back(value: u128, signed: i128, narrow: i64) {
            let bytes = written(|into| put_varint(value, into));
            prop_assert_eq!(Reader::new(&bytes).varint(), Ok(value));
            for signed in [signed, i128::MIN, i128::MAX, 0, -1] {
                let bytes = written(|into| put_signed(signed, into));
                prop_assert_eq!(Reader::new(&bytes).signed(), Ok(signed));
            }
            let bytes = written(|into| put_i64(narrow, into));
            prop_assert_eq!(Reader::new(&bytes).i64(), Ok(narrow));
        }

        #[test]
        fn keys_sort_as_what_they_are_made_of(
            a in ("[\\x00-\\x02a]{0,4}", any::<i32>(), any::<i64>()),
            b in ("[\\x00-\\x02a]{0,4}", any::<i32>(), any::<i64>()),
        ) {
            let key = |it: &(String, i32, i64)| written(|into| {
                put_key_text(&it.0, into);
                put_i32(it.1, into);
                put_i64(it.2, into);
            });
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
            let (bytes, mut back) = (key(&a), String::new());
            let mut reader = Reader::new(&bytes);
            back.push_str(&reader.key_text().unwrap());
            prop_assert_eq!((back, reader.i32().unwrap(), reader.i64().unwrap()), a);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Reader::new(&bytes).varint();
            let _ = Reader::new(&bytes).signed();
            let _ = Reader::new(&bytes).text();
            let _ = Reader::new(&bytes).key_text();
            let _ = Reader::new(&bytes).maybe_text();
        }
    }

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(Reader::new(&[0x80, 0]).varint(), Err(Fault::Number));
        assert_eq!(Reader::new(&[0xFF; 19]).varint(), Err(Fault::Number));
        let largest = written(|into| put_varint(u128::MAX, into));
        assert_eq!((largest.len(), largest[18]), (19, 3));
        let mut beyond = largest;
        beyond[18] = 4;
        assert_eq!(Reader::new(&beyond).varint(), Err(Fault::Number));
    }
}
