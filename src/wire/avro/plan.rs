//! How bytes of a writer's schema become values of ours: schema resolution, done once per schema.
//! Promise: Avro's rules (fields by name, int to long, bytes to string, unions branch by branch,
//! defaults of ours), and two exact conversions beside them: decimals of a smaller scale, finer
//! timestamps. Names of records are not compared, and what cannot fit says so when it is read.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{
    DecimalSchema, InnerDecimalSchema, Name, RecordSchema, ResolvedSchema, UuidSchema,
};
use serde_json::Value;

use crate::money::SCALE;

/// The reading of one writer's schema as one of ours.
#[derive(Debug, PartialEq)]
pub struct Plan {
    pub(super) root: Op,
    /// The writer's named types, for what is skipped.
    pub(super) names: HashMap<Name, Schema>,
}

/// One step of reading: what stands in the bytes and what becomes of it.
#[derive(Debug, PartialEq)]
pub(super) enum Op {
    Null,
    Bool,
    /// A whole number of either width.
    Whole,
    Text,
    Bytes,
    Fixed(usize),
    /// Micro-dollars are the unscaled number times `factor`; `size` is that of a fixed.
    Money {
        factor: i128,
        size: Option<usize>,
    },
    /// Milliseconds are the number divided by `per_ms`, cut off.
    Time {
        per_ms: i64,
    },
    Array(Box<Op>),
    Record(RecordPlan),
    Union(Vec<Op>),
    Skip(Schema),
    /// Cannot be read as what our schema wants.
    Misfit(String),
}

#[derive(Debug, PartialEq)]
pub(super) struct RecordPlan {
    /// What our fields hold before anything is read: their defaults.
    pub defaults: Vec<Initial>,
    /// In the writer's order: where the field goes among ours, if anywhere, and how it is read.
    pub steps: Vec<(Option<usize>, Op)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Initial {
    Null,
    Text(&'static str),
}

impl Plan {
    /// # Errors
    /// When the writer's schema refers to types that it does not define.
    pub fn new(writer: &Schema, ours: &'static Schema) -> Result<Plan, apache_avro::Error> {
        let resolved = ResolvedSchema::try_from(writer)?;
        let named = resolved.get_names().iter();
        let names = named.map(|(name, schema)| (name.clone(), (*schema).clone())).collect();
        let root = resolve(writer, ours, &names, "record");
        Ok(Plan { root, names })
    }

    /// Whether no record of this writer can be read.
    pub fn misfit(&self) -> Option<&str> {
        match &self.root {
            Op::Misfit(why) => Some(why),
            Op::Record(record) => record.steps.iter().find_map(|(_, op)| match op {
                Op::Misfit(why) => Some(why.as_str()),
                _ => None,
            }),
            _ => None,
        }
    }
}

type Names = HashMap<Name, Schema>;

fn resolve(writer: &Schema, ours: &'static Schema, names: &Names, field: &str) -> Op {
    let writer = match writer {
        Schema::Ref { name } => match names.get(name) {
            Some(schema) => schema,
            None => return Op::Misfit(format!("{field}: type {name} is not defined")),
        },
        schema => schema,
    };
    if let Schema::Union(union) = writer {
        let branch = |schema| resolve(schema, ours, names, field);
        return Op::Union(union.variants().iter().map(branch).collect());
    }
    let wanted = match ours {
        Schema::Union(union) if matches!(writer, Schema::Null) && union.is_nullable() => {
            return Op::Null;
        }
        // Ours have two branches at most, and null is one of them.
        Schema::Union(union) => {
            let other = union.variants().iter().find(|schema| !matches!(schema, Schema::Null));
            other.expect("a union of ours has a branch beside null")
        }
        schema => schema,
    };
    resolve_value(writer, wanted, names, field).unwrap_or_else(|| {
        Op::Misfit(format!("{field}: {} does not resolve to {}", kind(writer), kind(wanted)))
    })
}

/// Neither side is a union or the writer's a reference.
fn resolve_value(writer: &Schema, ours: &'static Schema, names: &Names, field: &str) -> Option<Op> {
    Some(match (ours, writer) {
        (Schema::Boolean, Schema::Boolean) => Op::Bool,
        (Schema::Int, Schema::Int) | (Schema::Long, Schema::Int | Schema::Long) => Op::Whole,
        (
            Schema::String | Schema::Uuid(UuidSchema::String),
            Schema::String | Schema::Uuid(UuidSchema::String) | Schema::Bytes,
        ) => Op::Text,
        (Schema::Bytes, Schema::Bytes | Schema::String) => Op::Bytes,
        (Schema::TimestampMillis, Schema::TimestampMillis | Schema::Long | Schema::Int) => {
            Op::Time { per_ms: 1 }
        }
        (Schema::TimestampMillis, Schema::TimestampMicros) => Op::Time { per_ms: 1000 },
        (Schema::TimestampMillis, Schema::TimestampNanos) => Op::Time { per_ms: 1_000_000 },
        (Schema::Decimal(_), Schema::Decimal(decimal)) => money(decimal)?,
        (Schema::Array(ours), Schema::Array(writer)) => {
            Op::Array(Box::new(resolve(&writer.items, &ours.items, names, field)))
        }
        (Schema::Record(ours), Schema::Record(writer)) => record(writer, ours, names),
        (ours, writer) => return fixed(ours, writer, names),
    })
}

fn fixed(ours: &Schema, writer: &Schema, names: &Names) -> Option<Op> {
    let ours = match ours {
        Schema::Ref { name } => names.get(name)?,
        schema => schema,
    };
    match (ours, writer) {
        (Schema::Fixed(ours), Schema::Fixed(writer)) if ours.size == writer.size => {
            Some(Op::Fixed(ours.size))
        }
        _ => None,
    }
}

fn money(writer: &DecimalSchema) -> Option<Op> {
    let missing = SCALE.checked_sub(u32::try_from(writer.scale).ok()?)?;
    let size = match &writer.inner {
        InnerDecimalSchema::Bytes => None,
        InnerDecimalSchema::Fixed(fixed) => Some(fixed.size),
    };
    Some(Op::Money { factor: 10_i128.pow(missing), size })
}

fn record(writer: &RecordSchema, ours: &'static RecordSchema, names: &Names) -> Op {
    for field in &ours.fields {
        let written = writer.fields.iter().any(|it| it.name == field.name);
        if !written && field.default.is_none() {
            return Op::Misfit(format!("{}: not in the writer's schema", field.name));
        }
    }
    let defaults = ours.fields.iter().map(|field| match &field.default {
        Some(Value::String(text)) => Initial::Text(text),
        _ => Initial::Null,
    });
    let steps = writer.fields.iter().map(|field| {
        match ours.fields.iter().position(|it| it.name == field.name) {
            Some(at) => {
                let op = resolve(&field.schema, &ours.fields[at].schema, names, &field.name);
                (Some(at), op)
            }
            None => (None, Op::Skip(field.schema.clone())),
        }
    });
    Op::Record(RecordPlan { defaults: defaults.collect(), steps: steps.collect() })
}

fn kind(schema: &Schema) -> String {
    match schema {
        Schema::Decimal(decimal) => format!("decimal of scale {}", decimal.scale),
        other => format!("{other}").to_lowercase(),
    }
}
