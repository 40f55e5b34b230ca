pub mod fold;
pub mod money;
pub mod time;
pub mod wire;
