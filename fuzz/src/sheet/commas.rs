//! CSV: whatever the separator, the quotes and the ends of lines, the cells are the same.

use tollgate::sheet::{COLUMNS_MAX, Format, ROWS_MAX, Refused, Row, rows};

use super::{Choices, Input};

pub fn sheet_csv(bytes: &[u8]) {
    match Input::of(bytes) {
        Input::Choices(choices) => written(choices),
        Input::Whole | Input::Some(_) | Input::All(_) => any(bytes),
    }
}

fn any(bytes: &[u8]) {
    let rows = match rows(Format::Csv, bytes) {
        Ok(rows) => rows,
        Err(refused) => {
            let utf_8 = std::str::from_utf8(bytes).is_ok();
            assert_eq!(refused == Refused::OtherEncoding, !utf_8, "{refused}");
            return;
        }
    };
    let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
    assert!(rows.len() <= ROWS_MAX);
    assert!(rows.iter().all(|row| (1..=COLUMNS_MAX).contains(&row.cells.len())));
    assert!(rows.iter().all(|row| (1..=lines).contains(&(row.number as usize))));
    assert!(rows.is_sorted_by_key(|row| row.number));
    // What was read, with every cell in quotes, behind the headings.
    let cells: Vec<Vec<String>> =
        rows.into_iter().map(|row| row.cells).take(ROWS_MAX - 1).collect();
    let again = read(&Written { separator: ',', end: "\n", mark: false }.text(&cells, |_| true));
    assert_eq!(again.into_iter().map(|row| row.cells).collect::<Vec<_>>(), cells);
}

/// The rows behind a heading that tells the separator.
fn read(text: &str) -> Vec<Row> {
    let read = rows(Format::Csv, text.as_bytes());
    let mut rows = read.unwrap_or_else(|refused| panic!("{refused} {text:?}"));
    assert_eq!(rows.remove(0).cells, ["ISO Code", "Limit"], "{text:?}");
    rows
}

/// How a file is written.
struct Written {
    separator: char,
    end: &'static str,
    mark: bool,
}

impl Written {
    fn text(&self, rows: &[Vec<String>], quoted: impl Fn(&str) -> bool) -> String {
        let mark = if self.mark { "\u{feff}" } else { "" };
        let mut text = format!("{mark}ISO Code{}Limit{}", self.separator, self.end);
        for row in rows {
            for (column, cell) in row.iter().enumerate() {
                if column > 0 {
                    text.push(self.separator);
                }
                if quoted(cell) {
                    text.extend(["\"", &cell.replace('"', "\"\""), "\""]);
                } else {
                    text.push_str(cell);
                }
            }
            text.push_str(self.end);
        }
        text
    }
}

fn written(mut choices: Choices<'_>) {
    let written = Written {
        separator: [',', ';'][choices.below(2)],
        end: ["\n", "\r\n", "\r\n\n", "\n\r\n\r\n"][choices.below(4)],
        mark: choices.rarely(2),
    };
    let mut rows = Vec::new();
    while !choices.0.is_empty() && rows.len() < 100 {
        let cell = |choices: &mut Choices<'_>| match choices.below(4) {
            0 => String::new(),
            _ => choices.text("IT0179 ,;.\"'\n\r\u{e9}\u{1f600}"),
        };
        let length = 1 + choices.below(5);
        rows.push((0..length).map(|_| cell(&mut choices)).collect::<Vec<_>>());
    }
    let text = written.text(&rows, |cell| {
        // A row of one empty cell would be a blank line.
        cell.len() % 3 == 0 || cell.contains(['"', ',', ';', '\n', '\r'])
    });
    let lines = |text: &str| text.matches('\n').count();
    let mut number = 1 + lines(written.end);
    for (row, cells) in read(&text).into_iter().zip(&rows) {
        assert_eq!((&row.cells, row.number as usize), (cells, number), "{text:?}");
        number += lines(written.end) + cells.iter().map(|cell| lines(cell)).sum::<usize>();
    }
    assert_eq!(read(&text).len(), rows.len());
}
