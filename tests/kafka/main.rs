//! Tollgate on real Apache Kafka: the binary as an operator runs it, killed, paused and rebalanced,
//! and in the end compared to the record with what must have come out. `TOLLGATE_TEST_EVENTS` scales
//! the large scenario, `TOLLGATE_TEST_SEED` chooses another course of events.

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
mod doubt;
mod engine;
mod log;
mod measure;
mod reference;
mod rig;
mod topics;
mod traffic;

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

/// Not a test: prints the README's figures. Run by `make measure`.
#[test]
#[ignore = "measures for minutes; make measure"]
fn measure() {
    let Some(cluster) = cluster::take() else { return };
    measure::all(&cluster);
}
