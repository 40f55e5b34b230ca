//! Seeds of the spreadsheets' targets: files that other programs wrote, their parts, and choices.

use std::io::{Cursor, Read as _};

use super::{each, file, put};

/// What the first byte of an input says of the rest (`src/sheet`).
const SOME: u8 = 1;
const ALL: u8 = 2;
const CHOICES: u8 = 3;

pub fn sheets() {
    commas();
    compound();
    zipped();
}

fn framed(first: u8, rest: &[u8]) -> Vec<u8> {
    [&[first], rest].concat()
}

/// Bytes without a pattern, more in each.
fn choices() -> impl Iterator<Item = Vec<u8>> {
    let mut state = 7_u32;
    (1..=6_usize).map(move |number| {
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        framed(CHOICES, &(0..number * 60).map(|_| byte()).collect::<Vec<_>>())
    })
}

fn commas() {
    let texts = each(&[
        "ISO Code,Daily Limit,Monthly Limit\r\nIT,1000,20000\r\nDE,500,\r\nFR,,15000\r\n",
        "\u{feff}ISO Code;Daily Limit;Monthly Limit\n\n\"IT\";5;\n",
        "ISO Code\r\rIT\n\r\n\"a \"\"quoted\"\"\r\ncell\",1,\"2,5\"\n",
        " \n;;;\n\"open",
        "a,b\n\n\"\"\n'x\",y\"z",
        "\u{feff}",
        "",
    ]);
    put("sheet_csv", texts.into_iter().chain(choices()));
}

fn compound() {
    let files = ["limits", "formula"].map(|name| file(&format!("tests/api/files/{name}.xls")));
    let streams = files.iter().map(|bytes| {
        let mut opened = cfb::CompoundFile::open(Cursor::new(bytes)).expect("a compound file");
        let mut stream = Vec::new();
        let mut part = opened.open_stream("/Workbook").expect("a workbook");
        part.read_to_end(&mut stream).expect("a whole file");
        stream
    });
    let streams: Vec<_> = streams.collect();
    // The sheet begins with the second BOF.
    let sheets = streams.iter().map(|stream| {
        let begins = |at: &usize| stream[*at..].starts_with(&[9, 8, 16, 0, 0, 6, 16, 0]);
        let start = (0..stream.len()).find(begins).expect("a sheet");
        framed(SOME, &stream[start..])
    });
    let whole = files.iter().take(1).cloned();
    let all = streams.iter().map(|stream| framed(ALL, stream));
    put("sheet_xls", whole.chain(all).chain(sheets).chain(choices()).chain([Vec::new()]));
}

const NAMES: [&str; 4] = [
    "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/sharedStrings.xml",
    "xl/worksheets/sheet1.xml",
];

fn zipped() {
    let names = ["limits", "formula", "kinds"];
    let files = names.map(|name| file(&format!("tests/api/files/{name}.xlsx")));
    let parts = |bytes: &Vec<u8>| {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("an archive");
        NAMES.map(|name| {
            let mut text = Vec::new();
            if let Ok(mut part) = archive.by_name(name) {
                part.read_to_end(&mut text).expect("a whole part");
            }
            text
        })
    };
    let all = files.iter().map(|bytes| framed(ALL, &parts(bytes).join(&0)));
    let some = files.iter().map(|bytes| framed(SOME, &parts(bytes)[2..].join(&0)));
    let odd = [
        "<sst><si><t>IT</t></si><si><r><t>a</t></r><rPh><t>b</t></rPh></si></sst>\0<x:sheetData>\
         <x:row><x:c t='s'><x:v>0</x:v></x:c><x:c><x:v>5</x:v></x:c></x:row></x:sheetData>",
        "\0<row r=\"7\"><c r=\"BL7\" t=\"inlineStr\"><is><t>&amp;&#66;<![CDATA[<]]></t></is></c></row>",
        "<!DOCTYPE a>\0<row/>",
        "<si/><si/>\0<c t=\"s\"><v>1</v></c>",
    ];
    let odd = odd.map(|text| framed(SOME, text.as_bytes()));
    let whole = files.iter().take(1).cloned();
    put("sheet_xlsx", whole.chain(all).chain(some).chain(odd).chain(choices()));
}
