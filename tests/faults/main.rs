//! Every durable step fails once, in every way: an error, a panic, a crash of the process, a delay;
//! the first time it is taken and a later time. Promise: whoever opens the engine again goes on to
//! the end, and totals, decisions and outputs are those of a run in which nothing failed.
#![cfg(feature = "engine")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that tells its counts")]
#![allow(clippy::disallowed_methods, reason = "it waits for threads and processes not its own")]

mod life;
mod matrix;
mod mirror;
mod release;
#[allow(dead_code, reason = "its owners are on topics without a mirror")]
#[path = "../rig/mod.rs"]
mod rig;
mod runner;
