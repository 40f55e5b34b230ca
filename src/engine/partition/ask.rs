//! Questions of whoever shows totals and limits to people. Promise: what is told stands in the
//! journal, never what is merely folded; who asks after a command gets the state with it.

use std::collections::VecDeque;
use std::fmt;

use super::super::log::Log;
use super::{Fault, Mode, Partition};
use crate::fold::{Look, Seen};
use crate::store::Store;
use crate::time::{Clock, Millis};

/// Questions that may wait, a partition; more are dropped, and their askers told nothing.
const ASKS_MAX: usize = 1_000;

/// A question to a partition, and whom to tell. Dropped without a word when the partition is not,
/// or no longer, of this process.
pub struct Ask {
    pub look: Look,
    /// Offset behind the last command that must be folded before.
    pub after: u64,
    pub tell: Box<dyn FnOnce(Told) + Send>,
}

/// What an asker is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub seen: Seen,
    /// Sequence of the journal record as of which it is so; `None` before the first.
    pub seq: Option<u64>,
    /// The fold's time there.
    pub now: Option<Millis>,
}

#[derive(Debug, Default)]
pub(super) struct Asks(VecDeque<Asked>);

#[derive(Debug)]
struct Asked {
    ask: Ask,
    /// What was seen, and the last record that was folded and not in the journal then.
    seen: Option<(Told, Option<u64>)>,
}

impl fmt::Debug for Ask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Ask").field("look", &self.look).field("after", &self.after).finish()
    }
}

impl Asks {
    /// What was folded is thrown away: it is looked again.
    pub fn forget(&mut self) {
        self.0.iter_mut().for_each(|asked| asked.seen = None);
    }
}

impl<L: Log, S: Store, C: Clock> Partition<L, S, C> {
    /// Takes a question; it is answered by this turn or a later one.
    pub fn ask(&mut self, ask: Ask) {
        if self.asks.0.len() < ASKS_MAX {
            self.asks.0.push_back(Asked { ask, seen: None });
        }
    }

    pub(super) fn answer(&mut self) -> Result<(), Fault> {
        if self.mode != Mode::Owning || !self.behind.is_empty() || self.asks.0.is_empty() {
            return Ok(());
        }
        let mut asks = std::mem::take(&mut self.asks.0);
        let looked = asks.iter_mut().try_for_each(|asked| self.look(asked));
        let unwon = self.pending.front().or(self.ready.as_ref()).map(|pending| pending.id);
        for asked in asks {
            match asked.seen {
                Some((told, ahead)) if unwon.is_none_or(|unwon| ahead < Some(unwon)) => {
                    (asked.ask.tell)(told);
                }
                _ => self.asks.0.push_back(asked),
            }
        }
        looked
    }

    fn look(&mut self, asked: &mut Asked) -> Result<(), Fault> {
        let (_, commands) = self.intake.folded();
        if asked.seen.is_some() || commands.offset < asked.ask.after {
            return Ok(());
        }
        let needs = self.state.needs_of_look(&asked.ask.look);
        if !needs.is_empty() {
            self.store.load(&needs)?.into_iter().for_each(|row| self.state.load(row));
        }
        let seen = self.state.look(&asked.ask.look);
        let ahead = self.ready.as_ref().or(self.pending.back());
        let seq = ahead.map(|pending| pending.record.seq);
        let told = Told {
            seen,
            seq: seq.or(self.chain.as_ref().map(|tip| tip.seq)),
            now: self.state.now(),
        };
        asked.seen = Some((told, ahead.map(|pending| pending.id)));
        Ok(())
    }
}
