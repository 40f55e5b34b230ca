//! Fault points: named places on the way of what must last, where a test lets a step fail, panic,
//! wait or end the process. Promise: without the feature `fault-points` (so in every release) a
//! point is nothing at all: no code, no name, no state. `tests/faults` walks all of them; it finds
//! them in the source, so a point that is written is tested.
//!
//! A crate for this exists (`fail`); it knows no abort and counts no hits, and brings another
//! `rand` along.

#[cfg(feature = "fault-points")]
pub use armed::{Action, Injected, Plan, arm, at, hits, reach};
#[cfg(not(feature = "fault-points"))]
pub use unarmed::{Injected, at, reach};

#[cfg(not(feature = "fault-points"))]
mod unarmed {
    /// What cannot happen.
    #[derive(Debug, thiserror::Error)]
    pub enum Injected {}

    /// A step that may fail.
    #[inline(always)]
    pub fn at(_: &'static str) -> Result<(), Injected> {
        Ok(())
    }

    /// A step that cannot fail, but at which the process may end.
    #[inline(always)]
    pub fn reach(_: &'static str) {}
}

#[cfg(feature = "fault-points")]
mod armed {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::time::Duration;

    /// How long a delay lasts: longer than a checkpoint of a test's store.
    const DELAY: Duration = Duration::from_millis(30);

    /// The step failed because a test wanted it so.
    #[derive(Debug, thiserror::Error)]
    #[error("fault point {0}")]
    pub struct Injected(&'static str);

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Action {
        /// The step's own error. Where a step has none, nothing.
        Error,
        Panic,
        /// The process ends at once, as by a crash.
        Abort,
        Delay,
    }

    /// What happens at one point, once.
    #[derive(Clone, Debug)]
    pub struct Plan {
        pub point: String,
        pub action: Action,
        /// Which time the point is passed, counted from 1.
        pub hit: u64,
    }

    /// Of the process: points are passed on threads that know nothing of each other.
    static STATE: Mutex<State> = Mutex::new(State { plan: None, hits: BTreeMap::new() });

    struct State {
        plan: Option<Plan>,
        hits: BTreeMap<&'static str, u64>,
    }

    fn state() -> MutexGuard<'static, State> {
        STATE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was counted; from now on the plan holds.
    pub fn arm(plan: Option<Plan>) {
        *state() = State { plan, hits: BTreeMap::new() };
    }

    /// How often each point was passed since `arm`.
    #[must_use]
    pub fn hits() -> BTreeMap<&'static str, u64> {
        state().hits.clone()
    }

    fn due(point: &'static str) -> Option<Action> {
        let mut state = state();
        let hits = state.hits.entry(point).or_default();
        *hits += 1;
        let hit = *hits;
        let plan = state.plan.as_ref()?;
        (plan.point == point && plan.hit == hit).then_some(plan.action)
    }

    /// A step that may fail.
    ///
    /// # Errors
    /// When the plan says so.
    #[allow(clippy::disallowed_methods, reason = "a delay is what was asked for")]
    pub fn at(point: &'static str) -> Result<(), Injected> {
        match due(point) {
            None => Ok(()),
            Some(Action::Error) => Err(Injected(point)),
            Some(Action::Panic) => panic!("fault point {point}"),
            Some(Action::Abort) => std::process::abort(),
            Some(Action::Delay) => {
                std::thread::sleep(DELAY);
                Ok(())
            }
        }
    }

    /// A step that cannot fail, but at which the process may end.
    pub fn reach(point: &'static str) {
        // Its error has nowhere to go.
        let _none = at(point);
    }
}
