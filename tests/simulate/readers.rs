//! Whoever reads the outputs: a gate that keeps what is blocked, and a notifier that drops repeats.
//! Promise: they do what README.md tells consumers to do, and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tollgate::engine::log::{Source, Topic};

use super::topics::Topics;

/// Reads block-state from its beginning; drops lower sequences.
#[derive(Default)]
pub struct Gate {
    read_to: u64,
    keys: BTreeMap<Vec<u8>, (u64, bool)>,
}

impl Gate {
    pub fn read(&mut self, topics: &Topics) {
        let records = topics.source(Source::BlockState);
        let from = records.partition_point(|stored| stored.offset < self.read_to);
        for stored in &records[from..] {
            self.read_to = stored.offset + 1;
            let key = stored.key.as_deref().unwrap_or_default();
            let Some(bytes) = &stored.value else {
                self.keys.remove(key);
                continue;
            };
            let value: Value = serde_json::from_slice(bytes).expect("block-state is JSON");
            let sequence = value["sequence"].as_u64().expect("a block has a sequence");
            let known = self.keys.entry(key.to_vec()).or_default();
            if sequence >= known.0 {
                *known = (sequence, value["blocked"] == true);
            }
        }
    }

    pub fn blocked(&self) -> BTreeSet<String> {
        let blocked = self.keys.iter().filter(|(_, (_, blocked))| *blocked);
        blocked.map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
    }
}

/// Acts on limit-reached and threshold-crossed once by id; begins again from an offset that it told
/// some time ago.
#[derive(Default)]
pub struct Notifier {
    read_to: usize,
    committed: usize,
    acted: BTreeMap<String, Value>,
}

impl Notifier {
    pub fn read(&mut self, topics: &Topics) -> Result<(), String> {
        for (topic, stored) in &topics.outputs[self.read_to..] {
            self.read_to += 1;
            if *topic == Topic::DeadLetter {
                continue;
            }
            let bytes = stored.value.as_deref().unwrap_or_default();
            let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
            let id = value["id"].as_str().ok_or("a decision without an id")?.to_owned();
            match self.acted.get(&id) {
                Some(earlier) if *earlier != value => {
                    return Err(format!("one id, two contents: {earlier} and {value}"));
                }
                Some(_) => {}
                None => {
                    self.acted.insert(id, value);
                }
            }
        }
        Ok(())
    }

    pub fn commit(&mut self) {
        self.committed = self.read_to;
    }

    pub fn restart(&mut self) {
        self.read_to = self.committed;
    }

    pub fn ids(&self) -> BTreeSet<String> {
        self.acted.keys().cloned().collect()
    }
}
