//! Steps over what a writer says and no field of ours wants. Promise: time bounded by the bytes.

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, UuidSchema};

use super::datum::{Reader, Unfit, unfit};

/// Types inside each other in a field that is skipped.
const DEPTH_MAX: u32 = 64;

impl Reader<'_, '_> {
    /// Steps over a value that no field of ours wants.
    pub(super) fn skip(&mut self, schema: &Schema) -> Result<(), Unfit> {
        self.skip_within(schema, DEPTH_MAX)
    }

    fn skip_within(&mut self, schema: &Schema, depth: u32) -> Result<(), Unfit> {
        let Some(depth) = depth.checked_sub(1) else {
            return unfit("types are nested too deeply");
        };
        let Some(steps) = self.steps.checked_sub(1) else {
            return unfit("more items than bytes can hold");
        };
        self.steps = steps;
        match schema {
            Schema::Array(array) => {
                self.skip_blocks(|reader| reader.skip_within(&array.items, depth))
            }
            Schema::Map(map) => self.skip_blocks(|reader| {
                reader.prefixed()?;
                reader.skip_within(&map.types, depth)
            }),
            Schema::Union(union) => {
                let branch = self.length()?;
                match union.variants().get(branch) {
                    Some(schema) => self.skip_within(schema, depth),
                    None => unfit(format!("a union has no branch {branch}")),
                }
            }
            Schema::Record(record) => {
                record.fields.iter().try_for_each(|field| self.skip_within(&field.schema, depth))
            }
            Schema::Ref { name } => match self.names.get(name) {
                Some(schema) => self.skip_within(schema, depth),
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
