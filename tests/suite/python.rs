//! A Python with pinned packages from PyPI, made once in the build folder and kept.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter of an environment with what the file of requirements names; `Err` says what is
/// missing. Other requirements make another environment.
pub fn with_packages(name: &str, pinned: &Path) -> Result<PathBuf, String> {
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
