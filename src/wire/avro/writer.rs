//! A writer's schema, from text that others wrote. Promise: any text gives a schema or a reason.
//! apache-avro 0.22 panics where it words why a field's default is refused, if an attribute that
//! gives a schema its structure holds what no schema has there: that is refused here before.

use apache_avro::Schema;
use serde_json::Value;

/// Attributes that hold a schema, a name, or a list of either.
const STRUCTURE: [&str; 7] = ["name", "type", "fields", "symbols", "items", "values", "order"];
/// Attributes that hold a whole number, also as a text.
const NUMBERS: [&str; 3] = ["size", "precision", "scale"];

/// # Errors
/// Why it is no schema.
pub fn parse(text: &str) -> Result<Schema, String> {
    check(text)?;
    Schema::parse_str(text).map_err(|fault| fault.to_string())
}

/// Whether apache-avro can be given the text.
///
/// # Errors
/// Why not. A text that is no JSON may be given to it: it says so.
pub fn check(text: &str) -> Result<(), String> {
    serde_json::from_str(text).map_or(Ok(()), |schema| walk(&schema))
}

fn walk(schema: &Value) -> Result<(), String> {
    match schema {
        Value::String(_) => Ok(()),
        Value::Array(several) => several.iter().try_for_each(walk),
        Value::Object(attributes) => attributes.iter().try_for_each(|(name, value)| {
            let name = name.as_str();
            if NUMBERS.contains(&name) && !is_whole(value) {
                return Err(format!("{name:?} is {value}, which is no whole number"));
            }
            if STRUCTURE.contains(&name) { walk(value) } else { Ok(()) }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Err(format!("{schema} is no schema")),
    }
}

fn is_whole(value: &Value) -> bool {
    value.as_str().map_or_else(|| value.as_i64(), |text| text.parse().ok()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(field: &str) -> String {
        format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f",{field}}}]}}"#)
    }

    /// The first was found by fuzzing: the default is what apache-avro then cannot word.
    #[test]
    fn what_apache_avro_panics_on_is_refused_with_the_attribute() {
        let fixed = r#""type":"fixed","name":"F""#;
        for (attributes, told) in [
            (r#""size":9,"precision":"command_id""#, r#""precision" is "command_id""#),
            (r#""size":9,"scale":1.5"#, r#""scale" is 1.5"#),
            (r#""size":9,"precision":9223372036854775808"#, r#""precision" is 92233"#),
            (r#""size":9,"items":5"#, "5 is no schema"),
            (r#""size":9,"values":[null]"#, "null is no schema"),
        ] {
            let text = with(&format!(r#""type":{{{fixed},{attributes}}},"default":null"#));
            let refused = parse(&text).expect_err(&text);
            assert!(refused.contains(told), "{refused}");
        }
    }

    #[test]
    fn what_stands_in_a_schema_without_structure_is_left_alone() {
        for field in [
            r#""type":{"type":"fixed","name":"F","size":9,"precision":"9"}"#,
            r#""type":"string","default":"5","doc":7,"pii":{"level":5,"type":"fine"}"#,
            r#""type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}],
               "default":null,"aliases":["g"],"order":"ignore""#,
        ] {
            assert!(parse(&with(field)).is_ok(), "{field}: {:?}", parse(&with(field)));
        }
        assert!(parse("no JSON").is_err());
        assert!(parse(&with(r#""type":"string","default":null"#)).is_err());
    }
}
