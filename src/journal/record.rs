//! One journal record: which lines were folded at which `now`, and what must come out again. Its
//! bytes are Avro in single-object encoding; its hash is the SHA-256 of those bytes.

use std::fmt;
use std::sync::LazyLock;

use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Decimal, Schema};
use num_bigint::BigInt;
use sha2::{Digest, Sha256};

use crate::fold::Counts;
use crate::money::Money;
use crate::time::Millis;
use crate::wire::{self, Datum, Plan, Scalar, Unfit};

/// SHA-256 of a record's or of a batch's decision bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// Offsets `from..to` of one topic partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: u64,
    pub to: u64,
}

/// How the billed topic's producers put an account on a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioner {
    /// Java's client.
    Murmur2,
    /// librdkafka's default.
    Crc32,
}

/// Who appended a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Where its HTTP server is reached.
    pub address: String,
    /// Random, new with each start.
    pub run: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub seq: u64,
    /// Zero for record 0.
    pub prev: Hash,
    pub billed: Range,
    pub commands: Range,
    /// The batch's last tick.
    pub now: Millis,
    /// The dedup window it was folded with.
    pub dedup_minutes: u32,
    /// What this batch added.
    pub control: Counts,
    pub decisions: u64,
    /// Over the decisions' JSON lines, each ended by a line feed.
    pub decisions_hash: Hash,
    pub published_through: Option<u64>,
    pub owner: Owner,
    pub rules: u32,
    pub partitions: u32,
    pub partitioner: Partitioner,
}

/// Why bytes are not a journal record.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("not a journal record: {0}")]
    Shape(&'static str),
    #[error("a journal record of version {0}, which this release does not know: upgrade it")]
    Version(i64),
    #[error("not a journal record: {}", .0.0)]
    Unfit(Unfit),
}

impl Hash {
    pub const ZERO: Hash = Hash([0; 32]);

    #[must_use]
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
        out.write_str("…")
    }
}

/// Hashes a batch's decisions as they come.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    #[must_use]
    pub fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

impl Partitioner {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Partitioner::Murmur2 => "murmur2",
            Partitioner::Crc32 => "crc32",
        }
    }
}

const SCHEMA_TEXT: &str = include_str!("../../schemas/journal-record.avsc");

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::parse_str(SCHEMA_TEXT).expect("the schema in the repository is well-formed")
});

/// Reads what fits the bytes: lengths that a damaged record claims take no memory.
static PLAN: LazyLock<Plan> =
    LazyLock::new(|| Plan::new(&SCHEMA, &SCHEMA).expect("the schema names no type but its own"));

/// Marker and fingerprint of the single-object encoding.
static HEADER: LazyLock<[u8; 10]> = LazyLock::new(|| {
    let print =
        wire::fingerprint(SCHEMA_TEXT).expect("the schema in the repository is well-formed");
    let mut header = [0xC3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0];
    header[2..].copy_from_slice(&print);
    header
});

impl Record {
    /// The record's bytes, the same for the same record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let int = |value: u32| Value::Int(i32::try_from(value).expect("small by its bounds"));
        let long = |value: u64| Value::Long(i64::try_from(value).expect("offsets fit 63 bits"));
        let fixed = |hash: Hash| Value::Fixed(32, hash.0.to_vec());
        let cost = BigInt::from(self.control.cost.0).to_signed_bytes_be();
        let through = self.published_through.map_or(Value::Long(-1), long);
        let fields = [
            ("version", int(super::RECORD_VERSION)),
            ("seq", long(self.seq)),
            ("prev", fixed(self.prev)),
            ("billed_from", long(self.billed.from)),
            ("billed_to", long(self.billed.to)),
            ("commands_from", long(self.commands.from)),
            ("commands_to", long(self.commands.to)),
            ("now", Value::TimestampMillis(self.now.0)),
            ("dedup_minutes", int(self.dedup_minutes)),
            ("events", long(self.control.events)),
            ("duplicates", long(self.control.duplicates)),
            ("rejects", long(self.control.rejects)),
            ("cost", Value::Decimal(Decimal::from(cost))),
            ("requests", long(self.control.requests)),
            ("decisions", long(self.decisions)),
            ("decisions_hash", fixed(self.decisions_hash)),
            ("published_through", through),
            ("owner_address", Value::String(self.owner.address.clone())),
            ("owner_run", Value::String(self.owner.run.clone())),
            ("rules", int(self.rules)),
            ("partitions", int(self.partitions)),
            ("partitioner", Value::String(self.partitioner.as_str().to_owned())),
        ];
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        let writer = GenericDatumWriter::builder(&SCHEMA).build();
        let mut bytes = HEADER.to_vec();
        writer
            .and_then(|writer| writer.write_value(&mut bytes, Value::Record(fields.collect())))
            .expect("the fields are those of the schema");
        bytes
    }

    /// Reads a record back.
    ///
    /// # Errors
    /// When the bytes are no journal record, or one of a version this release does not know.
    pub fn decode(bytes: &[u8]) -> Result<Record, Error> {
        let Some(datum) = bytes.strip_prefix(HEADER.as_slice()) else {
            return Err(Error::Shape("it does not begin with the schema's fingerprint"));
        };
        let Datum::Record(fields) = PLAN.read(datum).map_err(Error::Unfit)? else {
            return Err(Error::Shape("not an Avro record"));
        };
        Fields(fields.into_iter()).record()
    }
}

/// The decoded fields, taken in the schema's order.
struct Fields<'a>(std::vec::IntoIter<Datum<'a>>);

impl<'a> Fields<'a> {
    fn record(mut self) -> Result<Record, Error> {
        let version = self.whole()?;
        if version != i64::from(super::RECORD_VERSION) {
            return Err(Error::Version(version));
        }
        Ok(Record {
            seq: self.count()?,
            prev: self.hash()?,
            billed: Range { from: self.count()?, to: self.count()? },
            commands: Range { from: self.count()?, to: self.count()? },
            now: self.time()?,
            dedup_minutes: self.small()?,
            control: Counts {
                events: self.count()?,
                duplicates: self.count()?,
                rejects: self.count()?,
                cost: self.money()?,
                requests: self.count()?,
            },
            decisions: self.count()?,
            decisions_hash: self.hash()?,
            published_through: u64::try_from(self.whole()?).ok(),
            owner: Owner { address: self.text()?, run: self.text()? },
            rules: self.small()?,
            partitions: self.small()?,
            partitioner: match self.text()?.as_str() {
                "murmur2" => Partitioner::Murmur2,
                "crc32" => Partitioner::Crc32,
                _ => return Err(Error::Shape("an unknown partitioner")),
            },
        })
    }

    fn next(&mut self) -> Result<Datum<'a>, Error> {
        self.0.next().ok_or(Error::Shape("a field is missing"))
    }

    fn whole(&mut self) -> Result<i64, Error> {
        match self.next()? {
            Datum::Scalar(Scalar::Whole(value) | Scalar::Time(Millis(value))) => Ok(value),
            _ => Err(Error::Shape("a number is expected")),
        }
    }

    /// No line sets another time than lines can have.
    fn time(&mut self) -> Result<Millis, Error> {
        let time = Millis(self.whole()?);
        if time.in_range() { Ok(time) } else { Err(Error::Shape("a time out of range")) }
    }

    fn count(&mut self) -> Result<u64, Error> {
        u64::try_from(self.whole()?).map_err(|_| Error::Shape("a negative number"))
    }

    /// An Avro int.
    fn small(&mut self) -> Result<u32, Error> {
        let value = i32::try_from(self.whole()?).ok().and_then(|value| u32::try_from(value).ok());
        value.ok_or(Error::Shape("a number out of range"))
    }

    fn text(&mut self) -> Result<String, Error> {
        match self.next()? {
            Datum::Scalar(Scalar::Text(text)) => Ok(text.to_owned()),
            _ => Err(Error::Shape("a text is expected")),
        }
    }

    fn hash(&mut self) -> Result<Hash, Error> {
        let Datum::Scalar(Scalar::Bytes(bytes)) = self.next()? else {
            return Err(Error::Shape("a hash is expected"));
        };
        bytes.try_into().map(Hash).map_err(|_| Error::Shape("a hash has 32 bytes"))
    }

    fn money(&mut self) -> Result<Money, Error> {
        match self.next()? {
            Datum::Scalar(Scalar::Money(money)) => Ok(money),
            _ => Err(Error::Shape("a decimal is expected")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            seq: 7,
            prev: Hash::of(b"six"),
            billed: Range { from: 10, to: 20 },
            commands: Range { from: 3, to: 3 },
            now: Millis(1_700_000_000_123),
            dedup_minutes: 10,
            control: Counts {
                events: 9,
                duplicates: 1,
                rejects: 2,
                cost: Money(-1_500_000),
                requests: 12,
            },
            decisions: 4,
            decisions_hash: Hash::of(b"decisions"),
            published_through: None,
            owner: Owner { address: "10.0.0.1:8080".to_owned(), run: "a1".to_owned() },
            rules: 1,
            partitions: 4,
            partitioner: Partitioner::Murmur2,
        }
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        for (partitioner, published_through) in [
            (Partitioner::Murmur2, None),
            (Partitioner::Crc32, Some(0)),
            (Partitioner::Crc32, Some(6)),
        ] {
            let record = Record { partitioner, published_through, ..record() };
            assert_eq!(Record::decode(&record.encode()).expect("its own bytes"), record);
        }
    }

    #[test]
    fn bytes_that_are_cut_or_longer_are_no_record() {
        let bytes = record().encode();
        for cut in 0..bytes.len() {
            assert!(Record::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Record::decode(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_time_beyond_the_calendar_is_no_record() {
        for now in [Millis(-1), Millis(i64::MAX)] {
            assert!(Record::decode(&Record { now, ..record() }.encode()).is_err(), "{now:?}");
        }
    }

    /// Over all of a batch's lines, however they were handed over.
    #[test]
    fn a_batch_s_hash_is_that_of_its_lines_together() {
        let mut hasher = Hasher::default();
        hasher.update(b"{}");
        hasher.update(b"\n");
        assert_eq!(hasher.finish(), Hash::of(b"{}\n"));
    }

    /// As other tools show it; in messages its beginning is enough.
    #[test]
    fn a_hash_is_shown_in_hexadecimal() {
        let hash = Hash::of(b"abc");
        let whole = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), whole);
        assert_eq!(format!("{hash:?}"), "ba7816bf…");
    }
}
