//! Tollgate on real Apache Kafka: the binary as an operator runs it, killed, paused and rebalanced,
//! and in the end compared to the record with what must have come out. `TOLLGATE_TEST_EVENTS` scales
//! the large scenario, `TOLLGATE_TEST_SECONDS` and `TOLLGATE_TEST_KILLS` the long storm,
//! `TOLLGATE_TEST_SEED` chooses another course of events.

#![cfg(feature = "engine")]
#![allow(clippy::disallowed_methods, reason = "the suite waits for programs outside of it")]

#[path = "../model/mod.rs"]
mod model;
#[path = "../suite/mod.rs"]
mod suite;

mod chain;
mod chaos;
mod cluster;
mod dice;
#[path = "../suite/disk.rs"]
mod disk;
mod doubt;
mod engine;
mod feed;
mod finish;
mod log;
mod proxy;
mod reference;
mod rig;
mod storm;
mod tail;
mod topics;
mod traffic;
mod weather;
mod wrong;

/// About 20,000 lines of every kind, followed by the model that was written from FORMATS.md alone.
#[test]
fn kills_a_rebalance_and_a_pause_change_nothing_that_the_naive_model_says() {
    let Some(cluster) = cluster::take() else { return };
    let claim = chaos::against_the_model(&cluster);
    cluster.passed(&claim);
}

/// A million events of generated traffic, followed by `tollgate replay`.
#[test]
fn a_million_events_through_twenty_kills_lose_nothing_and_double_nothing() {
    let Some(cluster) = cluster::take() else { return };
    let claim = chaos::against_the_replay(&cluster);
    cluster.passed(&claim);
}

/// One round of every fault that is known to happen, against the model.
#[test]
fn a_storm_loses_nothing_invents_nothing_and_changes_nothing() {
    let Some(cluster) = cluster::take() else { return };
    if let Some(claim) = storm::run(&cluster, &storm::Plan::short()) {
        cluster.passed(&claim);
    }
}

/// Many rounds, with hundreds of kills. Run by `make chaos`.
#[test]
#[ignore = "runs for a quarter of an hour; make chaos"]
fn chaos() {
    let Some(cluster) = cluster::take() else { return };
    if let Some(claim) = storm::run(&cluster, &storm::Plan::long()) {
        cluster.passed(&claim);
    }
}
