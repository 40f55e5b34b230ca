//! The store in RocksDB, a database a partition in `<state directory>/<partition>/`. Promise: a
//! checkpoint is one write batch or one table file, so a crash leaves the rows of one position. It
//! does not wait for the disk to have it: after a power failure the rows may be those of an earlier
//! checkpoint, which is as good (L2).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rocksdb::properties::{
    BACKGROUND_ERRORS, NUM_ENTRIES_ACTIVE_MEM_TABLE, NUM_IMMUTABLE_MEM_TABLE, PropName,
    SIZE_ALL_MEM_TABLES, TOTAL_SST_FILES_SIZE,
};
use rocksdb::{
    ColumnFamilyDescriptor, DB, DEFAULT_COLUMN_FAMILY_NAME, ErrorKind, IngestExternalFileOptions,
    ReadOptions, SstFileWriter, WriteBatch,
};

use super::background::Background;
use super::keys::Span;
use super::kinds;
pub use super::offline::{Summary, summary, totals};
use super::raw::{Batch, Each, Raw, Reading};
use super::seal::{self, Seal, Unflushed};
pub use super::shared::{Options, Shared};
use super::{BlockRow, Checkpoint, Error, Position, Store, read};
use crate::fault_point;
use crate::fold::{Epoch, Loaded, Need, State};

/// Keys of one look-up in RocksDB, which pins what it finds.
const KEYS_PER_GET: usize = 2_000;
/// How often a checkpoint looks whether the write buffers before it are in table files: for 5 s.
const FLUSH_WAITS_MAX: u32 = 5_000;
const FLUSH_WAIT: Duration = Duration::from_millis(1);
/// By which RocksDB tells a full disk. It looks for room every few seconds, and takes writes again
/// when there is at least a write buffer's.
const NO_SPACE: &str = "No space left on device";
/// A table file that is not yet part of its database; what a crash left is written over.
const TABLE: &str = "TABLE.new";

type Rows = [ColumnFamilyDescriptor; 1];

/// An open database.
pub(super) struct Database {
    db: DB,
    options: rocksdb::Options,
    table_bytes_min: usize,
    folder: PathBuf,
    place: String,
    seal: Seal,
}

impl Database {
    pub fn open(path: &Path, shared: &Shared) -> Result<Database, Error> {
        fault_point::at("store.make")?;
        let place = path.display().to_string();
        fs::create_dir_all(path).map_err(|error| broken(&place, "made", &error))?;
        fault_point::at("store.open")?;
        let database = Database::opened(path, shared, "opened", |options, rows| {
            DB::open_cf_descriptors(options, path, rows)
        })?;
        database.renew_seal()?;
        Ok(database)
    }

    /// For a look from outside; another process may have it open and write to it.
    pub fn open_to_read(path: &Path, shared: &Shared) -> Result<Database, Error> {
        Database::opened(path, shared, "read", |options, rows| {
            DB::open_cf_descriptors_read_only(options, path, rows, false)
        })
    }

    /// With its files looked at before, and after it was opened what the seal wants of it.
    fn opened(
        path: &Path,
        shared: &Shared,
        act: &'static str,
        open: impl FnOnce(&rocksdb::Options, Rows) -> Result<DB, rocksdb::Error>,
    ) -> Result<Database, Error> {
        let place = path.display().to_string();
        let table_above = seal::check(path)?;
        kinds::check(path)?;
        let options = shared.database_options();
        // By descriptor: opened otherwise, the default column family gets default options.
        let rows = ColumnFamilyDescriptor::new(DEFAULT_COLUMN_FAMILY_NAME, options.clone());
        let db = open(&options, [rows]).map_err(|error| failed(&place, act, &error))?;
        if let Some(above) = table_above {
            let tables = db.live_files().map_err(|error| failed(&place, "opened", &error))?;
            if !tables.iter().any(|table| seal::number(&table.name) > Some(above)) {
                return Err(seal::lost(path, "the manifest"));
            }
        }
        Ok(Database {
            db,
            options,
            table_bytes_min: shared.table_bytes_min,
            folder: path.to_owned(),
            place,
            seal: Seal::new(path),
        })
    }

    /// A full write buffer that a write set aside becomes a table file in a thread of RocksDB's.
    /// The seal has to hold that: a manifest that lost it would do without the rows of a log that
    /// is gone, and numbers of files do not tell, since a late file has a late number. Given up
    /// when it fails, or takes too long: then the next write tells.
    fn wait_for_flush(&self) {
        let errors_before = self.of(BACKGROUND_ERRORS);
        for _ in 0..FLUSH_WAITS_MAX {
            let failed = self.of(BACKGROUND_ERRORS) > errors_before;
            if self.of(NUM_IMMUTABLE_MEM_TABLE) == 0 || failed {
                return;
            }
            std::thread::park_timeout(FLUSH_WAIT);
        }
    }

    fn renew_seal(&self) -> Result<(), Error> {
        let any = |property| self.db.property_int_value(property).ok().flatten() != Some(0);
        self.seal.renew(|| Unflushed {
            last: any(NUM_ENTRIES_ACTIVE_MEM_TABLE),
            earlier: any(NUM_IMMUTABLE_MEM_TABLE),
        })
    }

    fn bytes(&self) -> u64 {
        self.of(TOTAL_SST_FILES_SIZE) + self.of(SIZE_ALL_MEM_TABLES)
    }

    fn of(&self, property: &PropName) -> u64 {
        self.db.property_int_value(property).ok().flatten().unwrap_or(0)
    }
}

impl Raw for Database {
    fn place(&self) -> &str {
        &self.place
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let rows = self.db.cf_handle(DEFAULT_COLUMN_FAMILY_NAME);
        let rows = rows.expect("was opened with its descriptor");
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_PER_GET) {
            for value in self.db.batched_multi_get_cf(rows, keys, true) {
                let value = value.map_err(|error| failed(&self.place, "read", &error))?;
                found.push(value.map(|value| value.to_vec()));
            }
        }
        Ok(found)
    }

    fn scan(&self, span: &Span, reading: Reading, each: &mut Each<'_>) -> Result<(), Error> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(span.before.clone());
        if reading == Reading::Once {
            options.fill_cache(false);
        }
        let mut rows = self.db.raw_iterator_opt(options);
        rows.seek(&span.from);
        while let Some((key, value)) = rows.item() {
            if !each(key, value)? {
                return Ok(());
            }
            rows.next();
        }
        rows.status().map_err(|error| failed(&self.place, "read", &error))
    }

    fn write(&self, batch: &Batch) -> Result<(), Error> {
        fault_point::at("store.write")?;
        if batch.bytes() < self.table_bytes_min {
            self.write_rows(batch)?;
        } else {
            self.write_table(batch)?;
        }
        self.wait_for_flush();
        self.renew_seal()
    }
}

impl Database {
    /// By the log and the write buffer.
    fn write_rows(&self, batch: &Batch) -> Result<(), Error> {
        let mut writes = WriteBatch::with_capacity_bytes(batch.bytes() + batch.bytes() / 4);
        for span in &batch.ranges {
            writes.delete_range(&span.from, &span.before);
        }
        for key in &batch.deletes {
            writes.delete(key);
        }
        for (key, value) in batch.puts() {
            writes.put(key, value);
        }
        self.db.write(writes).map_err(|error| failed(&self.place, "written", &error))
    }

    /// By a table file, a fifth of the work, and in pieces; it is part of the database whole or not
    /// at all. The write buffer goes first, since every checkpoint has the position's row: no power
    /// failure can take what came before.
    fn write_table(&self, batch: &Batch) -> Result<(), Error> {
        let path = self.folder.join(TABLE);
        let written = self.make_table(&path, batch).and_then(|()| {
            fault_point::at("store.ingest")?;
            let mut ingesting = IngestExternalFileOptions::default();
            ingesting.set_move_files(true);
            let ingested = self.db.ingest_external_file_opts(&ingesting, vec![&path]);
            ingested.map_err(|error| failed(&self.place, "written", &error))
        });
        if written.is_err() {
            // The room that it takes may be what is missing.
            let _gone = fs::remove_file(&path);
        }
        written
    }

    fn make_table(&self, path: &Path, batch: &Batch) -> Result<(), Error> {
        let broken = |error| failed(&self.place, "written", &error);
        let mut table = SstFileWriter::create(&self.options);
        table.open(path).map_err(broken)?;
        for span in &batch.ranges {
            table.delete_range(&span.from, &span.before).map_err(broken)?;
        }
        let mut pieces = batch.pace.pieces(batch.len());
        for (key, value) in batch.changes() {
            pieces.row();
            let written = match value {
                Some(value) => table.put(key, value),
                None => table.delete(key),
            };
            written.map_err(broken)?;
        }
        table.finish().map_err(broken)
    }
}

fn failed(place: &str, act: &'static str, error: &rocksdb::Error) -> Error {
    let (place, text) = (place.to_owned(), error.as_ref());
    if text.contains("/LOCK:") {
        return Error::Locked { place };
    }
    // A file that its own list names; while writing it may be the folder that is away.
    let missing = act != "written" && text.contains("No such file");
    match error.kind() {
        ErrorKind::IOError if text.contains(NO_SPACE) => Error::Full { place, act },
        ErrorKind::Corruption => Error::Damaged { place, what: text.to_owned() },
        _ if missing => Error::Damaged { place, what: text.to_owned() },
        _ => Error::Storage { place, act, reason: text.to_owned() },
    }
}

pub(super) fn broken(place: &str, act: &'static str, error: &io::Error) -> Error {
    let place = place.to_owned();
    match error.kind() {
        io::ErrorKind::StorageFull => Error::Full { place, act },
        _ => Error::Storage { place, act, reason: error.to_string() },
    }
}

/// One partition's rows.
pub struct RocksStore {
    path: PathBuf,
    partition: u32,
    shared: Shared,
    /// `None` after a failure to set it aside, or to open it again.
    open: Option<Open>,
    /// A checkpoint could not be written, not for want of room: RocksDB then takes no more writes.
    failed: bool,
}

struct Open {
    // Before the database: closing waits for the checkpoint under way.
    background: Background,
    database: Arc<Database>,
}

impl Open {
    fn new(path: &Path, partition: u32, shared: &Shared) -> Result<Open, Error> {
        let database = Arc::new(Database::open(path, shared)?);
        fault_point::at("store.opened")?;
        let background = Background::start(database.clone(), partition)?;
        Ok(Open { background, database })
    }
}

impl RocksStore {
    /// Opens or makes the store of `partition` in `state_dir`.
    ///
    /// # Errors
    /// `Locked` when another process has it open, `Format` when another release wrote it,
    /// `Partition` when it is another partition's.
    pub fn open(state_dir: &Path, partition: u32, shared: &Shared) -> Result<RocksStore, Error> {
        let path = state_dir.join(partition.to_string());
        let open = Open::new(&path, partition, shared)?;
        read::position(&*open.database, partition)?;
        let (shared, open) = (shared.clone(), Some(open));
        Ok(RocksStore { path, partition, shared, open, failed: false })
    }

    fn database(&self) -> Result<&Database, Error> {
        match &self.open {
            Some(open) => Ok(&open.database),
            None => Err(self.storage("used", "it could not be opened again".to_owned())),
        }
    }

    fn reopen(&mut self) -> Result<(), Error> {
        fault_point::at("store.reopen")?;
        // Closed first: the lock is free only then.
        self.open = None;
        self.open = Some(Open::new(&self.path, self.partition, &self.shared)?);
        self.failed = false;
        Ok(())
    }

    fn storage(&self, act: &'static str, reason: String) -> Error {
        Error::Storage { place: self.path.display().to_string(), act, reason }
    }

    /// The first free name beside the store.
    fn aside(&self) -> PathBuf {
        let name = |n: u32| format!("{}.set-aside-{n}", self.partition);
        let mut free = (1..).map(|n| self.path.with_file_name(name(n))).filter(|it| !it.exists());
        free.next().expect("a directory does not hold 2^32 of them")
    }
}

impl Store for RocksStore {
    /// Opens the database again after a checkpoint that failed: whoever starts over asks for the
    /// position first.
    fn position(&mut self) -> Result<Option<Position>, Error> {
        if self.failed || self.open.is_none() {
            self.reopen()?;
        }
        fault_point::at("store.position")?;
        read::position(self.database()?, self.partition)
    }

    fn restore(&mut self, state: &mut State) -> Result<Vec<(String, BlockRow)>, Error> {
        fault_point::at("store.restore")?;
        read::restore(self.database()?, self.partition, state)
    }

    fn load(&mut self, needs: &[Need]) -> Result<Vec<Loaded>, Error> {
        fault_point::at("store.load")?;
        read::load(self.database()?, needs)
    }

    fn submit(&mut self, checkpoint: Checkpoint) {
        if let Some(open) = &mut self.open {
            open.background.submit(checkpoint);
        }
    }

    fn written(&mut self) -> Option<Result<Epoch, Error>> {
        let written = self.open.as_mut()?.background.written();
        self.failed |=
            matches!(written, Some(Err(ref error)) if !matches!(error, Error::Full { .. }));
        written
    }

    fn again(&mut self) {
        if let Some(open) = &mut self.open {
            open.background.again();
        }
    }

    fn wait(&mut self) -> Option<Result<Epoch, Error>> {
        let written = self.open.as_mut()?.background.wait();
        self.failed |= matches!(written, Some(Err(_)));
        written
    }

    fn set_aside(&mut self, reason: &str) -> Result<(), Error> {
        let aside = self.aside();
        // Its reason goes with it: what lies aside always says why.
        fault_point::at("store.aside.reason")?;
        let place = self.path.display().to_string();
        fs::write(self.path.join("REASON"), format!("{reason}\n"))
            .map_err(|error| broken(&place, "set aside", &error))?;
        self.open = None;
        fault_point::at("store.aside.rename")?;
        fs::rename(&self.path, &aside).map_err(|error| broken(&place, "set aside", &error))?;
        self.reopen()
    }

    fn bytes(&mut self) -> u64 {
        self.database().map_or(0, Database::bytes)
    }
}
