//! Stands beside a partition's topics and judges everything that lands, the moment it lands. Promise:
//! it knows the valid chain by the chain rule alone, and what the chain decided by folding the lines
//! that it names; nothing that an engine says counts here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tollgate::engine::log::{Source, Stored, Topic};
use tollgate::fold::State;
use tollgate::fold::decision::Decision;
use tollgate::fold::event::{Line, Position as At};
use tollgate::journal::{Hash, Hasher, Record, Tip, extends};
use tollgate::store::Position;
use tollgate::time::{DAY_MS, Millis};
use tollgate::wire::{Decoder, json};

use super::chance::{Chance, Path};
use super::topics::{Landed, Topics};
use super::world::CLOCK_SKEW_MAX_MS;
use crate::model::stamp::stamped;

/// What a valid record decided.
struct Decided {
    record: Record,
    tip: Tip,
    decisions: Vec<Decision>,
}

pub struct Witness {
    partition: u32,
    decoder: Decoder,
    chain: Vec<Decided>,
    state: State,
    latest: [Millis; 2],
    /// Decided and published by id (rejects: by position), with their record; blocks aside.
    told: BTreeMap<String, (u64, Value)>,
    /// Ids that landed.
    landed: BTreeSet<String>,
    /// How many outputs of each record are yet to land.
    missing: BTreeMap<u64, usize>,
    /// What each block key was decided to be, by sequence.
    blocks: BTreeMap<String, BTreeMap<u64, Value>>,
    /// The greatest sequence of each block key that landed.
    shown: BTreeMap<String, u64>,
    /// The chain as a log of lines and ticks.
    pub log: Vec<u8>,
}

impl Witness {
    pub fn new(partition: u32, decoder: Decoder, dedup_minutes: u32) -> Witness {
        Witness {
            partition,
            decoder,
            chain: Vec::new(),
            state: State::new(dedup_minutes),
            latest: [Millis(0); 2],
            told: BTreeMap::new(),
            landed: BTreeSet::new(),
            missing: BTreeMap::new(),
            blocks: BTreeMap::new(),
            shown: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    pub fn tip(&self) -> Option<&Tip> {
        self.chain.last().map(|last| &last.tip)
    }

    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.chain.iter().map(|decided| &decided.record)
    }

    pub fn decisions(&self) -> Vec<Value> {
        self.chain.iter().flat_map(|decided| &decided.decisions).map(shown).collect()
    }

    /// Judges what has landed since.
    pub fn look(&mut self, topics: &mut Topics, chance: &Chance) -> Result<(), String> {
        while let Some(landed) = topics.news.pop_front() {
            match landed {
                Landed::Journal(stored) => self.journal(&stored, topics, chance)?,
                Landed::Output(Topic::BlockState, stored) => self.block(&stored, chance)?,
                Landed::Output(topic, stored) => self.output(topic, &stored, chance)?,
            }
        }
        Ok(())
    }

    fn journal(&mut self, stored: &Stored, topics: &Topics, chance: &Chance) -> Result<(), String> {
        let bytes = stored.value.as_deref().unwrap_or_default();
        let record = Record::decode(bytes).map_err(|error| format!("an append: {error}"))?;
        let judged = extends(self.tip(), &record);
        chance.tell(|| format!("landed at {}: {judged:?} {record:?}", stored.offset));
        if judged.is_err() {
            chance.took(Path::VoidRecord);
            return Ok(());
        }
        let latest = topics.now.0 + 2 * CLOCK_SKEW_MAX_MS;
        if record.now.0 > latest.max(self.state.now().unwrap_or_default().0) {
            return Err(format!(
                "record {} is of {}, which is yet to come",
                record.seq, record.now
            ));
        }
        let before = self.state.counts();
        let now = self.state.now();
        let mut decisions = Vec::new();
        let lines = self.lines(&record, topics, chance);
        for (line, bytes) in &lines {
            self.state.fold_line(line, &mut decisions);
            self.log.extend(stamped(bytes, &line.recorded_at.to_string()));
            self.log.push(b'\n');
        }
        if lines.is_empty() {
            self.state.advance_slice(record.now, &mut decisions);
            if !decisions.is_empty() {
                chance.took(Path::TimerFired);
            }
        } else {
            self.state.advance(record.now, &mut decisions);
        }
        self.log.extend_from_slice(
            format!("{{\"type\":\"tick\",\"now\":\"{}\"}}\n", record.now).as_bytes(),
        );
        passed(now, record.now, chance);
        let seq = record.seq;
        let (control, hash) = (self.state.counts().since(&before), hash(&decisions));
        if control != record.control || hash != record.decisions_hash {
            return Err(format!(
                "record {seq} says {:?}, its lines give {control:?}",
                record.control
            ));
        }
        if let Some(through) = record.published_through
            && let Some((first, missing)) = self.missing.first_key_value()
            && *first <= through
        {
            return Err(format!(
                "record {seq} says published through {through}, yet {missing} of record {first} are not"
            ));
        }
        let mut missing = 0;
        for decision in &decisions {
            let value = shown(decision);
            if let Decision::BlockChanged(changed) = decision {
                let of_key = self.blocks.entry(changed.block_key.clone()).or_default();
                of_key.insert(changed.sequence, value);
            } else if self.told.insert(identity(&value), (seq, value)).is_some() {
                return Err(format!("record {seq} decides again what was decided: {decision:?}"));
            } else {
                missing += 1;
            }
        }
        if missing > 0 {
            self.missing.insert(seq, missing);
        }
        let tip = Tip::after(&record, Hash::of(bytes), stored.offset);
        self.chain.push(Decided { record, tip, decisions });
        Ok(())
    }

    /// The lines that a record names, merged (DESIGN.md, "Lines and `now`"), with their bytes.
    fn lines(
        &mut self,
        record: &Record,
        topics: &Topics,
        chance: &Chance,
    ) -> Vec<(Line<'static>, Vec<u8>)> {
        let mut lines = Vec::new();
        let sides = [
            (Source::Commands, "tollgate.commands", record.commands),
            (Source::Billed, "messages.billed", record.billed),
        ];
        for (index, (source, name, range)) in sides.into_iter().enumerate() {
            for stored in &topics.source(source)[range.from as usize..range.to as usize] {
                self.latest[index] = self.latest[index].max(stored.timestamp);
                let bytes = stored.value.clone().unwrap_or_default();
                let decoded = match source {
                    Source::Commands => self.decoder.decode_command(&bytes),
                    _ => self.decoder.decode_billed(&bytes),
                };
                let input = decoded.expect("JSON needs no registry").input.into_owned();
                let source = format!("{name}/{}", self.partition).into();
                let position = At { source, at: stored.offset };
                lines.push((
                    Line { input, recorded_at: self.latest[index], position },
                    bytes.into(),
                ));
            }
        }
        if record.commands.from < record.commands.to && record.billed.from < record.billed.to {
            chance.took(Path::CommandRacedEvent);
        }
        lines.sort_by_key(|(line, _)| line.recorded_at);
        lines
    }

    fn output(&mut self, topic: Topic, stored: &Stored, chance: &Chance) -> Result<(), String> {
        let bytes = stored.value.as_deref().unwrap_or_default();
        let mut value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if let Value::Object(fields) = &mut value {
            fields.remove("original");
            fields.remove("truncated");
        }
        let id = identity(&value);
        let Some((seq, decided)) = self.told.get(&id) else {
            return Err(format!("told on {topic:?} and not decided: {value}"));
        };
        if *decided != value {
            return Err(format!("told on {topic:?} as {value}, decided as {decided}"));
        }
        if !self.landed.insert(id) {
            chance.took(Path::ToldAgain);
        } else if let Some(missing) = self.missing.get_mut(seq) {
            *missing -= 1;
            if *missing == 0 {
                self.missing.remove(seq);
            }
        }
        Ok(())
    }

    fn block(&mut self, stored: &Stored, chance: &Chance) -> Result<(), String> {
        let key = stored.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let decided = self.blocks.get(key.as_ref());
        let Some(bytes) = stored.value.as_deref() else {
            chance.took(Path::Tombstone);
            let mut lifted = decided.into_iter().flat_map(BTreeMap::values);
            let may_go = each(&key) && lifted.any(|value| value["blocked"] == false);
            return if may_go { Ok(()) } else { Err(format!("a tombstone for {key}")) };
        };
        let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let sequence = value["sequence"].as_u64().unwrap_or_default();
        match decided.and_then(|of_key| of_key.get(&sequence)) {
            Some(decided) if *decided == value => {}
            other => return Err(format!("block-state {value}, decided {other:?}")),
        }
        let shown = self.shown.entry(key.into_owned()).or_default();
        if sequence < *shown {
            chance.took(Path::OldBlockLanded);
        } else if sequence == *shown {
            chance.took(Path::BlockToldAgain);
        }
        *shown = sequence.max(*shown);
        Ok(())
    }

    /// A checkpoint is of a record of the chain, and everything up to it is published.
    pub fn checkpoint(&self, position: &Position) -> Result<(), String> {
        let seq = position.tip.seq;
        match self.chain.get(seq as usize) {
            Some(decided) if decided.tip == position.tip => {}
            _ => return Err(format!("a checkpoint of {seq}, which is not that of the chain")),
        }
        match self.missing.first_key_value() {
            Some((first, _)) if *first <= seq => {
                Err(format!("a checkpoint of {seq} before record {first} is published"))
            }
            _ => Ok(()),
        }
    }

    /// What an engine says has won is the chain's.
    pub fn won(&self, seq: u64, decisions: &[Decision]) -> Result<(), String> {
        match self.chain.get(seq as usize) {
            Some(decided) if decided.decisions == decisions => Ok(()),
            Some(_) => Err(format!("record {seq} was won with other decisions")),
            None => Err(format!("record {seq} was told as won and is not in the journal")),
        }
    }

    /// Every decision of the chain was told, and block-state shows what is.
    pub fn all_told(&self, topics: &Topics) -> Result<(), String> {
        if let Some((seq, missing)) = self.missing.first_key_value() {
            return Err(format!("{missing} decisions of record {seq} were never told"));
        }
        let now = self.tip().map_or(Millis(0), |tip| tip.now);
        let mut last: BTreeMap<&[u8], Option<Value>> = BTreeMap::new();
        for stored in topics.source(Source::BlockState) {
            let value = stored.value.as_deref().map(serde_json::from_slice).transpose();
            last.insert(
                stored.key.as_deref().unwrap_or_default(),
                value.map_err(|error| error.to_string())?,
            );
        }
        for (key, of_key) in &self.blocks {
            let Some((_, decided)) = of_key.last_key_value() else { continue };
            let at = decided["now"].as_str().and_then(|now| Millis::parse(now).ok());
            let lifted = decided["blocked"] == false;
            let gone = lifted && each(key) && at.is_some_and(|at| at.0 + DAY_MS <= now.0);
            match last.remove(key.as_bytes()) {
                Some(None) | None if gone => {}
                Some(Some(value)) if !gone && value == *decided => {}
                other => {
                    return Err(format!("block-state of {key} shows {other:?}, decided {decided}"));
                }
            }
        }
        match last.into_iter().find(|(_, value)| value.is_some()) {
            Some((key, _)) => Err(format!("{} is no key", String::from_utf8_lossy(key))),
            None => Ok(()),
        }
    }

    /// Keys that are blocked.
    pub fn blocked(&self) -> BTreeSet<String> {
        let blocked = |of_key: &BTreeMap<u64, Value>| {
            of_key.last_key_value().is_some_and(|(_, value)| value["blocked"] == true)
        };
        let keys = self.blocks.iter().filter(|(_, of_key)| blocked(of_key));
        keys.map(|(key, _)| key.clone()).collect()
    }

    /// Ids that a notifier has to see.
    pub fn ids(&self) -> BTreeSet<String> {
        self.told
            .iter()
            .filter(|(_, (_, value))| value["id"].is_string())
            .map(|(id, _)| id.clone())
            .collect()
    }
}

/// A key of a limit that means each number: account, limit and number.
fn each(key: &str) -> bool {
    key.matches('/').count() > 1
}

/// A rejected line has no id; its position is as good as one.
pub fn identity(value: &Value) -> String {
    let field = if value["type"] == "rejected" { "position" } else { "id" };
    value[field].as_str().unwrap_or_default().to_owned()
}

fn shown(decision: &Decision) -> Value {
    let mut line = Vec::new();
    json::write_decision(decision, &mut line);
    serde_json::from_slice(&line).expect("its own JSON")
}

fn hash(decisions: &[Decision]) -> Hash {
    let mut hasher = Hasher::default();
    for decision in decisions {
        let mut line = Vec::new();
        json::write_decision(decision, &mut line);
        line.push(b'\n');
        hasher.update(&line);
    }
    hasher.finish()
}

fn passed(from: Option<Millis>, to: Millis, chance: &Chance) {
    let Some(from) = from else { return };
    if from.day() != to.day() {
        chance.took(Path::DayEnded);
    }
    if from.month() != to.month() {
        chance.took(Path::MonthEnded);
    }
    if to.0 - from.0 > 2 * DAY_MS {
        chance.took(Path::DaysIdle);
    }
}
