//! The store in RocksDB: as in memory, and when something goes wrong around it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tollgate::fold::limit::{Scope, ScopeKind};
use tollgate::fold::{
    AccountNumber, Calendar, Clockwork, Loaded, Need, Row, State, Tally, TallyRef,
};
use tollgate::journal::{Hash, Tip};
use tollgate::money::Money;
use tollgate::store::rocks::{Options, RocksStore, Shared, summary, totals};
use tollgate::store::{Checkpoint, Error, Kind, Position, Retention, Store};
use tollgate::time::{Day, Millis, Month};

use crate::folder::copy;
use crate::folding::{DEDUP_MINUTES, LOGS, Turn, in_memory, lines, with_store};

pub fn shared() -> Shared {
    let (cache_bytes, write_buffer_bytes, table_bytes_min) = (8 << 20, 1 << 20, 4_000);
    Shared::new(Options { cache_bytes, write_buffer_bytes, table_bytes_min })
}

pub fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn rocksdb_keeps_what_memory_keeps() {
    let shared = shared();
    for log in LOGS {
        let lines = lines(log);
        let expected = in_memory(&lines);
        for turns in [&[Turn::Evict][..], &[Turn::Nothing, Turn::WriteLater, Turn::Restore]] {
            let dir = directory();
            let store = RocksStore::open(dir.path(), 3, &shared).expect("a new store");
            let found = with_store(&lines, 7, turns, store, |store| {
                let live = totals(dir.path()).expect("a store that is open elsewhere");
                drop(store);
                let closed = totals(dir.path()).expect("a closed store");
                assert_eq!(live, closed);
                closed
            });
            found.assert_same(&expected, &format!("{log}, {turns:?}"));
        }
    }
}

fn tally_of(account: u32) -> TallyRef {
    let scope = Scope { kind: ScopeKind::Account, id: None };
    TallyRef { account: AccountNumber(account), scope, window: Calendar::Day(Day(20_000)) }
}

/// Accounts that each have a day's tally of `seq` requests, as of position `seq`.
pub fn checkpoint(seq: u64, accounts: u32) -> Checkpoint {
    let (mut rows, mut tallies) = (Vec::new(), Vec::new());
    for number in (0..accounts).map(AccountNumber) {
        let (id, retired) = (format!("account {}", number.0).into(), Vec::new());
        rows.push(Row::Account { number, id, sequence: seq, retired });
        tallies.push((tally_of(number.0), Tally { cost: Money(-5), requests: seq }));
    }
    let tip = Tip {
        seq,
        hash: Hash([7; 32]),
        offset: seq + 1,
        billed: 0,
        commands: 0,
        now: Millis(0),
        published_through: None,
    };
    let (clockwork, latest) = (Clockwork::default(), Millis(0));
    let position = Position { tip, clockwork, billed_latest: latest, commands_latest: latest };
    let retention = Retention { days_before: Day(0), months_before: Month(0), minutes_before: 0 };
    let epoch = u32::try_from(seq).expect("few checkpoints");
    let (tallies, blocks) = (tallies.into_iter().collect(), Vec::new());
    Checkpoint { epoch, position, rows, tallies, blocks, retention, urgent: false }
}

pub fn write(store: &mut RocksStore, checkpoint: Checkpoint) {
    let epoch = checkpoint.epoch;
    store.submit(checkpoint);
    let written = store.wait().expect("one was submitted").expect("a store that can be written");
    assert_eq!(written, epoch);
    assert!(store.written().is_none(), "it is told of once");
}

/// The position's sequence and the requests of each account's tally.
pub fn content(store: &mut RocksStore, accounts: u32) -> (Option<u64>, Vec<u64>) {
    let needs: Vec<Need> = (0..accounts).map(|number| Need::Tally(tally_of(number))).collect();
    let loaded = store.load(&needs).expect("a store that can be read");
    let requests = |row: &Loaded| match row {
        Loaded::Tally(_, tally) => tally.requests,
        Loaded::Sliding(..) | Loaded::Distinct(..) => panic!("only tallies were asked for"),
    };
    let position = store.position().expect("a position that can be read");
    (position.map(|position| position.tip.seq), loaded.iter().map(requests).collect())
}

#[test]
fn a_torn_log_leaves_the_rows_of_an_earlier_position() {
    const ACCOUNTS: u32 = 50;
    const LAST: u64 = 8;
    let (dir, shared) = (directory(), shared());
    let mut store = RocksStore::open(dir.path(), 0, &shared).expect("a new store");
    for seq in 1..=LAST {
        write(&mut store, checkpoint(seq, ACCOUNTS));
    }
    // What a crash leaves: the files as they are, nothing closed.
    let crashed = directory();
    copy(&dir.path().join("0"), &crashed.path().join("0"));
    let logs = fs::read_dir(crashed.path().join("0")).expect("the copy");
    let log = logs
        .map(|file| file.expect("a file").path())
        .find(|path| path.extension().is_some_and(|it| it == "log"))
        .expect("a write-ahead log");
    let bytes = fs::read(&log).expect("the log");
    let mut seen = Vec::new();
    for cut in 0..=20 {
        let torn = directory();
        copy(&crashed.path().join("0"), &torn.path().join("0"));
        let kept = &bytes[..bytes.len() * cut / 20];
        fs::write(torn.path().join("0").join(log.file_name().expect("a name")), kept)
            .expect("a shorter log");
        let mut store = RocksStore::open(torn.path(), 0, &shared).expect("a store");
        let (seq, requests) = content(&mut store, ACCOUNTS);
        let expected = seq.map_or(Vec::new(), |seq| vec![seq; ACCOUNTS as usize]);
        assert_eq!(requests, expected, "cut at {cut}/20");
        seen.push(seq.unwrap_or(0));
    }
    assert!(seen.is_sorted() && seen.contains(&0) && seen.contains(&3) && seen.contains(&LAST));
}

#[test]
fn closing_waits_for_the_checkpoint_under_way() {
    let (dir, shared) = (directory(), shared());
    let mut store = RocksStore::open(dir.path(), 0, &shared).expect("a new store");
    store.submit(checkpoint(4, 20_000));
    drop(store);
    let mut store = RocksStore::open(dir.path(), 0, &shared).expect("a store");
    assert_eq!(content(&mut store, 2), (Some(4), vec![4, 4]));
}

#[test]
fn a_store_that_is_open_elsewhere_is_refused_with_the_remedy() {
    let (dir, shared) = (directory(), shared());
    let _open = RocksStore::open(dir.path(), 0, &shared).expect("a new store");
    let refused = RocksStore::open(dir.path(), 0, &shared).err().expect("a refusal");
    assert!(matches!(refused, Error::Locked { .. }), "{refused}");
    assert!(refused.to_string().contains("end that one first"), "{refused}");
}

/// Run by the test below as another process: opens the store named by the variable and says how
/// that went.
#[test]
#[ignore = "a part of the next test"]
fn open_in_this_process() {
    let dir = std::env::var("TOLLGATE_TEST_STORE").expect("set by the test that runs this");
    let refused = RocksStore::open(Path::new(&dir), 0, &shared()).err();
    println!("opened: {refused:?}");
}

#[test]
fn a_store_that_another_process_has_open_is_refused() {
    let (dir, shared) = (directory(), shared());
    let open = RocksStore::open(dir.path(), 0, &shared).expect("a new store");
    let elsewhere = || {
        let this = std::env::current_exe().expect("the path of this test");
        let output = Command::new(this)
            .args(["--ignored", "--nocapture", "open_in_this_process"])
            .env("TOLLGATE_TEST_STORE", dir.path())
            .output();
        String::from_utf8_lossy(&output.expect("it runs").stdout).into_owned()
    };
    assert!(elsewhere().contains("opened: Some(Locked"), "{}", elsewhere());
    drop(open);
    assert!(elsewhere().contains("opened: None"), "{}", elsewhere());
}

#[test]
fn a_store_takes_checkpoints_again_after_one_that_failed() {
    const ACCOUNTS: u32 = 20_000;
    let (dir, shared) = (directory(), shared());
    let mut store = RocksStore::open(dir.path(), 0, &shared).expect("a new store");
    write(&mut store, checkpoint(1, ACCOUNTS));
    // Without its directory RocksDB cannot begin the next file.
    let away = dir.path().join("away");
    fs::rename(dir.path().join("0"), &away).expect("a rename");
    let failed = (2..100).find_map(|seq| {
        store.submit(checkpoint(seq, ACCOUNTS));
        store.wait().expect("one was submitted").err().map(|error| (seq, error))
    });
    let (failed_seq, error) = failed.expect("a file was full before");
    assert!(matches!(error, Error::Storage { .. }), "{error}");
    store.submit(checkpoint(failed_seq, ACCOUNTS));
    assert!(store.wait().expect("one was submitted").is_err(), "it stays so by itself");
    fs::rename(&away, dir.path().join("0")).expect("a rename");
    let seq = content(&mut store, 1).0.expect("a position");
    assert!((1..=failed_seq).contains(&seq));
    assert_eq!(content(&mut store, ACCOUNTS).1, vec![seq; ACCOUNTS as usize]);
    write(&mut store, checkpoint(seq + 1, ACCOUNTS));
    assert_eq!(content(&mut store, 2), (Some(seq + 1), vec![seq + 1; 2]));
}

#[test]
fn another_partitions_store_is_refused() {
    let (dir, shared) = (directory(), shared());
    let mut store = RocksStore::open(dir.path(), 1, &shared).expect("a new store");
    write(&mut store, checkpoint(1, 1));
    drop(store);
    fs::rename(dir.path().join("1"), dir.path().join("2")).expect("a rename");
    let refused = RocksStore::open(dir.path(), 2, &shared).err().expect("a refusal");
    assert!(matches!(refused, Error::Partition { expected: 2, found: 1, .. }), "{refused}");
}

#[test]
fn what_is_set_aside_stays_readable_and_the_store_starts_empty() {
    let (dir, shared) = (directory(), shared());
    let mut store = RocksStore::open(dir.path(), 0, &shared).expect("a new store");
    for seq in 1..=2 {
        write(&mut store, checkpoint(seq, 3));
        store.set_aside("the journal shows another hash").expect("a rename");
        assert_eq!(content(&mut store, 3), (None, Vec::new()));
        let aside = dir.path().join(format!("0.set-aside-{seq}"));
        let reason = fs::read_to_string(aside.join("REASON")).expect("a reason");
        assert_eq!(reason, "the journal shows another hash\n");
    }
    write(&mut store, checkpoint(9, 3));
    drop(store);
    let look = directory();
    copy(&dir.path().join("0.set-aside-2"), &look.path().join("0"));
    let mut aside = RocksStore::open(look.path(), 0, &shared).expect("what was set aside");
    assert_eq!(content(&mut aside, 3), (Some(2), vec![2; 3]));
    let found: Vec<u32> =
        summary(dir.path()).expect("a directory").iter().map(|it| it.partition).collect();
    assert_eq!(found, [0], "only stores in use are looked into");
}

#[test]
fn a_summary_counts_the_rows_of_every_partition() {
    let (dir, shared) = (directory(), shared());
    for partition in [10, 2] {
        let mut store = RocksStore::open(dir.path(), partition, &shared).expect("a new store");
        write(&mut store, checkpoint(5, partition));
    }
    let found = summary(dir.path()).expect("two stores");
    assert_eq!(found.iter().map(|it| it.partition).collect::<Vec<_>>(), [2, 10]);
    assert_eq!(found[1].rows[&Kind::Account], 10);
    assert_eq!(found[1].rows[&Kind::Position], 1);
    assert_eq!(found[1].position.as_ref().map(|it| it.tip.seq), Some(5));
    assert_eq!(totals(dir.path()).expect("two stores").len(), 12);
}

#[test]
fn an_empty_store_restores_an_empty_state() {
    let (dir, shared) = (directory(), shared());
    let mut store = RocksStore::open(dir.path(), 0, &shared).expect("a new store");
    let mut state = State::new(DEDUP_MINUTES);
    assert_eq!(store.restore(&mut state).expect("an empty store"), []);
    assert_eq!(state.rows(), (0, 0, 0));
    assert_eq!(store.position().expect("an empty store"), None);
    assert!(summary(dir.path()).expect("a store")[0].rows.is_empty());
}

/// Found by `tests/corruption`: RocksDB read such a manifest for ever.
#[test]
fn a_record_of_a_recycled_log_is_refused_and_not_read_for_ever() {
    for begins in ["MANIFEST-", "0000"] {
        let (dir, shared) = (directory(), shared());
        let mut store = RocksStore::open(dir.path(), 0, &shared).expect("a new store");
        write(&mut store, checkpoint(1, 5));
        drop(store);
        let files = fs::read_dir(dir.path().join("0")).expect("a folder").flatten();
        let named = |path: &Path| {
            path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(begins))
        };
        let logs = files.map(|file| file.path()).filter(|path| named(path));
        let file = logs.into_iter().find(|path| path.extension().is_none_or(|it| it == "log"));
        let file = file.expect("a manifest and a log");
        // Behind what is sealed: checksum, length 4, the kind of a full record of a recycled log.
        let mut bytes = fs::read(&file).expect("the file");
        bytes.extend([0, 0, 0, 0, 4, 0, 5, 1, 2, 3, 4]);
        fs::write(&file, bytes).expect("the file is ours");
        let refused = RocksStore::open(dir.path(), 0, &shared).err().expect("it is refused");
        let text = refused.to_string();
        assert!(matches!(refused, Error::Damaged { .. }) && text.contains(begins), "{text}");
    }
}
