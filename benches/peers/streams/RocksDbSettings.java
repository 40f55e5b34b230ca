// RocksDB for the Kafka Streams peer: one block cache and one budget of write buffers for all its
// stores, as the documentation on memory advises, sized so that reads and writes rarely touch the
// disk. Promise: point reads by whole keys are what it is tuned for. It leaves out compression: the
// data is small and short-lived, and the processor is what is scarce.
package tollgate.peers;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.DataBlockIndexType;
import org.rocksdb.Filter;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.RocksDB;
import org.rocksdb.WriteBufferManager;

public final class RocksDbSettings implements RocksDBConfigSetter {
    /** Of blocks, with their filters and indices, and of write buffers, which are a part of it. */
    private static final long MEMORY_BYTES = 1L << 30;
    private static final long WRITE_BUFFERS_BYTES = 512L << 20;
    private static final long WRITE_BUFFER_BYTES = 64L << 20;
    private static final int WRITE_BUFFERS_MAX = 4;
    private static final int BLOOM_BITS = 10;

    static {
        RocksDB.loadLibrary();
    }

    private static final Cache CACHE = new LRUCache(MEMORY_BYTES);
    private static final Filter BLOOM = new BloomFilter(BLOOM_BITS);
    private static final WriteBufferManager BUFFERS =
            new WriteBufferManager(WRITE_BUFFERS_BYTES, CACHE);

    @Override
    public void setConfig(String store, Options options, Map<String, Object> configs) {
        BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
        table.setBlockCache(CACHE);
        table.setFilterPolicy(BLOOM);
        table.setCacheIndexAndFilterBlocks(true);
        table.setPinL0FilterAndIndexBlocksInCache(true);
        table.setDataBlockIndexType(DataBlockIndexType.kDataBlockBinaryAndHash);
        options.setTableFormatConfig(table);
        options.setWriteBufferManager(BUFFERS);
        options.setWriteBufferSize(WRITE_BUFFER_BYTES);
        options.setMaxWriteBufferNumber(WRITE_BUFFERS_MAX);
        options.setMemtablePrefixBloomSizeRatio(0.1);
        options.setMemtableWholeKeyFiltering(true);
    }

    @Override
    public void close(String store, Options options) {
        // Cache, filter and buffers are shared by all stores and live as long as the process.
    }
}
