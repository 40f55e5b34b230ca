//! .xlsx: as a zip archive, as the parts that are packed into one, and as a sheet that is written
//! in one of the many ways that the format allows.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use tollgate::sheet::{Format, Row, rows};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Cell, Choices, Input, bounded, by_calamine, cells};

/// What stands between parts in an input.
const BETWEEN: u8 = 0;

const WORKBOOK: &str = r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>
<sheet name="One" sheetId="1" r:id="rId7"/><sheet name="Two" sheetId="2" r:id="rId8"/></sheets>
</workbook>"#;
const RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Relationships
xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId8"
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
Target="worksheets/b.xml"/><Relationship Id="rId7"
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
Target="worksheets/a.xml"/></Relationships>"#;
/// What calamine needs beside, to find the workbook.
const ROOT: &str = r#"<Relationships
xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
Target="xl/workbook.xml"/></Relationships>"#;
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

pub fn sheet_xlsx(bytes: &[u8]) {
    let file = match Input::of(bytes) {
        Input::Whole => return any(bytes),
        Input::Choices(choices) => return written(choices),
        Input::Some(parts) => {
            let mut parts = parts.splitn(2, |byte| *byte == BETWEEN);
            let mut next = || parts.next().unwrap_or_default();
            packed(WORKBOOK.as_bytes(), RELATIONS.as_bytes(), next(), next(), false)
        }
        Input::All(parts) => {
            let mut parts = parts.splitn(4, |byte| *byte == BETWEEN);
            let mut next = || parts.next().unwrap_or_default();
            packed(next(), next(), next(), next(), bytes.len().is_multiple_of(2))
        }
    };
    any(&file);
}

fn any(file: &[u8]) {
    let Ok(read) = rows(Format::Xlsx, file) else { return };
    bounded(&read);
    // The same rows, as plainly as they can be written.
    let mut sheet = String::from("<sheetData>");
    for Row { number, cells } in &read {
        let _ = write!(sheet, "<row r=\"{number}\">");
        for cell in cells {
            let _ = write!(sheet, "<c t=\"str\"><v>{}</v></c>", escaped(cell));
        }
        sheet.push_str("</row>");
    }
    sheet.push_str("</sheetData>");
    let file = packed(WORKBOOK.as_bytes(), RELATIONS.as_bytes(), b"", sheet.as_bytes(), false);
    assert_eq!(rows(Format::Xlsx, &file).as_ref(), Ok(&read), "written again");
}

/// An archive; no shared texts without their part.
fn packed(
    workbook: &[u8],
    relations: &[u8],
    strings: &[u8],
    sheet: &[u8],
    deflated: bool,
) -> Vec<u8> {
    let method = if deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let options = SimpleFileOptions::default().compression_method(method);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, part) in [
        ("_rels/.rels", ROOT.as_bytes()),
        ("xl/workbook.xml", workbook),
        ("xl/_rels/workbook.xml.rels", relations),
        ("xl/sharedStrings.xml", strings),
        ("xl/worksheets/a.xml", sheet),
        ("xl/worksheets/b.xml", b"<worksheet><sheetData/></worksheet>"),
    ] {
        if !part.is_empty() {
            writer.start_file(name, options).expect("a vector takes every byte");
            writer.write_all(part).expect("a vector takes every byte");
        }
    }
    writer.finish().expect("a vector takes every byte").into_inner()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;")
}

/// What a whole file does alike.
struct Style {
    /// Of the elements' names, or none.
    prefix: &'static str,
    /// Whether cells and rows say where they are.
    places: bool,
    deflated: bool,
}

/// The parts that are written.
struct Writer<'c> {
    style: Style,
    choices: Choices<'c>,
    strings: Vec<String>,
    sheet: String,
    /// Whether a text stands in a section of its own: calamine leaves those of values out.
    sections: bool,
}

fn written(mut choices: Choices<'_>) {
    let style = Style {
        prefix: ["", "x:"][choices.below(2)],
        places: !choices.rarely(3),
        deflated: choices.rarely(2),
    };
    let (mark, reserved) = (choices.rarely(4), choices.byte());
    // The cells and their writer share what is left.
    let half = choices.0.len() / 2;
    let cells = cells(&mut Choices(&choices.0[..half]));
    let choices = Choices(&choices.0[half..]);
    let mut writer =
        Writer { style, choices, strings: Vec::new(), sheet: String::new(), sections: false };
    let mut next = 1;
    for (number, cells) in &cells {
        if writer.style.places {
            writer.open_placed("row", &format!("{number}"));
        } else {
            // Rows without a number follow each other.
            (next..*number).for_each(|_| writer.element("row", "", ""));
            writer.open("row", "");
            next = number + 1;
        }
        writer.cells(*number, cells);
        writer.close("row");
    }
    let file = writer.file(mark, reserved);
    let expected = super::rows(&cells, Cell::shown);
    let shown = || format!("{}\n{}", writer.strings.join("\n"), writer.sheet);
    assert_eq!(rows(Format::Xlsx, &file).as_ref(), Ok(&expected), "{}", shown());
    if !writer.sections {
        assert_eq!(by_calamine::<calamine::Xlsx<_>>(&file), expected, "calamine: {}", shown());
    }
}

impl Writer<'_> {
    fn open(&mut self, name: &str, attributes: &str) {
        let _ = write!(self.sheet, "<{}{name}{attributes}>", self.style.prefix);
    }

    fn open_placed(&mut self, name: &str, place: &str) {
        self.open(name, &format!(" r=\"{place}\""));
    }

    fn close(&mut self, name: &str) {
        let _ = write!(self.sheet, "</{}{name}>", self.style.prefix);
    }

    fn element(&mut self, name: &str, attributes: &str, inner: &str) {
        if inner.is_empty() {
            let _ = write!(self.sheet, "<{}{name}{attributes}/>", self.style.prefix);
        } else {
            self.open(name, attributes);
            self.sheet.push_str(inner);
            self.close(name);
        }
    }

    fn cells(&mut self, row: u32, cells: &std::collections::BTreeMap<usize, Cell>) {
        let mut next = 0;
        for (column, cell) in cells {
            // Cells without a place follow each other; those between are empty.
            let placed = self.style.places && (*column != next || !self.choices.rarely(4));
            if !placed {
                (next..*column).for_each(|_| self.element("c", " s=\"1\"", ""));
            } else if self.choices.rarely(8) {
                self.sheet.push_str("<!-- <v>9</v> -->");
            }
            next = column + 1;
            let place =
                if placed { format!(" r=\"{}{row}\"", letters(*column)) } else { String::new() };
            self.cell(&place, cell);
        }
    }

    fn cell(&mut self, place: &str, cell: &Cell) {
        let name = |name: &str| format!("{}{name}", self.style.prefix);
        let (v, is) = (name("v"), name("is"));
        let (kind, inner) = match cell {
            Cell::Number(number) => {
                let whole = number.fract() == 0.0;
                let digits = match self.choices.below(4) {
                    0 if whole => format!("{number}.0"),
                    1 => format!("{number:E}"),
                    _ => number.to_string(),
                };
                (["", " t=\"n\""][self.choices.below(2)], format!("<{v}>{digits}</{v}>"))
            }
            Cell::Truth => match self.choices.below(3) {
                0 => (" t=\"e\"", format!("<{v}>#DIV/0!</{v}>")),
                number => (" t=\"b\"", format!("<{v}>{}</{v}>", number - 1)),
            },
            Cell::Text(text) => match self.choices.below(3) {
                0 => (" t=\"inlineStr\"", format!("<{is}>{}</{is}>", self.text(text))),
                1 => (" t=\"str\"", format!("<{v}>{}</{v}>", self.characters(text))),
                _ => {
                    let text = self.text(text);
                    (" t=\"s\"", format!("<{v}>{}</{v}>", self.shared(text)))
                }
            },
        };
        self.element("c", &format!("{place}{kind}"), &inner);
    }

    /// The number of a shared text.
    fn shared(&mut self, text: String) -> usize {
        let same = self.strings.iter().position(|it| *it == text);
        same.unwrap_or_else(|| {
            self.strings.push(text);
            self.strings.len() - 1
        })
    }

    /// A text in its element, or in runs of their own fonts; perhaps with how it is read aloud.
    fn text(&mut self, text: &str) -> String {
        let name = |name: &str| format!("{}{name}", self.style.prefix);
        let (t, r, ph) = (name("t"), name("r"), name("rPh"));
        let in_runs = self.choices.rarely(3);
        let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
        let preserved = " xml:space=\"preserve\"";
        let mut written = String::new();
        if in_runs {
            for part in [&text[..middle], &text[middle..]] {
                let part = self.characters(part);
                let _ = write!(written, "<{r}><{t}{preserved}>{part}</{t}></{r}>");
            }
        } else {
            let _ = write!(written, "<{t}{preserved}>{}</{t}>", self.characters(text));
        }
        if self.choices.rarely(4) {
            let _ = write!(written, "<{ph} sb=\"0\" eb=\"1\"><{t}>IT</{t}></{ph}>");
        }
        written
    }

    /// Characters as they are, by name or by number, or as they are in a section of their own.
    fn characters(&mut self, text: &str) -> String {
        if self.choices.rarely(6) && !text.is_empty() {
            self.sections = true;
            return format!("<![CDATA[{text}]]>");
        }
        text.chars().fold(String::new(), |mut written, character| {
            if self.choices.rarely(5) {
                let _ = write!(written, "&#{};", u32::from(character));
            } else if self.choices.rarely(5) {
                let _ = write!(written, "&#x{:X};", u32::from(character));
            } else {
                written.push_str(&escaped(character.encode_utf8(&mut [0; 4])));
            }
            written
        })
    }

    fn file(&self, mark: bool, reserved: u8) -> Vec<u8> {
        let prefix = self.style.prefix;
        let namespace = format!("xmlns{}=\"{MAIN}\"", [":x", ""][usize::from(prefix.is_empty())]);
        let mark = if mark { "\u{feff}" } else { "" };
        let head = format!("{mark}<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        let items = self.strings.iter().fold(String::new(), |mut items, text| {
            let _ = write!(items, "<{prefix}si>{text}</{prefix}si>");
            items
        });
        let count = format!("uniqueCount=\"{reserved}\"");
        let strings = format!("{head}<{prefix}sst {namespace} {count}>{items}</{prefix}sst>");
        // Rules for entries, behind the cells, have formulas and are none.
        let sheet = format!(
            "{head}<{prefix}worksheet {namespace}><{prefix}sheetData>{}</{prefix}sheetData>\
             <{prefix}extLst><f>Two!$A$1</f></{prefix}extLst></{prefix}worksheet>",
            self.sheet
        );
        let [workbook, relations] = [WORKBOOK, RELATIONS].map(str::as_bytes);
        let strings = if self.strings.is_empty() { "" } else { strings.as_str() };
        packed(workbook, relations, strings.as_bytes(), sheet.as_bytes(), self.style.deflated)
    }
}

/// `A` for column 0.
fn letters(column: usize) -> String {
    let letter = |number: usize| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number % 26]);
    match column / 26 {
        0 => letter(column).to_string(),
        more => [letter(more - 1), letter(column)].iter().collect(),
    }
}
