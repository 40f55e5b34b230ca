//! The Kafka that the suite runs on: the one `KAFKA_BOOTSTRAP` names, or one that `tests/kafka/broker`
//! starts and that ends with this program, however it ends. Scenarios take turns on it, since each
//! wants the whole machine. It also keeps the verdict that the test command prints last.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::disk::unmount;
use crate::proxy::Proxy;
use crate::suite::{skipped, verdict};

pub struct Cluster {
    pub bootstrap: String,
    /// The shortest that its brokers allow. Ours allow short ones, for the sake of the suite's time.
    pub session_timeout_ms: u64,
    /// What it is, for the verdict.
    pub told: String,
    /// `None` if it was given.
    pub ours: Option<Ours>,
}

/// A broker that was started here, and may be killed.
pub struct Ours {
    folder: PathBuf,
    /// Another way to the broker, which may go wrong.
    pub proxy: Proxy,
    /// Its standard input is what keeps the broker alive.
    _hold: Child,
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

impl Ours {
    /// `kill -9`. What it had written stays; what clients were told stays true.
    pub fn kill(&self) {
        self.run("kill");
    }

    /// Returns when it listens again, on the same records.
    pub fn start(&self) {
        self.run("start");
    }

    fn run(&self, verb: &str) {
        let done = Command::new(script()).arg(verb).arg(&self.folder).output();
        let done = done.expect("the broker's script can be started");
        assert!(done.status.success(), "broker {verb}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/broker")
}

fn connect() -> Result<Cluster, String> {
    if let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") {
        let told = format!("KAFKA_BOOTSTRAP={bootstrap}");
        return Ok(Cluster { bootstrap, session_timeout_ms: 6_000, told, ours: None });
    }
    let (folder, said) = (scratch("broker"), scratch("broker").with_extension("said"));
    let proxy = Proxy::listen().map_err(|e| e.to_string())?;
    let mut hold = Command::new(script())
        .args(["hold", "--proxied", proxy.port()])
        .arg(&folder)
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
    let port = fs::read_to_string(folder.join("node-1/proxied")).map_err(|e| e.to_string())?;
    proxy.lead_to(port.trim().parse().map_err(|_| format!("{port:?} is no port"))?);
    let told = "Apache Kafka 4.4.0, started here".to_owned();
    let ours = Some(Ours { folder, proxy, _hold: hold });
    Ok(Cluster { bootstrap, session_timeout_ms: 1_500, told, ours })
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
                unmount_below(&entry.path());
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        all.join(format!("kafka-{}", std::process::id()))
    });
    let folder = root.join(name);
    fs::create_dir_all(&folder).expect("the build folder can be written");
    folder
}

/// Disks that a run that was killed left mounted.
fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1).map(Path::new));
    places.filter(|place| place.starts_with(folder)).for_each(unmount);
}
