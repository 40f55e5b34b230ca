//! The producers: one for the outputs of all partitions, and one per journal partition with
//! spares made ahead of need. Promise: every record goes to the partition that is named, and a
//! producer that broke is replaced. What was under way in it is for the engine to repeat.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer, PurgeConfig};

use super::acks::Ticket;
use super::client::{Context, config, retire};
use super::polled::PolledProducer;
use super::{Error, Fault, Options};

/// Journal producers made ahead of need: the first acknowledgement of a new one takes half a
/// second, since it asks for its producer id on a timer. More losses at once than this wait.
const SPARES: usize = 2;

/// How long a new spare may take to learn where the journal's partitions are; without, its first
/// append learns it.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// What journal and outputs have in common. Order and no repeats within a producer's life.
const PINNED: [(&str, &str); 2] = [("enable.idempotence", "true"), ("acks", "all")];

/// An append is worth more early than batched, and is given up early: the chain, not the client,
/// makes it safe to try again. Bound: 16 MiB or 10,000 records under way, then `Full`.
const JOURNAL: [(&str, &str); 7] = [
    ("linger.ms", "0"),
    ("message.timeout.ms", "5000"),
    ("request.timeout.ms", "3000"),
    ("socket.timeout.ms", "3000"),
    ("retry.backoff.ms", "20"),
    ("queue.buffering.max.messages", "10000"),
    ("queue.buffering.max.kbytes", "16384"),
];

/// An output is worth being tried for long. Bound: 64 MiB or 100,000 records under way in the
/// process, then `Full`.
const OUTPUTS: [(&str, &str); 5] = [
    ("linger.ms", "1"),
    ("compression.type", "lz4"),
    ("message.timeout.ms", "120000"),
    ("queue.buffering.max.messages", "100000"),
    ("queue.buffering.max.kbytes", "65536"),
];

/// A record on its way to a partition.
pub(super) struct Outgoing<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub ticket: Box<Ticket>,
}

fn send(client: &PolledProducer, outgoing: Outgoing<'_>) -> Result<(), KafkaError> {
    let mut record =
        BaseRecord::<'_, [u8], [u8], Box<Ticket>>::with_opaque_to(outgoing.topic, outgoing.ticket)
            .partition(outgoing.partition);
    record.key = outgoing.key;
    record.payload = outgoing.value;
    client.send(record).map_err(|(error, _)| error)
}

/// The producer of one journal partition.
pub(super) struct JournalProducer(Option<PolledProducer>);

impl JournalProducer {
    fn new(config: &ClientConfig) -> Result<JournalProducer, KafkaError> {
        let context = Context::new("the journal producer");
        Ok(JournalProducer(Some(PolledProducer::new(config, context)?)))
    }

    fn client(&self) -> &PolledProducer {
        self.0.as_ref().expect("only dropping takes the client out")
    }

    pub(super) fn send(&self, outgoing: Outgoing<'_>) -> Result<(), KafkaError> {
        send(self.client(), outgoing)
    }
}

/// What has not left yet never will; what has may still land.
impl Drop for JournalProducer {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            client.purge(PurgeConfig::default().queue().inflight().non_blocking());
            retire(client);
        }
    }
}

/// Where journal producers come from.
pub(super) struct JournalProducers {
    config: ClientConfig,
    spares: Arc<Mutex<Vec<JournalProducer>>>,
    /// Asks the thread for one more spare; the thread ends with it.
    wanted: Sender<()>,
}

impl JournalProducers {
    pub(super) fn new(options: &Options) -> Result<JournalProducers, Error> {
        let config = config(options, &JOURNAL, &PINNED);
        let spares = Arc::default();
        let (wanted, asked) = mpsc::channel();
        let maker = SpareMaker {
            config: config.clone(),
            topic: options.topics.journal.clone(),
            spares: Arc::clone(&spares),
        };
        std::thread::Builder::new()
            .name("kafka-spares".to_owned())
            .spawn(move || maker.run(&asked))
            .map_err(|error| failed(error.into()))?;
        let producers = JournalProducers { config, spares, wanted };
        for _ in 0..SPARES {
            producers.want();
        }
        Ok(producers)
    }

    /// A spare, or a new one if there is none.
    pub(super) fn take(&self) -> Result<JournalProducer, Error> {
        let spare = lock(&self.spares).pop();
        self.want();
        match spare {
            Some(spare) => Ok(spare),
            None => JournalProducer::new(&self.config).map_err(|error| failed(error.into())),
        }
    }

    fn want(&self) {
        // Without its thread there are no spares, and each producer is made when it is needed.
        let _ = self.wanted.send(());
    }
}

fn failed(source: Fault) -> Error {
    Error { client: "the journal producer", source }
}

/// A vector is whole whatever panicked while holding it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct SpareMaker {
    config: ClientConfig,
    topic: String,
    spares: Arc<Mutex<Vec<JournalProducer>>>,
}

impl SpareMaker {
    fn run(&self, asked: &Receiver<()>) {
        while asked.recv().is_ok() {
            if lock(&self.spares).len() >= SPARES {
                continue;
            }
            match JournalProducer::new(&self.config) {
                Ok(spare) => {
                    // Its answer is of no interest: it stays in the client's cache.
                    let _ =
                        spare.client().client().fetch_metadata(Some(&self.topic), WARM_UP_TIMEOUT);
                    lock(&self.spares).push(spare);
                }
                Err(error) => tracing::warn!(%error, "no spare journal producer"),
            }
        }
    }
}

/// The producer of all outputs of the process.
pub(super) struct Outputs {
    config: ClientConfig,
    client: RwLock<PolledProducer>,
}

impl Outputs {
    pub(super) fn new(options: &Options) -> Result<Outputs, Error> {
        let config = config(options, &OUTPUTS, &PINNED);
        let client = Outputs::client(&config)
            .map_err(|error| Error { client: "the output producer", source: error.into() })?;
        Ok(Outputs { config, client: RwLock::new(client) })
    }

    fn client(config: &ClientConfig) -> Result<PolledProducer, KafkaError> {
        PolledProducer::new(config, Context::new("the output producer"))
    }

    pub(super) fn send(&self, outgoing: Outgoing<'_>) -> Result<(), KafkaError> {
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        let sent = send(&client, outgoing);
        drop(client);
        if sent == Err(KafkaError::MessageProduction(RDKafkaErrorCode::Fatal)) {
            self.replace_broken()?;
            // Not the fatal error itself: the next try finds another producer.
            return Err(KafkaError::MessageProduction(RDKafkaErrorCode::Retry));
        }
        sent
    }

    /// An idempotent producer that lost its place in the sequence takes nothing any more.
    fn replace_broken(&self) -> Result<(), KafkaError> {
        let mut client = self.client.write().unwrap_or_else(PoisonError::into_inner);
        let Some((code, reason)) = client.client().fatal_error() else {
            return Ok(()); // another partition was faster
        };
        tracing::warn!(%code, reason, "the output producer broke and is replaced");
        retire(std::mem::replace(&mut *client, Outputs::client(&self.config)?));
        Ok(())
    }
}
