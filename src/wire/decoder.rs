//! Records of the input topics to what the fold reads, in whichever encoding they come.
//! Promise: every record gives a decoded line or a reason (C6); only a registry that does not
//! answer is a fault, and then nothing is decided about the record. Never a panic.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::Schema;
use foldhash::fast::FixedState;

use super::avro::lines::{self, RecordKind};
use super::avro::plan::Plan;
use super::avro::schemas::SINGLE_OBJECT_MARKER;
use super::avro::{Fingerprint, fingerprint, writer};
use super::block::{self, BlockSeen};
use super::inbound::{self, Inbound};
use super::json::decode_line;
use super::notice::{self, Notice};
use super::recorded::{self, Recorded};
use super::registry::Registry;
use super::{Decoded, Error, InputFormat, RegistryOptions};
use crate::fold::event::{Input, Reason, Refusal};

/// How input is decoded.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub format: InputFormat,
    /// Needed for Confluent framing.
    pub registry: Option<RegistryOptions>,
    /// Schemas of producers that write single objects with other schemas than ours: a name for
    /// messages (its file) and the JSON text.
    pub writer_schemas: Vec<(String, String)>,
}

/// Plans by registry id, or why that schema is of no use.
type Planned = HashMap<(RecordKind, u32), Result<Arc<Plan>, String>, FixedState>;
/// Plans by fingerprint.
type Known = HashMap<(RecordKind, Fingerprint), Arc<Plan>, FixedState>;

/// Decodes what stands on the topics. Clone it for each thread.
#[derive(Clone, Debug)]
pub struct Decoder {
    format: InputFormat,
    known: Arc<Known>,
    registry: Option<Arc<Registry>>,
    /// Of this thread.
    planned: RefCell<Planned>,
}

impl Decoder {
    /// # Errors
    /// When a writer schema does not parse, fits neither of our inputs, or cannot be told from
    /// another; when the registry's settings make no client, or `Confluent` is asked without one.
    pub fn new(options: &Options) -> Result<Decoder, Error> {
        let registry = options.registry.as_ref().map(Registry::new).transpose()?.map(Arc::new);
        if options.format == InputFormat::Confluent && registry.is_none() {
            let cause = "Confluent framing needs the registry's address".to_owned();
            return Err(Error::RegistrySettings(cause));
        }
        let known = Arc::new(known_plans(&options.writer_schemas)?);
        Ok(Decoder { format: options.format, known, registry, planned: RefCell::default() })
    }

    /// A record of the billed topic.
    ///
    /// # Errors
    /// `Error::Registry` alone: try again.
    pub fn decode_billed<'a>(&self, bytes: &'a [u8]) -> Result<Decoded<'a>, Error> {
        self.decode(RecordKind::Billed, bytes)
    }

    /// A record of the command topic.
    ///
    /// # Errors
    /// `Error::Registry` alone: try again.
    pub fn decode_command<'a>(&self, bytes: &'a [u8]) -> Result<Decoded<'a>, Error> {
        self.decode(RecordKind::Command, bytes)
    }

    /// A record of the command topic, in full; `None` for what the fold refuses.
    ///
    /// # Errors
    /// `Error::Registry` alone: try again.
    pub fn decode_recorded(&self, bytes: &[u8]) -> Result<Option<Recorded>, Error> {
        self.framed(RecordKind::Command, bytes, |frame| match frame {
            Frame::Json => recorded::from_json(bytes),
            Frame::Avro(plan, datum) => recorded::from_avro(plan, datum),
            Frame::None(_) => None,
        })
    }

    /// A record of the block-state topic.
    ///
    /// # Errors
    /// `Error::Registry`: try again. `Error::BlockState` when it is no such record.
    pub fn decode_block(&self, bytes: &[u8]) -> Result<BlockSeen, Error> {
        self.framed(RecordKind::Block, bytes, |frame| match frame {
            Frame::Json => block::from_json(bytes),
            Frame::Avro(plan, datum) => block::from_avro(plan, datum),
            Frame::None(why) => Err(Error::BlockState(why)),
        })?
    }

    /// A record of the topic of inbound messages.
    ///
    /// # Errors
    /// `Error::Registry`: try again. `Error::Inbound` when it is no such record.
    pub fn decode_inbound<'a>(&self, bytes: &'a [u8]) -> Result<Inbound<'a>, Error> {
        self.framed(RecordKind::Inbound, bytes, |frame| match frame {
            Frame::Json => inbound::from_json(bytes),
            Frame::Avro(plan, datum) => inbound::from_avro(plan, datum),
            Frame::None(why) => Err(Error::Inbound(why)),
        })?
    }

    /// A record of the topic of limits reached or of thresholds crossed.
    ///
    /// # Errors
    /// `Error::Registry`: try again. `Error::Notice` when it is no such record.
    pub fn decode_notice(&self, bytes: &[u8], reached: bool) -> Result<Notice, Error> {
        let kind = if reached { RecordKind::Reached } else { RecordKind::Crossed };
        self.framed(kind, bytes, |frame| match frame {
            Frame::Json => notice::from_json(bytes),
            Frame::Avro(plan, datum) if reached => notice::reached_from_avro(plan, datum),
            Frame::Avro(plan, datum) => notice::crossed_from_avro(plan, datum),
            Frame::None(why) => Err(Error::Notice(why)),
        })?
    }

    /// Finds out all that decoding a record of the kind needs: `decode_billed` and `decode_command`
    /// of these bytes do not fail after it.
    ///
    /// # Errors
    /// `Error::Registry` alone: try again.
    pub fn prepare(&self, kind: RecordKind, bytes: &[u8]) -> Result<(), Error> {
        self.framed(kind, bytes, |_| ())
    }

    fn decode<'a>(&self, kind: RecordKind, bytes: &'a [u8]) -> Result<Decoded<'a>, Error> {
        self.framed(kind, bytes, |frame| match frame {
            Frame::Json => json(kind, bytes),
            Frame::Avro(plan, datum) => lines::decode(kind, plan, datum),
            Frame::None(why) => lines::undecodable(why),
        })
    }

    /// Gives the record's frame to `take`.
    fn framed<'a, T>(
        &self,
        kind: RecordKind,
        bytes: &'a [u8],
        take: impl FnOnce(Frame<'_, 'a>) -> T,
    ) -> Result<T, Error> {
        match self.format {
            InputFormat::Json => Ok(take(Frame::Json)),
            InputFormat::AvroSingle => Ok(take(self.single(kind, bytes))),
            InputFormat::Confluent => self.confluent(kind, bytes, take),
            // No JSON text begins with the first bytes of either framing.
            InputFormat::Auto => match bytes {
                [0, ..] => self.confluent(kind, bytes, take),
                [0xc3, 0x01, ..] => Ok(take(self.single(kind, bytes))),
                _ => Ok(take(Frame::Json)),
            },
        }
    }

    fn single<'a>(&self, kind: RecordKind, bytes: &'a [u8]) -> Frame<'_, 'a> {
        let framed = bytes.strip_prefix(&SINGLE_OBJECT_MARKER);
        let Some((print, datum)) = framed.and_then(<[u8]>::split_first_chunk) else {
            return Frame::None("no single-object header".to_owned());
        };
        match self.known.get(&(kind, *print)) {
            Some(plan) => Frame::Avro(plan, datum),
            None => {
                let print = u64::from_le_bytes(*print);
                Frame::None(format!("schema of fingerprint {print:016x} is not known"))
            }
        }
    }

    fn confluent<'a, T>(
        &self,
        kind: RecordKind,
        bytes: &'a [u8],
        take: impl FnOnce(Frame<'_, 'a>) -> T,
    ) -> Result<T, Error> {
        let framed = bytes.strip_prefix(&[0]);
        let Some((id, datum)) = framed.and_then(<[u8]>::split_first_chunk) else {
            return Ok(take(Frame::None("no Confluent framing".to_owned())));
        };
        let id = u32::from_be_bytes(*id);
        if let Some(plan) = self.planned.borrow().get(&(kind, id)) {
            return Ok(take(framed_by(plan, id, datum)));
        }
        let Some(registry) = &self.registry else {
            return Ok(take(Frame::None("no registry is configured".to_owned())));
        };
        let Some(found) = registry.find(id)? else {
            return Ok(take(Frame::None(format!("schema {id} is not in the registry"))));
        };
        let plan = planned(kind, found.as_ref());
        let taken = take(framed_by(&plan, id, datum));
        self.planned.borrow_mut().insert((kind, id), plan);
        Ok(taken)
    }

    /// As if the registry had answered `schema` when asked for `id`: for fuzzing, which has none.
    #[doc(hidden)]
    pub fn answered(&self, id: u32, schema: &str) {
        let found = writer::parse(schema);
        for kind in RecordKind::ALL {
            self.planned.borrow_mut().insert((kind, id), planned(kind, &found));
        }
    }
}

/// What a record's first bytes say about the rest.
enum Frame<'p, 'a> {
    Json,
    Avro(&'p Plan, &'a [u8]),
    /// No encoding that is known here.
    None(String),
}

/// How a schema of the registry is read, or why it is not.
fn planned(kind: RecordKind, found: &Result<Schema, String>) -> Result<Arc<Plan>, String> {
    let writer = found.as_ref().map_err(Clone::clone)?;
    let plan = Plan::new(writer, kind.own().schema()).map_err(|fault| fault.to_string())?;
    Ok(Arc::new(plan))
}

fn framed_by<'p, 'a>(
    plan: &'p Result<Arc<Plan>, String>,
    id: u32,
    datum: &'a [u8],
) -> Frame<'p, 'a> {
    match plan {
        Ok(plan) => Frame::Avro(plan, datum),
        Err(why) => Frame::None(format!("schema {id} of the registry: {why}")),
    }
}

/// A line of the kind that the topic holds.
pub(super) fn json(kind: RecordKind, bytes: &[u8]) -> Decoded<'_> {
    let decoded = decode_line(bytes);
    let (account_id, event_id, command_id) = match (&decoded.input, kind) {
        (Input::Rejected(_), _)
        | (Input::Billed(_), RecordKind::Billed)
        | (Input::Command(_), RecordKind::Command)
        | (Input::Tick, RecordKind::Tick) => return decoded,
        (Input::Billed(event), _) => (Some(&*event.account_id), Some(&*event.event_id), None),
        (Input::Command(it), _) => {
            (Some(it.account_id.as_str()), None, Some(it.command_id.as_str()))
        }
        (Input::Tick, _) => (None, None, None),
    };
    let refusal = Refusal {
        reason: Reason::Invalid,
        account_id: account_id.map(str::to_owned),
        event_id: event_id.map(str::to_owned),
        command_id: command_id.map(str::to_owned),
        detail: format!("type: not for the topic of {}", kind.topic_holds()),
    };
    Decoded { input: Input::Rejected(refusal), recorded_at: None }
}

/// Plans for our schemas, and for the configured ones as whatever they fit.
fn known_plans(writer_schemas: &[(String, String)]) -> Result<Known, Error> {
    let mut known = Known::default();
    for kind in RecordKind::ALL {
        let own = kind.own();
        let plan = Plan::new(own.schema(), own.schema()).expect("our schemas are complete");
        known.insert((kind, own.fingerprint()), Arc::new(plan));
    }
    for (name, text) in writer_schemas {
        add_writer(&mut known, text)
            .map_err(|cause| Error::WriterSchema { name: name.clone(), cause })?;
    }
    Ok(known)
}

fn add_writer(known: &mut Known, text: &str) -> Result<(), String> {
    let schema = writer::parse(text)?;
    let print = fingerprint(text)?;
    let mut misfits = Vec::new();
    for kind in [RecordKind::Billed, RecordKind::Command] {
        let plan = Plan::new(&schema, kind.own().schema()).map_err(|cause| cause.to_string())?;
        if let Some(why) = plan.misfit() {
            misfits.push(format!("not one of {}: {why}", kind.topic_holds()));
            continue;
        }
        // A fingerprint leaves out logical types: two schemas of one may mean other amounts.
        if known.get(&(kind, print)).is_some_and(|other| **other != plan) {
            return Err("another schema has the same fingerprint".to_owned());
        }
        known.insert((kind, print), Arc::new(plan));
    }
    if misfits.len() == 2 { Err(misfits.join("; ")) } else { Ok(()) }
}
