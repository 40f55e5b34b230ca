//! When a partition's changed rows are written: in time, however little or much comes in.

mod rig;

use rig::{HandClock, check_outputs, conformance_log, open, options, produce, settle};
use tollgate::engine::memory::MemoryTopics;
use tollgate::engine::options::Options;
use tollgate::store::memory::{Disk, MemoryStore};
use tollgate::time::{Clock as _, Millis};

/// Events of so many profiles of an account, one each, a millisecond apart.
fn produce_profiles(topics: &MemoryTopics, clock: &HandClock, account: &str, profiles: usize) {
    for profile in 0..profiles {
        let at = Millis(clock.now().0.max(1_724_181_428_918) + 1);
        let line = format!(
            r#"{{"type":"billed","event_id":"{at}","account_id":"{account}","feature":"sms",
            "profile_id":"p{profile}","cost":"0.01","occurred_at":"{at}"}}"#
        );
        produce(topics, clock, line.as_bytes());
    }
}

/// A partition that falls silent is written when it is time, not only when the next line comes: a
/// restart then folds nothing again.
#[test]
fn a_silent_partition_is_written_too() {
    let (topics, clock) = (MemoryTopics::default(), HandClock::default());
    let disk = Disk::default();
    let store = MemoryStore::open(disk.clone(), 0);
    let options = Options { checkpoint_lines_max: 1_000_000, ..options("a") };
    let interval_ms = options.checkpoint_interval_ms;
    let mut partition = open(options, &topics, &clock, store);
    for line in conformance_log("plain-1") {
        produce(&topics, &clock, &line);
    }
    settle(&mut partition);
    let totals = check_outputs(&topics).totals;
    assert_ne!(disk.totals().unwrap(), totals, "the last lines are not written yet");
    clock.set(Millis(clock.now().0 + interval_ms));
    settle(&mut partition);
    assert_eq!(disk.totals().unwrap(), totals);
    let stored = partition.stored();
    assert!(stored.is_some());
    clock.set(Millis(clock.now().0 + interval_ms));
    settle(&mut partition);
    assert_eq!(partition.stored(), stored, "nothing changed since, nothing is written");
}

/// Rows that changed cannot be evicted, so a budget holds only if they are written in time.
#[test]
fn a_memory_full_of_changes_is_written_before_its_time() {
    for (memory_bytes_max, written) in [(100_000, true), (10_000_000, false)] {
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        let store = MemoryStore::open(Disk::default(), 0);
        let (batch_lines_max, checkpoint_lines_max) = (100, 1_000_000);
        let options =
            Options { batch_lines_max, checkpoint_lines_max, memory_bytes_max, ..options("a") };
        let mut partition = open(options, &topics, &clock, store);
        produce_profiles(&topics, &clock, "acme", 1_500);
        settle(&mut partition);
        assert_eq!(partition.stored().is_some(), written, "a budget of {memory_bytes_max}");
    }
}

/// Writers of all partitions at once would take the cores from the fold.
#[test]
fn partitions_take_turns() {
    const PARTITIONS: u32 = 4;
    for partition in 0..PARTITIONS {
        let (topics, clock) = (MemoryTopics::default(), HandClock::default());
        let store = MemoryStore::open(Disk::default(), partition);
        let checkpoint_lines_max = 1_000_000;
        let options =
            Options { partition, partitions: PARTITIONS, checkpoint_lines_max, ..options("a") };
        let turn_ms = options.checkpoint_interval_ms / i64::from(PARTITIONS);
        let own = |account: &String| options.partitioner.place(account, PARTITIONS) == partition;
        let account = (0..).map(|number| format!("a{number}")).find(own).unwrap();
        let mut owned = open(options, &topics, &clock, store);
        produce_profiles(&topics, &clock, &account, 1);
        settle(&mut owned);
        let due = Millis(clock.now().0 + turn_ms * i64::from(PARTITIONS - partition));
        for (at, written) in [(Millis(due.0 - 1), false), (due, true)] {
            clock.set(at);
            settle(&mut owned);
            assert_eq!(owned.stored().is_some(), written, "{partition} at {at}");
        }
    }
}

/// A restart folds again what came since the last checkpoint: one that took a slice of scopes in
/// each turn, however much a turn folded, took minutes under load.
#[test]
fn a_checkpoint_under_load_keeps_up_with_the_fold() {
    let (topics, clock) = (MemoryTopics::default(), HandClock::default());
    let store = MemoryStore::open(Disk::default(), 0);
    let options = Options {
        batch_lines_max: 512,
        checkpoint_lines_max: 2_000,
        gathered_at_once: 64,
        memory_bytes_max: 1 << 30,
        ..options("a")
    };
    let mut partition = open(options, &topics, &clock, store);
    // 2,000 scopes are 32 slices of 64.
    produce_profiles(&topics, &clock, "acme", 2_000);
    let mut turns = 0;
    while partition.stored().is_none() {
        partition.turn().expect("nothing outside fails");
        produce_profiles(&topics, &clock, "acme", 512);
        turns += 1;
        assert!(turns < 24, "not written after {turns} turns");
    }
    assert!(turns > 8, "the load was to come in between: {turns} turns");
}
