//! The JSON Schema of the configuration as the rule book: kinds, ranges, words and forms of
//! values. Promise: whatever the schema says is what is enforced; there is no second list of
//! ranges. Rules between several keys are not its business (`contradictions`).

use serde_json::Value;

use super::options::Config;

/// The JSON Schema of the configuration: every key with description, default and range.
#[must_use]
pub fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    let settings = settings.with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
    // The same defaults stand at each key; repeating them for the sections only hides them.
    if let Some(Value::Object(sections)) = schema.get_mut("properties") {
        for section in sections.values_mut().filter_map(Value::as_object_mut) {
            section.remove("default");
        }
    }
    schema
}

/// What the schema says about one key.
#[derive(Clone, Copy)]
pub(super) struct Rule<'s>(pub &'s Value);

/// One key of the schema: its path and rule.
pub(super) struct Key<'s> {
    pub path: String,
    pub rule: Rule<'s>,
}

/// All keys in the order of the schema, `kafka.client` as one.
pub(super) fn keys(schema: &Value) -> Vec<Key<'_>> {
    let mut keys = Vec::new();
    for (section, inner) in Rule(schema).properties() {
        for (name, rule) in inner.properties() {
            keys.push(Key { path: format!("{section}.{name}"), rule });
        }
    }
    keys
}

impl<'s> Rule<'s> {
    /// The keys inside, if this is a section.
    pub fn properties(self) -> impl Iterator<Item = (&'s str, Rule<'s>)> {
        let properties = self.0.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(name, rule)| (name.as_str(), Rule(rule)))
    }

    pub fn property(self, name: &str) -> Option<Rule<'s>> {
        self.0.get("properties").and_then(|properties| properties.get(name)).map(Rule)
    }

    pub fn is_section(self) -> bool {
        self.0.get("properties").is_some()
    }

    /// The rule of the values of a free table (`kafka.client`).
    pub fn entries(self) -> Option<Rule<'s>> {
        self.0.get("additionalProperties").filter(|rule| rule.is_object()).map(Rule)
    }

    pub fn description(self) -> &'s str {
        self.0.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    pub fn default(self) -> Option<&'s Value> {
        self.0.get("default")
    }

    /// Whether a value may be of this JSON kind; `integer`, `string`, …
    fn may_be(self, kind: &str) -> bool {
        match self.0.get("type") {
            Some(Value::String(only)) => only == kind,
            Some(Value::Array(kinds)) => kinds.iter().any(|one| one == kind),
            _ => kind == "string" && !self.words().is_empty(),
        }
    }

    /// The words allowed, if the value is one of several words.
    fn words(self) -> Vec<&'s str> {
        let variants = self.0.get("oneOf").or_else(|| self.0.get("anyOf"));
        let consts = variants.and_then(Value::as_array).into_iter().flatten();
        let consts = consts.filter_map(|variant| variant.get("const"));
        let listed = self.0.get("enum").and_then(Value::as_array).into_iter().flatten();
        consts.chain(listed).filter_map(Value::as_str).collect()
    }

    fn number(self, keyword: &str) -> Option<u64> {
        self.0.get(keyword).and_then(Value::as_u64)
    }

    /// What a value should look like, for people.
    pub fn expected(self) -> String {
        let words = self.words();
        if !words.is_empty() {
            return format!("one of {}", words.join(", "));
        }
        if self.entries().is_some() {
            return "a table of librdkafka properties".to_owned();
        }
        if self.is_section() {
            return "a table".to_owned();
        }
        if self.may_be("boolean") && !self.may_be("string") {
            return "true or false".to_owned();
        }
        if self.may_be("integer") && !self.may_be("string") {
            return match (self.number("minimum").unwrap_or(0), self.number("maximum")) {
                (least, Some(most)) => format!("a whole number from {least} to {most}"),
                (least, None) => format!("a whole number, {least} or more"),
            };
        }
        if let Some(item) = self.items() {
            return format!("a list, each {}", item.expected());
        }
        match self.form() {
            Some(form) => form.expected().to_owned(),
            None => match (self.number("minLength"), self.number("maxLength")) {
                (Some(least), Some(most)) => format!("a text of {least} to {most} characters"),
                (Some(1), None) => "a text that is not empty".to_owned(),
                _ => "a text".to_owned(),
            },
        }
    }

    /// The rule of a list's items.
    fn items(self) -> Option<Rule<'s>> {
        self.0.get("items").map(Rule).filter(|_| self.may_be("array"))
    }

    fn form(self) -> Option<Form> {
        match self.0.get("format").and_then(Value::as_str) {
            Some("host-port") => Some(Form::HostPort),
            Some("http-url") => Some(Form::HttpUrl),
            Some("topic") => Some(Form::Topic),
            _ => None,
        }
    }

    /// The value of a variable's text, not checked yet.
    pub fn read_text(self, text: &str) -> Value {
        if self.may_be("string") {
            return Value::from(text);
        }
        let text = text.trim();
        if self.may_be("boolean")
            && let Ok(truth) = text.parse::<bool>()
        {
            return Value::from(truth);
        }
        if self.may_be("integer")
            && let Ok(number) = text.replace('_', "").parse::<i64>()
        {
            return Value::from(number);
        }
        Value::from(text)
    }

    /// Checks a value and brings it into the form in which it is deserialized.
    ///
    /// # Errors
    /// What is wrong with it, to go behind the key's name: `is 0`.
    pub fn check(self, value: Value) -> Result<Value, String> {
        match value {
            Value::String(text) if let Some(rule) = self.items() => {
                let items = text.split(',').map(|item| rule.read_text(item.trim())).collect();
                self.check_list(rule, items)
            }
            Value::Array(items) if let Some(rule) = self.items() => self.check_list(rule, items),
            Value::String(text) if self.may_be("string") => self.check_text(text),
            Value::Number(number) if self.may_be("integer") => {
                let least = self.number("minimum").unwrap_or(0);
                let most = self.number("maximum").unwrap_or(u64::MAX);
                match number.as_u64() {
                    Some(given) if (least..=most).contains(&given) => Ok(Value::Number(number)),
                    _ if self.0.get("minimum").is_none() && number.is_i64() => {
                        Ok(Value::Number(number))
                    }
                    _ => Err(format!("is {number}")),
                }
            }
            Value::Bool(truth) if self.may_be("boolean") => Ok(Value::Bool(truth)),
            other => Err(format!("is {}", spoken(&other))),
        }
    }

    fn check_list(self, rule: Rule<'_>, items: Vec<Value>) -> Result<Value, String> {
        if items.len() < self.number("minItems").map_or(0, |least| least as usize) {
            return Err("is an empty list".to_owned());
        }
        let check = |item: Value| {
            let contained = format!("contains {}", spoken(&item));
            rule.check(item).map_err(|_| contained)
        };
        Ok(Value::Array(items.into_iter().map(check).collect::<Result<_, _>>()?))
    }

    fn check_text(self, text: String) -> Result<Value, String> {
        let words = self.words();
        let least = self.number("minLength").unwrap_or(0);
        let most = self.number("maxLength").unwrap_or(u64::MAX);
        let known = words.is_empty() || words.contains(&text.as_str());
        let length = text.chars().count() as u64;
        let fits = self.form().is_none_or(|form| form.fits(&text));
        if known && fits && (least..=most).contains(&length) {
            Ok(Value::String(text))
        } else {
            Err(format!("is {text:?}"))
        }
    }
}

/// A value as a person would name it.
fn spoken(value: &Value) -> String {
    match value {
        Value::Object(_) => "a table".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) => format!("the text {text:?}"),
        other => other.to_string(),
    }
}

/// Forms of texts that JSON Schema knows no keyword for; named in `format`.
#[derive(Clone, Copy)]
enum Form {
    HostPort,
    HttpUrl,
    Topic,
}

impl Form {
    fn expected(self) -> &'static str {
        match self {
            Form::HostPort => "host:port",
            Form::HttpUrl => "a URL that begins with http:// or https://",
            Form::Topic => "1 to 249 of A-Z a-z 0-9 . _ -",
        }
    }

    fn fits(self, text: &str) -> bool {
        match self {
            Form::HostPort => text.rsplit_once(':').is_some_and(|(host, port)| {
                let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
                let colon_free = bare.is_some() || !host.contains(':');
                let printable = host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
                !host.is_empty() && colon_free && printable && port.parse::<u16>().is_ok()
            }),
            Form::HttpUrl => {
                let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
                rest.is_some_and(|rest| {
                    !rest.is_empty()
                        && !rest.starts_with('/')
                        && rest.bytes().all(|byte| byte.is_ascii_graphic())
                })
            }
            Form::Topic => {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
                (1..=249).contains(&text.len())
                    && text.bytes().all(allowed)
                    && text != "."
                    && text != ".."
            }
        }
    }
}

/// The known name nearest to a given one, if it is near enough to be what was meant.
pub(super) fn nearest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let far = given.chars().count().div_ceil(3).max(2);
    let ranked = known.map(|name| {
        let whole = distance(given, name);
        // A key under the wrong section is nearer than its spelling shows.
        let apart = if last(given) == last(name) { whole.min(1) } else { whole };
        (apart, whole, name)
    });
    ranked.min().filter(|(apart, ..)| *apart <= far).map(|(.., name)| name)
}

/// Edits (insert, remove, replace) between two texts.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_says_what_it_is() {
        let schema = schema();
        let keys = keys(&schema);
        assert!(keys.len() > 30, "{}", keys.len());
        for key in keys {
            assert!(key.rule.description().len() > 15, "{}", key.path);
            assert!(!key.rule.expected().is_empty(), "{}", key.path);
            if key.rule.may_be("integer") && key.rule.entries().is_none() {
                assert!(key.rule.number("minimum").is_some(), "{} has no range", key.path);
            }
        }
    }

    #[test]
    fn every_default_keeps_its_own_rule() {
        let schema = schema();
        let defaults = serde_json::to_value(Config::default()).expect("it is plain");
        for key in keys(&schema) {
            let (section, name) = key.path.split_once('.').expect("section.name");
            let default = defaults[section][name].clone();
            if !default.is_null() && key.rule.entries().is_none() {
                assert_eq!(key.rule.check(default.clone()), Ok(default), "{}", key.path);
            }
        }
    }

    #[test]
    fn hosts_have_ports_and_topics_have_names() {
        for text in ["a:1", "127.0.0.1:9092", "[::1]:80", "kafka-1.example.com:9092", "h:0"] {
            assert!(Form::HostPort.fits(text), "{text}");
        }
        for text in ["", "a", ":1", "a:", "a:65536", "::1:80", "http://a:1", "a b:1"] {
            assert!(!Form::HostPort.fits(text), "{text}");
        }
        assert!(Form::Topic.fits("messages.billed"));
        assert!(!Form::Topic.fits("messages/billed"));
        assert!(!Form::Topic.fits(""));
    }

    #[test]
    fn the_nearest_name_is_the_one_meant() {
        let known = ["engine.threads", "engine.state_dir", "kafka.bootstrap", "input.format"];
        let nearest = |given| nearest(given, known.into_iter());
        assert_eq!(nearest("engine.thread"), Some("engine.threads"));
        assert_eq!(nearest("bootstrap"), Some("kafka.bootstrap"));
        assert_eq!(nearest("engine.bootstrap"), Some("kafka.bootstrap"));
        assert_eq!(nearest("painting.colour"), None);
    }
}
