//! Prints the configuration in force as TOML, with where each value comes from.
//! Promise: what is printed loads again to the same configuration, secrets apart, which are
//! hidden.

use serde_json::Value;

use super::fault::Place;
use super::load::{Loaded, is_secret};
use super::rules::{self, Key};

/// The configuration as TOML; with `docs` also what each key means.
#[must_use]
pub fn print(loaded: &Loaded, docs: bool) -> String {
    let schema = rules::schema();
    let tree = serde_json::to_value(&loaded.config).expect("options are plain values");
    let mut text = String::new();
    let mut section = "";
    let keys = rules::keys(&schema);
    // A table inside a section must come behind the section's own keys.
    let (tables, plain): (Vec<&Key>, Vec<&Key>) =
        keys.iter().partition(|key| key.rule.entries().is_some());
    for key in plain {
        let (of, name) = key.path.split_once('.').expect("keys stand in sections");
        if of != section {
            print_tables(&mut text, &tables, section, &tree, loaded, docs);
            section = of;
            if !text.is_empty() {
                text.push('\n');
            }
            let about = rules::Rule(&schema).property(section);
            if let (true, Some(about)) = (docs, about) {
                text.push_str(&format!("# {}\n", about.description()));
            }
            text.push_str(&format!("[{section}]\n"));
        }
        if docs {
            text.push('\n');
            print_description(&mut text, key);
        }
        let origin = origin(loaded, &key.path);
        match &tree[of][name] {
            Value::Null => text.push_str(&format!("# {name} is unset  # {origin}\n")),
            _ if is_secret(&key.path) => {
                text.push_str(&format!("# {name} is hidden  # {origin}\n"));
            }
            value => text.push_str(&format!("{name} = {}  # {origin}\n", toml_of(value))),
        }
    }
    print_tables(&mut text, &tables, section, &tree, loaded, docs);
    text
}

fn print_tables(
    text: &mut String,
    tables: &[&Key],
    section: &str,
    tree: &Value,
    loaded: &Loaded,
    docs: bool,
) {
    for key in tables {
        let (of, name) = key.path.split_once('.').expect("keys stand in sections");
        let entries = tree[of][name].as_object().filter(|_| of == section);
        let Some(entries) = entries.filter(|entries| docs || !entries.is_empty()) else { continue };
        text.push('\n');
        if docs {
            print_description(text, key);
        }
        text.push_str(&format!("[{}]\n", key.path));
        for (property, value) in entries {
            let path = format!("{}.{property}", key.path);
            let origin = origin(loaded, &path);
            if is_secret(&path) {
                text.push_str(&format!("# \"{property}\" is hidden  # {origin}\n"));
            } else {
                text.push_str(&format!("\"{property}\" = {}  # {origin}\n", toml_of(value)));
            }
        }
    }
}

fn print_description(text: &mut String, key: &Key) {
    for line in key.rule.description().lines() {
        text.push_str(&format!("# {line}\n"));
    }
    let default = match key.rule.default() {
        None | Some(Value::Null) => "unset".to_owned(),
        Some(value) => toml_of(value),
    };
    text.push_str(&format!("# Takes {}; default: {default}.\n", key.rule.expected()));
}

fn origin(loaded: &Loaded, path: &str) -> String {
    match loaded.origins.get(path) {
        Some(Place::File { path, line, .. }) => format!("{}:{line}", path.display()),
        Some(Place::Variable(name)) => name.clone(),
        Some(Place::Default) | None => "default".to_owned(),
    }
}

fn toml_of(value: &Value) -> String {
    let value = toml::Value::try_from(value).expect("options have no null inside lists");
    value.to_string()
}
