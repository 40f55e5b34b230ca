//! From a look at a limit to decisions and what they leave behind: the account's sequence, the
//! limit's arming, the timer at a block's end. Every way to a limit (event, command, timer) ends
//! here.

use compact_str::CompactString;

use super::decision::Decision;
use super::evaluate::{Looked, Step, Trigger};
use super::group::{DayGroup, LimitNumber};
use super::limit::Bounds;
use super::state::State;
use super::tally::Calendar;

/// What a step is about.
pub(super) struct Ground<'a> {
    pub number: LimitNumber,
    pub group: &'a CompactString,
    pub trigger: Trigger<'a>,
    /// `None` for sliding windows.
    pub bounds: Option<Bounds>,
    pub arming: u32,
}

impl State {
    /// Decides on a calendar limit on cost or requests.
    pub(super) fn step_calendar(
        &mut self,
        number: LimitNumber,
        trigger: Trigger<'_>,
        bounds: Bounds,
        looked: Looked,
        out: &mut Vec<Decision>,
    ) {
        let limit = self.limit(number);
        let (account, version) = (limit.account, limit.version);
        let arming = limit.arming.current(version, bounds.start);
        let blocked = looked.after.blocked_until().is_some();
        let group = CompactString::const_new("");
        let ground = Ground { number, group: &group, trigger, bounds: Some(bounds), arming };
        if self.conclude(&ground, looked, out) {
            let limit = self.limits.get_mut(number).expect("was just read");
            limit.arming.cease(version, bounds.start);
            self.changed.limits.insert((account, limit.spec.limit_id.clone()));
        }
        if blocked {
            self.set_timer_at_most(number, group, bounds.end);
        }
    }

    /// Decides on a sliding group; its timer moves with the block's end.
    pub(super) fn step_sliding(
        &mut self,
        number: LimitNumber,
        group: &CompactString,
        trigger: Trigger<'_>,
        looked: Looked,
        out: &mut Vec<Decision>,
    ) {
        let until = looked.after.blocked_until();
        let ground = Ground { number, group, trigger, bounds: None, arming: 1 };
        self.conclude(&ground, looked, out);
        self.set_timer(number, group.clone(), until);
    }

    /// Decides on one day's group of a distinct-recipient limit.
    pub(super) fn step_distinct(
        &mut self,
        number: LimitNumber,
        key: &DayGroup,
        trigger: Trigger<'_>,
        looked: Looked,
        out: &mut Vec<Decision>,
    ) {
        let version = self.limit(number).version;
        let bounds = Calendar::Day(key.day).bounds();
        let arming = self.distincts.get(number, key).map(|row| row.arming).unwrap_or_default();
        let arming = arming.current(version, bounds.start);
        let blocked = looked.after.blocked_until().is_some();
        let ground = Ground { number, group: &key.group, trigger, bounds: Some(bounds), arming };
        if self.conclude(&ground, looked, out) {
            self.distincts.change(number, key).arming.cease(version, bounds.start);
        }
        if blocked {
            self.set_timer_at_most(number, key.group.clone(), bounds.end);
        }
    }

    /// Emits the decisions and keeps the account's sequence. True when a threshold or the reach
    /// ceased to hold.
    pub(super) fn conclude(
        &mut self,
        ground: &Ground<'_>,
        looked: Looked,
        out: &mut Vec<Decision>,
    ) -> bool {
        let now = self.moved_now();
        let limit = self.limits.get(ground.number).expect("the limit looked at is there");
        let account = &mut self.accounts[limit.account.0 as usize];
        let step = Step {
            trigger: ground.trigger,
            now,
            account_id: &account.id,
            limit,
            group: ground.group,
            bounds: ground.bounds,
            arming: ground.arming,
            looked,
        };
        let mut sequence = account.sequence;
        let ceased = step.decide(&mut sequence, out);
        if sequence != account.sequence {
            account.sequence = sequence;
            self.changed.accounts.insert(limit.account);
        }
        ceased
    }
}
