//! Loads the configuration in layers, and finds everything that is wrong with it in one pass.
//! Promise: a fault in one key hides no fault in another; a value remembers where it came from.
//! A variable goes before the file, the file before the defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::contradictions;
use super::fault::{Fault, Faults, Place};
use super::options::Config;
use super::rules::{self, Rule};

/// Prefix of all variables; the rest is the key's path in capitals, its dots as underscores.
pub const PREFIX: &str = "TOLLGATE_";
/// Names the file itself and is no key.
const FILE_VARIABLE: &str = "TOLLGATE_CONFIG";
/// Variables of the project's own tests begin so, and are no keys.
const TEST_PREFIX: &str = "TOLLGATE_TEST_";
const CLIENT: &str = "kafka.client";

/// A configuration that keeps every rule, and where its values come from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// Path of each key that was set (`kafka.client.` properties singly) and where.
    pub origins: BTreeMap<String, Place>,
}

/// Loads the configuration from a file, if there is one, and from variables (name and value).
///
/// # Errors
/// All faults, ordered by place.
pub fn load(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Faults> {
    let schema = rules::schema();
    let mut layers = Layers::new(&schema);
    if let Some(path) = file {
        layers.read_file(path);
    }
    layers.read_variables(variables);
    layers.finish()
}

/// As `load`, of a file that was read already.
///
/// # Errors
/// As `load`.
pub fn load_bytes(
    path: &Path,
    bytes: &[u8],
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Faults> {
    let schema = rules::schema();
    let mut layers = Layers::new(&schema);
    layers.read_bytes(path, bytes);
    layers.read_variables(variables);
    layers.finish()
}

/// The variables of this process that concern the configuration.
#[must_use]
pub fn variables() -> Vec<(String, String)> {
    let all = std::env::vars_os();
    let ours = all.filter(|(name, _)| name.to_string_lossy().starts_with(PREFIX));
    // A value that is no UTF-8 shows its replacement characters in the fault it causes.
    ours.map(|(name, value)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    })
    .collect()
}

/// The variable of a key: `engine.threads` is `TOLLGATE_ENGINE_THREADS`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "_"))
}

/// What was gathered so far.
struct Layers<'s> {
    schema: &'s Value,
    /// Path to value, of keys that were set and keep their rule.
    values: BTreeMap<String, Value>,
    origins: BTreeMap<String, Place>,
    /// Paths of keys that were set wrongly.
    faulty: BTreeSet<String>,
    faults: Vec<Fault>,
}

/// A file's text and name, to turn byte offsets into places.
struct Source<'t> {
    path: PathBuf,
    text: &'t str,
}

impl Source<'_> {
    fn place(&self, offset: usize) -> Place {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place::File {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl<'s> Layers<'s> {
    fn new(schema: &'s Value) -> Layers<'s> {
        Layers {
            schema,
            values: BTreeMap::new(),
            origins: BTreeMap::new(),
            faulty: BTreeSet::new(),
            faults: Vec::new(),
        }
    }

    fn fault(&mut self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(Fault { place, message: message.into(), remedy: remedy.into() });
    }

    fn read_file(&mut self, path: &Path) {
        match std::fs::read(path) {
            Ok(bytes) => self.read_bytes(path, &bytes),
            Err(error) => {
                let place = Place::File { path: path.to_owned(), line: 1, column: 1 };
                let remedy = "check the path after --config, or in TOLLGATE_CONFIG";
                self.fault(place, format!("cannot be read: {error}"), remedy);
            }
        }
    }

    fn read_bytes(&mut self, path: &Path, bytes: &[u8]) {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let source = Source { path: path.to_owned(), text: &good };
                return self.fault(source.place(good.len()), "not UTF-8", "save the file in UTF-8");
            }
        };
        let source = Source { path: path.to_owned(), text };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = source.place(error.span().map_or(text.len(), |span| span.start));
            self.fault(at, error.message().trim(), "correct the TOML (https://toml.io)");
        }
        self.read_sections(&source, table.get_ref());
    }

    fn read_sections(&mut self, source: &Source, table: &DeTable) {
        for (name, value) in table {
            let at = source.place(name.span().start);
            let section = Rule(self.schema).property(name.get_ref());
            match (section, value.get_ref()) {
                (Some(section), DeValue::Table(inner)) => {
                    self.read_section(source, name.get_ref(), section, inner);
                }
                (Some(_), _) => {
                    let message = format!("{} is not a table", name.get_ref());
                    self.fault(at, message, format!("begin it with [{}]", name.get_ref()));
                }
                (None, DeValue::Table(inner)) if !inner.is_empty() => {
                    for key in inner.keys() {
                        let at = source.place(key.span().start);
                        self.unknown(at, &format!("{}.{}", name.get_ref(), key.get_ref()));
                    }
                }
                (None, _) => self.unknown(at, name.get_ref()),
            }
        }
    }

    fn read_section(&mut self, source: &Source, section: &str, rule: Rule<'s>, inner: &DeTable) {
        for (name, value) in inner {
            let at = source.place(name.span().start);
            let path = format!("{section}.{}", name.get_ref());
            match (rule.property(name.get_ref()), value.get_ref()) {
                (None, _) => self.unknown(at, &path),
                (Some(rule), DeValue::Table(properties)) if rule.entries().is_some() => {
                    self.read_properties(source, &path, rule, properties);
                }
                (Some(rule), _) => {
                    let at = source.place(value.span().start);
                    self.set(at, &path, rule, plain(value));
                }
            }
        }
    }

    /// Properties of librdkafka have dots in their names, which TOML reads as nested tables.
    fn read_properties(&mut self, source: &Source, path: &str, rule: Rule<'s>, table: &DeTable) {
        for (name, value) in table {
            let path = format!("{path}.{}", name.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.read_properties(source, &path, rule, inner),
                _ => self.set_property(source.place(value.span().start), &path, rule, plain(value)),
            }
        }
    }

    fn read_variables(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let mut variables: Vec<_> = variables.into_iter().collect();
        variables.sort();
        for (name, text) in variables {
            self.read_variable(&name, &text);
        }
    }

    fn read_variable(&mut self, name: &str, text: &str) {
        // Empty is how compose files and shells spell "not set".
        let reserved = name == FILE_VARIABLE || name.starts_with(TEST_PREFIX);
        if reserved || text.is_empty() || !name.starts_with(PREFIX) {
            return;
        }
        let place = Place::Variable(name.to_owned());
        let keys = rules::keys(self.schema);
        if let Some(key) = keys.iter().find(|key| variable(&key.path) == name) {
            let path = key.path.clone();
            let rule = key.rule;
            return self.set(place, &path, rule, Ok(rule.read_text(text)));
        }
        for key in &keys {
            let property =
                name.strip_prefix(&variable(&key.path)).and_then(|r| r.strip_prefix('_'));
            if let (Some(_), Some(property)) = (key.rule.entries(), property) {
                let path = format!("{}.{}", key.path, property.to_lowercase().replace('_', "."));
                let rule = key.rule;
                return self.set_property(place, &path, rule, Ok(Value::from(text)));
            }
        }
        let known: Vec<String> = keys.iter().map(|key| variable(&key.path)).collect();
        let remedy = match rules::nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}? Else unset it"),
            None => "unset it; `tollgate config schema` lists all keys".to_owned(),
        };
        self.fault(place, "no key has this variable", remedy);
    }

    fn unknown(&mut self, place: Place, path: &str) {
        let keys = rules::keys(self.schema);
        let known = keys.iter().map(|key| key.path.as_str());
        let remedy = match rules::nearest(path, known) {
            Some(near) => format!("did you mean {near}? Else remove it"),
            None => "remove it; `tollgate config schema` lists all keys".to_owned(),
        };
        self.fault(place, format!("unknown key {path}"), remedy);
    }

    fn set(&mut self, place: Place, path: &str, rule: Rule, value: Result<Value, String>) {
        match value.and_then(|value| rule.check(value)) {
            Ok(value) => {
                self.values.insert(path.to_owned(), value);
                self.origins.insert(path.to_owned(), place);
            }
            Err(wrong) => {
                self.faulty.insert(path.to_owned());
                let shown = if is_secret(path) { "is not of its form".to_owned() } else { wrong };
                self.fault(place, format!("{path} {shown}"), format!("set {}", rule.expected()));
            }
        }
    }

    fn set_property(&mut self, place: Place, path: &str, rule: Rule, value: Result<Value, String>) {
        let entries = rule.entries().expect("the caller found the rule of a free table");
        let property = path.strip_prefix(CLIENT).and_then(|rest| rest.strip_prefix('.'));
        let property = property.expect("kafka.client is the only free table");
        let value = value.and_then(|value| entries.check(value)).map(|value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        });
        let refused = match &value {
            Ok(text) => contradictions::refused_property(property, text),
            Err(wrong) => Some((wrong.clone(), "set a text, a whole number or a truth".to_owned())),
        };
        match (value, refused) {
            (_, Some((wrong, remedy))) => {
                self.faulty.insert(path.to_owned());
                self.fault(place, format!("{path} {wrong}"), remedy);
            }
            (Ok(text), None) => {
                self.values.insert(path.to_owned(), Value::String(text));
                self.origins.insert(path.to_owned(), place);
            }
            (Err(_), None) => unreachable!("a wrong value is always refused"),
        }
    }

    fn finish(mut self) -> Result<Loaded, Faults> {
        let mut tree = serde_json::to_value(Config::default()).expect("options are plain values");
        for (path, value) in &self.values {
            place_value(&mut tree, path, value.clone());
        }
        let config: Config = serde_json::from_value(tree)
            .expect("defaults and checked values are what the options take");
        for found in contradictions::between_keys(&config) {
            if found.keys.iter().any(|key| self.faulty.contains(*key)) {
                continue;
            }
            let set = found.keys.iter().find_map(|key| self.origins.get(*key));
            let place = set.cloned().unwrap_or(Place::Default);
            self.fault(place, found.message, found.remedy);
        }
        if self.faults.is_empty() {
            return Ok(Loaded { config, origins: self.origins });
        }
        self.faults.sort();
        self.faults.dedup();
        Err(Faults(self.faults))
    }
}

/// Whether a value must not be shown.
pub(super) fn is_secret(path: &str) -> bool {
    let words = ["authorization", "password", "secret", ".pem", "oauthbearer.config", "jaas"];
    words.iter().any(|word| path.contains(word))
}

fn place_value(tree: &mut Value, path: &str, value: Value) {
    let client = path.strip_prefix(CLIENT).and_then(|rest| rest.strip_prefix('.'));
    let slot = match (client, path.split_once('.')) {
        (Some(property), _) => &mut tree["kafka"]["client"][property],
        (None, Some((section, name))) => &mut tree[section][name],
        (None, None) => return,
    };
    *slot = value;
}

/// A TOML value as JSON.
///
/// # Errors
/// What is wrong with it, for values that JSON lacks.
fn plain(value: &Spanned<DeValue>) -> Result<Value, String> {
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) => Value::from(number),
            Err(_) => return Err(format!("is {digits}")),
        },
        DeValue::Float(digits) => match digits.as_str().parse::<f64>() {
            Ok(number) => Value::from(number),
            Err(_) => return Err(format!("is {digits}")),
        },
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(time) => return Err(format!("is the time {time}")),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(plain).collect::<Result<Vec<Value>, String>>()?)
        }
        DeValue::Table(_) => Value::Object(Map::new()),
    })
}
