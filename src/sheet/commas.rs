//! Rows of a CSV file. Promise: UTF-8 only, bounded rows; separated by commas, or by semicolons as
//! spreadsheets of many countries write it.

use super::{COLUMNS_MAX, ROWS_MAX, Refused, Row};

/// # Errors
/// For other encodings, too many rows or columns.
pub(super) fn rows(bytes: &[u8]) -> Result<Vec<Row>, Refused> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refused::OtherEncoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains('\0') {
        return Err(Refused::ZeroBytes);
    }
    let headings = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let semicolons = headings.contains(';') && !headings.contains(',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(if semicolons { b';' } else { b',' })
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    // Lines begun up to a place: the reader counts none that end in CR and LF.
    let (mut number, mut counted) = (1_u32, 0_usize);
    for record in reader.records() {
        let record = record.map_err(|error| Refused::NoCsv(error.to_string()))?;
        if rows.len() == ROWS_MAX {
            return Err(Refused::TooManyRows);
        }
        if record.len() > COLUMNS_MAX {
            return Err(Refused::TooManyColumns);
        }
        let begin = record.position().map_or(0, csv::Position::byte);
        let begin = usize::try_from(begin).unwrap_or(usize::MAX).clamp(counted, text.len());
        // Blank lines stand before the record that is read over them.
        let blank = text.as_bytes()[begin..].iter().take_while(|it| b"\r\n".contains(it)).count();
        let passed = &text.as_bytes()[counted..begin + blank];
        let lines = passed.iter().filter(|byte| **byte == b'\n').count();
        number = number.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        counted = begin + blank;
        rows.push(Row { number, cells: record.iter().map(str::to_owned).collect() });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_numbered_by_line_and_read_with_either_separator() {
        for (separator, mark) in [(",", ""), (";", "\u{feff}")] {
            let text =
                format!("{mark}ISO Code{separator}Daily Limit\r\n\r\n\"IT\"{separator}5\r\n");
            let rows = rows(text.as_bytes()).expect("a CSV file");
            let shown: Vec<_> = rows.iter().map(|row| (row.number, row.cells.join("|"))).collect();
            assert_eq!(
                shown,
                [(1, "ISO Code|Daily Limit".to_owned()), (3, "IT|5".to_owned())],
                "{separator}"
            );
        }
    }

    #[test]
    fn what_is_no_bounded_utf_8_is_refused() {
        let utf_16: Vec<u8> =
            "\u{feff}ISO Code".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let rows_many = "IT,1,2\n".repeat(ROWS_MAX + 1).into_bytes();
        let columns_many = ",".repeat(COLUMNS_MAX).into_bytes();
        for (bytes, refused) in [
            (utf_16, Refused::OtherEncoding),
            (b"ISO Code\xe9".to_vec(), Refused::OtherEncoding),
            (b"a\0b".to_vec(), Refused::ZeroBytes),
            (rows_many, Refused::TooManyRows),
            (columns_many, Refused::TooManyColumns),
        ] {
            assert_eq!(rows(&bytes), Err(refused));
        }
    }
}
