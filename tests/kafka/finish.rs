//! The end of a scenario: what the engines published and kept, compared with what every partition's
//! log leads to when something else evaluates it.

use std::path::Path;

use serde_json::Value;

use crate::chain::Journal;
use crate::engine::{Ground, Names, PARTITIONS, text, tollgate};
use crate::reference::{Log, Published, Tally, compare, records, totals_text};
use crate::topics::{Ends, read_all};
use crate::wrong::Wrong;

/// Decisions and totals of one partition's log.
pub type Evaluation = (Vec<Value>, Vec<Value>);

/// Whether every line of the topics is folded.
pub fn drained(names: &Names, journal: &mut Journal, ends: &Ends) -> bool {
    let (billed, commands) = (ends.of(&names.billed), ends.of(&names.commands));
    journal.catch_up();
    journal.chains.iter().enumerate().all(|(partition, chain)| {
        let (events, settings) = chain.folded();
        events == billed[partition] as u64 && settings == commands[partition] as u64
    })
}

/// Evaluates and compares, once no engine runs any more. `state` is the folder of the one that
/// stopped last, in order, and owned all.
///
/// # Errors
/// Every difference.
pub fn judge(
    ground: &Ground,
    journal: &Journal,
    state: &Path,
    evaluate: impl Fn(&Log, usize) -> Evaluation,
) -> Result<Tally, Wrong> {
    let read = |topic: &str| read_all(&ground.bootstrap, topic);
    let names = &ground.names;
    let (billed, commands) = (read(&names.billed), read(&names.commands));
    let mut outputs = [
        read(&names.threshold_crossed),
        read(&names.limit_reached),
        read(&names.block_state),
        read(&names.dead_letter),
    ];
    let (mut all, mut totals, mut wrong) = (Tally::default(), Vec::new(), Wrong::default());
    for partition in 0..PARTITIONS as usize {
        let chain = &journal.chains[partition];
        let log = Log::of(
            partition,
            chain,
            (&names.billed, &billed[partition]),
            (&names.commands, &commands[partition]),
        );
        let (decisions, of_partition) = evaluate(&log, partition);
        totals.extend(of_partition);
        let [threshold_crossed, limit_reached, block_state, dead_letter] =
            outputs.each_mut().map(|topic| std::mem::take(&mut topic[partition]));
        let published = Published { threshold_crossed, limit_reached, block_state, dead_letter };
        match compare(&log, decisions, &published) {
            Ok(tally) => all.add(&tally),
            Err(differences) => wrong.add(&format!("partition {partition}"), differences),
        }
    }
    all.totals = totals.len();
    compare_totals(totals, state, &mut wrong);
    if wrong.is_empty() { Ok(all) } else { Err(wrong) }
}

/// What stands in the state folder, read offline.
fn compare_totals(expected: Vec<Value>, state: &Path, wrong: &mut Wrong) {
    let output = tollgate(&["state", "totals", "--state-dir", text(state)]);
    let (expected, got) = (totals_text(expected), totals_text(records(&output.stdout)));
    assert!(!expected.is_empty(), "there are totals");
    if expected != got {
        let pair = expected.lines().zip(got.lines()).find(|(want, got)| want != got);
        wrong.differs(format!(
            "totals differ ({} lines expected, {} got), first {pair:?}",
            expected.lines().count(),
            got.lines().count()
        ));
    }
}
