//! Blocks of whole lines, cut out of a stream of bytes, and the lines inside them.
//! Promise: every line is in exactly one block, in order, under its number; blank lines are
//! skipped but numbered; no line, however long, takes more memory than the bound.

use std::io::{self, Read};
use std::mem::replace;
use std::sync::Arc;

use memchr::{memchr, memchr_iter, memrchr};

use super::LINE_BYTES_MAX;
use crate::fold::event::{Input, Line, Position, Reason, Refusal};
use crate::time::Millis;
use crate::wire::Decoded;
use crate::wire::json::decode_line;

/// Bytes read at a time; a block is about as large.
const BLOCK_BYTES: usize = 256 * 1024;

/// Whole lines and the number of the first.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    pub first_line: u64,
    pub bytes: Vec<u8>,
}

/// Cuts a stream into blocks.
pub struct Blocks<R> {
    reader: R,
    /// The beginning of a line whose end is not read yet.
    carry: Vec<u8>,
    next_line: u64,
    ended: bool,
    line_bytes_max: usize,
}

impl<R: Read> Blocks<R> {
    pub fn new(reader: R) -> Blocks<R> {
        let (carry, line_bytes_max) = (Vec::new(), LINE_BYTES_MAX);
        Blocks { reader, carry, next_line: 1, ended: false, line_bytes_max }
    }

    /// The number of the line that the next block begins with.
    pub fn next_line(&self) -> u64 {
        self.next_line
    }

    /// The next block; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Block>> {
        let mut bytes = std::mem::take(&mut self.carry);
        while !self.ended {
            let searched = bytes.len();
            self.fill(&mut bytes)?;
            if let Some(at) = memrchr(b'\n', &bytes[searched..]) {
                self.carry = bytes.split_off(searched + at + 1);
                break;
            }
            if bytes.len() > self.line_bytes_max {
                // One byte more than allowed is enough to be refused for it.
                bytes.truncate(self.line_bytes_max + 1);
                self.skip_line()?;
                bytes.push(b'\n');
                break;
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let first_line = self.next_line;
        self.next_line += memchr_iter(b'\n', &bytes).count() as u64;
        Ok(Some(Block { first_line, bytes }))
    }

    fn fill(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.reserve(BLOCK_BYTES);
        let read = self.reader.by_ref().take(BLOCK_BYTES as u64).read_to_end(bytes)?;
        self.ended = read == 0;
        Ok(())
    }

    /// Drops what is left of the line; what follows it becomes the carry.
    fn skip_line(&mut self) -> io::Result<()> {
        let mut rest = Vec::new();
        while !self.ended {
            rest.clear();
            self.fill(&mut rest)?;
            if let Some(at) = memchr(b'\n', &rest) {
                self.carry = rest.split_off(at + 1);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The lines of a block, decoded as they are asked for.
pub fn lines<'a>(
    source: &'a Arc<str>,
    first_line: u64,
    bytes: &'a [u8],
) -> impl Iterator<Item = Line<'a>> {
    let ends = memchr_iter(b'\n', bytes).chain([bytes.len()]);
    let starts_and_ends = ends.scan(0, |start, end| Some((replace(start, end + 1), end)));
    let texts = starts_and_ends.map(|(start, end)| &bytes[start..end]);
    let full = (first_line..).zip(texts).filter(|(_, text)| !text.trim_ascii().is_empty());
    full.map(|(number, text)| {
        let decoded = if text.len() > LINE_BYTES_MAX { too_long() } else { decode_line(text) };
        line(source, number, decoded)
    })
}

/// A decoded line at its place.
pub fn line<'a>(source: &Arc<str>, at: u64, decoded: Decoded<'a>) -> Line<'a> {
    // A rejected line has no time and moves none.
    let recorded_at = decoded.recorded_at.unwrap_or(Millis(0));
    let position = Position { source: source.clone(), at };
    Line { input: decoded.input, recorded_at, position }
}

fn too_long() -> Decoded<'static> {
    let refusal = Refusal {
        reason: Reason::Undecodable,
        account_id: None,
        event_id: None,
        command_id: None,
        detail: format!("longer than {LINE_BYTES_MAX} bytes"),
    };
    Decoded { input: Input::Rejected(refusal), recorded_at: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &[u8], line_bytes_max: usize) -> Vec<Block> {
        let mut blocks = Blocks { line_bytes_max, ..Blocks::new(text) };
        let mut all = Vec::new();
        while let Some(block) = blocks.next().expect("bytes in memory") {
            all.push(block);
        }
        all
    }

    #[test]
    fn blocks_hold_all_bytes_in_order_under_their_line_numbers() {
        let text: Vec<u8> = (0..100_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let all = blocks(&text, LINE_BYTES_MAX);
        assert!(all.len() > 3);
        for block in &all {
            let start = format!("line {}\n", block.first_line - 1);
            assert!(block.bytes.starts_with(start.as_bytes()), "{}", block.first_line);
        }
        assert!(all.iter().flat_map(|block| &block.bytes).eq(&text));
    }

    #[test]
    fn the_last_line_needs_no_line_break() {
        let all = blocks(b"one\ntwo", LINE_BYTES_MAX);
        let whole: Vec<u8> = all.iter().flat_map(|block| block.bytes.clone()).collect();
        assert_eq!(whole, b"one\ntwo");
        assert_eq!(all.last().map(|block| block.first_line), Some(2));
        assert!(blocks(b"", LINE_BYTES_MAX).is_empty());
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_keeps_its_number() {
        let mut text = b"a\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * BLOCK_BYTES));
        text.extend_from_slice(b"\nb\n");
        let all = blocks(&text, BLOCK_BYTES / 2);
        let cut: Vec<(u64, usize)> =
            all.iter().map(|block| (block.first_line, block.bytes.len())).collect();
        assert_eq!(cut, [(1, 2), (2, BLOCK_BYTES / 2 + 2), (3, 2)]);
    }
}
