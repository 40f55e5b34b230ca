//! Reads one Avro datum by a plan into values that borrow from its bytes.
//! Promise: any bytes give a value or a reason, in time and memory bounded by their number; all of
//! them must be used up. It refuses to judge the values: that is `validate`'s part.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::Name;

use super::plan::{Initial, Op, Plan, RecordPlan};
use crate::money::Money;
use crate::time::Millis;

/// Bytes that are looked at for UTF-8 together: a billed event is shorter, and of a block of many
/// records nothing is looked at again and again.
const FRONT_BYTES_MAX: usize = 512;

const STEPS_PER_BYTE: usize = 16;
const STEPS_LEAST: usize = 4096;

/// A value of one of our schemas; a record's fields stand in our order.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum<'a> {
    Scalar(Scalar<'a>),
    Array(Vec<Datum<'a>>),
    Record(Vec<Datum<'a>>),
}

/// A value that holds no other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Whole(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Money(Money),
    Time(Millis),
}

/// Why bytes do not fit the schema. Boxed, so that results stay in registers.
#[expect(clippy::box_collection, reason = "a thin pointer is the point")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub Box<String>);

#[cold]
pub(super) fn unfit<T>(why: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit(Box::new(why.into())))
}

impl Plan {
    /// Reads the datum that `bytes` are.
    pub fn read<'a>(&self, bytes: &'a [u8]) -> Result<Datum<'a>, Unfit> {
        let (datum, rest) = self.read_front(bytes, &mut Steps::of(bytes))?;
        if !rest.is_empty() {
            return unfit(format!("{} bytes are left over", rest.len()));
        }
        Ok(datum)
    }

    /// Reads the record that `bytes` begin with, whose fields of ours hold no others: gives each to
    /// `take` with its place among ours, nothing for those that keep their defaults. Also gives
    /// what stands behind it.
    pub fn read_flat<'a>(
        &self,
        bytes: &'a [u8],
        steps: &mut Steps,
        mut take: impl FnMut(usize, Scalar<'a>),
    ) -> Result<&'a [u8], Unfit> {
        let mut reader = Reader::new(bytes, &self.names, steps.0);
        let mut op = &self.root;
        while let Op::Union(branches) = op {
            op = reader.branch(branches)?;
        }
        let plan = match op {
            Op::Record(plan) => plan,
            Op::Misfit(why) => return unfit(why.clone()),
            _ => return unfit("no record"),
        };
        for (at, op) in &plan.steps {
            let scalar = reader.scalar(op)?;
            if let Some(at) = at {
                take(*at, scalar);
            }
        }
        steps.0 = reader.steps;
        Ok(reader.rest)
    }

    /// Reads the datum that `bytes` begin with; also gives what stands behind it.
    pub fn read_front<'a>(
        &self,
        bytes: &'a [u8],
        steps: &mut Steps,
    ) -> Result<(Datum<'a>, &'a [u8]), Unfit> {
        let mut reader = Reader::new(bytes, &self.names, steps.0);
        let datum = reader.datum(&self.root)?;
        steps.0 = reader.steps;
        Ok((datum, reader.rest))
    }
}

/// How many values may still be skipped. A value may have no bytes (a null, an empty record), so
/// without a bound a few types that hold each other twice, or a long array, could cost hours.
pub struct Steps(usize);

impl Steps {
    /// Enough for all data that stand in `bytes`.
    pub fn of(bytes: &[u8]) -> Steps {
        Steps(bytes.len().saturating_mul(STEPS_PER_BYTE).saturating_add(STEPS_LEAST))
    }
}

/// Reads the branch number with which a union begins.
pub fn read_branch(bytes: &[u8]) -> Result<(usize, &[u8]), Unfit> {
    let names = HashMap::new();
    let mut reader = Reader::new(bytes, &names, 0);
    let branch = reader.length()?;
    Ok((branch, reader.rest))
}

/// Reads the number that `bytes` begin with.
pub fn read_whole(bytes: &[u8]) -> Result<i64, Unfit> {
    Reader::new(bytes, &HashMap::new(), 0).whole()
}

pub(super) struct Reader<'a, 'p> {
    rest: &'a [u8],
    /// What `rest` was in the beginning, as far as that is UTF-8: most texts of a record need no
    /// look of their own.
    front: &'a str,
    bytes: usize,
    pub(super) names: &'p HashMap<Name, Schema>,
    /// As in `Steps`.
    pub(super) steps: usize,
}

impl<'a, 'p> Reader<'a, 'p> {
    fn new(bytes: &'a [u8], names: &'p HashMap<Name, Schema>, steps: usize) -> Reader<'a, 'p> {
        let front = &bytes[..bytes.len().min(FRONT_BYTES_MAX)];
        let front = str::from_utf8(front).unwrap_or_else(|fault| {
            str::from_utf8(&front[..fault.valid_up_to()]).unwrap_or_default()
        });
        Reader { rest: bytes, front, bytes: bytes.len(), names, steps }
    }

    fn datum(&mut self, op: &Op) -> Result<Datum<'a>, Unfit> {
        Ok(match op {
            Op::Array(items) => Datum::Array(self.array(items)?),
            Op::Record(plan) => Datum::Record(self.record(plan)?),
            Op::Union(branches) => {
                let op = self.branch(branches)?;
                self.datum(op)?
            }
            op => Datum::Scalar(self.scalar(op)?),
        })
    }

    #[inline(always)]
    fn scalar(&mut self, op: &Op) -> Result<Scalar<'a>, Unfit> {
        // Most fields may be null.
        let op = if let Op::Union(branches) = op { self.branch(branches)? } else { op };
        Ok(match op {
            Op::Null | Op::Skip(Schema::Null) => Scalar::Null,
            Op::Bool => Scalar::Bool(self.boolean()?),
            Op::Whole => Scalar::Whole(self.whole()?),
            Op::Text => Scalar::Text(self.text()?),
            Op::Bytes => Scalar::Bytes(self.prefixed()?),
            Op::Fixed(size) => Scalar::Bytes(self.take(*size)?),
            Op::Money { factor, size } => Scalar::Money(self.money(*factor, *size)?),
            Op::Time { per_ms } => Scalar::Time(Millis(self.whole()?.div_euclid(*per_ms))),
            Op::Union(_) => return unfit("a union in a union"),
            Op::Skip(schema) => {
                self.skip(schema)?;
                Scalar::Null
            }
            Op::Misfit(why) => return unfit(why.clone()),
            Op::Array(_) | Op::Record(_) => return unfit("a field holds others"),
        })
    }

    #[inline(always)]
    fn branch<'o>(&mut self, branches: &'o [Op]) -> Result<&'o Op, Unfit> {
        let branch = self.length()?;
        match branches.get(branch) {
            Some(op) => Ok(op),
            None => unfit(format!("a union has no branch {branch}")),
        }
    }

    fn record(&mut self, plan: &RecordPlan) -> Result<Vec<Datum<'a>>, Unfit> {
        let initial = |default: &Initial| match default {
            Initial::Null => Datum::Scalar(Scalar::Null),
            Initial::Text(text) => Datum::Scalar(Scalar::Text(text)),
        };
        let mut fields: Vec<Datum<'a>> = plan.defaults.iter().map(initial).collect();
        for (at, op) in &plan.steps {
            let datum = self.datum(op)?;
            if let Some(at) = at {
                fields[*at] = datum;
            }
        }
        Ok(fields)
    }

    /// Items of ours have a byte at least, so their number needs no bound.
    fn array(&mut self, items: &Op) -> Result<Vec<Datum<'a>>, Unfit> {
        let mut elements = Vec::new();
        loop {
            let count = self.block_count()?;
            if count == 0 {
                return Ok(elements);
            }
            for _ in 0..count {
                elements.push(self.datum(items)?);
            }
        }
    }

    /// Items in the next block of an array or map, 0 at its end.
    pub(super) fn block_count(&mut self) -> Result<usize, Unfit> {
        let count = self.whole()?;
        if count < 0 {
            // A negative count is followed by the block's size in bytes.
            self.whole()?;
        }
        match usize::try_from(count.unsigned_abs()) {
            Ok(count) => Ok(count),
            Err(_) => unfit("more items than bytes can hold"),
        }
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Unfit> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => unfit("a boolean is neither 0 nor 1"),
        }
    }

    /// A zig-zag varint of at most 64 bits.
    #[inline(always)]
    pub(super) fn whole(&mut self) -> Result<i64, Unfit> {
        // Branches and lengths, most of all numbers, have one byte.
        if let [byte @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(i64::from(*byte >> 1) ^ -i64::from(*byte & 1));
        }
        self.long_whole()
    }

    #[cold]
    fn long_whole(&mut self) -> Result<i64, Unfit> {
        let mut value = 0_u64;
        for (at, byte) in self.rest.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            if at == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * at);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[at + 1..];
                return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
        }
        unfit("a number is cut short or has more than 64 bits")
    }

    #[inline(always)]
    pub(super) fn length(&mut self) -> Result<usize, Unfit> {
        let number = self.whole()?;
        match usize::try_from(number) {
            Ok(length) => Ok(length),
            Err(_) => unfit(format!("{number} is no length or branch")),
        }
    }

    #[inline(always)]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Unfit> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => unfit(format!("{count} bytes are wanted, {} are left", self.rest.len())),
        }
    }

    #[inline(always)]
    pub(super) fn prefixed(&mut self) -> Result<&'a [u8], Unfit> {
        let length = self.length()?;
        self.take(length)
    }

    #[inline(always)]
    fn text(&mut self) -> Result<&'a str, Unfit> {
        let bytes = self.prefixed()?;
        let end = self.bytes - self.rest.len();
        if let Some(text) = self.front.get(end - bytes.len()..end) {
            return Ok(text);
        }
        match str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => unfit("a string is not UTF-8"),
        }
    }

    /// A big-endian two's complement number.
    fn money(&mut self, factor: i128, size: Option<usize>) -> Result<Money, Unfit> {
        let bytes = match size {
            Some(size) => self.take(size)?,
            None => self.prefixed()?,
        };
        let sign = match bytes.first() {
            Some(byte) if byte & 0x80 != 0 => u8::MAX,
            Some(_) => 0,
            None => return unfit("a decimal has no bytes"),
        };
        let significant = &bytes[bytes.iter().take_while(|byte| **byte == sign).count()..];
        let mut number = [sign; 16];
        let Some(start) = number.len().checked_sub(significant.len()) else {
            return unfit("a decimal of more than 128 bits");
        };
        number[start..].copy_from_slice(significant);
        let number = i128::from_be_bytes(number);
        // A first significant byte may carry the other sign bit once 16 bytes are full.
        let kept_sign = (number < 0) == (sign != 0);
        match number.checked_mul(factor) {
            Some(micros) if kept_sign => Ok(Money(micros)),
            _ => unfit("a decimal of more than 128 bits"),
        }
    }
}
