//! Acknowledgements on their way from the clients' threads to the engine.
//! Promise: each append and publish that was begun is acknowledged once, or, an append of a
//! producer that was given up, never. It keeps no record and waits for nothing.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};

use rdkafka::message::{Message, Timestamp};
use rdkafka::producer::DeliveryResult;

use super::Waker;
use crate::engine::log::Ack;
use crate::time::Millis;

/// The acknowledgements of one partition. Bounded by what producers take.
pub(super) struct Acks {
    arrived: Mutex<Arrived>,
    wake: Waker,
}

#[derive(Default)]
struct Arrived {
    acks: VecDeque<Ack>,
    /// Which journal producer appends now, counted from 0.
    generation: u64,
}

/// What waits at the client for its acknowledgement.
pub(super) struct Ticket {
    acks: Arc<Acks>,
    id: u64,
    kind: Kind,
}

enum Kind {
    Append { generation: u64 },
    Publish,
}

impl Acks {
    pub(super) fn new(wake: Waker) -> Arc<Acks> {
        Arc::new(Acks { arrived: Mutex::default(), wake })
    }

    pub(super) fn append_ticket(self: &Arc<Self>, id: u64) -> Box<Ticket> {
        let generation = self.arrived().generation;
        Box::new(Ticket { acks: Arc::clone(self), id, kind: Kind::Append { generation } })
    }

    pub(super) fn publish_ticket(self: &Arc<Self>, id: u64) -> Box<Ticket> {
        Box::new(Ticket { acks: Arc::clone(self), id, kind: Kind::Publish })
    }

    /// Moves all that arrived into `taken`, which must be empty.
    pub(super) fn take(&self, taken: &mut VecDeque<Ack>) {
        assert!(taken.is_empty(), "acknowledgements are taken after those before");
        mem::swap(&mut self.arrived().acks, taken);
    }

    /// From now on no append begun before is acknowledged.
    pub(super) fn forget_appends(&self, taken: &mut VecDeque<Ack>) {
        let mut arrived = self.arrived();
        arrived.generation += 1;
        arrived.acks.retain(is_of_publish);
        taken.retain(is_of_publish);
    }

    fn arrive(&self, ack: Ack, kind: &Kind) {
        let mut arrived = self.arrived();
        if matches!(kind, Kind::Append { generation } if *generation != arrived.generation) {
            return;
        }
        arrived.acks.push_back(ack);
        let first = arrived.acks.len() == 1;
        drop(arrived);
        if first {
            (self.wake)();
        }
    }

    fn arrived(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().expect("no holder of this lock panics")
    }
}

fn is_of_publish(ack: &Ack) -> bool {
    match ack {
        Ack::Published { .. } | Ack::PublishFailed { .. } => true,
        Ack::Appended { .. } | Ack::AppendFailed { .. } => false,
    }
}

impl Ticket {
    /// The record was never sent.
    pub(super) fn fail(self, reason: String) {
        let Ticket { acks, id, kind } = self;
        let ack = match kind {
            Kind::Append { .. } => Ack::AppendFailed { id, reason },
            Kind::Publish => Ack::PublishFailed { id, reason },
        };
        acks.arrive(ack, &kind);
    }

    /// Turns what the client says of a record into its acknowledgement.
    pub(super) fn settle(self, result: &DeliveryResult<'_>) {
        let Ticket { acks, id, kind } = self;
        let ack = match (result, &kind) {
            (Ok(record), Kind::Append { .. }) => Ack::Appended {
                id,
                offset: u64::try_from(record.offset()).ok(),
                timestamp: broker_time(record.timestamp()),
            },
            (Ok(record), Kind::Publish) => {
                Ack::Published { id, offset: u64::try_from(record.offset()).ok() }
            }
            (Err((error, _)), _) => {
                return Ticket { acks, id, kind }.fail(error.to_string());
            }
        };
        acks.arrive(ack, &kind);
    }
}

/// What librdkafka's mock cluster puts where a broker tells its clock.
const MOCK_APPEND_TIME_MS: i64 = 1234;

/// A time that the client itself has set tells nothing about the broker's clock.
fn broker_time(timestamp: Timestamp) -> Option<Millis> {
    match timestamp {
        Timestamp::LogAppendTime(MOCK_APPEND_TIME_MS) => None,
        Timestamp::LogAppendTime(ms) => Some(Millis(ms)),
        Timestamp::CreateTime(_) | Timestamp::NotAvailable => None,
    }
}
