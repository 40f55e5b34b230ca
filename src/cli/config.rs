//! `tollgate config`: check, print and describe the configuration.
//! Promise: what it says is what `run` would do with the same file and variables.

use super::args::{ConfigCommand, ConfigFile};
use super::print;
use crate::config::{self, Loaded};
use crate::error::{Error, Exit};

pub(super) fn run(command: &ConfigCommand) -> Result<Exit, Error> {
    match command {
        ConfigCommand::Check(file) => {
            load(file)?;
            let place = match &file.config {
                Some(path) => path.display().to_string(),
                None => "defaults and variables".to_owned(),
            };
            print(&format!("{place}: no faults\n"))?;
        }
        ConfigCommand::Print { file, brief } => print(&config::print(&load(file)?, !brief))?,
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&config::schema());
            print(&format!("{}\n", schema.expect("a schema is plain JSON")))?;
        }
    }
    Ok(Exit::Done)
}

/// Loads the configuration that the arguments name, over this process's environment.
///
/// # Errors
/// All its faults at once (exit code 2).
pub(super) fn load(file: &ConfigFile) -> Result<Loaded, Error> {
    config::load(file.config.as_deref(), config::variables()).map_err(Error::from)
}
