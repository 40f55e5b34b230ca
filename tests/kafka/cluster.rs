//! The Kafka that the suite runs on: the one `KAFKA_BOOTSTRAP` names, or one that `tests/kafka/broker`
//! starts and that ends with this program, however it ends. Scenarios take turns on it, since each
//! wants the whole machine. It also keeps the verdict that the test command prints last.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::suite::{skipped, verdict};

pub struct Cluster {
    pub bootstrap: String,
    /// The shortest that its brokers allow. Ours allow short ones, for the sake of the suite's time.
    pub session_timeout_ms: u64,
    /// What it is, for the verdict.
    pub told: String,
    /// Its standard input is what keeps the broker alive.
    _hold: Option<Child>,
}

static CLUSTER: OnceLock<Result<Mutex<Cluster>, String>> = OnceLock::new();

/// The cluster, for one scenario alone; `None` where there is none, which is told, and which is a
/// failure under `CI=true`.
pub fn take() -> Option<MutexGuard<'static, Cluster>> {
    match CLUSTER.get_or_init(|| connect().map(Mutex::new)) {
        Ok(cluster) => Some(cluster.lock().unwrap_or_else(PoisonError::into_inner)),
        Err(missing) => {
            skipped("kafka", missing);
            None
        }
    }
}

impl Cluster {
    /// Says what a scenario showed.
    pub fn passed(&self, claim: &str) {
        verdict("kafka", &format!("ran on {}: {claim}", self.told));
    }
}

fn connect() -> Result<Cluster, String> {
    if let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") {
        let told = format!("KAFKA_BOOTSTRAP={bootstrap}");
        return Ok(Cluster { bootstrap, session_timeout_ms: 6_000, told, _hold: None });
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/broker");
    let said = scratch("broker").with_extension("said");
    let mut hold = Command::new(script)
        .arg("hold")
        .arg(scratch("broker"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&said).map_err(|e| e.to_string())?)
        .spawn()
        .map_err(|e| format!("tests/kafka/broker: {e}"))?;
    let mut bootstrap = String::new();
    let out = hold.stdout.take().expect("stdout is piped");
    BufReader::new(out).read_line(&mut bootstrap).map_err(|e| e.to_string())?;
    let bootstrap = bootstrap.trim().to_owned();
    if bootstrap.is_empty() {
        return Err(fs::read_to_string(said).unwrap_or_default().trim().to_owned());
    }
    let told = "Apache Kafka 4.4.0, started here".to_owned();
    Ok(Cluster { bootstrap, session_timeout_ms: 1_500, told, _hold: Some(hold) })
}

/// A folder for this run of the suite; what earlier runs left behind goes.
pub fn scratch(name: &str) -> PathBuf {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
        for entry in fs::read_dir(all).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = name.strip_prefix("kafka-").and_then(|pid| pid.parse::<u32>().ok());
            if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        all.join(format!("kafka-{}", std::process::id()))
    });
    let folder = root.join(name);
    fs::create_dir_all(&folder).expect("the build folder can be written");
    folder
}
