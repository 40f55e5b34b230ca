//! Logs in Avro container files: billed events, commands and ticks, of one kind or mixed. Promise:
//! the writer's schema is resolved to ours by the same plans as on topics, each datum is a line by
//! its own, and what cannot be read on ends the log with a fault, never in silence.

use std::io::{self, Read, Write};
use std::sync::Arc;

use apache_avro::{Codec, DeflateSettings, Schema, Writer};
use serde::Serialize;

use super::avro::datum::{Steps, Unfit, read_branch, read_whole};
use super::avro::lines::{self, RecordKind};
use super::avro::plan::Plan;
use super::avro::writer;
use super::shown_lines::{self, Issued};
use super::{Decoded, Error};
use crate::fold::event::{BilledEvent, Command};
use crate::time::Millis;

/// Bytes of a block, compressed or not; more is taken for damage.
const BLOCK_BYTES_MAX: usize = 64 << 20;
/// Bytes of one of the header's entries.
const HEADER_ENTRY_BYTES_MAX: usize = 16 << 20;
/// Bytes of the schema among them; parsed it is far larger.
const SCHEMA_BYTES_MAX: usize = 1 << 20;
const MAGIC: [u8; 4] = *b"Obj\x01";
const SYNC_BYTES: usize = 16;

fn damaged<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::Container(what.into()))
}

/// A container file, block by block. After a fault there are no more.
pub struct Container<R> {
    source: R,
    codec: Codec,
    sync: [u8; SYNC_BYTES],
    kinds: Arc<Kinds>,
}

/// Some records of a container, unpacked. They are decoded as they are asked for: all at once they
/// would take a hundred times the block's bytes.
pub struct Block {
    bytes: Vec<u8>,
    count: usize,
    kinds: Arc<Kinds>,
}

/// The lines of a block, in order. An error is the last item.
pub struct BlockLines<'a> {
    rest: &'a [u8],
    /// Lines to come; `None` behind the end.
    left: Option<usize>,
    /// False once a datum did not fit the schema.
    fits: bool,
    steps: Steps,
    kinds: &'a Kinds,
}

/// How the writer's datums are read.
enum Kinds {
    One(RecordKind, Box<Plan>),
    /// By the branch of the writer's union.
    Branches(Vec<(RecordKind, Plan)>),
}

/// Opens a log.
///
/// # Errors
/// When the header is damaged, the codec is not built in, or the schema is none of a log's.
pub fn read<R: Read>(mut source: R) -> Result<Container<R>, Error> {
    // What a block unpacks to is bounded by this, once for the process.
    apache_avro::util::max_allocation_bytes(BLOCK_BYTES_MAX);
    let mut magic = [0; MAGIC.len()];
    source.read_exact(&mut magic)?;
    if magic != MAGIC {
        return damaged("it does not begin with Obj and 1");
    }
    let (mut schema, mut codec) = (None, Codec::Null);
    loop {
        let count = stream_whole(&mut source)?;
        if count == 0 {
            break;
        }
        if count < 0 {
            stream_whole(&mut source)?;
        }
        for _ in 0..count.unsigned_abs() {
            let key = stream_bytes(&mut source, HEADER_ENTRY_BYTES_MAX)?;
            let value = stream_bytes(&mut source, HEADER_ENTRY_BYTES_MAX)?;
            match key.as_slice() {
                b"avro.schema" => schema = Some(parse_schema(&value)?),
                b"avro.codec" => codec = parse_codec(&value)?,
                _ => {}
            }
        }
    }
    let Some(schema) = schema else {
        return damaged("it names no schema");
    };
    let mut sync = [0; SYNC_BYTES];
    source.read_exact(&mut sync)?;
    let kinds = Arc::new(kinds(&schema)?);
    Ok(Container { source, codec, sync, kinds })
}

fn parse_schema(text: &[u8]) -> Result<Schema, Error> {
    if text.len() > SCHEMA_BYTES_MAX {
        return damaged(format!(
            "a schema of {} bytes, {SCHEMA_BYTES_MAX} is the most",
            text.len()
        ));
    }
    let text = std::str::from_utf8(text).map_err(|fault| Error::Container(fault.to_string()))?;
    writer::parse(text).map_err(|fault| Error::Container(format!("its schema: {fault}")))
}

fn parse_codec(name: &[u8]) -> Result<Codec, Error> {
    match name {
        b"null" => Ok(Codec::Null),
        b"deflate" => Ok(Codec::Deflate(DeflateSettings::default())),
        b"snappy" => Ok(Codec::Snappy),
        #[cfg(feature = "files")]
        b"zstandard" => Ok(Codec::Zstandard(apache_avro::ZstandardSettings::default())),
        other => damaged(format!("codec {} is not known", String::from_utf8_lossy(other))),
    }
}

/// A record is recognised by our names, else by whichever of our schemas it resolves to.
fn kinds(writer: &Schema) -> Result<Kinds, Error> {
    if let Schema::Union(union) = writer {
        let branches = union.variants().iter().map(kind);
        return branches.collect::<Result<_, _>>().map(Kinds::Branches);
    }
    let (kind, plan) = kind(writer)?;
    Ok(Kinds::One(kind, Box::new(plan)))
}

fn kind(writer: &Schema) -> Result<(RecordKind, Plan), Error> {
    let mut misfits = Vec::new();
    let named = |kind: RecordKind| {
        let own = kind.own().schema().name().map(|name| name.name().to_owned());
        writer.name().is_some_and(|name| Some(name.name()) == own.as_deref())
    };
    let mut candidates = RecordKind::LINES;
    candidates.sort_by_key(|kind| !named(*kind));
    for kind in candidates {
        let plan = Plan::new(writer, kind.own().schema())
            .map_err(|fault| Error::Container(format!("its schema: {fault}")))?;
        match plan.misfit() {
            None => return Ok((kind, plan)),
            Some(why) => misfits.push(format!("not {}: {why}", kind.topic_holds())),
        }
    }
    damaged(format!("its schema is no log's: {}", misfits.join("; ")))
}

impl<R: Read> Container<R> {
    /// The next block; `None` at the file's end.
    ///
    /// # Errors
    /// When the file ends within a block or is damaged there.
    pub fn next_block(&mut self) -> Result<Option<Block>, Error> {
        let mut first = [0];
        if read_up_to(&mut self.source, &mut first)? == 0 {
            return Ok(None);
        }
        let count = stream_whole(&mut first.as_slice().chain(&mut self.source))?;
        let mut block = stream_bytes(&mut self.source, BLOCK_BYTES_MAX)?;
        let mut sync = [0; SYNC_BYTES];
        self.source.read_exact(&mut sync)?;
        if sync != self.sync {
            return damaged("a block does not end with the file's marker");
        }
        self.codec
            .decompress(&mut block)
            .map_err(|fault| Error::Container(format!("a block does not unpack: {fault}")))?;
        if block.len() > BLOCK_BYTES_MAX {
            return damaged(format!("a block of {} bytes unpacked", block.len()));
        }
        // Each datum of ours has a byte at least.
        match usize::try_from(count) {
            Ok(count) if count <= block.len() => {
                Ok(Some(Block { bytes: block, count, kinds: Arc::clone(&self.kinds) }))
            }
            _ => damaged(format!("a block of {count} records in {} bytes", block.len())),
        }
    }
}

impl Block {
    /// Records in the block, as it says itself.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes of the records, unpacked.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    #[must_use]
    pub fn lines(&self) -> BlockLines<'_> {
        BlockLines {
            rest: &self.bytes,
            left: Some(self.count),
            fits: true,
            steps: Steps::of(&self.bytes),
            kinds: &self.kinds,
        }
    }
}

impl<'a> Iterator for BlockLines<'a> {
    type Item = Result<Decoded<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.left?;
        self.left = left.checked_sub(1);
        if left == 0 {
            // Behind the last line nothing may be left.
            let over = self.rest.len();
            let bytes_over = self.fits && over > 0;
            return bytes_over.then(|| damaged(format!("{over} bytes are left over in a block")));
        }
        if !self.fits {
            // Where the next datum begins is not known, up to the next block.
            let behind = "it stands in a block behind bytes that do not fit the schema";
            return Some(Ok(lines::undecodable(behind.to_owned())));
        }
        Some(Ok(match self.kinds.decode_front(self.rest, &mut self.steps) {
            Ok((decoded, behind)) => {
                self.rest = behind;
                decoded
            }
            Err(Unfit(why)) => {
                self.fits = false;
                lines::undecodable(format!("bytes do not fit the schema: {why}"))
            }
        }))
    }
}

impl Kinds {
    fn decode_front<'a>(
        &self,
        bytes: &'a [u8],
        steps: &mut Steps,
    ) -> Result<(Decoded<'a>, &'a [u8]), Unfit> {
        let (kind, plan, bytes) = match self {
            Kinds::One(kind, plan) => (*kind, plan.as_ref(), bytes),
            Kinds::Branches(branches) => {
                let (branch, bytes) = read_branch(bytes)?;
                match branches.get(branch) {
                    Some((kind, plan)) => (*kind, plan, bytes),
                    None => return Err(Unfit(format!("the union has no branch {branch}").into())),
                }
            }
        };
        lines::decode_front(kind, plan, bytes, steps)
    }
}

/// Reads a number of the container's own framing, a byte at a time.
fn stream_whole(source: &mut impl Read) -> Result<i64, Error> {
    let mut bytes = [0; 10];
    for at in 0..bytes.len() {
        source.read_exact(&mut bytes[at..=at])?;
        if bytes[at] & 0x80 == 0 {
            return read_whole(&bytes[..=at]).map_err(|Unfit(why)| Error::Container(*why));
        }
    }
    damaged("a number has more than 64 bits")
}

fn stream_bytes(source: &mut impl Read, most: usize) -> Result<Vec<u8>, Error> {
    let length = stream_whole(source)?;
    let length = match usize::try_from(length) {
        Ok(length) if length <= most => length,
        _ => return damaged(format!("a part of {length} bytes, {most} is the most")),
    };
    // Grows with what is really there, whatever length was claimed.
    let mut bytes = Vec::new();
    source.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}

fn read_up_to(source: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(bytes) {
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// The schema of a mixed log: a union of the three kinds of lines.
///
/// # Panics
/// Never: a test parses it.
#[must_use]
pub fn log_schema() -> Schema {
    let texts = RecordKind::LINES.map(|kind| kind.own().text);
    Schema::parse_str(&format!("[{}]", texts.join(","))).expect("a union of our schemas")
}

/// Writes a mixed log. The same lines give the same bytes.
pub struct LogWriter<'s, W: Write>(Writer<'s, W>);

impl<'s, W: Write> LogWriter<'s, W> {
    /// `schema` is `log_schema()`, which has to outlive the writer.
    ///
    /// # Errors
    /// When `schema` is another.
    pub fn new(schema: &'s Schema, sink: W) -> Result<LogWriter<'s, W>, Error> {
        // A random marker would make two runs of one seed differ.
        let marker = *b"tollgate log 001";
        let writer = Writer::builder()
            .schema(schema)
            .writer(sink)
            .codec(Codec::Deflate(DeflateSettings::default()))
            .marker(marker)
            .human_readable(false)
            .build();
        Ok(LogWriter(writer.map_err(Box::new)?))
    }

    /// # Errors
    /// When the sink fails.
    pub fn billed(
        &mut self,
        event: &BilledEvent<'_>,
        recorded: Option<Millis>,
    ) -> Result<(), Error> {
        self.append(&shown_lines::billed(event, recorded))
    }

    /// Appends nothing for a command that does not touch the fold.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn command(&mut self, command: &Command, issued: Issued<'_>) -> Result<(), Error> {
        match shown_lines::command(command, issued) {
            Some(record) => self.append(&record),
            None => Ok(()),
        }
    }

    /// # Errors
    /// When the sink fails.
    pub fn tick(&mut self, now: Millis) -> Result<(), Error> {
        self.append(&shown_lines::tick(now))
    }

    /// Writes what is buffered and gives the sink back.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn finish(self) -> Result<W, Error> {
        Ok(self.0.into_inner().map_err(Box::new)?)
    }

    fn append(&mut self, record: &impl Serialize) -> Result<(), Error> {
        self.0.append_ser(record).map_err(Box::new)?;
        Ok(())
    }
}
