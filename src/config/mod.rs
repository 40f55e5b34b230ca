//! The configuration: TOML file, then TOLLGATE_* environment over it, defaults behind both.
//! Promise: a `Config` that was loaded keeps every rule, and loading reports all faults at once,
//! each with its place and a remedy. It reads one file and the variables it is given, nothing
//! else.

mod client;
mod contradictions;
mod fault;
mod load;
mod options;
mod print;
mod rules;
#[cfg(test)]
mod tests;

pub use fault::{Fault, Faults, Place};
pub use load::{Loaded, PREFIX, load, variables};
pub use options::*;
pub use print::print;
pub use rules::schema;
