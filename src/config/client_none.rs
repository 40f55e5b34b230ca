//! Stands in for librdkafka in builds without the `engine` feature.
//! Promise: it refuses names that no property has, by their letters, and takes all others.

pub(super) fn refusal(name: &str, _value: &str) -> Option<String> {
    let letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    let plain = !name.is_empty() && name.bytes().all(letter);
    (!plain).then(|| "no property has this name".to_owned())
}
