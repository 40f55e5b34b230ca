//! How a command of the binary ends: exit codes, and the one error that reaches the user.
//! Promise: every error says what to do next, and which exit code it means. Modules keep their own
//! typed errors; this one is made where a command gives up, and it is printed once, by `cli`.

use std::error::Error as StdError;
use std::fmt;

/// How a command ended, as the caller's shell sees it. `--help` prints this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked; also after SIGINT or SIGTERM, once everything is put down in order.
    Done = 0,
    /// It failed while running: a broker, a disk, a file, a partition that had to stop.
    Failed = 1,
    /// The arguments or the configuration are wrong; nothing was started or changed.
    Usage = 2,
    /// It ran, and what it looked at is not as it should be: `topics check` found errors, or
    /// `replay --strict` met rejected lines.
    Deviates = 3,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}

/// Why a command gave up, what was being attempted, and what the user can do about it.
#[derive(Debug)]
pub struct Error {
    exit: Exit,
    /// The attempted act and its outcome: `cannot open a.ndjson`.
    message: String,
    /// The next step for the user.
    remedy: Option<String>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Something failed while running (exit code 1).
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Error {
        Error { exit: Exit::Failed, message: message.into(), remedy: None, cause: None }
    }

    /// The arguments or the configuration are wrong (exit code 2).
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Error {
        Error { exit: Exit::Usage, message: message.into(), remedy: None, cause: None }
    }

    /// The command ran and found deviations (exit code 3).
    #[must_use]
    pub fn deviates(message: impl Into<String>) -> Error {
        Error { exit: Exit::Deviates, message: message.into(), remedy: None, cause: None }
    }

    /// What the user should do next; a full sentence fragment such as `start the broker`.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Error {
        self.remedy = Some(remedy.into());
        self
    }

    /// The failure underneath.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.cause = Some(cause.into());
        self
    }

    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

/// `message: cause: deeper cause`, then the remedy on a line of its own.
impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Some libraries already say their cause's words in their own.
            let words = error.to_string();
            if !text.contains(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            cause = error.source();
        }
        out.write_str(&text)?;
        match &self.remedy {
            Some(remedy) => write!(out, "\n  next: {remedy}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_act_the_causes_and_the_next_step() {
        let error = Error::failed("cannot open a.ndjson")
            .because(std::io::Error::other("permission denied"))
            .remedy("check who may read the file");
        assert_eq!(
            error.to_string(),
            "cannot open a.ndjson: permission denied\n  next: check who may read the file"
        );
        assert_eq!(error.exit(), Exit::Failed);
    }
}
