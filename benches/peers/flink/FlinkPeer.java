// Flink keeping Tollgate's eight totals: keyed by account, map state on the heap, a checkpoint each
// 5 s, all in this process. Promise: ends when a checkpoint covers the last event of all
// partitions, and prints the sums that the state itself then holds. It leaves out dedup, limits and
// decisions, which is to its advantage.
package tollgate.peers;

import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import org.apache.avro.util.Utf8;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;

final class FlinkPeer {
    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(5);
    private static final int CHECKPOINT_FAILURES_MAX = 10;

    // The tasks run in this process and find these here; a job carries only what can be serialized.
    private static Progress progress;
    private static final Sums SUMS = new Sums();

    static Progress progress() {
        return progress;
    }

    static Sums sums() {
        return SUMS;
    }

    public static void main(String[] words) {
        Peer.main(words, FlinkPeer::run);
    }

    private static String run(Arguments arguments) throws Exception {
        progress = new Progress(arguments.events());
        Map<String, Object> client =
                Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, arguments.bootstrap());
        try (Admin admin = Admin.create(client)) {
            Topic.ends(admin, arguments);
        }
        execute(arguments);
        return progress.report("flink", EnvironmentInformation.getVersion(), SUMS);
    }

    private static void execute(Arguments arguments) throws Exception {
        StreamExecutionEnvironment environment =
                StreamExecutionEnvironment.createLocalEnvironment(
                        arguments.threads(), config(arguments));
        environment
                .fromSource(source(arguments), WatermarkStrategy.noWatermarks(), "billed")
                .keyBy(event -> event.account, new OwnType<>(Utf8.class, TextSerializer.INSTANCE))
                .transform("totals", Types.VOID, new TotalsOperator());
        environment.execute("tollgate-peer");
    }

    /** The reason of each is in README.md. */
    private static Configuration config(Arguments arguments) {
        Configuration config = new Configuration();
        config.set(ExecutionOptions.RUNTIME_MODE, RuntimeExecutionMode.STREAMING);
        config.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        config.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL);
        config.set(CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE,
                CheckpointingMode.EXACTLY_ONCE);
        config.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        config.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                arguments.dir().resolve("checkpoints").toUri().toString());
        config.set(CheckpointingOptions.TOLERABLE_FAILURE_NUMBER, CHECKPOINT_FAILURES_MAX);
        config.set(PipelineOptions.OBJECT_REUSE, true);
        config.set(PipelineOptions.GENERIC_TYPES, false);
        config.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        config.set(TaskManagerOptions.NETWORK_MEMORY_MIN, MemorySize.ofMebiBytes(128));
        config.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.ofMebiBytes(128));
        return config;
    }

    private static KafkaSource<BilledEvent> source(Arguments arguments) {
        return KafkaSource.<BilledEvent>builder()
                .setBootstrapServers(arguments.bootstrap())
                .setGroupId("tollgate-peer-flink-" + UUID.randomUUID())
                .setTopics(arguments.topic())
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setBounded(OffsetsInitializer.latest())
                .setDeserializer(new EventSchema())
                .setProperty("commit.offsets.on.checkpoint", "false")
                .setProperty(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, "10000")
                .setProperty(ConsumerConfig.FETCH_MAX_BYTES_CONFIG, "67108864")
                .setProperty(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, "4194304")
                .setProperty(ConsumerConfig.RECEIVE_BUFFER_CONFIG, "1048576")
                .build();
    }
}
