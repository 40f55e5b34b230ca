//! A disk that is full while the store is written and when it is opened: the store says so, takes
//! the same checkpoint again when there is room, and a crash at any moment of that leaves one that
//! opens.

use std::fs;
use std::path::Path;
use std::thread::park_timeout;
use std::time::Duration;

use tempfile::TempDir;
use tollgate::fold::Epoch;
use tollgate::store::rocks::{Options, RocksStore, Shared};
use tollgate::store::{Error, Store};

use crate::disk::Disk;
use crate::folder::copy;
use crate::rocks::{checkpoint, content, directory, write};
use crate::suite::skipped;

const MEGABYTES: u32 = 64;
/// Too little for RocksDB to reserve room for its log ahead of need.
const BYTES_LEFT: u64 = 8 << 20;
const PAGE: u64 = 4096;
/// RocksDB looks for room every five seconds.
const TRIES_MAX: u32 = 600;
const TRY_EVERY: Duration = Duration::from_millis(100);

fn shared() -> Shared {
    let (cache_bytes, write_buffer_bytes, table_bytes_min) = (8 << 20, 16 << 20, 16 << 20);
    Shared::new(Options { cache_bytes, write_buffer_bytes, table_bytes_min })
}

/// A disk with little room, and the folder that it lives in.
fn disk() -> Option<(TempDir, Disk)> {
    let dir = directory();
    let disk = Disk::mount(dir.path().join("disk"), MEGABYTES);
    let disk = disk.map_err(|missing| skipped("store", &format!("only the full disk: {missing}")));
    let disk = disk.ok()?;
    disk.fill_up_to(BYTES_LEFT);
    Some((dir, disk))
}

fn outcome(store: &mut RocksStore) -> Result<Epoch, Error> {
    loop {
        match store.written() {
            Some(outcome) => return outcome,
            None => park_timeout(Duration::from_millis(1)),
        }
    }
}

/// Tries again until there is room.
fn written_at_last(store: &mut RocksStore, epoch: Epoch) {
    for _ in 0..TRIES_MAX {
        store.again();
        match outcome(store) {
            Ok(written) => return assert_eq!(written, epoch),
            Err(Error::Full { .. }) => park_timeout(TRY_EVERY),
            Err(error) => panic!("it is not written: {error}"),
        }
    }
    panic!("it is not written, though there is room");
}

fn logs(state: &Path) -> Vec<String> {
    let files = fs::read_dir(state.join("0")).expect("a folder").flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".log")).collect()
}

/// What a kill leaves now, opened: the position's sequence and the requests of each tally.
fn after_a_crash(state: &Path, accounts: u32) -> (Option<u64>, Vec<u64>) {
    let crashed = directory();
    copy(&state.join("0"), &crashed.path().join("0"));
    let opened = RocksStore::open(crashed.path(), 0, &shared());
    content(&mut opened.expect("what a crash leaves opens"), accounts)
}

/// Found by `make chaos`: RocksDB, when there is room again, begins another log, and one that had no
/// rows goes without a table file. That was taken for damage.
#[test]
fn a_log_without_rows_that_a_full_disk_ended_is_not_missed() {
    let Some((_dir, disk)) = disk() else { return };
    let state = disk.folder.join("state");
    let mut store = RocksStore::open(&state, 0, &shared()).expect("a new store");
    let before = logs(&state);
    disk.fill_up_to(0);
    store.submit(checkpoint(1, 3));
    let refused = outcome(&mut store).expect_err("the disk is full");
    assert!(matches!(refused, Error::Full { .. }), "{refused}");
    assert_eq!(after_a_crash(&state, 3).0, None);
    disk.free();
    let began_another = (0..TRIES_MAX).any(|_| {
        park_timeout(TRY_EVERY);
        !logs(&state).iter().any(|log| before.contains(log))
    });
    assert!(began_another, "RocksDB waits for room that there is");
    assert_eq!(after_a_crash(&state, 3).0, None);
    written_at_last(&mut store, 1);
    assert_eq!(after_a_crash(&state, 3), (Some(1), vec![1; 3]));
}

#[test]
fn a_crash_beside_a_full_disk_leaves_the_rows_of_one_checkpoint() {
    let Some((_dir, disk)) = disk() else { return };
    for (written, accounts) in [(1, 3), (1, 400), (4, 50)] {
        let state = disk.folder.join(format!("{written}-{accounts}"));
        let mut store = RocksStore::open(&state, 0, &shared()).expect("a new store");
        (1..=written).for_each(|seq| write(&mut store, checkpoint(seq, accounts)));
        disk.fill_up_to(0);
        let mut seq = written;
        let refused = loop {
            // The last page of the log has room for some more.
            store.submit(checkpoint(seq + 1, accounts));
            match outcome(&mut store) {
                Ok(_) => seq += 1,
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, Error::Full { .. }), "{refused}");
        let of = |seq: u64| (Some(seq), vec![seq; accounts as usize]);
        assert_eq!(after_a_crash(&state, accounts), of(seq));
        // What a kill leaves, started on the disk with so much room, and again with enough.
        let crashed = directory();
        copy(&state.join("0"), &crashed.path().join("0"));
        let again = disk.folder.join("again");
        let mut refusals = 0;
        for left in (0..16).map(|pages| pages * PAGE) {
            disk.free();
            copy(&crashed.path().join("0"), &again.join("0"));
            disk.fill_up_to(left);
            match RocksStore::open(&again, 0, &shared()) {
                Ok(mut store) => assert_eq!(content(&mut store, accounts), of(seq)),
                Err(Error::Full { .. }) => refusals += 1,
                Err(error) => panic!("{left} bytes left: {error}"),
            }
            disk.free();
            disk.fill_up_to(BYTES_LEFT);
            let mut store = RocksStore::open(&again, 0, &shared()).expect("there is room");
            assert_eq!(content(&mut store, accounts), of(seq), "{left} bytes were left");
            drop(store);
            fs::remove_dir_all(&again).expect("it is ours");
        }
        assert!(refusals > 0, "there was always room");
        disk.free();
        written_at_last(&mut store, u32::try_from(seq).expect("few") + 1);
        assert_eq!(after_a_crash(&state, accounts), of(seq + 1));
        disk.fill_up_to(BYTES_LEFT);
    }
}

#[test]
fn no_room_for_the_seal_is_a_full_disk() {
    let Some((_dir, disk)) = disk() else { return };
    let state = disk.folder.join("state");
    let mut store = RocksStore::open(&state, 0, &shared()).expect("a new store");
    // The first page of the log, none for the seal that then has to name it.
    disk.fill_up_to(PAGE);
    store.submit(checkpoint(1, 3));
    let refused = outcome(&mut store).expect_err("there is no room for the seal");
    assert!(matches!(refused, Error::Full { act: "sealed", .. }), "{refused}");
    assert!(refused.to_string().contains("it is sealed by itself"), "{refused}");
    assert_eq!(after_a_crash(&state, 3), (Some(1), vec![1; 3]));
    disk.free();
    written_at_last(&mut store, 1);
    write(&mut store, checkpoint(2, 3));
    assert_eq!(after_a_crash(&state, 3), (Some(2), vec![2; 3]));
}
