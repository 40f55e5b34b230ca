//! The loop of one partition (DESIGN.md, "The journal"): read the journal all the time, fold what
//! is there, append a record, and only when it has won tell anyone. Promise: nothing leaves before
//! its record is acknowledged and in the valid chain (L3); after any loss everything folded on top
//! is thrown away and read again. It waits for nothing: `turn` does what can be done now.

mod acks;
mod append;
mod ask;
mod fault;
mod follow;
mod look;
mod publish;
mod report;

pub use ask::{Ask, Told};
pub use fault::Fault;
pub use report::{Turn, Won};

use std::collections::VecDeque;

use self::ask::Asks;
use super::batch::{self, Folded, Folding, LINES_AT_ONCE, Outputs};
use super::blocks::Blocks;
use super::checkpoint::Checkpoints;
use super::intake::{Intake, Waiting};
use super::log::Log;
use super::options::Options;
use super::outbox::Outbox;
use super::placement::Placement;
use super::skew::Skew;
use crate::fault_point;
use crate::fold::State;
use crate::journal::{Hash, Record, Tip};
use crate::store::{Position, Store};
use crate::time::{Clock, Millis};
use crate::wire::{Decoder, Encoder};

/// Journal and block-state records read in one turn, at most.
const READ_PER_TURN: usize = 1_000;

/// A record folded and appended, or about to be.
#[derive(Debug)]
struct Pending {
    id: u64,
    record: Record,
    hash: Hash,
    bytes: Vec<u8>,
    folded: Folded,
    outputs: Outputs,
    /// By the clock's `micros`.
    appended_us: i64,
}

#[derive(Debug, PartialEq)]
enum Mode {
    /// Begins from its store with the next turn; after a loss with a new journal producer.
    Beginning { renew: bool },
    /// Looks whether the journal shows the store's record.
    Verifying(Box<Position>),
    /// Folds what the journal names, until its end.
    Following,
    /// Folds and appends.
    Owning,
}

pub struct Partition<L, S, C> {
    options: Options,
    log: L,
    store: S,
    clock: C,
    decoder: Decoder,
    encoder: Encoder,
    mode: Mode,
    state: State,
    intake: Intake,
    placement: Placement,
    /// The valid chain as far as it is known; `None` is the empty one.
    chain: Option<Tip>,
    /// Valid records that are yet to be folded.
    behind: VecDeque<(Record, Tip)>,
    /// Folded on top of the chain, oldest first; appended but for the last.
    pending: VecDeque<Pending>,
    /// The newest batch, folded and not yet appended.
    ready: Option<Pending>,
    outbox: Outbox,
    blocks: Blocks,
    checkpoints: Checkpoints,
    /// When the checkpoint under way was submitted, by the clock's `micros`.
    checkpoint_began_us: Option<i64>,
    /// When the checkpoint that a full disk refused is tried once more, until it is written; by the
    /// clock's `micros`.
    checkpoint_again_us: Option<i64>,
    /// Offsets of billed and commands at which this partition's intake began; `None` before.
    begun: Option<(u64, u64)>,
    /// The journal was read to its end, a moment ago.
    journal_ended: bool,
    /// A new owner appends one empty record that names it; not after a loss.
    to_name: bool,
    /// Takes no more lines; ends when all is published.
    winding_down: bool,
    skew: Skew,
    asks: Asks,
    /// The last id given to an append or a publish; none is used twice.
    ids: u64,
    /// What a turn did that failed half-way; the next one tells of it.
    untold: Turn,
}

impl<L: Log, S: Store, C: Clock> Partition<L, S, C> {
    /// Opens a partition that was just assigned; recovery begins with the first turn.
    pub fn open(
        options: Options,
        log: L,
        store: S,
        clock: C,
        decoder: Decoder,
        encoder: Encoder,
    ) -> Self {
        let names = [options.billed_topic.clone(), options.commands_topic.clone()];
        let (lines, bytes) = (2 * options.batch_lines_max, 2 * options.batch_bytes_max);
        let placement = Placement::new(options.partitioner, options.partition, options.partitions);
        let skew = Skew::new(options.clock_skew_max_ms);
        Partition {
            state: State::new(options.dedup_minutes),
            intake: Intake::new(names, lines, bytes),
            placement,
            checkpoints: Checkpoints::new(&options),
            checkpoint_began_us: None,
            checkpoint_again_us: None,
            options,
            log,
            store,
            clock,
            decoder,
            encoder,
            mode: Mode::Beginning { renew: false },
            chain: None,
            behind: VecDeque::new(),
            pending: VecDeque::new(),
            ready: None,
            outbox: Outbox::new(None),
            blocks: Blocks::default(),
            begun: None,
            journal_ended: false,
            to_name: true,
            winding_down: false,
            skew,
            asks: Asks::default(),
            ids: 0,
            untold: Turn::default(),
        }
    }

    /// Does what can be done now.
    ///
    /// # Errors
    /// `Passing` when something outside failed for the time being, `Stopped` when this partition
    /// must not go on. Nothing is lost either way.
    pub fn turn(&mut self) -> Result<Turn, Fault> {
        let mut turn = std::mem::take(&mut self.untold);
        let went = self.go_on(&mut turn);
        if went.is_err() && self.begun.is_none() && !self.beginning() {
            // What was read of the journal is only half taken in: read it again.
            self.mode = Mode::Beginning { renew: false };
        }
        match went {
            Ok(()) => Ok(turn),
            Err(fault) => {
                self.untold = turn;
                Err(fault)
            }
        }
    }

    fn go_on(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        if let Mode::Beginning { renew } = self.mode {
            self.recover(renew)?;
        }
        self.take_acks(turn);
        if !self.beginning() {
            self.read_journal(turn)?;
        }
        if self.beginning() || self.begun.is_none() {
            return Ok(());
        }
        turn.progress |= self.blocks.read(&mut self.log, &self.decoder, READ_PER_TURN)?;
        turn.progress |= self.intake.read(&mut self.log, &self.decoder)?;
        self.fold_behind(turn)?;
        if self.mode == Mode::Following && self.journal_ended && self.behind.is_empty() {
            // Whoever has folded it all goes on from there.
            fault_point::reach("recovery.done");
            self.mode = Mode::Owning;
            turn.progress = true;
        }
        if self.mode == Mode::Owning {
            self.append_batches(turn)?;
            self.publish(turn)?;
        }
        self.answer()?;
        self.checkpoint(turn);
        if self.mode == Mode::Owning && self.intake.drained() {
            let timer = self.state.next_timer();
            turn.wake_at = [turn.wake_at, timer].into_iter().flatten().min();
        }
        Ok(())
    }

    fn beginning(&self) -> bool {
        matches!(self.mode, Mode::Beginning { .. })
    }

    /// Takes no more lines from now on.
    pub fn wind_down(&mut self) {
        fault_point::reach("engine.wind_down");
        self.winding_down = true;
    }

    /// After `wind_down`: everything decided is published and in the store.
    #[must_use]
    pub fn wound_down(&self) -> bool {
        let idle =
            self.pending.is_empty() && self.ready.is_none() && self.outbox.outstanding() == 0;
        let stored = self.checkpoints.stored() == self.chain.as_ref().map(|tip| tip.seq);
        self.mode != Mode::Owning || idle && self.blocks.outstanding() == 0 && stored
    }

    /// Encodes outputs. The encoder only fails for want of a Schema Registry, which passes; since
    /// the state has moved and nothing is folded twice, the partition begins again from its store.
    fn encode(&mut self, folded: &Folded) -> Result<Outputs, Fault> {
        let outputs = match fault_point::at("outputs.encode") {
            Ok(()) => folded.outputs(&self.encoder).map_err(|error| error.to_string()),
            Err(injected) => Err(injected.to_string()),
        };
        outputs.map_err(|error| {
            self.mode = Mode::Beginning { renew: true };
            Fault::Passing(format!("outputs cannot be encoded: {error}"))
        })
    }

    /// Decodes lines, loads the rows that they need, and folds them, then moves `now` to `tick`.
    fn fold(&mut self, waiting: &[Waiting], tick: Millis) -> Result<Folded, Fault> {
        let folded = self.fold_in_parts(waiting, tick);
        if folded.is_err() {
            // The lines were taken out of the intake, and some are folded: they are read again.
            self.mode = Mode::Beginning { renew: true };
        }
        folded
    }

    fn fold_in_parts(&mut self, waiting: &[Waiting], tick: Millis) -> Result<Folded, Fault> {
        let mut folding = Folding::begin(&self.state);
        let mut parts = waiting.chunks(LINES_AT_ONCE).peekable();
        let mut lines = Vec::with_capacity(LINES_AT_ONCE.min(waiting.len()));
        loop {
            let part = parts.next().unwrap_or_default();
            batch::decode(&self.decoder, part, &self.intake, &mut lines)
                .map_err(|error| Fault::Passing(format!("lines cannot be decoded: {error}")))?;
            lines.iter().for_each(|line| self.placement.look(&line.input));
            if let Some(fault) = self.placement.fault() {
                return Err(Fault::Stopped(fault));
            }
            let last = parts.peek().is_none();
            let needs = self.state.needs(&lines, if last { tick } else { Millis(0) });
            if !needs.is_empty() {
                self.store.load(&needs)?.into_iter().for_each(|row| self.state.load(row));
            }
            folding.lines(&mut self.state, &lines, part, &self.clock);
            if last {
                return Ok(folding.finish(&mut self.state, tick, &self.clock));
            }
        }
    }
}
