//! What a run is drawn from: a seed, and the sizes and faults that follow from it. Promise: a case is
//! one line of text, and the same line gives the same run, to the byte.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::model::dice::Dice;

listed! {
    /// What can go wrong, each with a rate and a dice of its own, so that a case without one of them
    /// keeps the draws of the others.
    Fault {
        SlowFetch,
        EndAgain,
        SlowAppend,
        AppendWithoutOffset,
        AppendLandsUnheard,
        AppendRefused,
        AppendLandsLater,
        AppendLandsTwice,
        SlowPublish,
        PublishWithoutOffset,
        PublishLandsUnheard,
        PublishRefused,
        PublishLandsLater,
        SlowAnswer,
        QueueFull,
        BrokersAway,
        SlowDisk,
        CheckpointFails,
        DiskFull,
        ReadFails,
        Crash,
        CrashInTurn,
        StoreAged,
        StoreGone,
        Pause,
        Rebalance,
        SecondOwner,
        ClockAhead,
        ClockStalls,
        ClockFarOff,
        TimeLeaps,
        Compaction,
        ProducedTwice,
        ReaderRestarts,
    }
}

impl Fault {
    /// Rates in 1,000 draws. What is drawn once a step of the world is rarer than what is drawn with
    /// every call.
    fn rates(self) -> &'static [u16] {
        match self {
            Fault::SlowFetch
            | Fault::SlowAppend
            | Fault::SlowPublish
            | Fault::SlowAnswer
            | Fault::SlowDisk => &[0, 100, 400, 800],
            Fault::EndAgain | Fault::AppendWithoutOffset | Fault::PublishWithoutOffset => {
                &[0, 30, 300]
            }
            Fault::AppendLandsUnheard
            | Fault::AppendRefused
            | Fault::AppendLandsLater
            | Fault::AppendLandsTwice
            | Fault::PublishLandsUnheard
            | Fault::PublishRefused
            | Fault::PublishLandsLater
            | Fault::QueueFull
            | Fault::CheckpointFails
            | Fault::DiskFull
            | Fault::ReadFails => &[0, 0, 10, 50, 200],
            Fault::StoreAged | Fault::StoreGone => &[0, 200, 500],
            Fault::BrokersAway
            | Fault::Crash
            | Fault::CrashInTurn
            | Fault::Pause
            | Fault::Rebalance
            | Fault::SecondOwner
            | Fault::Compaction
            | Fault::ReaderRestarts => &[0, 2, 8, 25],
            Fault::ClockAhead | Fault::ClockStalls | Fault::ClockFarOff | Fault::TimeLeaps => {
                &[0, 0, 2, 8]
            }
            Fault::ProducedTwice => &[0, 20, 100],
        }
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub seed: u64,
    /// Lines of traffic, at most; fewer are the beginning of the same.
    pub lines: usize,
    /// Steps of the world before the faults end.
    pub steps: usize,
    /// Faults left out.
    pub without: BTreeSet<Fault>,
}

/// Sizes that follow from the seed.
#[derive(Debug)]
pub struct Sizes {
    pub partitions: u32,
    pub hosts: usize,
    pub batch_lines_max: usize,
    pub appends_in_flight_max: usize,
    pub outputs_outstanding_max: usize,
    pub checkpoint_lines_max: usize,
    pub memory_bytes_max: usize,
    pub dedup_minutes: u32,
    /// Odd spellings and garbage among the lines.
    pub odd: bool,
    /// Of 1,000 steps, so many bring a line.
    pub produce: usize,
}

impl Case {
    pub fn of(seed: u64) -> Case {
        let mut dice = Dice::new(seed ^ 0xca5e);
        let lines = [12, 40, 40, 90, 160][dice.below(5)];
        let steps = lines * [3, 6, 12][dice.below(3)] + 40;
        Case { seed, lines, steps, without: BTreeSet::new() }
    }

    pub fn sizes(&self) -> Sizes {
        let mut dice = Dice::new(self.seed ^ 0x512e5);
        Sizes {
            partitions: [1, 1, 1, 2, 3][dice.below(5)],
            hosts: 2 + dice.below(2),
            batch_lines_max: [1, 3, 7, 50][dice.below(4)],
            appends_in_flight_max: [1, 2, 4][dice.below(3)],
            outputs_outstanding_max: [3, 20, 1_000][dice.below(3)],
            checkpoint_lines_max: [1, 5, 20, 1_000][dice.below(4)],
            memory_bytes_max: [0, 0, 4_000, 1 << 30][dice.below(4)],
            dedup_minutes: [1, 10, 60, 1_440][dice.below(4)],
            odd: dice.permille(350),
            produce: [50, 150, 400][dice.below(3)],
        }
    }

    /// The rate of each fault in 1,000 draws.
    pub fn rates(&self) -> [u16; Fault::ALL.len()] {
        let mut dice = Dice::new(self.seed ^ 0x7a7e5);
        Fault::ALL.map(|fault| {
            let rates = fault.rates();
            let rate = rates[dice.below(rates.len())];
            if self.without.contains(&fault) { 0 } else { rate }
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "seed={} lines={} steps={}", self.seed, self.lines, self.steps)?;
        if self.without.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = self.without.iter().map(|fault| format!("{fault:?}")).collect();
        write!(out, " without={}", names.join(","))
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Case, String> {
        let mut case = None::<Case>;
        for part in text.split_whitespace() {
            let (name, value) = part.split_once('=').ok_or(format!("no name=value: {part}"))?;
            let number = || value.parse::<u64>().map_err(|error| format!("{part}: {error}"));
            match (name, &mut case) {
                ("seed", _) => case = Some(Case::of(number()?)),
                ("lines", Some(case)) => case.lines = number()? as usize,
                ("steps", Some(case)) => case.steps = number()? as usize,
                ("without", Some(case)) => {
                    for name in value.split(',') {
                        let known = Fault::ALL.iter().find(|one| format!("{one:?}") == name);
                        case.without.insert(*known.ok_or(format!("no fault: {name}"))?);
                    }
                }
                _ => return Err(format!("not understood: {part}")),
            }
        }
        case.ok_or_else(|| "no seed".to_owned())
    }
}
