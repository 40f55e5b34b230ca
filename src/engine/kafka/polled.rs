//! A producer and the thread that hands out its acknowledgements. Promise: dropping it ends the
//! thread first. The client library has the same, but that one spins through the last millisecond
//! of each wait: a hundredth of a core for every producer, busy or not.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;

use super::client::Context;

/// How long the thread waits for events before it looks whether it should end. The client waits for
/// whole milliseconds and spins through the rest, so what is above them is less than a thread takes
/// to wake up.
const WAIT: Duration = Duration::from_micros(100_020);

pub(super) struct PolledProducer {
    client: Arc<BaseProducer<Context>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl PolledProducer {
    pub(super) fn new(
        config: &ClientConfig,
        context: Context,
    ) -> Result<PolledProducer, KafkaError> {
        let client = Arc::new(BaseProducer::from_config_and_context(config, context)?);
        let ends = Arc::new(AtomicBool::new(false));
        let (polled, told) = (Arc::clone(&client), Arc::clone(&ends));
        let poll = move || {
            while !told.load(Ordering::Relaxed) {
                polled.poll(WAIT);
            }
        };
        let thread = Builder::new().name("kafka-acks".to_owned()).spawn(poll);
        let thread =
            thread.map_err(|error| KafkaError::ClientCreation(format!("no thread: {error}")))?;
        Ok(PolledProducer { client, ends, thread: Some(thread) })
    }
}

impl Deref for PolledProducer {
    type Target = BaseProducer<Context>;

    fn deref(&self) -> &BaseProducer<Context> {
        &self.client
    }
}

impl Drop for PolledProducer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there showed long ago: no acknowledgement came any more.
            let _panicked = thread.join();
        }
    }
}
