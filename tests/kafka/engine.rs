//! `tollgate` as an operator runs it: configuration files, the command line, signals. Nothing in here
//! looks into the engine; what it did is read from the topics.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, scratch};

pub const PARTITIONS: i32 = 4;

const STOP_TIME_MAX: Duration = Duration::from_secs(60);

/// A set of topics and a folder that belong to one scenario.
pub struct Ground {
    pub folder: PathBuf,
    pub bootstrap: String,
    /// Where the engines reach the brokers.
    pub reached_at: String,
    pub session_timeout_ms: u64,
    pub names: Names,
    /// What stands at the end of every configuration.
    pub more: String,
}

/// The topics' names, of their own in each run, so that a cluster given from outside can be used again.
pub struct Names {
    pub billed: String,
    pub commands: String,
    pub journal: String,
    pub threshold_crossed: String,
    pub limit_reached: String,
    pub block_state: String,
    pub dead_letter: String,
    pub deliveries: String,
    pub undelivered: String,
    pub sms_requests: String,
    group: String,
}

impl Names {
    fn new(scenario: &str) -> Names {
        let name = |last: &str| format!("{scenario}-{}.{last}", std::process::id());
        Names {
            billed: name("billed"),
            commands: name("commands"),
            journal: name("journal"),
            threshold_crossed: name("threshold-crossed"),
            limit_reached: name("limit-reached"),
            block_state: name("block-state"),
            dead_letter: name("dead-letter"),
            deliveries: name("deliveries"),
            undelivered: name("undelivered"),
            sms_requests: name("sms-requests"),
            group: name("engine"),
        }
    }
}

impl Ground {
    /// Creates the topics, by the command that a newcomer would type.
    pub fn new(cluster: &Cluster, scenario: &str) -> Ground {
        let ground = Ground {
            folder: scratch(scenario),
            bootstrap: cluster.bootstrap.clone(),
            reached_at: cluster.bootstrap.clone(),
            session_timeout_ms: cluster.session_timeout_ms,
            names: Names::new(scenario),
            more: String::new(),
        };
        let config = ground.config("topics");
        let config = config.to_str().expect("the path is UTF-8");
        tollgate(&["topics", "create", "--config", config]);
        tollgate(&["topics", "check", "--config", config]);
        ground
    }

    /// The engine of this name, with a state folder and a port of its own; not yet started.
    pub fn engine(&self, name: &str) -> Engine {
        self.engine_with(name, self.folder.join(format!("{name}.state")))
    }

    pub fn engine_with(&self, name: &str, state: PathBuf) -> Engine {
        let address = free_address();
        Engine {
            name: name.to_owned(),
            config: self.write_config(name, &state, &address),
            address,
            log: self.folder.join(format!("{name}.log")),
            state,
            roles: None,
            child: None,
        }
    }

    pub fn config(&self, name: &str) -> PathBuf {
        self.write_config(name, &self.folder.join(format!("{name}.state")), &free_address())
    }

    fn write_config(&self, name: &str, state: &Path, listen: &str) -> PathBuf {
        let names = &self.names;
        let text = format!(
            r#"[kafka]
bootstrap = ["{}"]
group = "{}"
session_timeout_ms = {}
[topics]
billed = "{}"
commands = "{}"
journal = "{}"
threshold_crossed = "{}"
limit_reached = "{}"
block_state = "{}"
dead_letter = "{}"
deliveries = "{}"
undelivered = "{}"
sms_requests = "{}"
partitions = {PARTITIONS}
replication = 1
[engine]
threads = 2
state_dir = "{}"
checkpoint_interval_ms = 1000
[http]
listen = "{listen}"
{}"#,
            self.reached_at.replace(',', "\", \""),
            names.group,
            self.session_timeout_ms,
            names.billed,
            names.commands,
            names.journal,
            names.threshold_crossed,
            names.limit_reached,
            names.block_state,
            names.dead_letter,
            names.deliveries,
            names.undelivered,
            names.sms_requests,
            state.display(),
            self.more,
        );
        let path = self.folder.join(format!("{name}.toml"));
        fs::write(&path, text).expect("the build folder can be written");
        path
    }
}

/// Below the ports that the kernel gives to outgoing connections: one of those could take it while
/// the engine is down.
fn free_address() -> String {
    static LAST: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() % 10_000;
    loop {
        let next = first + u32::from(LAST.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.0.0.1:{}", 20_000 + next % 10_000);
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// One engine: a name, a state folder, and at most one process at a time.
pub struct Engine {
    pub name: String,
    /// By which the journal names it.
    pub address: String,
    config: PathBuf,
    log: PathBuf,
    pub state: PathBuf,
    /// Its roles; all where none are named.
    pub roles: Option<&'static str>,
    child: Option<Child>,
}

impl Engine {
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "engine {} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log).expect("a log opens");
        let child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["run", "--config"])
            .arg(&self.config)
            .args(self.roles.iter().flat_map(|roles| ["--roles", roles]))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log opens"))
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("tollgate can be started"));
    }

    /// What `kill -9` does: no warning, no last word.
    pub fn kill(&mut self) {
        self.assert_running();
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    /// SIGTERM, upon which it must end with 0 within its time.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let mut child = self.child.take().expect("it runs");
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                assert!(status.success(), "engine {}: {status}\n{}", self.name, self.log_tail());
                return;
            }
            if begin.elapsed() > STOP_TIME_MAX {
                let _ = child.kill();
                panic!("engine {} does not stop\n{}", self.name, self.log_tail());
            }
            pause(50);
        }
    }

    pub fn signal(&mut self, name: &str) {
        self.assert_running();
        let line = format!("kill -{name} {}", self.pid());
        let sent = Command::new("sh").args(["-c", &line]).status().expect("sh can be started");
        assert!(sent.success(), "{line}");
    }

    /// Whether it was started and not ended here.
    pub fn on(&self) -> bool {
        self.child.is_some()
    }

    /// Forgets a process that ended by itself with exit code 1, and with these words at last.
    /// Whether there was one.
    pub fn gave_up(&mut self, words: &str) -> bool {
        let Some(child) = &mut self.child else { return false };
        let ended = child.try_wait().expect("it can be waited for");
        let gave_up =
            ended.is_some_and(|status| status.code() == Some(1)) && self.log_tail().contains(words);
        if gave_up {
            self.child = None;
        }
        gave_up
    }

    /// All that its processes ever said.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// An engine that ended by itself is a finding, whatever else the scenario looks at.
    pub fn assert_running(&mut self) {
        let child = self.child.as_mut().unwrap_or_else(|| panic!("engine {} is off", self.name));
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            panic!("engine {} ended by itself: {status}\n{}", self.name, self.log_tail());
        }
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    fn log_tail(&self) -> String {
        let text = self.said();
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(25)..];
        format!("the end of {}:\n{}", self.log.display(), tail.join("\n"))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs a command to its end; anything but exit code 0 fails the test with what it said.
pub fn tollgate(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("tollgate can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tollgate {}: {}\n{said}", arguments.join(" "), output.status);
    output
}

pub fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}
