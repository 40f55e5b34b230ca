//! Which profiles exist: those that were created, and those that a billed event names (T10).
//! Promise: every month that is kept counts, and the month in which early events fall.
//!
//! A deleted profile is gone with all that was billed for it up to the end of that UTC day, and of
//! the next one if it was billed for that already. An event of a later day brings it back, without
//! its former settings: who still sends with it must be able to see and to limit it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fold::limit::ScopeKind;
use crate::fold::{Calendar, Look, Total};
use crate::settings::{Account, Document};
use crate::time::{Day, Millis};

use super::spend_limit;

/// Kind of the documents that say that a profile was deleted: `id`, and `billed_until`.
pub const DELETED: &str = "deleted_profile";
/// The midnight UTC before which nothing that was billed brings the profile back, RFC 3339.
pub const UNTIL: &str = "billed_until";

/// Months whose totals are kept (DESIGN.md, "State").
const MONTHS: usize = 14;
/// Days whose totals are kept.
const DAYS: i32 = 40;

/// Since when an event brings the profile back; `None` for one that was not deleted.
#[must_use]
pub fn gone_until(account: &Account, profile_id: &str) -> Option<Millis> {
    account.document(DELETED, profile_id).map(until)
}

fn until(deletion: &Document) -> Millis {
    let said = deletion.body.get(UNTIL).and_then(Value::as_str);
    let said = said.and_then(|text| Millis::parse(text).ok());
    said.unwrap_or(deletion.updated_at.day().next().start())
}

/// Asks what a deletion must hide beside the present day.
#[must_use]
pub fn look_ahead(profile_id: &str, now: Millis) -> Look {
    Look {
        totals: vec![(spend_limit::scope(profile_id), Calendar::Day(now.day().next()))],
        ..Look::default()
    }
}

/// The midnight that ends the last of those days.
#[must_use]
pub fn hidden_until(ahead: &[Total], now: Millis) -> Millis {
    let ends = ahead.iter().map(|total| total.window.bounds().end);
    ends.fold(now.day().next().start(), Millis::max)
}

/// Asks whether a profile was billed.
#[must_use]
pub fn look_for(profile_id: &str, gone_until: Option<Millis>, now: Millis) -> Look {
    let scope = spend_limit::scope(profile_id);
    let totals = windows(gone_until, now).map(|window| (scope.clone(), window));
    Look {
        limits: vec![spend_limit::limit_id(profile_id).into()],
        totals: totals.collect(),
        ..Look::default()
    }
}

/// Asks for all profiles that were billed.
#[must_use]
pub fn look_for_all(account: &Account, now: Millis) -> Look {
    let first = account.documents(DELETED).map(|(_, deletion)| until(deletion)).min();
    let days = first.into_iter().flat_map(|first| windows(Some(first), now));
    let days = days.filter(|window| matches!(window, Calendar::Day(_)));
    Look { all_in: windows(None, now).chain(days).collect(), ..Look::default() }
}

/// The profiles that exist because they were billed, whether they were created or not.
#[must_use]
pub fn billed(account: &Account, totals: &[Total]) -> BTreeSet<String> {
    let profiles = totals.iter().filter(|total| total.scope.kind == ScopeKind::Profile);
    let named = profiles.filter_map(|total| Some((total.scope.id.as_deref()?, total.window)));
    let alive = named.filter(|(id, window)| shows(*window, gone_until(account, id)));
    alive.map(|(id, _)| id.to_owned()).collect()
}

/// The windows that tell: months, and days behind a deletion.
fn windows(gone_until: Option<Millis>, now: Millis) -> impl Iterator<Item = Calendar> {
    // An event may lie up to a day ahead.
    let (newest_month, newest_day) = (now.month().next(), now.day().next());
    let months = std::iter::successors(Some(newest_month), |month| Some(month.previous()));
    let months = months.take(MONTHS + 1).map(Calendar::Month);
    let days = gone_until.map(|until| {
        let first = until.day().0.max(newest_day.0 - DAYS);
        (first..=newest_day.0).map(|day| Calendar::Day(Day(day)))
    });
    months.filter(move |month| shows(*month, gone_until)).chain(days.into_iter().flatten())
}

/// Whether a total in this window says that the profile exists.
fn shows(window: Calendar, gone_until: Option<Millis>) -> bool {
    match (window, gone_until) {
        (Calendar::Month(_), None) => true,
        // Its month says so.
        (Calendar::Day(_), None) => false,
        (Calendar::Month(_) | Calendar::Day(_), Some(until)) => window.bounds().start >= until,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Tally;
    use crate::settings::Settings;
    use crate::wire::{Decoder, Head, Options};

    fn at(text: &str) -> Millis {
        Millis::parse(text).expect("a time")
    }

    fn account(deletions: &[(&str, &str)]) -> Account {
        let decoder = Decoder::new(&Options::default()).expect("a decoder");
        let mut settings = Settings::new(10);
        for (id, until) in deletions {
            let deletion = spend_limit::deletion(&Account::default(), id, at(until));
            let bytes = deletion[0].write(&Head {
                command_id: "c",
                account_id: "acme",
                issued_at: at("2020-01-01T00:00:00Z"),
                actor: "test",
                reason: None,
            });
            let recorded = decoder.decode_recorded(&bytes).expect("no registry is asked");
            settings.apply(&recorded.expect("the fold takes it"));
        }
        (*settings.account("acme")).clone()
    }

    fn total(id: &str, window: Calendar) -> Total {
        let scope = spend_limit::scope(id);
        Total { account_id: "acme".to_owned(), scope, window, tally: Tally::default() }
    }

    #[test]
    fn every_month_that_is_kept_tells_and_the_next_one_too() {
        let now = at("2024-08-31T23:30:00Z");
        let windows: Vec<_> = windows(None, now).collect();
        assert_eq!(windows.len(), 15);
        let month = |text: &str| Calendar::Month(at(text).month());
        assert_eq!(windows.first(), Some(&month("2024-09-01T00:00:00Z")));
        assert_eq!(windows.last(), Some(&month("2023-07-01T00:00:00Z")));
    }

    #[test]
    fn only_an_event_of_a_later_day_brings_a_deleted_profile_back() {
        let account = account(&[("gone", "2024-08-21T00:00:00Z")]);
        let back = |id: &str, window| !billed(&account, &[total(id, window)]).is_empty();
        let day = |text: &str| Calendar::Day(at(text).day());
        let month = |text: &str| Calendar::Month(at(text).month());
        assert!(!back("gone", month("2024-08-01T00:00:00Z")));
        assert!(!back("gone", day("2024-08-20T00:00:00Z")));
        assert!(back("gone", day("2024-08-21T00:00:00Z")));
        assert!(back("gone", month("2024-09-01T00:00:00Z")));
        assert!(back("other", month("2024-08-01T00:00:00Z")));

        let now = at("2024-08-22T00:00:00Z");
        let look = look_for("gone", gone_until(&account, "gone"), now);
        let asked: Vec<_> = look.totals.into_iter().map(|(_, window)| window).collect();
        let wanted = [
            month("2024-09-01T00:00:00Z"),
            day("2024-08-21T00:00:00Z"),
            day("2024-08-22T00:00:00Z"),
            day("2024-08-23T00:00:00Z"),
        ];
        assert_eq!(asked, wanted);
        assert!(wanted.iter().all(|window| look_for_all(&account, now).all_in.contains(window)));
    }

    #[test]
    fn a_deletion_hides_what_was_billed_ahead() {
        let now = at("2024-08-20T23:59:59Z");
        assert_eq!(hidden_until(&[], now), at("2024-08-21T00:00:00Z"));
        let ahead = [total("gone", Calendar::Day(now.day().next()))];
        assert_eq!(hidden_until(&ahead, now), at("2024-08-22T00:00:00Z"));
    }

    #[test]
    fn an_old_deletion_asks_for_no_more_days_than_are_kept() {
        let now = at("2024-08-22T00:00:00Z");
        let look = look_for("gone", Some(at("2023-01-01T00:00:00Z")), now);
        assert_eq!(look.totals.len(), 15 + 41);
    }
}
