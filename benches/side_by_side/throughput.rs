//! The same topic read by the bare client, which polls and drops, and folded by `tollgate run` from
//! its beginning: all totals, limits, journal and outputs on.

use std::time::{Duration, Instant};

use rdkafka::Offset;

use crate::Scale;
use crate::engine::{Engine, Settings, Topics};
use crate::journal::{Journal, consumer, lines_in, records_in};
use crate::stage::Stage;
use crate::table::{Table, median};
use crate::traffic;

/// Profiles and limits of the traffic: 10,000 accounts.
pub const PROFILES: u32 = 100_000;
pub const LIMITS_PER_ACCOUNT: u32 = 4;
pub const PARTITIONS: i32 = 4;

/// The topic that readers are compared on.
pub fn filled(stage: &Stage, scale: Scale, name: &str, avro: bool) -> Topics {
    let topics = Topics::new(name, PARTITIONS);
    // The first engine makes them as an engine needs them.
    drop(Engine::new(stage, &format!("{name}-topics"), &topics, Settings::default()));
    let profiles = if scale.short { 1_000 } else { PROFILES };
    let options = traffic::options(scale.events, profiles, LIMITS_PER_ACCOUNT);
    traffic::fill(&stage.bootstrap, &topics, &options, avro);
    topics
}

pub fn all(stage: &Stage, scale: Scale, table: &mut Table) {
    for (avro, format) in [(true, "Avro"), (false, "JSON")] {
        let topics = filled(stage, scale, &format!("throughput-{}", format.to_lowercase()), avro);
        let (mut drained, mut folded, mut started, mut memory) = Default::default();
        let figures: [&mut Vec<f64>; 4] = [&mut drained, &mut folded, &mut started, &mut memory];
        for round in 0..scale.rounds {
            figures[0].push(drain(stage, &topics));
            let name = format!("throughput-{format}-{round}");
            let run = fold(stage, &name, &topics, Settings::default());
            figures[1].push(run.lines_per_second);
            figures[2].push(run.seconds_to_first);
            figures[3].push(run.memory_bytes);
        }
        let (drained, folded) = (median(drained), median(folded));
        if avro {
            table.drain = Some(drained);
            table.run = Some(folded);
        }
        table.beside_drain(format!("bare drain, {format}"), drained, "records/s");
        table.beside_drain(format!("tollgate run, {format}"), folded, "lines/s");
        if !avro {
            table.compared(
                "the same, beside its own drain",
                folded,
                "lines/s",
                "JSON drain",
                drained,
            );
        }
        table.row(format!("  start to first record, {format}"), median(started), "s");
        table.row(format!("  memory at most, {format}"), median(memory) / 1e6, "MB");
    }
}

/// Records per second of a consumer that drops what it reads, from its first record to its last.
pub fn drain(stage: &Stage, topics: &Topics) -> f64 {
    let consumer = consumer(&stage.bootstrap, &topics.billed, topics.partitions, Offset::Beginning);
    let total = records_in(&consumer, &topics.billed, topics.partitions);
    let (mut read, mut begun) = (0, None);
    while read < total {
        match consumer.poll(Duration::from_secs(30)) {
            Some(Ok(_)) => {
                begun.get_or_insert_with(Instant::now);
                read += 1;
            }
            Some(Err(error)) => panic!("bare drain: {error}"),
            None => panic!("bare drain: nothing for 30 s at {read} of {total}"),
        }
    }
    read as f64 / begun.expect("there were records").elapsed().as_secs_f64()
}

pub struct Run {
    /// From the first journal record to the last, by the broker's clock.
    pub lines_per_second: f64,
    pub seconds_to_first: f64,
    pub memory_bytes: f64,
}

/// Folds the topics from their beginning.
pub fn fold(stage: &Stage, name: &str, topics: &Topics, settings: Settings) -> Run {
    let mut engine = Engine::new(stage, name, topics, settings);
    let total = lines_in(&stage.bootstrap, topics);
    let mut journal = Journal::follow(&stage.bootstrap, &engine);
    let begun_ms = traffic::now_ms();
    engine.start();
    journal.until(total, &mut engine);
    let memory_bytes = engine.memory_bytes("VmHWM");
    engine.stop();
    let busy_ms = (journal.last_ms - journal.first_ms).max(1);
    Run {
        lines_per_second: total as f64 * 1_000.0 / busy_ms as f64,
        seconds_to_first: (journal.first_ms - begun_ms) as f64 / 1_000.0,
        memory_bytes,
    }
}
