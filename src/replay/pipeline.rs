//! Reading, decoding and folding side by side: one thread reads and unpacks, some decode, the
//! caller's folds. Promise: lines arrive in the order of the logs, as if one thread did it all;
//! queues are bounded, so a log of any size takes the same memory.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::Error;
use super::blocks::{Block, Blocks, decode, line};
use super::progress::Progress;
use super::source::{self, Source};
use crate::fold::event::Line;
use crate::wire::container;

/// Blocks that may wait for a decoder, and decoded ones for the fold, of each decoder.
const QUEUE_BLOCKS: usize = 4;
/// More decoders than this are not faster than the fold.
const DECODERS_MAX: usize = 4;

/// Records of an Avro container that go on together.
const RECORDS_PER_PIECE: usize = 1_000;

/// What the reader hands out.
enum Piece {
    Text {
        source: Arc<str>,
        block: Block,
    },
    /// From a container, whose schema makes reading and decoding one act.
    Decoded(Vec<Line>),
    /// The stream broke here.
    Broken(Error),
}

/// Gives the decoded lines of all logs, in order, to `fold`.
///
/// # Errors
/// A log that cannot be read to its end (after all lines before it were folded), or what `fold`
/// returned.
pub fn lines(
    logs: &[PathBuf],
    mut fold: impl FnMut(Vec<Line>) -> Result<(), Error>,
) -> Result<(), Error> {
    let spare = thread::available_parallelism().map_or(1, |cores| cores.get() - 1);
    let decoders = spare.clamp(1, DECODERS_MAX);
    let read = Arc::new(AtomicU64::new(0));
    let mut progress = Progress::start(source::bytes_in_all(logs), read.clone());
    thread::scope(|scope| {
        let mut pieces_to = Vec::new();
        let mut decoded_from = Vec::new();
        for _ in 0..decoders {
            let (piece_to, piece_from) = sync_channel(QUEUE_BLOCKS);
            let (decoded_to, decoded) = sync_channel(QUEUE_BLOCKS);
            scope.spawn(move || decode_pieces(&piece_from, &decoded_to));
            pieces_to.push(piece_to);
            decoded_from.push(decoded);
        }
        scope.spawn(move || read_logs(logs, &read, &pieces_to));
        // Both ends go round the decoders in the same order: that alone keeps the lines' order.
        for decoded in decoded_from.iter().cycle() {
            let Ok(lines) = decoded.recv() else {
                return Ok(());
            };
            let lines = lines?;
            progress.lines(lines.len());
            fold(lines)?;
        }
        unreachable!("there is at least one decoder")
    })
}

/// As `lines`, for one log and on this thread alone.
pub fn lines_of(
    source: Source,
    mut fold: impl FnMut(Vec<Line>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut outcome = Ok(());
    let mut deal = |piece| {
        outcome = decoded(piece).and_then(&mut fold);
        outcome.is_ok()
    };
    if source.is_avro {
        read_container(source, &mut deal)
    } else {
        read_text(source, &mut deal)
    };
    outcome
}

/// Reads the logs one after the other and deals their pieces out to the decoders in turn. Ends
/// early when nobody takes them any more.
fn read_logs(logs: &[PathBuf], read: &Arc<AtomicU64>, decoders: &[SyncSender<Piece>]) {
    let mut turn = decoders.iter().cycle();
    let mut deal = |piece| turn.next().is_some_and(|decoder| decoder.send(piece).is_ok());
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
    let records = match container::read(source.bytes) {
        Ok(records) => records,
        Err(fault) => {
            deal(Piece::Broken(broken(&source.name, 1, io::Error::other(fault))));
            return false;
        }
    };
    let mut lines = Vec::with_capacity(RECORDS_PER_PIECE);
    for (at, record) in (1..).zip(records) {
        match record {
            Ok(decoded) => lines.push(line(&source.name, at, decoded)),
            Err(fault) => {
                deal(Piece::Decoded(lines));
                deal(Piece::Broken(broken(&source.name, at, io::Error::other(fault))));
                return false;
            }
        }
        if lines.len() == RECORDS_PER_PIECE && !deal(Piece::Decoded(std::mem::take(&mut lines))) {
            return false;
        }
    }
    deal(Piece::Decoded(lines))
}

fn broken(source: &str, at: u64, cause: io::Error) -> Error {
    Error::Read { place: format!("{source}:{at}"), cause }
}

fn decode_pieces(pieces: &Receiver<Piece>, decoded_to: &SyncSender<Result<Vec<Line>, Error>>) {
    for piece in pieces {
        if decoded_to.send(decoded(piece)).is_err() {
            return;
        }
    }
}

fn decoded(piece: Piece) -> Result<Vec<Line>, Error> {
    match piece {
        Piece::Text { source, block } => Ok(decode(&source, block.first_line, &block.bytes)),
        Piece::Decoded(lines) => Ok(lines),
        Piece::Broken(error) => Err(error),
    }
}
