//! `server.py` as a child of the test.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::{python, suite};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/notify_mail")
}

/// The Python with aiosmtpd; tests of one program take turns in making it.
fn python() -> Result<PathBuf, String> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().expect("making it does not panic");
    python::with_packages("mail", &folder().join("requirements.txt"))
}

pub struct Server {
    pub port: u16,
    child: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    ca: tempfile::TempPath,
}

impl Server {
    /// `None` where Python or PyPI is missing, which is told, and a failure under `CI=true`.
    pub fn start(asked: &Value) -> Option<Server> {
        let python = match python() {
            Ok(python) => python,
            Err(missing) => {
                suite::skipped("mail", &missing);
                return None;
            }
        };
        let ca = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
        let mut asked = asked.clone();
        asked["ca"] = json!(ca.to_str());
        let mut child = Command::new(python)
            .arg(folder().join("server.py"))
            .arg(asked.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let stdin = child.stdin.take().expect("stdin is piped");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut port = String::new();
        stdout.read_line(&mut port).expect("the server says its port");
        let port = port.trim().parse().expect("a port");
        Some(Server { port, child, pipes: RefCell::new((stdin, stdout)), ca })
    }

    /// The certificate of the server's own CA, as PEM.
    pub fn certificate(&self) -> Vec<u8> {
        std::fs::read(&self.ca).expect("the server wrote it")
    }

    /// What came to the server so far.
    pub fn seen(&self) -> Value {
        let mut pipes = self.pipes.borrow_mut();
        writeln!(pipes.0).expect("the server reads");
        let mut line = String::new();
        pipes.1.read_line(&mut line).expect("the server answers");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The certificate of a CA that signed nothing.
pub fn pem(name: &str) -> Vec<u8> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{number}.pem"));
    let made = "import sys, trustme; trustme.CA().cert_pem.write_to_path(sys.argv[1])";
    let python = python().expect("it was there for the server");
    let status = Command::new(python).args(["-c", made]).arg(&file).status();
    assert!(status.expect("python starts").success());
    std::fs::read(file).expect("python wrote it")
}

/// A mail as Python's parser reads it: `headers`, `body`, `defects`, and the length of its longest
/// line.
pub fn parsed(mail: &Value) -> Value {
    let mut child = Command::new(python().expect("it was there for the server"))
        .arg(folder().join("read_mail.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(mail["mail"].as_str().expect("base64").as_bytes()).expect("python reads");
    drop(stdin);
    let output = child.wait_with_output().expect("python ends");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The body of a mail that was parsed. How many blank lines close it depends on its encoding.
pub fn body(parsed: &Value) -> String {
    parsed["body"].as_str().expect("a text").trim_end().to_owned()
}
