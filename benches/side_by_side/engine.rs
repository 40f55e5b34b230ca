//! `tollgate run` as an operator starts it: topics, a configuration file, a process. What it did is
//! read from the journal and from what the system says of the process.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::stage::{Stage, bytes_below, run, text, tollgate};

/// How long the last checkpoint of a filling may take.
const WRITTEN_WITHIN: Duration = Duration::from_secs(120);

/// Names of the topics that everybody reads; the rest is each engine's own.
#[derive(Clone)]
pub struct Topics {
    pub billed: String,
    pub commands: String,
    pub partitions: i32,
}

impl Topics {
    pub fn new(name: &str, partitions: i32) -> Topics {
        let named = |kind: &str| format!("{name}-{}.{kind}", std::process::id());
        Topics { billed: named("billed"), commands: named("commands"), partitions }
    }
}

/// What a part asks of an engine; the rest are the defaults that a user gets.
#[derive(Clone, Copy)]
pub struct Settings {
    pub threads: usize,
    pub memory_bytes_max: usize,
    pub static_member: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { threads: 2, memory_bytes_max: 2 << 30, static_member: false }
    }
}

pub struct Engine {
    pub topics: Topics,
    pub journal: String,
    pub block_state: String,
    /// A topic that the engine neither reads nor writes.
    pub unused: String,
    config: PathBuf,
    state: PathBuf,
    log: PathBuf,
    address: String,
    child: Option<Child>,
}

impl Engine {
    /// Makes the topics that are not there yet, by the command that a newcomer would type.
    pub fn new(stage: &Stage, name: &str, topics: &Topics, settings: Settings) -> Engine {
        let folder = stage.scratch(name);
        let own = |kind: &str| format!("{name}-{}.{kind}", std::process::id());
        let engine = Engine {
            topics: topics.clone(),
            journal: own("journal"),
            block_state: own("block-state"),
            unused: own("deliveries"),
            config: folder.join("tollgate.toml"),
            state: folder.join("state"),
            log: folder.join("log"),
            address: free_address(),
            child: None,
        };
        let instance =
            if settings.static_member { "instance_id = \"bench\"\n" } else { Default::default() };
        let config = format!(
            r#"[kafka]
bootstrap = ["{}"]
group = "{}"
session_timeout_ms = 6000
{instance}[topics]
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
partitions = {}
replication = 1
[engine]
threads = {}
memory_bytes_max = {}
state_dir = "{}"
[http]
listen = "{}"
"#,
            stage.bootstrap,
            own("group"),
            topics.billed,
            topics.commands,
            engine.journal,
            own("threshold-crossed"),
            own("limit-reached"),
            engine.block_state,
            own("dead-letter"),
            engine.unused,
            own("undelivered"),
            own("sms-requests"),
            topics.partitions,
            settings.threads,
            settings.memory_bytes_max,
            engine.state.display(),
            engine.address,
        );
        fs::write(&engine.config, config).expect("the build folder can be written");
        run(&["topics", "create", "--config", text(&engine.config)]);
        engine
    }

    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).expect("a log opens");
        let child = Command::new(tollgate())
            .args(["run", "--roles", "engine", "--config", text(&self.config)])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log opens"))
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("tollgate can be started"));
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    /// SIGTERM, upon which it must end with 0.
    pub fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let line = format!("kill -TERM {}", child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(60) {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                assert!(status.success(), "{status}\n{}", self.said());
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("the engine does not stop\n{}", self.said());
    }

    /// Panics with its last words if it ended by itself.
    pub fn assert_running(&mut self) {
        let child = self.child.as_mut().expect("it was started");
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            panic!("the engine ended: {status}\n{}", self.said());
        }
    }

    /// Resident bytes now (`VmRSS`) or at most so far (`VmHWM`).
    pub fn memory_bytes(&self, line: &str) -> f64 {
        let child = self.child.as_ref().expect("it runs");
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
        let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        let kib = found.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kib.expect("Linux says it in KiB") * 1024.0
    }

    /// Seconds of processor time so far, of all its threads. Linux counts them in hundredths.
    pub fn cpu_seconds(&self) -> f64 {
        let child = self.child.as_ref().expect("it runs");
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it runs");
        // Behind the name, which may hold anything: user and system time are the 14th and 15th.
        let behind = stat.rsplit(')').next().expect("a name in parentheses");
        let ticks = behind.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>());
        ticks.map(|ticks| ticks.expect("a number")).sum::<f64>() / 100.0
    }

    pub fn state_bytes(&self) -> f64 {
        bytes_below(&self.state) as f64
    }

    /// Waits until the state on disk is that of the last journal record, in every partition.
    pub fn until_written(&self) {
        let deadline = Instant::now() + WRITTEN_WITHIN;
        loop {
            let metrics = self.metrics().expect("it serves its metrics");
            let positions = |of: &str| {
                let found: Vec<&str> =
                    metrics.lines().filter_map(|it| it.strip_prefix(of)).collect();
                assert!(!found.is_empty(), "{of}: no such metric");
                found
            };
            if positions("tollgate_checkpoint_position") == positions("tollgate_journal_position") {
                return;
            }
            assert!(Instant::now() < deadline, "no checkpoint in {WRITTEN_WITHIN:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn metrics(&self) -> io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Rows of totals in the state folder, by `tollgate state summary`.
    pub fn state_totals(&self) -> f64 {
        let said = run(&["state", "summary", "--state-dir", text(&self.state)]);
        let partitions = serde_json::Deserializer::from_slice(&said.stdout).into_iter();
        let rows = partitions.map(|partition| {
            let partition: serde_json::Value = partition.expect("a summary is JSON");
            partition["rows"]["tally"].as_f64().expect("a state has totals")
        });
        rows.sum()
    }

    fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(folder) = self.config.parent() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").to_string()
}
