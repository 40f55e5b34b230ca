//! The course of a scenario: traffic flows, engine processes are killed at random moments, a second one
//! joins, one is paused past its session, and in the end everything published is compared. The seed
//! fixes what is decided here; the moments themselves depend on the machine.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::chain::Journal;
use crate::cluster::Cluster;
use crate::dice::{Dice, seed};
use crate::engine::{Engine, Ground, pause, text, tollgate};
use crate::finish::{Evaluation, drained, judge};
use crate::model;
use crate::reference::{Log, Tally, records};
use crate::topics::{Ends, Writer};
use crate::traffic::Traffic;

const DEDUP_MINUTES: u32 = 10;
const PROGRESS_TIME_MAX: Duration = Duration::from_secs(90);
const DRAIN_TIME_MAX: Duration = Duration::from_secs(240);

pub fn against_the_model(cluster: &Cluster) -> String {
    let ground = Ground::new(cluster, "model");
    let lines = 20_000;
    let feed = Feed::Thread(own_traffic(&ground, lines, 25));
    let mut course = Course::new(ground, seed());
    course.run(feed, 8);
    // Sliding windows run out without traffic, under the engine's own clock.
    pause(9_000);
    course.finish(modelled)
}

pub fn against_the_replay(cluster: &Cluster) -> String {
    let events: u64 = std::env::var("TOLLGATE_TEST_EVENTS")
        .map_or(1_000_000, |text| text.parse().expect("TOLLGATE_TEST_EVENTS is a number"));
    let ground = Ground::new(cluster, "million");
    let feed = Feed::Program(generated_traffic(&ground, events, seed()));
    let mut course = Course::new(ground, seed() + 1);
    course.run(feed, 20);
    course.finish(replayed)
}

/// Whatever produces the traffic.
enum Feed {
    Thread(JoinHandle<()>),
    Program(Child),
}

impl Feed {
    fn ended(&mut self) -> bool {
        match self {
            Feed::Thread(thread) => thread.is_finished(),
            Feed::Program(child) => match child.try_wait().expect("it can be waited for") {
                Some(status) => {
                    assert!(status.success(), "tollgate generate: {status}");
                    true
                }
                None => false,
            },
        }
    }
}

/// Sends `lines` lines over about `seconds` seconds.
fn own_traffic(ground: &Ground, lines: u64, seconds: u64) -> JoinHandle<()> {
    let writer = Writer::new(&ground.bootstrap);
    let (billed, commands) = (ground.names.billed.clone(), ground.names.commands.clone());
    std::thread::spawn(move || {
        let mut traffic = Traffic::new(seed());
        let bunch = (lines / (seconds * 50)).max(1);
        for number in 0..lines {
            let line = traffic.next(wall_clock());
            let topic = if line.command { &commands } else { &billed };
            writer.send(topic, &line.account, &line.bytes);
            if number % bunch == 0 {
                pause(20);
            }
        }
        writer.flush();
    })
}

/// `tollgate generate --topic`, at a rate that outlasts the kills.
fn generated_traffic(ground: &Ground, events: u64, seed: u64) -> Child {
    let rate = (events / 60).max(100);
    let said = fs::File::create(ground.folder.join("generate.log")).expect("a log opens");
    Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["generate", "--topic", "--config"])
        .arg(ground.config("generate"))
        .args(["--events", &events.to_string(), "--seed", &seed.to_string()])
        .args(["--rate", &rate.to_string(), "--late", "2%", "--garbage", "0.5%"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .expect("tollgate can be started")
}

pub fn modelled(log: &Log, _: usize) -> Evaluation {
    let outcome = model::run(&log.text, "log", DEDUP_MINUTES);
    (outcome.decisions, outcome.totals)
}

fn replayed(log: &Log, partition: usize) -> Evaluation {
    let folder = crate::cluster::scratch("replay");
    let name = |last: &str| folder.join(format!("{partition}.{last}"));
    let (path, decisions, totals) = (name("ndjson"), name("decisions"), name("totals"));
    fs::write(&path, &log.text).expect("the build folder can be written");
    let arguments = ["replay", "--log", text(&path), "--decisions", text(&decisions), "--totals"];
    tollgate(&[&arguments[..], &[text(&totals), "--json"]].concat());
    let read = |path| records(&fs::read(path).expect("replay wrote it"));
    (read(decisions), read(totals))
}

/// One scenario as it goes.
struct Course {
    ground: Ground,
    journal: Journal,
    ends: Ends,
    dice: Dice,
    first: Engine,
    second: Engine,
    kills: usize,
    told: Vec<String>,
}

impl Course {
    fn new(ground: Ground, seed: u64) -> Course {
        let journal = Journal::follow(&ground.bootstrap, &ground.names.journal);
        let (first, second) = (ground.engine("first"), ground.engine("second"));
        let dice = Dice::new(seed);
        let told = vec![format!("seed {}", seed)];
        let ends = Ends::new(&ground.bootstrap);
        Course { ground, journal, ends, dice, first, second, kills: 0, told }
    }

    /// Kills until there were enough and the traffic has ended, then lets the first engine drain it.
    fn run(&mut self, mut feed: Feed, kills: usize) {
        self.first.start();
        self.progress("the first engine begins");
        while self.kills < kills / 2 {
            self.kill();
        }
        self.rebalance();
        while self.kills < kills * 3 / 4 {
            self.kill();
        }
        self.pause_one();
        while self.kills < kills || !feed.ended() {
            self.kill();
        }
        if let Feed::Thread(thread) = feed {
            thread.join().expect("the traffic was sent");
        }
        // A process that was just started again listens to signals only after a moment.
        pause(3_000);
        self.second.stop();
        // It may have nothing left to fold; its state is what is read in the end.
        self.until("the first engine owns every partition", |course| {
            let owners = course.journal.owners();
            owners.iter().all(|owner| *owner == owners[0])
        });
        self.drain();
    }

    /// A third of the kills hit an engine that just started, the rest one that folds.
    fn kill(&mut self) {
        let early = self.dice.percent(33);
        if early {
            let wait = self.dice.below(700);
            pause(wait);
        } else {
            self.progress("an engine goes on after a kill");
            let wait = self.dice.below(1_200);
            pause(wait);
        }
        let second = self.second.on() && self.dice.percent(50);
        let victim = if second { &mut self.second } else { &mut self.first };
        victim.kill();
        victim.start();
        self.kills += 1;
    }

    /// The second process joins and gets its share; both fold.
    fn rebalance(&mut self) {
        let before = self.journal.owners();
        self.second.start();
        self.until("the second engine owns partitions", |course| {
            let owners = course.journal.owners();
            let moved = owners.iter().zip(&before).filter(|(now, then)| now != then).count();
            moved > 0 && owners.iter().any(|owner| *owner != owners[0])
        });
        self.told.push("a rebalance".to_owned());
    }

    /// SIGSTOP, until another process owns all its partitions; then SIGCONT: it wakes amid its own
    /// appends and outputs and must do no harm.
    fn pause_one(&mut self) {
        self.until("both engines own partitions", |course| {
            let owners = course.journal.owners();
            owners.iter().any(|owner| *owner != owners[0])
        });
        self.second.signal("STOP");
        let session = self.ground.session_timeout_ms;
        pause(session * 2);
        self.until("the other engine takes over", |course| {
            let owners = course.journal.owners();
            owners.iter().all(|owner| *owner == owners[0])
        });
        self.second.signal("CONT");
        pause(session);
        self.second.assert_running();
        self.told.push(format!("a pause of {} sessions", 2));
    }

    /// Waits until something more is folded.
    fn progress(&mut self, what: &str) {
        self.journal.catch_up();
        let before = self.journal.lines();
        self.until(what, |course| course.journal.lines() > before || course.drained());
    }

    fn drain(&mut self) {
        let begin = Instant::now();
        while !self.drained() {
            self.first.assert_running();
            assert!(begin.elapsed() < DRAIN_TIME_MAX, "not drained: {}", self.places());
            pause(100);
        }
    }

    fn drained(&mut self) -> bool {
        drained(&self.ground.names, &mut self.journal, &self.ends)
    }

    fn until(&mut self, what: &str, holds: impl Fn(&mut Course) -> bool) {
        let begin = Instant::now();
        loop {
            self.journal.catch_up();
            if holds(self) {
                return;
            }
            for engine in [&mut self.first, &mut self.second] {
                if engine.on() {
                    engine.assert_running();
                }
            }
            let waited = begin.elapsed();
            assert!(waited < PROGRESS_TIME_MAX, "{what}: not within {waited:?}; {}", self.places());
            pause(50);
        }
    }

    fn places(&self) -> String {
        let folded: Vec<_> = self.journal.chains.iter().map(|chain| chain.folded()).collect();
        format!("folded {folded:?}, owners {:?}", self.journal.owners())
    }

    /// Stops the last engine, evaluates every partition's log, and compares.
    fn finish(mut self, evaluate: impl Fn(&Log, usize) -> Evaluation) -> String {
        self.drain();
        self.first.stop();
        self.journal.catch_up();
        let judged = judge(&self.ground, &self.journal, &self.first.state, evaluate);
        let (told, folder) = (self.told.join(", "), self.ground.folder.display());
        let tally = judged.unwrap_or_else(|wrong| panic!("{told} (see {folder})\n{wrong}"));
        self.claim(&tally)
    }

    fn claim(&self, tally: &Tally) -> String {
        let records: usize = self.journal.chains.iter().map(|chain| chain.records.len()).sum();
        let runs = self.journal.chains.iter().map(|chain| chain.runs()).max().unwrap_or(0);
        let told = [
            format!("{} lines", self.journal.lines()),
            format!("{} kills", self.kills),
            self.told.join(", "),
            format!("{} decisions and {} rejects as they must be", tally.decisions, tally.rejected),
            format!("{} published again, {} overtaken", tally.repeats, tally.overtaken),
            format!(
                "{records} journal records of up to {runs} owners, {} void",
                self.journal.void()
            ),
        ];
        told.join("; ")
    }
}

/// Milliseconds since 1970.
pub fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    since.as_millis() as i64
}
