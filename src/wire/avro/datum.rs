//! Reads one Avro datum by a plan into values that borrow from its bytes.
//! Promise: any bytes give a value or a reason, in time and memory bounded by their number; all of
//! them must be used up. It refuses to judge the values: that is `validate`'s part.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, Name, UuidSchema};

use super::plan::{Initial, Op, Plan, RecordPlan};
use crate::money::Money;
use crate::time::Millis;

/// Types inside each other in a field that is skipped.
const DEPTH_MAX: u32 = 64;

const STEPS_PER_BYTE: usize = 16;
const STEPS_LEAST: usize = 4096;

/// A value of one of our schemas; a record's fields stand in our order.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum<'a> {
    Null,
    Bool(bool),
    Whole(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Money(Money),
    Time(Millis),
    Array(Vec<Datum<'a>>),
    Record(Vec<Datum<'a>>),
}

/// Why bytes do not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub String);

fn unfit<T>(why: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit(why.into()))
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

    /// Reads the datum that `bytes` begin with; also gives what stands behind it.
    pub fn read_front<'a>(
        &self,
        bytes: &'a [u8],
        steps: &mut Steps,
    ) -> Result<(Datum<'a>, &'a [u8]), Unfit> {
        let mut reader = Reader { rest: bytes, names: &self.names, steps: steps.0 };
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
    let mut reader = Reader { rest: bytes, names: &HashMap::new(), steps: 0 };
    let branch = reader.length()?;
    Ok((branch, reader.rest))
}

/// Reads the number that `bytes` begin with.
pub fn read_whole(bytes: &[u8]) -> Result<i64, Unfit> {
    Reader { rest: bytes, names: &HashMap::new(), steps: 0 }.whole()
}

struct Reader<'a, 'p> {
    rest: &'a [u8],
    names: &'p HashMap<Name, Schema>,
    /// As in `Steps`.
    steps: usize,
}

impl<'a> Reader<'a, '_> {
    fn datum(&mut self, op: &Op) -> Result<Datum<'a>, Unfit> {
        Ok(match op {
            Op::Null | Op::Skip(Schema::Null) => Datum::Null,
            Op::Bool => Datum::Bool(self.boolean()?),
            Op::Whole => Datum::Whole(self.whole()?),
            Op::Text => Datum::Text(self.text()?),
            Op::Bytes => Datum::Bytes(self.prefixed()?),
            Op::Fixed(size) => Datum::Bytes(self.take(*size)?),
            Op::Money { factor, size } => Datum::Money(self.money(*factor, *size)?),
            Op::Time { per_ms } => Datum::Time(Millis(self.whole()?.div_euclid(*per_ms))),
            Op::Array(items) => Datum::Array(self.array(items)?),
            Op::Record(plan) => Datum::Record(self.record(plan)?),
            Op::Union(branches) => {
                let branch = self.length()?;
                match branches.get(branch) {
                    Some(op) => self.datum(op)?,
                    None => return unfit(format!("a union has no branch {branch}")),
                }
            }
            Op::Skip(schema) => {
                self.skip(schema, DEPTH_MAX)?;
                Datum::Null
            }
            Op::Misfit(why) => return unfit(why.clone()),
        })
    }

    fn record(&mut self, plan: &RecordPlan) -> Result<Vec<Datum<'a>>, Unfit> {
        let initial = |default: &Initial| match default {
            Initial::Null => Datum::Null,
            Initial::Text(text) => Datum::Text(text),
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
    fn block_count(&mut self) -> Result<usize, Unfit> {
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

    fn boolean(&mut self) -> Result<bool, Unfit> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => unfit("a boolean is neither 0 nor 1"),
        }
    }

    /// A zig-zag varint of at most 64 bits.
    fn whole(&mut self) -> Result<i64, Unfit> {
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

    fn length(&mut self) -> Result<usize, Unfit> {
        let number = self.whole()?;
        match usize::try_from(number) {
            Ok(length) => Ok(length),
            Err(_) => unfit(format!("{number} is no length or branch")),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Unfit> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => unfit(format!("{count} bytes are wanted, {} are left", self.rest.len())),
        }
    }

    fn prefixed(&mut self) -> Result<&'a [u8], Unfit> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, Unfit> {
        match std::str::from_utf8(self.prefixed()?) {
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

    /// Steps over a value that no field of ours wants.
    fn skip(&mut self, schema: &Schema, depth: u32) -> Result<(), Unfit> {
        let Some(depth) = depth.checked_sub(1) else {
            return unfit("types are nested too deeply");
        };
        let Some(steps) = self.steps.checked_sub(1) else {
            return unfit("more items than bytes can hold");
        };
        self.steps = steps;
        match schema {
            Schema::Array(array) => self.skip_blocks(|reader| reader.skip(&array.items, depth)),
            Schema::Map(map) => self.skip_blocks(|reader| {
                reader.prefixed()?;
                reader.skip(&map.types, depth)
            }),
            Schema::Union(union) => {
                let branch = self.length()?;
                match union.variants().get(branch) {
                    Some(schema) => self.skip(schema, depth),
                    None => unfit(format!("a union has no branch {branch}")),
                }
            }
            Schema::Record(record) => {
                record.fields.iter().try_for_each(|field| self.skip(&field.schema, depth))
            }
            Schema::Ref { name } => match self.names.get(name) {
                Some(schema) => self.skip(schema, depth),
                None => unfit(format!("type {name} is not defined")),
            },
            leaf => self.skip_leaf(leaf),
        }
    }

    fn skip_blocks(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), Unfit>,
    ) -> Result<(), Unfit> {
        loop {
            let count = self.block_count()?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                item(self)?;
            }
        }
    }

    /// A type that holds no other.
    fn skip_leaf(&mut self, schema: &Schema) -> Result<(), Unfit> {
        match schema {
            Schema::Null => Ok(()),
            Schema::Boolean => self.boolean().map(drop),
            Schema::Float => self.take(4).map(drop),
            Schema::Double => self.take(8).map(drop),
            Schema::Bytes
            | Schema::String
            | Schema::BigDecimal
            | Schema::Uuid(UuidSchema::String | UuidSchema::Bytes)
            | Schema::Decimal(DecimalSchema { inner: InnerDecimalSchema::Bytes, .. }) => {
                self.prefixed().map(drop)
            }
            Schema::Fixed(fixed)
            | Schema::Duration(fixed)
            | Schema::Uuid(UuidSchema::Fixed(fixed))
            | Schema::Decimal(DecimalSchema { inner: InnerDecimalSchema::Fixed(fixed), .. }) => {
                self.take(fixed.size).map(drop)
            }
            // An enum's symbol number, int, long and the times made of them.
            _ => self.whole().map(drop),
        }
    }
}
