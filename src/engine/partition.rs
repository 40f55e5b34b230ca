//! The loop of one partition (DESIGN.md, "The journal"): read the journal all the time, fold what is
//! there, append a record, and only when it has won tell anyone. Promise: nothing leaves before its
//! record is acknowledged and in the valid chain (L3); after any loss everything folded on top is
//! thrown away and read again. It waits for nothing: `turn` does what can be done now.

use std::collections::VecDeque;

use super::batch::{self, Folded, Outputs};
use super::blocks::Blocks;
use super::checkpoint::Checkpoints;
use super::intake::{self, Intake, Waiting};
use super::log::{self, Ack, Log, Read, Source};
use super::options::Options;
use super::outbox::Outbox;
use crate::fold::decision::Decision;
use crate::fold::{Counts, RULES_VERSION, State, TIMERS_PER_RECORD_MAX};
use crate::journal::{self, Hash, Range, Record, Tip, extends};
use crate::store::{self, Position, Store};
use crate::time::{Clock, Millis};
use crate::wire::{self, Decoder, Encoder};

/// Journal and block-state records read in one turn, at most.
const READ_PER_TURN: usize = 1_000;
/// Milliseconds without appends after the broker's clock was found too far from the own.
const SKEW_PAUSE_MS: i64 = 10_000;

/// What a turn did, and when the next is due without news.
#[derive(Debug, Default)]
pub struct Turn {
    /// Something moved: turn again at once.
    pub progress: bool,
    /// When to turn even if nothing arrives.
    pub wake_at: Option<Millis>,
    /// Records that entered the valid chain, in order.
    pub won: Vec<Won>,
    /// Why what was folded had to be thrown away, if it had.
    pub lost: Option<String>,
}

/// A record of the valid chain and what it decided.
#[derive(Debug)]
pub struct Won {
    pub seq: u64,
    pub control: Counts,
    pub decisions: Vec<Decision>,
    /// Milliseconds from the append to its acknowledgement; `None` if folded from the journal.
    pub append_ms: Option<i64>,
    pub won_at: Millis,
    pub oldest: Option<Millis>,
}

/// Why a turn ended early.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Passes by itself: turn again a little later.
    #[error("{0}")]
    Passing(String),
    /// The partition stops until a person has looked at it.
    #[error("{0}")]
    Stopped(String),
}

/// A record folded and appended, or about to be.
#[derive(Debug)]
struct Pending {
    id: u64,
    record: Record,
    hash: Hash,
    bytes: Vec<u8>,
    folded: Folded,
    outputs: Outputs,
    appended_at: Millis,
}

#[derive(Debug, PartialEq)]
enum Mode {
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
    /// Offsets of billed and commands at which this partition's intake began; `None` before.
    begun: Option<(u64, u64)>,
    /// A new owner appends one empty record that names it; not after a loss.
    to_name: bool,
    /// Takes no more lines; ends when all is published.
    winding_down: bool,
    skewed_until: Option<Millis>,
    /// Ids for appends and publishes, never used twice.
    ids: u64,
}

impl<L: Log, S: Store, C: Clock> Partition<L, S, C> {
    /// Opens a partition that was just assigned; recovery begins with the first turn.
    ///
    /// # Errors
    /// As `turn`.
    pub fn open(
        options: Options,
        log: L,
        store: S,
        clock: C,
        decoder: Decoder,
        encoder: Encoder,
    ) -> Result<Self, Fault> {
        let names = [options.billed_topic.clone(), options.commands_topic.clone()];
        let (lines, bytes) = (2 * options.batch_lines_max, 2 * options.batch_bytes_max);
        let mut partition = Partition {
            state: State::new(options.dedup_minutes),
            intake: Intake::new(names, lines, bytes),
            checkpoints: Checkpoints::new(&options),
            options,
            log,
            store,
            clock,
            decoder,
            encoder,
            mode: Mode::Following,
            chain: None,
            behind: VecDeque::new(),
            pending: VecDeque::new(),
            ready: None,
            outbox: Outbox::new(None),
            blocks: Blocks::default(),
            begun: None,
            to_name: true,
            winding_down: false,
            skewed_until: None,
            ids: 0,
        };
        partition.recover()?;
        Ok(partition)
    }

    /// Begins again from the store: everything folded on top of it is thrown away.
    fn recover(&mut self) -> Result<(), Fault> {
        let published = self.outbox.through();
        self.state = State::new(self.options.dedup_minutes);
        self.behind.clear();
        self.pending.clear();
        self.ready = None;
        self.chain = None;
        self.begun = None;
        self.blocks = Blocks::default();
        self.outbox = Outbox::new(published);
        // A checkpoint under way must not land on a state that has begun anew.
        if let Some(Err(error)) = self.store.wait() {
            tracing::warn!(%error, "a checkpoint failed; the one before it stands");
        }
        self.checkpoints.forget();
        let journal = self.log.bounds(Source::Journal)?;
        let block_state = self.log.bounds(Source::BlockState)?;
        self.log.seek(Source::BlockState, block_state.start)?;
        match self.store.position()? {
            Some(position) if position.tip.offset > journal.end => {
                let (seq, offset, end) = (position.tip.seq, position.tip.offset, journal.end);
                Err(Fault::Stopped(format!(
                    "acknowledged journal records vanished: the store stands behind record {seq} at \
                     offset {offset}, the journal ends at {end}. Find out what truncated the topic; \
                     to go on from the journal as it is, move this partition's state away"
                )))
            }
            Some(position) if position.tip.offset > journal.start => {
                self.log.seek(Source::Journal, position.tip.offset - 1)?;
                self.mode = Mode::Verifying(Box::new(position));
                Ok(())
            }
            Some(_) => self.set_aside("its record is no longer in the journal", journal.start),
            None => self.begin_empty(journal.start),
        }
    }

    fn set_aside(&mut self, reason: &str, journal_start: u64) -> Result<(), Fault> {
        tracing::warn!(reason, "the store is set aside");
        self.store.set_aside(reason)?;
        self.begin_empty(journal_start)
    }

    /// Without a position the journal must be readable from its first record.
    fn begin_empty(&mut self, journal_start: u64) -> Result<(), Fault> {
        if journal_start > 0 {
            return Err(Fault::Stopped(format!(
                "there is no state for this partition, and its journal begins at offset \
                 {journal_start}: totals cannot be rebuilt. Bring the state folder back, or keep the \
                 journal longer (retention.ms) next time"
            )));
        }
        self.log.seek(Source::Journal, 0)?;
        self.mode = Mode::Following;
        Ok(())
    }

    /// Does what can be done now.
    ///
    /// # Errors
    /// `Passing` when something outside failed for the time being, `Stopped` when this partition
    /// must not go on. Nothing is lost either way.
    pub fn turn(&mut self) -> Result<Turn, Fault> {
        let mut turn = Turn::default();
        self.take_acks(&mut turn)?;
        self.read_journal(&mut turn)?;
        if self.begun.is_none() {
            return Ok(turn);
        }
        turn.progress |= self.blocks.read(&mut self.log, &self.decoder, READ_PER_TURN)?;
        turn.progress |= self.intake.read(&mut self.log, &self.decoder)?;
        self.fold_behind(&mut turn)?;
        if self.mode == Mode::Owning {
            self.append_batches(&mut turn)?;
            self.publish(&mut turn)?;
        }
        self.checkpoint(&mut turn)?;
        if self.mode == Mode::Owning && self.intake.drained() {
            let timer = self.state.next_timer();
            turn.wake_at = [turn.wake_at, timer].into_iter().flatten().min();
        }
        Ok(turn)
    }

    /// Takes no more lines from now on.
    pub fn wind_down(&mut self) {
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

    fn take_acks(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        while let Some(ack) = self.log.acks() {
            turn.progress = true;
            match ack {
                Ack::Appended { id, offset, timestamp } => {
                    self.appended(id, offset, timestamp, turn);
                }
                Ack::AppendFailed { id, reason } => {
                    if self.pending.iter().any(|pending| pending.id == id) {
                        return self.lost(format!("an append failed: {reason}"), turn);
                    }
                }
                Ack::Published { id, offset } => {
                    if !self.outbox.published(id) {
                        self.blocks.published(id, offset);
                    }
                }
                Ack::PublishFailed { id, reason } => {
                    tracing::warn!(reason, "an output is sent again");
                    if !self.outbox.failed(id) {
                        self.blocks.failed(id);
                    }
                }
            }
        }
        Ok(())
    }

    /// An acknowledgement without a gap behind the chain has won; any other is judged by reading.
    fn appended(
        &mut self,
        id: u64,
        offset: Option<u64>,
        timestamp: Option<Millis>,
        turn: &mut Turn,
    ) {
        self.check_clock(timestamp);
        let end = self.chain.as_ref().map_or(0, |tip| tip.offset);
        if self.pending.front().is_some_and(|front| front.id == id) && offset == Some(end) {
            self.won(end, turn);
        }
    }

    fn check_clock(&mut self, broker: Option<Millis>) {
        let (Some(broker), now) = (broker, self.clock.now()) else { return };
        let skew_ms = (now.0 - broker.0).abs();
        if skew_ms > self.options.clock_skew_max_ms {
            tracing::error!(
                skew_ms,
                "this host's clock is too far from the broker's: set it (NTP)"
            );
            self.skewed_until = Some(Millis(now.0 + SKEW_PAUSE_MS));
        }
    }

    /// The oldest pending record stands in the valid chain at `offset`.
    fn won(&mut self, offset: u64, turn: &mut Turn) {
        let pending = self.pending.pop_front().expect("what has won was pending");
        let tip = Tip::after(&pending.record, pending.hash, offset);
        let now = self.clock.now();
        let append_ms = Some(now.0 - pending.appended_at.0);
        self.chain = Some(tip.clone());
        self.checkpoints.won(&tip);
        self.decided(pending.record.seq, pending.folded, pending.outputs, append_ms, turn);
    }

    /// A record of the valid chain is folded: its decisions may be told.
    fn decided(
        &mut self,
        seq: u64,
        folded: Folded,
        outputs: Outputs,
        append_ms: Option<i64>,
        turn: &mut Turn,
    ) {
        self.outbox.push(seq, outputs.records);
        for (key, row) in outputs.blocks {
            self.blocks.decide(key, row);
        }
        let Folded { control, decisions, oldest, .. } = folded;
        let won_at = self.clock.now();
        turn.won.push(Won { seq, control, decisions, append_ms, won_at, oldest });
    }

    /// Throws away what was folded on top of the chain and reads on with a new producer.
    fn lost(&mut self, reason: String, turn: &mut Turn) -> Result<(), Fault> {
        tracing::warn!(reason, "what was folded is thrown away and folded again");
        self.log.renew()?;
        self.to_name = false;
        turn.lost = Some(reason);
        turn.progress = true;
        self.recover()
    }

    fn read_journal(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        for _ in 0..READ_PER_TURN {
            let Some(read) = self.log.poll(Source::Journal)? else { break };
            turn.progress = true;
            match read {
                Read::End => self.journal_ended()?,
                Read::Record(stored) => {
                    let bytes = stored.value.unwrap_or_default();
                    if let Mode::Verifying(position) = &self.mode {
                        let position = position.clone();
                        self.verify(*position, stored.offset, &bytes)?;
                    } else {
                        self.judge(stored.offset, &bytes, turn)?;
                    }
                }
            }
            if turn.lost.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Compares the store's position with the record that the journal shows there.
    fn verify(&mut self, position: Position, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let Position { tip, .. } = &position;
        if offset + 1 != tip.offset || Hash::of(bytes) != tip.hash {
            let start = self.log.bounds(Source::Journal)?.start;
            return self.set_aside("the journal shows another record at its position", start);
        }
        self.blocks = Blocks::new(self.store.restore(&mut self.state)?);
        self.state.restore_clockwork(position.clockwork);
        let folded = |offset, latest| intake::Folded { offset, latest };
        let billed = folded(tip.billed, position.billed_latest);
        let commands = folded(tip.commands, position.commands_latest);
        self.intake.restart(&mut self.log, billed, commands)?;
        // A checkpoint is written only when published_through has passed it.
        self.outbox.learn(Some(tip.seq));
        self.checkpoints.restored(tip.seq);
        self.chain = Some(tip.clone());
        self.mode = Mode::Following;
        self.begun = Some((tip.billed, tip.commands));
        Ok(())
    }

    /// The journal was read to its end: whoever has folded it all goes on from there.
    fn journal_ended(&mut self) -> Result<(), Fault> {
        if matches!(self.mode, Mode::Verifying(_)) {
            return Ok(());
        }
        if self.chain.is_none() && self.begun.is_none() {
            let (billed, commands) = (Source::Billed, Source::Commands);
            let billed = self.log.bounds(billed)?.start;
            let commands = self.log.bounds(commands)?.start;
            self.begin_at(billed, commands)?;
        }
        if self.mode == Mode::Following && self.behind.is_empty() {
            self.mode = Mode::Owning;
        }
        Ok(())
    }

    fn begin_at(&mut self, billed: u64, commands: u64) -> Result<(), Fault> {
        let at = |offset| intake::Folded { offset, latest: Millis(0) };
        self.intake.restart(&mut self.log, at(billed), at(commands))?;
        self.begun = Some((billed, commands));
        Ok(())
    }

    /// Judges a journal record by the chain rule.
    fn judge(&mut self, offset: u64, bytes: &[u8], turn: &mut Turn) -> Result<(), Fault> {
        if self.chain.as_ref().is_some_and(|tip| offset < tip.offset) {
            return Ok(());
        }
        let hash = Hash::of(bytes);
        let own = self.pending.iter().position(|pending| pending.hash == hash);
        let record = match Record::decode(bytes) {
            Ok(record) => record,
            Err(error @ journal::Error::Version(_)) => {
                return Err(Fault::Stopped(format!("journal offset {offset}: {error}")));
            }
            // Bytes of somebody else are void like any record that does not extend the chain.
            Err(error) => {
                tracing::warn!(offset, %error, "a journal record is void");
                return Ok(());
            }
        };
        match (extends(self.chain.as_ref(), &record), own) {
            (Ok(()), Some(0)) => {
                self.won(offset, turn);
                Ok(())
            }
            (Ok(()), _) if self.pending.is_empty() && self.ready.is_none() => {
                self.follow(record, hash, offset)
            }
            (Ok(()), _) => {
                let by = &record.owner.address;
                self.lost(format!("record {} is {by}'s", record.seq), turn)
            }
            (Err(why), Some(_)) => self.lost(format!("an append is void: {why}"), turn),
            (Err(_), None) => Ok(()),
        }
    }

    /// A valid record that is not our own: somebody else folds too.
    fn follow(&mut self, record: Record, hash: Hash, offset: u64) -> Result<(), Fault> {
        if record.rules != RULES_VERSION {
            return Err(Fault::Stopped(format!(
                "record {} was folded by rules {}, this release knows {RULES_VERSION}: upgrade it",
                record.seq, record.rules
            )));
        }
        let (partitions, partitioner) = (record.partitions, record.partitioner);
        if (partitions, partitioner) != (self.options.partitions, self.options.partitioner) {
            return Err(Fault::Stopped(format!(
                "the journal was written for {partitions} partitions by {}: partition counts cannot \
                 change, and input.partitioner must be that",
                partitioner.as_str()
            )));
        }
        if self.begun.is_none() {
            self.begin_at(record.billed.from, record.commands.from)?;
        }
        let tip = Tip::after(&record, hash, offset);
        self.chain = Some(tip.clone());
        self.behind.push_back((record, tip));
        Ok(())
    }

    /// Folds valid records that are not folded yet, as far as their lines are there.
    fn fold_behind(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        while let Some((record, _)) = self.behind.front() {
            let (billed, commands) = (record.billed, record.commands);
            let Some(lines) = self.intake.take_ranges(billed, commands) else {
                self.intake.make_room(billed, commands);
                return Ok(());
            };
            let (record, tip) = self.behind.pop_front().expect("was just seen");
            self.state.set_dedup_minutes(record.dedup_minutes);
            self.load(&lines, record.now)?;
            let folded = batch::fold(&mut self.state, lines, record.now);
            compare(&record, &folded)?;
            let outputs = self.encode(&folded)?;
            self.outbox.learn(record.published_through);
            self.checkpoints.folded(&record.control);
            self.checkpoints.freeze_if_due(
                &tip,
                &mut self.state,
                self.intake.folded(),
                self.clock.now(),
            );
            self.checkpoints.won(&tip);
            self.decided(record.seq, folded, outputs, None, turn);
            turn.progress = true;
        }
        Ok(())
    }

    /// Encodes outputs. The encoder only fails for want of a Schema Registry, which passes: the
    /// partition waits here, since what is folded cannot be folded twice.
    fn encode(&mut self, folded: &Folded) -> Result<Outputs, Fault> {
        folded.outputs(&self.encoder).or_else(|error| {
            // The state has moved: begin again from the store once the registry answers.
            self.recover()?;
            Err(Fault::Passing(format!("outputs cannot be encoded: {error}")))
        })
    }

    fn load(&mut self, lines: &[Waiting], to: Millis) -> Result<(), Fault> {
        let needs = self.state.needs(lines.iter().map(|waiting| &waiting.line), to);
        if needs.is_empty() {
            return Ok(());
        }
        for row in self.store.load(&needs)? {
            self.state.load(row);
        }
        Ok(())
    }

    /// Folds and appends batches while there is something to fold and room to append.
    fn append_batches(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        let now = self.clock.now();
        if self.skewed_until.is_some_and(|until| now < until) {
            turn.wake_at = self.skewed_until;
            return Ok(());
        }
        while self.behind.is_empty() && self.pending.len() < self.options.appends_in_flight_max {
            if self.ready.is_none() {
                let outstanding = self.outbox.outstanding() + self.blocks.outstanding();
                if outstanding >= self.options.outputs_outstanding_max {
                    break;
                }
                let Some((lines, tick)) = self.next_batch(now) else { break };
                self.fold_batch(lines, tick)?;
            }
            let Some(mut ready) = self.ready.take() else { break };
            ready.appended_at = self.clock.now();
            match self.log.append(ready.id, &ready.bytes) {
                Ok(()) => self.pending.push_back(ready),
                Err(log::Error::Full(_)) => {
                    self.ready = Some(ready);
                    break;
                }
                Err(error) => {
                    self.ready = Some(ready);
                    return Err(error.into());
                }
            }
            turn.progress = true;
        }
        Ok(())
    }

    /// The next batch's lines and last tick, if there is anything to fold.
    fn next_batch(&mut self, clock: Millis) -> Option<(Vec<Waiting>, Millis)> {
        let now = self.state.now().unwrap_or(Millis(0));
        if std::mem::take(&mut self.to_name) {
            return Some((Vec::new(), now));
        }
        if self.winding_down {
            return None;
        }
        if self.state.timers_due(now, 1) > 0 {
            // A slice left some: no lines before they have fired.
            return Some((Vec::new(), now));
        }
        let lines = self.take_lines(now);
        let Some(last) = lines.last() else {
            let head = self.intake.next_time().map(|head| head.max(now));
            let drained = self.intake.drained().then_some(clock);
            let to = head.or(drained)?;
            let due = self.state.next_timer().is_some_and(|timer| timer <= to);
            return due.then_some((lines, to));
        };
        let reached = now.max(last.line.recorded_at);
        let same_day = clock.day() == reached.day();
        let at_end = self.intake.drained() && same_day;
        let tick = if at_end { reached.max(clock) } else { reached };
        Some((lines, self.within_timers(reached, tick)))
    }

    /// Takes lines of one UTC day of `now`, while few enough timers fire before them.
    fn take_lines(&mut self, mut now: Millis) -> Vec<Waiting> {
        let (mut lines, mut bytes) = (Vec::<Waiting>::new(), 0);
        while lines.len() < self.options.batch_lines_max && bytes < self.options.batch_bytes_max {
            let Some(head) = self.intake.next_time() else { break };
            let moved = now.max(head);
            if !lines.is_empty() && moved.day() != now.day() || !self.few_timers(moved) {
                break;
            }
            now = moved;
            let Some(waiting) = self.intake.take() else { break };
            bytes += waiting.raw.value.as_deref().map_or(0, <[u8]>::len);
            lines.push(waiting);
        }
        lines
    }

    fn few_timers(&self, to: Millis) -> bool {
        let most = TIMERS_PER_RECORD_MAX;
        self.state.next_timer().is_none_or(|timer| timer > to)
            || self.state.timers_due(to, most + 1) <= most
    }

    fn within_timers(&self, reached: Millis, tick: Millis) -> Millis {
        if self.few_timers(tick) { tick } else { reached }
    }

    fn fold_batch(&mut self, lines: Vec<Waiting>, tick: Millis) -> Result<(), Fault> {
        let before = self.before_next();
        let begun = self.begun.expect("nothing is folded before the intake began");
        let (billed_from, commands_from) =
            before.as_ref().map_or(begun, |b| (b.billed, b.commands));
        self.state.set_dedup_minutes(self.options.dedup_minutes);
        self.load(&lines, tick)?;
        let count = lines.len();
        let folded = batch::fold(&mut self.state, lines, tick);
        tracing::debug!(lines = count, decisions = folded.decisions.len(), "folded a batch");
        let (billed, commands) = self.intake.folded();
        let record = Record {
            seq: before.as_ref().map_or(0, |before| before.seq + 1),
            prev: before.map_or(Hash::ZERO, |before| before.hash),
            billed: Range { from: billed_from, to: billed.offset },
            commands: Range { from: commands_from, to: commands.offset },
            now: folded.now,
            dedup_minutes: self.options.dedup_minutes,
            control: folded.control,
            decisions: folded.decisions.len() as u64,
            decisions_hash: folded.decisions_hash,
            published_through: self.published_through(),
            owner: self.options.owner.clone(),
            rules: RULES_VERSION,
            partitions: self.options.partitions,
            partitioner: self.options.partitioner,
        };
        let bytes = record.encode();
        let hash = Hash::of(&bytes);
        let tip = Tip::after(&record, hash, 0);
        self.checkpoints.folded(&record.control);
        let now = self.clock.now();
        self.checkpoints.freeze_if_due(&tip, &mut self.state, (billed, commands), now);
        let outputs = self.encode(&folded)?;
        let id = self.next_id();
        self.ready = Some(Pending { id, record, hash, bytes, folded, outputs, appended_at: now });
        Ok(())
    }

    /// What the next record extends: the last one pending, or the chain.
    fn before_next(&self) -> Option<Tip> {
        let last = self.pending.back().map(|last| Tip::after(&last.record, last.hash, 0));
        last.or_else(|| self.chain.clone())
    }

    /// Greatest position whose outputs are all acknowledged; never below what the chain says.
    fn published_through(&self) -> Option<u64> {
        let last = self.pending.back().and_then(|last| last.record.published_through);
        let chain = self.chain.as_ref().and_then(|tip| tip.published_through);
        self.outbox.through().max(last).max(chain)
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn publish(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        let mut ids = self.ids + 1;
        turn.progress |= self.outbox.send(&mut self.log, &mut ids)?;
        let now = self.chain.as_ref().map_or(Millis(0), |tip| tip.now);
        let state = &self.state;
        let known = |key: &str| state.sequence(&account_of(key));
        turn.progress |= self.blocks.publish(&mut self.log, &mut ids, now, known)?;
        self.ids = ids;
        Ok(())
    }

    fn checkpoint(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        if let Some(written) = self.store.written() {
            turn.progress = true;
            match written {
                Ok(epoch) => {
                    let memory = self.options.memory_bytes_max;
                    let tip = self.checkpoints.written(epoch, &mut self.state, memory);
                    if let Some(tip) = tip {
                        self.log.commit(tip.billed, tip.commands);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "a checkpoint failed; the next will hold its rows");
                    // The rows of the failed checkpoint count as written in memory: start over.
                    return self.lost(format!("a checkpoint failed: {error}"), turn);
                }
            }
        }
        let settled = self.pending.is_empty() && self.ready.is_none() && self.behind.is_empty();
        if self.winding_down
            && settled
            && let Some(tip) = self.chain.clone()
        {
            self.checkpoints.freeze_last(&tip, &mut self.state, self.intake.folded());
        }
        let through = self.published_through();
        if let Some(ready) = self.checkpoints.submit(through, || self.blocks.freeze()) {
            self.store.submit(ready);
            turn.progress = true;
        }
        Ok(())
    }

    /// The chain's end, for those who look on.
    #[must_use]
    pub fn chain(&self) -> Option<&Tip> {
        self.chain.as_ref()
    }

    /// Whether recovery is over.
    #[must_use]
    pub fn owning(&self) -> bool {
        self.mode == Mode::Owning && self.behind.is_empty()
    }

    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Outputs that await acknowledgement, block records among them.
    #[must_use]
    pub fn outputs_outstanding(&self) -> usize {
        self.outbox.outstanding() + self.blocks.outstanding()
    }

    /// Nothing is under way or due, as far as has been read.
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.owning()
            && self.pending.is_empty()
            && self.ready.is_none()
            && self.intake.drained()
            && self.outbox.outstanding() == 0
            && self.blocks.settled()
    }

    pub fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }

    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }
}

/// What was folded again must come out as the record says (DESIGN.md, "Recovery").
fn compare(record: &Record, folded: &Folded) -> Result<(), Fault> {
    let same = record.control == folded.control
        && record.decisions == folded.decisions.len() as u64
        && record.decisions_hash == folded.decisions_hash
        && record.now == folded.now;
    if same {
        return Ok(());
    }
    Err(Fault::Stopped(format!(
        "record {} does not come out as it was journaled: recorded {:?} and {} decisions, folded {:?} \
         and {}. The state or the topics were changed, or another release folded it: move the \
         partition's state away to rebuild it, or go back to the release that wrote the record",
        record.seq,
        record.control,
        record.decisions,
        folded.control,
        folded.decisions.len()
    )))
}

/// The account of a block key: `%2F` and `%25` stand for `/` and `%`.
fn account_of(block_key: &str) -> String {
    let account = block_key.split('/').next().unwrap_or_default();
    account.replace("%2F", "/").replace("%25", "%")
}

impl From<log::Error> for Fault {
    fn from(error: log::Error) -> Fault {
        match error {
            log::Error::Passing { .. } | log::Error::Full(_) => Fault::Passing(error.to_string()),
            log::Error::Truncated { .. } | log::Error::Lasting { .. } => {
                Fault::Stopped(error.to_string())
            }
        }
    }
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Fault {
        Fault::Stopped(error.to_string())
    }
}

impl From<intake::Error> for Fault {
    fn from(error: intake::Error) -> Fault {
        match error {
            intake::Error::Log(error) => error.into(),
            intake::Error::Wire { .. } => Fault::Passing(error.to_string()),
        }
    }
}

impl From<wire::Error> for Fault {
    fn from(error: wire::Error) -> Fault {
        Fault::Passing(error.to_string())
    }
}
