//! Every key of the configuration, with its unit, default, range and consequence, stated once.
//! Promise: the doc comments are what `config schema` prints, `Default` is the only source of
//! defaults, and the ranges here are the ones enforced. What a key means is its module's business.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::notify::NotifyOptions;
use super::serve::{ApiOptions, GateOptions, HttpOptions};

/// The configuration of a Tollgate process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub kafka: KafkaOptions,
    pub topics: TopicsOptions,
    pub input: InputOptions,
    pub output: OutputOptions,
    pub engine: EngineOptions,
    pub http: HttpOptions,
    pub api: ApiOptions,
    pub gate: GateOptions,
    pub notify: NotifyOptions,
    pub log: LogOptions,
}

/// How the brokers are reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaOptions {
    /// Brokers to start from, each `host:port`: a list, or one text with commas. Two or three are
    /// enough; the rest of the cluster is learned from them.
    #[schemars(extend("type" = ["array", "string"], "minItems" = 1))]
    #[schemars(extend("items" = {"type": "string", "format": "host-port"}))]
    pub bootstrap: Vec<String>,
    /// Consumer group that spreads the partitions over all engine processes. Two deployments that
    /// must not share work need two names (and two sets of topics).
    #[schemars(length(min = 1, max = 249))]
    pub group: String,
    /// Milliseconds of silence after which the group gives a process's partitions to another one.
    /// Lower takes over sooner, higher rides out longer pauses. The broker bounds it too
    /// (`group.min.session.timeout.ms`, 6000 as a rule).
    #[schemars(range(min = 1_000, max = 1_800_000))]
    pub session_timeout_ms: u32,
    /// Name of this process in the group, another for each process. With it, a process that comes
    /// back within the session timeout, after a crash or an upgrade, has its partitions again at
    /// once, and nobody else takes them over meanwhile, after an orderly stop neither. Unset,
    /// partitions go to others: at once when a process stops, after the timeout when it crashes.
    #[schemars(length(min = 1, max = 249))]
    pub instance_id: Option<String>,
    /// Milliseconds in which brokers must answer a question about the cluster (topics, positions).
    /// Beyond, a command ends with an error.
    #[schemars(range(min = 1_000, max = 300_000))]
    pub request_timeout_ms: u32,
    /// Further librdkafka properties for every client, passed on as they are: `security.protocol`,
    /// `sasl.mechanisms`, `ssl.ca.location`, … Properties on which the promises of the engine rest
    /// (acks, idempotence, offsets, group) are refused. As a variable:
    /// `TOLLGATE_KAFKA_CLIENT_SECURITY_PROTOCOL`.
    #[schemars(extend("additionalProperties" = {"type": ["string", "integer", "boolean"]}))]
    pub client: BTreeMap<String, String>,
}

/// Names of the topics, and how `topics create` makes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TopicsOptions {
    /// Billed events, read; key is the account.
    #[schemars(extend("format" = "topic"))]
    pub billed: String,
    /// Commands (every change of a setting), read; kept for ever.
    #[schemars(extend("format" = "topic"))]
    pub commands: String,
    /// The journal: what was folded, in order, written and read.
    #[schemars(extend("format" = "topic"))]
    pub journal: String,
    /// Thresholds crossed, written.
    #[schemars(extend("format" = "topic"))]
    pub threshold_crossed: String,
    /// Limits reached, written.
    #[schemars(extend("format" = "topic"))]
    pub limit_reached: String,
    /// Block records, written; compacted, so that its last record of a key is the truth.
    #[schemars(extend("format" = "topic"))]
    pub block_state: String,
    /// Rejected lines with their bytes, written.
    #[schemars(extend("format" = "topic"))]
    pub dead_letter: String,
    /// Inbound messages, read by the gate for `gate.session_rule`.
    #[schemars(extend("format" = "topic"))]
    pub received: String,
    /// What is to be delivered by the notifier and what was, written and read; compacted.
    #[schemars(extend("format" = "topic"))]
    pub deliveries: String,
    /// Notifications that were given up, with their whole story, written.
    #[schemars(extend("format" = "topic"))]
    pub undelivered: String,
    /// Short messages that the carrier is asked to send, written.
    #[schemars(extend("format" = "topic"))]
    pub sms_requests: String,
    /// Partitions of every topic that `topics create` makes. It bounds how far work can be spread
    /// and cannot be changed later: accounts would move to other partitions. If the topic of
    /// billed events exists already, its count is taken instead.
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: u32,
    /// Copies of every topic that `topics create` makes. Below 3 the loss of one broker can lose
    /// acknowledged records or stop the engine; 1 is for trying out.
    #[schemars(range(min = 1, max = 15))]
    pub replication: u16,
    /// Days for which `topics create` lets Kafka keep billed events and the journal; unset is for
    /// ever. A partition whose state directory was lost is rebuilt from them: what Kafka has
    /// dropped cannot be, and such a partition does not start.
    #[schemars(range(min = 2, max = 36_500))]
    pub log_retention_days: Option<u32>,
}

/// How input is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InputOptions {
    /// Encoding of billed events and commands. A record that does not fit it is rejected.
    pub format: InputFormat,
    /// How producers of the billed topic choose the partition of an account. Wrong, it stops the
    /// start, since totals of one account would be kept in two places.
    pub partitioner: Partitioner,
    /// URL of the Schema Registry (`http://registry:8081`), needed for the format `confluent`,
    /// read or written. Unset, records in Confluent framing are rejected.
    #[schemars(extend("format" = "http-url"))]
    pub schema_registry: Option<String>,
    /// User of the Schema Registry (basic authentication). Unset, none is sent.
    #[schemars(extend("minLength" = 1))]
    pub schema_registry_user: Option<String>,
    /// Password of that user; better set by its variable than in a file.
    #[schemars(extend("minLength" = 1))]
    pub schema_registry_password: Option<String>,
    /// Milliseconds in which the Schema Registry must answer, connecting included. Beyond, the
    /// record waits and the call is made again: nothing is decided about it meanwhile.
    #[schemars(range(min = 100, max = 300_000))]
    pub schema_registry_timeout_ms: u32,
    /// Files with Avro schemas (`.avsc`) of producers that write single objects with other schemas
    /// than ours. A record whose schema is not known is rejected.
    #[schemars(extend("type" = ["array", "string"]))]
    #[schemars(extend("items" = {"type": "string", "minLength": 1}))]
    pub writer_schemas: Vec<PathBuf>,
}

/// Encoding of records that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InputFormat {
    /// Recognised record by record: `{` begins JSON, C3 01 Avro single-object encoding, 00
    /// Confluent framing.
    Auto,
    /// One JSON object a record.
    Json,
    /// Avro single-object encoding; needs no registry.
    AvroSingle,
    /// Avro in Confluent framing; needs a Schema Registry.
    Confluent,
}

/// How a key chooses its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Partitioner {
    /// As Java's client does by default (librdkafka: `murmur2_random`).
    Murmur2,
    /// As librdkafka does by default (`consistent_random`).
    Crc32,
}

/// How decisions are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutputOptions {
    /// Encoding of decisions, block records and dead letters. Changing it leaves older records as
    /// they are: consumers must read both until those have expired.
    pub format: OutputFormat,
}

/// Encoding of records that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutputFormat {
    /// One JSON object a record.
    Json,
    /// Avro single-object encoding; needs no registry.
    AvroSingle,
    /// Avro in Confluent framing; registers its schemas in the Schema Registry.
    Confluent,
}

/// The loop that folds, journals and publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EngineOptions {
    /// Threads that fold; a partition belongs to one of them. Unset is one for each core.
    #[schemars(range(min = 1, max = 1_024))]
    pub threads: Option<u16>,
    /// Directory of the state, one folder for each partition. It is a cache: lost, it is rebuilt
    /// from the topics, which takes time. One process at a time may use it.
    #[schemars(extend("minLength" = 1))]
    pub state_dir: PathBuf,
    /// Lines of one batch, at most. More folds faster, fewer decide sooner under load.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batch_lines_max: usize,
    /// Bytes of input of one batch, at most (one line may exceed it alone).
    #[schemars(range(min = 1_024, max = 1_073_741_824))]
    pub batch_bytes_max: usize,
    /// Journal records of a partition that may await acknowledgement, at most. More hides a slow
    /// broker, and throws away more work when an append is lost. The client has five requests under
    /// way at most, and spins while a sixth record waits for its turn.
    #[schemars(range(min = 1, max = 5))]
    pub appends_in_flight_max: usize,
    /// Output records of a partition that may await acknowledgement; at this bound the partition
    /// stops folding until outputs get through.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub outputs_outstanding_max: usize,
    /// Milliseconds between checkpoints of a partition. Longer writes less, and folds more again
    /// after a crash.
    #[schemars(range(min = 100, max = 3_600_000))]
    pub checkpoint_interval_ms: u32,
    /// Lines folded since the last checkpoint at which the next is due before its time. A line
    /// changes up to a dozen rows, which wait in memory until they are written.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub checkpoint_lines_max: usize,
    /// Bytes of memory for the state of the whole process: a quarter, 256 MiB at most, for what
    /// its databases cache, the rest divided over all partitions for rows, remembered ids (64 bytes
    /// each), accounts and checkpoints on their way. Beyond, rows at rest are evicted, and loaded
    /// from disk when they are touched again; a row that changed stays until it is written, which
    /// the fold does not wait for. Queues and code come on top.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_u64))]
    pub memory_bytes_max: usize,
    /// Minutes for which an event's id is remembered: a repetition within them is counted once. It
    /// is part of the rules: all processes of a deployment must have the same.
    #[schemars(range(min = 1, max = 1_440))]
    pub dedup_minutes: u16,
    /// Days for which totals of days are kept. An event later than that is still journaled, but
    /// its day begins at nothing again.
    #[schemars(range(min = 2, max = 36_500))]
    pub retention_days: u16,
    /// Months for which totals of months are kept.
    #[schemars(range(min = 2, max = 1_200))]
    pub retention_months: u16,
    /// Milliseconds by which this host's clock may differ from the brokers'. Beyond, the engine
    /// does not append, and says so: a wrong clock would close windows at the wrong time.
    #[schemars(range(min = 100, max = 60_000))]
    pub clock_skew_max_ms: u32,
    /// Address (`host:port`) under which other processes reach this one; it goes into the journal
    /// as the owner's, and requests about its accounts are passed on to it. Unset is the address
    /// listened on.
    #[schemars(extend("format" = "host-port"))]
    pub advertised: Option<String>,
}

/// What is logged, to standard error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogOptions {
    /// Form of a log line.
    pub format: LogFormat,
    /// The least severe level that is logged. Nothing is logged for each event above debug.
    pub level: LogLevel,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "engine", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Needs a person.
    Error,
    /// Survived.
    Warn,
    /// A change of condition.
    Info,
    /// For finding out.
    Debug,
    /// Everything.
    Trace,
}

impl Default for KafkaOptions {
    fn default() -> KafkaOptions {
        KafkaOptions {
            bootstrap: vec!["127.0.0.1:9092".to_owned()],
            group: "tollgate".to_owned(),
            session_timeout_ms: 10_000,
            instance_id: None,
            request_timeout_ms: 15_000,
            client: BTreeMap::new(),
        }
    }
}

impl Default for TopicsOptions {
    fn default() -> TopicsOptions {
        TopicsOptions {
            billed: "messages.billed".to_owned(),
            commands: "tollgate.commands".to_owned(),
            journal: "tollgate.journal".to_owned(),
            threshold_crossed: "tollgate.threshold-crossed".to_owned(),
            limit_reached: "tollgate.limit-reached".to_owned(),
            block_state: "tollgate.block-state".to_owned(),
            dead_letter: "tollgate.dead-letter".to_owned(),
            received: "messages.received".to_owned(),
            deliveries: "tollgate.deliveries".to_owned(),
            undelivered: "tollgate.undelivered".to_owned(),
            sms_requests: "tollgate.sms-requests".to_owned(),
            partitions: 8,
            replication: 3,
            log_retention_days: None,
        }
    }
}

impl Default for InputOptions {
    fn default() -> InputOptions {
        InputOptions {
            format: InputFormat::Auto,
            partitioner: Partitioner::Murmur2,
            schema_registry: None,
            schema_registry_user: None,
            schema_registry_password: None,
            schema_registry_timeout_ms: 5_000,
            writer_schemas: Vec::new(),
        }
    }
}

impl Default for OutputOptions {
    fn default() -> OutputOptions {
        OutputOptions { format: OutputFormat::Json }
    }
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            threads: None,
            state_dir: PathBuf::from("state"),
            batch_lines_max: 4_096,
            batch_bytes_max: 4 * 1024 * 1024,
            appends_in_flight_max: 4,
            outputs_outstanding_max: 100_000,
            checkpoint_interval_ms: 5_000,
            checkpoint_lines_max: 1_000_000,
            memory_bytes_max: 2 * 1024 * 1024 * 1024,
            dedup_minutes: 10,
            retention_days: 40,
            retention_months: 14,
            clock_skew_max_ms: 5_000,
            advertised: None,
        }
    }
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions { format: LogFormat::Text, level: LogLevel::Info }
    }
}

impl EngineOptions {
    /// Threads that fold: as configured, or one for each core.
    #[must_use]
    pub fn threads(&self) -> usize {
        match self.threads {
            Some(threads) => usize::from(threads),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
