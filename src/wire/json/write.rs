//! Decisions and totals to the JSON lines of FORMATS.md.
//! Promise: one compact object without a newline inside; the same decision gives the same bytes.
//! The caller ends the line.

use serde::Serialize;

use crate::fold::Total;
use crate::fold::decision::Decision;
use crate::wire::shown;

/// Appends the decision's object to `out`.
pub fn write_decision(decision: &Decision, out: &mut Vec<u8>) {
    match decision {
        Decision::ThresholdCrossed(it) => write(&shown::threshold_crossed(it), out),
        Decision::LimitReached(it) => write(&shown::limit_reached(it), out),
        Decision::BlockChanged(it) => write(&shown::block_changed(it), out),
        Decision::Rejected(it) => write(&shown::rejected(it, None), out),
    }
}

/// Appends the total's object to `out`.
pub fn write_total(total: &Total, out: &mut Vec<u8>) {
    write(&shown::total(total), out);
}

fn write(record: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, record).expect("a vector takes every byte and all keys are texts");
}
