//! What retention drops, and what it leaves alone.

use super::{
    KEEP, PARTITION, checkpoint, distinct, limit_named, position_at, shown, sliding_row, stored,
    tally_in,
};
use crate::fold::{Calendar, Row};
use crate::store::memory::Disk;
use crate::store::write::Writer;
use crate::store::{Checkpoint, Retention};
use crate::time::{DAY_MS, Day, Millis, Month};

#[test]
fn old_windows_and_forgotten_minutes_are_dropped_and_no_others() {
    let disk = Disk::default();
    let mut writer = Writer::default();
    let now = Day(20_000).start();
    let days = [19_958, 19_959, 19_960].map(|day| tally_in(Calendar::Day(Day(day))));
    let months = [640, 641].map(|month| tally_in(Calendar::Month(Month(month))));
    let tallies = [&days[..], &months].concat();
    let mut rows = Vec::new();
    for minute in [-5, 99, 100, 101] {
        rows.push(Row::Dedup { minute, index: 0, packed: Vec::new() });
    }
    let limit = limit_named("l", 1);
    for day in [19_998, 19_999, 20_000, 20_001] {
        rows.push(distinct(&limit, day, "s", &[3]));
    }
    let yesterday = Day(19_999).start();
    let first = Checkpoint {
        tallies: tallies.iter().cloned().collect(),
        ..checkpoint(yesterday, KEEP, rows.clone())
    };
    writer.write(&disk, PARTITION, &first).unwrap();
    let retention =
        Retention { days_before: Day(19_959), months_before: Month(641), minutes_before: 100 };
    writer.write(&disk, PARTITION, &checkpoint(now, retention, Vec::new())).unwrap();
    let kept = [2, 3, 5, 6, 7].map(|at| rows[at].clone());
    let kept_tallies = [1, 2, 4].map(|at| tallies[at].clone());
    assert_eq!(stored(&disk), shown(&kept, &kept_tallies, &[], &position_at(now)));
    let retention = Retention { days_before: Day(19_960), minutes_before: 101, ..retention };
    let tomorrow = Day(20_001).start();
    writer.write(&disk, PARTITION, &checkpoint(tomorrow, retention, Vec::new())).unwrap();
    let kept = [3, 6, 7].map(|at| rows[at].clone());
    let kept_tallies = [2, 4].map(|at| tallies[at].clone());
    assert_eq!(stored(&disk), shown(&kept, &kept_tallies, &[], &position_at(tomorrow)));
}

#[test]
fn sliding_groups_go_a_day_after_their_newest_time() {
    let disk = Disk::default();
    let mut writer = Writer::default();
    let (limit, now) = (limit_named("l", 1), Day(20_000).start());
    let rows = vec![
        sliding_row(&limit, "gone", Millis(now.0 - DAY_MS)),
        sliding_row(&limit, "fresh", Millis(now.0 - DAY_MS + 1)),
        sliding_row(&limit, "back", Millis(now.0 - DAY_MS)),
    ];
    writer.write(&disk, PARTITION, &checkpoint(Millis(0), KEEP, rows.clone())).unwrap();
    let back = sliding_row(&limit, "back", now);
    writer.write(&disk, PARTITION, &checkpoint(now, KEEP, vec![back.clone()])).unwrap();
    let kept = [rows[1].clone(), back];
    assert_eq!(stored(&disk), shown(&kept, &[], &[], &position_at(now)));
}

#[test]
fn a_checkpoint_sweeps_a_bounded_number_of_groups_and_the_next_goes_on() {
    let disk = Disk::default();
    let mut writer = Writer::default();
    let limit = limit_named("l", 1);
    let group = |number: usize| sliding_row(&limit, &format!("{number:06}"), Millis(0));
    let rows = (0..25_000).map(group).collect();
    writer.write(&disk, PARTITION, &checkpoint(Millis(0), KEEP, rows)).unwrap();
    let mut left = Vec::new();
    for _ in 0..4 {
        let empty = checkpoint(Millis(DAY_MS), KEEP, Vec::new());
        writer.write(&disk, PARTITION, &empty).unwrap();
        left.push(disk.dump().len() - 1);
    }
    assert_eq!(left, [15_000, 5_000, 0, 0]);
}
