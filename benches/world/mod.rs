//! What the benches work on: generated traffic of 10,000 accounts with ten profiles each.

#[path = "../input/mod.rs"]
mod input;

use tollgate::fold::event::Line;
use tollgate::generate::{Options, Shares, Traffic};

pub fn options(events: u64, limits_per_account: u32) -> Options {
    Options {
        events,
        accounts: 10_000,
        profiles_per_account: 10,
        limits_per_account,
        gap_us: 20_000,
        shares: Shares::default(),
        ..Options::default()
    }
}

pub fn lines(events: u64, limits_per_account: u32) -> Vec<Line<'static>> {
    input::lines(Traffic::new(&options(events, limits_per_account)).unwrap())
}
