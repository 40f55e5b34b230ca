//! .xls: as a compound file, as the stream that is packed into one, and as a sheet that is written
//! with every kind of cell's record and shared texts cut where the format allows.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use tollgate::sheet::{Format, Row, rows};

use super::{Cell, Choices, Input, bounded, by_calamine, cells};

/// Bytes of a record's content.
const RECORD_BYTES_MAX: usize = 8_224;

pub fn sheet_xls(bytes: &[u8]) {
    match Input::of(bytes) {
        Input::Whole => any(bytes),
        // A sheet alone, behind a sound head with four shared texts.
        Input::Some(sheet) => {
            let texts = ["ISO Code", "Daily Limit", "Monthly Limit", "IT"];
            let texts = texts.map(|text| Shared::new(text, 0));
            any(&packed(&workbook(&shared_strings(&texts, RECORD_BYTES_MAX), sheet)));
        }
        Input::All(stream) => any(&packed(stream)),
        Input::Choices(choices) => written(choices),
    }
}

fn any(file: &[u8]) {
    let Ok(read) = rows(Format::Xls, file) else { return };
    bounded(&read);
    // The same rows, as plainly as they can be written.
    let mut sheet = record(BOF, &[0, 6, 0x10, 0]);
    for Row { number, cells } in &read {
        let Ok(row) = u16::try_from(number - 1) else { panic!("row {number} of an .xls file") };
        for (column, text) in (0..).zip(cells).filter(|(_, text)| !text.is_empty()) {
            sheet.extend(cell(LABEL, row, column, &label(text)));
        }
    }
    sheet.extend(record(EOF, &[]));
    let file = packed(&workbook(&[], &sheet));
    assert_eq!(rows(Format::Xls, &file).as_ref(), Ok(&read), "written again");
}

const BOF: u16 = 0x0809;
const EOF: u16 = 0x000A;
const CODEPAGE: u16 = 0x0042;
const BOUNDSHEET: u16 = 0x0085;
const MULRK: u16 = 0x00BD;
const MULBLANK: u16 = 0x00BE;
const RSTRING: u16 = 0x00D6;
const SST: u16 = 0x00FC;
const LABELSST: u16 = 0x00FD;
const CONTINUE: u16 = 0x003C;
const DIMENSIONS: u16 = 0x0200;
const BLANK: u16 = 0x0201;
const NUMBER: u16 = 0x0203;
const LABEL: u16 = 0x0204;
const BOOLERR: u16 = 0x0205;
const ROW: u16 = 0x0208;
const RK: u16 = 0x027E;

fn record(kind: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short record");
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), content].concat()
}

/// A cell's record: row, column, format, content.
fn cell(kind: u16, row: u16, column: u16, content: &[u8]) -> Vec<u8> {
    let head = [row.to_le_bytes(), column.to_le_bytes(), [0, 0]].concat();
    record(kind, &[&head[..], content].concat())
}

/// A text in a cell's own record: characters, two bytes each.
fn label(text: &str) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let length = u16::try_from(units.len()).expect("a short text");
    let units = units.iter().flat_map(|unit| unit.to_le_bytes());
    length.to_le_bytes().into_iter().chain([1]).chain(units).collect()
}

/// The stream: its head with these records, then this sheet.
fn workbook(globals: &[u8], sheet: &[u8]) -> Vec<u8> {
    let head = [record(BOF, &[0, 6, 5, 0]), record(CODEPAGE, &[0xb0, 4]), globals.to_vec()];
    let head = head.concat();
    let named =
        |start: u32| record(BOUNDSHEET, &[&start.to_le_bytes()[..], &[0, 0, 1, 0, b'S']].concat());
    let start = head.len() + named(0).len() + record(EOF, &[]).len();
    let named = named(u32::try_from(start).expect("a short stream"));
    [head, named, record(EOF, &[]), sheet.to_vec()].concat()
}

/// With sectors of 512 bytes, as other programs write them.
fn packed(stream: &[u8]) -> Vec<u8> {
    let file = cfb::CompoundFile::create_with_version(cfb::Version::V3, Cursor::new(Vec::new()));
    let mut file = file.expect("a vector");
    let mut part = file.create_stream("/Workbook").expect("a vector");
    part.write_all(stream).expect("a vector takes every byte");
    part.flush().expect("a vector takes every byte");
    drop(part);
    file.into_inner().into_inner()
}

/// A shared text and how it is written.
#[derive(PartialEq, Eq)]
struct Shared {
    units: Vec<u16>,
    wide: bool,
    /// Fonts of its parts, four bytes each.
    runs: u16,
    /// Bytes about how it is read aloud.
    phonetic: u32,
}

impl Shared {
    fn new(text: &str, style: u8) -> Shared {
        let units: Vec<u16> = text.encode_utf16().collect();
        let wide = style & 1 == 1 || units.iter().any(|unit| *unit > 0xff);
        let runs = if style & 2 == 2 { u16::from(style >> 5) } else { 0 };
        let phonetic = if style & 4 == 4 { u32::from(style >> 4) } else { 0 };
        Shared { units, wide, runs, phonetic }
    }
}

/// The record of shared texts and those that continue it, each of at most so many bytes. The head
/// of a text stands in one record, and so does each font of a part.
fn shared_strings(texts: &[Shared], bytes_max: usize) -> Vec<u8> {
    let count = u32::try_from(texts.len()).expect("few").to_le_bytes();
    let (mut records, mut chunk) = (Vec::new(), [count, count].concat());
    let room = |chunk: &mut Vec<u8>, records: &mut Vec<Vec<u8>>, bytes: usize| {
        let full = bytes > 0 && chunk.len() + bytes > bytes_max.max(16);
        if full {
            records.push(std::mem::take(chunk));
        }
        full
    };
    for text in texts {
        room(&mut chunk, &mut records, 9);
        let flags = u8::from(text.wide)
            | if text.runs > 0 { 8 } else { 0 }
            | if text.phonetic > 0 { 4 } else { 0 };
        chunk.extend(u16::try_from(text.units.len()).expect("short").to_le_bytes());
        chunk.push(flags);
        if text.runs > 0 {
            chunk.extend(text.runs.to_le_bytes());
        }
        if text.phonetic > 0 {
            chunk.extend(text.phonetic.to_le_bytes());
        }
        let mut wide = text.wide;
        for (at, unit) in text.units.iter().enumerate() {
            // Calamine loses a character whose halves stand in two records, so none is cut.
            let bytes = match unit {
                0xd800..0xdc00 => 4,
                0xdc00..0xe000 => 0,
                _ if wide => 2,
                _ => 1,
            };
            if room(&mut chunk, &mut records, bytes) {
                // What is behind may take one byte each, where it can.
                wide = text.units[at..].iter().any(|unit| *unit > 0xff);
                chunk.push(u8::from(wide));
            }
            chunk.extend(&unit.to_le_bytes()[..if wide { 2 } else { 1 }]);
        }
        for _ in 0..text.runs {
            room(&mut chunk, &mut records, 4);
            chunk.extend([0, 0, 1, 0]);
        }
        for _ in 0..text.phonetic {
            room(&mut chunk, &mut records, 1);
            chunk.push(b'P');
        }
    }
    records.push(chunk);
    let kinds = [SST].into_iter().chain(std::iter::repeat(CONTINUE));
    kinds.zip(&records).flat_map(|(kind, content)| record(kind, content)).collect()
}

fn written(mut choices: Choices<'_>) {
    let bytes_max = if choices.rarely(2) { RECORD_BYTES_MAX } else { choices.below(64) };
    let half = choices.0.len() / 2;
    let cells = cells(&mut Choices(&choices.0[..half]));
    let choices = Choices(&choices.0[half..]);
    let mut writer = Writer { choices, texts: Vec::new(), sheet: record(BOF, &[0, 6, 0x10, 0]) };
    writer.sheet.extend(record(DIMENSIONS, &[0; 14]));
    for (number, cells) in &cells {
        writer.row(u16::try_from(number - 1).expect("few rows"), cells);
    }
    writer.sheet.extend(record(EOF, &[]));
    let globals = shared_strings(&writer.texts, bytes_max);
    let file = packed(&workbook(&globals, &writer.sheet));
    let expected = super::rows(&cells, Cell::shown);
    let shown = || format!("{}\n{}", globals.escape_ascii(), writer.sheet.escape_ascii());
    assert_eq!(rows(Format::Xls, &file).as_ref(), Ok(&expected), "{}", shown());
    assert_eq!(by_calamine::<calamine::Xls<_>>(&file), expected, "calamine: {}", shown());
}

struct Writer<'c> {
    choices: Choices<'c>,
    texts: Vec<Shared>,
    sheet: Vec<u8>,
}

impl Writer<'_> {
    fn row(&mut self, row: u16, cells: &BTreeMap<usize, Cell>) {
        match self.choices.below(8) {
            0 => self.sheet.extend(record(ROW, &[&row.to_le_bytes()[..], &[0; 14]].concat())),
            1 => self.sheet.extend(cell(BLANK, row, 60, &[])),
            2 => self.sheet.extend(cell(MULBLANK, row, 60, &[0, 0, 61, 0])),
            // A chart, whose cells are none of the sheet's.
            3 => {
                let inner = [record(BOF, &[0, 6, 0x20, 0]), cell(NUMBER, 0, 0, &[7; 8])].concat();
                self.sheet.extend([inner, record(EOF, &[])].concat());
            }
            _ => {}
        }
        let mut rest = cells.iter().peekable();
        while let Some((column, first)) = rest.next() {
            let place = u16::try_from(*column).expect("few columns");
            let number = match first {
                Cell::Text(text) => {
                    self.text(row, place, text);
                    continue;
                }
                Cell::Truth => {
                    let content = [[1, 0], [0, 0], [0x2a, 1]][self.choices.below(3)];
                    self.sheet.extend(cell(BOOLERR, row, place, &content));
                    continue;
                }
                Cell::Number(number) => *number,
            };
            let Some(packed) = self.number(number) else {
                self.sheet.extend(cell(NUMBER, row, place, &number.to_le_bytes()));
                continue;
            };
            let mut beside = vec![packed];
            while let Some((column, Cell::Number(number))) = rest.peek()
                && **column == usize::from(place) + beside.len()
                && let Some(packed) = self.number(*number)
            {
                beside.push(packed);
                rest.next();
            }
            if let [one] = beside[..] {
                self.sheet.extend(cell(RK, row, place, &one.to_le_bytes()));
            } else {
                self.multiple(row, place, &beside);
            }
        }
    }

    fn multiple(&mut self, row: u16, column: u16, beside: &[u32]) {
        let last = column + u16::try_from(beside.len()).expect("few") - 1;
        let content: Vec<u8> = [row.to_le_bytes(), column.to_le_bytes()]
            .into_iter()
            .flatten()
            .chain(beside.iter().flat_map(|it| [[0, 0].as_slice(), &it.to_le_bytes()].concat()))
            .chain(last.to_le_bytes())
            .collect();
        self.sheet.extend(record(MULRK, &content));
    }

    /// A number in 30 bits, in one of the ways that hold it, or in none.
    fn number(&mut self, number: f64) -> Option<u32> {
        let way = self.choices.below(5);
        let hundredths = way == 1 || way == 3;
        let scaled = if hundredths { number * 100.0 } else { number };
        let packed = match way {
            0 | 1 if scaled.fract() == 0.0 && scaled.abs() < f64::from(1 << 29) => {
                ((scaled as i32) << 2).cast_unsigned() | 2
            }
            2 | 3 if scaled.to_bits().trailing_zeros() >= 34 => {
                u32::try_from(scaled.to_bits() >> 32).expect("32 bits")
            }
            _ => return None,
        };
        Some(packed | u32::from(hundredths))
    }

    fn text(&mut self, row: u16, column: u16, text: &str) {
        let wide = label(text);
        let written = match self.choices.below(4) {
            0 => cell(LABEL, row, column, &wide),
            1 => cell(RSTRING, row, column, &[&wide[..], &[1, 0, 0, 0, 1, 0]].concat()),
            _ => {
                let shared = Shared::new(text, self.choices.byte());
                let same = self.texts.iter().position(|it| *it == shared);
                let number = same.unwrap_or_else(|| {
                    self.texts.push(shared);
                    self.texts.len() - 1
                });
                let number = u32::try_from(number).expect("few");
                cell(LABELSST, row, column, &number.to_le_bytes())
            }
        };
        self.sheet.extend(written);
    }
}
