//! A deterministic simulation of everything around the engine: brokers, network, disks, clocks, crashes
//! and other owners. Promise: a case is one line of text and gives the same run to the byte; what comes
//! out is compared with the naive model (tests/model), which shares no code with the product.

pub mod case;
pub mod chance;
pub mod many;
mod named;
mod readers;
mod store;
mod topics;
pub mod verdict;
mod witness;
pub mod world;
