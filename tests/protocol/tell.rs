//! Steps and states in words, for those who read how a fault comes about.

use super::model::Model;
use super::possible::Step;
use super::records::Id;
use super::state::{Begun, Life, Owner, State};

fn name(index: usize) -> char {
    ['A', 'B', 'C'][index]
}

pub fn step(step: Step) -> String {
    let who = |index| format!("{}", name(index));
    match step {
        Step::Reads(o) => format!("{} reads the journal", who(o)),
        Step::ReachesTheEnd(o) => format!("{} has read the journal to its end", who(o)),
        Step::Appends(o, 0) => format!("{} appends a record that names it", who(o)),
        Step::Appends(o, lines) => format!("{} folds and appends {lines} lines", who(o)),
        Step::AppendLands(o) => format!("{}'s append lands", who(o)),
        Step::AppendIsAcknowledged(o) => format!("{}'s append is acknowledged", who(o)),
        Step::Publishes(o, line) => format!("{} publishes line {line}'s output", who(o)),
        Step::SendsBlock(o, key) => format!("{} sends a block record of key {key}", who(o)),
        Step::BlockLands(o, key) => format!("{}'s block record of key {key} lands", who(o)),
        Step::ReadsBlockState(o) => format!("{} reads block-state", who(o)),
        Step::WritesCheckpoint(o) => format!("{} writes the checkpoint", who(o)),
        Step::Recovers(o) => format!("{} recovers", who(o)),
        Step::AppendIsAcknowledgedWithoutOffset(o) => {
            format!("{}'s append is acknowledged without offset", who(o))
        }
        Step::AppendIsReportedFailed(o) => format!("{}'s append is reported as failed", who(o)),
        Step::LateAppendLands(_) => "an append given up lands".to_owned(),
        Step::BlockIsReportedFailed(o, key) => {
            format!("{}'s block record of key {key} is reported failed", who(o))
        }
        Step::LateBlockLands(_) => "a block record given up lands".to_owned(),
        Step::FreezesCheckpoint(o) => format!("{} freezes a checkpoint", who(o)),
        Step::RecoveryIsInterrupted(o) => format!("{}: a call fails for the time being", who(o)),
        Step::Crashes(o, disk) => format!("{} crashes and starts again, disk {disk:?}", who(o)),
        Step::Leaves(o) => format!("{} ends for good", who(o)),
        Step::JournalIsCut(len) => format!("the journal is cut to {len} records, all crash"),
    }
}

/// Valid records are written `1A[0,1)`: sequence, owner, lines; void ones `(1B[0,1))`.
pub fn state(model: &Model, state: &State) -> String {
    let valid = model.valid(&state.journal);
    let record = |id: Id| {
        let draft = model.records.draft(id);
        let by = name(usize::from(draft.owner.0));
        format!("{}{by}[{},{})", model.records.seq(id), draft.from, draft.to)
    };
    let journal = (0..).zip(state.journal.iter()).map(|(offset, id)| {
        let record = record(*id);
        if valid.contains(&(*id, offset)) { record } else { format!("({record})") }
    });
    let journal: Vec<String> = journal.collect();
    let mut told = format!("| {}", journal.join(" "));
    if !state.block_state.is_empty() {
        let blocks = state.block_state.iter();
        let blocks: Vec<_> = blocks.map(|b| format!("{}:{}", b.key, b.sequence)).collect();
        told += &format!(" | blocks {}", blocks.join(" "));
    }
    for (index, owner) in state.owners.iter().enumerate() {
        told += &format!(" | {}: {}", name(index), tell_owner(model, owner, &record));
    }
    told
}

fn tell_owner(model: &Model, owner: &Owner, record: &impl Fn(Id) -> String) -> String {
    match (owner.life, owner.begun) {
        (Life::Gone, _) => return "gone".to_owned(),
        (Life::Stopped, _) => return "stopped".to_owned(),
        (Life::Up, Begun::No) => return "is to recover".to_owned(),
        (Life::Up, Begun::Yes) => {}
    }
    let mut told = owner.tip.map_or("-".to_owned(), |tip| format!("at {}", model.records.seq(tip)));
    for pending in owner.pending.iter() {
        told += &format!(" +{}", record(pending.record));
    }
    told
}
