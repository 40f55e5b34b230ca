//! What a web server answered, cut down to what is of use. Promise: of a body no more is read than
//! was asked for, and nothing in it can play tricks on a terminal or a log.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Response;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use crate::notify::words::foreign::one_line;
use crate::telemetry::SystemClock;
use crate::time::Clock;

/// What came back. A redirect is an answer like any other: it is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// How long the other side asks us to wait, as it said: whoever waits sets the bound.
    pub retry_after: Option<Duration>,
    /// The beginning of the body as text on one line, without control characters.
    pub body: String,
}

impl Answer {
    /// Reads the body as far as `bytes_max` and drops the connection if there is more. The status
    /// stands by then: a body that breaks off or comes too slowly is taken as far as it came.
    pub(super) async fn read(mut response: Response, bytes_max: usize) -> Answer {
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let mut body = Vec::new();
        while body.len() < bytes_max
            && let Ok(Some(piece)) = response.chunk().await
        {
            let room = bytes_max - body.len();
            body.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        Answer { status, retry_after, body: one_line(&String::from_utf8_lossy(&body)) }
    }
}

/// Seconds, or a date: that is counted from the date of the answer itself if it has one, since the
/// two come from one clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let from = date(headers, &DATE).unwrap_or_else(now);
    Some(until.duration_since(from).unwrap_or(Duration::ZERO))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok()
}

fn now() -> SystemTime {
    let since = u64::try_from(SystemClock.now().0).unwrap_or(0);
    UNIX_EPOCH + Duration::from_millis(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(HeaderName, &'static str)]) -> Option<Duration> {
        let pairs = headers.iter().cloned();
        retry_after(&pairs.map(|(name, value)| (name, value.parse().unwrap())).collect())
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        assert_eq!(asked(&[(RETRY_AFTER, "120")]), Some(Duration::from_mins(2)));
        assert_eq!(asked(&[(RETRY_AFTER, " 0 ")]), Some(Duration::ZERO));
        let date = (DATE, "Wed, 21 Oct 2015 07:28:00 GMT");
        let later = (RETRY_AFTER, "Wed, 21 Oct 2015 07:29:30 GMT");
        assert_eq!(asked(&[date.clone(), later]), Some(Duration::from_secs(90)));
        let earlier = (RETRY_AFTER, "Wed, 21 Oct 2015 07:00:00 GMT");
        assert_eq!(asked(&[date, earlier]), Some(Duration::ZERO));
        // Without a date of its own, by our clock.
        assert_eq!(asked(&[(RETRY_AFTER, "Wed, 21 Oct 2015 07:29:30 GMT")]), Some(Duration::ZERO));
        let far = asked(&[(RETRY_AFTER, "Fri, 31 Dec 9999 23:59:59 GMT")]).unwrap();
        assert!(far > Duration::from_hours(24 * 365), "{far:?}");
    }

    #[test]
    fn a_retry_after_that_says_nothing_is_none() {
        assert_eq!(asked(&[]), None);
        for text in ["", "soon", "-5", "1.5", "99999999999999999999"] {
            assert_eq!(asked(&[(RETRY_AFTER, text)]), None, "{text}");
        }
    }
}
