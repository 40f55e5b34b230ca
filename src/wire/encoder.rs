//! Decisions to the records of their topics, and the input records that generators append.
//! Promise: the same bytes for the same record, framed as configured; a reader of ours takes them
//! back. Confluent framing registers each schema once, under `<topic>-value`.

use std::sync::Arc;

use serde::Serialize;

use super::avro::schemas::{self, OwnSchema, SINGLE_OBJECT_MARKER};
use super::registry::Registry;
use super::shown::{self, Original};
use super::shown_lines::{self, Issued};
use super::{Error, OutputFormat, RegistryOptions};
use crate::fold::decision::Decision;
use crate::fold::event::{BilledEvent, Command};
use crate::time::Millis;

/// Names of the topics that are written, which name the subjects in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    pub billed: String,
    pub commands: String,
    pub threshold_crossed: String,
    pub limit_reached: String,
    pub block_state: String,
    pub dead_letter: String,
}

impl Default for Topics {
    fn default() -> Topics {
        Topics {
            billed: "messages.billed".to_owned(),
            commands: "tollgate.commands".to_owned(),
            threshold_crossed: "tollgate.threshold-crossed".to_owned(),
            limit_reached: "tollgate.limit-reached".to_owned(),
            block_state: "tollgate.block-state".to_owned(),
            dead_letter: "tollgate.dead-letter".to_owned(),
        }
    }
}

/// Encodes in one format. Cheap to clone; clones share what they registered.
#[derive(Clone, Debug)]
pub struct Encoder {
    format: OutputFormat,
    topics: Arc<Topics>,
    registry: Option<Arc<Registry>>,
}

impl Encoder {
    /// # Errors
    /// When the registry's settings make no client, or `Confluent` is asked without them.
    pub fn new(
        format: OutputFormat,
        topics: Topics,
        registry: Option<&RegistryOptions>,
    ) -> Result<Encoder, Error> {
        let registry = match (format, registry) {
            (OutputFormat::Confluent, Some(options)) => Some(Arc::new(Registry::new(options)?)),
            (OutputFormat::Confluent, None) => {
                let cause = "Confluent framing needs the registry's address".to_owned();
                return Err(Error::RegistrySettings(cause));
            }
            (OutputFormat::Json | OutputFormat::AvroSingle, _) => None,
        };
        Ok(Encoder { format, topics: Arc::new(topics), registry })
    }

    /// A record of the decision's topic. `original` is what a dead letter holds of the line; other
    /// decisions do without.
    ///
    /// # Errors
    /// `Error::Registry`: try again.
    pub fn encode_decision(
        &self,
        decision: &Decision,
        original: Option<&[u8]>,
        truncated: bool,
    ) -> Result<Vec<u8>, Error> {
        let topics = &self.topics;
        match decision {
            Decision::ThresholdCrossed(it) => {
                let record = shown::threshold_crossed(it);
                self.encode(&schemas::THRESHOLD_CROSSED, &topics.threshold_crossed, &record)
            }
            Decision::LimitReached(it) => {
                let record = shown::limit_reached(it);
                self.encode(&schemas::LIMIT_REACHED, &topics.limit_reached, &record)
            }
            Decision::BlockChanged(it) => {
                let record = shown::block_changed(it);
                self.encode(&schemas::BLOCK_CHANGED, &topics.block_state, &record)
            }
            Decision::Rejected(it) => {
                let original = Original { bytes: original.unwrap_or_default(), truncated };
                let record = shown::rejected(it, Some(original));
                self.encode(&schemas::DEAD_LETTER, &topics.dead_letter, &record)
            }
        }
    }

    /// A record of the billed topic or a line of a log. On a topic leave `recorded_at` out.
    ///
    /// # Errors
    /// `Error::Registry`: try again.
    pub fn encode_billed(
        &self,
        event: &BilledEvent,
        recorded_at: Option<Millis>,
    ) -> Result<Vec<u8>, Error> {
        let record = shown_lines::billed(event, recorded_at);
        self.encode(&schemas::BILLED_EVENT, &self.topics.billed, &record)
    }

    /// A record of the command topic or a line of a log. `None` for a command that does not touch
    /// the fold: its fields are not in the fold's type.
    ///
    /// # Errors
    /// `Error::Registry`: try again.
    pub fn encode_command(
        &self,
        command: &Command,
        issued: Issued<'_>,
    ) -> Result<Option<Vec<u8>>, Error> {
        shown_lines::command(command, issued)
            .map(|record| self.encode(&schemas::COMMAND, &self.topics.commands, &record))
            .transpose()
    }

    fn encode(
        &self,
        own: &'static OwnSchema,
        topic: &str,
        record: &impl Serialize,
    ) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        match (self.format, &self.registry) {
            (OutputFormat::Json, _) => {
                serde_json::to_writer(&mut out, record)
                    .expect("a vector takes every byte and all keys are texts");
                return Ok(out);
            }
            (OutputFormat::Confluent, Some(registry)) => {
                let id = registry.register(&format!("{topic}-value"), own.text)?;
                out.push(0);
                out.extend(id.to_be_bytes());
            }
            (OutputFormat::Confluent, None) => unreachable!("`new` asks for a registry"),
            (OutputFormat::AvroSingle, _) => {
                out.extend(SINGLE_OBJECT_MARKER);
                out.extend(own.fingerprint());
            }
        }
        own.write(record, &mut out).map_err(Box::new)?;
        Ok(out)
    }
}
