//! The seal: what RocksDB's own bookkeeping held behind the last checkpoint. RocksDB takes the end
//! of a torn manifest, or of a torn log that is not the last one, for that of a crash, and then
//! opens with rows in the middle missing. Promise: files that lost what the seal names are refused;
//! what was written later, and a seal that is not there, change nothing. Between a checkpoint and
//! its seal, less than a millisecond, a crash leaves the seal of the checkpoint before.
//!
//! A log is sealed only as long as rows may be in it alone: one without any, as a full disk leaves
//! it, goes without a trace.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Error;
use super::rocks::broken;
use crate::fault_point;

const NAME: &str = "SEAL";
const CURRENT: &str = "CURRENT";
const LOG: &str = ".log";

/// How much of each file is sealed: all of the manifest and of the logs but the last, whose end a
/// crash may tear. Names of logs are numbers of one width, in the order of their beginnings.
type Lengths = BTreeMap<String, u64>;

/// Which logs have rows that are in no table file.
pub(super) struct Unflushed {
    pub last: bool,
    pub earlier: bool,
}

/// Of an open database.
pub(super) struct Seal {
    folder: PathBuf,
    /// What the seal on disk says.
    sealed: Mutex<Lengths>,
}

impl Seal {
    pub fn new(folder: &Path) -> Seal {
        Seal { folder: folder.to_owned(), sealed: Mutex::default() }
    }

    /// Seals what there is, if it is not what was sealed before.
    pub fn renew(&self, unflushed: impl FnOnce() -> Unflushed) -> Result<(), Error> {
        fault_point::at("store.seal")?;
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(&mut sealed, unflushed)
            .map_err(|error| broken(&self.folder.display().to_string(), "sealed", &error))
    }

    fn write(&self, sealed: &mut Lengths, unflushed: impl FnOnce() -> Unflushed) -> io::Result<()> {
        let lengths = lengths(&self.folder, unflushed)?;
        if lengths == *sealed {
            return Ok(());
        }
        let mut text = String::new();
        for (name, length) in &lengths {
            match crc(&self.folder.join(name), *length) {
                Ok(crc) => text.push_str(&format!("{name} {length} {crc:08x}\n")),
                // RocksDB took it away meanwhile: its rows are in table files then.
                Err(error) if error.kind() == io::ErrorKind::NotFound && name.ends_with(LOG) => {}
                Err(error) => return Err(error),
            }
        }
        let fresh = self.folder.join(format!("{NAME}.new"));
        fs::write(&fresh, text)?;
        fs::rename(fresh, self.folder.join(NAME))?;
        *sealed = lengths;
        Ok(())
    }
}

/// RocksDB flushes by itself after a full disk: so the logs are listed before it is asked what is
/// in them, and the manifest is measured last.
fn lengths(folder: &Path, unflushed: impl FnOnce() -> Unflushed) -> io::Result<Lengths> {
    let mut lengths = Lengths::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(LOG)
            && let Ok(file) = fs::metadata(folder.join(&name))
        {
            lengths.insert(name, file.len());
        }
    }
    let unflushed = unflushed();
    let last = lengths.pop_last();
    if !unflushed.earlier {
        lengths.clear();
    }
    if let Some((name, _)) = last.filter(|_| unflushed.last) {
        lengths.insert(name, 0);
    }
    let manifest = fs::read_to_string(folder.join(CURRENT))?.trim_end().to_owned();
    let length = fs::metadata(folder.join(&manifest))?.len();
    lengths.insert(manifest, length);
    Ok(lengths)
}

/// Of the first `length` bytes of a file.
fn crc(path: &Path, length: u64) -> io::Result<u32> {
    let mut sealed = Vec::new();
    let read = File::open(path)?.take(length).read_to_end(&mut sealed)?;
    if (read as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(crc32fast::hash(&sealed))
}

/// Compares a folder that is about to be opened with its seal. A log that is gone is well if its
/// rows are in a table file: then one with a number above the one given must be in use.
pub(super) fn check(folder: &Path) -> Result<Option<u64>, Error> {
    let Ok(text) = fs::read(folder.join(NAME)) else { return Ok(None) };
    let text = String::from_utf8_lossy(&text).into_owned();
    let Some(sealed) = text.lines().map(parse).collect::<Option<BTreeMap<_, _>>>() else {
        return Err(damaged(folder, format!("{NAME} cannot be read")));
    };
    let mut gone = None;
    for (name, (length, sealed_crc)) in &sealed {
        match crc(&folder.join(name), *length) {
            Ok(found) if found == *sealed_crc => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => gone = Some(*name),
            _ => return Err(lost(folder, name)),
        }
    }
    let Some(gone) = gone else { return Ok(None) };
    // Read after the files: a log goes only once the manifest says that it may.
    let manifest = fs::read_to_string(folder.join(CURRENT)).unwrap_or_default();
    match sealed.get(manifest.trim_end()) {
        // A new manifest holds everything anew.
        None => Ok(None),
        Some(_) => {
            // Began when the rows of the one that is gone were complete.
            let mut logs = sealed.keys().copied().filter(|name| name.ends_with(LOG));
            let next = logs.find(|name| *name > gone);
            Ok(next.or(Some(gone)).and_then(number))
        }
    }
}

/// A log is gone, and no table file has its rows.
pub(super) fn lost(folder: &Path, name: &str) -> Error {
    damaged(folder, format!("{name} lost what it held behind the last checkpoint"))
}

/// The number in the name of a log or table file.
pub(super) fn number(name: &str) -> Option<u64> {
    name.trim_start_matches('/').split('.').next()?.parse().ok()
}

fn parse(line: &str) -> Option<(&str, (u64, u32))> {
    let mut words = line.split(' ');
    let (name, length, crc) = (words.next()?, words.next()?, words.next()?);
    Some((name, (length.parse().ok()?, u32::from_str_radix(crc, 16).ok()?)))
}

fn damaged(folder: &Path, what: String) -> Error {
    Error::Damaged { place: folder.display().to_string(), what }
}
