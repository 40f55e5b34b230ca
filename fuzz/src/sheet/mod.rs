//! Spreadsheets. Any bytes give rows within the bounds, or none; and a sheet whose cells are known
//! is read as they are, however it is written: by us and, for workbooks, by calamine. The first
//! byte of an input says what the rest is: a whole file (its own first byte says so), parts of one
//! to be packed, or choices that make a sheet and the way in which it is written.

mod commas;
mod xls;
mod xlsx;

use std::collections::BTreeMap;
use std::io::Cursor;

use calamine::{Data, Reader};
use tollgate::sheet::{CELL_CHARS_MAX, COLUMNS_MAX, ROWS_MAX, Row};

pub use commas::sheet_csv;
pub use xls::sheet_xls;
pub use xlsx::sheet_xlsx;

/// Cells of a sheet that is made up.
const CELLS_MAX: usize = 200;

/// What the rest of an input is. The first bytes of .xlsx and .xls files say that they are whole.
enum Input<'b> {
    Whole,
    /// Parts that are most often damaged.
    Some(&'b [u8]),
    All(&'b [u8]),
    Choices(Choices<'b>),
}

impl<'b> Input<'b> {
    fn of(bytes: &'b [u8]) -> Input<'b> {
        match bytes.split_first() {
            Some((first, rest)) => match first % 4 {
                0 => Input::Whole,
                1 => Input::Some(rest),
                2 => Input::All(rest),
                _ => Input::Choices(Choices(rest)),
            },
            None => Input::Whole,
        }
    }
}

/// Decisions of a writer, one a byte; zeros behind the end.
struct Choices<'b>(&'b [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// Once in so many times.
    fn rarely(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    fn number(&mut self) -> u64 {
        (0..5).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// A text that is not empty.
    fn text(&mut self, alphabet: &str) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        let long = if self.rarely(32) { CELL_CHARS_MAX } else { 0 };
        let length = 1 + self.below(8) + long;
        (0..length).map(|_| letters[self.below(letters.len())]).collect()
    }
}

/// A cell that is not empty.
#[derive(Debug)]
enum Cell {
    Text(String),
    Number(f64),
    Truth,
}

impl Cell {
    fn of(choices: &mut Choices<'_>) -> Cell {
        match choices.below(8) {
            0..=2 => {
                Cell::Text(choices.text("IT de-0179,;.&<>'\"/\n\u{e9}\u{20ac}\u{6f22}\u{1f600}"))
            }
            3 => Cell::Text(["ISO Code", "IT", "Daily Limit"][choices.below(3)].to_owned()),
            4 => Cell::Truth,
            // All of them are exact: whole, or a quarter.
            5 => Cell::Number(f64::from(choices.byte()) / 4.0 - 8.0),
            6 => Cell::Number(f64::from(choices.byte())),
            _ => Cell::Number((choices.number() % 1_000_000_000_000) as f64),
        }
    }

    fn shown(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Truth => "a truth value or an error".to_owned(),
        }
    }
}

/// Cells by row, from 1, and column, from 0.
type Cells<C> = BTreeMap<u32, BTreeMap<usize, C>>;

fn cells(choices: &mut Choices<'_>) -> Cells<Cell> {
    let (mut cells, mut row, mut count) = (Cells::new(), 0, 0);
    while !choices.0.is_empty() && count < CELLS_MAX {
        row += 1 + if choices.rarely(6) { u32::from(choices.byte()) } else { 0 };
        let mut column = 0;
        for _ in 0..choices.below(6) {
            column += if choices.rarely(6) { choices.below(12) } else { 0 };
            if column < COLUMNS_MAX {
                cells.entry(row).or_insert_with(BTreeMap::new).insert(column, Cell::of(choices));
            }
            (column, count) = (column + 1, count + 1);
        }
    }
    cells
}

/// The rows as they are to be read.
fn rows<C>(cells: &Cells<C>, shown: impl Fn(&C) -> String) -> Vec<Row> {
    let row = |(number, cells): (&u32, &BTreeMap<usize, C>)| {
        let length = cells.last_key_value().map_or(0, |(column, _)| column + 1);
        let mut row = Row { number: *number, cells: vec![String::new(); length] };
        for (column, cell) in cells {
            row.cells[*column] = shown(cell).chars().take(CELL_CHARS_MAX).collect();
        }
        row
    };
    cells.iter().map(row).collect()
}

/// What holds of every workbook's rows.
fn bounded(rows: &[Row]) {
    assert!(rows.len() <= ROWS_MAX);
    assert!(rows.first().is_none_or(|row| row.number > 0), "rows count from 1");
    assert!(rows.windows(2).all(|two| two[0].number < two[1].number), "in order, each once");
    for row in rows {
        assert!(row.cells.len() <= COLUMNS_MAX);
        assert!(row.cells.iter().all(|cell| cell.chars().count() <= CELL_CHARS_MAX));
        assert!(row.cells.last().is_some_and(|cell| !cell.is_empty()), "ends with a cell");
    }
}

/// The rows of a workbook's first sheet as calamine reads them. It reserves what a file says of
/// itself, so only files that are no stranger's are given to it.
///
/// # Panics
/// When it cannot.
pub fn by_calamine<'b, R: Reader<Cursor<&'b [u8]>>>(file: &'b [u8]) -> Vec<Row> {
    crate::memory::uncounted(|| {
        let opened = R::new(Cursor::new(file));
        let mut workbook = opened.unwrap_or_else(|fault| panic!("calamine: {fault:?}"));
        let range = workbook.worksheet_range_at(0).expect("a first sheet");
        let range = range.unwrap_or_else(|fault| panic!("calamine: {fault:?}"));
        let start = range.start().unwrap_or_default();
        let mut cells: Cells<&Data> = Cells::new();
        for (row, column, cell) in range.used_cells() {
            let row = start.0 + u32::try_from(row).expect("a small sheet");
            let column = start.1 as usize + column;
            cells.entry(row + 1).or_default().insert(column, cell);
        }
        rows(&cells, |cell| match cell {
            Data::String(text) => text.clone(),
            Data::Bool(_) | Data::Error(_) => Cell::Truth.shown(),
            Data::Int(number) => number.to_string(),
            Data::Float(number) => number.to_string(),
            other => panic!("calamine reads {other:?}, which none of our files has"),
        })
    })
}
