//! JSON by the letter of RFC 8259: one object in UTF-8, member by member, nothing built.
//! Promise: what is no JSON object is refused, and a number keeps its spelling, so that `1` and
//! `1.0` stay apart and 1e400 is no fault in a field nobody reads. It refuses lone surrogates.

use std::borrow::Cow;

/// Objects and arrays inside each other, the line's own object included.
const DEPTH_MAX: u32 = 127;

/// A member's value; texts are unescaped, numbers, arrays and objects are as they stand.
#[derive(Clone, Debug, Default)]
pub enum Value<'a> {
    /// Also stands for a member that is not there.
    #[default]
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(&'a str),
    Object(&'a str),
}

impl Value<'_> {
    /// What it is, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

/// Why bytes are no JSON object, and at which byte that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub wanted: &'static str,
    pub at: usize,
}

/// Calls `member` with each key and value of the object in order; of a key that stands twice the
/// caller sees both.
pub fn read_object<'a>(
    text: &'a str,
    mut member: impl FnMut(Cow<'a, str>, Value<'a>),
) -> Result<(), SyntaxError> {
    Reader::object(text, Reader::key, &mut member)
}

/// As `read_object`, of an object whose keys mostly stand in the order of `keys`: gives the place
/// of each key among them, `None` for any other key.
pub fn read_fields<'a>(
    text: &'a str,
    keys: &[&str],
    mut member: impl FnMut(Option<usize>, Value<'a>),
) -> Result<(), SyntaxError> {
    let mut likely = 0;
    let place = |reader: &mut Reader<'a>| {
        let place = match keys.get(likely) {
            Some(key) if reader.takes_key(key) => Some(likely),
            _ => {
                let key = reader.key()?;
                keys.iter().position(|known| *known == key)
            }
        };
        likely = place.map_or(likely, |place| place + 1);
        Ok(place)
    };
    Reader::object(text, place, &mut member)
}

/// Calls `element` with each element of the array in order.
pub fn read_array<'a>(
    text: &'a str,
    mut element: impl FnMut(Value<'a>),
) -> Result<(), SyntaxError> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
    reader.expect(b'[', "an array")?;
    reader.elements(1, &mut element)?;
    reader.finish()
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The object that `text` is; `key` reads a key and the colon behind it.
    fn object<K>(
        text: &'a str,
        key: impl FnMut(&mut Self) -> Result<K, SyntaxError>,
        member: &mut impl FnMut(K, Value<'a>),
    ) -> Result<(), SyntaxError> {
        let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
        reader.skip_blanks();
        reader.expect(b'{', "an object")?;
        reader.members(1, key, member)?;
        reader.finish()
    }

    /// Behind `{`, up to and with its `}`.
    fn members<K>(
        &mut self,
        depth: u32,
        mut key: impl FnMut(&mut Self) -> Result<K, SyntaxError>,
        member: &mut impl FnMut(K, Value<'a>),
    ) -> Result<(), SyntaxError> {
        self.skip_blanks();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = key(self)?;
            self.skip_blanks();
            let value = self.value(depth)?;
            member(key, value);
            self.skip_blanks();
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',', "a comma or the object's end")?;
            self.skip_blanks();
        }
    }

    /// A key and the colon behind it.
    fn key(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        self.expect(b'"', "a key in quotes")?;
        let key = self.string()?;
        self.skip_blanks();
        self.expect(b':', "a colon")?;
        Ok(key)
    }

    /// Takes this key and the colon behind it, if they stand here in their plainest spelling.
    fn takes_key(&mut self, key: &str) -> bool {
        let rest = &self.bytes[self.at..];
        let plain = rest.len() > key.len() + 2
            && rest[0] == b'"'
            && rest[1..].starts_with(key.as_bytes())
            && rest[key.len() + 1..].starts_with(b"\":");
        self.at += if plain { key.len() + 3 } else { 0 };
        plain
    }

    /// Behind `[`, up to and with its `]`.
    fn elements(
        &mut self,
        depth: u32,
        element: &mut impl FnMut(Value<'a>),
    ) -> Result<(), SyntaxError> {
        self.skip_blanks();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            let value = self.value(depth)?;
            element(value);
            self.skip_blanks();
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',', "a comma or the array's end")?;
            self.skip_blanks();
        }
    }

    /// A value inside `depth` objects and arrays.
    fn value(&mut self, depth: u32) -> Result<Value<'a>, SyntaxError> {
        let start = self.at;
        match self.bytes.get(start) {
            Some(b'"') => {
                self.at += 1;
                self.string().map(Value::Text)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'{' | b'[') if depth >= DEPTH_MAX => self.fault("less nesting"),
            Some(b'{') => {
                self.at += 1;
                self.members_unseen(depth + 1)?;
                Ok(Value::Object(&self.text[start..self.at]))
            }
            Some(b'[') => {
                self.at += 1;
                self.elements_unseen(depth + 1)?;
                Ok(Value::Array(&self.text[start..self.at]))
            }
            _ => self.fault("a value"),
        }
    }

    // A closure of its own type per level would make the compiler recurse without end.
    fn members_unseen(&mut self, depth: u32) -> Result<(), SyntaxError> {
        self.members(depth, Reader::key, &mut |_, _| {})
    }

    fn elements_unseen(&mut self, depth: u32) -> Result<(), SyntaxError> {
        self.elements(depth, &mut |_| {})
    }

    fn word(&mut self, word: &'static str, value: Value<'a>) -> Result<Value<'a>, SyntaxError> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        self.fault(word)
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn number(&mut self) -> Result<&'a str, SyntaxError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), SyntaxError> {
        let rest = &self.bytes[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return self.fault("a digit");
        }
        self.at += count;
        Ok(())
    }

    /// Behind the opening quote, up to and with the closing one. Borrowed unless it has escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        let start = self.at;
        self.skip_plain();
        if self.take(b'"') {
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        let mut unescaped = String::from(&self.text[start..self.at]);
        while !self.take(b'"') {
            self.expect(b'\\', "a closing quote (no raw control characters)")?;
            unescaped.push(self.escape()?);
            let plain = self.at;
            self.skip_plain();
            unescaped.push_str(&self.text[plain..self.at]);
        }
        Ok(Cow::Owned(unescaped))
    }

    /// Up to a quote, a backslash or a control character.
    fn skip_plain(&mut self) {
        while let Some(word) = self.bytes[self.at..].first_chunk::<8>() {
            let special = special(u64::from_le_bytes(*word));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        let rest = &self.bytes[self.at..];
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        self.at += rest.iter().position(special).unwrap_or(rest.len());
    }

    /// Behind a backslash.
    fn escape(&mut self) -> Result<char, SyntaxError> {
        let Some(byte) = self.bytes.get(self.at) else {
            return self.fault("an escape");
        };
        let escaped = match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return self.fault("an escape"),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// Behind `\u`: four digits, or a pair of surrogates.
    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
        let high = self.four_digits()?;
        let code = if (0xd800..0xdc00).contains(&high) {
            self.expect(b'\\', "the second half of a surrogate pair")?;
            self.expect(b'u', "the second half of a surrogate pair")?;
            let low = self.four_digits()?;
            if !(0xdc00..0xe000).contains(&low) {
                return self.fault("the second half of a surrogate pair");
            }
            0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => self.fault("a Unicode character, not half a surrogate pair"),
        }
    }

    fn four_digits(&mut self) -> Result<u32, SyntaxError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.bytes.get(self.at).and_then(|byte| char::from(*byte).to_digit(16));
            let Some(digit) = digit else {
                return self.fault("four hexadecimal digits");
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let taken = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(taken);
        taken
    }

    fn expect(&mut self, byte: u8, wanted: &'static str) -> Result<(), SyntaxError> {
        if self.take(byte) { Ok(()) } else { self.fault(wanted) }
    }

    fn finish(&mut self) -> Result<(), SyntaxError> {
        self.skip_blanks();
        if self.at == self.bytes.len() { Ok(()) } else { self.fault("nothing more") }
    }

    fn fault<T>(&self, wanted: &'static str) -> Result<T, SyntaxError> {
        Err(SyntaxError { wanted, at: self.at })
    }
}

/// The top bit of each byte that is a quote, a backslash or a control character, as far as the
/// first such byte; bits above it may be set in vain.
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    // A byte below n borrows when n is taken off, and has no top bit of its own.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & TOPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                for around in [b'a', 0x7f, 0x80, 0xff, b'!'] {
                    let mut word = [around; 8];
                    word[at] = byte;
                    let found = special(u64::from_le_bytes(word)).trailing_zeros() as usize / 8;
                    let wanted = matches!(byte, b'"' | b'\\' | 0..=0x1f);
                    assert_eq!(found, if wanted { at } else { 8 }, "{byte:#x} among {around:#x}");
                }
            }
        }
    }
}
