//! What the databases of a process share, and how they are opened. Promise: their blocks, filters,
//! indexes and write buffers take one bounded memory together.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, LogLevel,
    WriteBufferManager,
};

/// Write buffer of one database, which is also what a start after a crash reads again (about half
/// a second). Keys are found to be absent faster in table files, by their filters, than here.
const DATABASE_BUFFER_BYTES_MAX: usize = 16 << 20;
/// By the write buffer a checkpoint is one write without a pause in it, so only small ones are; in
/// table files much smaller ones would be merged too often.
const TABLE_BYTES_MIN: usize = 4 << 20;
/// Part of a process's memory that its databases share, at most so much; and of that the part of
/// the write buffers.
const CACHE_PART: usize = 4;
const CACHE_BYTES_MAX: usize = 256 << 20;
const WRITE_BUFFER_PART: usize = 4;
/// What a database's merges and flushes write in a second, at most, and how often they get a share
/// of it. RocksDB goes down to a twentieth of it while that is enough, so that a merge takes a
/// tenth of a core for longer, not half of one at once: a block would wait behind it.
const WRITE_BYTES_PER_SECOND_MAX: i64 = 64 << 20;
const WRITE_SHARE_US: i64 = 10_000;
/// Of so many shares one goes to merges though flushes want them all: RocksDB's default.
const WRITE_FAIRNESS: i32 = 10;
/// Table files held open, a database; more are opened and closed again.
const OPEN_FILES_MAX: i32 = 256;
/// Of RocksDB's own log, of which two files are kept.
const LOG_FILE_BYTES_MAX: usize = 4 << 20;
/// Of the list of table files, which the seal reads when it has changed.
const MANIFEST_BYTES_MAX: usize = 1 << 20;

/// Memory of all databases of a process together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Blocks, filters and indexes of table files, and of it the write buffers. Less means more
    /// reads from disk when rows are loaded that were let go.
    pub cache_bytes: usize,
    /// Rows written and not yet in table files. Less means more and smaller files.
    pub write_buffer_bytes: usize,
    /// A checkpoint of so many bytes becomes a table file at once, past log and write buffer.
    pub table_bytes_min: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options::within(CACHE_PART * CACHE_BYTES_MAX)
    }
}

impl Options {
    /// What of `memory_bytes` for a process and its state is for its databases.
    #[must_use]
    pub fn within(memory_bytes: usize) -> Options {
        let cache_bytes = (memory_bytes / CACHE_PART).min(CACHE_BYTES_MAX);
        Options {
            cache_bytes,
            write_buffer_bytes: cache_bytes / WRITE_BUFFER_PART,
            table_bytes_min: TABLE_BYTES_MIN,
        }
    }
}

/// What the databases of a process share. Make one and give it to every store.
#[derive(Clone)]
pub struct Shared {
    cache: Cache,
    buffers: WriteBufferManager,
    write_buffer_bytes: usize,
    pub(super) table_bytes_min: usize,
}

impl Shared {
    #[must_use]
    pub fn new(options: Options) -> Shared {
        let Options { cache_bytes, write_buffer_bytes, table_bytes_min } = options;
        let cache = Cache::new_lru_cache(cache_bytes);
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(
            write_buffer_bytes,
            false,
            cache.clone(),
        );
        Shared { cache, buffers, write_buffer_bytes, table_bytes_min }
    }

    /// How a database of the process is opened.
    pub(super) fn database_options(&self) -> rocksdb::Options {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&self.cache);
        blocks.set_block_size(16 << 10);
        // Most keys looked up are of windows that just began, so they are not there.
        blocks.set_bloom_filter(10.0, false);
        // In parts: a filter of millions of keys in one piece is larger than a shard of the cache,
        // which then never keeps it, and every look-up would read it anew.
        blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        blocks.set_partition_filters(true);
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        blocks.set_pin_top_level_index_and_filter(true);
        let mut options = rocksdb::Options::default();
        options.set_block_based_table_factory(&blocks);
        options.create_if_missing(true);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_write_buffer_manager(&self.buffers);
        options.set_write_buffer_size(self.write_buffer_bytes.min(DATABASE_BUFFER_BYTES_MAX));
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.02);
        options.set_max_open_files(OPEN_FILES_MAX);
        options.set_bytes_per_sync(1 << 20);
        options.set_auto_tuned_ratelimiter(
            WRITE_BYTES_PER_SECOND_MAX,
            WRITE_SHARE_US,
            WRITE_FAIRNESS,
        );
        // A torn tail of the log goes, whole batches stay in their order: an earlier checkpoint.
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        options.set_log_level(LogLevel::Warn);
        options.set_keep_log_file_num(2);
        options.set_max_log_file_size(LOG_FILE_BYTES_MAX);
        options.set_max_manifest_file_size(MANIFEST_BYTES_MAX);
        options
    }
}
