//! The storm: three engines reach the broker by a network that goes wrong all the time, while engines
//! are killed, several at once are paused past their session, the broker is killed, and a state
//! folder's disk is full. In the end nothing may be lost, invented or different. The seed fixes what
//! is decided here and by the weather; the moments depend on the machine.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::chain::Journal;
use crate::chaos::modelled;
use crate::cluster::{Cluster, Ours};
use crate::dice::{Dice, seed};
use crate::disk::Disk;
use crate::engine::{Engine, Ground, pause};
use crate::feed::Feed;
use crate::finish::{drained, judge};
use crate::reference::Tally;
use crate::suite::{say, skipped};
use crate::topics::Ends;
use crate::weather::{Counts, Weather};

const WAIT_MAX: Duration = Duration::from_secs(90);
/// From so long on, a wait is told.
const WAIT_TOLD: Duration = Duration::from_secs(10);
const DISK_MEGABYTES: u32 = 64;
/// Enough for a state, too little for RocksDB to reserve room for its log ahead of need: a full disk
/// would be noticed much later.
const DISK_BYTES_LEFT: u64 = 8 << 20;

const TWO_AT_ONCE: &str = "of these pauses, two at once";

/// How long and how hard.
pub struct Plan {
    pub seconds: u64,
    pub kills: usize,
    pub kills_per_round: usize,
    pub lines_per_second: u64,
}

impl Plan {
    /// One round: each fault at least once.
    pub fn short() -> Plan {
        Plan { seconds: 0, kills: 0, kills_per_round: 18, lines_per_second: 200 }
    }

    /// `TOLLGATE_TEST_SECONDS` and `TOLLGATE_TEST_KILLS`, at least.
    pub fn long() -> Plan {
        let of = |name: &str, usual: u64| {
            let set = std::env::var(name).ok().filter(|text| !text.is_empty());
            set.map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
        };
        Plan {
            seconds: of("TOLLGATE_TEST_SECONDS", 900),
            kills: of("TOLLGATE_TEST_KILLS", 300) as usize,
            kills_per_round: 24,
            lines_per_second: 40,
        }
    }
}

/// Runs the plan; `None` where there is no broker that may be killed.
pub fn run(cluster: &Cluster, plan: &Plan) -> Option<String> {
    let Some(ours) = &cluster.ours else {
        skipped("kafka", "chaos kills its broker, and not that of KAFKA_BOOTSTRAP: unset it");
        return None;
    };
    let mut storm = Storm::new(cluster, ours);
    let traffic = Feed::begin(&storm.ground, plan.lines_per_second);
    let begin = Instant::now();
    storm.fleet.iter_mut().for_each(Engine::start);
    storm.progress("the first engine begins");
    let weather = Weather::begin(ours, seed());
    while storm.round(plan, &weather) || begin.elapsed().as_secs() < plan.seconds {}
    for (kind, count) in weather.end() {
        storm.count(kind, count);
    }
    traffic.end();
    // Sliding windows run out without traffic, under the engine's own clock.
    pause(9_000);
    Some(storm.finish())
}

struct Storm<'a> {
    ours: &'a Ours,
    ground: Ground,
    journal: Journal,
    ends: Ends,
    dice: Dice,
    /// The first one's state folder is on `disk`.
    fleet: Vec<Engine>,
    disk: Option<Disk>,
    kills: usize,
    counts: Counts,
}

impl Storm<'_> {
    fn new<'a>(cluster: &Cluster, ours: &'a Ours) -> Storm<'a> {
        let mut ground = Ground::new(cluster, "storm");
        ground.reached_at.clone_from(&ours.proxy.address);
        let disk = Disk::mount(ground.folder.join("disk"), DISK_MEGABYTES);
        let disk = disk
            .map_err(|missing| skipped("kafka", &format!("only the full disk: {missing}")))
            .ok();
        let first = match &disk {
            Some(disk) => ground.engine_with("first", disk.folder.join("state")),
            None => ground.engine("first"),
        };
        let fleet = vec![first, ground.engine("second"), ground.engine("third")];
        Storm {
            ours,
            journal: Journal::follow(&ground.bootstrap, &ground.names.journal),
            ends: Ends::new(&ground.bootstrap),
            ground,
            dice: Dice::new(seed() + 1),
            fleet,
            disk,
            kills: 0,
            counts: Counts::new(),
        }
    }

    fn count(&mut self, kind: &'static str, count: usize) {
        *self.counts.entry(kind).or_default() += count;
    }

    /// Every kind of fault but the network's. Whether there are kills to go.
    fn round(&mut self, plan: &Plan, weather: &Weather) -> bool {
        for fault in [Self::pause_some, Self::kill_the_broker, Self::fill_the_disk] {
            let begin = Instant::now();
            for _ in 0..plan.kills_per_round / 3 {
                self.kill_one();
            }
            let killed = begin.elapsed();
            fault(self, weather);
            say(&format!("storm: {} kills, {killed:.0?} and {:.0?}", self.kills, begin.elapsed()));
        }
        self.kills < plan.kills
    }

    /// Half of the kills hit whoever just started, or just lost another; the rest come amid work.
    fn kill_one(&mut self) {
        if self.dice.percent(50) {
            pause(self.dice.below(900));
        } else {
            self.progress("an engine goes on after a kill");
            pause(self.dice.below(1_200));
        }
        let victim = self.dice.below(self.fleet.len() as u64) as usize;
        self.restart(victim);
    }

    fn restart(&mut self, number: usize) {
        self.mind();
        self.fleet[number].kill();
        self.fleet[number].start();
        self.kills += 1;
    }

    /// One or two are stopped (SIGSTOP) until the others own all, and wake amid their own appends.
    fn pause_some(&mut self, _: &Weather) {
        self.mind();
        let (awake, both) = (self.dice.below(3) as usize, self.dice.percent(70));
        let stopped: Vec<usize> =
            (0..3).filter(|number| *number != awake).take(1 + usize::from(both)).collect();
        let addresses: Vec<String> = stopped
            .iter()
            .map(|number| {
                self.fleet[*number].signal("STOP");
                self.fleet[*number].address.clone()
            })
            .collect();
        pause(self.ground.session_timeout_ms * 2);
        self.until("others take over from those that are paused", |storm| {
            let owners = storm.journal.addresses();
            !owners.iter().any(|owner| addresses.contains(owner))
        });
        for number in &stopped {
            self.fleet[*number].signal("CONT");
        }
        self.count("engines paused past their session", stopped.len());
        self.count(TWO_AT_ONCE, usize::from(both));
        pause(self.ground.session_timeout_ms);
    }

    fn kill_the_broker(&mut self, _: &Weather) {
        self.ours.kill();
        pause(300 + self.dice.below(2_000));
        self.ours.start();
        self.count("broker killed and started again", 1);
        self.progress("an engine goes on after the broker died");
    }

    /// The first engine loses its state folder; then its disk is full while it folds, and still when
    /// it starts again. It must say so, go on with what is open, and recover by itself when there is
    /// room.
    fn fill_the_disk(&mut self, weather: &Weather) {
        let Some(disk) = self.disk.take() else { return };
        // A partition that changes hands now would wait for room to open its state.
        let fair = weather.fair.lock().unwrap_or_else(PoisonError::into_inner);
        let address = self.fleet[0].address.clone();
        let appends = |storm: &mut Storm<'_>| {
            storm.journal.catch_up();
            storm.journal.appended_by(&address)
        };
        self.mind();
        self.fleet[0].kill();
        std::fs::remove_dir_all(&self.fleet[0].state).expect("it can be removed");
        self.count("state folder lost", 1);
        disk.fill_up_to(DISK_BYTES_LEFT);
        self.fleet[0].start();
        let before = appends(self);
        self.until("it folds", |storm| appends(storm) > before + 5);
        let said = self.fleet[0].said().len();
        disk.fill_up_to(0);
        let says = |storm: &mut Storm<'_>, from: usize, words: &str| {
            storm.fleet[0].said()[from..].contains(words)
        };
        let written = "is full: make room, and it is written by itself";
        self.until("it says that its disk is full", |storm| says(storm, said, written));
        let before = appends(self);
        self.until("it goes on with a full disk", |storm| appends(storm) > before + 5);
        disk.free();
        let room = "there is room: checkpoints are written again";
        self.until("it recovers where it runs", |storm| says(storm, said, room));
        let said = self.fleet[0].said().len();
        self.mind();
        self.fleet[0].kill();
        self.kills += 2;
        disk.fill_up_to(0);
        self.fleet[0].start();
        let opened = "is full: make room, and it is opened by itself";
        self.until("it says that it cannot open its state", |storm| says(storm, said, opened));
        let before = appends(self);
        disk.free();
        self.until("it recovers from its start", |storm| appends(storm) > before + 5);
        drop(fair);
        self.count("disk full, running and starting", 1);
        self.disk = Some(disk);
    }

    /// An engine that found no broker when it started is started again, as a supervisor would; one
    /// that ended for anything else is a finding.
    fn mind(&mut self) {
        for number in 0..self.fleet.len() {
            if self.fleet[number].gave_up("the topics are not usable") {
                self.fleet[number].start();
                self.count("starts that found no broker", 1);
            }
            if self.fleet[number].on() {
                self.fleet[number].assert_running();
            }
        }
    }

    /// Waits until something more is folded.
    fn progress(&mut self, what: &str) {
        self.journal.catch_up();
        let before = self.journal.lines();
        self.until(what, |storm| storm.journal.lines() > before);
    }

    fn until(&mut self, what: &str, holds: impl Fn(&mut Self) -> bool) {
        let begin = Instant::now();
        loop {
            self.journal.catch_up();
            let held = holds(self);
            let waited = begin.elapsed();
            if held {
                if waited > WAIT_TOLD {
                    say(&format!("storm: {waited:.0?} until {what}"));
                }
                return;
            }
            self.mind();
            let folder = self.ground.folder.display();
            assert!(
                waited < WAIT_MAX,
                "{what}: not within {waited:?}; {}; {folder}",
                self.places()
            );
            pause(50);
        }
    }

    fn places(&self) -> String {
        let folded: Vec<_> = self.journal.chains.iter().map(|chain| chain.folded()).collect();
        format!("folded {folded:?}, owners {:?}", self.journal.addresses())
    }

    /// Lets the first engine drain all, then compares.
    fn finish(mut self) -> String {
        self.mind();
        self.fleet[2].stop();
        self.fleet[1].stop();
        self.until("the first engine owns all", |storm| {
            let last = &storm.fleet[0].address;
            storm.journal.addresses().iter().all(|owner| owner == last)
        });
        self.until("all is folded", |storm| {
            drained(&storm.ground.names, &mut storm.journal, &storm.ends)
        });
        self.fleet[0].stop();
        self.journal.catch_up();
        say(&format!("storm: {} lines are evaluated", self.journal.lines()));
        let judged = judge(&self.ground, &self.journal, &self.fleet[0].state, modelled);
        let (seed, folder) = (seed(), self.ground.folder.display());
        let tally = judged.unwrap_or_else(|wrong| panic!("seed {seed} (see {folder})\n{wrong}"));
        self.tell(&tally);
        for (kind, count) in &self.counts {
            assert!(*count > 0 || *kind == TWO_AT_ONCE, "never happened: {kind}");
        }
        self.claim(&tally)
    }

    fn tell(&mut self, tally: &Tally) {
        self.count("engines killed (kill -9)", self.kills);
        say(&format!("storm of seed {}", seed()));
        let records: usize = self.journal.chains.iter().map(|chain| chain.records.len()).sum();
        let found = [
            ("takeovers of a partition", self.journal.takeovers()),
            ("journal records in the valid chain", records),
            ("journal records void", self.journal.void()),
            ("lines", self.journal.lines() as usize),
            ("decisions", tally.decisions),
            ("rejects", tally.rejected),
            ("totals", tally.totals),
            ("published again, the same", tally.repeats),
            ("block records overtaken", tally.overtaken),
            ("lost", 0),
            ("invented", 0),
            ("differing", 0),
        ];
        let faults = self.counts.iter().map(|(kind, count)| (*kind, *count));
        for (kind, count) in faults.chain(found) {
            say(&format!("  {kind:<42}{count:>9}"));
        }
    }

    fn claim(&self, tally: &Tally) -> String {
        let faults: usize = self.counts.values().sum();
        format!(
            "a storm of {} kills and {} other faults; {} lines, {} decisions, {} rejects, {} \
             totals: 0 lost, 0 invented, 0 differing",
            self.kills,
            faults - self.kills,
            self.journal.lines(),
            tally.decisions,
            tally.rejected,
            tally.totals
        )
    }
}
