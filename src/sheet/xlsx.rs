//! Rows of the first sheet of an .xlsx file. Promise: whatever the file says of itself, no more
//! than a bound is unpacked and no more than the rows' bounds is kept; a formula is refused, since
//! what it shows is another program's answer.
//!
//! Read by hand, not by a crate for spreadsheets. Measured of calamine 0.38: a file of 1,432 bytes
//! that says `uniqueCount="10000000000"` makes it ask for 240 GB, one of 1,240 bytes with cells in
//! A1 and XFD1048576 for 550 GB, and a failed reservation ends the process.

use std::collections::HashMap;
use std::io::{Cursor, Read as _};

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use zip::ZipArchive;

use super::{Grid, Refused, Row, Texts, UNPACKED_BYTES_MAX};

/// Files inside one file.
const PARTS_MAX: usize = 1_000;

/// # Errors
/// When it is no such file, or exceeds a bound, or has a formula.
pub(super) fn rows(bytes: &[u8]) -> Result<Vec<Row>, Refused> {
    let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| Refused::NoXlsx)?;
    if archive.len() > PARTS_MAX {
        return Err(Refused::NoXlsx);
    }
    let mut parts = Parts { archive, left: UNPACKED_BYTES_MAX };
    let sheet = first_sheet(&mut parts)?;
    let strings = match parts.read("xl/sharedStrings.xml")? {
        Some(text) => shared_strings(&text)?,
        None => Texts::default(),
    };
    let sheet = parts.read(&sheet)?.ok_or(Refused::NoXlsx)?;
    cells(&sheet, &strings)
}

struct Parts<'b> {
    archive: ZipArchive<Cursor<&'b [u8]>>,
    /// Bytes that may still be unpacked.
    left: u64,
}

impl Parts<'_> {
    /// A part as text; `None` if there is none of this name.
    fn read(&mut self, name: &str) -> Result<Option<String>, Refused> {
        let part = match self.archive.by_name(name) {
            Ok(part) => part,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(_) => return Err(Refused::NoXlsx),
        };
        let mut text = Vec::new();
        // One byte more than may be, to tell what ends there from what goes on.
        part.take(self.left + 1).read_to_end(&mut text).map_err(|_| Refused::NoXlsx)?;
        let read = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let Some(left) = self.left.checked_sub(read) else {
            return Err(Refused::TooLarge);
        };
        self.left = left;
        String::from_utf8(text).map(Some).map_err(|_| Refused::NoXlsx)
    }
}

/// Events of a part. A document type could define entities of its own: no workbook has one.
struct Events<'t>(quick_xml::Reader<&'t [u8]>);

impl<'t> Events<'t> {
    fn of(text: &'t str) -> Events<'t> {
        let mut reader = quick_xml::Reader::from_str(text.trim_start_matches('\u{feff}'));
        reader.config_mut().expand_empty_elements = true;
        Events(reader)
    }

    /// `None` at the end.
    fn next(&mut self) -> Result<Option<Event<'t>>, Refused> {
        match self.0.read_event() {
            Ok(Event::Eof) => Ok(None),
            Ok(Event::DocType(_)) | Err(_) => Err(Refused::NoXlsx),
            Ok(event) => Ok(Some(event)),
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, Refused> {
    let Some(found) = element.try_get_attribute(name).map_err(|_| Refused::NoXlsx)? else {
        return Ok(None);
    };
    let value = found.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Refused::NoXlsx)?;
    Ok(Some(value.into_owned()))
}

/// The text that an event stands for: of characters, or of a reference such as `&amp;`.
fn characters(event: &Event<'_>) -> Result<Option<String>, Refused> {
    match event {
        Event::Text(text) => {
            text.decode().map(|it| Some(it.into_owned())).map_err(|_| Refused::NoXlsx)
        }
        Event::CData(text) => {
            text.decode().map(|it| Some(it.into_owned())).map_err(|_| Refused::NoXlsx)
        }
        Event::GeneralRef(reference) => referred(reference).map(Some),
        _ => Ok(None),
    }
}

fn referred(reference: &BytesRef<'_>) -> Result<String, Refused> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_| Refused::NoXlsx)? {
        return Ok(character.to_string());
    }
    let name = reference.decode().map_err(|_| Refused::NoXlsx)?;
    quick_xml::escape::resolve_predefined_entity(&name).map(str::to_owned).ok_or(Refused::NoXlsx)
}

/// The name of the part that holds the workbook's first sheet.
fn first_sheet(parts: &mut Parts<'_>) -> Result<String, Refused> {
    let workbook = parts.read("xl/workbook.xml")?.ok_or(Refused::NoXlsx)?;
    let relations = parts.read("xl/_rels/workbook.xml.rels")?.ok_or(Refused::NoXlsx)?;
    let mut targets = HashMap::new();
    let mut events = Events::of(&relations);
    while let Some(event) = events.next()? {
        if let Event::Start(element) = &event
            && element.local_name().as_ref() == b"Relationship"
            && let (Some(id), Some(target)) =
                (attribute(element, "Id")?, attribute(element, "Target")?)
        {
            targets.insert(id, target);
        }
    }
    let mut events = Events::of(&workbook);
    while let Some(event) = events.next()? {
        let Event::Start(element) = &event else { continue };
        if element.local_name().as_ref() != b"sheet" {
            continue;
        }
        let id = attribute(element, "r:id")?.ok_or(Refused::NoXlsx)?;
        let target = targets.get(&id).ok_or(Refused::NoXlsx)?;
        return Ok(match target.strip_prefix('/') {
            Some(absolute) => absolute.to_owned(),
            None => format!("xl/{target}"),
        });
    }
    Err(Refused::NoXlsx)
}

/// The texts that cells refer to by number, without the readings that East Asian ones carry.
fn shared_strings(text: &str) -> Result<Texts, Refused> {
    let mut strings = Texts::default();
    let (mut in_item, mut in_text, mut in_reading) = (false, false, false);
    let mut events = Events::of(text);
    while let Some(event) = events.next()? {
        match &event {
            Event::Start(element) => match element.local_name().as_ref() {
                b"si" => in_item = true,
                b"t" => in_text = true,
                b"rPh" => in_reading = true,
                _ => {}
            },
            Event::End(element) => match element.local_name().as_ref() {
                b"si" => {
                    in_item = false;
                    strings.end();
                }
                b"t" => in_text = false,
                b"rPh" => in_reading = false,
                _ => {}
            },
            _ if in_item && in_text && !in_reading => {
                strings.add(characters(&event)?.as_deref().unwrap_or(""));
            }
            _ => {}
        }
    }
    Ok(strings)
}

/// A cell while it is read.
#[derive(Default)]
struct Cell {
    row: u32,
    column: usize,
    kind: Option<String>,
    text: String,
}

/// Ends with the cells: what stands behind them, such as rules for entries, may hold formulas.
fn cells(sheet: &str, strings: &Texts) -> Result<Vec<Row>, Refused> {
    let mut grid = Grid::default();
    let (mut row, mut column) = (0_u32, 0_usize);
    let mut cell: Option<Cell> = None;
    let (mut in_value, mut in_reading) = (false, false);
    let mut events = Events::of(sheet);
    while let Some(event) = events.next()? {
        match &event {
            Event::Start(element) => match element.local_name().as_ref() {
                b"row" => {
                    row = match attribute(element, "r")? {
                        Some(number) => row_number(&number).ok_or(Refused::NoXlsx)?,
                        None => row.checked_add(1).ok_or(Refused::NoXlsx)?,
                    };
                    column = 0;
                }
                b"c" => {
                    let place = attribute(element, "r")?;
                    (row, column) = match place.as_deref() {
                        Some(place) => position(place).ok_or(Refused::NoXlsx)?,
                        None if row > 0 => (row, column),
                        None => return Err(Refused::NoXlsx),
                    };
                    let kind = attribute(element, "t")?;
                    cell = Some(Cell { row, column, kind, text: String::new() });
                    column += 1;
                }
                b"v" | b"t" => in_value = true,
                b"rPh" => in_reading = true,
                b"f" if cell.is_some() => return Err(Refused::Formula(row)),
                _ => {}
            },
            Event::End(element) => match element.local_name().as_ref() {
                b"v" | b"t" => in_value = false,
                b"rPh" => in_reading = false,
                b"c" => {
                    if let Some(cell) = cell.take() {
                        keep(&cell, strings, &mut grid)?;
                    }
                }
                b"sheetData" => break,
                _ => {}
            },
            _ => {
                if let (Some(cell), true, false) = (&mut cell, in_value, in_reading) {
                    cell.text.push_str(characters(&event)?.as_deref().unwrap_or(""));
                }
            }
        }
    }
    Ok(grid.rows())
}

fn keep(cell: &Cell, strings: &Texts, grid: &mut Grid) -> Result<(), Refused> {
    let text = match cell.kind.as_deref() {
        // As in an .xls file: what would read 1 is no limit of 1.
        Some("b" | "e") => "a truth value or an error",
        Some("s") if !cell.text.is_empty() => {
            let number: usize = cell.text.trim().parse().map_err(|_| Refused::NoXlsx)?;
            strings.get(number).ok_or(Refused::NoXlsx)?
        }
        None | Some("n") => &plain_number(&cell.text),
        _ => &cell.text,
    };
    grid.put(cell.row, cell.column, text)
}

/// Some programs write 10000000 as 1.0E7. What is no number stays as it is.
fn plain_number(text: &str) -> String {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        _ => text.to_owned(),
    }
}

/// `B3` as row 3, column 1 (from 0).
fn position(place: &str) -> Option<(u32, usize)> {
    let letters = place.bytes().take_while(u8::is_ascii_uppercase).count();
    if !(1..=3).contains(&letters) {
        return None;
    }
    let (letters, digits) = place.split_at_checked(letters)?;
    let column = letters.bytes().fold(0, |it, letter| it * 26 + usize::from(letter - b'A') + 1);
    Some((row_number(digits)?, column - 1))
}

/// From 1.
fn row_number(digits: &str) -> Option<u32> {
    let number = digits.parse().ok()?;
    (number > 0 && digits.starts_with(|first: char| first.is_ascii_digit())).then_some(number)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::sheet::ROWS_MAX;

    const WORKBOOK: &str = r#"<workbook xmlns:r="r"><sheets><sheet name="One" r:id="rId7"/>
        <sheet name="Two" r:id="rId8"/></sheets></workbook>"#;
    const RELATIONS: &str = r#"<Relationships><Relationship Id="rId7" Target="worksheets/a.xml"/>
        <Relationship Id="rId8" Target="worksheets/b.xml"/></Relationships>"#;

    fn packed(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        for (name, bytes) in parts {
            writer.start_file(*name, options).expect("a part");
            writer.write_all(bytes).expect("written");
        }
        writer.finish().expect("a file").into_inner()
    }

    fn workbook(sheet: &str, strings: &str) -> Vec<u8> {
        packed(&[
            ("xl/workbook.xml", WORKBOOK.as_bytes()),
            ("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes()),
            ("xl/sharedStrings.xml", strings.as_bytes()),
            ("xl/worksheets/a.xml", sheet.as_bytes()),
        ])
    }

    #[test]
    fn cells_of_every_kind_are_read_as_they_are_written() {
        let strings = r#"<sst uniqueCount="18446744073709551615"><si><t>ISO Code</t></si>
            <si><r><t>A &amp; </t></r><r><t>&#66;</t></r><rPh><t>no</t></rPh></si></sst>"#;
        let sheet = r#"<worksheet><dimension ref="A1:XFD1048576"/><sheetData>
            <row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row>
            <row r="4"><c t="inlineStr"><is><t>IT</t></is></c><c r="B4"><v>1000</v></c>
            <c><v>2.50</v></c><c><v>1.0E7</v></c><c/><c t="s"/></row>
            <row><c t="b"><v>1</v></c><c t="inlineStr"><is><t>DE</t><rPh><t>no</t></rPh></is></c>
            </row></sheetData><extLst><x14:v><xm:f>Two!$A$1</xm:f></x14:v></extLst></worksheet>"#;
        let rows = rows(&workbook(sheet, strings)).expect("a workbook");
        let shown: Vec<_> = rows.iter().map(|row| (row.number, row.cells.join("|"))).collect();
        let expected = [
            (1, "ISO Code||A & B"),
            (4, "IT|1000|2.5|10000000"),
            (5, "a truth value or an error|DE"),
        ];
        assert_eq!(shown, expected.map(|(number, cells)| (number, cells.to_owned())));
    }

    #[test]
    fn hostile_workbooks_are_refused() {
        let refused = |bytes: &[u8]| rows(bytes).expect_err("it is refused");
        let sheet = |inner: &str| workbook(&format!("<sheetData>{inner}</sheetData>"), "<sst/>");
        let bomb = "<!--".to_owned() + &" ".repeat(9 * 1_048_576);
        assert_eq!(refused(&workbook(&bomb, "<sst/>")), Refused::TooLarge, "in the sheet");
        assert_eq!(refused(&workbook("<sheetData/>", &bomb)), Refused::TooLarge, "in the strings");
        let formula = sheet(r#"<row r="2"><c r="A2"><f>1+1</f><v>2</v></c></row>"#);
        assert_eq!(refused(&formula), Refused::Formula(2));
        let far = sheet(r#"<row r="1"><c r="XFD1048576"><v>1</v></c></row>"#);
        assert_eq!(refused(&far), Refused::TooManyColumns);
        let rows_many = (1..=ROWS_MAX + 1).fold(String::new(), |rows, number| {
            rows + &format!(r#"<row r="{number}"><c><v>1</v></c></row>"#)
        });
        assert_eq!(refused(&sheet(&rows_many)), Refused::TooManyRows);
        for inner in [
            r#"<row r="x"/>"#,
            r#"<row r="0"/>"#,
            "<c><v>1</v></c>",
            r#"<row r="1"><c r="1A"><v>1</v></c></row>"#,
            r#"<row r="1"><c r="A99999999999"><v>1</v></c></row>"#,
            r#"<row r="1"><c r="A0"><v>1</v></c></row>"#,
            r#"<row r="1"><c r="A+1"><v>1</v></c></row>"#,
            r#"<row r="1"><c t="s"><v>0</v></c></row>"#,
            r#"<row r="1"><c t="s"><v>-1</v></c></row>"#,
            r#"<row r="1"><c><v>&lol;</v></c></row>"#,
            r#"<row r="4294967295"/><row/>"#,
            "<row></c>",
            "<!DOCTYPE a [<!ENTITY lol 'lol'>]>",
        ] {
            assert_eq!(refused(&sheet(inner)), Refused::NoXlsx, "{inner}");
        }
        let whole = sheet("");
        for bytes in [
            &b""[..],
            b"PK\x03\x04",
            &whole[..whole.len() / 2],
            &packed(&[("xl/workbook.xml", WORKBOOK.as_bytes())]),
            &packed(&[
                ("xl/workbook.xml", &[0xff, 0xfe, b'<', 0]),
                ("xl/_rels/workbook.xml.rels", b""),
            ]),
        ] {
            assert_eq!(refused(bytes), Refused::NoXlsx);
        }
    }
}
