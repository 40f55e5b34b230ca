//! What an owner does with what it hears: the rules of DESIGN.md, "The journal", as
//! `engine::partition` has them, on the model's state. The chain rule itself is the engine's.

use super::checks::Broken;
use super::model::Model;
use super::readings::Reading;
use super::records::{Chain, Id, bits, fold};
use super::state::{Begun, Blocks, Fate, Life, Owner, Pending, State, UnderWay};

impl Model {
    /// The engine's rule. Only the reading that changes it changes it for all who read, the checks
    /// included: then all agree, and the harm is another.
    pub fn extends(&self, tip: Option<Id>, id: Id) -> bool {
        if self.reads(Reading::PrevNotCompared) {
            self.records.extends_whatever_was_before(tip, id)
        } else {
            self.records.extends(tip, id)
        }
    }

    /// The valid records of a journal with their offsets: read in offset order, the first behind a
    /// valid one that extends it is the next.
    pub fn valid(&self, journal: &[Id]) -> Chain {
        let mut chain = Chain::default();
        for (offset, id) in (0..).zip(journal) {
            if self.extends(chain.last().map(|(last, _)| *last), *id) {
                assert!(chain.push((*id, offset)), "a chain has room for a journal");
            }
        }
        chain
    }

    /// Reads the next journal record and judges it ("Valid", "Won", "Followed").
    pub fn read(&self, state: &mut State, index: usize) -> Result<(), Broken> {
        let owner = &mut state.owners[index];
        let offset = owner.read;
        owner.read += 1;
        if offset < owner.tip_end {
            return Ok(());
        }
        let id = state.journal[usize::from(offset)];
        let own = owner.pending.iter().position(|pending| pending.record == id);
        match (self.extends(owner.tip, id), own) {
            (true, Some(0)) => self.won(state, index, offset),
            (true, _) if owner.pending.is_empty() => self.follow(state, index, id, offset),
            (true, _) | (false, Some(_)) => {
                self.lost(state, index);
                Ok(())
            }
            (false, None) => {
                self.replace(owner, id, offset);
                Ok(())
            }
        }
    }

    /// The oldest pending record stands in the valid chain, as its owner believes.
    pub fn won(&self, state: &mut State, index: usize, offset: u8) -> Result<(), Broken> {
        let owner = &mut state.owners[index];
        let Pending { record, fate } = owner.pending.remove(0);
        self.joins(owner, record, offset);
        if self.reads(Reading::NeverHealed) {
            let draft = self.records.draft(record);
            for line in draft.from..draft.to {
                owner.blocks.fresh |= 1 << self.key(line);
            }
        }
        if fate == Fate::Sent {
            // An earlier append of the very same record has won; this one is still on its way.
            state.give_up(record);
        }
        self.look_before(state, index)
    }

    /// A valid record that is not its own: fold what it names ("Followed").
    fn follow(&self, state: &mut State, index: usize, id: Id, offset: u8) -> Result<(), Broken> {
        let owner = &mut state.owners[index];
        if self.reads(Reading::ForeignIgnored) && owner.owning {
            return Ok(());
        }
        let draft = *self.records.draft(id);
        if !self.reads(Reading::ForeignNotFolded) {
            owner.content = fold(owner.content, draft.from, draft.to, draft.now);
            if owner.content != draft.content {
                return Err(Broken::Difference);
            }
        }
        let learns =
            !self.reads(Reading::OthersNotLearned) && !self.reads(Reading::BehindPositionOnly);
        if learns && draft.through > owner.through {
            owner.through = draft.through;
            owner.acknowledged &= !self.lines_through(owner, draft.through);
        }
        self.joins(owner, id, offset);
        self.look_before(state, index)
    }

    /// The chain's end moves over a record.
    fn joins(&self, owner: &mut Owner, id: Id, offset: u8) {
        owner.tip = Some(id);
        owner.tip_end = owner.tip_end.max(offset + 1);
        // What lies before is read and changes nothing: as well at once.
        owner.read = owner.read.max(owner.tip_end);
        owner.blocks.decided_to = owner.blocks.decided_to.max(self.records.draft(id).to);
        if let Some(frozen) = &mut owner.frozen {
            let same_seq = self.records.seq(frozen.record) == self.records.seq(id);
            if frozen.record == id || self.reads(Reading::FrozenMatchedBySeq) && same_seq {
                frozen.won = Some((id, offset + 1));
            }
        }
        self.settle(owner);
    }

    /// Moves `through` over the records whose outputs are all acknowledged.
    pub fn settle(&self, owner: &mut Owner) {
        let Some(tip) = owner.tip else { return };
        loop {
            let next = owner.through.map_or(0, |through| through + 1);
            let Some(id) = self.ancestor(tip, next) else { return };
            let lines = self.output_bits(id);
            if owner.acknowledged & lines != lines {
                return;
            }
            owner.acknowledged &= !lines;
            owner.through = Some(next);
        }
    }

    /// The record of position `seq` on the way back from `tip`.
    pub fn ancestor(&self, tip: Id, seq: u8) -> Option<Id> {
        let mut at = Some(tip);
        while let Some(id) = at
            && self.records.seq(id) > seq
        {
            at = self.records.draft(id).prev;
        }
        at.filter(|id| self.records.seq(*id) == seq)
    }

    pub fn output_bits(&self, id: Id) -> u8 {
        let draft = self.records.draft(id);
        if self.config.outputs { bits(draft.from, draft.to) } else { 0 }
    }

    fn lines_through(&self, owner: &Owner, through: Option<u8>) -> u8 {
        let id = owner.tip.zip(through).and_then(|(tip, seq)| self.ancestor(tip, seq));
        id.map_or(0, |id| bits(0, self.records.draft(id).to))
    }

    /// A loss: throw away what was folded on top, make a new producer, read on ("Won"). Where
    /// calls may be interrupted, that is a step of its own.
    pub fn lost(&self, state: &mut State, index: usize) {
        if self.config.faults.interrupts > 0 {
            state.owners[index].begun = Begun::No;
        } else {
            self.throw_away(state, index);
            self.recover(state, index);
        }
    }

    pub fn throw_away(&self, state: &mut State, index: usize) {
        let kept = self.reads(Reading::FrozenKept) || self.reads(Reading::FrozenMatchedBySeq);
        let owner = &mut state.owners[index];
        owner.losses += u8::from(self.config.clocks);
        owner.to_name = self.reads(Reading::NamesAfterEachLoss);
        if !kept {
            owner.frozen = None;
        }
        state.give_up_all(index);
    }

    /// Begins again from the store ("Recovery").
    pub fn recover(&self, state: &mut State, index: usize) {
        let State { owners, journal, cut, .. } = state;
        let owner = &mut owners[index];
        let folded = owner.content;
        self.forget(owner);
        if let Some(stored) = owner.store {
            if usize::from(stored.end) > journal.len() {
                assert!(*cut, "a journal that lost nothing reaches to every position");
                owner.life = Life::Stopped;
                return;
            }
            let shown = journal[usize::from(stored.end) - 1];
            if shown == stored.record || self.reads(Reading::HashNotCompared) {
                owner.tip = Some(stored.record);
                owner.tip_end = stored.end;
                owner.content = stored.content;
                owner.blocks.decided_to = stored.decided_to;
                // A checkpoint is written only when published_through has passed it.
                owner.through = owner.through.max(Some(self.records.seq(stored.record)));
            } else {
                owner.store = None; // set aside
            }
        }
        owner.read = owner.tip_end;
        owner.read_from = if self.reads(Reading::BeforeCounts) { owner.read } else { 0 };
        owner.owning = self.reads(Reading::AppendsBeforeTheEnd);
        if self.reads(Reading::FoldKept) && !owner.to_name {
            owner.content = folded;
        }
    }

    /// Forgets all but what a recovery keeps: `through`, and how far the journal was read.
    pub fn forget(&self, owner: &mut Owner) {
        owner.begun = Begun::Yes;
        (owner.tip, owner.tip_end, owner.content) = (None, 0, 0);
        owner.acknowledged = 0;
        owner.owning = false;
        owner.blocks = Blocks::default();
    }

    /// For the reading that lets a record count which stands before a valid one.
    fn look_before(&self, state: &mut State, index: usize) -> Result<(), Broken> {
        let owner = state.owners[index];
        if !self.reads(Reading::BeforeCounts) || !owner.pending.is_empty() {
            return Ok(());
        }
        let heard = usize::from(owner.read_from)..usize::from(owner.tip_end);
        let next = state.journal[heard].iter().find(|id| self.extends(owner.tip, **id)).copied();
        next.map_or(Ok(()), |id| self.follow(state, index, id, owner.tip_end - 1))
    }

    /// For the reading that lets the last record decide.
    fn replace(&self, owner: &mut Owner, id: Id, offset: u8) {
        let Some(tip) = owner.tip.filter(|_| self.reads(Reading::LaterReplaces)) else { return };
        let (before, draft) = (self.records.draft(tip).prev, self.records.draft(id));
        if id != tip && before == draft.prev && self.extends(before, id) {
            (owner.tip, owner.tip_end, owner.content) = (Some(id), offset + 1, draft.content);
        }
    }
}

impl State {
    /// An append that nobody waits for any more may land yet.
    pub fn give_up(&mut self, id: Id) {
        if self.left.late > 0 && self.loose.push(id) {
            self.loose.sort_unstable();
        }
    }

    /// Everything of an owner that is under way is given up.
    pub fn give_up_all(&mut self, index: usize) {
        let owner = self.owners[index];
        for pending in owner.pending.iter().filter(|pending| pending.fate == Fate::Sent) {
            self.give_up(pending.record);
        }
        self.owners[index].pending.truncate(0);
        for (key, under_way) in (0..).zip(owner.blocks.under_way) {
            if let UnderWay::Sent { sequence } = under_way {
                self.give_up_block(super::state::Block { key, sequence });
            }
        }
    }

    pub fn give_up_block(&mut self, block: super::state::Block) {
        if self.left.late > 0 && self.loose_blocks.push(block) {
            self.loose_blocks.sort_unstable();
        }
    }
}
