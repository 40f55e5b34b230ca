//! Tells people of limits reached and thresholds crossed: webhooks, e-mail, Slack, short messages.
//! Promise: what is to be told, what was sent and what comes next stands in a topic, so that a
//! crash forgets nothing and repeats nothing whose acknowledgement was recorded; no target inside a
//! private network is ever connected to unless it was allowed.
//!
//! A decision walks: `feed` (read as a member of the group) -> `planner`, `plan` (who is told) ->
//! `ledger` (written down) -> `courier` (carried, attempt by attempt) -> `channels` (webhook, mail,
//! Slack, short message) -> `ledger` (ended). A notifier that takes a partition over goes on from
//! the ledger.

pub mod backoff;
pub mod channel;
mod channels;
mod courier;
mod crew;
pub mod delivery;
mod endpoints;
mod feed;
pub mod http;
mod lease;
pub mod ledger;
mod log;
pub mod mail;
mod options;
pub mod plan;
mod planner;
pub mod record;
#[cfg(test)]
mod samples;
pub mod signing;
mod slack;
mod sms;
mod story;
mod text;
pub mod trial;
pub mod webhook;
pub mod words;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::error::KafkaError;
use tokio::runtime::Handle;
use uuid::Uuid;

pub use channels::Channels;
pub use options::{Options, Topics};

use self::crew::Crew;
use self::delivery::Delivery;
use self::endpoints::Endpoints;
use self::feed::Feed;
use self::lease::Lease;
use self::ledger::{Ledger, State};
use self::log::Log;
use self::planner::Planner;
use self::record::{Record, Told};
use crate::settings::known::Known;
use crate::tail::{self, SharedClock, Tail, Taken};
use crate::telemetry::{NotifyMetrics, NotifySeen};
use crate::time::Millis;
use crate::wire::Decoder;

/// How long the start waits for the settings, and as long for the ledger.
const START_WAIT: Duration = Duration::from_secs(60);

/// Why a notifier does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a kafka client of notify cannot be set up")]
    Client(#[from] KafkaError),
    #[error("what notify knows cannot be read")]
    Tail(#[from] tail::Error),
    #[error("no thread for notify")]
    Thread(#[from] std::io::Error),
}

/// What all parts of a notifier share.
struct Shared {
    options: Options,
    clock: SharedClock,
    lease: Lease,
    log: Log,
    known: Arc<Known>,
    channels: Channels,
    endpoints: Endpoints,
    metrics: NotifyMetrics,
    ledgers: Arc<Mutex<HashMap<i32, Ledger>>>,
    /// Feeds the ledgers.
    tail: Tail,
}

/// A notifier at work. Dropping it leaves the group and waits for attempts under way.
pub struct Notifier {
    stopping: Arc<AtomicBool>,
    feed: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    crew: Arc<Crew>,
}

impl Notifier {
    /// Reads settings and ledgers, joins the group, and begins. `attempt_max` is how long one
    /// attempt may take: what a partition that is given up waits for.
    ///
    /// # Errors
    /// When a topic is missing, a property is refused, or the settings are not read in time.
    pub fn start(
        options: Options,
        known: Arc<Known>,
        channels: Channels,
        decoder: Decoder,
        metrics: NotifyMetrics,
        clock: SharedClock,
        attempt_max: Duration,
    ) -> Result<Notifier, Error> {
        known.ready(START_WAIT)?;
        let ledgers = Arc::<Mutex<HashMap<i32, Ledger>>>::default();
        let tail = follow(&options, Arc::clone(&ledgers), Arc::clone(&clock))?;
        tail.ready(START_WAIT)?;
        let shared = Arc::new(Shared {
            lease: Lease::new(Arc::clone(&clock)),
            log: Log::new(&options)?,
            endpoints: Endpoints::new(
                options.per_host_max,
                options.attempts_max,
                options.failures_to_pause,
                options.pause_ms,
            ),
            options,
            clock,
            known,
            channels,
            metrics,
            ledgers,
            tail,
        });
        let runtime = Handle::current();
        let crew = Arc::new(Crew::new(Arc::clone(&shared), runtime.clone()));
        let planner = Planner::new(Arc::clone(&shared), decoder, runtime);
        let feed = Feed::join(Arc::clone(&shared), Arc::clone(&crew), planner, attempt_max)?;
        let stopping = Arc::<AtomicBool>::default();
        let stop = Arc::clone(&stopping);
        let feed = std::thread::Builder::new()
            .name("notify".to_owned())
            .spawn(move || feed.attend(&stop))?;
        Ok(Notifier { stopping, feed: Some(feed), shared, crew })
    }

    /// What waits here.
    pub fn seen(&self) -> impl Fn() -> NotifySeen + Send + Sync + use<> {
        let (shared, crew) = (Arc::clone(&self.shared), Arc::clone(&self.crew));
        move || shared.seen(&crew.owned())
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(feed) = self.feed.take()
            && feed.join().is_err()
        {
            tracing::error!("the thread of notify panicked");
        }
    }
}

/// Reads the topic of deliveries into the ledgers, from its beginning and as it grows.
fn follow(
    options: &Options,
    ledgers: Arc<Mutex<HashMap<i32, Ledger>>>,
    clock: SharedClock,
) -> Result<Tail, tail::Error> {
    let topic = &options.topics.deliveries;
    let options = tail::Options {
        client: options.client.clone(),
        ..tail::Options::new(&options.bootstrap, topic)
    };
    Tail::start(&options, clock, move |record| {
        let key = String::from_utf8_lossy(record.key.unwrap_or_default());
        let read = record.value.map(Record::read).transpose();
        match read {
            Ok(read) => locked(&ledgers).entry(record.partition).or_default().apply(&key, read),
            Err(error) => {
                let (partition, offset) = (record.partition, record.offset);
                tracing::error!(error, %key, partition, offset, "a delivery's record is damaged");
            }
        }
        Taken::Yes
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// What the ledger of a partition says.
    fn ledger<T>(&self, partition: i32, ask: impl FnOnce(&mut Ledger) -> T) -> T {
        ask(locked(&self.ledgers).entry(partition).or_default())
    }

    /// Takes a record that was written, before it comes back by the topic.
    fn take(&self, partition: i32, record: &Record) {
        self.ledger(partition, |ledger| ledger.apply(&record.key(), Some(record.clone())));
    }

    fn pending(&self, partition: i32) -> Vec<Delivery> {
        self.ledger(partition, |ledger| ledger.pending().cloned().collect())
    }

    fn state_of(&self, partition: i32, id: Uuid) -> State {
        self.ledger(partition, |ledger| ledger.state_of(id))
    }

    fn has_ended(&self, partition: i32, id: Uuid) -> bool {
        self.ledger(partition, |ledger| ledger.has_ended(id))
    }

    fn disabled_at(&self, partition: i32, endpoint: &str) -> Option<Millis> {
        self.ledger(partition, |ledger| ledger.disabled_at(endpoint))
    }

    fn told(&self, partition: i32, account_id: &str, limit_id: &str) -> Option<Told> {
        self.ledger(partition, |ledger| ledger.told(account_id, limit_id).cloned())
    }

    fn forgettable(&self, partition: i32, ended: Millis, told: Millis) -> Vec<String> {
        self.ledger(partition, |ledger| ledger.forgettable(ended, told))
    }

    fn forget(&self, partition: i32, keys: &[String]) {
        self.ledger(partition, |ledger| keys.iter().for_each(|key| ledger.apply(key, None)));
    }

    /// Whether the ledger of a partition is known to an end that was asked for after `since_us`.
    fn ledger_is_whole(&self, partition: i32, since_us: i64) -> bool {
        let progress = self.tail.progress();
        let found = progress.iter().find(|progress| progress.partition == partition);
        found.and_then(|progress| progress.proven_us).is_some_and(|proven| proven >= since_us)
    }

    fn seen(&self, owned: &[i32]) -> NotifySeen {
        let now = self.clock.now();
        let mut seen = NotifySeen {
            endpoints_paused: self.endpoints.paused_count(now),
            ..NotifySeen::default()
        };
        let mut oldest = now;
        for partition in owned {
            self.ledger(*partition, |ledger| {
                for delivery in ledger.pending() {
                    seen.pending += 1;
                    seen.retrying += usize::from(delivery.rounds > 0);
                    oldest = oldest.min(delivery.notice.now);
                }
            });
        }
        seen.oldest = Duration::from_millis(now.0.saturating_sub(oldest.0).unsigned_abs());
        seen
    }
}
