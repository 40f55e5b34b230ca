//! Times of the model: RFC 3339 text to milliseconds since 1970 and back, and the UTC days and
//! months that hold an instant. Strict where the format is strict: it repairs nothing and knows
//! no leap second. It uses no date library, so that it cannot share a mistake with the product.

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// Days from 1970-01-01 to the given date, counted the slow way.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let years: i64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum();
    let back: i64 = (year..1970).map(|y| if leap(y) { 366 } else { 365 }).sum();
    let months: i64 = (1..month).map(|m| days_in(year, m)).sum();
    years - back + months + day - 1
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day of a day number.
fn date_of(mut days: i64) -> (i64, i64, i64) {
    let mut year = 1970;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let mut month = 1;
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn number(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Milliseconds since 1970 of an RFC 3339 time with an offset; digits past the millisecond are
/// cut off. None for anything else and for instants outside the years 1970 to 2199.
pub fn parse(text: &str) -> Option<i64> {
    let b = text.as_bytes();
    if b.len() < 20 {
        return None;
    }
    let marks = b[4] == b'-' && b[7] == b'-' && b[13] == b':' && b[16] == b':';
    if !marks || !(b[10] == b'T' || b[10] == b't') {
        return None;
    }
    let (year, month, day) = (number(&b[0..4])?, number(&b[5..7])?, number(&b[8..10])?);
    let (hour, minute, second) = (number(&b[11..13])?, number(&b[14..16])?, number(&b[17..19])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = &b[19..];
    let mut millis = 0;
    if rest.first() == Some(&b'.') {
        let digits = rest[1..].iter().take_while(|c| c.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let mut fraction = rest[1..=digits.min(3)].to_vec();
        fraction.resize(3, b'0');
        millis = number(&fraction)?;
        rest = &rest[1 + digits..];
    }
    let local = days_before(year, month, day) * DAY
        + hour * HOUR
        + minute * MINUTE
        + second * 1000
        + millis;
    let instant = local - offset(rest)?;
    let end = days_before(2200, 1, 1) * DAY;
    (0..end).contains(&instant).then_some(instant)
}

/// Milliseconds that a zone designator lies ahead of UTC.
fn offset(b: &[u8]) -> Option<i64> {
    if b == b"Z" || b == b"z" {
        return Some(0);
    }
    if b.len() != 6 || b[3] != b':' {
        return None;
    }
    let (hours, minutes) = (number(&b[1..3])?, number(&b[4..6])?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let ahead = hours * HOUR + minutes * MINUTE;
    match b[0] {
        b'+' => Some(ahead),
        b'-' => Some(-ahead),
        _ => None,
    }
}

pub fn show(instant: i64) -> String {
    let (year, month, day) = date_of(instant.div_euclid(DAY));
    let in_day = instant.rem_euclid(DAY);
    let (hour, minute) = (in_day / HOUR, in_day % HOUR / MINUTE);
    let (second, milli) = (in_day % MINUTE / 1000, in_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}+00:00")
}

/// First instant of the UTC day that holds `at`, and of the next.
pub fn day(at: i64) -> (i64, i64) {
    let start = at - at.rem_euclid(DAY);
    (start, start + DAY)
}

/// First instant of the UTC month that holds `at`, and of the next.
pub fn month(at: i64) -> (i64, i64) {
    let (year, month, _) = date_of(at.div_euclid(DAY));
    let start = days_before(year, month, 1) * DAY;
    (start, start + days_in(year, month) * DAY)
}
