//! What all parts stand on: a real broker, started here, and a folder that goes at the end. The
//! broker lives as long as this process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Where everything runs.
pub struct Stage {
    pub bootstrap: String,
    pub folder: PathBuf,
    /// The machine and the programs, for the table's head.
    pub told: String,
    /// Its standard input keeps the broker alive.
    _hold: Option<Child>,
}

/// The program to measure.
pub fn tollgate() -> PathBuf {
    std::env::var_os("BENCH_TOLLGATE")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_tollgate")), PathBuf::from)
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Stage {
    pub fn start() -> Stage {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the build folder can be written");
        let given = std::env::var("KAFKA_BOOTSTRAP").ok();
        let kafka = given.as_deref().map_or("Apache Kafka 4.4.0, started here", |given| given);
        let told = format!("{}; {kafka}; {}", machine(), build());
        let (bootstrap, hold) = match &given {
            Some(given) => (given.clone(), None),
            None => {
                let (bootstrap, hold) = broker(&folder.join("broker"));
                (bootstrap, Some(hold))
            }
        };
        Stage { bootstrap, folder, told, _hold: hold }
    }

    /// A folder of this name, new.
    pub fn scratch(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the build folder can be written");
        folder
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut hold) = self._hold.take() {
            drop(hold.stdin.take());
            let _ = hold.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn broker(folder: &Path) -> (String, Child) {
    let mut hold = Command::new(root().join("tests/kafka/broker"))
        .arg("hold")
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tests/kafka/broker can be started");
    let mut bootstrap = String::new();
    let out = hold.stdout.take().expect("stdout is piped");
    BufReader::new(out).read_line(&mut bootstrap).expect("the broker's script says something");
    assert!(!bootstrap.trim().is_empty(), "no broker: see what was said above");
    (bootstrap.trim().to_owned(), hold)
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("a processor", |rest| rest.trim_start_matches([' ', '\t', ':']));
    format!("{cores} cores of {model}")
}

fn build() -> &'static str {
    if cfg!(debug_assertions) { "dev profile" } else { "release profile" }
}

/// Runs the program to its end; anything but exit code 0 ends the measurement with what it said.
pub fn run(arguments: &[&str]) -> Output {
    let output = Command::new(tollgate())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("tollgate can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tollgate {}: {said}", arguments.join(" "));
    output
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

/// Bytes of the files below.
pub fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(of) if of.is_dir() => bytes_below(&entry.path()),
        Ok(of) => of.len(),
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}
