//! The network's bad days: a thread that lets one fault after the other befall the proxy, drawn by a
//! seed in rounds that hold each kind once. In the end it counts what it did.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::cluster::Ours;
use crate::dice::Dice;
use crate::engine::pause;
use crate::proxy::{Cut, Proxy};

/// Faults by their kind.
pub type Counts = BTreeMap<&'static str, usize>;

#[derive(Clone, Copy)]
enum Fault {
    Delay,
    Stall,
    LoseAnswers,
    Cut(&'static str, Cut),
}

const KINDS: [Fault; 8] = [
    Fault::Delay,
    Fault::Stall,
    Fault::LoseAnswers,
    Fault::Cut("connections closed", Cut::Close),
    Fault::Cut("connections reset", Cut::Reset),
    Fault::Cut("connections to be torn in an answer", Cut::Tear),
    Fault::Cut("connections half-closed to the broker", Cut::HalfToBroker),
    Fault::Cut("connections half-closed to the engine", Cut::HalfToEngine),
];

pub struct Weather {
    /// Who holds it has fair weather.
    pub fair: Arc<Mutex<()>>,
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Counts>,
}

impl Weather {
    pub fn begin(ours: &Ours, seed: u64) -> Weather {
        let ending = Arc::new(AtomicBool::default());
        let (proxy, over) = (ours.proxy.clone(), Arc::clone(&ending));
        let fair = Arc::<Mutex<()>>::default();
        let foul = Arc::clone(&fair);
        let mut dice = Dice::new(seed);
        let thread = std::thread::spawn(move || {
            let mut counts = Counts::new();
            let mut every_kind_once = false;
            while !over.load(Ordering::Relaxed) {
                for fault in shuffled(&mut dice) {
                    let now = foul.lock().unwrap_or_else(PoisonError::into_inner);
                    befall(&proxy, fault, &mut dice, &mut counts);
                    drop(now);
                    pause(400 + dice.below(1_600));
                    if every_kind_once && over.load(Ordering::Relaxed) {
                        break;
                    }
                }
                every_kind_once = true;
            }
            *counts.entry("answers torn in the middle").or_default() += proxy.torn();
            *counts.entry("produce answers lost").or_default() += proxy.answers_lost();
            counts
        });
        Weather { fair, ending, thread }
    }

    /// Fair weather from now on.
    pub fn end(self) -> Counts {
        self.ending.store(true, Ordering::Relaxed);
        self.thread.join().expect("the weather does not panic")
    }
}

fn shuffled(dice: &mut Dice) -> [Fault; KINDS.len()] {
    let mut kinds = KINDS;
    for last in (1..kinds.len()).rev() {
        kinds.swap(last, dice.below(last as u64 + 1) as usize);
    }
    kinds
}

fn befall(proxy: &Proxy, fault: Fault, dice: &mut Dice, counts: &mut Counts) {
    let (kind, hit) = match fault {
        Fault::Delay => {
            proxy.delay(20 + dice.below(300));
            ("times of delay", 1)
        }
        Fault::Stall => ("connections stalled", proxy.stall(dice)),
        Fault::LoseAnswers => {
            proxy.lose_answers(1 + dice.below(3) as usize);
            ("times in which answers get lost", 1)
        }
        Fault::Cut(kind, cut) => loop {
            // While the broker is down there is nothing to cut.
            let hit = proxy.cut(cut, dice);
            if hit > 0 {
                break (kind, hit);
            }
            pause(100);
        },
    };
    *counts.entry(kind).or_default() += hit;
    if !matches!(fault, Fault::Cut(..)) {
        pause(300 + dice.below(3_000));
        proxy.calm();
    }
}
