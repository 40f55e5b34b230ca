//! Random logs from a seed: everyday traffic under every kind of limit, or the same with all the
//! edges of the format. Accounts, numbers and amounts are few, so that totals meet limits, ids
//! meet ids and timers meet events; a seed always gives the same bytes.

use std::collections::BTreeMap;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use serde_json::{Map, Value, json};

use super::commands;
use super::dice::Dice;
use super::garbage;
use super::spelling;
use super::times::{self, DAY, HOUR, MINUTE};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Well-formed lines, hardly a reject.
    Plain,
    /// Odd spellings, far ticks, wrong types, bounds.
    Stress,
}

/// A random log by name: what a property test draws, and prints when it fails.
#[derive(Clone, Debug)]
pub struct Case {
    pub seed: u64,
    pub lines: usize,
    pub flavour: Flavour,
    pub dedup_minutes: u32,
}

impl Case {
    pub fn log(&self) -> Vec<u8> {
        random_log(self.seed, self.lines, self.flavour)
    }
}

/// All random logs; with fewer lines a log is the beginning of the longer one.
pub fn any_log() -> impl Strategy<Value = Case> {
    let flavours = prop_oneof![Just(Flavour::Plain), Just(Flavour::Stress)];
    let minutes = prop_oneof![Just(1), Just(10), Just(60), Just(1440)];
    let parts = (any::<u64>().no_shrink(), 1..250usize, flavours, minutes);
    parts.prop_map(|(seed, lines, flavour, dedup_minutes)| Case {
        seed,
        lines,
        flavour,
        dedup_minutes,
    })
}

/// An NDJSON log of so many lines.
pub fn random_log(seed: u64, lines: usize, flavour: Flavour) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let mut traffic = Traffic::new(&mut dice, flavour);
    let mut log = Vec::new();
    for _ in 0..lines {
        log.extend_from_slice(&traffic.line(&mut dice));
        let odd = flavour == Flavour::Stress;
        log.extend_from_slice(if odd && dice.permille(20) { b"\r\n" } else { b"\n" });
        if odd && dice.permille(10) {
            log.extend_from_slice(dice.pick(&["\n", "  \n", "\t\r\n"]).as_bytes());
        }
    }
    if dice.permille(200) {
        log.pop();
    }
    log
}

/// What the log has said so far, as far as later lines play on it.
struct Traffic {
    flavour: Flavour,
    /// About where the log's `now` is.
    clock: i64,
    count: u64,
    accounts: Vec<&'static str>,
    /// A limit or two per log make events meet them; many make steps meet each other.
    limit_ids: Vec<&'static str>,
    limits: BTreeMap<(String, String), Map<String, Value>>,
    sent: Vec<Map<String, Value>>,
    /// How often each kind of line comes, in 1,000.
    commands: usize,
    repeats: usize,
    step: i64,
}

const LONG_ID: &str = "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL";

impl Traffic {
    fn new(dice: &mut Dice, flavour: Flavour) -> Self {
        let starts = match flavour {
            Flavour::Plain => &["2026-01-30T18:00:00.000Z", "2024-08-20T19:17:08.918Z"][..],
            Flavour::Stress => &[
                "2023-12-30T23:00:00.000Z",
                "2024-02-28T20:00:00.001Z",
                "2023-02-28T23:59:59.999Z",
                "2100-02-28T12:00:00.000Z",
                "2024-03-30T23:30:00.000Z",
                "1970-01-01T00:00:00.000Z",
                "2199-12-29T22:00:00.000Z",
            ],
        };
        let start = dice.pick(starts);
        let accounts = match dice.below(4) {
            0 => vec!["acme"],
            1 => vec!["acme", "acme", "a/b"],
            2 => vec!["x", "A", "100%", "x"],
            _ => vec!["\u{fc}/%2F", "a", "a/b", "a%2Fb"],
        };
        let mut limit_ids = vec!["otp", "L0", "L1", "l.1_-", "L10", LONG_ID];
        limit_ids.truncate(1 + dice.below(6));
        Traffic {
            flavour,
            clock: times::parse(start).expect("a constant time"),
            count: 0,
            accounts,
            limit_ids,
            limits: BTreeMap::new(),
            sent: Vec::new(),
            commands: [40, 90, 200, 400][dice.below(4)],
            repeats: [20, 80, 200][dice.below(3)],
            step: dice.number(&[20, 1000, MINUTE, 20 * MINUTE, 5 * HOUR]),
        }
    }

    fn odd(&self, dice: &mut Dice, permille: usize) -> bool {
        self.flavour == Flavour::Stress && dice.permille(permille)
    }

    fn line(&mut self, dice: &mut Dice) -> Vec<u8> {
        self.count += 1;
        if self.odd(dice, 15) {
            return garbage::line(dice);
        }
        let mut object = if dice.permille(self.commands) {
            self.command(dice)
        } else if dice.permille(self.repeats) && !self.sent.is_empty() {
            self.repeat(dice)
        } else if dice.permille(30) {
            self.tick(dice)
        } else {
            self.event(dice)
        };
        if self.odd(dice, 60) {
            garbage::spoil(dice, &mut object);
        }
        if self.odd(dice, 30) {
            object.insert("unknown_field".to_owned(), json!({"deep": [1, {"x": -1.5e3}]}));
        }
        if self.flavour == Flavour::Plain {
            return spelling::plain_json(&object);
        }
        let line = spelling::odd_json(dice, &object);
        if dice.permille(15) { garbage::prefix(dice, &line) } else { line }
    }

    fn time(&self, dice: &mut Dice, at: i64) -> Value {
        if self.odd(dice, 250) { spelling::odd_time(dice, at) } else { spelling::plain_time(at) }
    }

    /// Moves the clock: mostly a little, at times just to, before or past an instant that counts.
    fn moved(&mut self, dice: &mut Dice) -> i64 {
        let by = match dice.below(40) {
            0..=4 => 0,
            5..=8 => 1,
            9..=24 => dice.below(self.step as usize) as i64,
            25..=29 => dice.number(&[1000, MINUTE, 5 * MINUTE]),
            30 => dice.number(&[999, 1001, 5 * MINUTE - 1, 10 * MINUTE, 11 * MINUTE, HOUR]),
            31..=33 => 2 * self.step,
            34 => self.to_boundary(dice) + dice.number(&[-1, 0, 0, 0, 1]),
            _ => 20,
        };
        self.clock += by.max(0);
        self.clock
    }

    /// How far the next minute, day or month is.
    fn to_boundary(&self, dice: &mut Dice) -> i64 {
        let minute = MINUTE - self.clock.rem_euclid(MINUTE);
        let ends = [minute, times::day(self.clock).1 - self.clock];
        match dice.below(6) {
            0..=1 => ends[0],
            2..=4 => ends[1],
            _ => times::month(self.clock).1 - self.clock,
        }
    }

    fn tick(&mut self, dice: &mut Dice) -> Map<String, Value> {
        let now = match dice.below(12) {
            0 => self.clock - dice.number(&[1, HOUR, DAY]),
            1..=3 => self.clock + self.to_boundary(dice) + dice.number(&[-1, 0, 0, 1, HOUR]),
            4..=5 => self.clock + dice.number(&[DAY, 2 * DAY, 31 * DAY]),
            6 if self.odd(dice, 200) => self.clock + 400 * DAY,
            _ => self.moved(dice),
        };
        self.clock = self.clock.max(now);
        fields(json!({"type": "tick", "now": self.time(dice, now.max(0))}))
    }

    fn event(&mut self, dice: &mut Dice) -> Map<String, Value> {
        let now = self.moved(dice);
        let account = dice.pick(&self.accounts);
        let mut event = fields(json!({
            "type": "billed",
            "event_id": format!("e{}", self.count),
            "account_id": account,
            "feature": dice.pick(&["sms", "sms", "sms", "voice", "fees", "otp_2"]),
            "cost": dice.pick(&COSTS),
        }));
        optional(dice, &mut event, "profile_id", &["p1", "p1", "p2", ""]);
        optional(dice, &mut event, "country", &["IT", "it", "iT", "FR", "De", ""]);
        optional(dice, &mut event, "sender", &["+1", "+1", "a/b", "s\u{fc}", ""]);
        optional(dice, &mut event, "recipient", &["+391", "+391", "+392", "+1", "%/", "r\n", ""]);
        optional(dice, &mut event, "purpose", &["otp", "otp", "marketing", ""]);
        if dice.permille(600) {
            let many = [0, 0, 1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 40, 400, 999, 1000, 1001];
            event.insert("requests".to_owned(), json!(dice.number(&many)));
        }
        if dice.permille(200) {
            let keys = ["k1".to_owned(), format!("k{}", self.count), format!("e{}", self.count)];
            let other = format!("e{}", dice.below(self.count as usize));
            let key = [&keys[0], &keys[1], &keys[2], &other][dice.below(4)].clone();
            event.insert("idempotency_key".to_owned(), json!(key));
        }
        self.place(dice, &mut event, now);
        if self.flavour == Flavour::Stress && dice.permille(200) {
            let cost = event["cost"].as_str().expect("a cost is text").to_owned();
            event.insert("cost".to_owned(), json!(spelling::odd_decimal(dice, &cost)));
        }
        if self.odd(dice, 100) {
            event.remove("type");
        }
        self.sent.push(event.clone());
        event
    }

    /// Gives an event its times: now, late, early, or just on an edge.
    fn place(&mut self, dice: &mut Dice, event: &mut Map<String, Value>, now: i64) {
        let boundary = now + self.to_boundary(dice);
        let occurred = match dice.below(40) {
            0..=1 => now - dice.number(&[1, 999, 1000, MINUTE, 5 * MINUTE, 5 * MINUTE - 1]),
            2 => now - dice.number(&[HOUR, 9 * HOUR, DAY, 31 * DAY]),
            3 => times::day(now).0 - dice.number(&[0, 1, HOUR]),
            4 => times::month(now).0 - dice.number(&[0, 1]),
            5 => now + dice.number(&[1, 1000, MINUTE, HOUR]),
            6 => now + dice.number(&[DAY - 1, DAY, DAY, DAY + 1]),
            7..=9 => boundary + dice.number(&[-1, 0, 0, 1, HOUR]),
            _ => now,
        };
        let occurred = occurred.max(0);
        event.insert("occurred_at".to_owned(), self.time(dice, occurred));
        let recorded = match dice.below(10) {
            0 => Some(now - dice.number(&[0, 1, 30_000])),
            1..=2 if occurred <= now + HOUR || dice.permille(200) => None,
            _ => Some(now),
        };
        match recorded {
            Some(at) => {
                event.insert("recorded_at".to_owned(), self.time(dice, at.max(0)));
            }
            None => {
                self.clock = self.clock.max(occurred);
                if dice.permille(300) {
                    event.insert("recorded_at".to_owned(), Value::Null);
                }
            }
        }
    }

    /// An earlier event once more, exactly so or with something changed.
    fn repeat(&mut self, dice: &mut Dice) -> Map<String, Value> {
        let recent = self.sent.len().min(1 + dice.below(12));
        let mut event = self.sent[self.sent.len() - recent].clone();
        let wait = match dice.below(6) {
            0 => dice.number(&[9 * MINUTE, 10 * MINUTE, 10 * MINUTE + 30_000, 11 * MINUTE]),
            1 => DAY,
            _ => dice.below(self.step as usize) as i64,
        };
        self.clock += wait;
        event.insert("recorded_at".to_owned(), self.time(dice, self.clock));
        match dice.below(16) {
            0 => event.insert("cost".to_owned(), json!(dice.pick(&COSTS))),
            1 => event.insert("requests".to_owned(), json!(dice.number(&[0, 1, 2]))),
            2 => event.insert("occurred_at".to_owned(), self.time(dice, self.clock)),
            3 => event.insert("event_id".to_owned(), json!(format!("e{}", self.count))),
            4 => event.insert("account_id".to_owned(), json!(dice.pick(&self.accounts))),
            5 => event.insert("idempotency_key".to_owned(), json!("k1")),
            6 => {
                let key = dice.pick(&["profile_id", "sender", "recipient", "purpose"]);
                event.insert(key.to_owned(), json!(dice.pick(&["+1", "p1", "otp", ""])))
            }
            7 => event.insert("country".to_owned(), json!(dice.pick(&["IT", "it", "FR"]))),
            _ => None,
        };
        event
    }

    fn command(&mut self, dice: &mut Dice) -> Map<String, Value> {
        let now = self.moved(dice);
        let account = dice.pick(&self.accounts).to_owned();
        let id = dice.pick(&self.limit_ids).to_owned();
        let mut command = fields(json!({
            "command_id": format!("c{}", self.count),
            "account_id": account,
            "issued_at": self.time(dice, now),
        }));
        optional(dice, &mut command, "actor", &["api-key:ops-1", "test", ""]);
        optional(dice, &mut command, "reason", &["because", ""]);
        let key = (account, id.clone());
        let kind = match dice.below(20) {
            0..=2 => {
                self.limits.remove(&key);
                command.insert("limit_id".to_owned(), json!(id));
                "limit_removed"
            }
            3 if dice.permille(300) => dice.pick(&["profile_set", "x_removed", "a_b_set"]),
            _ => {
                let odd = self.flavour == Flavour::Stress;
                let limit = match self.limits.get(&key) {
                    Some(limit) if !dice.permille(150) => commands::changed(dice, limit, odd),
                    _ => commands::new_limit(dice, &id),
                };
                self.limits.insert(key, limit.clone());
                command.insert("limit".to_owned(), Value::Object(limit));
                "limit_set"
            }
        };
        command.insert("type".to_owned(), json!(kind));
        command
    }
}

const COSTS: [&str; 18] = [
    "0.01", "0.01", "0.02", "0.10", "0.25", "0.5", "1", "1", "2.5", "5", "0", "0.0075", "0.333333",
    "0.000001", "-0.01", "-0.5", "-1", "-3",
];

pub fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => unreachable!("no object: {other}"),
    }
}

/// One of the values, null, or left out.
fn optional(dice: &mut Dice, object: &mut Map<String, Value>, key: &str, values: &[&str]) {
    match dice.below(10) {
        0 => {}
        1 => {
            object.insert(key.to_owned(), Value::Null);
        }
        _ => {
            object.insert(key.to_owned(), json!(dice.pick(values)));
        }
    }
}
