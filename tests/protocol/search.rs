//! A breadth-first search over all that can happen, so that a fault is found by one of its
//! shortest courses. Of each state a fingerprint of 128 bits is kept, and how it was reached.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::checks::Broken;
use super::model::Model;
use super::possible::Step;
use super::state::State;
use super::tell;

const NONE: u32 = u32::MAX;
/// Up to so many states, every step is kept and searched for circles.
const CIRCLES_MAX: usize = 1_000_000;

/// A violation and how it comes about.
#[derive(Debug)]
pub struct Fault {
    pub broken: Broken,
    pub steps: Vec<String>,
}

pub struct Outcome {
    pub states: usize,
    /// Steps of the longest of the shortest courses.
    pub depth: usize,
    /// States in which nothing more has to happen.
    pub at_rest: usize,
    /// Greatest lengths of the journal and of block-state.
    pub lengths: (usize, usize),
    /// Whether it was proven that no steps lead in a circle.
    pub no_circles: bool,
    /// Different journal records that came up.
    pub records: usize,
    pub fault: Option<Fault>,
}

struct Search<'a> {
    model: &'a mut Model,
    seen: Seen,
    /// From which state a state was reached, and by which of the steps that were possible there.
    reached: Vec<(u32, u8)>,
    /// Steps that must be taken, as long as there are few states.
    edges: Vec<(u32, u32)>,
}

/// Searches everything that can be reached, or up to the first violation. `progress` is told the
/// number of states now and then.
pub fn search(model: &mut Model, mut progress: impl FnMut(usize)) -> Outcome {
    let first = model.first();
    let mut search = Search { model, seen: Seen::new(), reached: Vec::new(), edges: Vec::new() };
    search.seen.number(&first);
    search.reached.push((NONE, 0));
    let mut outcome = Outcome {
        states: 1,
        depth: 0,
        at_rest: 0,
        lengths: (0, 0),
        no_circles: false,
        records: 0,
        fault: None,
    };
    let (mut level, mut begin) = (vec![first], 0);
    while !level.is_empty() {
        let mut next = Vec::new();
        for (at, state) in (begin..).zip(&level) {
            let (journal, blocks) = outcome.lengths;
            outcome.lengths =
                (journal.max(state.journal.len()), blocks.max(state.block_state.len()));
            match search.look(at, state, &mut next) {
                Ok(rests) => outcome.at_rest += usize::from(rests),
                Err(fault) => {
                    outcome.states = search.reached.len();
                    outcome.fault = Some(fault);
                    outcome.records = search.model.records.len();
                    return outcome;
                }
            }
        }
        begin += level.len() as u32;
        level = next;
        outcome.depth += usize::from(!level.is_empty());
        outcome.states = search.reached.len();
        progress(outcome.states);
    }
    outcome.records = search.model.records.len();
    if outcome.states <= CIRCLES_MAX {
        outcome.no_circles = true;
        if let Some(at) = on_a_circle(outcome.states, &search.edges) {
            let steps = search.course(at);
            outcome.fault = Some(Fault { broken: Broken::Circle, steps });
        }
    }
    outcome
}

impl Search<'_> {
    /// Takes every step from a state. True when none has to be taken.
    fn look(&mut self, at: u32, state: &State, next: &mut Vec<State>) -> Result<bool, Fault> {
        let mut rests = true;
        for (choice, step) in (0..).zip(self.model.steps(state)) {
            rests &= !step.must();
            let after = self.model.after(*state, step);
            let after = after.map_err(|broken| self.fault(at, Some(step), broken))?;
            let (number, new) = self.seen.number(&after);
            if new {
                self.reached.push((at, choice));
                if let Err(broken) = self.model.check(&after) {
                    return Err(self.fault(number, None, broken));
                }
                next.push(after);
            }
            if step.must() && self.reached.len() <= CIRCLES_MAX {
                self.edges.push((at, number));
            }
        }
        if rests && let Err(broken) = self.model.check_rest(state) {
            return Err(self.fault(at, None, broken));
        }
        Ok(rests)
    }

    fn fault(&mut self, at: u32, last: Option<Step>, broken: Broken) -> Fault {
        let mut steps = self.course(at);
        steps.extend(last.map(tell::step));
        Fault { broken, steps }
    }

    /// The steps that lead to a state, in words.
    fn course(&mut self, at: u32) -> Vec<String> {
        let mut choices = Vec::new();
        let mut at = at;
        while let (before, choice) = self.reached[at as usize]
            && before != NONE
        {
            choices.push(choice);
            at = before;
        }
        let mut state = self.model.first();
        let mut told = Vec::new();
        for choice in choices.into_iter().rev() {
            let step = self.model.steps(&state)[usize::from(choice)];
            state = self.model.after(state, step).expect("this course was gone before");
            told.push(format!("{:<52}{}", tell::step(step), tell::state(self.model, &state)));
        }
        told
    }
}

/// A state from which steps lead back to it, if there is one: what is left when those without a
/// way on are taken away again and again.
fn on_a_circle(states: usize, edges: &[(u32, u32)]) -> Option<u32> {
    let mut ways_on = vec![0_u32; states];
    let mut into: Vec<u32> = vec![0; states + 1];
    for (from, to) in edges {
        ways_on[*from as usize] += 1;
        into[*to as usize + 1] += 1;
    }
    for at in 0..states {
        into[at + 1] += into[at];
    }
    let (mut place, mut sources) = (into.clone(), vec![0_u32; edges.len()]);
    for (from, to) in edges {
        sources[place[*to as usize] as usize] = *from;
        place[*to as usize] += 1;
    }
    let mut ended: Vec<u32> = (0..states as u32).filter(|at| ways_on[*at as usize] == 0).collect();
    let mut taken = 0;
    while let Some(at) = ended.pop() {
        taken += 1;
        for source in &sources[into[at as usize] as usize..into[at as usize + 1] as usize] {
            ways_on[*source as usize] -= 1;
            if ways_on[*source as usize] == 0 {
                ended.push(*source);
            }
        }
    }
    if taken == states {
        return None;
    }
    (0..states as u32).find(|at| ways_on[*at as usize] > 0)
}

/// The fingerprints seen, numbered in the order of their coming: open addressing, half full.
struct Seen {
    fingerprints: Vec<u128>,
    slots: Vec<u32>,
    hashers: [FixedState; 2],
}

impl Seen {
    fn new() -> Seen {
        let hashers = [FixedState::with_seed(1), FixedState::with_seed(2)];
        Seen { fingerprints: Vec::new(), slots: vec![NONE; 1 << 12], hashers }
    }

    /// The state's number, and whether it is new.
    fn number(&mut self, state: &State) -> (u32, bool) {
        let [high, low] = [0, 1].map(|half| u128::from(self.hashers[half].hash_one(state)));
        let fingerprint = high << 64 | low;
        let slot = self.slot(fingerprint);
        if self.slots[slot] != NONE {
            return (self.slots[slot], false);
        }
        let number = self.fingerprints.len() as u32;
        self.fingerprints.push(fingerprint);
        self.slots[slot] = number;
        if 2 * self.fingerprints.len() > self.slots.len() {
            self.slots = vec![NONE; 2 * self.slots.len()];
            for number in 0..self.fingerprints.len() {
                let slot = self.slot(self.fingerprints[number]);
                self.slots[slot] = number as u32;
            }
        }
        (number, true)
    }

    /// Where a fingerprint stands, or would stand.
    fn slot(&self, fingerprint: u128) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = fingerprint as usize & mask;
        while self.slots[slot] != NONE
            && self.fingerprints[self.slots[slot] as usize] != fingerprint
        {
            slot = (slot + 1) & mask;
        }
        slot
    }
}
