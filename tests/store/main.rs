//! The store, from outside: beside the fold, at rest, and on a disk that fails.

mod at_rest;
mod eviction;
mod folding;
#[cfg(feature = "engine")]
mod measure;
#[path = "../model/mod.rs"]
mod model;
#[cfg(feature = "engine")]
mod rocks;
