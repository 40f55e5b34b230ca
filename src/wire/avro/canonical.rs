//! A schema's canonical form and its CRC-64-AVRO fingerprint, by Avro's specification.
//! Promise: what Java and Python compute. apache-avro 0.22 keeps precision and scale in the form
//! and does not unfold `{"type":"bytes"}`, so its fingerprints of logical types are its own.

use serde_json::{Map, Value};

/// CRC-64-AVRO of a schema's canonical form, as its bytes stand in a record (little-endian).
pub type Fingerprint = [u8; 8];

/// The fingerprint of an empty text, and the polynomial.
const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

/// # Errors
/// When the text is not JSON or no schema.
pub fn fingerprint(schema: &str) -> Result<Fingerprint, String> {
    let schema: Value = serde_json::from_str(schema).map_err(|fault| fault.to_string())?;
    let mut form = String::new();
    write(&schema, "", &mut form)?;
    Ok(rabin(form.as_bytes()).to_le_bytes())
}

fn rabin(bytes: &[u8]) -> u64 {
    bytes.iter().fold(EMPTY, |print, byte| {
        let low = (0..8).fold((print ^ u64::from(*byte)) & 0xff, |bits, _| {
            (bits >> 1) ^ (EMPTY & (bits & 1).wrapping_neg())
        });
        (print >> 8) ^ low
    })
}

/// Appends the canonical form of a schema that stands inside `namespace`.
fn write(schema: &Value, namespace: &str, out: &mut String) -> Result<(), String> {
    match schema {
        Value::String(name) => write_text(&full_name(name, namespace), out),
        Value::Array(branches) => write_list(branches, out, |it, out| write(it, namespace, out))?,
        Value::Object(object) => write_object(object, namespace, out)?,
        other => return Err(format!("{other} is no schema")),
    }
    Ok(())
}

fn write_object(
    object: &Map<String, Value>,
    namespace: &str,
    out: &mut String,
) -> Result<(), String> {
    let kind = object.get("type").ok_or("a schema without a type")?;
    let kind = match kind {
        Value::String(kind) => kind.as_str(),
        // {"type": {…}} is the inner one.
        nested => return write(nested, namespace, out),
    };
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    match kind {
        "record" | "error" | "enum" | "fixed" => {
            let name = text("name").ok_or("a named type without a name")?;
            let name = full_name(name, text("namespace").unwrap_or(namespace));
            let inner = name.rsplit_once('.').map_or("", |(namespace, _)| namespace);
            out.push_str("{\"name\":");
            write_text(&name, out);
            out.push_str(",\"type\":");
            write_text(kind, out);
            write_content(object, kind, inner, out)?;
            out.push('}');
        }
        "array" | "map" => {
            let key = if kind == "array" { "items" } else { "values" };
            let inner = object.get(key).ok_or("an array or map of nothing")?;
            out.push_str(&format!("{{\"type\":\"{kind}\",\"{key}\":"));
            write(inner, namespace, out)?;
            out.push('}');
        }
        name => write_text(&full_name(name, namespace), out),
    }
    Ok(())
}

/// What a named type has beside its name.
fn write_content(
    object: &Map<String, Value>,
    kind: &str,
    namespace: &str,
    out: &mut String,
) -> Result<(), String> {
    let list = |key: &str| object.get(key).and_then(Value::as_array).ok_or("a list is missing");
    match kind {
        "enum" => {
            out.push_str(",\"symbols\":");
            write_list(list("symbols")?, out, |symbol, out| {
                write_text(symbol.as_str().ok_or("a symbol is no text")?, out);
                Ok(())
            })
        }
        "fixed" => {
            let size = object.get("size").ok_or("a fixed without a size")?;
            let digits = size.as_u64().map(|size| size.to_string());
            let digits = digits.or_else(|| size.as_str().map(str::to_owned));
            out.push_str(",\"size\":");
            out.push_str(&digits.ok_or("a size is no number")?);
            Ok(())
        }
        _ => {
            out.push_str(",\"fields\":");
            write_list(list("fields")?, out, |field, out| {
                let name = field.get("name").and_then(Value::as_str).ok_or("a nameless field")?;
                let inner = field.get("type").ok_or("a field without a type")?;
                out.push_str("{\"name\":");
                write_text(name, out);
                out.push_str(",\"type\":");
                write(inner, namespace, out)?;
                out.push('}');
                Ok(())
            })
        }
    }
}

fn write_list(
    elements: &[Value],
    out: &mut String,
    mut write_one: impl FnMut(&Value, &mut String) -> Result<(), String>,
) -> Result<(), String> {
    out.push('[');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_one(element, out)?;
    }
    out.push(']');
    Ok(())
}

/// Names are plain: letters, digits, underscores and dots.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(text);
    out.push('"');
}

fn full_name(name: &str, namespace: &str) -> String {
    let primitive = matches!(
        name,
        "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string"
    );
    if primitive || name.contains('.') || namespace.is_empty() {
        return name.to_owned();
    }
    format!("{namespace}.{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As fastavro computes them; the first two also stand in Avro's own test data.
    #[test]
    fn fingerprints_are_those_of_other_implementations() {
        for (schema, expected) in [
            ("\"int\"", 0x7275_d51a_3f39_5c8f),
            ("{\"type\": \"null\"}", 0x63dd_24e7_cc25_8f8a_u64),
            (include_str!("../../../schemas/billed-event.avsc"), 0x60c3_aaed_6cf9_a03a),
            (include_str!("../../../schemas/command.avsc"), 0xd4ae_0696_f692_1b1b),
            (include_str!("../../../schemas/tick.avsc"), 0xfc7c_ddbd_0e6c_b17c),
        ] {
            let print = fingerprint(schema).expect("a schema");
            assert_eq!(u64::from_le_bytes(print), expected, "{expected:016x}");
        }
    }

    #[test]
    fn names_are_full_and_attributes_go() {
        let schema = r#"{"type": "record", "name": "R", "namespace": "a.b", "doc": "x",
            "aliases": ["S"], "fields": [
            {"name": "f", "doc": "y", "default": 1, "order": "ignore",
                "type": {"type": "fixed", "name": "c.F", "size": 16, "logicalType": "x"}},
            {"name": "g", "type": {"type": "enum", "name": "E", "symbols": ["X", "Y"]}},
            {"name": "h", "type": ["null", {"type": "map", "values": "R"}]},
            {"name": "i", "type": {"type": {"type": "array", "items": "c.F"}}},
            {"name": "j", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;
        let mut form = String::new();
        write(&serde_json::from_str(schema).expect("JSON"), "", &mut form).expect("a schema");
        let expected = concat!(
            r#"{"name":"a.b.R","type":"record","fields":[{"name":"f","type":{"name":"c.F","#,
            r#""type":"fixed","size":16}},{"name":"g","type":{"name":"a.b.E","type":"enum","#,
            r#""symbols":["X","Y"]}},"#,
            r#"{"name":"h","type":["null",{"type":"map","values":"a.b.R"}]},"#,
            r#"{"name":"i","type":{"type":"array","items":"c.F"}},{"name":"j","type":"long"}]}"#,
        );
        assert_eq!(form, expected);
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let sizeless = r#"{"type": "fixed", "name": "F"}"#;
        for text in ["", "5", "{}", r#"{"type": "record"}"#, "[1]", sizeless] {
            assert!(fingerprint(text).is_err(), "{text}");
        }
    }
}
