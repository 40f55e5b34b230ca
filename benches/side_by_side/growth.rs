//! How the throughput of `tollgate run` grows: from ten thousand profiles to ten million, from one
//! partition to sixteen, from one thread to two.

use crate::Scale;
use crate::engine::{Settings, Topics};
use crate::stage::Stage;
use crate::table::Table;
use crate::throughput::{LIMITS_PER_ACCOUNT, PARTITIONS, drain, filled, fold, options};
use crate::traffic;

pub fn all(stage: &Stage, scale: Scale, table: &mut Table) {
    let mut rate_at = |what: String, topics: &Topics, settings: Settings| {
        let name = format!("growth-{}-{}", topics.billed, settings.threads);
        let drained = drain(stage, topics);
        let rate = fold(stage, &name, topics, settings).lines_per_second;
        table.compared(what, rate, "lines/s", "its drain", drained);
    };
    for profiles in scale.profiles {
        let events = (scale.events / 2).max(u64::from(*profiles));
        let traffic = traffic::options(events, *profiles, LIMITS_PER_ACCOUNT);
        let topics = filled(stage, &format!("profiles-{profiles}"), PARTITIONS, &traffic, true);
        let settings = Settings { memory_bytes_max: 8 << 30, ..Settings::default() };
        rate_at(format!("tollgate run, {profiles} profiles"), &topics, settings);
    }
    for partitions in scale.partitions {
        let traffic = options(Scale { events: scale.events / 2, ..scale });
        let topics =
            filled(stage, &format!("partitions-{partitions}"), *partitions, &traffic, true);
        for threads in [1, 2] {
            let what = format!("tollgate run, {partitions} partitions, {threads} threads");
            rate_at(what, &topics, Settings { threads, ..Settings::default() });
        }
    }
}
