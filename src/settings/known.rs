//! The settings as this process knows them: the command topic, read from its beginning and then as
//! it grows. Promise: whoever waits for an offset sees the command that stood before it; a record
//! that the fold refuses changes nothing here either.

use std::sync::{Arc, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::watch;

use super::Settings;
use crate::tail::{self, Record, SharedClock, Tail, Taken};
use crate::wire::Decoder;

pub struct Known {
    settings: Arc<RwLock<Settings>>,
    /// By partition: the offset behind the last command taken.
    passed: Vec<watch::Receiver<u64>>,
    tail: Tail,
}

const WHOLE: &str = "taking a command in does not panic";

impl Known {
    /// Begins to read.
    ///
    /// # Errors
    /// The tail's.
    pub fn start(
        options: &tail::Options,
        partitions: u32,
        decoder: Decoder,
        audit_entries_max: usize,
        clock: SharedClock,
    ) -> Result<Known, tail::Error> {
        let settings = Arc::new(RwLock::new(Settings::new(audit_entries_max)));
        let (senders, passed): (Vec<_>, Vec<_>) =
            (0..partitions).map(|_| watch::channel(0)).unzip();
        let taken = Arc::clone(&settings);
        let tail = Tail::start(options, clock, move |record: Record<'_>| {
            match decoder.decode_recorded(record.value.unwrap_or_default()) {
                Ok(Some(recorded)) => taken.write().expect(WHOLE).apply(&recorded),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "a command cannot be read yet");
                    return Taken::Later;
                }
            }
            if let Some(passed) = senders.get(record.partition.unsigned_abs() as usize) {
                passed.send_replace(record.offset + 1);
            }
            Taken::Yes
        })?;
        Ok(Known { settings, passed, tail })
    }

    /// Do not hold it over an await.
    pub fn settings(&self) -> RwLockReadGuard<'_, Settings> {
        self.settings.read().expect(WHOLE)
    }

    /// Whether all is known that was recorded before the start.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        self.tail.caught_up()
    }

    /// Waits until all is known that was recorded before the start.
    ///
    /// # Errors
    /// The tail's.
    pub fn ready(&self, timeout: Duration) -> Result<(), tail::Error> {
        self.tail.ready(timeout)
    }

    /// Resolves once the command before this offset is taken.
    pub async fn passed(&self, partition: u32, after: u64) {
        let Some(passed) = self.passed.get(partition as usize) else { return };
        // The senders live as long as the tail, and it as long as this.
        let _ = passed.clone().wait_for(|passed| *passed >= after).await;
    }
}
