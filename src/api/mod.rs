//! The control plane: limits, usage, blocks and keys over HTTP. Promise: product contracts are
//! thin translations onto commands and looks at the fold; nothing here decides, and nothing is
//! told that is not journaled.
//!
//! A request walks: `server` (bounds) -> `caller` (key, scope, rate) -> `forward` (to the owner of
//! the account's partition) -> a contract -> `control` (settings, looks, commands). A refusal
//! walks back as a `fault`, and gets the body of the product whose path was called.

mod audit;
mod billing;
mod blocks;
pub mod caller;
pub mod commands;
pub mod control;
mod countries;
mod described;
mod emails;
mod extract;
pub mod fault;
pub mod forward;
pub mod gate;
pub mod keys;
mod named;
mod number;
pub mod ops;
mod otp;
pub mod owners;
pub mod profiles;
pub mod server;
mod url;
mod usage;
mod whatsapp;
