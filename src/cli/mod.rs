//! The command line: reads the arguments, wires the roles, and turns their end into an exit code.
//! Promise: an error is printed once, here, with what to do next. It is the only module, with
//! `main`, that knows every role.

pub mod args;
