//! What a step does. Promise: a step is atomic, and what an owner cannot see, such as whether its
//! append has landed, does not change what it does.

use super::checks::Broken;
use super::model::Model;
use super::possible::{Disk, Step};
use super::readings::Reading;
use super::records::{Draft, Id, bits, fold};
use super::state::{Begun, Block, Fate, Frozen, Life, Owner, Pending, State, UnderWay};

impl Model {
    /// The state after a step.
    pub fn after(&mut self, mut state: State, step: Step) -> Result<State, Broken> {
        let s = &mut state;
        match step {
            Step::Reads(index) => self.read(s, index)?,
            Step::ReachesTheEnd(index) => {
                let owner = &mut s.owners[index];
                owner.owning = true;
                if self.reads(Reading::AssumedAtTakeover) {
                    owner.through = owner.tip.map(|tip| self.records.seq(tip));
                }
            }
            Step::Appends(index, lines) => self.append(s, index, lines),
            Step::AppendLands(index) => self.land(s, index)?,
            Step::AppendIsAcknowledged(index) => self.acknowledged(s, index, true)?,
            Step::AppendIsAcknowledgedWithoutOffset(index) => {
                s.left.bare -= 1;
                self.acknowledged(s, index, false)?;
            }
            Step::AppendIsReportedFailed(index) => {
                s.left.failures -= 1;
                self.failed(s, index)?;
            }
            Step::LateAppendLands(at) => {
                s.left.late -= 1;
                let id = s.loose.remove(at);
                self.lands(s, id)?;
            }
            Step::Publishes(index, line) => self.publish(s, index, line)?,
            Step::SendsBlock(index, key) => self.send_block(s, index, key)?,
            Step::BlockLands(index, key) => {
                let UnderWay::Sent { sequence } = under_way_of(s, index, key) else {
                    unreachable!("only what was sent lands");
                };
                let offset = s.block_state.len() as u8;
                *under_way_mut(s, index, key) = UnderWay::Acknowledged { offset };
                self.block_lands(s, Block { key, sequence })?;
            }
            Step::BlockIsReportedFailed(index, key) => {
                s.left.failures -= 1;
                if let UnderWay::Sent { sequence } = under_way_of(s, index, key) {
                    s.give_up_block(Block { key, sequence });
                }
                *under_way_mut(s, index, key) = UnderWay::Nothing;
            }
            Step::LateBlockLands(at) => {
                s.left.late -= 1;
                let block = s.loose_blocks.remove(at);
                self.block_lands(s, block)?;
            }
            Step::ReadsBlockState(index) => read_block_state(s, index),
            Step::FreezesCheckpoint(index) => {
                s.left.freezes -= 1;
                let owner = &mut s.owners[index];
                let last = owner.pending.last().map(|last| last.record).or(owner.tip);
                let record = last.expect("there is something to freeze");
                let won = (owner.tip == Some(record)).then_some((record, owner.tip_end));
                owner.frozen = Some(Frozen { record, content: owner.content, won });
            }
            Step::WritesCheckpoint(index) => {
                let stored = self.checkpoint(s, &s.owners[index]);
                let owner = &mut s.owners[index];
                owner.frozen = None;
                owner.store_before = std::mem::replace(&mut owner.store, stored);
            }
            Step::Recovers(index) => {
                self.throw_away(s, index);
                self.recover(s, index);
            }
            Step::RecoveryIsInterrupted(index) => self.interrupted(s, index),
            Step::Crashes(index, disk) => {
                s.left.crashes -= 1;
                self.crash(s, index, disk);
            }
            Step::Leaves(index) => {
                s.left.leaves -= 1;
                s.give_up_all(index);
                s.owners[index] = Owner { life: Life::Gone, ..Owner::default() };
            }
            Step::JournalIsCut(len) => {
                s.left.cuts -= 1;
                s.cut = true;
                s.journal.truncate(usize::from(len));
                s.loose.truncate(0);
                for index in 0..s.owners.len() {
                    self.crash(s, index, Disk::Kept);
                }
            }
        }
        if s.left.late == 0 {
            // Without a late landing left it does not matter what could land.
            s.loose.truncate(0);
            s.loose_blocks.truncate(0);
        }
        Ok(state)
    }

    fn append(&mut self, state: &mut State, index: usize, lines: u8) {
        let owner = &mut state.owners[index];
        let prev = owner.pending.last().map(|last| last.record).or(owner.tip);
        let from = self.folded_to(owner);
        let clock = if self.config.clocks { index as u8 + 2 * owner.losses } else { 0 };
        let now = prev.map_or(clock, |prev| clock.max(self.records.draft(prev).now));
        let (to, through) = (from + lines, self.published_through(owner));
        owner.content = fold(owner.content, from, to, now);
        owner.to_name = false;
        let draft = Draft {
            prev,
            from,
            to,
            now,
            through,
            owner: (index as u8, owner.run),
            content: owner.content,
        };
        let record = self.records.number(draft);
        assert!(owner.pending.push(Pending { record, fate: Fate::Sent }), "in-flight bound");
    }

    fn acknowledged(
        &self,
        state: &mut State,
        index: usize,
        with_offset: bool,
    ) -> Result<(), Broken> {
        let owner = &mut state.owners[index];
        let landed = |pending: &Pending| match pending.fate {
            Fate::Landed { offset } => Some(offset),
            Fate::Sent | Fate::Acknowledged => None,
        };
        let (at, offset) = owner
            .pending
            .iter()
            .enumerate()
            .find_map(|(at, pending)| Some((at, landed(pending)?)))
            .expect("only what landed is acknowledged");
        owner.pending[at].fate = Fate::Acknowledged;
        let gap = offset != owner.tip_end;
        let believed = if with_offset {
            !gap || self.reads(Reading::GapIsWin)
        } else {
            self.reads(Reading::BareIsWin)
        };
        if at == 0 && believed {
            return self.won(state, index, offset);
        }
        if at == 0 && with_offset && self.reads(Reading::GapIsLoss) {
            let record = owner.pending[0].record;
            if self.valid(&state.journal).contains(&(record, offset)) {
                return Err(Broken::NeedlessLoss);
            }
            self.lost(state, index);
        }
        Ok(())
    }

    fn failed(&self, state: &mut State, index: usize) -> Result<(), Broken> {
        let owner = &mut state.owners[index];
        if self.reads(Reading::UnknownIsWin) {
            let end = owner.tip_end;
            return self.won(state, index, end);
        }
        owner.broken = self.reads(Reading::ProducerKept);
        self.lost(state, index);
        Ok(())
    }

    /// A call in the middle of a loss or of its recovery fails for the time being.
    fn interrupted(&self, state: &mut State, index: usize) {
        state.left.interrupts -= 1;
        if self.reads(Reading::LossNotResumed) {
            state.owners[index].begun = Begun::Yes;
        } else if self.reads(Reading::RecoveryNotResumed) {
            self.throw_away(state, index);
            self.forget(&mut state.owners[index]);
        }
    }

    fn crash(&self, state: &mut State, index: usize, disk: Disk) {
        state.give_up_all(index);
        let before = state.owners[index];
        if before.life == Life::Gone {
            return;
        }
        let (store, store_before) = match disk {
            Disk::Kept => (before.store, before.store_before),
            Disk::Aged => (before.store_before, None),
            Disk::Lost => (None, None),
        };
        let (run, losses) = (before.run + 1, before.losses);
        state.owners[index] =
            Owner { run, losses, store, store_before, to_name: true, ..Owner::default() };
        self.recover(state, index);
    }

    fn publish(&self, state: &mut State, index: usize, line: u8) -> Result<(), Broken> {
        let owner = &mut state.owners[index];
        let seq = self.seq_of(owner, line);
        let valid = self.valid(&state.journal);
        let last = owner.pending.last().map(|last| last.record).or(owner.tip);
        let record = last.zip(seq).and_then(|(last, seq)| self.ancestor(last, seq));
        if !valid.iter().any(|(id, _)| Some(*id) == record) {
            return Err(Broken::Early);
        }
        let told = owner.tip.and_then(|tip| self.records.draft(tip).through);
        // To leave out that sending again is waste shows that not to learn does worse.
        if seq <= told && !self.reads(Reading::OthersNotLearned) {
            return Err(Broken::Again);
        }
        state.twice |= state.outputs & 1 << line != 0;
        state.outputs |= 1 << line;
        owner.acknowledged |= bits(line, line + 1);
        if self.reads(Reading::LastAcknowledged) {
            owner.through = owner.through.max(seq);
        }
        self.settle(owner);
        Ok(())
    }

    /// The oldest append under way lands: a producer keeps its order.
    fn land(&self, state: &mut State, index: usize) -> Result<(), Broken> {
        let offset = state.journal.len() as u8;
        let mut pending = state.owners[index].pending.iter_mut();
        let first = pending.find(|pending| pending.fate == Fate::Sent).expect("one is under way");
        first.fate = Fate::Landed { offset };
        let record = first.record;
        self.lands(state, record)
    }

    /// To want more room than a topic has is to go on for ever.
    fn lands(&self, state: &mut State, id: Id) -> Result<(), Broken> {
        let fits = state.journal.len() < self.config.journal_max && state.journal.push(id);
        if fits { Ok(()) } else { Err(Broken::Endless) }
    }

    fn block_lands(&self, state: &mut State, block: Block) -> Result<(), Broken> {
        let bound = self.config.block_state_max;
        let fits = state.block_state.len() < bound && state.block_state.push(block);
        if fits { Ok(()) } else { Err(Broken::Endless) }
    }

    fn send_block(&self, state: &mut State, index: usize, key: u8) -> Result<(), Broken> {
        let sequence = self.wanted(state, &state.owners[index], key).expect("is wanted");
        let valid = self.valid(&state.journal);
        let valid_to = valid.last().map_or(0, |(last, _)| self.records.draft(*last).to);
        if sequence > valid_to {
            return Err(Broken::Early);
        }
        if sequence == 0 && self.decided(key, valid_to).is_some() {
            return Err(Broken::Lifted);
        }
        state.owners[index].blocks.fresh &= !(1 << key);
        *under_way_mut(state, index, key) = UnderWay::Sent { sequence };
        Ok(())
    }
}

fn read_block_state(state: &mut State, index: usize) {
    let blocks = &mut state.owners[index].blocks;
    if let Some(block) = state.block_state.get(usize::from(blocks.read)) {
        let under_way = &mut blocks.under_way[usize::from(block.key)];
        if matches!(under_way, UnderWay::Acknowledged { offset } if *offset <= blocks.read) {
            *under_way = UnderWay::Nothing;
        }
        blocks.read += 1;
    }
    blocks.complete |= usize::from(blocks.read) == state.block_state.len();
}

fn under_way_of(state: &State, index: usize, key: u8) -> UnderWay {
    state.owners[index].blocks.under_way[usize::from(key)]
}

fn under_way_mut(state: &mut State, index: usize, key: u8) -> &mut UnderWay {
    &mut state.owners[index].blocks.under_way[usize::from(key)]
}
