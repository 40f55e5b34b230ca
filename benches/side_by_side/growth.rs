//! How the throughput of `tollgate run` grows: from ten thousand profiles to ten million, from one
//! partition to sixteen, from one thread to two.

use tollgate::generate::Options;

use crate::Scale;
use crate::bare::Bare;
use crate::bare_fold;
use crate::engine::{Settings, Topics};
use crate::stage::Stage;
use crate::table::Table;
use crate::throughput::{self, LIMITS_PER_ACCOUNT, PARTITIONS, drain, filled, fold};
use crate::traffic::{self, PROFILES_PER_ACCOUNT};

pub fn all(stage: &Stage, scale: Scale, table: &mut Table) {
    let rate_at = |table: &mut Table, what: String, topics: &Topics, settings: Settings| {
        let name = format!("growth-{}-{}", topics.billed, settings.threads);
        let drained = drain(stage, topics);
        let rate = fold(stage, &name, topics, settings).lines_per_second;
        table.compared(what, rate, "lines/s", "its drain", drained);
        drained
    };
    // As many events and accounts for all, so that nothing but the profiles grows; at the end the
    // accounts too, with four limits each.
    let most = scale.profiles.iter().copied().max().unwrap_or(0);
    let events = (scale.events / 2).max(most.into());
    let accounts = throughput::options(scale).accounts;
    let mut sizes: Vec<(u32, u32)> =
        scale.profiles.iter().map(|profiles| (*profiles, accounts.min(*profiles))).collect();
    sizes.push((most, most / PROFILES_PER_ACCOUNT));
    sizes.dedup();
    for (profiles, accounts) in sizes {
        let traffic = Options {
            accounts,
            profiles_per_account: profiles / accounts,
            ..traffic::options(events, profiles, LIMITS_PER_ACCOUNT)
        };
        let name = format!("growth-{profiles}-{accounts}");
        let topics = filled(stage, &name, PARTITIONS, &traffic, true);
        let settings = Settings { memory_bytes_max: 8 << 30, ..Settings::default() };
        let what = format!("tollgate run, {profiles} profiles, {accounts} accounts");
        let drained = rate_at(table, what, &topics, settings);
        let bare = bare_fold::in_memory(stage, &topics, Bare::with_ids);
        let what = "  bare hash fold of it that counts no id twice, two threads";
        table.compared(what, bare, "records/s", "its drain", drained);
    }
    for partitions in scale.partitions {
        let traffic = throughput::options(Scale { events: scale.events / 2, ..scale });
        let topics =
            filled(stage, &format!("partitions-{partitions}"), *partitions, &traffic, true);
        for threads in [1, 2] {
            let what = format!("tollgate run, {partitions} partitions, {threads} threads");
            rate_at(table, what, &topics, Settings { threads, ..Settings::default() });
        }
    }
}
