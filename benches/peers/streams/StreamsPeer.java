// Kafka Streams keeping Tollgate's eight totals: one task a partition, one RocksDB store a task, no
// repartition, exactly once. Promise: ends when the committed offsets reach the ends of all
// partitions, and prints the sums that the store itself then holds. It leaves out dedup, limits and
// decisions, which is to its advantage.
package tollgate.peers;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;
import org.apache.kafka.streams.state.Stores;

final class StreamsPeer {
    static final String STORE = "totals";
    private static final Duration CLOSE_MAX = Duration.ofSeconds(60);
    private static final int COMMIT_LOOK_MS = 10;

    public static void main(String[] words) {
        Peer.main(words, StreamsPeer::run);
    }

    private static String run(Arguments arguments) throws Exception {
        String application = "tollgate-peer-streams-" + UUID.randomUUID();
        Progress progress = new Progress(arguments.events());
        Map<String, Object> client =
                Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, arguments.bootstrap());
        try (Admin admin = Admin.create(client)) {
            Map<TopicPartition, Long> ends = Topic.ends(admin, arguments);
            Topology topology = topology(arguments.topic(), progress);
            String report;
            try (KafkaStreams streams =
                    new KafkaStreams(topology, config(arguments, application))) {
                streams.setUncaughtExceptionHandler(StreamsPeer::stop);
                streams.start();
                progress.awaitAll();
                awaitCommitted(admin, application, ends);
                progress.committed();
                report = progress.report("kafka-streams", version(), readBack(streams));
                streams.close(CloseOptions.timeout(CLOSE_MAX)
                        .withGroupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP));
            }
            forget(admin, application);
            return report;
        }
    }

    private static Topology topology(String topic, Progress progress) {
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        return new Topology()
                .addSource("billed", bytes, bytes, topic)
                .addProcessor("fold", () -> new TotalsProcessor(progress), "billed")
                .addStateStore(
                        Stores.keyValueStoreBuilder(
                                        Stores.persistentKeyValueStore(STORE),
                                        Serdes.ByteArray(), Serdes.ByteArray())
                                .withCachingEnabled()
                                .withLoggingEnabled(Map.of()),
                        "fold");
    }

    /** The reason of each is in README.md. */
    private static Properties config(Arguments arguments, String application) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments.bootstrap());
        config.put(StreamsConfig.STATE_DIR_CONFIG, arguments.dir().resolve("state").toString());
        config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments.threads());
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 5_000);
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
        config.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, RocksDbSettings.class);
        config.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 20_000);
        config.put(StreamsConfig.ENABLE_METRICS_PUSH_CONFIG, false);
        consumer(config, ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        consumer(config, ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 10_000);
        consumer(config, ConsumerConfig.FETCH_MAX_BYTES_CONFIG, 64 << 20);
        consumer(config, ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 4 << 20);
        consumer(config, ConsumerConfig.RECEIVE_BUFFER_CONFIG, 1 << 20);
        producer(config, ProducerConfig.BATCH_SIZE_CONFIG, 256 << 10);
        producer(config, ProducerConfig.BUFFER_MEMORY_CONFIG, 128L << 20);
        producer(config, ProducerConfig.COMPRESSION_TYPE_CONFIG, "lz4");
        producer(config, ProducerConfig.LINGER_MS_CONFIG, 100);
        producer(config, ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, 60_000);
        return config;
    }

    private static void consumer(Properties config, String key, Object value) {
        config.put(StreamsConfig.mainConsumerPrefix(key), value);
    }

    private static void producer(Properties config, String key, Object value) {
        config.put(StreamsConfig.producerPrefix(key), value);
    }

    private static void awaitCommitted(
            Admin admin, String group, Map<TopicPartition, Long> ends) throws Exception {
        boolean covered = false;
        while (!covered) {
            Thread.sleep(COMMIT_LOOK_MS);
            Map<TopicPartition, OffsetAndMetadata> committed =
                    admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            covered = ends.entrySet().stream().allMatch(end -> {
                OffsetAndMetadata found = committed.get(end.getKey());
                return end.getValue() == 0 || found != null && found.offset() >= end.getValue();
            });
        }
    }

    private static Sums readBack(KafkaStreams streams) {
        ReadOnlyKeyValueStore<byte[], byte[]> store = streams.store(
                StoreQueryParameters.fromNameAndType(STORE, QueryableStoreTypes.keyValueStore()));
        Sums sums = new Sums();
        try (KeyValueIterator<byte[], byte[]> rows = store.all()) {
            rows.forEachRemaining(row -> Row.addTo(sums, row.key, row.value));
        }
        return sums;
    }

    /** Others run on the broker after this. What cannot be deleted does not spoil the result. */
    private static void forget(Admin admin, String application) throws Exception {
        List<String> own = admin.listTopics().names().get().stream()
                .filter(name -> name.startsWith(application)).toList();
        try {
            admin.deleteTopics(own).all().get();
            admin.deleteConsumerGroups(List.of(application)).all().get();
        } catch (ExecutionException e) {
            System.err.println("left on the broker: " + application + " and " + own + ": " + e);
        }
    }

    private static String version() throws IOException {
        Properties told = new Properties();
        try (InputStream file =
                KafkaStreams.class.getResourceAsStream("/kafka/kafka-streams-version.properties")) {
            told.load(file);
        }
        return told.getProperty("version");
    }

    private static StreamThreadExceptionResponse stop(Throwable fault) {
        Peer.fail(fault);
        return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    }
}
