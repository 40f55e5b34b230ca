//! Logs as streams of bytes: files or standard input, plain, gzip or zstd, told by their first
//! bytes and not by their name. Promise: a name is opened once; a broken stream is an error with
//! its place, never a short log.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Error;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// What an Avro container file begins with.
pub const AVRO: [u8; 4] = *b"Obj\x01";

/// A log's lines as bytes, whatever they are wrapped in.
pub struct Source {
    /// What positions name.
    pub name: Arc<str>,
    pub bytes: Box<dyn Read + Send>,
    pub is_avro: bool,
}

pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// # Errors
/// No log, or standard input twice.
pub fn check(logs: &[PathBuf]) -> Result<(), Error> {
    match logs.iter().filter(|path| is_stdin(path)).count() {
        _ if logs.is_empty() => Err(Error::NoLog),
        0 | 1 => Ok(()),
        _ => Err(Error::StdinTwice),
    }
}

/// Bytes of all logs on disk; `None` when one of them has no size to tell.
pub fn bytes_in_all(logs: &[PathBuf]) -> Option<u64> {
    let size = |path: &PathBuf| {
        let found = std::fs::metadata(path).ok().filter(|_| !is_stdin(path))?;
        found.is_file().then_some(found.len())
    };
    logs.iter().map(size).sum()
}

/// Opens a log; `read` counts its bytes as they come from the disk.
pub fn open(path: &Path, read: &Arc<AtomicU64>) -> Result<Source, Error> {
    let stdin = is_stdin(path);
    let name = if stdin { "stdin".to_owned() } else { path.display().to_string() };
    let failed = |cause| Error::Read { place: name.clone(), cause };
    let raw: Box<dyn Read + Send> =
        if stdin { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(failed)?) };
    of(&name, BufReader::with_capacity(128 * 1024, Counted { raw, read: read.clone() }))
}

/// A log that is open already.
pub fn of(name: &str, packed: impl Read + Send + 'static) -> Result<Source, Error> {
    let failed = |cause| Error::Read { place: name.to_owned(), cause };
    let (bytes, is_avro) = unwrapped(packed).map_err(failed)?;
    Ok(Source { name: Arc::from(name), bytes, is_avro })
}

/// Takes the compression off, and looks what is inside.
fn unwrapped(packed: impl Read + Send + 'static) -> io::Result<(Box<dyn Read + Send>, bool)> {
    let (first, packed) = peek(packed)?;
    let bytes: Box<dyn Read + Send> = match first {
        first if first.starts_with(&GZIP) => Box::new(flate2::read::MultiGzDecoder::new(packed)),
        first if first == ZSTD => Box::new(zstd::Decoder::new(packed)?),
        _ => Box::new(packed),
    };
    let (first, bytes) = peek(bytes)?;
    Ok((Box::new(bytes), first == AVRO))
}

/// The first four bytes (or fewer, at the end), and a reader that still has them.
fn peek<R: Read>(mut reader: R) -> io::Result<(Vec<u8>, impl Read)> {
    let mut first = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut first)?;
    Ok((first.clone(), Cursor::new(first).chain(reader)))
}

struct Counted<R> {
    raw: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
