//! Runs every scenario of `tests/golden/*.case`. Promise: each step leads to exactly the decisions
//! that stand behind it, in their order, whatever runs it. How a case is run is a `Subject`:
//! in memory here; on RocksDB (with the engine) and through crashes by further subjects over the
//! same cases.

use std::collections::BTreeSet;
use std::path::Path;

use tollgate::engine::memory::MemoryTopics;
use tollgate::engine::options::Options;
use tollgate::fold::decision::Decision;
use tollgate::fold::{State, Total};
use tollgate::store::Store;
use tollgate::store::memory::{Disk, MemoryStore};
#[cfg(feature = "engine")]
use tollgate::store::rocks::{self, RocksStore, Shared};

#[path = "golden/case.rs"]
mod case;
mod rig;
#[path = "golden/told.rs"]
mod told;

use rig::HandClock;

use case::{Case, Expected, Step};

/// The items of REQUIREMENTS.md that the fold answers for.
const REQUIREMENTS: [&str; 25] = [
    "T1", "T2", "T5", "T6", "T7", "T8", "T9", "A6", "A7", "A8", "K1", "K4", "K8", "O1", "O3", "O4",
    "C1", "C2", "C3", "C4", "C5", "C6", "C7", "L5", "K2",
];

/// Something that folds the lines of a case, one after the other.
trait Subject {
    fn fold(&mut self, step: &Step) -> Vec<Decision>;
    /// How many duplicates were counted so far.
    fn duplicates(&self) -> u64;
    fn totals(&self) -> Vec<Total>;
    /// Whether a decision's position is the line of the case; on topics it is an offset.
    fn tells_lines(&self) -> bool;
}

struct InMemory(State);

impl Subject for InMemory {
    fn fold(&mut self, step: &Step) -> Vec<Decision> {
        let mut decisions = Vec::new();
        self.0.fold_line(&step.line, &mut decisions);
        decisions
    }

    fn duplicates(&self) -> u64 {
        self.0.counts().duplicates
    }

    fn totals(&self) -> Vec<Total> {
        self.0.totals()
    }

    fn tells_lines(&self) -> bool {
        true
    }
}

/// The engine over topics in memory, with a store of its own; with `crashes`, what is in memory is
/// lost after every step.
struct InEngine<S: Store, O: Fn() -> S> {
    topics: MemoryTopics,
    clock: HandClock,
    open_store: O,
    options: Options,
    partition: Option<rig::Owned<S>>,
    crashes: bool,
    duplicates: u64,
}

impl<S: Store, O: Fn() -> S> InEngine<S, O> {
    fn new(case: &Case, crashes: bool, open_store: O) -> Self {
        let options = Options { dedup_minutes: case.dedup_minutes, ..rig::options("golden") };
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        InEngine { topics, clock, open_store, options, partition: None, crashes, duplicates: 0 }
    }

    /// Opens the partition, if it is not, and lets it come to rest. Decisions that were made before
    /// a crash come out of the journal again: they are not new.
    fn open(&mut self) -> rig::Owned<S> {
        self.partition.take().unwrap_or_else(|| {
            let options = self.options.clone();
            let store = (self.open_store)();
            let mut partition = rig::open(options, &self.topics, &self.clock, store);
            rig::settle(&mut partition);
            partition
        })
    }
}

impl<S: Store, O: Fn() -> S> Subject for InEngine<S, O> {
    fn fold(&mut self, step: &Step) -> Vec<Decision> {
        let mut partition = self.open();
        rig::produce(&self.topics, &self.clock, &step.json);
        let won: Vec<_> =
            rig::settle(&mut partition).into_iter().flat_map(|turn| turn.won).collect();
        self.duplicates += won.iter().map(|won| won.control.duplicates).sum::<u64>();
        if !self.crashes {
            self.partition = Some(partition);
        }
        won.into_iter().flat_map(|won| won.decisions).collect()
    }

    fn duplicates(&self) -> u64 {
        self.duplicates
    }

    fn totals(&self) -> Vec<Total> {
        rig::check_outputs(&self.topics).totals
    }

    fn tells_lines(&self) -> bool {
        false
    }
}

#[cfg(feature = "engine")]
#[test]
fn every_case_decides_on_rocksdb_as_it_says() {
    run_all(|case| {
        let folder = tempfile::tempdir().expect("a folder");
        let shared = Shared::new(rocks::Options::default());
        let open = move || RocksStore::open(folder.path(), 0, &shared).expect("a store");
        Box::new(InEngine::new(case, false, open))
    });
}

#[test]
fn every_case_decides_as_it_says_with_a_crash_between_every_two_steps() {
    run_all(|case| {
        let disk = Disk::default();
        Box::new(InEngine::new(case, true, move || MemoryStore::open(disk.clone(), 0)))
    });
}

#[cfg(feature = "engine")]
#[test]
fn every_case_decides_as_it_says_with_crashes_on_rocksdb() {
    run_all(|case| {
        let folder = tempfile::tempdir().expect("a folder");
        let shared = Shared::new(rocks::Options::default());
        let open = move || RocksStore::open(folder.path(), 0, &shared).expect("a store");
        Box::new(InEngine::new(case, true, open))
    });
}

#[test]
fn every_case_decides_as_it_says_when_the_state_is_lost_between_every_two_steps() {
    run_all(|case| Box::new(InEngine::new(case, true, || MemoryStore::open(Disk::default(), 0))));
}

#[test]
fn every_case_decides_in_memory_as_it_says() {
    run_all(|case| Box::new(InMemory(State::new(case.dedup_minutes))));
}

#[test]
fn every_requirement_of_the_fold_has_a_case() {
    let cases = cases();
    let shown: BTreeSet<&str> =
        cases.iter().flat_map(|case| case.shows.iter().map(String::as_str)).collect();
    let required = BTreeSet::from(REQUIREMENTS);
    let missing: Vec<_> = required.difference(&shown).collect();
    assert!(missing.is_empty(), "no case shows {missing:?}");
    let unknown: Vec<_> = shown.difference(&required).collect();
    assert!(unknown.is_empty(), "{unknown:?} are shown but not among REQUIREMENTS of this test");
}

/// A runner that lets everything pass would make every other test here worthless.
#[test]
fn a_wrong_expectation_is_noticed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/block-at-the-limit.case");
    let case = Case::read(&path);
    for index in 0..case.steps.len() {
        let mut wrong = Case::read(&path);
        match wrong.steps[index].expected.pop() {
            Some(_) => {}
            None => wrong.steps[index]
                .expected
                .push(Expected { text: "duplicate".to_owned(), details: Vec::new() }),
        }
        let mut subject = InMemory(State::new(case.dedup_minutes));
        assert!(run(&wrong, &mut subject).is_err(), "step {index}");
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(folder).expect("the folder of the cases");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

fn run_all(make: impl Fn(&Case) -> Box<dyn Subject>) {
    let failures: Vec<String> =
        cases().iter().filter_map(|case| run(case, make(case).as_mut()).err()).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Folds the case's steps; the first that decides otherwise is told.
fn run(case: &Case, subject: &mut dyn Subject) -> Result<(), String> {
    for step in &case.steps {
        let duplicates = subject.duplicates();
        let decisions = subject.fold(step);
        let mut told: Vec<String> =
            decisions.iter().map(|decision| told::sentence(case, step, decision)).collect();
        if subject.duplicates() > duplicates {
            told.push("duplicate".to_owned());
        }
        let expected: Vec<&str> = step.expected.iter().map(|line| line.text.as_str()).collect();
        if told != expected {
            let lines =
                |list: &[String]| list.iter().map(|line| format!("\n    => {line}")).collect();
            let (told, json): (String, _) = (lines(&told), String::from_utf8_lossy(&step.json));
            return Err(format!("{}:{}: {json}\n  led to{told}", case.name, step.number));
        }
        for (line, decision) in step.expected.iter().zip(&decisions) {
            let details = told::details(decision);
            let free = |detail: &str| detail.starts_with("position ") && !subject.tells_lines();
            let lacks = |detail: &&String| !details.contains(detail) && !free(detail);
            if let Some(missing) = line.details.iter().find(lacks) {
                let place = format!("{}:{}", case.name, step.number);
                return Err(format!("{place}: {} lacks {missing:?}: {details:?}", line.text));
            }
        }
    }
    let totals: Vec<String> = subject.totals().iter().map(told::total).collect();
    match case.totals.iter().find(|(_, total)| !totals.contains(total)) {
        None => Ok(()),
        Some((number, _)) => {
            let totals = totals.join("\n    ");
            Err(format!("{}:{number}: the totals are\n    {totals}", case.name))
        }
    }
}
