//! The store, from outside: beside the fold, at rest, and on a disk that fails.

mod at_rest;
mod eviction;
mod folding;
#[cfg(feature = "engine")]
mod measure;
#[cfg(feature = "engine")]
mod rocks;
