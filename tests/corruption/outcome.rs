//! How a case ended, and the count of all of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tollgate::engine::partition::Fault;
use tollgate::store::Store;

use crate::rig;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The totals, decisions and outputs of an unharmed run.
    Exact,
    /// It said no, in these words.
    Refused(String),
    /// What may not be.
    Wrong(String),
}

/// Cases of a suite.
pub fn cases(default: u64) -> u64 {
    let set = std::env::var("TOLLGATE_CORRUPTION_CASES").ok();
    set.map_or(default, |set| set.parse().expect("TOLLGATE_CORRUPTION_CASES is a number"))
}

/// Turns until nothing moves.
///
/// # Errors
/// Why the partition stopped, or does not come to rest.
pub fn settle<S: Store>(partition: &mut rig::Owned<S>) -> Result<(), Outcome> {
    let mut waits = "it does not come to rest".to_owned();
    let mut passing = 0;
    for _ in 0..20_000 {
        match partition.turn() {
            Ok(turn) if !turn.progress && partition.quiet() => return Ok(()),
            Ok(_) => {}
            Err(Fault::Stopped(why)) => return Err(Outcome::Refused(why)),
            Err(Fault::Passing(why)) => {
                passing += 1;
                waits = why;
            }
        }
        // It says what it waits for, again and again: nothing hangs in silence.
        if passing > 100 {
            return Err(Outcome::Refused(waits));
        }
    }
    Err(Outcome::Wrong(waits))
}

/// Runs the cases on some threads; `case` gives what was damaged and how it ended. Fails when any
/// ended as none may.
pub fn run(suite: &str, count: u64, case: impl Fn(u64) -> (String, Outcome) + Sync) {
    let (next, ended) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return;
            }
            let (what, outcome) = case(seed);
            ended.lock().unwrap().push((seed, what, outcome));
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    let mut counts: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    let (mut wrong, mut words) = (String::new(), BTreeMap::new());
    for (seed, what, outcome) in ended.into_inner().unwrap() {
        let column = match &outcome {
            Outcome::Exact => 0,
            Outcome::Refused(why) => {
                words.entry(first_words(why)).or_insert_with(|| why.clone());
                1
            }
            Outcome::Wrong(_) => 2,
        };
        for row in [what.as_str(), "all"] {
            counts.entry(row.to_owned()).or_default()[column] += 1;
        }
        if let Outcome::Wrong(why) = outcome {
            writeln!(wrong, "seed {seed}, {what}: {why}").unwrap();
        }
    }
    println!("{suite}: {count} cases: exact, refused, wrong");
    for (what, [exact, refused, wrong]) in &counts {
        println!("  {what:28} {exact:6} {refused:6} {wrong:6}");
    }
    if std::env::var_os("TOLLGATE_CORRUPTION_WORDS").is_some() {
        words.values().for_each(|why| println!("  refused: {why}"));
    }
    assert!(wrong.is_empty(), "{suite}:\n{wrong}");
    let [exact, refused, _] = counts["all"];
    assert!(count < 500 || exact > 0 && refused > 0, "the damage is of one kind only");
}

fn first_words(why: &str) -> String {
    let words = why.split(' ').filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.take(14).collect::<Vec<_>>().join(" ")
}
