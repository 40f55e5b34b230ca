//! A fold under way: states that share the accounts among them, what was counted, and decisions not
//! yet written. Promise: what comes out does not depend on how many states there are.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::summary::LineCounts;
use super::{Error, Summary};
use crate::fold::decision::Decision;
use crate::fold::event::Line;
use crate::fold::{Counts, Dealt, Placed, ScopeTotals, State, in_order};
use crate::wire::json::write_decision;

/// Threads that `threads` asks for; 0 are as many as the machine has cores.
///
/// # Errors
/// When they cannot be started.
pub fn pool(threads: usize) -> Result<ThreadPool, Error> {
    ThreadPoolBuilder::new().num_threads(threads).build().map_err(Error::Threads)
}

/// Shares for each thread, if there are several: accounts differ in size, and whoever is done with
/// one takes the next.
const SHARES_PER_THREAD: usize = 4;

/// States that share the accounts.
pub struct Folding {
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

impl Folding {
    /// `write` is false when nobody wants to see the decisions.
    pub fn new(dedup_minutes: u32, write: bool) -> Folding {
        let threads = rayon::current_num_threads();
        let shares = if threads == 1 { 1 } else { threads * SHARES_PER_THREAD };
        let share = |_| Share { state: State::new(dedup_minutes), decided: Vec::new() };
        Folding {
            shares: (0..shares).map(share).collect(),
            summary: Summary::default(),
            write,
            written: Vec::new(),
        }
    }

    /// Folds lines that come in parts.
    pub fn lines<'l>(&mut self, parts: &[&'l [Line<'l>]]) {
        let count = self.shares.len();
        let deal = |lines: &&'l [Line<'l>]| (Dealt::new(lines, count), LineCounts::of(lines));
        let dealt: Vec<_> = parts.par_iter().map(deal).collect();
        let fold = |(number, share): (usize, &mut Share)| {
            let mut first = 0;
            for (dealt, _) in &dealt {
                share.state.fold_share(dealt, number, first, &mut share.decided);
                first += dealt.lines().len();
            }
        };
        self.shares.par_iter_mut().enumerate().for_each(fold);
        dealt.iter().for_each(|(_, counts)| self.summary.count_lines(counts));
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

    /// Every scope with its totals, sorted by the bytes of account, kind, id.
    pub fn scope_totals(&self) -> Vec<ScopeTotals<'_>> {
        let sorted = self.shares.par_iter().map(|share| share.state.scope_totals());
        let mut scopes = sorted.collect::<Vec<_>>().concat();
        // Stable sorting merges what is sorted in pieces; an account is in one share.
        scopes.sort_by_key(|scope| scope.account_id);
        scopes
    }

    pub fn summary(mut self, elapsed_ms: u64) -> Summary {
        for Counts { events, duplicates, .. } in self.shares.iter().map(|it| it.state.counts()) {
            self.summary.events += events;
            self.summary.duplicates += duplicates;
        }
        self.summary.time(elapsed_ms);
        // Side by side: giving up millions of rows takes a while.
        self.shares.into_par_iter().for_each(drop);
        self.summary
    }
}
