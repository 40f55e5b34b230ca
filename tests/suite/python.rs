//! A Python with pinned packages from PyPI for a suite, made once in the build folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python of the environment `name`, with what `requirements` pins. `Err` says what is missing.
pub fn python(name: &str, requirements: &Path) -> Result<PathBuf, String> {
    let pinned = fs::read_to_string(requirements).map_err(|error| error.to_string())?;
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}"));
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    if fs::read_to_string(&ready).is_ok_and(|made| made == pinned) {
        return Ok(python);
    }
    // What was begun and not finished, or pins something else, is begun anew.
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .map_err(|said| format!("no venv; on Debian: apt-get install python3-venv: {said}"))?;
    run(Command::new(&python).args(["-m", "pip", "install", "-q", "-r"]).arg(requirements))
        .map_err(|said| format!("pip could not fetch from PyPI what {name} needs: {said}"))?;
    fs::write(&ready, pinned).map_err(|error| error.to_string())?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.trim().to_owned()) }
}
