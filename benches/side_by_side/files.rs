//! `tollgate replay` of the same lines from an Avro container file and from NDJSON: whole processes,
//! from start to exit, totals written.

use std::time::Instant;

use tollgate::generate::Options;

use crate::Scale;
use crate::stage::{Stage, run, text};
use crate::table::{Table, median};
use crate::throughput::options;
use crate::traffic;

pub fn all(stage: &Stage, scale: Scale, table: &mut Table) {
    let folder = stage.scratch("files");
    let (avro, json) = (folder.join("log.avro"), folder.join("log.ndjson"));
    // Over hours, not in one moment: in a file the lines say themselves when they came.
    let spread = Options { gap_us: 20_000, ..options(scale) };
    let lines = traffic::files(&spread, &avro, &json);
    let totals = folder.join("totals.ndjson");
    for (log, format) in [(&avro, "an Avro file"), (&json, "NDJSON")] {
        let mut rates = Vec::new();
        for _ in 0..scale.rounds {
            let begun = Instant::now();
            run(&["replay", "--log", text(log), "--totals", text(&totals), "--json"]);
            rates.push(lines as f64 / begun.elapsed().as_secs_f64());
        }
        table.beside_drain(format!("tollgate replay of {format}"), median(rates), "lines/s");
    }
    std::fs::remove_dir_all(folder).expect("the build folder can be written");
}
