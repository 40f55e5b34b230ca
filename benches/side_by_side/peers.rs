//! What a user would pick instead, on the same topic in the same run: Kafka Streams and Flink, which
//! keep the same eight totals, and neither look for duplicates nor decide anything.

use std::process::{Command, Stdio};

use serde_json::Value;
use tollgate::generate::{Options, Share, Shares};

use crate::Scale;
use crate::engine::Settings;
use crate::journal::{consumer, records_in};
use crate::stage::{Stage, root};
use crate::table::Table;
use crate::throughput::{PARTITIONS, filled, fold, options};

pub fn all(stage: &Stage, scale: Scale, table: &mut Table) {
    let script = root().join("benches/peers/run");
    let built =
        Command::new(&script).arg("build").status().expect("benches/peers/run can be started");
    assert!(built.success(), "benches/peers/run build: see what was said above");
    // They know nothing of repeats and bad records, so there are none.
    let kept = options(scale);
    let none = Share::NONE;
    let shares = Shares { duplicates: none, conflicts: none, garbage: none, ..kept.shares };
    let topics = filled(stage, "peers", PARTITIONS, &Options { shares, ..kept }, true);
    let asking =
        consumer(&stage.bootstrap, &topics.billed, 0..topics.partitions, rdkafka::Offset::End);
    let events = records_in(&asking, &topics.billed, 0..topics.partitions);
    drop(asking);
    let own = fold(stage, "peers-tollgate", &topics, Settings::default()).lines_per_second;
    table.beside_drain("tollgate run, the peers' topic", own, "lines/s");
    let mut sums = Vec::new();
    for peer in ["streams", "flink"] {
        let folder = stage.scratch(&format!("peer-{peer}"));
        let output = Command::new(&script)
            .args([peer, "--bootstrap", &stage.bootstrap, "--topic", &topics.billed])
            .args(["--events", &events.to_string(), "--threads", "2", "--dir"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .expect("benches/peers/run can be started");
        assert!(output.status.success(), "{peer}: {}", output.status);
        let said: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
        assert_eq!(said["events"].as_u64(), Some(events), "{peer} counted otherwise");
        sums.push(["cost_micros", "requests", "rows"].map(|sum| said[sum].clone()));
        let name =
            format!("{} {}", said["peer"].as_str().unwrap(), said["version"].as_str().unwrap());
        let rate = events as f64 / said["seconds"].as_f64().unwrap();
        table.beside_drain(name.clone(), rate, "events/s");
        table.compared(format!("tollgate run beside {name}"), own, "lines/s", peer, rate);
        let _ = std::fs::remove_dir_all(folder);
    }
    assert_eq!(sums[0], sums[1], "the peers keep different totals");
}
