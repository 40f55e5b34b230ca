//! `tollgate replay` of the same lines from an Avro container file and from NDJSON: whole processes,
//! from start to exit, totals written; and what bare hash maps make of the latter.

use std::time::Instant;

use tollgate::generate::Options;

use crate::Scale;
use crate::bare_fold;
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
        let replay = || {
            run(&["replay", "--log", text(log), "--totals", text(&totals), "--json"]);
        };
        let rate = median_rate(scale, lines, replay);
        table.beside_drain(format!("tollgate replay of {format}"), rate, "lines/s");
    }
    let bare = median_rate(scale, lines, || bare_fold::of_file(&json));
    let what = "bare hash fold of NDJSON that counts no id twice, two threads";
    table.beside_drain(what, bare, "lines/s");
    std::fs::remove_dir_all(folder).expect("the build folder can be written");
}

fn median_rate(scale: Scale, lines: u64, work: impl Fn()) -> f64 {
    let rates = (0..scale.rounds).map(|_| {
        let begun = Instant::now();
        work();
        lines as f64 / begun.elapsed().as_secs_f64()
    });
    median(rates.collect())
}
