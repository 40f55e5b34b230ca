//! The store, from outside: beside the fold, at rest, and on a disk that fails.

mod at_rest;
#[cfg(feature = "engine")]
#[path = "../suite/disk.rs"]
mod disk;
mod eviction;
#[cfg(feature = "engine")]
#[path = "../suite/folder.rs"]
mod folder;
mod folding;
#[cfg(feature = "engine")]
mod full_disk;
#[cfg(feature = "engine")]
mod measure;
#[path = "../model/mod.rs"]
mod model;
#[cfg(feature = "engine")]
mod rocks;
#[cfg(feature = "engine")]
#[path = "../suite/mod.rs"]
mod suite;
