//! Checkpoints into a store: rows, blocks, position and what retention drops, in one batch.
//! Promise: the batch depends on nothing but the checkpoint and the store's own rows. Retention
//! drops only what the fold never reads again, or what the configuration says to forget.

use super::keys::{Key, Kind, Span};
use super::pace::Pace;
use super::raw::{Batch, Raw, Reading, any};
use super::read::{distinct_days, fault};
use super::{Checkpoint, Error, Retention, codec};
use crate::fault_point;
use crate::fold::{Epoch, LimitRef, Row};
use crate::time::{Day, Millis};

/// Sliding groups that one checkpoint looks at to drop those that ran out. They take turns, so a
/// store of a million groups is gone through in about a hundred checkpoints.
const SWEPT_PER_CHECKPOINT: usize = 10_000;

/// Writes checkpoints and remembers between them what it dropped.
#[derive(Default)]
pub(super) struct Writer {
    /// Of the last checkpoint: a range is looked at again only when its bound moves.
    dropped: Option<Bounds>,
    /// Where the sweep of sliding groups goes on; `None` is the beginning.
    swept_to: Option<Vec<u8>>,
    /// Of the next checkpoint.
    pub pace: Pace,
}

/// What goes: everything before.
#[derive(Clone, Copy)]
struct Bounds {
    retention: Retention,
    /// The fold reads no day before yesterday.
    distinct_days_before: Day,
}

impl Bounds {
    fn of(checkpoint: &Checkpoint) -> Bounds {
        let retention = checkpoint.retention;
        let now = checkpoint.position.clockwork.now.unwrap_or(Millis(0));
        let distinct_days_before = now.day().previous().max(retention.days_before);
        Bounds { retention, distinct_days_before }
    }
}

impl Writer {
    pub fn write(
        &mut self,
        raw: &impl Raw,
        partition: u32,
        checkpoint: &Checkpoint,
    ) -> Result<Epoch, Error> {
        let mut batch = Batch::at(&self.pace);
        let bounds = Bounds::of(checkpoint);
        self.drop_old(raw, &bounds, &mut batch)?;
        if let Some(now) = checkpoint.position.clockwork.now {
            self.sweep(raw, now, &mut batch)?;
        }
        for row in &checkpoint.rows {
            put_row(raw, row, &mut batch)?;
        }
        let mut pieces = self.pace.pieces(checkpoint.tallies.count());
        checkpoint.tallies.for_each(|key, tally| {
            batch.put(Key::Tally(key), |into| codec::put_tally(tally, into));
            pieces.row();
        });
        for (block_key, row) in &checkpoint.blocks {
            let key = Key::Block(block_key);
            match row {
                Some(row) => batch.put(key, |into| codec::put_block(row, into)),
                None => batch.delete(key),
            }
        }
        let position = &checkpoint.position;
        batch.put(Key::Position, |into| codec::put_position(partition, position, into));
        batch.sort();
        raw.write(&batch)?;
        self.dropped = Some(bounds);
        Ok(checkpoint.epoch)
    }

    /// Old windows, forgotten ids.
    fn drop_old(&self, raw: &impl Raw, bounds: &Bounds, batch: &mut Batch) -> Result<(), Error> {
        let last = self.dropped.as_ref();
        let mut drop = |of: fn(&Bounds) -> i64, span: Span| -> Result<(), Error> {
            if last.map(of) != Some(of(bounds)) && any(raw, &span)? {
                fault_point::at("store.retention")?;
                batch.ranges.push(span);
            }
            Ok(())
        };
        let Bounds { retention, distinct_days_before } = *bounds;
        let Retention { days_before, months_before, minutes_before } = retention;
        drop(|it| it.retention.days_before.0.into(), Span::tally_days_before(days_before))?;
        drop(|it| it.retention.months_before.0.into(), Span::tally_months_before(months_before))?;
        drop(|it| it.retention.minutes_before, Span::dedup_before(minutes_before))?;
        for kind in [Kind::DistinctMember, Kind::DistinctArming] {
            let span = Span::days_before(kind, distinct_days_before);
            drop(|it| it.distinct_days_before.0.into(), span)?;
        }
        Ok(())
    }

    /// Drops sliding groups that ran out before `now`, a bounded number of them.
    fn sweep(&mut self, raw: &impl Raw, now: Millis, batch: &mut Batch) -> Result<(), Error> {
        fault_point::at("store.sweep")?;
        let span = Span::kind(Kind::Sliding);
        let span = match self.swept_to.take() {
            Some(key) => span.behind(&key),
            None => span,
        };
        let mut seen = 0;
        raw.scan(&span, Reading::Once, &mut |key, value| {
            if codec::sliding_gone_by(value).map_err(|it| fault(raw, key, it))? <= now {
                batch.deletes.push(key.to_vec());
            }
            seen += 1;
            if seen == SWEPT_PER_CHECKPOINT {
                self.swept_to = Some(key.to_vec());
            }
            Ok(seen < SWEPT_PER_CHECKPOINT)
        })
    }
}

fn put_row(raw: &impl Raw, row: &Row, batch: &mut Batch) -> Result<(), Error> {
    match row {
        Row::Account { number, id, sequence, retired } => {
            batch.put(Key::Account(*number), |into| {
                codec::put_account(id, *sequence, retired, into);
            });
        }
        Row::Limit { account, limit_id, row } => {
            let key = Key::Limit(*account, limit_id);
            match row {
                Some(row) => batch.put(key, |into| codec::put_limit(row, into)),
                None => batch.delete(key),
            }
        }
        Row::Timer { account, limit_id, group, at } => {
            let key = Key::Timer(*account, limit_id, group);
            match at {
                Some(at) => batch.put(key, |into| codec::put_timer(*at, into)),
                None => batch.delete(key),
            }
        }
        Row::Sliding { limit, group, sliding } => {
            batch.put(Key::Sliding(limit, group), |into| codec::put_sliding(sliding, into));
        }
        Row::Distinct { limit, key, members, arming } => {
            for digest in members {
                batch.put(Key::Member(limit, key, *digest), codec::put_member);
            }
            batch.put(Key::Arming(limit, key), |into| codec::put_arming(*arming, into));
        }
        Row::GroupsDropped { limit } => drop_groups(raw, limit, batch)?,
        Row::Dedup { minute, index, packed } => {
            batch.put(Key::Dedup(*minute, *index), |into| codec::put_dedup(packed, into));
        }
    }
    Ok(())
}

/// A removed limit's groups; most limits have none, and a range that drops nothing still costs.
fn drop_groups(raw: &impl Raw, limit: &LimitRef, batch: &mut Batch) -> Result<(), Error> {
    let mut spans = vec![Span::sliding_groups(limit)];
    for day in distinct_days(raw)? {
        spans.push(Span::groups_in_day(Kind::DistinctArming, day, limit));
        spans.push(Span::groups_in_day(Kind::DistinctMember, day, limit));
    }
    for span in spans {
        if any(raw, &span)? {
            batch.ranges.push(span);
        }
    }
    Ok(())
}
