//! `tollgate state`: what a state folder holds, read from outside.

use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::json;

use super::args::State;
use crate::error::{Error, Exit};
use crate::store::{self, rocks};
use crate::wire::json::write_total;

pub(super) fn run(command: &State) -> Result<Exit, Error> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let written = match command {
        State::Totals(place) => totals(&place.state_dir, &mut out)?,
        State::Summary(place) => summary(&place.state_dir, &mut out)?,
    };
    written
        .and_then(|()| out.flush())
        .map_err(|error| Error::failed("cannot write to standard output").because(error))?;
    Ok(Exit::Done)
}

fn unreadable(state_dir: &Path, error: store::Error) -> Error {
    Error::failed(format!("cannot read the state in {}", state_dir.display()))
        .because(error)
        .remedy("name the folder that engine.state_dir names; it holds one folder a partition")
}

fn totals(state_dir: &Path, out: &mut impl Write) -> Result<std::io::Result<()>, Error> {
    let totals = rocks::totals(state_dir).map_err(|error| unreadable(state_dir, error))?;
    let mut line = Vec::new();
    Ok(totals.iter().try_for_each(|total| {
        line.clear();
        write_total(total, &mut line);
        line.push(b'\n');
        out.write_all(&line)
    }))
}

fn summary(state_dir: &Path, out: &mut impl Write) -> Result<std::io::Result<()>, Error> {
    let summaries = rocks::summary(state_dir).map_err(|error| unreadable(state_dir, error))?;
    Ok(summaries.iter().try_for_each(|summary| {
        let rows: serde_json::Map<_, _> = summary
            .rows
            .iter()
            .map(|(kind, rows)| (kind.as_str().to_owned(), json!(rows)))
            .collect();
        let tip = summary.position.as_ref().map(|position| &position.tip);
        let shown = json!({
            "partition": summary.partition,
            "journal_seq": tip.map(|tip| tip.seq),
            "journal_hash": tip.map(|tip| tip.hash.to_string()),
            "billed_to": tip.map(|tip| tip.billed),
            "commands_to": tip.map(|tip| tip.commands),
            "rows": rows,
            "bytes": summary.bytes,
        });
        writeln!(out, "{shown}")
    }))
}
