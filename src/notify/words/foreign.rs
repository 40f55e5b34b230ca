//! Texts that customers chose and servers answered, made fit to stand among ours. Promise:
//! whatever they hold, they add no line, no header, no link, no mention and no code of their own,
//! and they are bounded. They are shown as they are otherwise: nothing is translated.

/// Characters of a foreign text that are shown; enough for a UUID and for most names.
const CHARS_MAX: usize = 64;
/// Stands where a text was cut off.
const CUT: &str = "…";
/// The same in a short message: three dots are cheaper than leaving GSM-7.
const CUT_SHORT: &str = "...";
/// Breaks a link or a mention and is not seen.
const UNSEEN: char = '\u{200b}';

/// One line without control characters and without those that cannot be seen or that turn the
/// direction of what follows; at most 64 characters.
pub fn plain(text: &str) -> String {
    line(text, CHARS_MAX)
}

/// The same of another length.
pub fn line(text: &str, chars_max: usize) -> String {
    shortened(&one_line(text), chars_max, CUT)
}

/// The same of any length.
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let clean = words.map(|word| word.chars().filter(|c| !is_unseen(*c)).collect::<String>());
    clean.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Marks of direction and of width zero.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{200b}'..='\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

fn shortened(text: &str, chars_max: usize, cut: &str) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let Some(kept) = chars_max.checked_sub(cut.chars().count()) else { return String::new() };
    let kept: String = text.chars().take(kept).collect();
    format!("{}{cut}", kept.trim_end())
}

/// For Slack's markup: its three characters escaped, and nothing that Slack could take for a link,
/// a mention or the edge of code.
pub fn slack(text: &str) -> String {
    let mut out = String::new();
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '`' => out.push('\''),
            // Slack makes links of bare names and addresses, too.
            '.' | ':' | '@' => out.extend([c, UNSEEN]),
            _ => out.push(c),
        }
    }
    out
}

/// For a short message: in GSM-7, at most `room` characters. `None` when nothing of use is left.
pub fn short(text: &str, room: usize) -> Option<String> {
    let text = plain(text);
    let known: String = text.chars().map(to_gsm).collect::<Option<_>>()?;
    let short = shortened(&known, room, CUT_SHORT);
    (!short.is_empty() && short != CUT_SHORT).then_some(short)
}

/// Brackets and the like take two places in GSM-7: their neighbours stand in.
fn to_gsm(c: char) -> Option<char> {
    match c {
        '[' | '{' => Some('('),
        ']' | '}' => Some(')'),
        '\\' | '|' => Some('/'),
        '`' | '\u{2018}' | '\u{2019}' => Some('\''),
        '\u{2013}' | '\u{2014}' => Some('-'),
        '…' => Some('.'),
        _ => is_gsm(c).then_some(c),
    }
}

/// The basic table of GSM 03.38 without its line ends.
pub fn is_gsm(c: char) -> bool {
    let ascii = c.is_ascii_graphic() && !"[\\]^`{|}~".contains(c);
    let beyond = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
    c == ' ' || ascii || beyond.contains(c)
}

/// As one segment of a path: all but letters, digits, `-`, `_` and `+` in percents.
pub fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'+' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_one_bounded_line() {
        for (text, shown) in [
            ("Marketing", "Marketing"),
            ("  two\r\nBcc: x@example.com\t\u{0}lines ", "two Bcc: x@example.com lines"),
            ("a\u{202e}b\u{200b}c\u{2028}d\u{85}e", "abc d e"),
            ("größe 数 🌊", "größe 数 🌊"),
            ("\r\n\u{feff}", ""),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
        }
        let long = plain(&"数".repeat(65));
        assert_eq!((long.chars().count(), long.ends_with('…')), (64, true));
        assert_eq!(plain(&"数".repeat(64)), "数".repeat(64));
    }

    #[test]
    fn slack_sees_no_mention_no_link_and_no_code() {
        for (text, shown) in [
            ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@\u{200b}U1&gt;"),
            ("@here", "@\u{200b}here"),
            ("https://example.com", "https:\u{200b}//example.\u{200b}com"),
            ("a@example.com", "a@\u{200b}example.\u{200b}com"),
            ("```x`", "'''x'"),
            ("a\n> b", "a &gt; b"),
        ] {
            assert_eq!(slack(text), shown, "{text:?}");
        }
    }

    #[test]
    fn text_is_one_line_that_plays_no_tricks() {
        assert_eq!(one_line(" not\r\nso\t\tfast\n"), "not so fast");
        assert_eq!(one_line("\u{1b}[31mred\u{7}\u{0}"), "[31mred");
        assert_eq!(one_line("a\u{202e}b \u{9b}31m \u{2028}c"), "ab 31m c");
        assert_eq!(one_line("größe €"), "größe €");
        assert_eq!(one_line("\u{0} \u{1}"), "");
    }

    #[test]
    fn short_messages_stay_in_their_alphabet_and_their_room() {
        for (text, room, shown) in [
            ("Marketing", 9, Some("Marketing")),
            ("Marketing", 8, Some("Marke...")),
            ("Marketing", 3, None),
            ("Marketing", 0, None),
            ("[EU] Käse|Brot – “x”", 30, None),
            ("[EU] Käse|Brot – x", 30, Some("(EU) Käse/Brot - x")),
            ("数", 30, None),
            ("", 30, None),
        ] {
            assert_eq!(short(text, room).as_deref(), shown, "{text:?}");
        }
    }

    #[test]
    fn a_segment_of_a_path_holds_no_other_path() {
        assert_eq!(segment("be3eb60a-7b6c_X+1"), "be3eb60a-7b6c_X+1");
        assert_eq!(segment("../a b?ä\r\n"), "%2E%2E%2Fa%20b%3F%C3%A4%0D%0A");
    }
}
