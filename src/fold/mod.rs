//! The pure core: `fold(state, batch) -> decisions` (L1). Same lines, same `now`, same decisions
//! to the byte, however the lines are cut into batches. It reads no storage, clock, environment or
//! random source, logs nothing, awaits nothing, uses no floats, and nothing depends on hash order.
//!
//! A billed event walks: `billed` (checks, dedup, tallies) -> `evaluate` (what each limit holds
//! before and after) -> `decision`. Commands and timers come to `evaluate` by their own files;
//! all end in `step`.

#![deny(clippy::float_arithmetic, clippy::iter_over_hash_type)]

pub mod decision;
pub mod event;
pub mod limit;

mod ahead;
mod billed;
mod command;
mod dedup;
mod evaluate;
mod group;
mod limit_state;
mod look;
mod memory;
mod parted;
mod rows;
mod scope_key;
mod scope_row;
mod scopes;
mod share;
mod sliding;
mod state;
mod step;
mod table;
mod tallies;
mod tally;
mod timer;
mod totals;
mod watch;

pub use dedup::PACKED_BYTES;
pub use group::{DayGroup, Distinct};
pub use limit_state::{Arming, BUILT_IN, built_in};
pub use look::{Held, LimitSeen, Look, Seen};
pub use memory::Memory;
pub use rows::{Clockwork, LimitRef, LimitRow, Loaded, Need, Row, TallyKey, TallyRef};
pub use share::{Dealt, Placed, in_order};
pub use sliding::{Entry, Sliding, TIMES_MAX};
pub use state::{Counts, State};
pub use table::Epoch;
pub use tallies::Tallies;
pub use tally::{AccountNumber, Calendar, Tally, Total};
pub use timer::TIMERS_PER_RECORD_MAX;
pub use totals::ScopeTotals;

/// Version of the rules that this release folds by; named in every journal record.
pub const RULES_VERSION: u32 = 1;
