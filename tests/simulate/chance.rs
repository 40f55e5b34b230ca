//! All that is drawn in a run, and what came of it. Promise: nothing else in the simulation is
//! random; every fault that strikes and every path of recovery that is taken is counted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::case::{Case, Fault};
use crate::model::dice::Dice;

listed! {
    /// A path through recovery, healing or reading that a run should take at times.
    Path {
        LostByFailure,
        LostToAnother,
        LostAsVoid,
        LostWithACheckpoint,
        BegunFromTheStore,
        BegunFromNothing,
        VoidRecord,
        Followed,
        ToldAgain,
        OldBlockLanded,
        BlockToldAgain,
        Tombstone,
        Evicted,
        ThreeOwners,
        WoundDown,
        Landed,
        SkewSeen,
        DayEnded,
        MonthEnded,
        DaysIdle,
        TimerFired,
        CommandRacedEvent,
        TruncationRefused,
    }
}

/// How often each fault struck and each path was taken, by name.
pub type Counts = BTreeMap<String, u64>;

pub struct Chance {
    world: RefCell<Dice>,
    dice: Vec<RefCell<Dice>>,
    rates: [u16; Fault::ALL.len()],
    /// No fault strikes while this is set.
    calm: Cell<bool>,
    /// Tells on standard output what happens (`TRACE=1`).
    tells: bool,
    struck: RefCell<[u64; Fault::ALL.len()]>,
    taken: RefCell<[u64; Path::ALL.len()]>,
}

impl Chance {
    pub fn new(case: &Case) -> Chance {
        let dice = |fault: &Fault| {
            let salt = (*fault as u64 + 1).wrapping_mul(0x9e37_79b9);
            RefCell::new(Dice::new(case.seed.rotate_left(17) ^ salt))
        };
        Chance {
            world: RefCell::new(Dice::new(case.seed)),
            dice: Fault::ALL.iter().map(dice).collect(),
            rates: case.rates(),
            calm: Cell::new(false),
            tells: std::env::var_os("TRACE").is_some(),
            struck: RefCell::new([0; Fault::ALL.len()]),
            taken: RefCell::new([0; Path::ALL.len()]),
        }
    }

    pub fn calm(&self, calm: bool) {
        self.calm.set(calm);
    }

    pub fn is_calm(&self) -> bool {
        self.calm.get()
    }

    /// Whether the fault strikes now.
    pub fn strikes(&self, fault: Fault) -> bool {
        let (index, rate) = (fault as usize, self.rates[fault as usize]);
        if rate == 0 || self.calm.get() {
            return false;
        }
        let struck = self.dice[index].borrow_mut().permille(usize::from(rate));
        if struck {
            self.struck.borrow_mut()[index] += 1;
        }
        struck
    }

    /// 0 to `bound` - 1, for how a fault goes.
    pub fn how(&self, fault: Fault, bound: usize) -> usize {
        self.dice[fault as usize].borrow_mut().below(bound)
    }

    /// 0 to `bound` - 1, for what the world does.
    pub fn below(&self, bound: usize) -> usize {
        self.world.borrow_mut().below(bound)
    }

    pub fn permille(&self, rate: usize) -> bool {
        self.world.borrow_mut().permille(rate)
    }

    pub fn took(&self, path: Path) {
        self.taken.borrow_mut()[path as usize] += 1;
    }

    #[expect(clippy::print_stdout, reason = "for whoever looks at one case")]
    pub fn tell(&self, what: impl Fn() -> String) {
        if self.tells {
            println!("{}", what());
        }
    }

    pub fn counts(&self) -> Counts {
        let struck = Fault::ALL.iter().map(|fault| format!("{fault:?}"));
        let taken = Path::ALL.iter().map(|path| format!("{path:?}"));
        let mut counts: Counts = struck.zip(*self.struck.borrow()).collect();
        counts.extend(taken.zip(*self.taken.borrow()));
        counts
    }
}
