//! `server.py` as a child of the test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::python::{self, Program};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/notify_mail")
}

/// The Python with aiosmtpd.
fn python() -> Result<PathBuf, String> {
    python::with_packages("mail", &folder().join("requirements.txt"))
}

pub struct Server {
    pub port: u16,
    program: Program,
    ca: tempfile::TempPath,
}

impl Server {
    /// `None` where Python or PyPI is missing, which is told, and a failure under `CI=true`.
    pub fn start(asked: &Value) -> Option<Server> {
        let ca = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
        let mut asked = asked.clone();
        asked["ca"] = json!(ca.to_str());
        let program = Program::start("mail", &folder(), "server.py", &[&asked.to_string()])?;
        let port = program.told("the server says its port").as_u64().expect("a port");
        Some(Server { port: port.try_into().expect("a port"), program, ca })
    }

    /// The certificate of the server's own CA, as PEM.
    pub fn certificate(&self) -> Vec<u8> {
        std::fs::read(&self.ca).expect("the server wrote it")
    }

    /// What came to the server so far.
    pub fn seen(&self) -> Value {
        self.program.ask("")
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
