//! From logs to lines: one thread reads and unpacks, those of the pool decode, a piece each, and
//! the caller folds, each line from the very bytes that were read. Promise: lines arrive in the
//! order of the logs; what waits and what is decoded is bounded, so a log of any size takes the
//! same memory.

use std::io;
use std::iter::once;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rayon::prelude::*;

use super::Error;
use super::blocks::{self, Blocks};
use super::progress::Progress;
use super::source::{self, Source};
use crate::fold::event::Line;
use crate::wire::container;

/// Pieces that may wait for the fold.
const QUEUE_PIECES: usize = 8;
/// Pieces that are decoded side by side, for each thread; one can be long.
const PIECES_PER_THREAD: usize = 2;
/// Bytes of a container's blocks that make a piece.
const RECORDS_BYTES: usize = 256 * 1024;
/// Lines of a piece that are decoded before they are folded: a line can be far larger than its
/// bytes.
const LINES_AT_ONCE: usize = 4_096;

/// What the reader hands over, until the stream breaks.
enum Piece {
    Text {
        source: Arc<str>,
        block: blocks::Block,
    },
    /// Blocks of a container, each with the number of its first record.
    Records {
        source: Arc<str>,
        blocks: Vec<(u64, container::Block)>,
    },
}

/// A piece on its way through the decoder.
struct Part<'a> {
    rest: Box<dyn Iterator<Item = Result<Line<'a>, Error>> + Send + 'a>,
    /// Decoded and not yet folded.
    lines: Vec<Line<'a>>,
    /// Nothing is left to decode.
    ended: bool,
    /// What ended it, behind `lines`.
    fault: Option<Error>,
}

/// Gives the lines of all logs, in parts and in order, to `fold`.
///
/// # Errors
/// A log that cannot be read to its end (after all lines before it were folded), or what `fold`
/// returned.
pub fn lines(
    logs: &[PathBuf],
    mut fold: impl FnMut(&[&[Line<'_>]]) -> Result<(), Error>,
) -> Result<(), Error> {
    let read = Arc::new(AtomicU64::new(0));
    let mut progress = Progress::start(source::bytes_in_all(logs), read.clone());
    let decode = |parts: &mut [Part<'_>]| parts.par_iter_mut().for_each(Part::decode);
    let others = PIECES_PER_THREAD * rayon::current_num_threads() - 1;
    thread::scope(|scope| {
        // Leaving early drops the receiver, and the reader ends with its next piece.
        let (to_fold, pieces) = sync_channel(QUEUE_PIECES);
        scope.spawn(move || read_logs(logs, &read, &to_fold));
        while let Ok(piece) = pieces.recv() {
            let some = once(piece).chain(pieces.try_iter().take(others));
            progress.lines(folded(some, decode, &mut fold)?);
        }
        Ok(())
    })
}

/// As `lines`, for one log and on this thread alone.
pub fn lines_of(
    source: Source,
    mut fold: impl FnMut(&[&[Line<'_>]]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut outcome = Ok(());
    let decode = |parts: &mut [Part<'_>]| parts.iter_mut().for_each(Part::decode);
    let mut deal = |piece| {
        outcome = folded(once(piece), decode, &mut fold).map(drop);
        outcome.is_ok()
    };
    if source.is_avro {
        read_container(source, &mut deal)
    } else {
        read_text(source, &mut deal)
    };
    outcome
}

/// Folds pieces up to the first fault; gives how many lines they had.
fn folded(
    pieces: impl Iterator<Item = Result<Piece, Error>>,
    decode: impl Fn(&mut [Part<'_>]),
    fold: &mut impl FnMut(&[&[Line<'_>]]) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut fault = None;
    let pieces: Vec<Piece> =
        pieces.map_while(|it| it.map_err(|it| fault = Some(it)).ok()).collect();
    let mut parts: Vec<Part<'_>> = pieces.iter().map(Part::new).collect();
    let (mut parts, mut count) = (&mut parts[..], 0);
    while !parts.is_empty() {
        decode(parts);
        // What follows a part that is not folded to its end has to wait.
        let whole = parts.iter().take_while(|part| part.ended && part.fault.is_none()).count();
        let ready = parts.len().min(whole + 1);
        let lines: Vec<&[Line<'_>]> = parts[..ready].iter().map(|part| &*part.lines).collect();
        count += lines.iter().map(|lines| lines.len() as u64).sum::<u64>();
        fold(&lines)?;
        parts = &mut parts[whole..];
        if let Some(part) = parts.first_mut() {
            part.lines.clear();
            if let Some(fault) = part.fault.take() {
                return Err(fault);
            }
        }
    }
    fault.map_or(Ok(count), Err)
}

impl<'a> Part<'a> {
    fn new(piece: &'a Piece) -> Part<'a> {
        let rest: Box<dyn Iterator<Item = _> + Send> = match piece {
            Piece::Text { source, block } => {
                Box::new(blocks::lines(source, block.first_line, &block.bytes).map(Ok))
            }
            Piece::Records { source, blocks } => {
                let numbered =
                    blocks.iter().flat_map(|(first, block)| (*first..).zip(block.lines()));
                Box::new(numbered.map(move |(at, decoded)| match decoded {
                    Ok(decoded) => Ok(blocks::line(source, at, decoded)),
                    Err(fault) => Err(broken(source, at, io::Error::other(fault))),
                }))
            }
        };
        Part { rest, lines: Vec::new(), ended: false, fault: None }
    }

    /// Decodes on, unless there are lines yet to be folded.
    fn decode(&mut self) {
        while !self.ended && self.lines.len() < LINES_AT_ONCE {
            match self.rest.next() {
                Some(Ok(line)) => self.lines.push(line),
                Some(Err(fault)) => (self.fault, self.ended) = (Some(fault), true),
                None => self.ended = true,
            }
        }
    }
}

/// Reads the logs one after the other. Ends early when nobody takes them any more.
fn read_logs(logs: &[PathBuf], read: &Arc<AtomicU64>, to_fold: &SyncSender<Result<Piece, Error>>) {
    let mut deal = |piece| to_fold.send(piece).is_ok();
    for path in logs {
        let whole = match source::open(path, read) {
            Ok(source) if source.is_avro => read_container(source, &mut deal),
            Ok(source) => read_text(source, &mut deal),
            Err(error) => {
                deal(Err(error));
                false
            }
        };
        if !whole {
            return;
        }
    }
}

/// True when the log was read to its end and all of it was taken.
fn read_text(source: Source, deal: &mut impl FnMut(Result<Piece, Error>) -> bool) -> bool {
    let mut blocks = Blocks::new(source.bytes);
    loop {
        let piece = match blocks.next() {
            Ok(None) => return true,
            Ok(Some(block)) => Ok(Piece::Text { source: own(&source.name), block }),
            Err(cause) => Err(broken(&source.name, blocks.next_line(), cause)),
        };
        let broken = piece.is_err();
        if !deal(piece) || broken {
            return false;
        }
    }
}

/// As `read_text`; a record's number stands for a line's.
fn read_container(source: Source, deal: &mut impl FnMut(Result<Piece, Error>) -> bool) -> bool {
    let mut next = 1;
    let fault = |next, fault| broken(&source.name, next, io::Error::other(fault));
    let mut container = match container::read(source.bytes) {
        Ok(container) => container,
        Err(why) => {
            deal(Err(fault(next, why)));
            return false;
        }
    };
    loop {
        let (mut blocks, mut bytes, mut end) = (Vec::new(), 0, None);
        while bytes < RECORDS_BYTES && end.is_none() {
            match container.next_block() {
                Ok(Some(block)) => {
                    let first = next;
                    next += block.count() as u64;
                    bytes += block.bytes();
                    blocks.push((first, block));
                }
                Ok(None) => end = Some(Ok(())),
                Err(why) => end = Some(Err(fault(next, why))),
            }
        }
        if !deal(Ok(Piece::Records { source: own(&source.name), blocks })) {
            return false;
        }
        match end {
            None => {}
            Some(Ok(())) => return true,
            Some(Err(fault)) => {
                deal(Err(fault));
                return false;
            }
        }
    }
}

/// A piece's own copy: threads that count the uses of one would wait for each other.
fn own(name: &str) -> Arc<str> {
    Arc::from(name)
}

fn broken(source: &str, at: u64, cause: io::Error) -> Error {
    Error::Read { place: format!("{source}:{at}"), cause }
}
