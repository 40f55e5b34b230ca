//! How long checkpoints and look-ups take: figures, no claims. Run it optimised, by
//! `CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo test --test store -- --ignored --nocapture measure`.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tollgate::fold::event::{BilledEvent, Input, Line, Position as LinePosition};
use tollgate::fold::limit::{Scope, ScopeKind};
use tollgate::fold::{AccountNumber, Calendar, Epoch, Need, State, TallyRef};
use tollgate::money::Money;
use tollgate::store::Store;
use tollgate::store::rocks::{Options, RocksStore, Shared, summary};
use tollgate::time::{DAY_MS, Day, Millis};

use crate::folding::Folding;

const ACCOUNTS: u32 = 100;
/// Each with a tally of its day and of its month.
const PROFILES: u32 = 100_000;
const DAYS: i32 = 6;

/// Time on the clock, and time that this process and this thread spent on a processor meanwhile:
/// other work on the machine shows in the first only.
struct Took {
    elapsed: Duration,
    process: Duration,
    thread: Duration,
}

impl fmt::Debug for Took {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_micros() as f64 / 1000.0;
        let Took { elapsed, process, thread } = self;
        write!(out, "{:.1} ms", ms(*elapsed))?;
        write!(out, " (processor: {:.1}, this thread {:.1})", ms(*process), ms(*thread))
    }
}

/// On a processor so far, where the kernel tells.
fn spent(task: &Path) -> Duration {
    let text = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let first = text.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(first.unwrap_or(0))
}

fn spent_by_all() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    tasks.map(|task| spent(&task.expect("a thread").path())).sum()
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch is what this file is for")]
fn timed<T>(act: impl FnOnce() -> T) -> (T, Took) {
    let (process, thread) = (spent_by_all(), spent(Path::new("/proc/thread-self")));
    let start = Instant::now();
    let result = act();
    let elapsed = start.elapsed();
    let process = spent_by_all().saturating_sub(process);
    let thread = spent(Path::new("/proc/thread-self")).saturating_sub(thread);
    (result, Took { elapsed, process, thread })
}

fn event(day: Day, number: u32) -> Line<'static> {
    let at = Millis(day.start().0 + i64::from(number) * (DAY_MS - 1) / i64::from(PROFILES));
    let event = BilledEvent {
        event_id: format!("{}-{number}", day.0).into(),
        idempotency_key: None,
        account_id: format!("account {}", number % ACCOUNTS).into(),
        profile_id: Some(format!("profile-{number:08}").into()),
        feature: "sms".into(),
        country: Some("IT".into()),
        sender: None,
        recipient: None,
        purpose: None,
        requests: 1,
        cost: Money(7_500),
        occurred_at: at,
    };
    let position = LinePosition { source: "measure".into(), at: u64::from(number) };
    Line { input: Input::Billed(event), recorded_at: at, position }
}

fn need(day: i32, number: u32) -> Need {
    let scope = Scope { kind: ScopeKind::Profile, id: Some(format!("profile-{number:08}").into()) };
    let account = AccountNumber(number % ACCOUNTS);
    Need::Tally(TallyRef { account, scope, window: Calendar::Day(Day(day)) })
}

#[test]
#[ignore = "measures"]
fn measure() {
    let dir = tempfile::tempdir().expect("a directory");
    let shared = Shared::new(Options::default());
    let store = RocksStore::open(dir.path(), 0, &shared).expect("a new store");
    let mut folding = Folding::new(store);
    let mut decisions = Vec::new();
    for day in 0..DAYS {
        let lines: Vec<Line<'_>> =
            (0..PROFILES).map(|number| event(Day(20_000 + day), number)).collect();
        let ((), folded) = timed(|| {
            for line in &lines {
                folding.state.fold_line(line, &mut decisions);
            }
        });
        let ((), frozen) = timed(|| folding.submit());
        let ((), written) = timed(|| {
            let epoch = folding.store.wait().expect("was submitted").expect("a working disk");
            assert!(epoch < Epoch::MAX);
        });
        let rows = folding.state.rows();
        println!("day {day}: fold {folded:?}, freeze {frozen:?}, write {written:?}, rows {rows:?}");
    }
    let mut look = |what: &str, needs: Vec<Need>| {
        for _ in 0..2 {
            let (rows, took) = timed(|| folding.store.load(&needs).expect("a working disk"));
            println!("{what}: {} of {} in {took:?}", rows.len(), needs.len());
        }
    };
    look("absent, a new day", (0..10_000).map(|it| need(20_000 + DAYS, it * 7)).collect());
    look("absent, a known day", (0..10_000).map(|it| need(20_002, PROFILES + it)).collect());
    look("present", (0..10_000).map(|it| need(20_001, it * 7)).collect());
    println!("bytes {}", folding.store.bytes());
    drop(folding);
    let (mut store, opened) =
        timed(|| RocksStore::open(dir.path(), 0, &shared).expect("the store"));
    let mut state = State::new(10);
    let (blocks, restored) = timed(|| store.restore(&mut state).expect("rows that fit"));
    println!(
        "open {opened:?}, restore {restored:?} of {:?}, {} blocks",
        state.rows(),
        blocks.len()
    );
    drop(store);
    let (found, took) = timed(|| summary(dir.path()).expect("the store"));
    println!("summary in {took:?}: {:?}, {} bytes", found[0].rows, found[0].bytes);
}
