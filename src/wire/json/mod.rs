//! Records as JSON, one object a line: the form of files, of `kcat` users and of `tollgate
//! replay`. Promise: reading is strict and total, writing gives the lines of FORMATS.md to the
//! letter.

mod inbound;
mod line;
mod syntax;
mod write;

pub(super) use inbound::decode_inbound;
pub use line::decode_line;
pub use write::{write_decision, write_total};
