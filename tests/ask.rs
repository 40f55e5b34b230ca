//! What a partition tells of an account (DESIGN.md: users are told what is journaled, never what
//! is merely folded), on topics in memory.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::mpsc::{Receiver, channel};

use tollgate::engine::log::Source;
use tollgate::engine::memory::{Fate, MemoryTopics};
use tollgate::engine::partition::{Ask, Told};
use tollgate::fold::limit::{Amount, Scope, ScopeKind};
use tollgate::fold::{BUILT_IN, Calendar, Look};
use tollgate::money::Money;
use tollgate::store::memory::{Disk, MemoryStore};
use tollgate::time::Millis;

mod rig;
use rig::{HandClock, Owned, conformance_log, open, options, produce, settle};

const NOON: &str = "2024-08-20T12:00:00Z";

fn at(text: &str) -> Millis {
    Millis::parse(text).unwrap()
}

struct World {
    topics: MemoryTopics,
    clock: HandClock,
    disk: Disk,
    partition: Owned<MemoryStore>,
}

impl World {
    fn new() -> World {
        let (topics, clock, disk) =
            (MemoryTopics::default(), HandClock::default(), Disk::default());
        clock.set(at(NOON));
        topics.set_now(at(NOON));
        let partition = open(options("a"), &topics, &clock, MemoryStore::open(disk.clone(), 0));
        let mut world = World { topics, clock, disk, partition };
        settle(&mut world.partition);
        world
    }

    /// A crash: the next process begins from the disk.
    fn restart(&mut self) {
        let store = MemoryStore::open(self.disk.clone(), 0);
        self.partition = open(options("b"), &self.topics, &self.clock, store);
        settle(&mut self.partition);
    }

    fn bill(&self, id: &str, fields: &str) {
        let head = r#""account_id":"acme","feature":"sms","country":"IT","profile_id":"p""#;
        let line = format!(r#"{{"event_id":"{id}",{head},"occurred_at":"{NOON}",{fields}}}"#);
        produce(&self.topics, &self.clock, line.as_bytes());
    }

    fn set_limit(&self, amount: &str, more: &str) -> u64 {
        let limit = format!(
            r#"{{"limit_id":"day","scope":{{"kind":"account"}},"measure":"cost","window":"day",
                "amount":"{amount}","action":"block"{more}}}"#
        );
        let line = format!(
            r#"{{"type":"limit_set","command_id":"c","account_id":"acme","issued_at":"{NOON}",
                "limit":{limit}}}"#
        );
        let line = line.replace('\n', " ");
        self.topics.produce(Source::Commands, None, Some(line.as_bytes())) + 1
    }

    fn ask(&mut self, look: Look, after: u64) -> Receiver<Told> {
        let (tell, told) = channel();
        let tell = Box::new(move |answer| {
            let _ = tell.send(answer);
        });
        self.partition.ask(Ask { look, after, tell });
        told
    }

    fn turn(&mut self, times: u32) {
        for _ in 0..times {
            self.partition.turn().unwrap();
        }
    }
}

fn of_account(world_now: &str) -> Look {
    let scope = Scope { kind: ScopeKind::Account, id: None };
    let day = Calendar::Day(at(world_now).day());
    Look {
        account_id: "acme".into(),
        at: at(world_now),
        limits: vec!["day".into(), BUILT_IN.into(), "no such".into()],
        totals: vec![(scope, day)],
        all_in: Vec::new(),
    }
}

fn cost(told: &Told) -> Option<Money> {
    told.seen.totals.first().map(|total| total.tally.cost)
}

#[test]
fn what_is_folded_and_not_journaled_is_not_told() {
    for fate in [Fate::Acknowledged, Fate::WithoutOffset, Fate::LandsUnheard, Fate::Refused] {
        let mut world = World::new();
        world.topics.hold_appends(true);
        world.bill("e1", r#""cost":"1.50""#);
        world.turn(5);
        let told = world.ask(of_account(NOON), 0);
        world.turn(5);
        assert!(told.try_recv().is_err(), "{fate:?}: its record is under way");
        world.partition.log_mut().release(fate);
        world.topics.hold_appends(false);
        settle(&mut world.partition);
        let told = told.try_recv().expect("the record is in the journal");
        assert_eq!(cost(&told), Some(Money(1_500_000)), "{fate:?}");
        assert_eq!(told.seq, world.partition.chain().map(|tip| tip.seq), "{fate:?}");
        rig::check_outputs(&world.topics);
    }
}

/// DESIGN.md, "commands": whoever reads after a write sees the write.
#[test]
fn who_asks_after_a_command_is_told_the_state_with_it() {
    let mut world = World::new();
    world.bill("e1", r#""cost":"10.00""#);
    settle(&mut world.partition);
    let after = world.topics.source(Source::Commands).len() as u64 + 1;
    let told = world.ask(of_account(NOON), after);
    world.turn(20);
    assert!(told.try_recv().is_err(), "the command has not come yet");
    assert_eq!(world.set_limit("10", ""), after);
    settle(&mut world.partition);
    let told = told.try_recv().expect("the command is folded");
    let [day, otp] = told.seen.limits.as_slice() else { panic!("{told:?}") };
    assert_eq!((day.version, day.total), (1, Some(Amount::Cost(Money(10_000_000)))));
    assert_eq!(day.blocks.len(), 1, "10.00 of 10.00 blocks (T2)");
    assert_eq!(day.blocks[0].until, at("2024-08-21T00:00:00Z"));
    assert_eq!((otp.spec.limit_id.as_str(), otp.total), (BUILT_IN, None));
    world.set_limit("10", r#","enabled":false"#);
    settle(&mut world.partition);
    let told = world.ask(of_account(NOON), 0);
    world.turn(1);
    let told = told.try_recv().expect("nothing is under way");
    assert!(told.seen.limits[0].blocks.is_empty(), "disabling lifts at once (T8)");
    assert_eq!(told.seen.limits[0].total, Some(Amount::Cost(Money(10_000_000))));
}

#[test]
fn windows_run_out_by_the_askers_clock() {
    let mut world = World::new();
    world.set_limit("10", "");
    for number in 0..3 {
        let otp = r#""cost":"5","purpose":"otp","recipient":"+39""#;
        world.bill(&format!("e{number}"), otp);
    }
    settle(&mut world.partition);
    let mut blocks = |now: &str| {
        let told = world.ask(of_account(now), 0);
        world.turn(1);
        let told = told.try_recv().expect("nothing is under way");
        let blocks = told.seen.limits.iter().map(|limit| limit.blocks.len()).collect::<Vec<_>>();
        (blocks, cost(&told))
    };
    assert_eq!(blocks("2024-08-20T12:04:59.999Z"), (vec![1, 1], Some(Money(15_000_000))));
    assert_eq!(blocks("2024-08-20T12:05:00.000Z"), (vec![1, 0], Some(Money(15_000_000))));
    assert_eq!(blocks("2024-08-20T23:59:59.999Z"), (vec![1, 0], Some(Money(15_000_000))));
    assert_eq!(blocks("2024-08-21T00:00:00.000Z"), (vec![0, 0], None));
}

/// Rows that were written and let go are read back for whoever asks.
#[test]
fn a_look_sees_every_row_whether_in_memory_or_in_the_store() {
    for name in ["plain-1", "stress-1"] {
        let mut world = World::new();
        let lines = conformance_log(name);
        for line in &lines {
            produce(&world.topics, &world.clock, line);
            settle(&mut world.partition);
        }
        world.restart();
        let expected = rig::account(&world.topics).totals;
        let mut windows: Vec<_> = expected.iter().map(|total| total.window).collect();
        windows.sort_unstable();
        windows.dedup();
        let mut accounts: Vec<_> = expected.iter().map(|it| it.account_id.clone()).collect();
        accounts.dedup();
        let mut seen = Vec::new();
        for account in accounts {
            let look =
                Look { account_id: account.into(), all_in: windows.clone(), ..Look::default() };
            let told = world.ask(look, 0);
            world.turn(2);
            seen.extend(told.try_recv().expect("nothing is under way").seen.totals);
        }
        assert_eq!(seen, expected, "{name}");
    }
}

#[test]
fn an_account_that_was_never_seen_has_nothing() {
    let mut world = World::new();
    world.bill("e1", r#""cost":"1""#);
    settle(&mut world.partition);
    let look = Look { account_id: "globex".into(), ..of_account(NOON) };
    let told = world.ask(look, 0);
    world.turn(1);
    assert_eq!(told.try_recv().expect("an answer").seen, tollgate::fold::Seen::default());
}

/// A partition that is given up tells nothing: its asker goes elsewhere.
#[test]
fn who_asks_a_partition_that_ends_is_not_left_waiting() {
    let mut world = World::new();
    let far = 1_000;
    let told = world.ask(of_account(NOON), far);
    world.partition =
        open(options("b"), &world.topics, &world.clock, MemoryStore::open(Disk::default(), 0));
    assert!(told.recv().is_err(), "the question went with the partition");
}
