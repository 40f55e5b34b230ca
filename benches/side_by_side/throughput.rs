//! The same topic read by the bare client, which polls and drops, added up by a bare hash fold, and
//! folded by `tollgate run` from its beginning: all totals, limits, journal and outputs on.

use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::{Message, Offset};
use tollgate::generate::Options;

use crate::Scale;
use crate::bare::Bare;
use crate::bare_fold;
use crate::engine::{Engine, Settings, Topics};
use crate::journal::{Journal, consumer, is_of_connection, lines_in, records_in};
use crate::stage::Stage;
use crate::table::{Table, median};
use crate::traffic;

/// Profiles and limits of the traffic: 10,000 accounts.
pub const PROFILES: u32 = 100_000;
pub const LIMITS_PER_ACCOUNT: u32 = 4;
pub const PARTITIONS: i32 = 4;
const WARM_UP_RUNS: usize = 3;

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
        let (mut bare, mut bare_with_ids, mut on_disk) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..scale.rounds {
            drained.push(drain(stage, &topics));
            bare.push(bare_fold::in_memory(stage, &topics, Bare::default));
            bare_with_ids.push(bare_fold::in_memory(stage, &topics, Bare::with_ids));
            on_disk.push(bare_fold::on_disk(stage, &topics));
            let name = format!("throughput-{format}-{round}");
            runs.push(fold(stage, &name, &topics, Settings::default()));
        }
        let of = |figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
        let (drained, folded) = (median(drained), of(|run| run.lines_per_second));
        if avro {
            table.drain = Some(drained);
        }
        table.beside_drain(format!("bare drain, {format}"), drained, "records/s");
        let what = format!("bare hash fold of it, two threads, {format}");
        table.beside_drain(what, median(bare), "records/s");
        let what = format!("the same that counts no id twice, {format}");
        table.beside_drain(what, median(bare_with_ids), "records/s");
        let what = format!("the same, its totals to RocksDB meanwhile, {format}");
        table.beside_drain(what, median(on_disk), "records/s");
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

/// Lets the broker do all that is measured until it has compiled its own code: it takes a fifth of
/// two cores for that at first.
pub fn warm_up(stage: &Stage, scale: Scale) {
    let topics = filled(stage, "warm-up", PARTITIONS, &options(scale), true);
    for run in 0..WARM_UP_RUNS {
        drain(stage, &topics);
        fold(stage, &format!("warm-up-{run}"), &topics, Settings::default());
    }
}

/// Records per second of a consumer that drops what it reads, from its first record to its last.
pub fn drain(stage: &Stage, topics: &Topics) -> f64 {
    rate(&read(stage, topics, 0..topics.partitions, |_| {}))
}

pub struct Read {
    pub records: u64,
    /// From the first record to the last.
    pub seconds: f64,
}

pub fn rate(read: &Read) -> f64 {
    read.records as f64 / read.seconds
}

/// Reads partitions of the billed topic to their ends.
pub fn read(
    stage: &Stage,
    topics: &Topics,
    partitions: Range<i32>,
    mut take: impl FnMut(&[u8]),
) -> Read {
    let consumer =
        consumer(&stage.bootstrap, &topics.billed, partitions.clone(), Offset::Beginning);
    let total = records_in(&consumer, &topics.billed, partitions);
    let (mut records, mut begun) = (0, None);
    while records < total {
        match consumer.poll(Duration::from_secs(30)) {
            Some(Ok(record)) => {
                begun.get_or_insert_with(Instant::now);
                take(record.payload().unwrap_or_default());
                records += 1;
            }
            Some(Err(error)) if is_of_connection(&error) => {}
            Some(Err(error)) => panic!("the reader: {error}"),
            None => panic!("the reader: nothing for 30 s at {records} of {total}"),
        }
    }
    Read { records, seconds: begun.expect("there were records").elapsed().as_secs_f64() }
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
