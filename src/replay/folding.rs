//! A fold under way: states that share the accounts among them, what was counted, and decisions not
//! yet written. Promise: what comes out does not depend on how many states there are.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Error, Summary};
use crate::fold::decision::Decision;
use crate::fold::event::Line;
use crate::fold::{Counts, Placed, State, Total, in_order, share_of};
use crate::wire::json::write_decision;

/// Threads that `threads` asks for; 0 are as many as the machine has cores.
///
/// # Errors
/// When they cannot be started.
pub fn pool(threads: usize) -> Result<ThreadPool, Error> {
    ThreadPoolBuilder::new().num_threads(threads).build().map_err(Error::Threads)
}

/// States, one a thread of the pool.
pub struct Folding<'p> {
    pool: &'p ThreadPool,
    shares: Vec<Share>,
    summary: Summary,
    write: bool,
    /// NDJSON of decisions.
    pub written: Vec<u8>,
}

struct Share {
    state: State,
    decided: Vec<Placed>,
}

impl Folding<'_> {
    /// `write` is false when nobody wants to see the decisions.
    pub fn new(pool: &ThreadPool, dedup_minutes: u32, write: bool) -> Folding<'_> {
        let share = |_| Share { state: State::new(dedup_minutes), decided: Vec::new() };
        Folding {
            pool,
            shares: (0..pool.current_num_threads()).map(share).collect(),
            summary: Summary::default(),
            write,
            written: Vec::new(),
        }
    }

    /// Folds lines that come in parts.
    pub fn lines(&mut self, parts: &[&[Line<'_>]]) {
        let count = self.shares.len();
        let fold = |(number, share): (usize, &mut Share)| {
            let mut first = 0;
            for lines in parts {
                let is_own = |line: &Line<'_>| share_of(line, count) == number;
                share.state.fold_share(lines, first, is_own, &mut share.decided);
                first += lines.len();
            }
        };
        self.pool.install(|| self.shares.par_iter_mut().enumerate().for_each(fold));
        for line in parts.iter().copied().flatten() {
            self.summary.count_line(&line.input);
        }
        let decided = self.shares.iter_mut().flat_map(|share| share.decided.drain(..)).collect();
        in_order(decided).for_each(|decision| self.take(&decision));
    }

    fn take(&mut self, decision: &Decision) {
        self.summary.count_decision(decision);
        if self.write {
            write_decision(decision, &mut self.written);
            self.written.push(b'\n');
        }
    }

    /// Every total, sorted by the bytes of account, kind, id, window, start.
    pub fn totals(&self) -> Vec<Total> {
        let states = self.shares.par_iter();
        let sorted = states.map(|share| share.state.totals());
        let of_shares = self.pool.install(|| sorted.collect::<Vec<_>>());
        let mut totals: Vec<Total> = of_shares.into_iter().flatten().collect();
        // Stable sorting merges what is sorted in pieces.
        totals.sort_by(|a, b| a.order().cmp(&b.order()));
        totals
    }

    pub fn summary(mut self, elapsed_ms: u64) -> Summary {
        for Counts { events, duplicates, .. } in self.shares.iter().map(|it| it.state.counts()) {
            self.summary.events += events;
            self.summary.duplicates += duplicates;
        }
        self.summary.time(elapsed_ms);
        self.summary
    }
}
