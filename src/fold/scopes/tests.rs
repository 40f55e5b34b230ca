//! Claims about rows of scopes: what a checkpoint gets, what may leave memory.

use super::super::limit::ScopeKind;
use uuid::Uuid;

use super::super::tally::AccountNumber;
use super::*;

const EVER: Epoch = Epoch::MAX;

fn profile(id: &str) -> ScopeKey<'_> {
    ScopeKey::new(AccountNumber(0), ScopeKind::Profile, id)
}

fn count(scopes: &mut Scopes, id: &str, day: i32) -> Tally {
    let number = scopes.enter(&profile(id), Vec::new);
    scopes.add(number, (Day(day), Month(0)), Money(100), 1).0
}

fn load(scopes: &mut Scopes, id: &str, day: i32, requests: u64) {
    let number = scopes.enter(&profile(id), Vec::new);
    scopes.load(number, Calendar::Day(Day(day)), Tally { cost: Money(0), requests });
}

/// Requests on each of the days, where it is in memory.
fn days<const N: usize>(scopes: &Scopes, id: &str, days: [i32; N]) -> [Option<u64>; N] {
    let tally = |day| scopes.tally(&profile(id), Calendar::Day(Day(day)));
    days.map(|day| tally(day).map(|tally| tally.requests))
}

type Told = (String, Calendar, u64);

fn told(tallies: &Tallies) -> Vec<Told> {
    let mut told = Vec::new();
    tallies.for_each(|key, tally| told.push((key.id.to_owned(), key.window, tally.requests)));
    told.sort();
    told
}

fn frozen(scopes: &mut Scopes) -> Vec<Told> {
    scopes.close();
    told(&scopes.gather(usize::MAX).expect("all at once"))
}

fn day(id: &str, day: i32, requests: u64) -> (String, Calendar, u64) {
    (id.to_owned(), Calendar::Day(Day(day)), requests)
}

fn month(id: &str, requests: u64) -> (String, Calendar, u64) {
    (id.to_owned(), Calendar::Month(Month(0)), requests)
}

#[test]
fn a_checkpoint_gets_each_changed_window_once_and_no_other() {
    let mut scopes = Scopes::new();
    load(&mut scopes, "a", 8, 5);
    for at in [10, 12, 11, 12] {
        count(&mut scopes, "a", at);
    }
    count(&mut scopes, "b", 10);
    let a = [day("a", 10, 1), day("a", 11, 1), day("a", 12, 2), month("a", 4)];
    let b = [day("b", 10, 1), month("b", 1)];
    assert_eq!(frozen(&mut scopes), [&a[..], &b].concat());
    assert_eq!(frozen(&mut scopes), []);
    assert_eq!(count(&mut scopes, "a", 8).requests, 6);
    assert_eq!(frozen(&mut scopes), [day("a", 8, 6), month("a", 5)]);
}

/// The fold goes on between two slices: what it changes is told as it was.
#[test]
fn a_checkpoint_gets_what_was_there_when_its_epoch_closed() {
    let ids = ["a", "b", "c", "d"];
    let mut scopes = Scopes::new();
    for id in ids {
        count(&mut scopes, id, 10);
    }
    scopes.close();
    let mut gathered = None;
    for (step, id) in ids.into_iter().enumerate() {
        // One that was gathered, perhaps, one that was not, and a new one.
        count(&mut scopes, id, 10);
        count(&mut scopes, ids[3 - step], 11);
        count(&mut scopes, "new", 10);
        gathered = scopes.gather(1);
        assert_eq!(gathered.is_some(), step == 3);
    }
    let expected = |id: &&str| [day(id, 10, 1), month(id, 1)];
    assert_eq!(told(&gathered.expect("all")), ids.iter().flat_map(expected).collect::<Vec<_>>());
    let next = frozen(&mut scopes);
    let again = |id: &&str| [day(id, 10, 2), day(id, 11, 1), month(id, 3)];
    let new = [day("new", 10, 4), month("new", 4)];
    let expected: Vec<_> = ids.iter().flat_map(again).chain(new).collect();
    assert_eq!(next, expected);
    assert_eq!(frozen(&mut scopes), []);
}

/// The index has half a hash of each key: two in four billion share it, and customers choose
/// the names.
#[test]
fn scopes_that_share_a_slot_keep_totals_of_their_own() {
    let names: Vec<String> = (0..200_000).map(|number| format!("p{number}")).collect();
    let uuids: Vec<String> =
        (0..200_000).map(|number| Uuid::from_u128(number).to_string()).collect();
    let of_names = names.iter().map(|name| profile(name));
    let of_uuids = uuids.iter().map(|uuid| profile(uuid));
    let of_accounts =
        (0..200_000).map(|account| ScopeKey { account: AccountNumber(account), ..profile("main") });
    let keys: [Vec<ScopeKey<'_>>; 3] =
        [of_names.collect(), of_uuids.collect(), of_accounts.collect()];
    for keys in keys {
        let (one, two) = sharing_a_slot(&keys);
        let mut scopes = Scopes::new();
        let numbers = [one, two].map(|key| {
            let number = scopes.enter(&key, Vec::new);
            scopes.add(number, (Day(0), Month(0)), Money(100), 1);
            number
        });
        for (key, number) in [one, two].into_iter().zip(numbers) {
            let tally = scopes.tally(&key, Calendar::Day(Day(0)));
            assert_eq!(tally.map(|tally| tally.requests), Some(1), "{key:?}");
            let candidate = scopes.candidate(key.slot()).expect("one of the two");
            assert_eq!(scopes.verified(&key, candidate), Some(number), "{key:?}");
        }
    }
}

fn sharing_a_slot<'a>(keys: &[ScopeKey<'a>]) -> (ScopeKey<'a>, ScopeKey<'a>) {
    let mut seen = std::collections::HashMap::new();
    let mut pairs =
        keys.iter().filter_map(|key| Some((seen.insert(key.slot().spread(), *key)?, *key)));
    pairs.next().expect("among so many keys two share a slot")
}

#[test]
fn a_window_in_memory_is_newer_than_the_store_s() {
    let mut scopes = Scopes::new();
    count(&mut scopes, "a", 10);
    load(&mut scopes, "a", 10, 100);
    load(&mut scopes, "a", 9, 100);
    load(&mut scopes, "a", 11, 100);
    assert_eq!(days(&scopes, "a", [9, 10, 11]), [Some(100), Some(1), Some(100)]);
    assert_eq!(scopes.len(), 4);
}

/// The newest day and month stay with their row; older ones go as soon as the store has them.
#[test]
fn older_windows_that_are_written_leave_memory() {
    let mut scopes = Scopes::new();
    for at in [10, 11, 12, 13] {
        count(&mut scopes, "a", at);
    }
    assert_eq!(scopes.len(), 5);
    assert_eq!(scopes.evict(0, 0), 0, "none is on disk yet");
    frozen(&mut scopes);
    count(&mut scopes, "a", 11);
    assert_eq!(scopes.evict(1, 0), 2);
    assert_eq!(days(&scopes, "a", [10, 11, 12, 13]), [None, Some(2), None, Some(1)]);
    assert_eq!(scopes.len(), 3);
    frozen(&mut scopes);
    assert_eq!(scopes.evict(2, 0), 1);
    assert_eq!(scopes.len(), 2);
    assert_eq!(scopes.evict(2, 0), 0);
}

#[test]
fn older_months_that_are_written_leave_memory() {
    let mut scopes = Scopes::new();
    let number = scopes.enter(&profile("a"), Vec::new);
    for at in [1, 3, 2] {
        scopes.add(number, (Day(0), Month(at)), Money(100), 1);
    }
    frozen(&mut scopes);
    scopes.add(number, (Day(0), Month(2)), Money(100), 1);
    assert_eq!(scopes.evict(1, 0), 1);
    let tally = |at| scopes.tally(&profile("a"), Calendar::Month(Month(at)));
    assert_eq!([1, 2, 3].map(|at| tally(at).map(|tally| tally.requests)), [None, Some(2), Some(1)]);
}

/// A row goes when the store has it and nobody used it since; a changed row never does.
#[test]
fn rows_that_are_written_and_unused_leave_memory() {
    let mut scopes = Scopes::new();
    count(&mut scopes, "old", 10);
    count(&mut scopes, "busy", 10);
    load(&mut scopes, "read", 10, 7);
    frozen(&mut scopes);
    count(&mut scopes, "busy", 10);
    load(&mut scopes, "read", 9, 7);
    assert_eq!(scopes.evict(1, 1), 1, "all were used; only an older window goes");
    assert_eq!(scopes.evict(1, 2), 2);
    let held = |scopes: &Scopes| ["old", "busy", "read"].map(|id| days(scopes, id, [10])[0]);
    assert_eq!(held(&scopes), [None, Some(2), Some(7)]);
    assert_eq!(scopes.evict(1, EVER), 1);
    assert_eq!(held(&scopes), [None, Some(2), None]);
    frozen(&mut scopes);
    assert_eq!(scopes.evict(2, EVER), 2);
    assert_eq!((scopes.len(), scopes.rows().count()), (0, 0));
    let empty = |row: &ScopeRow| row.tallies().next().is_none();
    assert!(scopes.rows.iter().all(empty), "room that came free holds nothing");
    assert_eq!(count(&mut scopes, "new", 10).requests, 1, "another's row begins empty");
    assert_eq!(days(&scopes, "new", [9, 10]), [None, Some(1)]);
    assert_eq!(scopes.rows.len(), 3, "room that came free is used again");
}
