//! `tollgate replay` of the same lines from an Avro container file and from NDJSON: whole processes,
//! from start to exit, totals written.

use std::time::Instant;

use crate::Scale;
use crate::stage::{Stage, run, text};
use crate::table::{Table, median};
use crate::throughput::{LIMITS_PER_ACCOUNT, PROFILES};
use crate::traffic;

pub fn all(stage: &Stage, scale: Scale, table: &mut Table) {
    let folder = stage.scratch("files");
    let (avro, json) = (folder.join("log.avro"), folder.join("log.ndjson"));
    let profiles = if scale.short { 1_000 } else { PROFILES };
    // Over hours, not in one moment: in a file the lines say themselves when they came.
    let gap_us = 20_000;
    let options = traffic::options(scale.events, profiles, LIMITS_PER_ACCOUNT);
    let lines = traffic::files(&tollgate::generate::Options { gap_us, ..options }, &avro, &json);
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
