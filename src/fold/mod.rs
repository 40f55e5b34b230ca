//! The pure core: `fold(state, batch) -> decisions` (L1).

pub mod decision;
pub mod event;
pub mod limit;
