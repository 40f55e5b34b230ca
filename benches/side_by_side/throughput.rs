//! The same topic read by the bare client, which polls and drops, and folded by `tollgate run` from
//! its beginning: all totals, limits, journal and outputs on.

use std::time::{Duration, Instant};

use rdkafka::Offset;
use tollgate::generate::Options;

use crate::Scale;
use crate::engine::{Engine, Settings, Topics};
use crate::journal::{Journal, consumer, is_of_connection, lines_in, records_in};
use crate::stage::Stage;
use crate::table::{Table, median};
use crate::traffic;

/// Profiles and limits of the traffic: 10,000 accounts.
pub const PROFILES: u32 = 100_000;
pub const LIMITS_PER_ACCOUNT: u32 = 4;
pub const PARTITIONS: i32 = 4;

/// The traffic that readers are compared on.
pub fn options(scale: Scale) -> Options {
    let profiles = if scale.short { 1_000 } else { PROFILES };
    traffic::options(scale.events, profiles, LIMITS_PER_ACCOUNT)
}

/// Topics with it.
pub fn filled(stage: &Stage, name: &str, partitions: i32, options: &Options, avro: bool) -> Topics {
    let topics = Topics::new(name, partitions);
    // The first engine makes them as an engine needs them.
    drop(Engine::new(stage, &format!("{name}-topics"), &topics, Settings::default()));
    traffic::fill(&stage.bootstrap, &topics, options, avro);
    topics
}

pub fn all(stage: &Stage, scale: Scale, table: &mut Table) {
    for (avro, format) in [(true, "Avro"), (false, "JSON")] {
        let name = format!("throughput-{}", format.to_lowercase());
        let topics = filled(stage, &name, PARTITIONS, &options(scale), avro);
        let (mut drained, mut runs) = (Vec::new(), Vec::new());
        for round in 0..scale.rounds {
            drained.push(drain(stage, &topics));
            let name = format!("throughput-{format}-{round}");
            runs.push(fold(stage, &name, &topics, Settings::default()));
        }
        let of = |figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
        let (drained, folded) = (median(drained), of(|run| run.lines_per_second));
        if avro {
            table.drain = Some(drained);
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
        table.row("  its start to its first record", of(|run| run.seconds_to_first), "s");
        table.row("  its processor time, all threads", of(|run| run.cpu_us_per_line), "µs/line");
        table.row("  its memory at most", of(|run| run.memory_bytes) / 1e6, "MB");
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
            Some(Err(error)) if is_of_connection(&error) => {}
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
    /// Processor time of all threads of the process, its start included.
    pub cpu_us_per_line: f64,
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
    let cpu_us_per_line = engine.cpu_seconds() * 1e6 / total as f64;
    engine.stop();
    let busy_ms = (journal.last_ms - journal.first_ms).max(1);
    Run {
        lines_per_second: total as f64 * 1_000.0 / busy_ms as f64,
        seconds_to_first: (journal.first_ms - begun_ms) as f64 / 1_000.0,
        memory_bytes,
        cpu_us_per_line,
    }
}
