//! From what held before a step and what holds after it to decisions (FORMATS.md, evaluation 4-6).
//! Promise: a limit is a pure predicate on its total; decisions are the difference and nothing
//! else (C3), in the page's order.

use compact_str::CompactString;
use uuid::Uuid;

use super::decision::{
    BlockChanged, Cause, Decision, Direction, Evidence, LimitReached, NAMESPACE, ThresholdCrossed,
};
use super::event::{BilledEvent, Command, Position};
use super::limit::{Action, Amount, Bounds, LimitSpec, Scope};
use super::limit_state::Limit;
use super::sliding::Sliding;
use crate::money::Money;
use crate::time::Millis;

/// What moved the fold to look at a limit.
#[derive(Clone, Copy)]
pub(super) enum Trigger<'a> {
    Event(&'a BilledEvent<'a>, &'a Position),
    Command(&'a Command, &'a Position),
    WindowEnd,
}

impl Trigger<'_> {
    fn cause(&self) -> Cause {
        match *self {
            Trigger::Event(event, position) => {
                let (event_id, position) = ((&*event.event_id).into(), position.clone());
                let occurred_at = event.occurred_at;
                if event.cost < Money::ZERO {
                    Cause::Correction { event_id, occurred_at, position }
                } else {
                    Cause::Event { event_id, occurred_at, position }
                }
            }
            Trigger::Command(command, position) => Cause::Command {
                command_id: command.command_id.clone(),
                position: position.clone(),
            },
            Trigger::WindowEnd => Cause::WindowEnd,
        }
    }

    /// Whether thresholds that cease to hold are announced: a correction, or a change to a limit
    /// that stays enabled.
    fn tells_falling(&self, before: &Holding, after: &Holding) -> bool {
        match self {
            Trigger::Event(event, _) => event.cost < Money::ZERO,
            Trigger::Command(..) => before.enabled && after.enabled,
            Trigger::WindowEnd => false,
        }
    }
}

/// What a limit holds at a total: a bit per percent that holds, the reach, the block's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holding {
    enabled: bool,
    thresholds: u128,
    reached: bool,
    block: Option<Block>,
}

/// What a block record tells; it is told again when this changes while blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    until: Millis,
    configured: Amount,
    version: u32,
}

impl Holding {
    /// Evaluates the predicate; `until` is asked for only when it blocks.
    pub fn of(spec: &LimitSpec, version: u32, total: i128, until: impl FnOnce() -> Millis) -> Self {
        if !spec.enabled {
            return Holding::default();
        }
        let amount = spec.amount.units();
        // Both products stay far inside i128: totals are sums of 10^18 micro-dollars an event.
        let holds = |percent: u8| total * 100 >= i128::from(percent) * amount;
        let held = spec.thresholds.iter().take_while(|percent| holds(**percent));
        let thresholds = held.fold(0, |bits, percent| bits | 1 << percent);
        let reached = total >= amount;
        let blocks = reached && spec.action == Action::Block;
        let block = blocks.then(|| Block { until: until(), configured: spec.amount, version });
        Holding { enabled: true, thresholds, reached, block }
    }

    /// A sliding group's total after `since`, and what holds at it.
    pub fn of_sliding(
        spec: &LimitSpec,
        version: u32,
        sliding: Option<&Sliding>,
        since: Millis,
    ) -> (Amount, Self) {
        let total = sliding.map_or(0, |sliding| sliding.total(since));
        let until = || {
            let nth = u64::try_from(spec.amount.units()).expect("a whole positive amount");
            let oldest = sliding.and_then(|sliding| sliding.nth_newest(nth));
            let oldest = oldest.expect("a reached sliding limit has so many times");
            Millis(oldest.0 + spec.window.period_ms().expect("a sliding limit"))
        };
        let holding = Holding::of(spec, version, i128::from(total), until);
        (Amount::Count(total), holding)
    }

    /// What goes over into the next window: nothing but the block (FORMATS.md, evaluation 4).
    pub fn into_next_window(self) -> Holding {
        Holding { block: self.block, ..Holding::default() }
    }

    pub fn blocked_until(&self) -> Option<Millis> {
        self.block.map(|block| block.until)
    }

    fn ceased(&self, after: &Holding) -> bool {
        self.thresholds & !after.thresholds != 0 || self.reached && !after.reached
    }
}

/// A limit's totals and what it holds, before and after a step.
pub(super) struct Looked {
    pub before: Holding,
    pub after: Holding,
    pub total_before: Amount,
    pub total_after: Amount,
}

/// One look at one limit and group.
pub(super) struct Step<'a> {
    pub trigger: Trigger<'a>,
    pub now: Millis,
    pub account_id: &'a CompactString,
    pub limit: &'a Limit,
    pub group: &'a CompactString,
    /// `None` for sliding windows.
    pub bounds: Option<Bounds>,
    pub arming: u32,
    pub looked: Looked,
}

impl Step<'_> {
    /// Emits the step's decisions; true when a threshold or the reach ceased to hold.
    pub fn decide(&self, sequence: &mut u64, out: &mut Vec<Decision>) -> bool {
        let (before, after) = (&self.looked.before, &self.looked.after);
        if before == after {
            return false;
        }
        if before.block.is_some() && after.block.is_none() {
            self.block(sequence, out);
        }
        if self.trigger.tells_falling(before, after) {
            let fell = before.thresholds & !after.thresholds;
            let kept = self.limit.spec.thresholds.iter().rev();
            for percent in kept.filter(|percent| fell >> **percent & 1 == 1) {
                self.threshold(*percent, Direction::Down, false, out);
            }
        }
        let rose = after.thresholds & !before.thresholds;
        let highest = rose.checked_ilog2();
        for percent in self.limit.spec.thresholds.iter().filter(|one| rose >> **one & 1 == 1) {
            self.threshold(*percent, Direction::Up, highest == Some(u32::from(*percent)), out);
        }
        if after.reached && !before.reached {
            self.reach(out);
        }
        if after.block.is_some() && before.block != after.block {
            self.block(sequence, out);
        }
        before.ceased(after)
    }

    fn threshold(&self, percent: u8, direction: Direction, highest: bool, out: &mut Vec<Decision>) {
        let id = self.id("threshold_crossed", &percent.to_string(), direction.as_str());
        out.push(Decision::ThresholdCrossed(ThresholdCrossed {
            evidence: self.evidence(id),
            bounds: self.bounds,
            arming: self.arming,
            threshold: percent,
            direction,
            highest,
        }));
    }

    fn reach(&self, out: &mut Vec<Decision>) {
        out.push(Decision::LimitReached(LimitReached {
            evidence: self.evidence(self.id("limit_reached", "", "")),
            bounds: self.bounds,
            arming: self.arming,
            action: self.limit.spec.action,
        }));
    }

    fn block(&self, sequence: &mut u64, out: &mut Vec<Decision>) {
        *sequence += 1;
        let block_key = self.block_key();
        let text = format!("block_changed|{sequence}|{block_key}");
        out.push(Decision::BlockChanged(BlockChanged {
            evidence: self.evidence(Uuid::new_v5(&NAMESPACE, text.as_bytes())),
            block_key,
            blocked_until: self.looked.after.blocked_until(),
            sequence: *sequence,
        }));
    }

    fn evidence(&self, id: Uuid) -> Evidence {
        let limit = self.limit;
        Evidence {
            id,
            account_id: self.account_id.clone(),
            limit_id: limit.spec.limit_id.clone(),
            limit_version: limit.version,
            scope: self.scope(),
            measure: limit.spec.measure,
            window: limit.spec.window.clone(),
            configured_limit: limit.spec.amount,
            before: self.looked.total_before,
            current: self.looked.total_after,
            now: self.now,
            cause: self.trigger.cause(),
        }
    }

    fn scope(&self) -> Scope {
        self.limit.scope_of(self.group)
    }

    /// type|limit_version|window_start|threshold|direction|arming|block_key (FORMATS.md).
    fn id(&self, kind: &str, threshold: &str, direction: &str) -> Uuid {
        let start = self.bounds.map_or(self.now, |bounds| bounds.start);
        let (version, arming, key) = (self.limit.version, self.arming, self.block_key());
        let text = format!("{kind}|{version}|{start}|{threshold}|{direction}|{arming}|{key}");
        Uuid::new_v5(&NAMESPACE, text.as_bytes())
    }

    fn block_key(&self) -> String {
        block_key(self.account_id, self.limit, self.group)
    }
}

/// account_id with `%` and `/` escaped, `/` limit_id, and `/` the number where each is meant.
pub(super) fn block_key(account_id: &str, limit: &Limit, group: &str) -> String {
    let account = account_id.replace('%', "%25").replace('/', "%2F");
    let limit_id = &limit.spec.limit_id;
    if limit.means_each() {
        format!("{account}/{limit_id}/{group}")
    } else {
        format!("{account}/{limit_id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_id_is_the_one_on_the_page() {
        let text = "threshold_crossed|1|2024-08-20T00:00:00.000+00:00|50|up|1|acme/limit_7";
        let id = Uuid::new_v5(&NAMESPACE, text.as_bytes());
        assert_eq!(id.to_string(), "5350a98c-8577-5571-8ae6-4399c6c6420a");
    }
}
