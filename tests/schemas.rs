//! The schemas in `schemas/` against the released ones in `tests/schemas/`.
//! Promise: a change is additive: whoever has any version reads what any other wrote, no field
//! goes or changes its meaning, and every record and field says what it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use apache_avro::Schema;
use apache_avro::schema::RecordSchema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// File name to text.
fn schemas(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).expect("a folder of schemas");
    let files = files.map(|file| file.expect("a file").path());
    let schemas = files.filter(|path| path.extension().is_some_and(|it| it == "avsc"));
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    schemas.map(|path| (name(&path), fs::read_to_string(&path).expect("a schema"))).collect()
}

/// Every released version, oldest first, and the present one.
fn versions() -> Vec<BTreeMap<String, String>> {
    let folders = fs::read_dir(root().join("tests/schemas")).expect("released schemas");
    let mut folders: Vec<PathBuf> = folders.map(|it| it.expect("a folder").path()).collect();
    folders.sort();
    folders.push(root().join("schemas"));
    folders.iter().map(|folder| schemas(folder)).collect()
}

fn parse(text: &str) -> Schema {
    Schema::parse_str(text).expect("a schema")
}

#[test]
fn every_version_reads_what_every_other_wrote() {
    let versions = versions();
    assert!(versions.len() >= 2);
    for writer in &versions {
        for reader in &versions {
            for (name, text) in writer {
                let Some(other) = reader.get(name) else { continue };
                SchemaCompatibility::can_read(&parse(text), &parse(other))
                    .unwrap_or_else(|fault| panic!("{name}: {fault}"));
            }
        }
    }
}

#[test]
fn nothing_released_goes_or_changes() {
    let versions = versions();
    let (now, released) = versions.split_last().expect("the present version");
    for (name, text) in released.iter().flatten() {
        let present = now.get(name).unwrap_or_else(|| panic!("{name} is gone"));
        let old: Value = serde_json::from_str(text).expect("JSON");
        let new: Value = serde_json::from_str(present).expect("JSON");
        kept(&old, &new, name);
    }
}

/// All but texts of `doc` is in `new` as it was in `old`; in lists of fields more may follow.
fn kept(old: &Value, new: &Value, place: &str) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old.iter().filter(|(key, _)| *key != "doc") {
                let place = format!("{place}.{key}");
                let new = new.get(key).unwrap_or_else(|| panic!("{place} is gone"));
                kept(value, new, &place);
            }
        }
        (Value::Array(old), Value::Array(new)) if place.ends_with(".fields") => {
            for (at, field) in old.iter().enumerate() {
                let name = field["name"].as_str().expect("a field's name");
                // Avro reads by name, but the decoders name our fields in order.
                kept(field, &new[at], &format!("{place}.{name}"));
            }
            for field in &new[old.len()..] {
                assert!(
                    field.get("default").is_some(),
                    "{place}: {} has no default",
                    field["name"]
                );
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            assert_eq!(old.len(), new.len(), "{place}");
            old.iter().zip(new).for_each(|(old, new)| kept(old, new, place));
        }
        (old, new) => assert_eq!(old, new, "{place}"),
    }
}

#[test]
fn every_record_and_field_says_what_it_is() {
    for (name, text) in versions().pop().expect("the present version") {
        documented(&parse(&text), &name);
    }
}

fn documented(schema: &Schema, place: &str) {
    match schema {
        Schema::Record(record) => record_documented(record, place),
        Schema::Union(union) => union.variants().iter().for_each(|it| documented(it, place)),
        Schema::Array(array) => documented(&array.items, place),
        _ => {}
    }
}

fn record_documented(record: &RecordSchema, place: &str) {
    assert!(record.doc.as_ref().is_some_and(|doc| !doc.is_empty()), "{place}: {}", record.name);
    for field in &record.fields {
        let place = format!("{place}.{}", field.name);
        assert!(field.doc.as_ref().is_some_and(|doc| doc.ends_with('.')), "{place}: no doc");
        documented(&field.schema, &place);
    }
}

/// What goes out over HTTP and to the carrier is described in JSON Schema.
#[test]
fn every_field_of_a_json_schema_says_what_it_is() {
    for name in ["webhook.schema.json", "sms-request.schema.json"] {
        let text = fs::read_to_string(root().join("schemas").join(name)).expect("a schema");
        let schema: Value = serde_json::from_str(&text).expect("JSON");
        fields_described(&schema, &schema, name);
    }
}

fn fields_described(root: &Value, schema: &Value, place: &str) {
    let Value::Object(object) = schema else { return };
    if let Some(Value::Object(fields)) = object.get("properties") {
        for (name, field) in fields {
            let place = format!("{place}.{name}");
            let reference = field["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
            let meant = reference.and_then(|it| root.pointer(it)).unwrap_or(field);
            let says = field["description"].as_str().or(meant["description"].as_str());
            assert!(says.is_some_and(|it| it.ends_with('.')), "{place}: no description");
        }
    }
    for (key, inner) in object.iter().filter(|(key, _)| *key != "examples") {
        match inner {
            Value::Array(list) => list.iter().for_each(|it| fields_described(root, it, place)),
            _ => fields_described(root, inner, &format!("{place}.{key}")),
        }
    }
}

#[test]
fn an_absent_optional_is_a_null_by_default() {
    for (name, text) in versions().pop().expect("the present version") {
        nullable_by_default(&parse(&text), &name);
    }
}

fn nullable_by_default(schema: &Schema, place: &str) {
    match schema {
        Schema::Record(record) => {
            for field in &record.fields {
                let place = format!("{place}.{}", field.name);
                if let Schema::Union(union) = &field.schema {
                    assert!(matches!(union.variants(), [Schema::Null, _]), "{place}");
                    assert_eq!(field.default, Some(Value::Null), "{place}");
                }
                nullable_by_default(&field.schema, &place);
            }
        }
        Schema::Union(union) => {
            union.variants().iter().for_each(|it| nullable_by_default(it, place));
        }
        _ => {}
    }
}

#[test]
#[should_panic(expected = "billed-event.avsc.fields.event_id.type")]
fn a_changed_type_is_noticed() {
    let text = &versions().pop().expect("the present version")["billed-event.avsc"];
    let old: Value = serde_json::from_str(text).expect("JSON");
    let mut new = old.clone();
    new["fields"][1]["type"] = Value::from("bytes");
    kept(&old, &new, "billed-event.avsc");
}

#[test]
#[should_panic(expected = "has no default")]
fn a_new_required_field_is_noticed() {
    let text = &versions().pop().expect("the present version")["tick.avsc"];
    let old: Value = serde_json::from_str(text).expect("JSON");
    let mut new = old.clone();
    let field = serde_json::json!({"name": "zone", "type": "string"});
    new["fields"].as_array_mut().expect("fields").push(field);
    kept(&old, &new, "tick.avsc");
}
