//! Records of kinds that our databases never hold. RocksDB (11.x) reads a manifest or log for ever
//! in which a record's kind byte became that of a recycled log's: it refuses the record and does
//! not step over it. Promise: such a file is refused before RocksDB sees it; any other is left to
//! its checksums.

use std::fs;
use std::path::Path;

use super::Error;

/// RocksDB's `log::kBlockSize`.
const BLOCK_BYTES: usize = 32 * 1024;
/// Checksum, length and kind in front of each record.
const HEADER_BYTES: usize = 7;
/// Kinds of recycled logs (`kRecyclable…` of RocksDB's `log_format.h`); `recycle_log_file_num` is
/// not used here.
const RECYCLED: [u8; 6] = [5, 6, 7, 8, 11, 131];

/// Looks through the manifests and logs of a folder that is about to be opened.
pub(super) fn check(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".log") && !name.starts_with("MANIFEST-") {
            continue;
        }
        // One that cannot be read is RocksDB's to report.
        let bytes = fs::read(entry.path()).unwrap_or_default();
        if bytes.chunks(BLOCK_BYTES).any(|block| kinds(block).any(|kind| RECYCLED.contains(&kind)))
        {
            let place = folder.display().to_string();
            let what = format!("{name} has a record of a kind that is never written");
            return Err(Error::Damaged { place, what });
        }
    }
    Ok(())
}

/// The kinds of the records of a block, as far as their lengths lead through it.
fn kinds(block: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = block;
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_first_chunk::<HEADER_BYTES>()?;
        let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
        rest = behind.get(length..).unwrap_or_default();
        Some(header[6])
    })
}
