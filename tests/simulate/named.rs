//! The cases that have names: moments that a random run meets rarely, told step by step. Faults do not
//! strike by themselves here.

use std::collections::BTreeSet;
use std::rc::Rc;

use tollgate::engine::log::Source;
use tollgate::time::Millis;

use super::case::{Case, Fault, Sizes};
use super::chance::Path;
use super::topics::Write;
use super::verdict::{check, check_told};
use super::world::World;

/// 2024-08-20T12:00:00Z.
const NOON: i64 = 1_724_155_200_000;
const HOUR_MS: i64 = 3_600_000;
/// Two hosts.
const A: usize = 0;
const B: usize = 1;

fn world() -> World {
    world_of(|_| {})
}

fn world_of(change: impl Fn(&mut Sizes)) -> World {
    let without = Fault::ALL.into_iter().collect();
    let case = Case { seed: 1, lines: 0, steps: 0, without };
    let mut sizes = Sizes {
        partitions: 1,
        hosts: 2,
        batch_lines_max: 10,
        appends_in_flight_max: 4,
        outputs_outstanding_max: 1_000,
        checkpoint_lines_max: 20,
        memory_bytes_max: 0,
        dedup_minutes: 10,
        odd: false,
        produce: 0,
    };
    change(&mut sizes);
    let mut world = World::new(&case, sizes);
    world.chance.calm(true);
    world.pass(NOON);
    world
}

impl World {
    /// A limit of the account's cost in a day, which blocks.
    fn limit(&mut self, name: &str, amount: &str) {
        let at = Millis(self.now);
        self.send(
            format!(
                r#"{{"type":"limit_set","command_id":"{name}","account_id":"acme","issued_at":"{at}","actor":"ops","limit":{{"limit_id":"daily","scope":{{"kind":"account"}},"measure":"cost","window":"day","amount":"{amount}","action":"block"}}}}"#
            )
            .into_bytes(),
        );
    }

    fn bill(&mut self, name: &str, recipient: &str, cost: &str) {
        let at = Millis(self.now);
        self.send(
            format!(
                r#"{{"type":"billed","event_id":"{name}","account_id":"acme","feature":"sms","recipient":"{recipient}","cost":"{cost}","occurred_at":"{at}"}}"#
            )
            .into_bytes(),
        );
    }

    /// One host turns until nothing moves; the others stand still. A checkpoint of 24,000 groups
    /// takes 8,000 turns, three groups each.
    fn rest(&mut self, host: usize) {
        for _ in 0..20_000 {
            let moved = self.turn(host, 0).expect("nothing fails");
            if !moved && self.hosts[host].running[&0].quiet() {
                return;
            }
        }
        panic!("host {host} does not come to rest");
    }

    fn turns(&mut self, host: usize) {
        self.turn(host, 0).expect("nothing fails");
    }

    fn log(&mut self, host: usize) -> &mut super::topics::SimLog {
        self.hosts[host].running.get_mut(&0).expect("it runs").log_mut()
    }

    /// What was read of billed and commands, but not of the journal.
    fn reads_lines_only(&mut self, host: usize) {
        self.log(host).fetch(Source::Billed);
        self.log(host).fetch(Source::Commands);
        self.turn_alone(host, 0).expect("nothing fails");
    }

    fn ends_well(&mut self) {
        self.settle().expect("it comes to rest");
        check(self).expect("it ends well");
    }

    fn took(&self, path: Path) -> u64 {
        self.chance.counts()[&format!("{path:?}")]
    }
}

#[test]
fn an_owner_paused_before_publishing_wakes_after_its_successor_published() {
    let mut world = world();
    world.open(A, 0);
    world.rest(A);
    world.limit("c1", "1.00");
    world.bill("e1", "+1", "1.00");
    while world.log(A).publishes() == 0 {
        world.turns(A);
    }
    // A stands still, its block on the way. B takes over, and the limit is raised.
    world.open(B, 0);
    world.rest(B);
    world.limit("c2", "5.00");
    world.rest(B);
    let lifted = world.places[0].topics.borrow().end(Source::BlockState);
    world.log(A).network();
    assert!(world.places[0].topics.borrow().end(Source::BlockState) > lifted, "the block lands");
    world.ends_well();
    assert!(world.took(Path::OldBlockLanded) > 0);
    assert!(world.places[0].gates[0].blocked().is_empty());
}

#[test]
fn an_idle_owner_overtaken_without_noticing_decides_nothing() {
    let mut world = world();
    world.open(A, 0);
    world.rest(A);
    world.open(B, 0);
    world.limit("c1", "1.00");
    world.bill("e1", "+1", "0.60");
    world.rest(B);
    world.bill("e2", "+1", "0.60");
    world.reads_lines_only(A);
    assert!(world.log(A).appends() > 0, "it does not know better");
    world.log(A).deliver_append();
    world.turns(B);
    world.ends_well();
    assert!(world.took(Path::VoidRecord) > 0);
    assert!(world.took(Path::LostToAnother) > 0);
}

#[test]
fn void_records_between_an_append_and_its_offset_are_no_loss() {
    let mut world = world();
    world.open(A, 0);
    world.rest(A);
    let old = world.places[0].topics.borrow().source(Source::Journal)[0].value.clone();
    world.bill("e1", "+1", "0.60");
    while world.log(A).appends() == 0 {
        world.turns(A);
    }
    for _ in 0..3 {
        let again = Write::Journal(old.clone().expect("a record has bytes").into());
        world.places[0].topics.borrow_mut().land(again);
    }
    world.rest(A);
    assert_eq!(world.took(Path::VoidRecord), 3);
    let lost = [Path::LostAsVoid, Path::LostByFailure, Path::LostToAnother];
    assert_eq!(lost.map(|path| world.took(path)), [0, 0, 0]);
    world.ends_well();
}

#[test]
fn a_checkpoint_of_a_record_that_lost_is_not_written() {
    let mut world = world_of(|sizes| sizes.checkpoint_lines_max = 1);
    for host in [A, B] {
        world.open(host, 0);
        world.rest(host);
    }
    world.rest(A);
    world.limit("c1", "1.00");
    world.bill("e1", "+1", "1.00");
    // A has folded, frozen and appended; B's append lands first.
    world.reads_lines_only(A);
    assert!(world.log(A).appends() > 0);
    world.rest(B);
    world.bill("e2", "+1", "1.00");
    world.rest(A);
    assert!(world.took(Path::LostToAnother) > 0);
    // Every checkpoint was shown to the witness; A's is of the chain that B decided.
    assert!(world.hosts[A].running[&0].stored().is_some());
    world.ends_well();
}

#[test]
fn a_store_whose_record_is_not_in_the_journal_is_set_aside() {
    let mut other = world();
    other.open(A, 0);
    for number in 0..30 {
        other.bill(&format!("other-{number}"), "+1", "0.60");
        other.rest(A);
    }
    let mut world = world();
    world.asides = 1;
    world.open(B, 0);
    for number in 0..40 {
        world.bill(&format!("e-{number}"), "+1", "0.10");
        world.rest(B);
    }
    world.hosts[A].kept[0] = Rc::clone(&other.hosts[A].kept[0]);
    world.open(A, 0);
    world.rest(A);
    let store = world.hosts[A].running.get_mut(&0).expect("it runs").store_mut();
    assert_eq!(store.set_aside, 1);
    world.close(B, 0);
    world.ends_well();
}

#[test]
fn two_owners_with_skewed_clocks_agree_about_midnight() {
    let mut world = world();
    (world.hosts[A].skew_ms, world.hosts[B].skew_ms) = (-4_000, 4_000);
    for host in [A, B] {
        world.open(host, 0);
        world.rest(host);
    }
    world.limit("c1", "1.00");
    world.bill("before", "+1", "1.00");
    world.pass(12 * HOUR_MS - 10_000);
    for second in 0..20 {
        world.bill(&format!("e-{second}"), "+1", "0.20");
        for host in [A, B, A] {
            world.turns(host);
        }
        world.pass(1_000);
    }
    world.ends_well();
    let owners = world.places[0].witness.records().map(|record| &record.owner.address);
    assert_eq!(owners.collect::<BTreeSet<_>>().len(), 2, "both decided");
    let days = world.places[0].witness.records().map(|record| record.now.day());
    let days: BTreeSet<_> = days.filter(|day| *day >= Millis(NOON).day()).collect();
    assert_eq!(days.len(), 2, "midnight has passed");
}

#[test]
fn a_takeover_while_ten_thousand_timers_fire_in_slices() {
    let mut world = world_of(|sizes| {
        (sizes.batch_lines_max, sizes.appends_in_flight_max) = (1_000, 1);
        sizes.memory_bytes_max = 1 << 30;
    });
    world.open(A, 0);
    let at = Millis(world.now);
    world.send(
        format!(
            r#"{{"type":"limit_set","command_id":"c1","account_id":"acme","issued_at":"{at}","actor":"ops","limit":{{"limit_id":"each","scope":{{"kind":"recipient"}},"measure":"requests","window":"PT1M","amount":"1","action":"block"}}}}"#
        )
        .into_bytes(),
    );
    let many = 24_000;
    for number in 0..many {
        world.bill(&format!("e-{number}"), &format!("+{number}"), "0.01");
    }
    world.rest(A);
    assert_eq!(world.places[0].witness.blocked().len(), many);
    world.pass(120_000);
    let before = world.places[0].witness.records().count();
    while world.places[0].witness.records().count() == before {
        world.turns(A);
    }
    let left = world.places[0].witness.blocked().len();
    assert!(0 < left && left < many, "a slice of {left}");
    // In the middle of it B takes over, with nothing in its store.
    world.crash(A);
    world.open(B, 0);
    world.bill("late", "+1", "0.01");
    world.settle().expect("it comes to rest");
    check_told(&mut world).expect("it ends well");
    assert_eq!(world.places[0].witness.blocked().len(), 1, "that of the last event");
    assert!(world.took(Path::TimerFired) > 2);
}

#[test]
fn truncated_input_is_refused_with_what_to_do() {
    let folded = || {
        let mut world = world();
        world.open(A, 0);
        for number in 0..30 {
            world.bill(&format!("e-{number}"), "+1", "0.60");
            world.rest(A);
        }
        world.close(A, 0);
        world
    };
    let refusal = |world: &mut World, host: usize| {
        world.open(host, 0);
        (0..10).find_map(|_| world.turn(host, 0).err()).expect("it is refused")
    };
    // Acknowledged records of the journal are gone.
    let mut world = folded();
    world.places[0].topics.borrow_mut().truncate(Source::Journal, 2);
    let why = refusal(&mut world, A);
    assert!(why.contains("vanished") && why.contains("move this partition's state away"), "{why}");
    // The journal does not begin at its beginning, and there is no store.
    let mut world = folded();
    world.places[0].topics.borrow_mut().forget(Source::Journal, 5);
    let why = refusal(&mut world, B);
    assert!(why.contains("begins at offset 5") && why.contains("state folder"), "{why}");
    // Events that the journal names are gone.
    let mut world = folded();
    world.places[0].topics.borrow_mut().forget(Source::Billed, 7);
    let why = refusal(&mut world, B);
    assert!(why.contains("Billed") && why.contains("7..30"), "{why}");
}
