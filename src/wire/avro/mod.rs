//! Records as Avro: our schemas, and how bytes written with other schemas become values of ours.
//! Promise: any bytes and any schema give a value or a reason, never a panic and never more work
//! than the bytes are worth. Framing (which schema a record has) is decided by the callers.

mod canonical;
pub(super) mod datum;
pub(super) mod lines;
pub(super) mod plan;
pub(super) mod schemas;
mod skip;
pub(super) mod writer;

pub use canonical::{Fingerprint, fingerprint};
pub use datum::{Datum, Scalar, Unfit};
pub use lines::RecordKind;
pub use plan::Plan;
