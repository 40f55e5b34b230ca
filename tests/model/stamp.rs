//! Puts the time of a topic's record into its line, as a log file has it. It parses nothing: reading
//! and writing a line again could mend what has to be rejected.

/// The line with `at` as its last `recorded_at`: of two fields of a name the last one counts. A line
/// that does not end as an object does is rejected whatever its time.
pub fn stamped(line: &[u8], at: &str) -> Vec<u8> {
    let Some(rest) = line.trim_ascii_end().strip_suffix(b"}") else { return line.to_vec() };
    let comma = if rest.trim_ascii() == b"{" { "" } else { "," };
    [rest, format!("{comma}\"recorded_at\":\"{at}\"}}").as_bytes()].concat()
}
