//! How the throughput of `tollgate run` grows: from ten thousand profiles to ten million, from one
//! partition to sixteen, from one thread to two.

use crate::Scale;
use crate::engine::{Engine, Settings, Topics};
use crate::stage::Stage;
use crate::table::Table;
use crate::throughput::{LIMITS_PER_ACCOUNT, PARTITIONS, PROFILES, drain, fold};
use crate::traffic;

fn filled(stage: &Stage, name: &str, partitions: i32, events: u64, profiles: u32) -> Topics {
    let topics = Topics::new(name, partitions);
    drop(Engine::new(stage, &format!("{name}-topics"), &topics, Settings::default()));
    let options = traffic::options(events, profiles, LIMITS_PER_ACCOUNT);
    traffic::fill(&stage.bootstrap, &topics, &options, true);
    topics
}

pub fn all(stage: &Stage, scale: Scale, table: &mut Table) {
    let mut rate_at = |what: String, topics: &Topics, settings: Settings| {
        let name = format!("growth-{}-{}", topics.billed, settings.threads);
        let drained = drain(stage, topics);
        let rate = fold(stage, &name, topics, settings).lines_per_second;
        table.compared(what, rate, "lines/s", "its drain", drained);
    };
    for profiles in scale.profiles {
        let events = (scale.events / 2).max(u64::from(*profiles));
        let topics = filled(stage, &format!("profiles-{profiles}"), PARTITIONS, events, *profiles);
        let settings = Settings { memory_bytes_max: 8 << 30, ..Settings::default() };
        rate_at(format!("tollgate run, {profiles} profiles"), &topics, settings);
    }
    for partitions in scale.partitions {
        let profiles = if scale.short { 1_000 } else { PROFILES };
        let name = format!("partitions-{partitions}");
        let topics = filled(stage, &name, *partitions, scale.events / 2, profiles);
        for threads in [1, 2] {
            let what = format!("tollgate run, {partitions} partitions, {threads} threads");
            rate_at(what, &topics, Settings { threads, ..Settings::default() });
        }
    }
}
