//! The engine's loop on topics in memory: crashes, losses, second owners. The same loop runs on
//! Kafka and RocksDB (tests/kafka.rs).

use std::cell::Cell;
use std::rc::Rc;

use tollgate::engine::log::Source;
use tollgate::engine::memory::{Fate, MemoryTopics};
use tollgate::engine::options::Options;
use tollgate::fold::limit::ScopeKind;
use tollgate::fold::{Calendar, Counts};
use tollgate::store::memory::{Disk, MemoryStore};
use tollgate::time::{Clock, Millis};

mod rig;
#[path = "rig/scarce.rs"]
mod scarce;
use scarce::{Scarce, Trouble};

use rig::{HandClock, check_outputs, conformance_log, open, options, produce, settle};

const LOGS: [&str; 6] = ["plain-1", "plain-2", "plain-3", "stress-1", "stress-2", "stress-3"];

#[test]
fn a_log_through_the_engine_is_published_whole() {
    for name in LOGS {
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        let disk = Disk::default();
        let store = MemoryStore::open(disk.clone(), 0);
        let mut partition = open(options("a"), &topics, &clock, store);
        for line in conformance_log(name) {
            produce(&topics, &clock, &line);
            settle(&mut partition);
        }
        let account = check_outputs(&topics);
        assert!(!account.decisions.is_empty());
        partition.wind_down();
        while !partition.wound_down() {
            partition.turn().unwrap();
        }
        assert_eq!(disk.totals().unwrap(), account.totals, "{name}: totals in the store");
    }
}

/// DESIGN.md, "The journal": each record says what its batch added; the sums say what was folded.
#[test]
fn the_control_totals_of_the_journal_add_up_to_what_was_folded() {
    for name in LOGS {
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        let store = MemoryStore::open(Disk::default(), 0);
        let mut partition = open(options("a"), &topics, &clock, store);
        for line in conformance_log(name) {
            produce(&topics, &clock, &line);
            settle(&mut partition);
        }
        let account = check_outputs(&topics);
        let sum = |of: fn(&Counts) -> u64| -> u64 {
            account.records.iter().map(|record| of(&record.control)).sum()
        };
        let (events, duplicates) =
            (sum(|control| control.events), sum(|control| control.duplicates));
        let refused: Vec<_> =
            account.decisions.iter().filter(|decision| decision["type"] == "rejected").collect();
        assert_eq!(sum(|control| control.rejects), refused.len() as u64, "{name}: rejects");
        let of_commands = refused.iter().filter(|one| {
            one["position"]
                .as_str()
                .is_some_and(|position| position.starts_with("tollgate.commands"))
        });
        let billed_refused = (refused.len() - of_commands.count()) as u64;
        let lines = topics.source(Source::Billed).len() as u64;
        assert_eq!(events + duplicates + billed_refused, lines, "{name}: lines");
        assert!(duplicates > 0, "{name} has a duplicate");

        let of_account = account.totals.iter().filter(|total| {
            total.scope.kind == ScopeKind::Account && matches!(total.window, Calendar::Day(_))
        });
        let (cost, requests) = of_account.fold((0, 0), |(cost, requests), total| {
            (cost + total.tally.cost.0, requests + total.tally.requests)
        });
        let control_cost: i128 = account.records.iter().map(|one| one.control.cost.0).sum();
        assert_eq!(control_cost, cost, "{name}: cost");
        assert_eq!(sum(|control| control.requests), requests, "{name}: requests");
    }
}

/// O3: a dedup window that was changed since does not change what was decided.
#[test]
fn a_record_is_folded_again_with_the_dedup_window_that_it_names() {
    let (topics, clock) = (MemoryTopics::default(), HandClock::default());
    let fold = |dedup_minutes, lines: &[&str]| -> Counts {
        let options = Options { dedup_minutes, ..options("a") };
        let mut partition = open(options, &topics, &clock, MemoryStore::open(Disk::default(), 0));
        settle(&mut partition);
        let mut sum = Counts::default();
        for at in lines {
            let head = r#"{"event_id":"e","account_id":"acme","feature":"sms","cost":"1.00""#;
            let line = format!(r#"{head},"occurred_at":"2024-08-20T12:{at}Z"}}"#);
            produce(&topics, &clock, line.as_bytes());
            for won in settle(&mut partition).iter().flat_map(|turn| &turn.won) {
                sum.events += won.control.events;
                sum.duplicates += won.control.duplicates;
            }
        }
        sum
    };
    let counts = |events, duplicates| Counts { events, duplicates, ..Counts::default() };
    assert_eq!(fold(10, &["00:00", "05:00"]), counts(1, 1));
    // The state is lost with the disk: all is folded again, under a window of one minute.
    assert_eq!(fold(1, &["06:00", "07:59"]), counts(1, 1));
    assert_eq!(fold(10, &["17:00", "20:00"]), counts(1, 1));
}

#[test]
fn a_crash_between_every_two_lines_changes_nothing() {
    for name in LOGS {
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        let disk = Disk::default();
        for line in conformance_log(name) {
            produce(&topics, &clock, &line);
            let mut partition =
                open(options("a"), &topics, &clock, MemoryStore::open(disk.clone(), 0));
            settle(&mut partition);
        }
        check_outputs(&topics);
    }
}

#[test]
fn a_backlog_is_folded_as_it_would_have_been_live() {
    for name in LOGS {
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        for line in conformance_log(name) {
            produce(&topics, &clock, &line);
        }
        let mut partition =
            open(options("a"), &topics, &clock, MemoryStore::open(Disk::default(), 0));
        settle(&mut partition);
        check_outputs(&topics);
    }
}

#[test]
fn two_owners_at_once_make_one_chain() {
    for name in LOGS {
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        let mut one = open(options("a"), &topics, &clock, MemoryStore::open(Disk::default(), 0));
        let mut two = open(options("b"), &topics, &clock, MemoryStore::open(Disk::default(), 0));
        for (index, line) in conformance_log(name).iter().enumerate() {
            produce(&topics, &clock, line);
            for turn in 0..index % 5 + 1 {
                one.turn().unwrap();
                if turn % 2 == 0 {
                    two.turn().unwrap();
                }
            }
        }
        for _ in 0..100 {
            settle(&mut one);
            settle(&mut two);
        }
        let account = check_outputs(&topics);
        let owners: std::collections::BTreeSet<_> =
            account.records.iter().map(|record| record.owner.run.clone()).collect();
        assert_eq!(owners.len(), 2, "both owners extended the chain");
    }
}

#[test]
fn every_fate_of_an_append_leads_to_the_same_decisions() {
    for fate in [Fate::Acknowledged, Fate::WithoutOffset, Fate::LandsUnheard, Fate::Refused] {
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        let mut partition =
            open(options("a"), &topics, &clock, MemoryStore::open(Disk::default(), 0));
        settle(&mut partition);
        for (index, line) in conformance_log("plain-1").iter().enumerate() {
            produce(&topics, &clock, line);
            if index % 9 == 0 {
                topics.hold_appends(true);
                for _ in 0..6 {
                    partition.turn().unwrap();
                }
                partition.log_mut().release(fate);
                topics.hold_appends(false);
                while partition.log_mut().held() > 0 {
                    partition.log_mut().release(Fate::Acknowledged);
                }
            }
            settle(&mut partition);
        }
        check_outputs(&topics);
    }
}

/// Found by reading: a recovery that failed half-way left an owner with an empty chain, which took a
/// record 0 of its own for valid.
#[test]
fn a_loss_while_the_brokers_are_away_is_recovered_from_when_they_are_back() {
    for fate in [Fate::LandsUnheard, Fate::Refused] {
        for fails in 1..6 {
            let (topics, clock) = (MemoryTopics::default(), HandClock::default());
            let disk = Disk::default();
            let store = MemoryStore::open(disk.clone(), 0);
            let mut partition = open(options("a"), &topics, &clock, store);
            for (index, line) in conformance_log("plain-1").iter().enumerate() {
                settle(&mut partition);
                produce(&topics, &clock, line);
                if index % 40 == 20 {
                    topics.hold_appends(true);
                    partition.turn().unwrap();
                    topics.go_away(true);
                    partition.log_mut().release(fate);
                    let failed = (0..fails).filter(|_| partition.turn().is_err()).count();
                    assert!(failed > 0 || partition.log_mut().held() == 0);
                    topics.go_away(false);
                    topics.hold_appends(false);
                }
            }
            settle(&mut partition);
            let account = check_outputs(&topics);
            let folded: u64 =
                account.records.iter().map(|one| one.billed.to - one.billed.from).sum();
            assert_eq!(folded, topics.source(Source::Billed).len() as u64, "every line is folded");
        }
    }
}

/// Found by the storm on Kafka: a full disk stopped the partition for good.
#[test]
fn a_full_disk_holds_up_no_decision_and_the_state_is_whole_once_there_is_room() {
    for name in LOGS {
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        let (disk, trouble) = (Disk::default(), Rc::<Cell<Trouble>>::default());
        let store = Scarce::new(MemoryStore::open(disk.clone(), 0), &trouble);
        let mut partition = open(options("a"), &topics, &clock, store);
        let lines = conformance_log(name);
        let mut failures = 0;
        for (index, line) in lines.iter().enumerate() {
            let full = (lines.len() / 4..lines.len() / 2).contains(&index);
            trouble.set(if full { Trouble::Full } else { Trouble::None });
            produce(&topics, &clock, line);
            let turns = settle(&mut partition);
            failures += turns.iter().map(|turn| turn.checkpoint_failures).sum::<u64>();
            assert!(turns.iter().all(|turn| turn.lost.is_none()), "what was folded stays");
        }
        assert!(failures > 0, "{name}: no checkpoint fell into the time without room");
        clock.set(Millis(clock.now().0 + 10_000));
        settle(&mut partition);
        partition.wind_down();
        while !partition.wound_down() {
            partition.turn().unwrap();
        }
        let account = check_outputs(&topics);
        assert_eq!(disk.totals().unwrap(), account.totals, "{name}: totals in the store");
    }
}

/// Lines that were taken for a batch whose rows could not be read are not lost to the next one.
#[test]
fn a_disk_that_was_away_for_a_while_changes_nothing() {
    for name in LOGS {
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        let (disk, trouble) = (Disk::default(), Rc::<Cell<Trouble>>::default());
        let store = Scarce::new(MemoryStore::open(disk.clone(), 0), &trouble);
        let mut partition = open(options("a"), &topics, &clock, store);
        let mut failed = 0;
        for (index, line) in conformance_log(name).iter().enumerate() {
            produce(&topics, &clock, line);
            if index % 10 == 5 {
                trouble.set(Trouble::Away);
                failed += (0..4).filter(|_| partition.turn().is_err()).count();
                trouble.set(Trouble::None);
            }
            settle(&mut partition);
        }
        assert!(failed > 0, "{name}: nothing was read while the disk was away");
        let account = check_outputs(&topics);
        let folded: u64 = account.records.iter().map(|one| one.billed.to - one.billed.from).sum();
        assert_eq!(folded, topics.source(Source::Billed).len() as u64, "every line is folded");
    }
}

#[test]
fn outputs_refused_for_a_while_arrive_later_and_hold_back_published_through() {
    let (topics, clock) = (MemoryTopics::default(), HandClock::default());
    let disk = Disk::default();
    let mut partition = open(options("a"), &topics, &clock, MemoryStore::open(disk.clone(), 0));
    settle(&mut partition);
    topics.refuse_publishes(true);
    for line in conformance_log("plain-1") {
        produce(&topics, &clock, &line);
        for _ in 0..4 {
            partition.turn().unwrap();
        }
    }
    let journal = rig::account(&topics);
    let through = journal.records.last().and_then(|record| record.published_through);
    let first = journal.records.iter().find(|record| record.decisions > 0).map(|one| one.seq);
    assert!(through < first, "nothing decided is published, yet {through:?} >= {first:?}");
    topics.refuse_publishes(false);
    drop(partition);
    let mut partition = open(options("b"), &topics, &clock, MemoryStore::open(disk, 0));
    settle(&mut partition);
    check_outputs(&topics);
}

#[test]
fn a_journal_that_lost_records_stops_the_partition() {
    let (topics, clock) = (MemoryTopics::default(), HandClock::default());
    let disk = Disk::default();
    clock.set(Millis(1_700_000_000_000));
    for line in conformance_log("plain-1").iter().take(100) {
        produce(&topics, &clock, line);
        let mut partition = open(options("a"), &topics, &clock, MemoryStore::open(disk.clone(), 0));
        settle(&mut partition);
    }
    assert!(clock.now() > Millis(0) && !topics.source(Source::Journal).is_empty());
    let emptied = MemoryTopics::default();
    let mut partition = open(options("b"), &emptied, &clock, MemoryStore::open(disk, 0));
    let stopped = partition.turn().expect_err("it must stop");
    assert!(stopped.to_string().contains("vanished"), "{stopped}");
}
