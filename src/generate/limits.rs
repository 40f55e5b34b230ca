//! The limits of the made-up accounts: what they open with, and how they change. Promise: every
//! command made here is valid, and amounts are sized so that some limits are reached and some not.

use std::collections::VecDeque;

use compact_str::{CompactString, format_compact};

use super::catalog::{COST_MICROS_MEAN, COUNTRIES};
use super::random::Draws;
use super::traffic::{Body, Generated, Setting};
use super::world::{AccountRank, World, hex};
use super::{Options, Share};
use crate::fold::event::{Change, Command};
use crate::fold::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window};
use crate::money::Money;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Millis};

/// Accounts with less traffic than this many events in the whole log set no limits.
const EVENTS_MIN: u64 = 20;
const ACTORS: [&str; 3] = ["api-key:ops-1", "api-key:billing", "dashboard"];

/// All limits that were ever set, in the order of their first setting.
pub struct Limits(Vec<Held>);

struct Held {
    account: AccountRank,
    spec: LimitSpec,
    removed: bool,
}

/// Writes the opening limits of one account.
struct Opening<'run> {
    account: AccountRank,
    world: &'run World,
    draws: &'run mut Draws,
    /// Events of the account in one day of the log (or in all of it, if shorter).
    events_per_day: u64,
    next_number: u32,
    held: &'run mut Vec<Held>,
}

impl Limits {
    pub fn none() -> Limits {
        Limits(Vec::new())
    }

    /// Sets the opening limits and queues their commands, all at the log's start.
    pub fn open(
        options: &Options,
        world: &World,
        draws: &mut Draws,
        queue: &mut VecDeque<Generated>,
    ) -> Limits {
        let mut limits = Limits::none();
        let events = options.limits_sized_for.unwrap_or(options.events);
        let day_us = DAY_MS.unsigned_abs() * 1_000;
        let day_events = day_us.checked_div(options.gap_us).unwrap_or(events);
        for account in (0..options.accounts).map(AccountRank) {
            if world.expected_of_account(account, events) < EVENTS_MIN {
                break;
            }
            let events_per_day = world.expected_of_account(account, events.min(day_events));
            let first = limits.0.len();
            let held = &mut limits.0;
            Opening { account, world, draws, events_per_day, next_number: 1, held }.set();
            limits.0.truncate(first + options.limits_per_account as usize);
        }
        for held in &limits.0 {
            let change = Change::LimitSet(held.spec.clone());
            let setting = Setting {
                command: command(world.account_id(held.account), change, draws),
                issued_at: options.start,
                actor: ACTORS[0],
                reason: None,
            };
            queue.push_back(Generated { recorded_at: options.start, body: Body::Setting(setting) });
        }
        limits
    }

    /// Changes one limit; `None` when there is none.
    pub fn change(&mut self, now: Millis, world: &World, draws: &mut Draws) -> Option<Setting> {
        if self.0.is_empty() {
            return None;
        }
        let at = draws.below(self.0.len() as u64) as usize;
        let held = &mut self.0[at];
        let (change, reason) = held.change(draws);
        Some(Setting {
            command: command(world.account_id(held.account), change, draws),
            issued_at: now,
            actor: ACTORS[draws.below(ACTORS.len() as u64) as usize],
            reason: Some(reason),
        })
    }
}

fn command(account_id: CompactString, change: Change, draws: &mut Draws) -> Command {
    Command { command_id: hex(draws.bits()), account_id, change }
}

impl Held {
    fn change(&mut self, draws: &mut Draws) -> (Change, &'static str) {
        let spec = &mut self.spec;
        let reason = match draws.below(20) {
            _ if self.removed => "set again",
            0..=8 => {
                spec.amount = scaled(spec, 2, 1);
                "raised on request"
            }
            9..=11 => {
                spec.amount = scaled(spec, 1, 2);
                "lowered after review"
            }
            12..=14 => {
                spec.enabled = !spec.enabled;
                if spec.enabled { "switched on" } else { "override" }
            }
            15..=16 => {
                spec.action = match spec.action {
                    Action::Alert => Action::Block,
                    Action::Block => Action::Alert,
                };
                "policy"
            }
            17 => {
                let lists: [&[u8]; 4] = [&[], &[80, 100], &[50, 75, 90, 100], &[10, 25, 50, 85]];
                spec.thresholds = draws.pick(&lists).to_vec();
                "fewer mails"
            }
            _ => {
                self.removed = true;
                let limit_id = spec.limit_id.clone();
                return (Change::LimitRemoved { limit_id }, "contract ended");
            }
        };
        self.removed = false;
        (Change::LimitSet(spec.clone()), reason)
    }
}

/// The amount times a fraction, kept within what the formats allow.
fn scaled(spec: &LimitSpec, times: i128, by: i128) -> Amount {
    match spec.amount {
        Amount::Cost(money) => Amount::Cost(cents(money.0 * times / by)),
        Amount::Count(count) => {
            let high = match spec.window {
                Window::Sliding { .. } => 1_000,
                Window::Day | Window::Month => 1_000_000_000,
            };
            let count = i128::from(count) * times / by;
            Amount::Count(u64::try_from(count.clamp(1, high)).expect("clamped to a count"))
        }
    }
}

/// Whole cents, at least one and at most ten million dollars.
fn cents(micros: i128) -> Money {
    Money((micros / 10_000).clamp(1, 1_000_000_000) * 10_000)
}

impl Opening<'_> {
    fn set(mut self) {
        self.account_limits();
        self.feature_and_profile_limits();
        if self.draws.chance(Share(400_000)) {
            self.country_limits();
        }
        if self.draws.chance(Share(150_000)) {
            let only = Only { purpose: Some("otp".into()), feature: None };
            let window = Window::Sliding { period_ms: 10 * MINUTE_MS, text: "PT10M".into() };
            let amount = Amount::Count(2 + self.draws.below(4));
            self.each("otp".into(), ScopeKind::Recipient, window, amount, only);
        }
        if self.draws.chance(Share(200_000)) {
            let only = Only { purpose: Some("marketing".into()), feature: None };
            let window = Window::Sliding { period_ms: HOUR_MS, text: "PT1H".into() };
            let amount = Amount::Count(2 + self.draws.below(3));
            let limit_id = self.next_id();
            self.each(limit_id, ScopeKind::Recipient, window, amount, only);
        }
        if self.draws.chance(Share(300_000)) {
            let only = Only { purpose: None, feature: Some("whatsapp".into()) };
            let contacts = self.sized(self.events_per_day / 15).max(3);
            let limit_id = self.next_id();
            self.each(limit_id, ScopeKind::Sender, Window::Day, Amount::Count(contacts), only);
        }
    }

    fn account_limits(&mut self) {
        let scope = Scope { kind: ScopeKind::Account, id: None };
        let daily = self.cost(self.events_per_day);
        let action = self.action();
        self.named(scope.clone(), Window::Day, daily, action);
        if self.draws.chance(Share(500_000)) {
            let monthly = self.cost(self.events_per_day * 2);
            let action = self.action();
            self.named(scope, Window::Month, monthly, action);
        }
    }

    fn feature_and_profile_limits(&mut self) {
        if self.draws.chance(Share(300_000)) {
            let scope = Scope { kind: ScopeKind::Feature, id: Some("sms".into()) };
            let amount = self.cost(self.events_per_day);
            let action = self.action();
            self.named(scope, Window::Month, amount, action);
        }
        for profile in 0..2 {
            let events = self.world.expected_of_profile(profile, self.events_per_day);
            if events == 0 || !self.draws.chance(Share(600_000)) {
                continue;
            }
            let id = Some(self.world.profile_id(self.account, profile));
            let amount = self.cost(events);
            self.named(Scope { kind: ScopeKind::Profile, id }, Window::Day, amount, Action::Block);
        }
    }

    /// A daily and a monthly number of requests; the day's is below the month's (K3).
    fn country_limits(&mut self) {
        let country = self.draws.below(4) as usize;
        let requests = self.events_per_day * COUNTRIES[country].weight / 1_000;
        let daily = self.sized(requests).max(2);
        let monthly = daily + self.sized(requests).max(1);
        for (window, amount) in [(Window::Day, daily), (Window::Month, monthly)] {
            let id = Some(CompactString::const_new(COUNTRIES[country].code));
            let scope = Scope { kind: ScopeKind::Country, id };
            self.named(scope, window, Amount::Count(amount), Action::Block);
        }
    }

    /// A tenth to three times of it.
    fn sized(&mut self, expected: u64) -> u64 {
        expected * (1 + self.draws.below(30)) / 10
    }

    fn cost(&mut self, events: u64) -> Amount {
        Amount::Cost(cents(self.sized(events * COST_MICROS_MEAN).into()))
    }

    fn action(&mut self) -> Action {
        if self.draws.below(2) == 0 { Action::Alert } else { Action::Block }
    }

    fn next_id(&mut self) -> CompactString {
        self.next_number += 1;
        format_compact!("limit_{}", self.next_number - 1)
    }

    fn named(&mut self, scope: Scope, window: Window, amount: Amount, action: Action) {
        let measure = match amount {
            Amount::Cost(_) => Measure::Cost,
            Amount::Count(_) => Measure::Requests,
        };
        let thresholds = vec![50, 75, 90, 100];
        let (limit_id, only) = (self.next_id(), Only::default());
        self.hold(LimitSpec {
            limit_id,
            scope,
            measure,
            window,
            amount,
            action,
            thresholds,
            enabled: true,
            only,
        });
    }

    /// A limit for each number by itself.
    fn each(
        &mut self,
        limit_id: CompactString,
        kind: ScopeKind,
        window: Window,
        amount: Amount,
        only: Only,
    ) {
        let measure = match kind {
            ScopeKind::Sender => Measure::Recipients,
            _ => Measure::Requests,
        };
        self.hold(LimitSpec {
            limit_id,
            scope: Scope { kind, id: None },
            measure,
            window,
            amount,
            action: Action::Block,
            thresholds: Vec::new(),
            enabled: true,
            only,
        });
    }

    fn hold(&mut self, spec: LimitSpec) {
        self.held.push(Held { account: self.account, spec, removed: false });
    }
}
