//! Which profiles exist: those that were created, and those that a billed event names (T10).
//! Promise: every month that is kept counts, and the month in which early events fall.
//!
//! A deleted profile is gone with all that was billed for it up to the end of that UTC day. An
//! event of a later day brings it back, without its former settings: who still sends with it must
//! be able to see and to limit it.

use std::collections::BTreeSet;

use crate::fold::limit::ScopeKind;
use crate::fold::{BUILT_IN, Calendar, Look, Total};
use crate::settings::Account;
use crate::time::{Day, Millis};

use super::spend_limit;

/// Kind of the documents that hold profiles; the body has the fields that were set, and `id`.
pub const PROFILE: &str = "profile";
/// Kind of the documents that say that a profile was deleted, and by their time when.
pub const DELETED: &str = "deleted_profile";

/// Months whose totals are kept (DESIGN.md, "State").
const MONTHS: usize = 14;
/// Days whose totals are kept.
const DAYS: i32 = 40;

/// When the profile was deleted.
#[must_use]
pub fn deleted_at(account: &Account, profile_id: &str) -> Option<Millis> {
    account.document(DELETED, profile_id).map(|document| document.updated_at)
}

/// Asks whether a profile was billed.
#[must_use]
pub fn look_for(profile_id: &str, deleted_at: Option<Millis>, now: Millis) -> Look {
    let scope = spend_limit::scope(profile_id);
    let totals = windows(deleted_at, now).map(|window| (scope.clone(), window));
    Look {
        limits: vec![spend_limit::limit_id(profile_id).into()],
        totals: totals.collect(),
        ..Look::default()
    }
}

/// Asks for all profiles that were billed.
#[must_use]
pub fn look_for_all(account: &Account, now: Millis) -> Look {
    let first_deleted = account.documents(DELETED).map(|(_, it)| it.updated_at).min();
    Look {
        // Without one in it, all limits would be looked at.
        limits: vec![BUILT_IN.into()],
        all_in: windows(None, now).chain(windows(first_deleted, now)).collect(),
        ..Look::default()
    }
}

/// The profiles that exist because they were billed, whether they were created or not.
#[must_use]
pub fn billed(account: &Account, totals: &[Total]) -> BTreeSet<String> {
    let profiles = totals.iter().filter(|total| total.scope.kind == ScopeKind::Profile);
    let named = profiles.filter_map(|total| Some((total.scope.id.as_deref()?, total.window)));
    let alive = named.filter(|(id, window)| shows(*window, deleted_at(account, id)));
    alive.map(|(id, _)| id.to_owned()).collect()
}

/// The windows that tell: months, and days behind a deletion.
fn windows(deleted_at: Option<Millis>, now: Millis) -> impl Iterator<Item = Calendar> {
    // An event may lie up to a day ahead.
    let (newest_month, newest_day) = (now.month().next(), now.day().next());
    let months = std::iter::successors(Some(newest_month), |month| Some(month.previous()));
    let months = months.take(MONTHS + 1).map(Calendar::Month);
    let days = deleted_at.map(|at| {
        let first = at.day().next().0.max(newest_day.0 - DAYS);
        (first..=newest_day.0).map(|day| Calendar::Day(Day(day)))
    });
    months.filter(move |month| shows(*month, deleted_at)).chain(days.into_iter().flatten())
}

/// Whether a total in this window says that the profile exists.
fn shows(window: Calendar, deleted_at: Option<Millis>) -> bool {
    match (window, deleted_at) {
        (Calendar::Month(_), None) => true,
        (Calendar::Month(month), Some(at)) => month > at.month(),
        // Its month says so.
        (Calendar::Day(_), None) => false,
        (Calendar::Day(day), Some(at)) => day > at.day(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::fold::Tally;
    use crate::settings::Settings;
    use crate::wire::{Decoder, Head, Options, Setting};

    fn at(text: &str) -> Millis {
        Millis::parse(text).expect("a time")
    }

    fn account(deletions: &[(&str, &str)]) -> Account {
        let decoder = Decoder::new(&Options::default()).expect("a decoder");
        let mut settings = Settings::new(10);
        for (id, time) in deletions {
            let body = Map::from_iter([("id".to_owned(), (*id).into())]);
            let bytes = Setting::Set { kind: DELETED.to_owned(), body }.write(&Head {
                command_id: "c",
                account_id: "acme",
                issued_at: at(time),
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
        let account = account(&[("gone", "2024-08-20T12:00:00Z")]);
        let back = |id: &str, window| !billed(&account, &[total(id, window)]).is_empty();
        let day = |text: &str| Calendar::Day(at(text).day());
        let month = |text: &str| Calendar::Month(at(text).month());
        assert!(!back("gone", month("2024-08-01T00:00:00Z")));
        assert!(!back("gone", day("2024-08-20T00:00:00Z")));
        assert!(back("gone", day("2024-08-21T00:00:00Z")));
        assert!(back("gone", month("2024-09-01T00:00:00Z")));
        assert!(back("other", month("2024-08-01T00:00:00Z")));

        let now = at("2024-08-22T00:00:00Z");
        let look = look_for("gone", deleted_at(&account, "gone"), now);
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
    fn an_old_deletion_asks_for_no_more_days_than_are_kept() {
        let now = at("2024-08-22T00:00:00Z");
        let look = look_for("gone", Some(at("2023-01-01T00:00:00Z")), now);
        assert_eq!(look.totals.len(), 15 + 41);
    }
}
