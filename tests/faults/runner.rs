//! What the process does when a thread of it breaks a rule of its own: it ends, in order and with an
//! error that says so. Nothing hangs in silence. The brokers are librdkafka's mock cluster.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use tollgate::engine::kafka::{self, Kafka};
use tollgate::engine::runner::{self, Desk, Setup};
use tollgate::fault_point::{self, Action, Plan};
use tollgate::store::rocks;
use tollgate::telemetry::Telemetry;
use tollgate::wire::{self, Decoder, Encoder, OutputFormat};

use crate::rig;

const POINT: &str = "TOLLGATE_TEST_POINT";
/// The way down takes ten seconds at most.
const ENDS_WITHIN: Duration = Duration::from_secs(40);

const TOPICS: [&str; 7] = ["billed", "commands", "journal", "crossed", "reached", "blocks", "dead"];

fn setup(bootstrap: String, state_dir: &Path) -> Setup {
    let [billed, commands, journal, threshold_crossed, limit_reached, block_state, dead_letter] =
        TOPICS.map(str::to_owned);
    let topics = kafka::Topics {
        billed,
        commands,
        journal,
        threshold_crossed,
        limit_reached,
        block_state,
        dead_letter,
    };
    let kafka = Kafka::new(kafka::Options {
        bootstrap,
        group: "engine".to_owned(),
        client: [("allow.auto.create.topics".to_owned(), "false".to_owned())].into(),
        session_timeout_ms: 10_000,
        instance_id: None,
        topics,
    });
    Setup {
        kafka: kafka.unwrap(),
        encoder: Encoder::new(OutputFormat::Json, wire::Topics::default(), None).unwrap(),
        options: tollgate::engine::options::Options {
            checkpoint_interval_ms: 0,
            partitions: 2,
            ..rig::options("runner")
        },
        threads: 2,
        state_dir: state_dir.to_owned(),
        databases: rocks::Options::default(),
        telemetry: Telemetry::default(),
        desk: Desk::default(),
    }
}

/// What a child process does: an engine of two threads, one of which meets the fault.
#[test]
#[ignore = "a part of the next test"]
fn an_armed_engine() {
    let point = std::env::var(POINT).expect("set by the test that runs this");
    fault_point::arm(Some(Plan { point, action: Action::Panic, hit: 1 }));
    let cluster = MockCluster::new(1).unwrap();
    for topic in TOPICS {
        cluster.create_topic(topic, 2, 1).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let decoder = Decoder::new(&wire::Options::default()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    // A fault on the way down needs one.
    if std::env::var(POINT).is_ok_and(|point| point == "engine.wind_down") {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(8));
            stop.store(true, Ordering::Relaxed);
        });
    }
    let outcome = runner::run(setup(cluster.bootstrap_servers(), folder.path()), &decoder, &stop);
    println!(
        "the engine ended: {}",
        outcome.map_or_else(|error| error.to_string(), |()| "well".to_owned())
    );
}

fn ends(point: &str) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "--nocapture", "runner::an_armed_engine"]);
    let out = tempfile::NamedTempFile::new().unwrap();
    child.env(POINT, point).stdout(out.reopen().unwrap()).stderr(out.reopen().unwrap());
    let (mut child, began) = (child.spawn().unwrap(), Instant::now());
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > ENDS_WITHIN {
            child.kill().unwrap();
            panic!("{point}: it hangs: {}", std::fs::read_to_string(out.path()).unwrap());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let said = std::fs::read_to_string(out.path()).unwrap();
    assert!(said.contains("broke a rule of its own"), "{point}: {said}");
}

#[test]
fn an_engine_thread_that_panics_ends_the_process_with_an_error() {
    ends("recovery.done");
}

#[test]
fn a_checkpoint_thread_that_panics_ends_the_process_with_an_error() {
    ends("store.begin");
}

#[test]
fn a_panic_on_the_way_down_is_an_error_too() {
    ends("engine.wind_down");
}
