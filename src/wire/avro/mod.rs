//! Records as Avro: our schemas, and how bytes written with other schemas become values of ours.
//! Promise: any bytes and any schema give a value or a reason, never a panic and never more work
//! than the bytes are worth. Framing (which schema a record has) is decided by the callers.

pub mod datum;
pub mod lines;
pub mod plan;
pub mod schemas;
