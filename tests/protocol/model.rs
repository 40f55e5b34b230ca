//! What a search explores: its bounds, the reading that replaces a rule, and the records it met.

use super::readings::Reading;
use super::records::Records;
use super::state::{Block, Faults, KEYS_MAX, Life, Owner, State};

/// The bounds of one search.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub name: &'static str,
    pub owners: u8,
    /// Lines of input, all there from the start: an owner that waits is one that takes no step.
    pub lines: u8,
    pub batch_lines_max: u8,
    pub appends_in_flight_max: u8,
    /// Each line has an output of its own.
    pub outputs: bool,
    /// Keys of block-state; line `n` decides key `n % keys`.
    pub keys: u8,
    /// Each owner's clock is another, and moves with its losses. Without, what is folded again
    /// gives the very same record.
    pub clocks: bool,
    /// More records than this are taken for a course without an end. That the rules hold shows
    /// that they need no more.
    pub journal_max: usize,
    pub block_state_max: usize,
    pub faults: Faults,
}

pub struct Model {
    pub config: Config,
    pub reading: Option<Reading>,
    pub records: Records,
}

impl Model {
    pub fn new(config: Config, reading: Option<Reading>) -> Model {
        assert!(usize::from(config.keys) <= KEYS_MAX && config.lines <= 8);
        Model { config, reading, records: Records::default() }
    }

    pub fn reads(&self, reading: Reading) -> bool {
        self.reading == Some(reading)
    }

    /// Every owner was just assigned, on an empty disk.
    pub fn first(&self) -> State {
        let mut state = State { left: self.config.faults, ..State::default() };
        for _ in 0..self.config.owners {
            let owner = Owner { to_name: true, ..Owner::default() };
            assert!(state.owners.push(owner), "at most OWNERS_MAX");
        }
        for index in 0..state.owners.len() {
            self.recover(&mut state, index);
        }
        state
    }

    pub fn key(&self, line: u8) -> u8 {
        line % self.config.keys.max(1)
    }

    /// The sequence that the lines below `to` decide for a key.
    pub fn decided(&self, key: u8, to: u8) -> Option<u8> {
        (0..to).rev().find(|line| self.key(*line) == key).map(|line| line + 1)
    }

    /// Lines that an owner has folded.
    pub fn folded_to(&self, owner: &Owner) -> u8 {
        let last = owner.pending.last().map(|last| last.record).or(owner.tip);
        last.map_or(0, |last| self.records.draft(last).to)
    }

    pub fn tip_to(&self, owner: &Owner) -> u8 {
        owner.tip.map_or(0, |tip| self.records.draft(tip).to)
    }

    /// Greatest position whose outputs are all acknowledged; never below what the chain says.
    pub fn published_through(&self, owner: &Owner) -> Option<u8> {
        if self.reads(Reading::OthersNotLearned) {
            return owner.through;
        }
        let through = |id| self.records.draft(id).through;
        let last = owner.pending.last().and_then(|last| through(last.record));
        owner.through.max(last).max(owner.tip.and_then(through))
    }

    /// What an owner would publish for a key: `Some(0)` is a tombstone ("Block-state").
    pub fn wanted(&self, state: &State, owner: &Owner, key: u8) -> Option<u8> {
        let read = &state.block_state[..usize::from(owner.blocks.read)];
        let shown = last_shown(read, key);
        if self.reads(Reading::NeverHealed) {
            let fresh = owner.blocks.fresh & 1 << key != 0;
            return self.decided(key, owner.blocks.decided_to).filter(|_| fresh);
        }
        let from_folded = self.reads(Reading::HealedFromFolded);
        let folded_to = if from_folded { self.folded_to(owner) } else { 0 };
        let Some(decided) = self.decided(key, owner.blocks.decided_to.max(folded_to)) else {
            let of_folded = self.reads(Reading::UnknownByFolded);
            let known = if of_folded { self.folded_to(owner) } else { self.tip_to(owner) };
            return shown.filter(|shown| *shown <= known).map(|_| 0);
        };
        let differs = self.reads(Reading::HealedWhereDifferent) && shown != Some(decided);
        (shown < Some(decided) || differs).then_some(decided)
    }
}

/// Sequence of a key's last record; `None` where it has none, or a tombstone.
pub fn last_shown(read: &[Block], key: u8) -> Option<u8> {
    let last = read.iter().rev().find(|block| block.key == key)?;
    Some(last.sequence).filter(|sequence| *sequence > 0)
}

pub fn is_up(owner: &Owner) -> bool {
    owner.life == Life::Up
}
