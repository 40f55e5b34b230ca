//! The protocol, exhaustively: the rules of DESIGN.md, "The journal", as a small model of topics,
//! owners and their disks, searched breadth first through every course of events within bounds.
//! The chain rule is the engine's own (`tollgate::journal::extends` on real records); publishing,
//! block-state and checkpoints are modelled after `engine::outbox`, `blocks` and `checkpoint`.
//!
//! It promises two things. The rules hold: in every state what `checks` asks for, without an end
//! to no course, and wherever nothing more has to happen all is told. And every wrong reading of
//! a rule (`readings`) is found, with one of the shortest courses that lead to its fault:
//! `cargo test --test protocol -- --nocapture` prints them all.

#[path = "../suite/mod.rs"]
#[allow(dead_code, reason = "nothing here can be missing")]
mod suite;

mod checks;
mod configs;
mod list;
mod model;
mod owner;
mod possible;
mod readings;
mod records;
mod search;
mod state;
mod steps;
mod tell;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use model::{Config, Model};
use readings::READINGS;
use search::{Fault, Outcome};

/// Searches that go on at the same time.
const THREADS: usize = 2;
const MILLION: usize = 1_000_000;

#[test]
fn the_rules_hold_and_every_wrong_reading_of_them_is_found() {
    let found = each(READINGS, |(reading, config, broken)| {
        assert!(
            configs::SMALL.iter().any(|small| small.name == config.name),
            "the rules are not searched in the bounds of {reading:?}"
        );
        let outcome = search::search(&mut Model::new(*config, Some(*reading)), |_| {});
        let fault = outcome.fault.unwrap_or_else(|| panic!("{reading:?} does not fail"));
        assert_eq!(fault.broken, *broken, "{reading:?}: {}", course(&fault));
        let (steps, name) = (fault.steps.len(), config.name);
        println!("\n{reading:?} ({name}), {steps} steps: {}", course(&fault));
        outcome.states
    });
    let (states, searches) = hold(configs::SMALL);
    assert!(states >= MILLION, "a small model shows little: {states} states");
    let readings = found.len();
    suite::verdict(
        "protocol",
        &format!(
            "passed: {states} states in {searches} configurations, \
             {readings} of {readings} wrong readings found"
        ),
    );
}

#[test]
#[ignore = "minutes and gigabytes: make protocol"]
fn the_rules_hold_in_the_large() {
    let (states, searches) = hold(configs::LARGE);
    let line = format!("passed: {states} states in {searches} large configurations");
    suite::verdict("protocol", &line);
}

/// Searches each configuration whole. The sum of states, and the number of searches.
fn hold(searched: &[Config]) -> (usize, usize) {
    let states = each(searched, |config| {
        let mut told = 0;
        let outcome = search::search(&mut Model::new(*config, None), |states| {
            if states / MILLION > told {
                told = states / MILLION;
                suite::say(&format!("{}: {told} million states", config.name));
            }
        });
        suite::say(&summary(config, &outcome));
        if let Some(fault) = &outcome.fault {
            panic!("{}: {}", config.name, course(fault));
        }
        assert!(outcome.at_rest > 0, "{}: nothing ever comes to rest", config.name);
        outcome.states
    });
    (states.iter().sum(), states.len())
}

fn summary(config: &Config, outcome: &Outcome) -> String {
    let Outcome { states, depth, at_rest, records, .. } = outcome;
    let (journal, blocks) = outcome.lengths;
    let circles = if outcome.no_circles { ", no circles" } else { "" };
    format!(
        "{}: {states} states, {depth} steps deep, {at_rest} at rest{circles}; \
         {records} different records, journals up to {journal}, block-state up to {blocks}",
        config.name
    )
}

fn course(fault: &Fault) -> String {
    format!("{}\n  {}", fault.broken, fault.steps.join("\n  "))
}

/// Does something with each item, `THREADS` at a time. The first panic is everyone's.
fn each<T: Sync, R: Send>(items: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = act(item);
                    done.lock().expect("no holder panics").push(result);
                }
            });
        }
    });
    done.into_inner().expect("no holder panics")
}
