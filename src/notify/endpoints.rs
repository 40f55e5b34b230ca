//! How endpoints fare, and whose turn it is at each host. Promise: a slow host has so many attempts
//! under way and no more, so that it holds up nobody else; an endpoint that keeps failing is left
//! alone for a while, longer each time.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::locked;
use crate::time::Millis;

/// No pause is longer.
const PAUSE_MS_MAX: u64 = 3_600_000;
/// Hosts and endpoints that are remembered while nothing is under way there.
const REMEMBERED_MAX: usize = 10_000;

pub struct Endpoints {
    per_host_max: usize,
    failures_to_pause: u32,
    pause_ms: u64,
    /// Of all hosts together.
    all: Arc<Semaphore>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
    health: Mutex<HashMap<String, Health>>,
}

/// An endpoint that failed since it last worked.
#[derive(Clone, Copy, Debug, Default)]
struct Health {
    failures: u32,
    pauses: u32,
    paused_until: Option<Millis>,
}

/// What an endpoint's failing led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paused {
    pub failures: u32,
    pub until: Millis,
}

/// Held while an attempt is under way.
pub struct Turn {
    _host: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// Names an endpoint of an account without showing its URL: half of a SHA-256, in hex.
#[must_use]
pub fn fingerprint(account_id: &str, url: &str) -> String {
    let digest = Sha256::new().chain_update(account_id).chain_update([0]).chain_update(url);
    let digest = digest.finalize();
    digest.iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

impl Endpoints {
    #[must_use]
    pub fn new(
        per_host_max: usize,
        attempts_max: usize,
        failures_to_pause: u32,
        pause_ms: u64,
    ) -> Endpoints {
        Endpoints {
            per_host_max,
            failures_to_pause,
            pause_ms,
            all: Arc::new(Semaphore::new(attempts_max)),
            hosts: Mutex::default(),
            health: Mutex::default(),
        }
    }

    /// Waits for a turn at the host; in the order of asking.
    pub async fn turn(&self, host: &str) -> Turn {
        let at_host = {
            let mut hosts = locked(&self.hosts);
            if hosts.len() >= REMEMBERED_MAX {
                hosts.retain(|_, turns| Arc::strong_count(turns) > 1);
            }
            let turns = hosts.entry(host.to_owned());
            Arc::clone(turns.or_insert_with(|| Arc::new(Semaphore::new(self.per_host_max))))
        };
        // The host's first: who waits for a slow one shall take no turn from the others.
        let _host = at_host.acquire_owned().await.expect("never closed");
        let _all = Arc::clone(&self.all).acquire_owned().await.expect("never closed");
        Turn { _host, _all }
    }

    /// Until when the endpoint is left alone, if it is.
    #[must_use]
    pub fn paused_until(&self, endpoint: &str, now: Millis) -> Option<Millis> {
        let until = locked(&self.health).get(endpoint)?.paused_until?;
        (until > now).then_some(until)
    }

    /// It answered as it should.
    pub fn succeeded(&self, endpoint: &str) {
        locked(&self.health).remove(endpoint);
    }

    /// It failed once more; tells when that pauses it. While it is paused, failures of attempts
    /// that were under way pause it no longer.
    pub fn failed(&self, endpoint: &str, now: Millis) -> Option<Paused> {
        let mut all = locked(&self.health);
        if all.len() >= REMEMBERED_MAX {
            all.retain(|_, health| health.paused_until.is_some_and(|until| until > now));
        }
        let health = all.entry(endpoint.to_owned()).or_default();
        health.failures = health.failures.saturating_add(1);
        let paused = health.paused_until.is_some_and(|until| until > now);
        if health.failures < self.failures_to_pause || paused {
            return None;
        }
        let longer = self.pause_ms.saturating_mul(1 << health.pauses.min(16));
        let pause = i64::try_from(longer.min(PAUSE_MS_MAX)).unwrap_or(i64::MAX);
        let until = Millis(now.0.saturating_add(pause));
        health.pauses = health.pauses.saturating_add(1);
        health.paused_until = Some(until);
        Some(Paused { failures: health.failures, until })
    }

    /// How many are paused.
    #[must_use]
    pub fn paused_count(&self, now: Millis) -> usize {
        let paused = |health: &&Health| health.paused_until.is_some_and(|until| until > now);
        locked(&self.health).values().filter(paused).count()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Whether the future is done without waiting.
    fn done<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_host_whose_turns_are_taken_holds_up_no_other() {
        let endpoints = Endpoints::new(2, 3, 1, 1);
        let slow = [done(endpoints.turn("slow")), done(endpoints.turn("slow"))];
        assert!(slow.iter().all(Option::is_some));
        assert!(done(endpoints.turn("slow")).is_none());
        let quick = done(endpoints.turn("quick"));
        assert!(quick.is_some(), "who waits for the slow one has no turn of the others");
        assert!(done(endpoints.turn("third")).is_none(), "three in all");
        drop(slow);
        assert!(done(endpoints.turn("slow")).is_some());
    }

    #[test]
    fn pauses_grow_until_it_works_again() {
        let endpoints = Endpoints::new(1, 1, 3, 60_000);
        let failed = |at| endpoints.failed("e", Millis(at)).map(|paused| paused.until.0);
        assert_eq!([failed(0), failed(1), failed(2)], [None, None, Some(60_002)]);
        assert_eq!(failed(3), None, "it was under way when the pause began");
        assert_eq!(endpoints.paused_until("e", Millis(60_001)), Some(Millis(60_002)));
        assert_eq!(endpoints.paused_until("e", Millis(60_002)), None);
        assert_eq!(endpoints.paused_count(Millis(4)), 1);
        assert_eq!(failed(60_002), Some(180_002), "the first failure after a pause");
        let mut at = 180_002;
        for _ in 0..20 {
            at = failed(at).expect("a pause");
        }
        assert_eq!(failed(at), Some(at + 3_600_000));
        endpoints.succeeded("e");
        assert_eq!(failed(at), None);
    }

    #[test]
    fn fingerprints_tell_accounts_and_urls_apart() {
        let one = fingerprint("a", "https://x");
        assert_eq!(one.len(), 32);
        assert_ne!(one, fingerprint("b", "https://x"));
        assert_ne!(one, fingerprint("a", "https://y"));
        assert_ne!(fingerprint("ab", "c"), fingerprint("a", "bc"));
    }
}
