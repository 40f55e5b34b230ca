//! Thousands of notifications to receivers that drop, delay, refuse and reset, by notifiers that
//! are killed and paused all the while: each is delivered, and none is sent again once its
//! delivery is recorded.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Mutex;

use serde_json::json;

use crate::dice::{self, Dice};
use crate::engine::pause;
use crate::office::{Office, within};
use crate::receiver::{Receiver, Temper};

const ACCOUNTS: usize = 40;
const LIMITS: usize = 75;
const KILLS: usize = 16;
/// A notifier that was stopped with the record of an answer on its way lets it land when it wakes;
/// whoever has the delivery since then has read it after so long, on a busy machine.
const READ_MS: i64 = 1_500;
/// Of one delivery; with so few attempts that could all fail none must be given up.
const RETRIES: &str = "retries_ms = [50, 100, 100, 200, 200, 400, 400, 800, 800, 1000, 1000, 1000, \
    1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000]\n\
    failures_to_pause = 30\npause_ms = 300\nattempts_per_host_max = 32\nattempt_timeout_ms = 2000\n";

#[test]
fn each_is_delivered_and_none_is_sent_again_once_that_is_recorded() {
    let Some((cluster, office)) = Office::open("notify-storm", RETRIES) else { return };
    let seed = dice::seed();
    let dice = Mutex::new(Dice::new(seed));
    let receiver = Receiver::start(move |_, _| {
        let mut dice = dice.lock().expect("no holder panics");
        match dice.below(20) {
            0 | 1 => Temper::HangsUp,
            2 | 3 => Temper::Resets,
            4 | 5 => Temper::Answers(500, ""),
            6 => Temper::Answers(503, "retry-after: 1"),
            7 => Temper::Answers(302, "location: http://127.0.0.1:1/"),
            8 => Temper::Slow(2_500, 200),
            9 => Temper::Slow(300, 200),
            _ => Temper::Answers(200, ""),
        }
    });
    let accounts: Vec<String> = (0..ACCOUNTS).map(|number| format!("acme-{number}")).collect();
    for account in &accounts {
        office.set(account, "preferences_set", &json!({"webhook": receiver.url("/hook")}));
    }
    let mut notifiers = [office.notifier("one"), office.notifier("two")];
    for notifier in &mut notifiers {
        notifier.start();
    }
    let mut dice = Dice::new(seed + 1);
    let (mut wanted, mut pauses) = (BTreeSet::new(), 0);
    for kill in 0..KILLS {
        for limit in kill * LIMITS / KILLS..(kill + 1) * LIMITS / KILLS {
            wanted.extend(accounts.iter().map(|it| office.reach(it, &format!("limit_{limit}"))));
        }
        office.writer.flush();
        pause(600 + dice.below(1_200));
        let hit = &mut notifiers[kill % 2];
        if kill % 5 == 4 {
            // Long enough for the group to give its partitions away: it wakes as a stranger.
            hit.signal("STOP");
            pause(office.ground.session_timeout_ms + 1_500);
            hit.signal("CONT");
            pauses += 1;
        } else {
            hit.kill();
            hit.start();
        }
    }
    let count = wanted.len();
    within(180, "every delivery has ended", || {
        let standings = office.standings();
        standings.len() == count && standings.values().all(|it| it.ended_at.is_some())
    });
    for notifier in &mut notifiers {
        notifier.stop();
    }
    let standings = office.standings();
    let given_up = standings.values().filter(|it| it.ending != "delivered").count();
    assert_eq!(given_up, 0, "none is given up");
    let told: BTreeSet<String> = standings.values().map(of_decision).collect();
    assert_eq!(told, wanted, "each decision has its delivery, and nothing else has one");

    let mut acknowledged = HashMap::<String, usize>::new();
    let (mut late, mut attempts) = (Vec::new(), HashSet::new());
    for request in receiver.requests() {
        let id = request.header("webhook-id").to_owned();
        let body = request.json();
        assert_eq!(body["meta"]["delivered_to"], receiver.url("/hook"));
        attempts.insert((id.clone(), body["meta"]["attempt"].as_u64()));
        let ended_at = standings[&id].ended_at.expect("all ended");
        if request.at > ended_at + READ_MS {
            late.push(id.clone());
        }
        if matches!(request.temper, Temper::Answers(200, _) | Temper::Slow(300, _)) {
            *acknowledged.entry(id).or_default() += 1;
        }
    }
    assert_eq!(late, Vec::<String>::new(), "sent again after the delivery was recorded");
    // A notifier that dies between an answer and its record cannot know of the answer.
    let repeats: usize = acknowledged.values().map(|times| times - 1).sum();
    let in_flight_max = KILLS * 32;
    assert!(repeats <= in_flight_max, "{repeats} repeats after an answer that nobody recorded");
    let delivered = acknowledged.len();
    assert_eq!(delivered, count, "the receiver said 200 to each");
    let (kills, requests) = (KILLS - pauses, receiver.requests().len());
    cluster.passed(&format!(
        "{count} notifications in {requests} requests to a receiver that fails 4 of 10, \
         {kills} notifiers killed and {pauses} paused: each delivered, 0 sent again after its \
         delivery was recorded, {repeats} repeated whose answer died with the notifier"
    ));
}

fn of_decision(standing: &crate::office::Standing) -> String {
    standing.newest["notice"]["id"].as_str().expect("a decision's id").to_owned()
}
