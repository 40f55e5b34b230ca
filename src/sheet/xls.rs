//! Rows of the first sheet of an .xls file (BIFF8 in a compound file). Promise: whatever the file
//! says of itself, nothing is reserved by it and no more than the rows' bounds is kept; a formula
//! is refused. Older formats and encrypted files are refused too.
//!
//! Read by hand for the reason that `xlsx` gives. Measured of calamine 0.38: a file of 5,632 bytes
//! whose `DIMENSIONS` say 2^24 rows of 256 cells makes it ask for 172 GB, and ends the process.

use std::io::{Cursor, Read as _};

use super::{Grid, Refused, Row, Texts};

/// Bytes read of the workbook's stream: a chain of sectors may run in a circle.
const STREAM_BYTES_MAX: u64 = 2 * 1_048_576;

const BOF: u16 = 0x0809;
const EOF: u16 = 0x000A;
const FILEPASS: u16 = 0x002F;
const BOUNDSHEET: u16 = 0x0085;
const SST: u16 = 0x00FC;
const CONTINUE: u16 = 0x003C;
const FORMULA: u16 = 0x0006;
const NUMBER: u16 = 0x0203;
const LABEL: u16 = 0x0204;
const RSTRING: u16 = 0x00D6;
const BOOLERR: u16 = 0x0205;
const RK: u16 = 0x027E;
const MULRK: u16 = 0x00BD;
const LABELSST: u16 = 0x00FD;
const BIFF8: u16 = 0x0600;

/// # Errors
/// When it is no such file, or exceeds a bound, or has a formula.
pub(super) fn rows(bytes: &[u8]) -> Result<Vec<Row>, Refused> {
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(|_| Refused::NoXls)?;
    let stream = file.open_stream("/Workbook").map_err(|_| Refused::NoXls)?;
    let mut workbook = Vec::new();
    stream.take(STREAM_BYTES_MAX).read_to_end(&mut workbook).map_err(|_| Refused::NoXls)?;
    let globals = Globals::read(&workbook)?;
    let sheet = workbook.get(globals.first_sheet..).ok_or(Refused::NoXls)?;
    cells(sheet, &globals.strings)
}

/// Little-endian numbers at a place.
fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Refused> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Refused::NoXls)?;
    Ok(u16::from_le_bytes(*found))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Refused> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Refused::NoXls)?;
    Ok(u32::from_le_bytes(*found))
}

fn f64_at(bytes: &[u8], at: usize) -> Result<f64, Refused> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Refused::NoXls)?;
    Ok(f64::from_le_bytes(*found))
}

/// A record: its kind and content.
type Record<'b> = (u16, &'b [u8]);

/// Takes the next record off the stream; `None` at its end.
fn next<'b>(stream: &mut &'b [u8]) -> Result<Option<Record<'b>>, Refused> {
    if stream.is_empty() {
        return Ok(None);
    }
    let (kind, length) = (u16_at(stream, 0)?, usize::from(u16_at(stream, 2)?));
    let content = stream.get(4..4 + length).ok_or(Refused::NoXls)?;
    *stream = &stream[4 + length..];
    Ok(Some((kind, content)))
}

/// What the workbook says before its sheets.
struct Globals {
    first_sheet: usize,
    strings: Texts,
}

impl Globals {
    fn read(workbook: &[u8]) -> Result<Globals, Refused> {
        let mut stream = workbook;
        match next(&mut stream)? {
            Some((BOF, content)) if u16_at(content, 0)? == BIFF8 => {}
            _ => return Err(Refused::NoXls),
        }
        let (mut first_sheet, mut strings) = (None, Texts::default());
        while let Some((kind, content)) = next(&mut stream)? {
            match kind {
                EOF => break,
                FILEPASS => return Err(Refused::NoXls),
                // Kind 0 is a sheet of cells.
                BOUNDSHEET if first_sheet.is_none() && content.get(5) == Some(&0) => {
                    first_sheet = usize::try_from(u32_at(content, 0)?).ok();
                }
                SST => {
                    let mut chunks = vec![content];
                    while u16_at(stream, 0) == Ok(CONTINUE) {
                        chunks.extend(next(&mut stream)?.map(|(_, content)| content));
                    }
                    strings = shared_strings(chunks)?;
                }
                _ => {}
            }
        }
        Ok(Globals { first_sheet: first_sheet.ok_or(Refused::NoXls)?, strings })
    }
}

/// The shared strings' record and those that continue it.
struct Chunks<'b> {
    chunks: Vec<&'b [u8]>,
    number: usize,
    at: usize,
}

impl<'b> Chunks<'b> {
    /// Whether the next byte is in a chunk behind; steps there.
    fn crosses(&mut self) -> bool {
        let mut crossed = false;
        while self.chunks.get(self.number).is_some_and(|chunk| self.at >= chunk.len()) {
            (self.number, self.at, crossed) = (self.number + 1, 0, true);
        }
        crossed
    }

    fn byte(&mut self) -> Result<u8, Refused> {
        self.crosses();
        let found = self.chunks.get(self.number).and_then(|chunk| chunk.get(self.at));
        self.at += 1;
        found.copied().ok_or(Refused::NoXls)
    }

    fn u16(&mut self) -> Result<u16, Refused> {
        Ok(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    fn u32(&mut self) -> Result<u32, Refused> {
        Ok(u32::from_le_bytes([self.byte()?, self.byte()?, self.byte()?, self.byte()?]))
    }

    fn skip(&mut self, count: usize) -> Result<(), Refused> {
        (0..count).try_for_each(|_| self.byte().map(|_| ()))
    }

    /// Characters. Where a record ends among them, the next begins with a byte that says anew
    /// whether each takes one byte or two.
    fn text(&mut self, characters: u16, mut wide: bool) -> Result<String, Refused> {
        let mut units = Vec::new();
        for _ in 0..characters {
            if self.crosses() {
                wide = self.byte()? & 1 == 1;
            }
            units.push(if wide { self.u16()? } else { u16::from(self.byte()?) });
        }
        Ok(String::from_utf16_lossy(&units))
    }
}

/// What a string's flags say.
const WIDE: u8 = 0x01;
const EAST_ASIAN: u8 = 0x04;
const FORMATTED: u8 = 0x08;

fn shared_strings(chunks: Vec<&[u8]>) -> Result<Texts, Refused> {
    let mut chunks = Chunks { chunks, number: 0, at: 0 };
    let (_uses, count) = (chunks.u32()?, chunks.u32()?);
    let mut strings = Texts::default();
    // Each takes three bytes at least, so a count beyond the record ends at its end.
    for _ in 0..count {
        let (characters, flags) = (chunks.u16()?, chunks.byte()?);
        let runs = if flags & FORMATTED == 0 { 0 } else { usize::from(chunks.u16()?) };
        let phonetic = if flags & EAST_ASIAN == 0 { 0 } else { chunks.u32()? };
        strings.add(&chunks.text(characters, flags & WIDE != 0)?);
        strings.end();
        chunks.skip(runs * 4)?;
        chunks.skip(usize::try_from(phonetic).map_err(|_| Refused::NoXls)?)?;
    }
    Ok(strings)
}

fn cells(mut stream: &[u8], strings: &Texts) -> Result<Vec<Row>, Refused> {
    let mut grid = Grid::default();
    // Charts inside a sheet have a beginning and an end of their own.
    let mut depth = 0_u32;
    while let Some((kind, content)) = next(&mut stream)? {
        match kind {
            BOF => depth += 1,
            EOF if depth <= 1 => break,
            EOF => depth -= 1,
            _ if depth != 1 => {}
            FORMULA => {
                let row = u32::from(u16_at(content, 0)?) + 1;
                return Err(Refused::Formula(row));
            }
            NUMBER => keep(content, 0, &f64_at(content, 6)?.to_string(), &mut grid)?,
            RK => keep(content, 0, &packed_number(u32_at(content, 6)?), &mut grid)?,
            MULRK => {
                // Row, first column, six bytes for each cell, last column.
                for number in 0..content.len().saturating_sub(6) / 6 {
                    let packed = u32_at(content, 4 + number * 6 + 2)?;
                    keep(content, number, &packed_number(packed), &mut grid)?;
                }
            }
            LABELSST => {
                let number = usize::try_from(u32_at(content, 6)?).map_err(|_| Refused::NoXls)?;
                keep(content, 0, strings.get(number).ok_or(Refused::NoXls)?, &mut grid)?;
            }
            // The latter has fonts of its parts behind the text.
            LABEL | RSTRING => {
                let characters = u16_at(content, 6)?;
                let wide = content.get(8).ok_or(Refused::NoXls)? & WIDE != 0;
                let mut chunks = Chunks { chunks: vec![content], number: 0, at: 9 };
                keep(content, 0, &chunks.text(characters, wide)?, &mut grid)?;
            }
            BOOLERR => keep(content, 0, "a truth value or an error", &mut grid)?,
            _ => {}
        }
    }
    Ok(grid.rows())
}

/// Puts a cell `beside` columns right of the one that the record names.
fn keep(content: &[u8], beside: usize, text: &str, grid: &mut Grid) -> Result<(), Refused> {
    let (row, column) = (u16_at(content, 0)?, u16_at(content, 2)?);
    grid.put(u32::from(row) + 1, usize::from(column) + beside, text)
}

/// A number in 30 bits: whole, or the upper part of a float; perhaps of hundredths. Limits are
/// whole numbers, which that division gives exactly or not at all.
fn packed_number(packed: u32) -> String {
    let (hundredths, whole) = (packed & 1 == 1, packed & 2 == 2);
    let number = if whole {
        f64::from(packed.cast_signed() >> 2)
    } else {
        f64::from_bits(u64::from(packed & !3) << 32)
    };
    if hundredths { (number / 100.0).to_string() } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::sheet::ROWS_MAX;

    fn record(kind: u16, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("a short record");
        [&kind.to_le_bytes()[..], &length.to_le_bytes(), content].concat()
    }

    fn bof() -> Vec<u8> {
        record(BOF, &[0x00, 0x06, 0x05, 0x00])
    }

    /// A cell's record: row, column, format, content.
    fn cell(kind: u16, row: u16, column: u16, content: &[u8]) -> Vec<u8> {
        let head = [row.to_le_bytes(), column.to_le_bytes(), [15, 0]].concat();
        record(kind, &[&head[..], content].concat())
    }

    fn file(globals: &[Vec<u8>], sheet: &[Vec<u8>]) -> Vec<u8> {
        let head = [bof(), globals.concat()].concat();
        // Its own record, and the end of the globals, stand before the sheet.
        let start = u32::try_from(head.len() + 4 + 9 + 4).expect("short");
        let named = [&start.to_le_bytes()[..], &[0, 0, 1, 0, b'S']].concat();
        let workbook = [
            head,
            record(BOUNDSHEET, &named),
            record(EOF, &[]),
            bof(),
            sheet.concat(),
            record(EOF, &[]),
        ];
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).expect("a file");
        let mut stream = file.create_stream("/Workbook").expect("a stream");
        stream.write_all(&workbook.concat()).expect("written");
        stream.flush().expect("written");
        drop(stream);
        file.into_inner().into_inner()
    }

    /// Two strings, the second of which goes on, in wide characters, in the record behind.
    fn strings() -> Vec<Vec<u8>> {
        let first = [&8_u16.to_le_bytes()[..], &[0], b"ISO Code"].concat();
        let second = [&4_u16.to_le_bytes()[..], &[FORMATTED], &1_u16.to_le_bytes(), b"Da"].concat();
        let head = [2_u32.to_le_bytes(), 2_u32.to_le_bytes()].concat();
        let behind = [&[WIDE][..], &[b'y', 0, 0xac, 0x20], &[0; 4]].concat();
        vec![record(SST, &[head, first, second].concat()), record(CONTINUE, &behind)]
    }

    #[test]
    fn cells_of_every_kind_are_read_as_they_are_written() {
        let sheet = [
            record(0x0200, &[0xff; 14]),
            cell(LABELSST, 0, 0, &0_u32.to_le_bytes()),
            cell(LABELSST, 0, 1, &1_u32.to_le_bytes()),
            cell(LABEL, 2, 0, &[2, 0, 0, b'I', b'T']),
            cell(RSTRING, 1, 0, &[2, 0, 0, b'D', b'E', 1, 0, 0, 0, 5, 0]),
            cell(NUMBER, 2, 1, &1000_f64.to_le_bytes()),
            cell(RK, 2, 2, &((2000 << 2) | 2_u32).to_le_bytes()),
            // 500 in hundredths, 25 as a float; format before each; last column.
            record(
                MULRK,
                &[
                    &[3, 0, 1, 0, 15, 0][..],
                    &((50_000 << 2) | 3_u32).to_le_bytes(),
                    &[15, 0],
                    &[0, 0, 0x39, 0x40],
                    &[2, 0],
                ]
                .concat(),
            ),
        ];
        let rows = rows(&file(&strings(), &sheet)).expect("a workbook");
        let shown: Vec<_> = rows.iter().map(|row| (row.number, row.cells.join("|"))).collect();
        assert_eq!(
            shown,
            [
                (1, "ISO Code|Day€".to_owned()),
                (2, "DE".to_owned()),
                (3, "IT|1000|2000".to_owned()),
                (4, "|500|25".to_owned())
            ]
        );
    }

    #[test]
    fn hostile_workbooks_are_refused() {
        let refused = |bytes: &[u8]| rows(bytes).expect_err("it is refused");
        let formula = file(&[], &[cell(FORMULA, 1, 0, &[0; 16])]);
        assert_eq!(refused(&formula), Refused::Formula(2));
        let far = file(&[], &[cell(NUMBER, 0, 255, &[0; 8])]);
        assert_eq!(refused(&far), Refused::TooManyColumns);
        let rows_many: Vec<_> = (0..=1_000).map(|row| cell(NUMBER, row, 0, &[0; 8])).collect();
        assert_eq!(refused(&file(&[], &rows_many)), Refused::TooManyRows);
        let count_of_strings = [0xff; 8];
        for (globals, sheet) in [
            (vec![record(FILEPASS, &[1, 0])], vec![]),
            (vec![record(SST, &count_of_strings)], vec![]),
            (vec![record(SST, &[1, 0])], vec![]),
            (vec![], vec![cell(LABELSST, 0, 0, &[9; 4])]),
            (vec![], vec![cell(NUMBER, 0, 0, &[0; 7])]),
            (vec![], vec![record(RK, &[0])]),
            (vec![], vec![cell(LABEL, 0, 0, &[9, 0, 0, b'I'])]),
            (vec![], vec![vec![3, 2, 255, 255]]),
        ] {
            assert_eq!(refused(&file(&globals, &sheet)), Refused::NoXls);
        }
        let whole = file(&strings(), &[]);
        for bytes in [&b""[..], b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", &whole[..whole.len() / 2]] {
            assert_eq!(refused(bytes), Refused::NoXls);
        }
    }

    /// Any byte of a file may be another.
    #[test]
    fn damaged_workbooks_are_read_or_refused_without_a_panic() {
        let whole = file(&strings(), &[cell(LABELSST, 0, 0, &[0; 4])]);
        for place in 0..whole.len() {
            for value in [0x00, 0x01, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[place] = value;
                if let Ok(rows) = rows(&damaged) {
                    assert!(rows.len() <= ROWS_MAX);
                }
            }
        }
    }
}
