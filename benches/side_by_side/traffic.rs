//! What is written to topics and files: the generator's traffic of a carrier with 200 countries,
//! encoded as Avro or JSON. Events occur now.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use tollgate::fold::event::{BilledEvent, Text};
use tollgate::generate::{Body, Generated, LineWriter, Options, Shares, Traffic};
use tollgate::time::Millis;
use tollgate::wire::container::{LogWriter, log_schema};
use tollgate::wire::{Encoder, Issued, OutputFormat, Topics as EncoderTopics};

use crate::engine::Topics;

/// Countries that events go to; a few take most.
const COUNTRIES: u64 = 200;

pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a clock after 1970").as_millis() as i64
}

/// Of how many times the events limits would be sized for a whole log: thresholds are crossed once
/// in a window, and a bench lasts but a moment of one.
const LOGS_IN_A_WINDOW: u64 = 10;

/// Where nothing else is said.
pub const PROFILES_PER_ACCOUNT: u32 = 10;

/// Profiles are spread over accounts, evenly.
pub fn options(events: u64, profiles: u32, limits_per_account: u32) -> Options {
    Options {
        events,
        accounts: profiles.div_ceil(PROFILES_PER_ACCOUNT).min(1_000_000),
        profiles_per_account: PROFILES_PER_ACCOUNT,
        limits_per_account,
        limits_sized_for: events.checked_mul(LOGS_IN_A_WINDOW),
        gap_us: 0,
        start: Millis(now_ms()),
        shares: Shares::default(),
        ..Options::default()
    }
}

/// The generator's lines, with more countries.
pub fn lines(options: &Options) -> impl Iterator<Item = Generated> + Send + use<> {
    Traffic::new(options).expect("good options").map(|mut line| {
        if let Body::Billed(event) = &mut line.body {
            widen(event);
        }
        line
    })
}

fn widen(event: &mut BilledEvent<'_>) {
    let Some(country) = &mut event.country else { return };
    let number =
        event.event_id.bytes().fold(0_u64, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte));
    let drawn = number % COUNTRIES;
    let skewed = drawn * drawn / COUNTRIES;
    let letters = [b'A' + (skewed / 26) as u8, b'A' + (skewed % 26) as u8];
    *country = Text::Owned(letters.map(char::from).iter().collect());
}

/// Encodes lines as records.
pub struct Records {
    json: LineWriter,
    /// `None` writes JSON.
    avro: Option<Encoder>,
}

impl Records {
    pub fn new(avro: bool) -> Records {
        let encoder =
            || Encoder::new(OutputFormat::AvroSingle, EncoderTopics::default(), None).unwrap();
        Records { json: LineWriter::for_topic(), avro: avro.then(encoder) }
    }

    pub fn encode(&mut self, line: &Generated, out: &mut Vec<u8>) {
        out.clear();
        match (&self.avro, &line.body) {
            (Some(encoder), Body::Billed(event)) => {
                out.extend(encoder.encode_billed(event, None).unwrap());
            }
            (Some(encoder), Body::Setting(setting)) => {
                let issued = Issued {
                    at: setting.issued_at,
                    actor: Some(setting.actor),
                    reason: setting.reason,
                    recorded_at: None,
                };
                let encoded = encoder.encode_command(&setting.command, issued).unwrap();
                out.extend(encoded.unwrap_or_default());
            }
            _ => {
                self.json.write(line, out);
                out.pop();
            }
        }
    }
}

pub struct Writer {
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Writer {
    pub fn new(bootstrap: &str, linger_ms: u32) -> Writer {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("partitioner", "murmur2_random")
            .set("enable.idempotence", "true")
            .set("linger.ms", linger_ms.to_string())
            .set("compression.type", "lz4")
            .create()
            .expect("a producer can be made");
        Writer { producer }
    }

    pub fn send(&self, topic: &str, key: &str, value: &[u8]) {
        self.put(BaseRecord::to(topic).key(key).payload(value));
    }

    pub fn send_to(&self, topic: &str, partition: i32, key: &str, value: &[u8]) {
        self.put(BaseRecord::to(topic).partition(partition).key(key).payload(value));
    }

    fn put(&self, mut record: BaseRecord<'_, str, [u8]>) {
        loop {
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err((error, record)) => panic!("writing {}: {error}", record.topic),
            }
        }
    }

    pub fn flush(&self) {
        self.producer.flush(Duration::from_secs(60)).expect("the broker takes what was sent");
    }
}

/// Fills both topics.
pub fn fill(bootstrap: &str, topics: &Topics, options: &Options, avro: bool) {
    let writer = Writer::new(bootstrap, 20);
    let (mut records, mut bytes) = (Records::new(avro), Vec::new());
    for line in lines(options) {
        records.encode(&line, &mut bytes);
        let command = matches!(line.body, Body::Setting(_));
        let topic = if command { &topics.commands } else { &topics.billed };
        if !bytes.is_empty() {
            writer.send(topic, line.account_id(), &bytes);
        }
    }
    writer.flush();
}

/// Writes the same lines as a container file and as NDJSON; gives how many.
pub fn files(options: &Options, avro: &Path, json: &Path) -> u64 {
    let create = |path: &Path| BufWriter::new(File::create(path).expect("a log can be written"));
    let (schema, mut count) = (log_schema(), 0);
    let mut container = LogWriter::new(&schema, create(avro)).unwrap();
    let (mut text, mut writer) = (create(json), LineWriter::for_file());
    let mut bytes = Vec::new();
    for line in lines(options) {
        match &line.body {
            Body::Billed(event) => container.billed(event, Some(line.recorded_at)).unwrap(),
            Body::Setting(setting) => {
                let issued = Issued {
                    at: setting.issued_at,
                    actor: Some(setting.actor),
                    reason: setting.reason,
                    recorded_at: Some(line.recorded_at),
                };
                container.command(&setting.command, issued).unwrap();
            }
            // A container holds nothing that is no record.
            Body::Garbage { .. } => continue,
        }
        count += 1;
        bytes.clear();
        writer.write(&line, &mut bytes);
        text.write_all(&bytes).expect("a log can be written");
    }
    container.finish().unwrap().flush().expect("a log can be written");
    text.flush().expect("a log can be written");
    count
}
