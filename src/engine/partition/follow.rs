//! Recovery and following (DESIGN.md, "Recovery", "Followed"): from the store's position, or from
//! nothing, fold exactly what the journal names, and compare. Promise: only the chain rule judges
//! records; a difference stops the partition.

use super::super::batch::Folded;
use super::super::blocks::Blocks;
use super::super::intake;
use super::super::log::{Log, Read, Source, Stored};
use super::super::outbox::Outbox;
use super::{Fault, Mode, Partition, READ_PER_TURN, Turn};
use crate::fault_point;
use crate::fold::{RULES_VERSION, State};
use crate::journal::{self, Hash, Record, Tip, extends};
use crate::store::{Position, Store};
use crate::time::{Clock, Millis};

impl<L: Log, S: Store, C: Clock> Partition<L, S, C> {
    /// Begins from the store: everything folded on top of it is thrown away. The mode changes last,
    /// so that what fails half-way is begun anew.
    pub(super) fn recover(&mut self, renew: bool) -> Result<(), Fault> {
        if renew {
            fault_point::at("journal.renew")?;
            self.log.renew()?;
            self.mode = Mode::Beginning { renew: false };
        }
        let published = self.outbox.through();
        self.state = State::new(self.options.dedup_minutes);
        self.asks.forget();
        self.behind.clear();
        self.pending.clear();
        self.ready = None;
        self.chain = None;
        self.begun = None;
        self.journal_ended = false;
        self.blocks = Blocks::default();
        self.outbox = Outbox::new(published);
        self.checkpoint_again_us = None;
        // A checkpoint under way must not land on a state that has begun anew.
        if let Some(Err(error)) = self.store.wait() {
            tracing::warn!(%error, "a checkpoint failed; the one before it stands");
        }
        self.checkpoints.forget();
        fault_point::at("recovery.bounds")?;
        let journal = self.log.bounds(Source::Journal)?;
        let block_state = self.log.bounds(Source::BlockState)?;
        // Their answers are of no interest yet; but a client that was not asked for a source finds
        // its broker only when it looks around, a second later.
        self.log.bounds(Source::Billed)?;
        self.log.bounds(Source::Commands)?;
        fault_point::at("recovery.seek")?;
        self.log.seek(Source::BlockState, block_state.start)?;
        match self.store.position()? {
            Some(position) if position.tip.offset > journal.end => {
                let (seq, offset, end) = (position.tip.seq, position.tip.offset, journal.end);
                Err(Fault::Stopped(format!(
                    "acknowledged journal records vanished: the store stands behind record \
                     {seq} at \
                     offset {offset}, the journal ends at {end}. Find out what truncated the \
                     topic; \
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

    pub(super) fn set_aside(&mut self, reason: &str, journal_start: u64) -> Result<(), Fault> {
        tracing::warn!(reason, "the store is set aside");
        self.store.set_aside(reason)?;
        self.begin_empty(journal_start)
    }

    /// Without a position the journal must be readable from its first record.
    pub(super) fn begin_empty(&mut self, journal_start: u64) -> Result<(), Fault> {
        if journal_start > 0 {
            return Err(Fault::Stopped(format!(
                "there is no state for this partition, and its journal begins at offset \
                 {journal_start}: totals cannot be rebuilt. Bring the state folder back, or \
                 keep the \
                 journal longer (retention.ms) next time"
            )));
        }
        fault_point::at("recovery.empty")?;
        self.log.seek(Source::Journal, 0)?;
        self.mode = Mode::Following;
        Ok(())
    }

    pub(super) fn read_journal(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        for _ in 0..READ_PER_TURN {
            fault_point::at("journal.read")?;
            let Some(read) = self.log.poll(Source::Journal)? else { break };
            turn.progress = true;
            match read {
                Read::End => self.end_of_journal()?,
                Read::Record(stored) => {
                    self.journal_ended = false;
                    let (offset, hash) = (stored.offset, whole(&stored)?);
                    let bytes = stored.value.unwrap_or_default();
                    if let Mode::Verifying(position) = &self.mode {
                        let position = position.clone();
                        self.verify(*position, offset, hash)?;
                    } else {
                        self.judge(offset, &bytes, hash, turn)?;
                    }
                }
            }
            if self.beginning() {
                break;
            }
        }
        Ok(())
    }

    /// Compares the store's position with the record that the journal shows there.
    pub(super) fn verify(
        &mut self,
        position: Position,
        offset: u64,
        hash: Hash,
    ) -> Result<(), Fault> {
        fault_point::at("recovery.verify")?;
        let Position { tip, .. } = &position;
        if offset + 1 != tip.offset || hash != tip.hash {
            let start = self.log.bounds(Source::Journal)?.start;
            return self.set_aside("the journal shows another record at its position", start);
        }
        self.blocks = Blocks::new(self.store.restore(&mut self.state)?);
        self.state.restore_clockwork(position.clockwork);
        fault_point::at("recovery.restored")?;
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

    /// The journal was read to its end; an empty one begins where billed and commands begin.
    pub(super) fn end_of_journal(&mut self) -> Result<(), Fault> {
        self.journal_ended = !matches!(self.mode, Mode::Verifying(_));
        if self.journal_ended && self.chain.is_none() && self.begun.is_none() {
            let billed = self.log.bounds(Source::Billed)?.start;
            let commands = self.log.bounds(Source::Commands)?.start;
            self.begin_at(billed, commands)?;
        }
        Ok(())
    }

    pub(super) fn begin_at(&mut self, billed: u64, commands: u64) -> Result<(), Fault> {
        fault_point::at("recovery.lines")?;
        let at = |offset| intake::Folded { offset, latest: Millis(0) };
        self.intake.restart(&mut self.log, at(billed), at(commands))?;
        self.begun = Some((billed, commands));
        Ok(())
    }

    /// Judges a journal record by the chain rule.
    pub(super) fn judge(
        &mut self,
        offset: u64,
        bytes: &[u8],
        hash: Hash,
        turn: &mut Turn,
    ) -> Result<(), Fault> {
        if self.chain.as_ref().is_some_and(|tip| offset < tip.offset) {
            return Ok(());
        }
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
                self.lost(format!("record {} is {by}'s", record.seq), turn);
                Ok(())
            }
            (Err(why), Some(_)) => {
                self.lost(format!("an append is void: {why}"), turn);
                Ok(())
            }
            (Err(_), None) => self.void(offset, &record),
        }
    }

    /// A void record knows how much of the chain before it was published. If that is more than the
    /// chain has, records that were acknowledged are damaged or gone, and going on from here would
    /// decide anew what was decided.
    fn void(&self, offset: u64, record: &Record) -> Result<(), Fault> {
        let seq = self.chain.as_ref().map(|tip| tip.seq);
        if record.published_through <= seq {
            return Ok(());
        }
        let (through, seq) = (record.published_through.unwrap_or(0), seq.map_or(-1, i128::from));
        Err(Fault::Stopped(format!(
            "acknowledged journal records vanished or are damaged: the record at offset {offset} \
             says that the outputs of record {through} are published, but the valid chain before \
             it ends with record {seq}. {JOURNAL_REMEDY}"
        )))
    }

    /// A valid record that is not our own: somebody else folds too.
    pub(super) fn follow(&mut self, record: Record, hash: Hash, offset: u64) -> Result<(), Fault> {
        if record.rules != RULES_VERSION {
            return Err(Fault::Stopped(format!(
                "record {} was folded by rules {}, this release knows {RULES_VERSION}: upgrade it",
                record.seq, record.rules
            )));
        }
        let (partitions, partitioner) = (record.partitions, record.partitioner);
        if (partitions, partitioner) != (self.options.partitions, self.options.partitioner) {
            return Err(Fault::Stopped(format!(
                "the journal was written for {partitions} partitions by {}: partition counts \
                 cannot \
                 change, and input.partitioner must be that",
                partitioner.as_str()
            )));
        }
        if self.begun.is_none() {
            self.begin_at(record.billed.from, record.commands.from)?;
        }
        fault_point::reach("journal.follow");
        let tip = Tip::after(&record, hash, offset);
        self.chain = Some(tip.clone());
        self.behind.push_back((record, tip));
        Ok(())
    }

    /// Folds valid records that are not folded yet, as far as their lines are there.
    pub(super) fn fold_behind(&mut self, turn: &mut Turn) -> Result<(), Fault> {
        while let Some((record, _)) = self.behind.front() {
            fault_point::at("recovery.fold")?;
            let (billed, commands) = (record.billed, record.commands);
            let Some(lines) = self.intake.take_ranges(billed, commands) else {
                self.intake.make_room(billed, commands);
                if !self.intake.lacks(billed, commands) {
                    return Ok(());
                }
                let seq = record.seq;
                return Err(Fault::Passing(format!(
                    "record {seq} of the journal names lines up to offset {} of {} and {} of {}, \
                     and a topic ends before: either a broker lags, or the topic lost lines that \
                     were acknowledged, and the partition waits until they are back",
                    billed.to, self.options.billed_topic, commands.to, self.options.commands_topic
                )));
            };
            let (record, tip) = self.behind.pop_front().expect("was just seen");
            self.state.set_dedup_minutes(record.dedup_minutes);
            let folded = self.fold(&lines, record.now)?;
            compare(&record, &folded)?;
            let outputs = self.encode(&folded)?;
            self.outbox.learn(record.published_through);
            self.checkpoints.folded(&record.control);
            self.checkpoints.freeze_if_due(
                &tip,
                &mut self.state,
                self.intake.folded(),
                self.clock.micros(),
            );
            self.checkpoints.won(&tip);
            self.decided(record.seq, folded, outputs, None, turn);
            turn.progress = true;
        }
        Ok(())
    }
}

const JOURNAL_REMEDY: &str = "Find out what happened to the topic and bring its records back \
     (another replica, a mirror); until then this partition stands still";

/// The hash of a journal record, which is also its key. Kafka's checksums watch the bytes on disk
/// and on their way; the key, whatever copied the topic.
fn whole(stored: &Stored) -> Result<Hash, Fault> {
    let hash = Hash::of(stored.value.as_deref().unwrap_or_default());
    match stored.key.as_deref() {
        // Keys of another length are somebody else's, as was none before there were keys.
        Some(key) if key.len() == hash.0.len() && key != hash.0 => Err(Fault::Stopped(format!(
            "the journal record at offset {} is damaged: its bytes are not those that were \
             written. {JOURNAL_REMEDY}",
            stored.offset
        ))),
        _ => Ok(hash),
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
        "record {} does not come out as it was journaled: recorded {:?} and {} decisions, \
         folded {:?} \
         and {}. The state or the topics were changed, or another release folded it: move the \
         partition's state away to rebuild it, or go back to the release that wrote the record",
        record.seq,
        record.control,
        record.decisions,
        folded.control,
        folded.decisions.len()
    )))
}
