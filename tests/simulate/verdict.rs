//! One run from its case to its verdict. Promise: a run that is well has every line in the chain
//! once, the model's decisions and totals, and readers that know all of it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use serde_json::Value;
use tollgate::engine::log::Source;
use tollgate::wire::json;

use super::case::Case;
use super::chance::{Counts, Path};
use super::world::World;
use crate::model;
use crate::model::compare::compare;

/// What a run that is well leaves behind.
#[derive(Debug)]
pub struct Report {
    /// Of everything on topics and disks.
    pub hash: u64,
    pub counts: Counts,
    pub simulated_ms: i64,
    pub records: u64,
    pub lines: u64,
    pub decisions: u64,
}

/// Runs a case, and compares what came of it with the model. Err says what was wrong.
pub fn run(case: &Case) -> Result<Report, String> {
    let (mut world, begun) = course(case)?;
    let (hash, simulated_ms) = (hash(&world), world.now - begun);
    let decisions = check(&mut world)?;
    refuses_truncation(&mut world)?;
    Ok(Report {
        hash,
        counts: world.chance.counts(),
        simulated_ms,
        records: world.places.iter().map(|place| place.witness.records().count() as u64).sum(),
        lines: lines(&world),
        decisions,
    })
}

/// The hash of a further run of the case.
pub fn run_again(case: &Case) -> Result<u64, String> {
    Ok(hash(&course(case)?.0))
}

/// Everything that happens until all is at rest; also the time of the first line.
fn course(case: &Case) -> Result<(World, i64), String> {
    let mut world = World::new(case, case.sizes());
    let mut begun = None;
    for _ in 0..case.steps {
        world.step()?;
        begun = begun.or(Some(world.now).filter(|_| lines(&world) > 0));
    }
    while world.produce() {}
    world.settle()?;
    if world.chance.permille(500) {
        // A quiet day and more: windows end, and what was lifted long ago goes.
        world.pass(2 * 86_400_000);
        world.settle()?;
    }
    let begun = begun.unwrap_or(world.now);
    Ok((world, begun))
}

fn lines(world: &World) -> u64 {
    let of =
        |topics: &super::topics::Topics| topics.end(Source::Billed) + topics.end(Source::Commands);
    world.places.iter().map(|place| of(&place.topics.borrow())).sum()
}

/// Checks a world at rest, and compares it with the naive model; gives the number of decisions.
pub fn check(world: &mut World) -> Result<u64, String> {
    check_told(world)?;
    let mut decided = 0;
    for partition in 0..world.places.len() {
        let witness = &world.places[partition].witness;
        let outcome = model::run(&witness.log, "chain", world.sizes.dedup_minutes);
        let decisions = witness.decisions();
        decided += decisions.len() as u64;
        compare(&outcome.decisions, &decisions)
            .map_err(|difference| format!("decisions: {difference}"))?;
        let totals = stored_totals(world, partition)?;
        compare(&outcome.totals, &totals).map_err(|difference| format!("totals: {difference}"))?;
    }
    Ok(decided)
}

/// Every line is in the chain, every decision of the chain is told, and every reader knows.
pub fn check_told(world: &mut World) -> Result<(), String> {
    for place in &mut world.places {
        let (witness, topics) = (&place.witness, place.topics.borrow());
        let ends = (topics.end(Source::Billed), topics.end(Source::Commands));
        let folded = witness.tip().map_or((0, 0), |tip| (tip.billed, tip.commands));
        if folded != ends {
            return Err(format!("the chain ends at {folded:?}, the topics at {ends:?}"));
        }
        witness.all_told(&topics)?;
        for gate in &mut place.gates {
            gate.read(&topics);
            if gate.blocked() != witness.blocked() {
                return Err(format!("a gate: {:?}, not {:?}", gate.blocked(), witness.blocked()));
            }
        }
        place.notifier.read(&topics)?;
        if place.notifier.ids() != witness.ids() {
            return Err("a notifier did not act on all, or on more".to_owned());
        }
    }
    Ok(())
}

/// Records vanish that must be there: whoever opens the partition then refuses, and says so.
fn refuses_truncation(world: &mut World) -> Result<(), String> {
    for host in 0..world.hosts.len() {
        world.close(host, 0);
    }
    let Some((seq, billed)) = world.places[0].witness.tip().map(|tip| (tip.seq, tip.billed)) else {
        return Ok(());
    };
    let source = [Source::Journal, Source::Billed][world.chance.below(2)];
    if seq == 0 || source == Source::Billed && billed < 2 {
        return Ok(());
    }
    for host in &mut world.hosts {
        host.kept[0] = Default::default();
    }
    world.places[0].topics.borrow_mut().forget(source, 1);
    let end = world.places[0].topics.borrow().end(Source::Journal);
    world.open(0, 0);
    for _ in 0..2_000 {
        if let Err(why) = world.turn(0, 0) {
            let told =
                why.contains("begins at offset") || why.contains("is not in the log any more");
            let appended = world.places[0].topics.borrow().end(Source::Journal) > end;
            world.chance.took(Path::TruncationRefused);
            return if told && !appended { Ok(()) } else { Err(format!("truncated: {why}")) };
        }
    }
    Err(format!("{source:?} is truncated, and nobody refuses"))
}

/// One owner winds down; what is in its store then.
fn stored_totals(world: &mut World, partition: usize) -> Result<Vec<Value>, String> {
    let owners: Vec<usize> = (0..world.hosts.len())
        .filter(|host| world.hosts[*host].running.contains_key(&partition))
        .collect();
    let (last, others) = owners.split_last().ok_or("nobody owns it")?;
    for other in others {
        world.close(*other, partition);
    }
    if let Some(owned) = world.hosts[*last].running.get_mut(&partition) {
        owned.wind_down();
    }
    for _ in 0..1_000 {
        // What a full disk refused is tried again a little later.
        world.pass(50);
        world.turn(*last, partition)?;
        if world.hosts[*last].running.get(&partition).is_some_and(|owned| owned.wound_down()) {
            let totals = world.hosts[*last].kept[partition].borrow().disk.totals();
            let totals = totals.map_err(|error| error.to_string())?;
            let shown = |total| {
                let mut line = Vec::new();
                json::write_total(total, &mut line);
                serde_json::from_slice(&line).map_err(|error| error.to_string())
            };
            return totals.iter().map(shown).collect();
        }
    }
    Err("it does not wind down".to_owned())
}

fn hash(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    for place in &world.places {
        let topics = place.topics.borrow();
        for source in [Source::Journal, Source::BlockState, Source::Billed, Source::Commands] {
            for stored in topics.source(source) {
                let (at, time) = (stored.offset, stored.timestamp.0);
                (at, time, &stored.key, &stored.value).hash(&mut hasher);
            }
        }
        for (topic, stored) in &topics.outputs {
            (*topic, stored.timestamp.0, &stored.key, &stored.value).hash(&mut hasher);
        }
    }
    for kept in world.hosts.iter().flat_map(|host| &host.kept) {
        kept.borrow().disk.dump().hash(&mut hasher);
    }
    world.now.hash(&mut hasher);
    hasher.finish()
}
