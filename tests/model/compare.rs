//! Compares two lists of JSON records as the conformance logs want it: null is the same as left
//! out; `detail`, `position` and `original` are free. Names the first difference with what came
//! before it, and looks no further.

use serde_json::Value;

const FREE: [&str; 3] = ["detail", "position", "original"];
const SHOWN_BEFORE: usize = 3;

/// Err with a readable account of the first difference.
pub fn compare(expected: &[Value], actual: &[Value]) -> Result<(), String> {
    let count = expected.len().max(actual.len());
    for index in 0..count {
        let (want, got) = (expected.get(index).map(bare), actual.get(index).map(bare));
        if want == got {
            continue;
        }
        let mut told = format!(
            "record {} differs (of {} expected, {} actual)\n",
            index + 1,
            expected.len(),
            actual.len()
        );
        for (earlier, record) in expected[..index].iter().enumerate().rev().take(SHOWN_BEFORE).rev()
        {
            told += &format!("  same {}: {}\n", earlier + 1, bare(record));
        }
        let show =
            |record: &Option<Value>| record.as_ref().map_or("nothing".to_owned(), Value::to_string);
        told += &format!("  expected: {}\n  actual:   {}\n", show(&want), show(&got));
        if let (Some(Value::Object(want)), Some(Value::Object(got))) = (&want, &got) {
            for key in want.keys().chain(got.keys().filter(|key| !want.contains_key(*key))) {
                if want.get(key) != got.get(key) {
                    let side = |v: Option<&Value>| v.map_or("-".to_owned(), Value::to_string);
                    told += &format!("  {key}: {} / {}\n", side(want.get(key)), side(got.get(key)));
                }
            }
        }
        return Err(told);
    }
    Ok(())
}

/// The records of NDJSON text.
pub fn records(ndjson: &[u8]) -> Vec<Value> {
    ndjson
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("a record is JSON"))
        .collect()
}

/// Without what is free and what is null.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, inner)| !inner.is_null() && !FREE.contains(&key.as_str()))
            .map(|(key, inner)| (key.clone(), bare(inner)))
            .collect(),
        Value::Array(items) => items.iter().map(bare).collect(),
        other => other.clone(),
    }
}
