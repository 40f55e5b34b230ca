//! The couriers of the partitions that this process owns. Promise: once a partition is given up,
//! its couriers begin nothing more, and those with an attempt under way are waited for.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::courier::Courier;
use super::delivery::Delivery;
use super::{Shared, locked};

pub struct Crew {
    shared: Arc<Shared>,
    runtime: Handle,
    posts: Mutex<HashMap<i32, Post>>,
    /// Each delivery has one courier.
    carried: Arc<Mutex<HashSet<Uuid>>>,
}

/// What keeps the couriers of a partition together.
struct Post {
    parted: watch::Sender<bool>,
    /// Each courier holds a clone: when the last is gone, `gone` ends.
    alive: mpsc::Sender<()>,
    gone: mpsc::Receiver<()>,
}

impl Crew {
    #[must_use]
    pub fn new(shared: Arc<Shared>, runtime: Handle) -> Crew {
        Crew { shared, runtime, posts: Mutex::default(), carried: Arc::default() }
    }

    #[must_use]
    pub fn owns(&self, partition: i32) -> bool {
        locked(&self.posts).contains_key(&partition)
    }

    #[must_use]
    pub fn owned(&self) -> Vec<i32> {
        locked(&self.posts).keys().copied().collect()
    }

    /// Deliveries that have not ended.
    #[must_use]
    pub fn under_way(&self) -> usize {
        locked(&self.carried).len()
    }

    /// The partition is ours from now on, with all that is pending there.
    pub fn join(&self, partition: i32) {
        let (alive, gone) = mpsc::channel(1);
        let post = Post { parted: watch::Sender::new(false), alive, gone };
        locked(&self.posts).insert(partition, post);
        tracing::info!(partition, "notifications of a partition are ours");
        self.send_all(partition);
    }

    /// Sends couriers for all that is pending and has none.
    pub fn send_all(&self, partition: i32) {
        for delivery in self.shared.pending(partition) {
            self.send(partition, delivery);
        }
    }

    /// Sends a courier, unless the delivery has one or the partition is not ours any more.
    pub fn send(&self, partition: i32, delivery: Delivery) {
        let posts = locked(&self.posts);
        let Some(post) = posts.get(&partition) else { return };
        let (alive, parted) = (post.alive.clone(), post.parted.subscribe());
        let courier = Courier { shared: Arc::clone(&self.shared), partition, parted };
        let (carried, id) = (Arc::clone(&self.carried), delivery.id);
        if !locked(&carried).insert(id) {
            return;
        }
        self.runtime.spawn(async move {
            courier.carry(delivery).await;
            locked(&carried).remove(&id);
            drop(alive);
        });
    }

    /// The partitions are ours no more. Waits for attempts under way, so long at most.
    pub fn part(&self, partitions: &[i32], wait: Duration) {
        let posts: Vec<_> = {
            let mut all = locked(&self.posts);
            partitions.iter().filter_map(|partition| all.remove(partition)).collect()
        };
        for post in &posts {
            post.parted.send_replace(true);
        }
        let gone = async {
            for Post { parted, alive, mut gone } in posts {
                drop(alive);
                // Nothing is ever sent: it ends with the last courier.
                let _ = gone.recv().await;
                drop(parted);
            }
        };
        if self.runtime.block_on(async { tokio::time::timeout(wait, gone).await }).is_err() {
            tracing::warn!(?partitions, "attempts were still under way when their partition went");
        }
    }
}
