//! Generated lines as the fold takes them; those that a decoder would reject are left out.

use std::sync::Arc;

use tollgate::fold::event::{Input, Line, Position};
use tollgate::generate::{Body, Generated};

pub fn lines(generated: impl Iterator<Item = Generated>) -> Vec<Line<'static>> {
    let source: Arc<str> = "bench".into();
    let lines = generated.zip(0..).filter_map(|(line, at)| {
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
