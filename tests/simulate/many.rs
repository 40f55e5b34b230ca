//! Many runs: each twice, their counts in one sum, and what fails made smaller.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::case::{Case, Fault};
use super::chance::Counts;
use super::verdict::{self, Report};

const DAY_MS: i64 = 86_400_000;
/// Runs that making a case smaller may take.
const TRIES: usize = 400;

/// Runs a case twice.
///
/// # Errors
/// What was wrong, a panic of the engine included.
pub fn judge(case: &Case) -> Result<Report, String> {
    let first = attempt(|| verdict::run(case))?;
    let second = attempt(|| verdict::run_again(case))?;
    if first.hash != second {
        return Err("two runs of one case differ".to_owned());
    }
    Ok(first)
}

fn attempt<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("a panic: {}", text.unwrap_or_default()))
    })
}

/// What came of many runs.
#[derive(Default)]
pub struct Sum {
    seeds: u64,
    lines: u64,
    records: u64,
    decisions: u64,
    simulated_ms: i64,
    counts: Counts,
    pub failed: Vec<(Case, String)>,
}

impl Sum {
    pub fn add(&mut self, case: &Case) {
        self.seeds += 1;
        match judge(case) {
            Ok(report) => {
                self.lines += report.lines;
                self.records += report.records;
                self.decisions += report.decisions;
                self.simulated_ms += report.simulated_ms;
                self.count(report.counts);
            }
            Err(why) => self.failed.push((case.clone(), why)),
        }
    }

    pub fn join(&mut self, other: Sum) {
        self.seeds += other.seeds;
        self.lines += other.lines;
        self.records += other.records;
        self.decisions += other.decisions;
        self.simulated_ms += other.simulated_ms;
        self.count(other.counts);
        self.failed.extend(other.failed);
    }

    fn count(&mut self, counts: Counts) {
        for (name, count) in counts {
            *self.counts.entry(name).or_default() += count;
        }
    }

    /// Faults and paths that never occurred.
    pub fn never(&self) -> Vec<&str> {
        let never = self.counts.iter().filter(|(_, count)| **count == 0);
        never.map(|(name, _)| name.as_str()).collect()
    }

    /// How often each fault struck and each path was taken.
    pub fn told(&self) -> String {
        let counts = self.counts.iter().map(|(name, count)| format!("{name:>24} {count}\n"));
        counts.collect()
    }

    pub fn in_a_line(&self, took: Duration) -> String {
        format!(
            "ran {} seeds, each twice: {} failed; {} simulated days, {} lines, {} journal \
             records, {} decisions; {} s",
            self.seeds,
            self.failed.len(),
            self.simulated_ms / DAY_MS,
            self.lines,
            self.records,
            self.decisions,
            took.as_secs()
        )
    }
}

/// A smaller case that fails as well: fewer faults, fewer lines, fewer steps.
pub fn smaller(case: &Case) -> Case {
    let mut least = case.clone();
    let mut tries = TRIES;
    let mut fails = |case: &Case| {
        tries = tries.saturating_sub(1);
        tries > 0 && judge(case).is_err()
    };
    for fault in Fault::ALL {
        let mut without = least.clone();
        if without.without.insert(fault) && fails(&without) {
            least = without;
        }
    }
    for part in [2, 4, 10] {
        loop {
            let fewer = Case { lines: least.lines - least.lines / part, ..least.clone() };
            if fewer.lines == least.lines || !fails(&fewer) {
                break;
            }
            least = fewer;
        }
        loop {
            let fewer = Case { steps: least.steps - least.steps / part, ..least.clone() };
            if fewer.steps == least.steps || !fails(&fewer) {
                break;
            }
            least = fewer;
        }
    }
    least
}
