//! Damaged bytes, thousands of cases: bits flipped, files and records cut, overwritten, taken away.
//! Promise: the engine goes on to the very totals and decisions of an unharmed run, or it refuses
//! with a message that names the place and what to do; it never panics, hangs or differs in silence.
//! `TOLLGATE_CORRUPTION_CASES` sets how many cases each suite has.
#![cfg(feature = "engine")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that tells its counts")]
#![allow(clippy::disallowed_methods, reason = "it waits for threads and processes not its own")]

mod damage;
#[path = "../model/dice.rs"]
#[allow(dead_code, reason = "other suites throw other dice")]
mod dice;
#[path = "../suite/folder.rs"]
mod folder;
mod image;
mod journal;
mod outcome;
#[path = "../rig/mod.rs"]
#[allow(dead_code, reason = "this suite settles for itself")]
mod rig;
mod state;
