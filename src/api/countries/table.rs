//! Rows of an uploaded file to limits of countries (K6). Promise: one wrong row refuses all of
//! them, and every wrong row is told with its number and the reason.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::country::REQUESTS_MAX;
use super::iso::Country;
use crate::sheet::{self, Row};

/// Wrong rows that are told.
const WRONG_MAX: usize = 100;
/// The columns, as the sample file names them.
pub const HEADINGS: [&str; 3] = ["ISO Code", "Daily Limit", "Monthly Limit"];

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub country: Country,
    pub daily: Option<u64>,
    pub monthly: Option<u64>,
}

/// A row that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WrongRow)]
pub struct Wrong {
    /// From 1, the headings' included.
    row: u32,
    reason: String,
}

/// Why a file says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It cannot be read as what it is said to be.
    File(String),
    /// It can, and rows break rules.
    Rows(Vec<Wrong>),
}

impl From<sheet::Refused> for Refused {
    fn from(refused: sheet::Refused) -> Refused {
        Refused::File(refused.to_string())
    }
}

/// Reads all rows; the first one that is not blank names the columns.
///
/// # Errors
/// `File` without the headings or without rows, `Rows` with every wrong one, at most 100.
pub fn read(rows: &[Row]) -> Result<Vec<Line>, Refused> {
    let mut filled = rows.iter().filter(|row| row.cells.iter().any(|cell| !blank(cell)));
    let columns = filled.next().and_then(columns);
    let Some(columns) = columns else {
        let named = HEADINGS.join(", ");
        return Err(Refused::File(format!("Its first row must name the columns {named}.")));
    };
    let mut lines: BTreeMap<Country, (u32, Line)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in filled {
        let taken = line(row, columns).and_then(|line| match lines.get(&line.country) {
            Some((before, _)) => Err(format!("{} stands in row {before} too.", line.country)),
            None => Ok(line),
        });
        match taken {
            Ok(line) => {
                lines.insert(line.country, (row.number, line));
            }
            Err(reason) => wrong.push(Wrong { row: row.number, reason }),
        }
    }
    wrong.truncate(WRONG_MAX);
    match (wrong.is_empty(), lines.is_empty()) {
        (false, _) => Err(Refused::Rows(wrong)),
        (true, true) => Err(Refused::File("It lists no country.".to_owned())),
        (true, false) => Ok(lines.into_values().map(|(_, line)| line).collect()),
    }
}

fn blank(cell: &str) -> bool {
    cell.trim().is_empty()
}

/// Where the three columns stand.
fn columns(headings: &Row) -> Option<[usize; 3]> {
    let place = |heading: &str| {
        headings.cells.iter().position(|cell| cell.trim().eq_ignore_ascii_case(heading))
    };
    let [iso, daily, monthly] = HEADINGS.map(place);
    Some([iso?, daily?, monthly?])
}

fn line(row: &Row, [iso, daily, monthly]: [usize; 3]) -> Result<Line, String> {
    let cell = |column: usize| row.cells.get(column).map_or("", |cell| cell.trim());
    let Some(country) = Country::parse(cell(iso)) else {
        return Err(format!("{:?} is no ISO 3166-1 alpha-2 code.", shortened(cell(iso))));
    };
    let line = Line {
        country,
        daily: requests(HEADINGS[1], cell(daily))?,
        monthly: requests(HEADINGS[2], cell(monthly))?,
    };
    match (line.daily, line.monthly) {
        (None, None) => Err("It has neither a daily nor a monthly limit.".to_owned()),
        (Some(daily), Some(monthly)) if daily >= monthly => {
            Err(format!("The daily limit {daily} is not below the monthly limit {monthly}."))
        }
        (Some(_), _) | (None, Some(_)) => Ok(line),
    }
}

/// An empty cell is no limit. Spreadsheets may write a whole number as `1000.0`.
fn requests(heading: &str, cell: &str) -> Result<Option<u64>, String> {
    if cell.is_empty() {
        return Ok(None);
    }
    let (whole, fraction) = cell.split_once('.').unwrap_or((cell, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = digits(whole) && digits(fraction) && fraction.bytes().all(|byte| byte == b'0');
    match whole.parse::<u64>() {
        Ok(0) if is_whole => Err(format!("{heading} is 0; leave it empty for no limit.")),
        Ok(count) if is_whole && count <= REQUESTS_MAX => Ok(Some(count)),
        _ => Err(format!(
            "{heading} {:?} is no whole number from 1 to {REQUESTS_MAX}.",
            shortened(cell)
        )),
    }
}

/// What is told of a cell.
fn shortened(cell: &str) -> String {
    cell.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        let cells = |line: &str| line.split('|').map(str::to_owned).collect();
        let numbered = (1..).zip(text.lines());
        numbered.map(|(number, line)| Row { number, cells: cells(line) }).collect()
    }

    #[test]
    fn rows_become_limits_wherever_the_columns_stand() {
        let read = read(&rows(
            "||\n monthly limit |Note|ISO CODE|Daily Limit\n2000|x|it|100\n\n|y| De |5.0\n7||fr",
        ))
        .expect("a valid file");
        let shown: Vec<_> =
            read.iter().map(|line| (line.country.code(), line.daily, line.monthly)).collect();
        assert_eq!(
            shown,
            [("DE", Some(5), None), ("FR", None, Some(7)), ("IT", Some(100), Some(2000))]
        );
    }

    #[test]
    fn every_wrong_row_is_told_and_none_is_taken() {
        let file = "ISO Code|Daily Limit|Monthly Limit\nIT|1|2\nXX|1|2\nit|3|4\nDE|0|2\nFR|5|5\n\
                    GB|ten|20\nES||\nPT|1.5|3\nNL|-1|\nBE|1,000|\nAT|=1+1|\nSE|1e3|\n\
                    NO||1000000000000\nDK|99999999999999999999|";
        let Err(Refused::Rows(wrong)) = read(&rows(file)) else { panic!("it is refused") };
        let told: Vec<_> = wrong.iter().map(|it| (it.row, it.reason.as_str())).collect();
        let number = "is no whole number from 1 to 999999999999.";
        assert_eq!(
            told,
            [
                (3, "\"XX\" is no ISO 3166-1 alpha-2 code."),
                (4, "IT stands in row 2 too."),
                (5, "Daily Limit is 0; leave it empty for no limit."),
                (6, "The daily limit 5 is not below the monthly limit 5."),
                (7, &format!("Daily Limit \"ten\" {number}")),
                (8, "It has neither a daily nor a monthly limit."),
                (9, &format!("Daily Limit \"1.5\" {number}")),
                (10, &format!("Daily Limit \"-1\" {number}")),
                (11, &format!("Daily Limit \"1,000\" {number}")),
                (12, &format!("Daily Limit \"=1+1\" {number}")),
                (13, &format!("Daily Limit \"1e3\" {number}")),
                (14, &format!("Monthly Limit \"1000000000000\" {number}")),
                (15, &format!("Daily Limit \"99999999999999999999\" {number}")),
            ]
        );
    }

    #[test]
    fn a_file_without_headings_or_rows_is_refused() {
        for file in
            ["", "IT|1|2", "ISO Code|Daily Limit\nIT|1", "ISO Code|Daily Limit|Monthly Limit"]
        {
            assert!(matches!(read(&rows(file)), Err(Refused::File(_))), "{file:?}");
        }
    }
}
