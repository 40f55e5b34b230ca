//! Python with pinned packages from PyPI, made once in the build folder and kept, and programs in it
//! that tests talk to.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::suite;

/// A program that answers a line with a line. It ends with this.
pub struct Program {
    child: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Program {
    /// Starts a script of a folder that has the `requirements.txt` too. `None` where Python or PyPI
    /// is missing, which is told, and a failure under `CI=true`.
    pub fn start(name: &str, folder: &Path, script: &str, arguments: &[&str]) -> Option<Program> {
        let python = match with_packages(name, &folder.join("requirements.txt")) {
            Ok(python) => python,
            Err(missing) => {
                suite::skipped(name, &missing);
                return None;
            }
        };
        let mut child = Command::new(python)
            .arg(folder.join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Some(Program { child, pipes: RefCell::new((stdin, stdout)) })
    }

    /// The next line that it says, in JSON; `about` names what for.
    pub fn told(&self, about: &str) -> Value {
        let mut line = String::new();
        self.pipes.borrow_mut().1.read_line(&mut line).expect("the program answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{about}: {error}: {line:?}"))
    }

    /// What it answers to a line.
    pub fn ask(&self, line: &str) -> Value {
        writeln!(self.pipes.borrow_mut().0, "{line}").expect("the program reads");
        self.told(line)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter of an environment with what the file of requirements names; `Err` says what is
/// missing. Other requirements make another environment; tests of one program take turns in it.
pub fn with_packages(name: &str, pinned: &Path) -> Result<PathBuf, String> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let packages = std::fs::read_to_string(pinned).map_err(|error| error.to_string())?;
    let folder = format!("{name}-{:08x}", crc32fast::hash(packages.as_bytes()));
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    if ready.exists() {
        return Ok(python);
    }
    // What was begun and not finished is begun anew.
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .map_err(|said| format!("no venv; on Debian: apt-get install python3-venv: {said}"))?;
    run(Command::new(&python).args(["-m", "pip", "install", "-q", "-r"]).arg(pinned)).map_err(
        |said| {
            let packages: Vec<&str> = packages.lines().collect();
            format!("pip could not fetch {} from PyPI: {said}", packages.join(", "))
        },
    )?;
    std::fs::write(&ready, "").map_err(|error| error.to_string())?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.trim().to_owned()) }
}
