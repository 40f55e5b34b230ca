//! Outputs of decided records on their way to the topics. Promise: records leave in order; a
//! failed one is sent again with all behind it; `through` is the greatest position whose outputs,
//! and those of every record before it, are all acknowledged - never assumed.

use std::collections::{HashMap, VecDeque};

use super::log::{self, Log, Output};
use crate::fault_point;

/// A record's outputs.
#[derive(Debug)]
struct Decided {
    seq: u64,
    outputs: Vec<Output>,
    /// Outputs handed to the log so far.
    sent: usize,
    acknowledged: usize,
}

#[derive(Debug)]
pub struct Outbox {
    decided: VecDeque<Decided>,
    /// Position of each publish under way.
    under_way: HashMap<u64, u64>,
    through: Option<u64>,
    outputs: usize,
    /// Index of the first record with unsent outputs.
    cursor: usize,
}

impl Outbox {
    /// Begins behind a position whose outputs are known to be acknowledged.
    #[must_use]
    pub fn new(through: Option<u64>) -> Outbox {
        let (decided, under_way) = (VecDeque::new(), HashMap::new());
        Outbox { decided, under_way, through, outputs: 0, cursor: 0 }
    }

    #[must_use]
    pub fn through(&self) -> Option<u64> {
        self.through
    }

    /// Outputs that are not acknowledged yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outputs
    }

    /// Takes a decided record's outputs, in order of position. Those known to be published are
    /// left out.
    pub fn push(&mut self, seq: u64, outputs: Vec<Output>) {
        if self.through.is_some_and(|through| seq <= through) {
            return;
        }
        self.outputs += outputs.len();
        self.decided.push_back(Decided { seq, outputs, sent: 0, acknowledged: 0 });
        self.settle();
    }

    /// Learns from the chain that everything up to `through` is published.
    pub fn learn(&mut self, through: Option<u64>) {
        if through <= self.through {
            return;
        }
        self.through = through;
        while self.decided.front().is_some_and(|one| Some(one.seq) <= through) {
            self.drop_front();
        }
        self.settle();
    }

    /// Hands unsent outputs to the log until it is full, under ids behind `ids`. True when
    /// something was sent.
    ///
    /// # Errors
    /// The log's, other than `Full`.
    pub fn send(&mut self, log: &mut impl Log, ids: &mut u64) -> Result<bool, log::Error> {
        let mut any = false;
        while let Some(one) = self.decided.get_mut(self.cursor) {
            while let Some(output) = one.outputs.get(one.sent) {
                let id = *ids + 1;
                match publish(log, id, output) {
                    Ok(()) => *ids = id,
                    Err(log::Error::Full(_)) => return Ok(any),
                    Err(error) => return Err(error),
                }
                self.under_way.insert(id, one.seq);
                one.sent += 1;
                any = true;
            }
            self.cursor += 1;
        }
        Ok(any)
    }

    /// True when the publish was one of these.
    pub fn published(&mut self, id: u64) -> bool {
        let Some(seq) = self.under_way.remove(&id) else { return false };
        let first = self.decided.front().map_or(seq, |one| one.seq);
        let index = usize::try_from(seq.saturating_sub(first)).unwrap_or(usize::MAX);
        if let Some(one) = self.decided.get_mut(index) {
            one.acknowledged += 1;
        }
        self.settle();
        true
    }

    /// Sends the failed output's record and all behind it again. True when it was one of these.
    pub fn failed(&mut self, id: u64) -> bool {
        let Some(seq) = self.under_way.remove(&id) else { return false };
        self.under_way.retain(|_, other| *other < seq);
        for (index, one) in self.decided.iter_mut().enumerate() {
            if one.seq >= seq {
                (one.sent, one.acknowledged) = (0, 0);
                self.cursor = self.cursor.min(index);
            }
        }
        true
    }

    /// Moves `through` over the records whose outputs are all acknowledged.
    fn settle(&mut self) {
        while let Some(first) = self.decided.front()
            && first.acknowledged == first.outputs.len()
        {
            self.through = Some(first.seq);
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        if let Some(first) = self.decided.pop_front() {
            self.outputs -= first.outputs.len();
            self.cursor = self.cursor.saturating_sub(1);
            if first.acknowledged < first.outputs.len() {
                self.under_way.retain(|_, seq| *seq != first.seq);
            }
        }
    }
}

fn publish(log: &mut impl Log, id: u64, output: &Output) -> Result<(), log::Error> {
    fault_point::at("outputs.publish")?;
    log.publish(id, output)
}
