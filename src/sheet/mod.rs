//! Rows of spreadsheets that strangers upload: CSV, .xls, .xlsx. Promise: whatever a file says of
//! itself, it is read in bounded memory to rows within bounds, or refused with a sentence for whom
//! sent it. What the rows mean is the reader's business, not ours.

mod commas;
mod xls;
mod xlsx;

use std::collections::BTreeMap;

/// Rows read of a file: more than there are countries, with room for blank ones.
pub const ROWS_MAX: usize = 1_000;
/// Columns read of a file.
pub const COLUMNS_MAX: usize = 64;
/// Bytes unpacked of one .xlsx file.
pub const UNPACKED_BYTES_MAX: u64 = 8 * 1_048_576;
/// Characters kept of a workbook's cell: more than any that is right has.
pub const CELL_CHARS_MAX: usize = 64;

/// What a file is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Xls,
    Xlsx,
}

/// A row as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// From 1, as spreadsheets count.
    pub number: u32,
    pub cells: Vec<String>,
}

/// Why a file gives no rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("It is not encoded in UTF-8; save it as \"CSV UTF-8\".")]
    OtherEncoding,
    #[error("It is no text: it contains zero bytes.")]
    ZeroBytes,
    #[error("It is no CSV: {0}.")]
    NoCsv(String),
    #[error(
        "It is no .xls workbook (97 to 2003, not encrypted) that can be read; save it as .xlsx or \
         CSV."
    )]
    NoXls,
    #[error("It is no .xlsx workbook that can be read; save it again, or as CSV.")]
    NoXlsx,
    #[error("Unpacked it exceeds {UNPACKED_BYTES_MAX} bytes; save it as CSV.")]
    TooLarge,
    #[error("It has more than {ROWS_MAX} rows.")]
    TooManyRows,
    #[error("It has more than {COLUMNS_MAX} columns.")]
    TooManyColumns,
    /// What it shows is another program's answer.
    #[error("Row {0} has a formula; save values, or as CSV.")]
    Formula(u32),
}

/// The rows of a CSV file, or of a workbook's first sheet; their numbers never fall.
///
/// # Errors
/// When it is no such file, or exceeds a bound, or has a formula.
pub fn rows(format: Format, bytes: &[u8]) -> Result<Vec<Row>, Refused> {
    match format {
        Format::Csv => commas::rows(bytes),
        Format::Xls => xls::rows(bytes),
        Format::Xlsx => xlsx::rows(bytes),
    }
}

/// Texts that cells refer to by number, in one piece: a million empty ones take few bytes each.
#[derive(Debug, Default)]
struct Texts {
    all: String,
    ends: Vec<usize>,
}

impl Texts {
    /// Adds to the text that is not yet ended.
    fn add(&mut self, part: &str) {
        self.all.push_str(part);
    }

    fn end(&mut self) {
        self.ends.push(self.all.len());
    }

    /// From 0.
    fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)?;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        Some(&self.all[start..end])
    }
}

/// Rows of a sheet while its cells are read, in whatever order.
#[derive(Debug, Default)]
struct Grid(BTreeMap<u32, Vec<String>>);

impl Grid {
    /// Puts a cell: `row` from 1, `column` from 0. Empty ones are left out.
    ///
    /// # Errors
    /// Beyond the bounds of rows and columns.
    fn put(&mut self, row: u32, column: usize, text: &str) -> Result<(), Refused> {
        if text.is_empty() {
            return Ok(());
        }
        if column >= COLUMNS_MAX {
            return Err(Refused::TooManyColumns);
        }
        if self.0.len() == ROWS_MAX && !self.0.contains_key(&row) {
            return Err(Refused::TooManyRows);
        }
        let cells = self.0.entry(row).or_default();
        if cells.len() <= column {
            cells.resize(column + 1, String::new());
        }
        // Many cells may share one long text.
        cells[column] = text.chars().take(CELL_CHARS_MAX).collect();
        Ok(())
    }

    fn rows(self) -> Vec<Row> {
        self.0.into_iter().map(|(number, cells)| Row { number, cells }).collect()
    }
}
