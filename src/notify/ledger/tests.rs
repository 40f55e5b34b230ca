//! Records in the orders in which owners that were paused or overtaken may write them.

use super::*;
use crate::notify::delivery::{Attempt, Ending, Target};
use crate::notify::record::Ended;
use crate::notify::samples::reached;

fn planned(attempts: usize) -> Delivery {
    let mut delivery = Delivery::new(reached(), Target::Webhook, Millis(1));
    let attempt =
        || Attempt { at: Millis(2), to: "https://a".to_owned(), answer: "500".to_owned() };
    delivery.attempts = std::iter::repeat_with(attempt).take(attempts).collect();
    delivery
}

fn take(ledger: &mut Ledger, record: Record) {
    let (key, bytes) = (record.key(), record.bytes());
    ledger.apply(&key, Some(Record::read(&bytes).expect("what was written")));
}

fn delivery(attempts: usize) -> Record {
    Record::Delivery(Box::new(planned(attempts)))
}

fn ended(at: i64) -> Record {
    let ending = Ending::Delivered;
    Record::Ended(Ended { id: planned(0).id, ending, at: Millis(at) })
}

#[test]
fn what_was_planned_is_pending_until_it_ends() {
    let mut ledger = Ledger::default();
    assert!(ledger.state_of(planned(0).id) == State::Unknown);
    take(&mut ledger, delivery(0));
    take(&mut ledger, delivery(1));
    let pending: Vec<_> = ledger.pending().map(|delivery| delivery.attempts.len()).collect();
    assert_eq!(pending, [1]);
    take(&mut ledger, ended(9));
    assert_eq!(ledger.state_of(planned(0).id), State::Ended);
    assert_eq!(ledger.pending().count(), 0);
}

#[test]
fn an_end_is_final_whatever_comes_late() {
    let mut ledger = Ledger::default();
    take(&mut ledger, ended(9));
    take(&mut ledger, delivery(2));
    assert_eq!(ledger.pending().count(), 0);
}

#[test]
fn a_late_record_does_not_take_attempts_back() {
    let mut ledger = Ledger::default();
    take(&mut ledger, delivery(3));
    take(&mut ledger, delivery(0));
    assert_eq!(ledger.pending().next().expect("pending").attempts.len(), 3);
}

#[test]
fn what_is_forgotten_is_forgotten_by_tombstones_alone() {
    let mut ledger = Ledger::default();
    take(&mut ledger, delivery(1));
    take(&mut ledger, ended(9));
    let (account_id, limit_id) = ("acme/1".to_owned(), "limit_7".to_owned());
    take(&mut ledger, Record::Told(Told { account_id, limit_id, level: 50, at: Millis(20) }));
    assert_eq!(ledger.forgettable(Millis(9), Millis(20)), Vec::<String>::new());
    let keys = ledger.forgettable(Millis(10), Millis(20));
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_eq!(ledger.state_of(planned(0).id), State::Ended);
    for key in keys {
        ledger.apply(&key, None);
    }
    assert!(ledger.state_of(planned(0).id) == State::Unknown);
    assert_eq!(ledger.told("acme/1", "limit_7").map(|told| told.level), Some(50));
    for key in ledger.forgettable(Millis(21), Millis(21)) {
        ledger.apply(&key, None);
    }
    assert_eq!(ledger.told("acme/1", "limit_7"), None);
}

#[test]
fn what_was_told_outlives_the_deliveries_by_its_quiet_period() {
    let mut ledger = Ledger::default();
    let (account_id, limit_id) = ("acme".to_owned(), "limit_7".to_owned());
    take(&mut ledger, Record::Told(Told { account_id, limit_id, level: 50, at: Millis(20) }));
    assert_eq!(ledger.forgettable(Millis(1_000), Millis(20)), Vec::<String>::new());
    assert_eq!(ledger.forgettable(Millis(0), Millis(21)).len(), 1);
}

#[test]
fn an_endpoint_stays_disabled_until_it_is_forgotten() {
    let mut ledger = Ledger::default();
    let disabled = EndpointDisabled { endpoint: "f00".to_owned(), at: Millis(5) };
    take(&mut ledger, Record::EndpointDisabled(disabled));
    assert_eq!(ledger.disabled_at("f00"), Some(Millis(5)));
    ledger.apply("endpoint/f00", None);
    assert_eq!(ledger.disabled_at("f00"), None);
}
