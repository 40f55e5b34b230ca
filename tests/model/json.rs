//! A JSON reader of the model's own: RFC 8259 to the letter, numbers kept as they are written, of
//! equal keys the last. It refuses what is nested deeper than 127 levels and strings that are no
//! Unicode text, and never guesses.

use std::collections::BTreeMap;

pub type Object = BTreeMap<String, Json>;

#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Object),
}

const DEPTH_MAX: usize = 127;

/// The object that a line is; none if it is anything else.
pub fn object(line: &[u8]) -> Option<Object> {
    let mut reader = Reader { left: std::str::from_utf8(line).ok()? };
    let value = reader.value(0)?;
    reader.blanks();
    match value {
        Json::Object(fields) if reader.left.is_empty() => Some(fields),
        _ => None,
    }
}

struct Reader<'a> {
    left: &'a str,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.left = self.left.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// Takes `expected` off the front, if it stands there.
    fn take(&mut self, expected: &str) -> Option<()> {
        self.left = self.left.strip_prefix(expected)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        self.blanks();
        match self.left.bytes().next()? {
            b'{' => self.fields(depth + 1).map(Json::Object),
            b'[' => self.items(depth + 1).map(Json::List),
            b'"' => self.text().map(Json::Text),
            b'n' => self.take("null").map(|()| Json::Null),
            b't' => self.take("true").map(|()| Json::Bool(true)),
            b'f' => self.take("false").map(|()| Json::Bool(false)),
            _ => self.number().map(Json::Number),
        }
    }

    fn fields(&mut self, depth: usize) -> Option<Object> {
        self.take("{")?;
        let mut fields = Object::new();
        self.blanks();
        if depth > DEPTH_MAX || self.take("}").is_some() {
            return (depth <= DEPTH_MAX).then_some(fields);
        }
        loop {
            self.blanks();
            let key = self.text()?;
            self.blanks();
            self.take(":")?;
            fields.insert(key, self.value(depth)?);
            self.blanks();
            if self.take("}").is_some() {
                return Some(fields);
            }
            self.take(",")?;
        }
    }

    fn items(&mut self, depth: usize) -> Option<Vec<Json>> {
        self.take("[")?;
        let mut items = Vec::new();
        self.blanks();
        if depth > DEPTH_MAX || self.take("]").is_some() {
            return (depth <= DEPTH_MAX).then_some(items);
        }
        loop {
            items.push(self.value(depth)?);
            self.blanks();
            if self.take("]").is_some() {
                return Some(items);
            }
            self.take(",")?;
        }
    }

    fn text(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut units: Vec<u16> = Vec::new();
        loop {
            let c = self.left.chars().next()?;
            self.left = &self.left[c.len_utf8()..];
            match c {
                '"' => return String::from_utf16(&units).ok(),
                '\\' => units.push(self.escaped()?),
                '\0'..='\u{1f}' => return None,
                _ => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }

    fn escaped(&mut self) -> Option<u16> {
        let c = self.left.chars().next()?;
        self.left = &self.left[c.len_utf8()..];
        Some(match c {
            '"' | '\\' | '/' => c as u16,
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let digits = self.left.get(..4)?;
                if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return None;
                }
                self.left = &self.left[4..];
                u16::from_str_radix(digits, 16).ok()?
            }
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<String> {
        let all = self.left;
        let _ = self.take("-");
        if self.take("0").is_none() {
            self.digits()?;
        }
        if self.take(".").is_some() {
            self.digits()?;
        }
        if self.take("e").or_else(|| self.take("E")).is_some() {
            let _ = self.take("+").or_else(|| self.take("-"));
            self.digits()?;
        }
        Some(all[..all.len() - self.left.len()].to_owned())
    }

    fn digits(&mut self) -> Option<()> {
        let after = self.left.trim_start_matches(|c: char| c.is_ascii_digit());
        let some = after.len() < self.left.len();
        self.left = after;
        some.then_some(())
    }
}
