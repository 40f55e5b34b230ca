pub mod engine;
pub mod fold;
pub mod journal;
pub mod money;
pub mod store;
pub mod time;
pub mod wire;
