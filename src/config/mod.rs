//! The configuration: TOML file, then TOLLGATE_* environment over it, defaults behind both.
//! Promise: a `Config` that was loaded keeps every rule, and loading reports all faults at once,
//! each with its place and a remedy. It reads one file and the variables it is given, nothing
//! else.

#[cfg(feature = "engine")]
mod client;
#[cfg(not(feature = "engine"))]
#[path = "client_none.rs"]
mod client;
mod contradictions;
mod fault;
mod load;
mod notify;
mod options;
mod print;
mod rules;
mod serve;
#[cfg(all(test, feature = "engine"))]
mod tests;

pub use fault::{Fault, Faults, Place};
pub use load::{Loaded, PREFIX, load, load_bytes, variables};
pub use notify::NotifyOptions;
pub use options::*;
pub use print::print;
pub use rules::schema;
pub use serve::*;
