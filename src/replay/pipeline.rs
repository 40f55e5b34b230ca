//! Reading and folding side by side: one thread reads and unpacks, the caller's decodes and folds,
//! each line from the very bytes that were read. Promise: lines arrive in the order of the logs;
//! the queue between the two is bounded, so a log of any size takes the same memory.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::Error;
use super::blocks::{self, Blocks};
use super::progress::Progress;
use super::source::{self, Source};
use crate::fold::event::Line;
use crate::wire::container;

/// Pieces that may wait for the fold.
const QUEUE_PIECES: usize = 8;

/// What the reader hands over.
enum Piece {
    Text {
        source: Arc<str>,
        block: blocks::Block,
    },
    /// Of a container; `first` is the number of its first record.
    Records {
        source: Arc<str>,
        first: u64,
        block: container::Block,
    },
    /// The stream broke here.
    Broken(Error),
}

/// Lines that are decoded before they are folded: few enough to stay in a core's cache.
const LINES_AT_ONCE: usize = 256;

/// Gives the lines of all logs, some at a time and in order, to `fold`.
///
/// # Errors
/// A log that cannot be read to its end (after all lines before it were folded), or what `fold`
/// returned.
pub fn lines(
    logs: &[PathBuf],
    mut fold: impl FnMut(&[Line<'_>]) -> Result<(), Error>,
) -> Result<(), Error> {
    let read = Arc::new(AtomicU64::new(0));
    let mut progress = Progress::start(source::bytes_in_all(logs), read.clone());
    thread::scope(|scope| {
        // Leaving early drops the receiver, and the reader ends with its next piece.
        let (to_fold, pieces) = sync_channel(QUEUE_PIECES);
        scope.spawn(move || read_logs(logs, &read, &to_fold));
        for piece in pieces {
            progress.lines(folded(piece, &mut fold)?);
        }
        Ok(())
    })
}

/// As `lines`, for one log and on this thread alone.
pub fn lines_of(
    source: Source,
    mut fold: impl FnMut(&[Line<'_>]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut outcome = Ok(());
    let mut deal = |piece| {
        outcome = folded(piece, &mut fold).map(drop);
        outcome.is_ok()
    };
    if source.is_avro {
        read_container(source, &mut deal)
    } else {
        read_text(source, &mut deal)
    };
    outcome
}

/// Folds a piece; gives how many lines it had.
fn folded(
    piece: Piece,
    fold: &mut impl FnMut(&[Line<'_>]) -> Result<(), Error>,
) -> Result<u64, Error> {
    match piece {
        Piece::Text { source, block } => {
            let lines = blocks::lines(&source, block.first_line, &block.bytes);
            in_parts(lines.map(Ok), fold)
        }
        Piece::Records { source, first, block } => {
            let numbered = (first..).zip(block.lines());
            let lines = numbered.map(|(at, decoded)| match decoded {
                Ok(decoded) => Ok(blocks::line(&source, at, decoded)),
                Err(fault) => Err(broken(&source, at, io::Error::other(fault))),
            });
            in_parts(lines, fold)
        }
        Piece::Broken(error) => Err(error),
    }
}

/// Folds all lines before the first error.
fn in_parts<'a>(
    lines: impl Iterator<Item = Result<Line<'a>, Error>>,
    fold: &mut impl FnMut(&[Line<'_>]) -> Result<(), Error>,
) -> Result<u64, Error> {
    let (mut part, mut count) = (Vec::with_capacity(LINES_AT_ONCE), 0);
    for line in lines {
        match line {
            Ok(line) => part.push(line),
            Err(error) => {
                fold(&part)?;
                return Err(error);
            }
        }
        if part.len() == LINES_AT_ONCE {
            count += part.len() as u64;
            fold(&part)?;
            part.clear();
        }
    }
    count += part.len() as u64;
    fold(&part)?;
    Ok(count)
}

/// Reads the logs one after the other. Ends early when nobody takes them any more.
fn read_logs(logs: &[PathBuf], read: &Arc<AtomicU64>, to_fold: &SyncSender<Piece>) {
    let mut deal = |piece| to_fold.send(piece).is_ok();
    for path in logs {
        let whole = match source::open(path, read) {
            Ok(source) if source.is_avro => read_container(source, &mut deal),
            Ok(source) => read_text(source, &mut deal),
            Err(error) => {
                deal(Piece::Broken(error));
                false
            }
        };
        if !whole {
            return;
        }
    }
}

/// True when the log was read to its end and all of it was taken.
fn read_text(source: Source, deal: &mut impl FnMut(Piece) -> bool) -> bool {
    let mut blocks = Blocks::new(source.bytes);
    loop {
        let piece = match blocks.next() {
            Ok(None) => return true,
            Ok(Some(block)) => Piece::Text { source: source.name.clone(), block },
            Err(cause) => Piece::Broken(broken(&source.name, blocks.next_line(), cause)),
        };
        let broken = matches!(piece, Piece::Broken(_));
        if !deal(piece) || broken {
            return false;
        }
    }
}

/// As `read_text`; a record's number stands for a line's.
fn read_container(source: Source, deal: &mut impl FnMut(Piece) -> bool) -> bool {
    let mut first = 1;
    let mut container = match container::read(source.bytes) {
        Ok(container) => container,
        Err(fault) => {
            deal(Piece::Broken(broken(&source.name, first, io::Error::other(fault))));
            return false;
        }
    };
    loop {
        let piece = match container.next_block() {
            Ok(None) => return true,
            Ok(Some(block)) => {
                let records = block.count() as u64;
                first += records;
                Piece::Records { source: source.name.clone(), first: first - records, block }
            }
            Err(fault) => Piece::Broken(broken(&source.name, first, io::Error::other(fault))),
        };
        let broken = matches!(piece, Piece::Broken(_));
        if !deal(piece) || broken {
            return false;
        }
    }
}

fn broken(source: &str, at: u64, cause: io::Error) -> Error {
    Error::Read { place: format!("{source}:{at}"), cause }
}
