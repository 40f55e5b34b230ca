//! From the configuration to the engine's own options. The demo starts the engine by it too.

use crate::config::{self, Config};
use crate::engine::kafka;
use crate::engine::options::Options;
use crate::engine::runner::{Desk, Setup};
use crate::error::Error;
use crate::journal::{Owner, Partitioner};
use crate::store::rocks;
use crate::telemetry::Telemetry;
use crate::wire::{self, Decoder, Encoder, RegistryOptions};

/// What the engine runs with, upon topics of `partitions` partitions; other processes reach this
/// one at `address`.
///
/// # Errors
/// When a client's property or the registry's address is refused.
pub fn setup(
    config: &Config,
    partitions: usize,
    address: &str,
    telemetry: &Telemetry,
) -> Result<(Setup, Decoder), Error> {
    let kafka = kafka::Kafka::new(kafka_options(config));
    let kafka = kafka.map_err(|error| refused("a Kafka client", &error))?;
    let registry = registry(config);
    let decoder = decoder(config)?;
    let encoder =
        Encoder::new(output_format(config.output.format), topics(config), registry.as_ref());
    let encoder = encoder.map_err(|error| refused("the encoder", &error))?;
    let threads = config.engine.threads.map_or_else(cores, usize::from);
    let databases = rocks::Options::within(config.engine.memory_bytes_max);
    let rows_bytes_max = config.engine.memory_bytes_max - databases.cache_bytes;
    let setup = Setup {
        kafka,
        encoder,
        options: options(config, rows_bytes_max, partitions, address),
        threads,
        state_dir: config.engine.state_dir.clone(),
        databases,
        telemetry: telemetry.clone(),
        desk: Desk::default(),
    };
    Ok((setup, decoder))
}

/// Reads what producers write.
///
/// # Errors
/// When a writer schema or the registry's address is refused.
pub fn decoder(config: &Config) -> Result<Decoder, Error> {
    Decoder::new(&wire_options(config)?).map_err(|error| refused("the decoder", &error))
}

/// How records are encoded.
///
/// # Errors
/// When a file with a writer schema cannot be read.
pub fn wire_options(config: &Config) -> Result<wire::Options, Error> {
    Ok(wire::Options {
        format: input_format(config.input.format),
        registry: registry(config),
        writer_schemas: writer_schemas(config)?,
    })
}

fn refused(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::failed(format!("{what} cannot be made: {error}"))
        .remedy("mend the configuration; `tollgate config check` names keys and ranges")
}

fn registry(config: &Config) -> Option<RegistryOptions> {
    config.input.schema_registry.clone().map(|url| RegistryOptions {
        url,
        timeout_ms: u64::from(config.input.schema_registry_timeout_ms),
        user: config.input.schema_registry_user.clone(),
        password: config.input.schema_registry_password.clone(),
    })
}

/// The schemas of producers, by the names of their files.
fn writer_schemas(config: &Config) -> Result<Vec<(String, String)>, Error> {
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::usage(format!("input.writer_schemas: {} cannot be read", path.display()))
                .because(error)
                .remedy("name files of Avro schemas in JSON that this user may read")
        })?;
        Ok((path.display().to_string(), text))
    };
    config.input.writer_schemas.iter().map(read).collect()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Takes some 0.2 ms.
const GATHERED_AT_ONCE: usize = 1_000;

fn options(config: &Config, memory_bytes_max: usize, partitions: usize, address: &str) -> Options {
    let engine = &config.engine;
    let address = address.to_owned();
    let run = format!("{:016x}", rand::random::<u64>());
    Options {
        batch_lines_max: engine.batch_lines_max,
        batch_bytes_max: engine.batch_bytes_max,
        appends_in_flight_max: engine.appends_in_flight_max,
        outputs_outstanding_max: engine.outputs_outstanding_max,
        checkpoint_interval_ms: i64::from(engine.checkpoint_interval_ms),
        checkpoint_lines_max: engine.checkpoint_lines_max,
        gathered_at_once: GATHERED_AT_ONCE,
        memory_bytes_max: memory_bytes_max / partitions.max(1),
        dedup_minutes: u32::from(engine.dedup_minutes),
        retention_days: u32::from(engine.retention_days),
        retention_months: u32::from(engine.retention_months),
        clock_skew_max_ms: i64::from(engine.clock_skew_max_ms),
        owner: Owner { address, run },
        partition: 0,
        partitions: u32::try_from(partitions).unwrap_or(u32::MAX),
        partitioner: partitioner(config),
        billed_topic: config.topics.billed.clone(),
        commands_topic: config.topics.commands.clone(),
    }
}

pub fn partitioner(config: &Config) -> Partitioner {
    match config.input.partitioner {
        config::Partitioner::Murmur2 => Partitioner::Murmur2,
        config::Partitioner::Crc32 => Partitioner::Crc32,
    }
}

fn kafka_options(config: &Config) -> kafka::Options {
    let topics = &config.topics;
    kafka::Options {
        bootstrap: config.kafka.bootstrap.join(","),
        group: config.kafka.group.clone(),
        client: config.kafka.client.clone(),
        session_timeout_ms: config.kafka.session_timeout_ms,
        instance_id: config.kafka.instance_id.clone(),
        topics: kafka::Topics {
            billed: topics.billed.clone(),
            commands: topics.commands.clone(),
            journal: topics.journal.clone(),
            threshold_crossed: topics.threshold_crossed.clone(),
            limit_reached: topics.limit_reached.clone(),
            block_state: topics.block_state.clone(),
            dead_letter: topics.dead_letter.clone(),
        },
    }
}

fn topics(config: &Config) -> wire::Topics {
    let topics = &config.topics;
    wire::Topics {
        billed: topics.billed.clone(),
        commands: topics.commands.clone(),
        threshold_crossed: topics.threshold_crossed.clone(),
        limit_reached: topics.limit_reached.clone(),
        block_state: topics.block_state.clone(),
        dead_letter: topics.dead_letter.clone(),
    }
}

fn input_format(format: config::InputFormat) -> wire::InputFormat {
    match format {
        config::InputFormat::Auto => wire::InputFormat::Auto,
        config::InputFormat::Json => wire::InputFormat::Json,
        config::InputFormat::AvroSingle => wire::InputFormat::AvroSingle,
        config::InputFormat::Confluent => wire::InputFormat::Confluent,
    }
}

fn output_format(format: config::OutputFormat) -> wire::OutputFormat {
    match format {
        config::OutputFormat::Json => wire::OutputFormat::Json,
        config::OutputFormat::AvroSingle => wire::OutputFormat::AvroSingle,
        config::OutputFormat::Confluent => wire::OutputFormat::Confluent,
    }
}
