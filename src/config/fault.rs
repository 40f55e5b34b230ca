//! What is wrong with a configuration, where, and what to do about it.
//! Promise: a fault names a place that its reader can open: `file:line:column` or a variable.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from, and where a fault is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file; line and column count from 1, the column in characters.
    File { path: PathBuf, line: usize, column: usize },
    /// An environment variable.
    Variable(String),
    /// Nobody set it.
    Default,
}

/// One fault; ordered by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub place: Place,
    /// What is wrong: `engine.threads is 0`.
    pub message: String,
    /// What to do: `set 1 to 1024`.
    pub remedy: String,
}

/// Everything wrong with one configuration; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { path, line, column } => {
                write!(out, "{}:{line}:{column}", path.display())
            }
            Place::Variable(name) => out.write_str(name),
            Place::Default => out.write_str("default"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}\n  next: {}", self.place, self.message, self.remedy)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.0 {
            writeln!(out, "{fault}")?;
        }
        match self.0.len() {
            1 => write!(out, "1 fault in the configuration; nothing was started"),
            count => write!(out, "{count} faults in the configuration; nothing was started"),
        }
    }
}

impl std::error::Error for Faults {}

impl From<Faults> for crate::error::Error {
    fn from(faults: Faults) -> Self {
        crate::error::Error::usage(faults.to_string())
    }
}
