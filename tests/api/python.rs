//! Python programs that drive the server, at the versions that we pinned.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs of an environment with what `requirements.txt` in the folder names, which is one
/// thing; made once in the build folder. `Err` says what is missing.
pub fn programs(folder: &Path) -> Result<PathBuf, String> {
    let pinned = folder.join("requirements.txt");
    let version = std::fs::read_to_string(&pinned).map_err(|error| error.to_string())?;
    let version = version.trim().replace("==", "-");
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&version);
    let programs = environment.join("bin");
    let ready = environment.join("ready");
    if ready.exists() {
        return Ok(programs);
    }
    // What was begun and not finished is begun anew.
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .map_err(|said| format!("no venv; on Debian: apt-get install python3-venv: {said}"))?;
    run(Command::new(programs.join("python"))
        .args(["-m", "pip", "install", "-q", "-r"])
        .arg(&pinned))
    .map_err(|said| format!("pip could not fetch {version} from PyPI: {said}"))?;
    std::fs::write(&ready, "").map_err(|error| error.to_string())?;
    Ok(programs)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.trim().to_owned()) }
}
