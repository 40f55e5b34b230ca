//! What the benches work on: generated traffic of 10,000 accounts with ten profiles each.

use std::sync::Arc;

use tollgate::fold::event::{Input, Line, Position};
use tollgate::generate::{Body, Options, Shares, Traffic};

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

/// The lines as the fold takes them; those that a decoder would reject are left out.
pub fn lines(events: u64, limits_per_account: u32) -> Vec<Line<'static>> {
    let source: Arc<str> = "bench".into();
    let traffic = Traffic::new(&options(events, limits_per_account)).unwrap();
    let lines = traffic.zip(0..).filter_map(|(line, at)| {
        let input = match line.body {
            Body::Billed(event) => Input::Billed(event),
            Body::Setting(setting) => Input::Command(setting.command),
            Body::Garbage { .. } => return None,
        };
        let position = Position { source: Arc::clone(&source), at };
        Some(Line { input, recorded_at: line.recorded_at, position })
    });
    lines.collect()
}
