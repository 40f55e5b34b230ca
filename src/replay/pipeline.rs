//! Reading, decoding and folding side by side: one thread reads and unpacks, some decode, the
//! caller's folds. Promise: lines arrive in the order of the logs, as if one thread did it all;
//! queues are bounded, so a log of any size takes the same memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::Error;
use super::blocks::{Block, Blocks, decode};
use super::progress::Progress;
use super::source;
use crate::fold::event::Line;

/// Blocks that may wait for a decoder, and decoded ones for the fold, of each decoder.
const QUEUE_BLOCKS: usize = 4;
/// More decoders than this are not faster than the fold.
const DECODERS_MAX: usize = 4;

/// What the reader hands out.
enum Piece {
    Lines {
        source: Arc<str>,
        block: Block,
    },
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

/// Reads the logs one after the other and deals their blocks out to the decoders in turn. Ends
/// early when nobody takes them any more.
fn read_logs(logs: &[PathBuf], read: &Arc<AtomicU64>, decoders: &[SyncSender<Piece>]) {
    let mut turn = decoders.iter().cycle();
    let mut deal = |piece| turn.next().is_some_and(|decoder| decoder.send(piece).is_ok());
    for path in logs {
        let source = match source::open(path, read) {
            Ok(source) => source,
            Err(error) => {
                deal(Piece::Broken(error));
                return;
            }
        };
        let mut blocks = Blocks::new(source.bytes);
        loop {
            let piece = match blocks.next() {
                Ok(None) => break,
                Ok(Some(block)) => Piece::Lines { source: source.name.clone(), block },
                Err(cause) => {
                    let place = format!("{}:{}", source.name, blocks.next_line());
                    Piece::Broken(Error::Read { place, cause })
                }
            };
            let broken = matches!(piece, Piece::Broken(_));
            if !deal(piece) || broken {
                return;
            }
        }
    }
}

fn decode_pieces(pieces: &Receiver<Piece>, decoded: &SyncSender<Result<Vec<Line>, Error>>) {
    for piece in pieces {
        let lines = match piece {
            Piece::Lines { source, block } => Ok(decode(&source, block.first_line, &block.bytes)),
            Piece::Broken(error) => Err(error),
        };
        if decoded.send(lines).is_err() {
            return;
        }
    }
}
