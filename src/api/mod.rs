//! HTTP servers. For now the one for operations; the product contracts come on top of it.

pub mod gate;
pub mod ops;
