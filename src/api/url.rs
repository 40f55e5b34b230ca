//! URLs that callers set: where webhooks go. Promise: what is taken can be connected to as it
//! stands, without a blank, a line end or a letter that one client writes so and another so.

use reqwest::Url;

/// Bytes of a URL.
pub const BYTES_MAX: usize = 2_048;

/// `None` for what is no http or https URL with a host, of printable ASCII and at most 2048 bytes.
#[must_use]
pub fn parse(text: &str) -> Option<Url> {
    // The parser would pass over line ends and blanks, which a client that connects may not.
    let plain = text.len() <= BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    let url = Url::parse(text).ok().filter(|_| plain)?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_client_connects_to_alike_is_a_url() {
        let path_max = "x".repeat(BYTES_MAX - "https://a.example/".len());
        for text in ["https://a.example", "http://[::1]:8080/x?y=z#w", "HTTPS://A.example"] {
            assert!(parse(text).is_some(), "{text}");
        }
        assert!(parse(&format!("https://a.example/{path_max}")).is_some());
        for text in [
            "",
            "a.example",
            "https://",
            "ftp://a.example",
            "javascript:alert(1)",
            " https://a.example",
            "https://a.example\n",
            "https://a.example/\tb",
            "https://a.example/a b",
            "https://ex\u{e4}mple.com/",
            &format!("https://a.example/{path_max}x"),
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
