//! What must hold in every state, and what in those in which nothing more has to happen. The checks
//! see everything; what is valid they take from the engine's chain rule over the whole journal.

use super::model::{Model, is_up, last_shown};
use super::readings::Reading;
use super::records::{Chain, bits, fold};
use super::state::{Begun, Fate, Life, Owner, State, Stored};

/// What was violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Broken {
    #[error("the valid chain has a line twice, or leaves one out")]
    Lines,
    #[error("an owner takes for the chain what is not the valid one")]
    Chain,
    #[error("an owner has folded something else than its chain and its own records")]
    Content,
    #[error("a valid record does not come out as it was journaled")]
    Difference,
    #[error("the chain claims outputs that are not in their topic")]
    Claimed,
    #[error("something leaves before its record is in the valid chain (L3)")]
    Early,
    #[error("a key that the chain has decided gets a tombstone")]
    Lifted,
    #[error("a record that has won is thrown away, though nothing failed")]
    NeedlessLoss,
    #[error("an output is sent again that the chain says is published")]
    Again,
    #[error("something is published twice, though nothing failed")]
    Twice,
    #[error("a store names a record that is not in the valid chain")]
    Stored,
    #[error("a store's rows are not those of the record it names")]
    Rows,
    #[error("a gate goes back to an older decision")]
    GateBack,
    #[error("a topic grows beyond what the rules ever need")]
    Endless,
    #[error("steps lead in a circle")]
    Circle,
    #[error("at rest: lines are not in the chain")]
    RestLines,
    #[error("at rest: an owner does not know the whole chain")]
    RestBehind,
    #[error("at rest: outputs of valid records are not in their topic")]
    RestOutputs,
    #[error("at rest: block-state does not show what the chain has decided")]
    RestBlockState,
    #[error("at rest: a list frozen for a checkpoint can never be written")]
    RestFrozen,
}

impl Model {
    /// Holds in every state.
    pub fn check(&self, state: &State) -> Result<(), Broken> {
        let valid = self.valid(&state.journal);
        self.check_chain(state, &valid)?;
        for owner in state.owners.iter() {
            if is_up(owner) && owner.begun == Begun::Yes {
                self.check_owner(owner, &valid)?;
            }
            // A cut may take away what a store names: that is noticed when it is opened.
            for stored in [owner.store, owner.store_before].into_iter().flatten() {
                self.check_store(stored, &valid, state.cut)?;
            }
        }
        self.check_block_state(state)?;
        let faults = self.config.faults;
        let calm = faults.crashes + faults.failures + faults.late + faults.leaves == 0;
        if self.config.owners == 1 && calm && state.twice {
            return Err(Broken::Twice);
        }
        Ok(())
    }

    /// Each line is once in the valid chain, each record comes out again, and what it says of
    /// outputs is true.
    fn check_chain(&self, state: &State, valid: &Chain) -> Result<(), Broken> {
        let (mut to, mut content) = (0, 0);
        for (id, _) in valid.iter() {
            let draft = self.records.draft(*id);
            if draft.from != to || draft.to < draft.from || draft.to > self.config.lines {
                return Err(Broken::Lines);
            }
            to = draft.to;
            content = fold(content, draft.from, draft.to, draft.now);
            if content != draft.content {
                return Err(Broken::Difference);
            }
            if !self.are_published(state, valid, draft.through) {
                return Err(Broken::Claimed);
            }
        }
        Ok(())
    }

    fn are_published(&self, state: &State, valid: &Chain, through: Option<u8>) -> bool {
        let Some(seq) = through else { return true };
        if !self.config.outputs {
            return true;
        }
        let Some((last, _)) = valid.get(usize::from(seq)) else { return false };
        let lines = bits(0, self.records.draft(*last).to);
        state.outputs & lines == lines
    }

    fn check_owner(&self, owner: &Owner, valid: &Chain) -> Result<(), Broken> {
        let mut content = 0;
        if let Some(tip) = owner.tip {
            let known = valid.get(usize::from(self.records.seq(tip)));
            if known != Some(&(tip, owner.tip_end - 1)) {
                return Err(Broken::Chain);
            }
            content = self.records.draft(tip).content;
        }
        for pending in owner.pending.iter() {
            let draft = self.records.draft(pending.record);
            content = fold(content, draft.from, draft.to, draft.now);
        }
        if content != owner.content {
            return Err(Broken::Content);
        }
        Ok(())
    }

    fn check_store(&self, stored: Stored, valid: &Chain, cut: bool) -> Result<(), Broken> {
        if !cut && !valid.contains(&(stored.record, stored.end - 1)) {
            return Err(Broken::Stored);
        }
        if stored.content != self.records.draft(stored.record).content {
            return Err(Broken::Rows);
        }
        Ok(())
    }

    /// A gate that reads along never goes back; and where one owner works and nothing of its own
    /// lands late, no record stands there twice, crashes or not.
    fn check_block_state(&self, state: &State) -> Result<(), Broken> {
        let faults = self.config.faults;
        let once = self.config.owners == 1 && faults.failures + faults.late + faults.cuts == 0;
        let mut gate = [0; super::state::KEYS_MAX];
        for (at, block) in state.block_state.iter().enumerate() {
            let seen = &mut gate[usize::from(block.key)];
            if block.sequence < *seen && self.reads(Reading::GatesTakeLower) {
                return Err(Broken::GateBack);
            }
            *seen = (*seen).max(block.sequence);
            if once && state.block_state[..at].contains(block) {
                return Err(Broken::Twice);
            }
        }
        Ok(())
    }

    /// Holds where nothing more has to happen: all is told, and everyone knows.
    pub fn check_rest(&self, state: &State) -> Result<(), Broken> {
        let valid = self.valid(&state.journal);
        let last = valid.last().map(|(last, _)| *last);
        let mut up = state.owners.iter().filter(|owner| is_up(owner)).peekable();
        if up.peek().is_none() {
            let waits = state.owners.iter().any(|owner| owner.life == Life::Stopped);
            return if waits { Ok(()) } else { Err(Broken::RestBehind) };
        }
        for owner in up {
            let judged = owner.pending.iter().all(|one| one.fate != Fate::Acknowledged);
            if owner.tip != last || !owner.owning || !judged {
                return Err(Broken::RestBehind);
            }
            if owner.frozen.is_some() {
                return Err(Broken::RestFrozen);
            }
        }
        if last.map_or(0, |last| self.records.draft(last).to) != self.config.lines {
            return Err(Broken::RestLines);
        }
        if self.config.outputs && state.outputs != bits(0, self.config.lines) {
            return Err(Broken::RestOutputs);
        }
        for key in 0..self.config.keys {
            let decided = self.decided(key, self.config.lines);
            let of_key = state.block_state.iter().filter(|block| block.key == key);
            let gate = of_key.map(|block| block.sequence).max();
            if last_shown(&state.block_state, key) != decided || gate != decided {
                return Err(Broken::RestBlockState);
            }
        }
        Ok(())
    }
}
