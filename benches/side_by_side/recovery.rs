//! From `kill -9`, with a start at once, to the next journal record with folded lines, with states of
//! a million and ten million scopes; and what those states take of memory and disk.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tollgate::generate::{Options, Shares};
use tollgate::time::Millis;

use crate::Scale;
use crate::engine::{Engine, Settings, Topics};
use crate::journal::{Journal, lines_in};
use crate::stage::Stage;
use crate::table::{Table, median};
use crate::throughput::filled;
use crate::traffic::{self, Records, Writer, now_ms};

/// Lines that a profile takes to appear: they are drawn evenly, some more than once.
const LINES_PER_PROFILE: u64 = 2;
/// Scopes that come with ten profiles: their accounts', features and countries.
const SCOPES_PER_TEN_PROFILES: u64 = 25;
const KILLS: usize = 3;
/// Until what a checkpoint took is given back.
const SETTLE: Duration = Duration::from_secs(2);

pub fn all(stage: &Stage, scale: Scale, table: &mut Table) {
    let states: Vec<u64> =
        scale.states.iter().copied().filter(|scopes| *scopes <= scale.scopes_max).collect();
    for scopes in &states {
        of(stage, scale, *scopes, Settings { memory_bytes_max: 8 << 30, ..settings() }, table);
    }
    if let Some(most) = states.last() {
        budget(stage, *most, table);
    }
}

/// A restarted process takes its own partitions back without waiting for its session to end.
fn settings() -> Settings {
    Settings { static_member: true, ..Settings::default() }
}

fn fill(stage: &Stage, name: &str, scopes: u64) -> Topics {
    let profiles = scopes * 10 / SCOPES_PER_TEN_PROFILES;
    let accounts = (profiles / 20).clamp(1, 1_000_000) as u32;
    let options = Options {
        events: LINES_PER_PROFILE * profiles,
        accounts,
        profiles_per_account: (profiles / u64::from(accounts)) as u32,
        zipf_exponent: 0.0,
        limits_per_account: 0,
        gap_us: 0,
        start: Millis(now_ms()),
        shares: Shares::default(),
        ..Options::default()
    };
    filled(stage, name, 2, &options, true)
}

fn of(stage: &Stage, scale: Scale, scopes: u64, settings: Settings, table: &mut Table) {
    let name = format!("recovery-{scopes}");
    let topics = fill(stage, &name, scopes);
    let mut engine = Engine::new(stage, &name, &topics, settings);
    let mut journal = Journal::follow(&stage.bootstrap, &engine);
    engine.start();
    let empty = engine.memory_bytes("VmRSS");
    journal.until(lines_in(&stage.bootstrap, &topics), &mut engine);
    engine.until_written();
    std::thread::sleep(SETTLE);
    let resident = engine.memory_bytes("VmRSS");

    let done = AtomicBool::new(false);
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| trickle(stage, &topics, &done));
        for _ in 0..if scale.short { 1 } else { KILLS } {
            let calm = Instant::now();
            while calm.elapsed() < Duration::from_secs(3) {
                journal.next(Duration::from_millis(50));
            }
            let killed_ms = now_ms();
            engine.kill();
            engine.start();
            times.push(loop {
                engine.assert_running();
                match journal.next(Duration::from_millis(10)) {
                    Some(at_ms) if at_ms > killed_ms + 50 => break (at_ms - killed_ms) as f64,
                    _ => {}
                }
            });
        }
        done.store(true, Ordering::Relaxed);
    });
    engine.stop();
    let rows = engine.state_totals() / 2.0;
    let millions = rows / 1e6;
    table.row(format!("kill -9 to the next fold, {rows:.0} scopes"), median(times), "ms");
    let memory = (resident - empty) / 1e6 / millions;
    table.row("  memory a million scopes, dedup ids included", memory, "MB");
    table.row("  disk a million scopes", engine.state_bytes() / 1e6 / millions, "MB");
}

/// The largest state once more, with a budget that cannot hold it.
fn budget(stage: &Stage, scopes: u64, table: &mut Table) {
    let name = format!("budget-{scopes}");
    let topics = fill(stage, &name, scopes);
    let settings = Settings { memory_bytes_max: 512 << 20, ..settings() };
    let mut engine = Engine::new(stage, &name, &topics, settings);
    let mut journal = Journal::follow(&stage.bootstrap, &engine);
    engine.start();
    journal.until(lines_in(&stage.bootstrap, &topics), &mut engine);
    let most = engine.memory_bytes("VmHWM");
    engine.stop();
    let busy = (journal.last_ms - journal.first_ms).max(1) as f64 / 1_000.0;
    table.row(format!("memory at most, {scopes} scopes, budget 537 MB"), most / 1e6, "MB");
    table.row("  lines folded meanwhile", journal.lines as f64 / busy, "lines/s");
}

fn trickle(stage: &Stage, topics: &Topics, done: &AtomicBool) {
    let writer = Writer::new(&stage.bootstrap, 1);
    let options = traffic::options(u64::MAX, 1_000, 0);
    let (mut records, mut bytes) = (Records::new(true), Vec::new());
    for line in traffic::lines(&options) {
        records.encode(&line, &mut bytes);
        writer.send(&topics.billed, line.account_id(), &bytes);
        std::thread::sleep(Duration::from_millis(1));
        if done.load(Ordering::Relaxed) {
            break;
        }
    }
    writer.flush();
}
