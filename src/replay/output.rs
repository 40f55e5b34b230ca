//! Where decisions and totals go. Promise: nothing is written over a log, two outputs never share
//! a place, and what was taken is on its way to the disk once `close` returns.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::{Error, Options};

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 1024 * 1024;

/// # Errors
/// Two outputs in one place, or an output that is one of the logs.
pub fn check(options: &Options) -> Result<(), Error> {
    let Options { logs, decisions, totals, .. } = options;
    if let (Some(decisions), Some(totals)) = (decisions, totals)
        && same(decisions, totals)
    {
        return Err(Error::SamePlace(place(decisions)));
    }
    for output in [decisions, totals].into_iter().flatten() {
        if !is_stdout(output) && logs.iter().any(|log| same(log, output)) {
            return Err(Error::OverLog(place(output)));
        }
    }
    Ok(())
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn place(path: &Path) -> String {
    if is_stdout(path) { "standard output".to_owned() } else { path.display().to_string() }
}

/// Also by another name or a link, where both exist as regular files.
fn same(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| std::fs::canonicalize(path).ok().filter(|path| path.is_file());
    one == other || file(one).is_some_and(|one| file(other) == Some(one))
}

/// An output, or none.
pub struct Output(Option<Open>);

struct Open {
    to: Box<dyn Write + Send>,
    place: String,
}

impl Output {
    pub fn open(path: Option<&Path>) -> Result<Output, Error> {
        let Some(path) = path else {
            return Ok(Output(None));
        };
        let place = place(path);
        let to: Box<dyn Write + Send> = if is_stdout(path) {
            Box::new(io::stdout())
        } else {
            match File::create(path) {
                Ok(file) => Box::new(file),
                Err(cause) => return Err(Error::Write { place, cause }),
            }
        };
        Ok(Output(Some(Open { to, place })))
    }

    /// Writes the bytes once there are enough of them.
    pub fn take(&mut self, bytes: &mut Vec<u8>) -> Result<(), Error> {
        if bytes.len() < BUFFER_BYTES { Ok(()) } else { self.close(bytes) }
    }

    /// Writes all that is left.
    pub fn close(&mut self, bytes: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(open) = &mut self.0 {
            let failed = |cause| Error::Write { place: open.place.clone(), cause };
            open.to.write_all(bytes).and_then(|()| open.to.flush()).map_err(failed)?;
        }
        bytes.clear();
        Ok(())
    }
}
