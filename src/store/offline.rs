//! A look into a state directory without the engine: every total, and what the stores hold.
//! Promise: nothing is changed, and a tollgate that runs on the directory is not disturbed; what
//! it wrote in the meantime may be missing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::bytes::Fault;
use super::keys::{Kind, Span};
use super::raw::{Raw, Reading};
use super::read::{self, fault};
use super::rocks::{Database, Options, Shared};
use super::{Error, Position};
use crate::fold::Total;

/// Small: each row is read once.
const OPTIONS: Options =
    Options { cache_bytes: 32 << 20, write_buffer_bytes: 8 << 20, table_bytes_min: 8 << 20 };

/// What one partition's store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub partition: u32,
    pub position: Option<Position>,
    /// How many rows of each kind.
    pub rows: BTreeMap<Kind, u64>,
    /// Of their keys and values, uncompressed.
    pub bytes: u64,
}

/// The totals of every partition in `state_dir`, sorted by `Total::order`.
///
/// # Errors
/// When a store cannot be read, is damaged or of a format that this release does not know.
pub fn totals(state_dir: &Path) -> Result<Vec<Total>, Error> {
    let mut totals = Vec::new();
    each_partition(state_dir, |_, database| read::totals(database, &mut totals))?;
    totals.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
    Ok(totals)
}

/// What the store of every partition in `state_dir` holds, by partition.
///
/// # Errors
/// As `totals`.
pub fn summary(state_dir: &Path) -> Result<Vec<Summary>, Error> {
    let mut summaries = Vec::new();
    each_partition(state_dir, |partition, database| {
        let position = read::position(database, partition)?;
        let mut rows = BTreeMap::new();
        let mut bytes = 0;
        database.scan(&Span::all(), Reading::Once, &mut |key, value| {
            let kind = Kind::of(key)
                .ok_or_else(|| fault(database, key, Fault::Value("a row of this kind")))?;
            *rows.entry(kind).or_insert(0) += 1;
            bytes += (key.len() + value.len()) as u64;
            Ok(true)
        })?;
        summaries.push(Summary { partition, position, rows, bytes });
        Ok(())
    })?;
    Ok(summaries)
}

/// Opens one store after the other, in the order of their partitions. Others in the directory
/// (what was set aside, for one) are left alone.
fn each_partition(
    state_dir: &Path,
    mut look: impl FnMut(u32, &Database) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::Storage {
        place: state_dir.display().to_string(),
        act: "listed",
        reason: error.to_string(),
    };
    let mut partitions = Vec::new();
    for entry in fs::read_dir(state_dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.parse::<u32>().ok());
        partitions
            .extend(number.filter(|number| Some(number.to_string().as_str()) == name.to_str()));
    }
    partitions.sort_unstable();
    let shared = Shared::new(OPTIONS);
    for partition in partitions {
        let database = Database::open_to_read(&state_dir.join(partition.to_string()), &shared)?;
        read::position(&database, partition)?;
        look(partition, &database)?;
    }
    Ok(())
}
