//! The lines of a log, one after the other: opening limits, then events with commands and garbage
//! between them. Promise: `recorded_at` never falls, and the lines depend on the options alone.

use std::collections::VecDeque;

use compact_str::CompactString;

use super::Options;
use super::catalog::{COUNTRIES, COUNTRIES_WEIGHT, Country, FEATURES, FEATURES_WEIGHT, Feature};
use super::garbage;
use super::limits::Limits;
use super::random::Draws;
use super::world::{AccountRank, SENDERS_PER_ACCOUNT, World, hex, uuid_text};
use crate::fold::event::{BilledEvent, Command, Text};
use crate::money::Money;
use crate::time::{HOUR_MS, MINUTE_MS, Millis};

/// One line and when it reaches the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    pub recorded_at: Millis,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Billed(BilledEvent<'static>),
    Setting(Setting),
    /// Bytes that must be rejected; the account is the key they are published under.
    Garbage {
        account_id: CompactString,
        bytes: Vec<u8>,
    },
}

/// A command with what only people read.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub command: Command,
    pub issued_at: Millis,
    pub actor: &'static str,
    pub reason: Option<&'static str>,
}

impl Generated {
    /// The key of the record on a topic.
    #[must_use]
    pub fn account_id(&self) -> &str {
        match &self.body {
            Body::Billed(event) => &event.account_id,
            Body::Setting(setting) => &setting.command.account_id,
            Body::Garbage { account_id, .. } => account_id,
        }
    }
}

/// Events remembered to be repeated: one in 16, of the last nine minutes (inside the default dedup
/// window), at most 256.
const RECENT_ONE_IN: u64 = 16;
const RECENT_MS: i64 = 9 * MINUTE_MS;
const RECENT_MAX: usize = 256;

pub struct Traffic {
    options: Options,
    world: World,
    draws: Draws,
    limits: Limits,
    /// Lines that come before the next event.
    waiting: VecDeque<Generated>,
    recent: VecDeque<(Millis, BilledEvent<'static>)>,
    pump: Option<Pump>,
    now_us: i64,
    events_left: u64,
}

/// One-time passwords pumped to one number: what the built-in limit is for (O1).
struct Pump {
    account: AccountRank,
    profile_id: Text<'static>,
    sender: Text<'static>,
    recipient: Text<'static>,
    country: &'static Country,
    left: u64,
}

impl Traffic {
    /// # Errors
    /// Options out of bounds.
    pub fn new(options: &Options) -> Result<Traffic, super::Error> {
        options.check()?;
        let world = World::new(options);
        let mut draws = Draws::new(options.seed);
        let mut waiting = VecDeque::new();
        let limits = if options.limits_per_account > 0 {
            Limits::open(options, &world, &mut draws, &mut waiting)
        } else {
            Limits::none()
        };
        Ok(Traffic {
            options: options.clone(),
            world,
            draws,
            limits,
            waiting,
            recent: VecDeque::new(),
            pump: None,
            now_us: options.start.0 * 1_000,
            events_left: options.events,
        })
    }

    fn event(&mut self, now: Millis) -> BilledEvent<'static> {
        let shares = self.options.shares;
        if self.draws.chance(shares.duplicates)
            && let Some(repeat) = self.repeat(now)
        {
            return repeat;
        }
        if self.draws.chance(shares.conflicts)
            && let Some(mut other) = self.repeat(now)
        {
            other.cost = Money(other.cost.0 + 1 + i128::from(self.draws.below(10_000)));
            return other;
        }
        let mut event = match self.pumped() {
            Some(event) => event,
            None => self.fresh(),
        };
        self.idempotency(&mut event);
        event.occurred_at = self.occurred(now);
        if self.draws.chance(shares.corrections) {
            event.cost = Money(-event.cost.0.max(1));
            event.requests = 0;
        }
        if self.draws.below(RECENT_ONE_IN) == 0 {
            if self.recent.len() == RECENT_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back((now, event.clone()));
        }
        event
    }

    /// An event of the last minutes, as a client that saw no answer sends it again.
    fn repeat(&mut self, now: Millis) -> Option<BilledEvent<'static>> {
        while self.recent.front().is_some_and(|(at, _)| now.0 - at.0 > RECENT_MS) {
            self.recent.pop_front();
        }
        if self.recent.is_empty() {
            return None;
        }
        let mut event = self.recent[self.draws.below(self.recent.len() as u64) as usize].1.clone();
        if event.idempotency_key.is_some() {
            event.event_id = own(uuid_text(self.draws.bits(), self.draws.bits()));
        }
        Some(event)
    }

    fn fresh(&mut self) -> BilledEvent<'static> {
        let account = self.world.draw_account(&mut self.draws);
        let profile = self.world.draw_profile(&mut self.draws);
        let feature = self.draws.weighted(&FEATURES, FEATURES_WEIGHT, |row| row.1).0;
        let mut event = BilledEvent {
            event_id: own(uuid_text(self.draws.bits(), self.draws.bits())),
            idempotency_key: None,
            account_id: own(self.world.account_id(account)),
            profile_id: None,
            feature: feature.as_str().into(),
            country: None,
            sender: None,
            recipient: None,
            purpose: None,
            requests: 1,
            cost: Money::ZERO,
            occurred_at: self.options.start,
        };
        if feature.is_message() {
            event.profile_id = Some(own(self.world.profile_id(account, profile)));
            self.address(account, feature, &mut event);
        } else {
            event.requests = u32::from(feature == Feature::Api);
            event.cost = Money(self.fee_micros(feature).into());
        }
        event
    }

    /// Fills in who sends what to whom in which country, and what that costs.
    fn address(
        &mut self,
        account: AccountRank,
        feature: Feature,
        event: &mut BilledEvent<'static>,
    ) {
        let country = self.draws.weighted(&COUNTRIES, COUNTRIES_WEIGHT, |country| country.weight);
        let recipient = self.world.draw_recipient(account, country, &mut self.draws);
        event.country = Some(country.code.into());
        let sender = self.world.sender(account, self.draws.below(SENDERS_PER_ACCOUNT));
        event.sender = Some(own(sender));
        event.recipient = Some(own(recipient));
        let otp = self.draws.chance(self.options.shares.otp);
        let purpose = match (otp, self.draws.below(8)) {
            (true, _) => "otp",
            (false, 0..=4) => "transactional",
            (false, _) => "marketing",
        };
        event.purpose = Some(purpose.into());
        let price = match feature {
            Feature::Whatsapp => country.sms_micros / 4 * 3,
            // A call of one to twenty tenths of a minute.
            Feature::Voice => country.sms_micros / 10 * self.draws.between(1, 20),
            _ => country.sms_micros,
        };
        if !otp && self.draws.below(32) == 0 {
            event.requests = 2 + self.draws.below(4) as u32;
        }
        event.cost = Money(i128::from(price) * i128::from(event.requests));
        if otp && self.draws.below(400) == 0 {
            self.pump = Some(Pump {
                account,
                profile_id: event.profile_id.clone().unwrap_or_default(),
                sender: event.sender.clone().unwrap_or_default(),
                recipient: event.recipient.clone().unwrap_or_default(),
                country,
                left: 3 + self.draws.below(6),
            });
        }
    }

    fn fee_micros(&mut self, feature: Feature) -> i64 {
        match feature {
            Feature::Api => 100,
            Feature::Numbers => 1_000_000,
            Feature::Features => 2_500_000,
            _ => self.draws.between(1, 20) * 250_000,
        }
    }

    /// The next one-time password of a pump that is going on, in one event of four.
    fn pumped(&mut self) -> Option<BilledEvent<'static>> {
        if self.pump.is_none() || self.draws.below(4) > 0 {
            return None;
        }
        let pump = self.pump.as_mut()?;
        let event = BilledEvent {
            event_id: own(uuid_text(self.draws.bits(), self.draws.bits())),
            idempotency_key: None,
            account_id: own(self.world.account_id(pump.account)),
            profile_id: Some(pump.profile_id.clone()),
            feature: "sms".into(),
            country: Some(pump.country.code.into()),
            sender: Some(pump.sender.clone()),
            recipient: Some(pump.recipient.clone()),
            purpose: Some("otp".into()),
            requests: 1,
            cost: Money(pump.country.sms_micros.into()),
            occurred_at: self.options.start,
        };
        pump.left -= 1;
        if pump.left == 0 {
            self.pump = None;
        }
        Some(event)
    }

    /// One event in eight comes from a client that names its requests.
    fn idempotency(&mut self, event: &mut BilledEvent<'static>) {
        if self.draws.below(8) == 0 {
            let key = hex(self.draws.bits());
            event.idempotency_key = Some(format!("req-{key}").into());
        }
    }

    fn occurred(&mut self, now: Millis) -> Millis {
        let shares = self.options.shares;
        if self.draws.chance(shares.late) {
            return Millis(now.0 - self.draws.between(MINUTE_MS, 36 * HOUR_MS));
        }
        if self.draws.chance(shares.early) {
            return Millis(now.0 + self.draws.between(MINUTE_MS, 23 * HOUR_MS));
        }
        Millis(now.0 - self.draws.between(2, 400))
    }
}

fn own(text: CompactString) -> Text<'static> {
    Text::Owned(text.into_string())
}

impl Iterator for Traffic {
    type Item = Generated;

    fn next(&mut self) -> Option<Generated> {
        if let Some(line) = self.waiting.pop_front() {
            return Some(line);
        }
        self.events_left = self.events_left.checked_sub(1)?;
        let gap_us = self.draws.below(2 * self.options.gap_us + 1);
        self.now_us = self.now_us.saturating_add_unsigned(gap_us);
        let now = Millis(self.now_us / 1_000);
        if now >= Options::LAST {
            self.events_left = 0;
            return None;
        }
        let shares = self.options.shares;
        if self.draws.chance(shares.garbage) {
            let account_id = self.world.account_id(self.world.draw_account(&mut self.draws));
            let bytes = garbage::line(&account_id, now, &mut self.draws);
            let body = Body::Garbage { account_id, bytes };
            self.waiting.push_back(Generated { recorded_at: now, body });
        }
        if self.draws.chance(shares.changes)
            && let Some(setting) = self.limits.change(now, &self.world, &mut self.draws)
        {
            let body = Body::Setting(setting);
            self.waiting.push_back(Generated { recorded_at: now, body });
        }
        let event = Generated { recorded_at: now, body: Body::Billed(self.event(now)) };
        match self.waiting.pop_front() {
            None => Some(event),
            Some(first) => {
                self.waiting.push_back(event);
                Some(first)
            }
        }
    }
}
