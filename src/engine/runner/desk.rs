//! Where the other roles of a process put their questions to its partitions. Promise: putting one
//! never waits; one that cannot be answered here is dropped, by which its asker knows.

use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};

use super::{Order, Thread};
use crate::engine::partition::Ask;

/// Clone it for each asker. Empty until the engine runs.
#[derive(Clone, Default)]
pub struct Desk(Arc<OnceLock<Vec<Seat>>>);

struct Seat {
    orders: Sender<Order>,
    thread: std::thread::Thread,
}

impl Desk {
    pub(super) fn open(&self, threads: &[Thread]) {
        let seat = |thread: &Thread| Seat {
            orders: thread.orders.clone(),
            thread: thread.join.thread().clone(),
        };
        self.0.get_or_init(|| threads.iter().map(seat).collect());
    }

    /// Puts a question to a partition.
    pub fn ask(&self, partition: u32, ask: Ask) {
        let Some(seats) = self.0.get() else { return };
        let seat = &seats[partition as usize % seats.len()];
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        if seat.orders.send(Order::Ask(partition, Box::new(ask))).is_ok() {
            seat.thread.unpark();
        }
    }
}
