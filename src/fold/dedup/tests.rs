//! What is remembered, for how long, and how memory and the store let go of it (O3).

use std::collections::BTreeSet;

use super::*;
use crate::time::MINUTE_MS;

fn minute(number: i64) -> Millis {
    Millis(number * MINUTE_MS)
}

fn event(id: u64, idempotency: bool) -> EventId {
    EventId { id: [0, id], payload: 7, idempotency }
}

/// O3: a restart neither forgets an id before its time nor remembers it longer.
#[test]
fn a_restart_leaves_the_ids_of_the_window_and_no_others() {
    let account = AccountNumber(3);
    let kinds = [false, true];
    let mut before = Dedup::default();
    for at in 100..=112_i64 {
        before.advance(minute(at), 10);
        for kind in kinds {
            let seen = before.check(account, &event(at.cast_unsigned(), kind), minute(at));
            assert_eq!(seen, Seen::New);
        }
    }
    let (mut after, mut written) = (Dedup::default(), Vec::new());
    before.freeze(|minute, index, packed| {
        assert_eq!((index, packed.len()), (0, 2 * PACKED_BYTES));
        assert_eq!(after.load(minute, &packed), Some(()));
        written.push(minute);
    });
    assert!(written.iter().copied().eq(102..=112), "{written:?}");
    after.set_forgotten_before(before.forgotten_before());
    for mut dedup in [before, after] {
        for at in 100..=112_i64 {
            let expected = if at < 102 { Seen::New } else { Seen::Duplicate };
            for kind in kinds {
                let event = event(at.cast_unsigned(), kind);
                assert_eq!(dedup.check(account, &event, minute(112)), expected, "{at}");
            }
        }
    }
}

/// Rows of a minute are told apart by the number of ids before them, over a restart too.
#[test]
fn a_minute_s_ids_are_written_once_and_in_order() {
    let account = AccountNumber(0);
    let (mut dedup, mut runs) = (Dedup::default(), Vec::new());
    for most in [3, 3, 5] {
        for id in 0..most {
            dedup.check(account, &event(id, false), minute(5));
        }
        dedup.freeze(|minute, index, packed| runs.push((minute, index, packed)));
    }
    let shape: Vec<_> = runs.iter().map(|run| (run.0, run.1, run.2.len())).collect();
    assert_eq!(shape, [(5, 0, 3 * PACKED_BYTES), (5, 3, 2 * PACKED_BYTES)]);
    let mut restored = Dedup::default();
    for (minute, _, packed) in &runs {
        restored.load(*minute, packed);
    }
    restored.freeze(|_, _, _| panic!("the store has them all"));
    restored.check(account, &event(5, false), minute(5));
    let mut index = None;
    restored.freeze(|_, at, _| index = Some(at));
    assert_eq!(index, Some(5));
}

/// O3: an id that was forgotten under a shorter window may come again under a longer one.
#[test]
fn what_was_forgotten_stays_so_when_the_window_grows() {
    let (account, id) = (AccountNumber(0), event(1, false));
    let mut dedup = Dedup::default();
    assert_eq!(dedup.check(account, &id, minute(100)), Seen::New);
    dedup.advance(minute(103), 2);
    dedup.advance(minute(104), 10);
    assert_eq!(dedup.check(account, &id, minute(104)), Seen::New);
    assert_eq!(dedup.check(account, &id, minute(104)), Seen::Duplicate);
}

/// Memory is bounded by the window: the ids behind it go, a part for 64 new ones, and so no
/// single event waits for all of them.
#[test]
fn forgotten_ids_leave_memory_part_by_part() {
    let forgotten = 5_000;
    let mut dedup = Dedup::default();
    for account in 0..forgotten {
        dedup.check(AccountNumber(account), &event(1, false), minute(0));
    }
    assert_eq!(dedup.len(), forgotten as usize);
    dedup.advance(minute(11), 10);
    let mut fresh = 0;
    let mut add = |dedup: &mut Dedup, ids: u64| {
        for _ in 0..ids {
            fresh += 1;
            dedup.check(AccountNumber(0), &event(1 + fresh, false), minute(11));
        }
        dedup.len() - fresh as usize
    };
    let mut left = forgotten as usize;
    for part in 0..PARTS {
        if part > 0 {
            assert_eq!(add(&mut dedup, 63), left);
        }
        let fewer = add(&mut dedup, 1);
        assert!(left - fewer < 60, "a part's ids at once: {left} to {fewer}");
        left = fewer;
    }
    assert_eq!(left, 0);
    dedup.advance(minute(11), 10);
    assert_eq!(dedup.to_sweep, 0, "nothing is forgotten that was not before");
}

/// Customers choose keys, and may choose the same: they do not crowd one part.
#[test]
fn the_same_id_in_many_accounts_is_hashed_apart() {
    let key = |account, kind| event(1, kind).key(AccountNumber(account)).hash();
    let accounts = 0..1_000;
    let hashes: BTreeSet<u64> =
        accounts.flat_map(|account| [key(account, false), key(account, true)]).collect();
    assert_eq!(hashes.len(), 2_000);
}

/// The store has a UUID's own bytes, other ids by the beginning of their digest.
#[test]
fn an_id_has_the_bytes_of_its_uuid_or_of_its_digest() {
    let uuid = "d5fafeb1-ad4f-5bfd-bfb4-25e354558cda";
    assert_eq!(sixteen(uuid), [0xd5fafeb1ad4f5bfd, 0xbfb425e354558cda]);
    let shouted = uuid.to_uppercase();
    assert_eq!(u128::from(sixteen(&shouted)[1]), digest16(&shouted) & u128::from(u64::MAX));
    assert_eq!(sixteen("abc"), [0xba7816bf8f01cfea, 0x414140de5dae2223]);
}

/// Found by fuzzed rows.
#[test]
fn ids_of_a_minute_that_no_event_has_are_not_taken() {
    let packed = [0; PACKED_BYTES];
    for minute in [i64::MIN, -1, time::END.minute(), i64::MAX] {
        assert_eq!(Dedup::default().load(minute, &packed), None, "{minute}");
    }
    assert_eq!(Dedup::default().load(time::END.minute() - 1, &packed), Some(()));
}
