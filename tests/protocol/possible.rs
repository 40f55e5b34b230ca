//! All that can happen next. An owner that is paused is one that takes no step for a while, so
//! pauses need no step of their own.

use super::model::{Model, is_up};
use super::readings::Reading;
use super::state::{Begun, Fate, Faults, Frozen, Life, Owner, State, Stored, UnderWay};

/// What becomes of the disk in a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    Kept,
    Aged,
    Lost,
}

/// One step; the first number is the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Reads(usize),
    ReachesTheEnd(usize),
    Appends(usize, u8),
    AppendLands(usize),
    AppendIsAcknowledged(usize),
    Publishes(usize, u8),
    SendsBlock(usize, u8),
    BlockLands(usize, u8),
    ReadsBlockState(usize),
    WritesCheckpoint(usize),
    Recovers(usize),
    // From here on: what may happen, but need not.
    AppendIsAcknowledgedWithoutOffset(usize),
    AppendIsReportedFailed(usize),
    LateAppendLands(usize),
    BlockIsReportedFailed(usize, u8),
    LateBlockLands(usize),
    FreezesCheckpoint(usize),
    RecoveryIsInterrupted(usize),
    Crashes(usize, Disk),
    Leaves(usize),
    JournalIsCut(u8),
}

impl Step {
    /// A step that must be possible sooner or later, unless something else makes it impossible.
    pub fn must(self) -> bool {
        match self {
            Step::Reads(_)
            | Step::ReachesTheEnd(_)
            | Step::Appends(..)
            | Step::AppendLands(_)
            | Step::AppendIsAcknowledged(_)
            | Step::Publishes(..)
            | Step::SendsBlock(..)
            | Step::BlockLands(..)
            | Step::ReadsBlockState(_)
            | Step::WritesCheckpoint(_)
            | Step::Recovers(_) => true,
            Step::AppendIsAcknowledgedWithoutOffset(_)
            | Step::AppendIsReportedFailed(_)
            | Step::LateAppendLands(_)
            | Step::BlockIsReportedFailed(..)
            | Step::LateBlockLands(_)
            | Step::FreezesCheckpoint(_)
            | Step::RecoveryIsInterrupted(_)
            | Step::Crashes(..)
            | Step::Leaves(_)
            | Step::JournalIsCut(_) => false,
        }
    }
}

impl Model {
    /// Every step that is possible in a state, always in the same order.
    pub fn steps(&self, state: &State) -> Vec<Step> {
        let mut steps = Vec::with_capacity(24);
        let left = state.left;
        for (index, owner) in state.owners.iter().enumerate() {
            match (owner.life, owner.begun) {
                (Life::Up, Begun::Yes) => self.owner_steps(state, index, owner, &mut steps),
                (Life::Up, Begun::No) => {
                    steps.push(Step::Recovers(index));
                    if left.interrupts > 0 {
                        steps.push(Step::RecoveryIsInterrupted(index));
                    }
                }
                (Life::Stopped | Life::Gone, _) => {}
            }
            under_way(owner, index, left, &mut steps);
            if owner.life != Life::Gone && left.crashes > 0 {
                steps.push(Step::Crashes(index, Disk::Kept));
                if owner.store.is_some() {
                    steps.push(Step::Crashes(index, Disk::Lost));
                }
                if owner.store_before.is_some() {
                    steps.push(Step::Crashes(index, Disk::Aged));
                }
            }
            let others = state.owners.iter().filter(|owner| is_up(owner)).count() > 1;
            if is_up(owner) && others && left.leaves > 0 {
                steps.push(Step::Leaves(index));
            }
        }
        if left.late > 0 {
            steps.extend((0..state.loose.len()).map(Step::LateAppendLands));
            steps.extend((0..state.loose_blocks.len()).map(Step::LateBlockLands));
        }
        if left.cuts > 0 {
            steps.extend((0..state.journal.len() as u8).map(Step::JournalIsCut));
        }
        steps
    }

    fn owner_steps(&self, state: &State, index: usize, owner: &Owner, steps: &mut Vec<Step>) {
        let idle = owner.owning && owner.pending.is_empty();
        let at_end = usize::from(owner.read) >= state.journal.len();
        let reads = !idle || !self.reads(Reading::IdleDoesNotRead);
        if reads && !at_end {
            steps.push(Step::Reads(index));
        }
        if at_end && !owner.owning {
            steps.push(Step::ReachesTheEnd(index));
        }
        if owner.owning && !owner.broken {
            self.append_steps(index, owner, steps);
        }
        if owner.owning {
            self.publish_steps(state, index, owner, steps);
        }
        if self.config.keys > 0 {
            let all_read = usize::from(owner.blocks.read) >= state.block_state.len();
            if !all_read || !owner.blocks.complete {
                steps.push(Step::ReadsBlockState(index));
            }
        }
        if self.checkpoint(state, owner).is_some() {
            steps.push(Step::WritesCheckpoint(index));
        }
        let last = owner.pending.last().map(|last| last.record).or(owner.tip);
        let stored = owner.store.map(|stored| stored.record);
        if state.left.freezes > 0 && owner.frozen.is_none() && last.is_some() && last != stored {
            steps.push(Step::FreezesCheckpoint(index));
        }
    }

    fn append_steps(&self, index: usize, owner: &Owner, steps: &mut Vec<Step>) {
        if owner.pending.len() >= usize::from(self.config.appends_in_flight_max) {
            return;
        }
        if owner.to_name {
            steps.push(Step::Appends(index, 0));
            return;
        }
        let there = self.config.lines - self.folded_to(owner);
        let most = self.config.batch_lines_max.min(there);
        steps.extend((1..=most).map(|lines| Step::Appends(index, lines)));
    }

    fn publish_steps(&self, state: &State, index: usize, owner: &Owner, steps: &mut Vec<Step>) {
        if self.config.outputs {
            let before_won = self.reads(Reading::PublishedBeforeWon);
            let to = if before_won { self.folded_to(owner) } else { self.tip_to(owner) };
            let lines = (0..to).filter(|line| self.is_due(owner, *line));
            steps.extend(lines.map(|line| Step::Publishes(index, line)));
        }
        for key in 0..self.config.keys {
            let under_way = owner.blocks.under_way[usize::from(key)];
            let free = match under_way {
                UnderWay::Nothing => true,
                UnderWay::Sent { .. } => false,
                UnderWay::Acknowledged { .. } => self.reads(Reading::HealedWhileUnderWay),
            };
            let complete = owner.blocks.complete || self.reads(Reading::HealedBeforeRead);
            if free && complete && self.wanted(state, owner, key).is_some() {
                steps.push(Step::SendsBlock(index, key));
            }
        }
    }

    /// Whether a line's output has yet to be published by this owner.
    fn is_due(&self, owner: &Owner, line: u8) -> bool {
        let seq = self.seq_of(owner, line);
        owner.acknowledged & 1 << line == 0 && seq.is_some() && seq > owner.through
    }

    /// Position of the record in which an owner folded a line.
    pub fn seq_of(&self, owner: &Owner, line: u8) -> Option<u8> {
        let mut at = owner.pending.last().map(|last| last.record).or(owner.tip);
        while let Some(id) = at
            && self.records.draft(id).from > line
        {
            at = self.records.draft(id).prev;
        }
        while let Some(id) = at
            && self.records.draft(id).to <= line
        {
            at = self.records.draft(id).prev;
        }
        at.map(|id| self.records.seq(id))
    }

    /// The checkpoint that may be written now ("State").
    pub fn checkpoint(&self, state: &State, owner: &Owner) -> Option<Stored> {
        let Frozen { record, content, won } = owner.frozen?;
        let landed = || {
            let offset = state.journal.iter().position(|id| *id == record)?;
            Some((record, u8::try_from(offset + 1).ok()?))
        };
        let early = self.reads(Reading::WrittenBeforeWon);
        let (record, end) = won.or_else(|| if early { landed() } else { None })?;
        let published = self.published_through(owner) >= Some(self.records.seq(record));
        let decided_to = owner.blocks.decided_to;
        (published || early || self.reads(Reading::WrittenBeforePublished)).then_some(Stored {
            record,
            end,
            content,
            decided_to,
        })
    }
}

fn under_way(owner: &Owner, index: usize, left: Faults, steps: &mut Vec<Step>) {
    let fates = || owner.pending.iter().map(|pending| pending.fate);
    if fates().any(|fate| fate == Fate::Sent) {
        steps.push(Step::AppendLands(index));
    }
    let hears = owner.life == Life::Up && owner.begun == Begun::Yes;
    if hears && fates().any(|fate| matches!(fate, Fate::Landed { .. })) {
        steps.push(Step::AppendIsAcknowledged(index));
        if left.bare > 0 {
            steps.push(Step::AppendIsAcknowledgedWithoutOffset(index));
        }
    }
    if hears && left.failures > 0 && fates().any(|fate| fate != Fate::Acknowledged) {
        steps.push(Step::AppendIsReportedFailed(index));
    }
    for (key, under_way) in (0..).zip(owner.blocks.under_way) {
        if matches!(under_way, UnderWay::Sent { .. }) {
            steps.push(Step::BlockLands(index, key));
            if hears && left.failures > 0 {
                steps.push(Step::BlockIsReportedFailed(index, key));
            }
        }
    }
}
