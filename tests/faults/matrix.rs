//! The matrix: every fault point of the source, every action, the first and a later hit. A life with
//! the fault armed is a process of its own (this program, run again); what it left is gone on with
//! here, with nothing armed. A point that no life passes fails.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use serde_json::Value;
use tollgate::fault_point::{self, Action, Plan};
use tollgate::fold::Total;
use tollgate::store::rocks;

use crate::life::{Life, foreign_store};
use crate::rig;

const ACTIONS: [Action; 4] = [Action::Error, Action::Panic, Action::Abort, Action::Delay];
const SIGABRT: i32 = 6;
/// A life waits for the disk (files are synced) more than it works.
const THREADS: usize = 8;
const FOLDER: &str = "TOLLGATE_TEST_FAULTS";
const PLAN: &str = "TOLLGATE_TEST_PLAN";

/// Points by name, and whether each may fail with an error of its own.
pub fn points() -> BTreeMap<String, bool> {
    let mut points = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for (call, fails) in [("fault_point::at(\"", true), ("fault_point::reach(\"", false)] {
                for behind in text.split(call).skip(1) {
                    let name = behind.split('"').next().unwrap().to_owned();
                    let known = points.insert(name.clone(), fails);
                    assert!(known.is_none(), "{name} stands in two places");
                }
            }
        }
    }
    points
}

/// One case, and what the child says of it.
struct Case {
    plan: Option<Plan>,
    folder: tempfile::TempDir,
}

impl Case {
    fn new(plan: Option<Plan>) -> Case {
        Case { plan, folder: tempfile::tempdir().unwrap() }
    }

    fn about(&self) -> String {
        let Some(Plan { point, action, hit }) = &self.plan else { return "nothing".to_owned() };
        format!("{point} {action:?} at hit {hit}")
    }

    /// Runs the armed life in a process of its own; gives the hits of each point.
    fn armed(&self, foreign: &Path) -> BTreeMap<String, u64> {
        let plan = self.plan.as_ref();
        let plan = plan.map(|Plan { point, action, hit }| format!("{point} {action:?} {hit}"));
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "matrix::an_armed_life"])
            .env(FOLDER, format!("{}\n{}", self.folder.path().display(), foreign.display()))
            .env(PLAN, plan.unwrap_or_default())
            .output()
            .unwrap();
        let (out, err) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
        if let Some(Plan { action: Action::Abort, .. }) = &self.plan {
            assert_eq!(output.status.signal(), Some(SIGABRT), "{} left {err}", self.about());
            return BTreeMap::new();
        }
        assert!(output.status.success(), "{}: {err}", self.about());
        let text = String::from_utf8(out).unwrap();
        let hits = text.lines().filter_map(|line| line.strip_prefix("hits "));
        hits.map(|line| {
            let (point, count) = line.split_once(' ').unwrap();
            (point.to_owned(), count.parse().unwrap())
        })
        .collect()
    }

    /// Goes on where the armed life ended, and gives what there is in the end.
    fn gone_on(&self, foreign: &Path) -> Outcome {
        let mut life = Life::in_folder(self.folder.path(), foreign);
        life.live().unwrap_or_else(|why| panic!("{}: stopped again: {why}", self.about()));
        let account = rig::check_outputs(&life.mirror.topics);
        let stored = rocks::totals(&life.state_dir).unwrap();
        assert_eq!(stored, account.totals, "{}: totals in the store", self.about());
        Outcome { decisions: account.decisions, totals: stored }
    }
}

struct Outcome {
    decisions: Vec<Value>,
    totals: Vec<Total>,
}

impl Outcome {
    fn assert_same(&self, reference: &Outcome, about: &str) {
        for (found, expected) in self.decisions.iter().zip(&reference.decisions) {
            assert_eq!(found, expected, "{about}: another decision");
        }
        assert_eq!(self.decisions.len(), reference.decisions.len(), "{about}: decisions");
        assert_eq!(self.totals, reference.totals, "{about}: totals");
    }
}

/// What a child process does.
#[test]
#[ignore = "a part of the matrix"]
fn an_armed_life() {
    let folders = std::env::var(FOLDER).expect("set by the matrix");
    let (folder, foreign) = folders.split_once('\n').unwrap();
    let plan = std::env::var(PLAN).unwrap();
    let words: Vec<&str> = plan.split(' ').collect();
    fault_point::arm(match words[..] {
        [point, action, hit] => {
            let action = ACTIONS.into_iter().find(|it| format!("{it:?}") == action).unwrap();
            Some(Plan { point: point.to_owned(), action, hit: hit.parse().unwrap() })
        }
        _ => None,
    });
    let lived = catch_unwind(AssertUnwindSafe(|| {
        Life::in_folder(Path::new(folder), Path::new(foreign)).live()
    }));
    println!("ended {:?}", lived.map_err(|_| "panic"));
    for (point, count) in fault_point::hits() {
        println!("hits {point} {count}");
    }
}

#[test]
fn whatever_fails_once_the_outcome_is_the_same() {
    let elsewhere = tempfile::tempdir().unwrap();
    foreign_store(elsewhere.path());
    let foreign = elsewhere.path().join("state/0");
    let unharmed = [(); THREADS].map(|()| Case::new(None));
    let hits = least_hits(&unharmed, &foreign);
    let reference = unharmed[0].gone_on(&foreign);
    assert!(reference.decisions.len() > 20 && reference.totals.len() > 20);
    let points = points();
    let unpassed: Vec<_> = points.keys().filter(|point| !hits.contains_key(*point)).collect();
    assert!(unpassed.is_empty(), "no life passes {unpassed:?}");

    let mut plans = Vec::new();
    let only = std::env::var("TOLLGATE_FAULT_POINT").ok();
    for (point, fails) in points.iter().filter(|it| only.as_ref().is_none_or(|only| only == it.0)) {
        for action in ACTIONS.into_iter().filter(|action| *fails || *action != Action::Error) {
            // Not too late: lives differ.
            let later = (hits[point] / 4).max(2);
            assert!(hits[point] >= later, "{point} is passed once only");
            for hit in [1, later] {
                plans.push(Plan { point: point.clone(), action, hit });
            }
        }
    }
    let (count, queue) = (plans.len(), Mutex::new(plans));
    let wrong = Mutex::new(Vec::new());
    let run_all = || {
        while let Some(plan) = { queue.lock().unwrap().pop() } {
            let case = Case::new(Some(plan.clone()));
            let ran = catch_unwind(AssertUnwindSafe(|| {
                let armed = case.armed(&foreign);
                let fired = plan.action == Action::Abort || armed[&plan.point] >= plan.hit;
                assert!(fired, "never hit");
                case.gone_on(&foreign).assert_same(&reference, &case.about());
            }));
            if ran.is_err() {
                wrong.lock().unwrap().push(case.about());
            }
        }
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(run_all))));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {count} cases (reasons above): {wrong:#?}", wrong.len());
    println!("{} points, {count} cases", points.len());
}

/// How often each point is hit at the least: how many checkpoints a life has depends on the disk,
/// and that on how many live beside it.
fn least_hits(unharmed: &[Case], foreign: &Path) -> BTreeMap<String, u64> {
    let lives: Vec<_> = thread::scope(|scope| {
        let lives: Vec<_> =
            unharmed.iter().map(|case| scope.spawn(|| case.armed(foreign))).collect();
        lives.into_iter().map(|life| life.join().unwrap()).collect()
    });
    let mut least = lives[0].clone();
    for (point, count) in &mut least {
        *count = lives.iter().map(|hits| hits.get(point).copied().unwrap_or(0)).min().unwrap();
    }
    least
}

/// Where the source of this program lies.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
