//! What a demo keeps while it runs: the engine's state, and commands for the viewer to run.
//! Promise: it is gone in the end.

use std::path::PathBuf;

use super::guest::Guest;
use super::{Error, View};

/// Folders of that many demos of one process (or left behind by its namesakes) may exist.
const FOLDERS_MAX: u32 = 100;

const STATE: &str = "state";

/// A folder of the system's temporary ones, removed in the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn create() -> Result<Folder, Error> {
        let folder = std::env::temp_dir();
        let paths = (1..=FOLDERS_MAX)
            .map(|number| folder.join(format!("tollgate-demo-{}-{number}", std::process::id())));
        let mut last = None;
        for path in paths {
            let made = std::fs::create_dir(&path);
            match made.and_then(|()| std::fs::create_dir(path.join(STATE))) {
                Ok(()) => return Ok(Folder(path)),
                Err(cause) => last = Some(cause),
            }
        }
        let cause = last.expect("a folder was tried");
        Err(Error::StateDir { place: folder.display().to_string(), cause })
    }

    /// Where the engine keeps its state.
    pub fn state(&self) -> PathBuf {
        self.0.join(STATE)
    }

    /// What the viewer may try. A table has no room for long commands: there they are files.
    pub fn hints(&self, guest: &Guest, view: View) -> Result<Vec<String>, Error> {
        let mut hints = vec![format!("control plane and gate {}", guest.page())];
        for step in guest.steps() {
            let path = self.0.join(step.name);
            let failed = |cause| Error::StateDir { place: path.display().to_string(), cause };
            std::fs::write(&path, format!("{}\n", step.command)).map_err(failed)?;
            hints.push(match view {
                View::Table => format!("  sh {}  # {}", path.display(), step.why),
                View::Lines | View::Nothing => format!("  {}  # {}", step.command, step.why),
            });
        }
        Ok(hints)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "the demo's state was left behind");
        }
    }
}
