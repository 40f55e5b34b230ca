//! When to write what to the store. Promise: a frozen list is written only once its very record
//! (hash, not only seq) is in the valid chain and everything up to it is published; the fold never
//! waits for the disk.

use super::batch::LINES_AT_ONCE;
use super::intake::Folded;
use super::options::Options;
use crate::fault_point;
use crate::fold::{Clockwork, Counts, Epoch, Memory, Row, State, Tallies};
use crate::journal::{Hash, Tip};
use crate::store::{BlockRow, Checkpoint, Position, Retention};
use crate::time::{Day, Millis, Month};

/// Evicts rows unused for so many checkpoints first, then for fewer.
const UNUSED_EPOCHS: [Epoch; 4] = [8, 4, 1, 0];
/// What eviction leaves of a full memory: the rest is for what changes until the next checkpoint.
const KEPT: usize = 3;
const KEPT_OF: usize = 4;
/// Part of the room for rows that a checkpoint takes before one is due for want of memory.
const CHANGED_PART: usize = 4;
/// Part of the budget that rows get though what stays takes the rest, or more.
const ROWS_PART: usize = 4;
/// Fewer changed scopes are not worth a checkpoint before its time.
const CHANGED_SCOPES_MIN: usize = 1_000;

/// Rows as of a record that may not have won yet.
#[derive(Debug)]
struct Frozen {
    seq: u64,
    hash: Hash,
    /// Known once the record has won.
    tip: Option<Tip>,
    epoch: Epoch,
    rows: Vec<Row>,
    /// Once all is gathered.
    tallies: Option<Tallies>,
    clockwork: Clockwork,
    folded: (Folded, Folded),
    urgent: bool,
}

#[derive(Debug)]
pub(super) struct Checkpoints {
    interval_us: i64,
    /// So much sooner the first one comes: partitions take turns.
    sooner_us: i64,
    lines_max: u64,
    gathered_at_once: usize,
    memory_bytes_max: usize,
    retention_days: i32,
    retention_months: i32,
    /// Lines folded since the last freeze.
    lines: u64,
    /// Lines folded since something was gathered last.
    lines_ungathered: u64,
    /// By the clock's `micros`.
    last_us: Option<i64>,
    frozen: Option<Frozen>,
    /// Under way to the disk.
    submitted: Option<Tip>,
    /// Bytes that the checkpoint on its way takes, estimated.
    on_its_way_bytes: usize,
    stored: Option<u64>,
}

impl Checkpoints {
    pub fn new(options: &Options) -> Checkpoints {
        let interval_us = options.checkpoint_interval_ms.saturating_mul(1_000);
        let partitions = i64::from(options.partitions.max(1));
        let turn = i64::from(options.partition) % partitions;
        Checkpoints {
            interval_us,
            sooner_us: interval_us / partitions * turn,
            lines_max: options.checkpoint_lines_max as u64,
            gathered_at_once: options.gathered_at_once.max(1),
            memory_bytes_max: options.memory_bytes_max,
            retention_days: i32::try_from(options.retention_days).unwrap_or(i32::MAX),
            retention_months: i32::try_from(options.retention_months).unwrap_or(i32::MAX),
            lines: 0,
            lines_ungathered: 0,
            last_us: None,
            frozen: None,
            submitted: None,
            on_its_way_bytes: 0,
            stored: None,
        }
    }

    /// After a loss: what was frozen on top of the chain is void.
    pub fn forget(&mut self) {
        self.frozen = None;
        self.submitted = None;
        self.on_its_way_bytes = 0;
        self.stored = None;
        self.lines = 0;
    }

    /// The state was restored from the store at this position.
    pub fn restored(&mut self, seq: u64) {
        self.stored = Some(seq);
    }

    /// Position of the rows in the store.
    pub fn stored(&self) -> Option<u64> {
        self.stored
    }

    pub fn folded(&mut self, control: &Counts) {
        // A timer slice counts too: it may change as many rows as lines do.
        let lines = 1 + control.events + control.rejects;
        self.lines += lines;
        self.lines_ungathered += lines;
    }

    /// Freezes the changed rows behind the record of `tip`, just folded, if it is time; what the
    /// fold changes before they are gathered is kept as it was.
    pub fn freeze_if_due(
        &mut self,
        tip: &Tip,
        state: &mut State,
        folded: (Folded, Folded),
        micros: i64,
    ) {
        let last_us = *self.last_us.get_or_insert(micros - self.sooner_us);
        let due = self.lines >= self.lines_max
            || micros - last_us >= self.interval_us
            || self.is_full_of_changes(state);
        if due && self.free() {
            self.last_us = Some(micros);
            self.freeze(tip, state, folded, false);
        }
    }

    /// Memory has just room for the checkpoint that would make more.
    fn is_full_of_changes(&self, state: &State) -> bool {
        let Memory { rows, resident, changes } = state.memory();
        let room = self.room(resident);
        state.changed_scopes() >= CHANGED_SCOPES_MIN
            && changes >= room / CHANGED_PART
            && rows + changes > room
    }

    /// Bytes for rows and a checkpoint on its way, beside what stays.
    fn room(&self, resident: usize) -> usize {
        let budget = self.memory_bytes_max;
        budget.saturating_sub(resident).max(budget / ROWS_PART)
    }

    /// Rows take more of the room than an eviction leaves.
    fn is_over_what_is_kept(&self, state: &State) -> bool {
        let Memory { rows, resident, .. } = state.memory();
        rows > self.room(resident) / KEPT_OF * KEPT
    }

    /// Bytes of rows, of what stays, and of the checkpoint on its way, estimated.
    pub fn bytes(&self, state: &State) -> usize {
        let Memory { rows, resident, .. } = state.memory();
        rows + resident + self.on_its_way_bytes
    }

    /// The same where nothing is folded on top of the chain, whose last record is that of `tip`: a
    /// partition that has fallen silent is written too.
    pub fn freeze_settled(
        &mut self,
        tip: &Tip,
        state: &mut State,
        folded: (Folded, Folded),
        micros: i64,
    ) {
        if self.stored != Some(tip.seq) {
            self.freeze_if_due(tip, state, folded, micros);
            self.won(tip);
        }
    }

    /// Freezes at the end, when the record of `tip` is the chain's last.
    pub fn freeze_last(&mut self, tip: &Tip, state: &mut State, folded: (Folded, Folded)) {
        if self.stored != Some(tip.seq) && self.free() {
            self.freeze(tip, state, folded, true);
            self.won(tip);
            self.gather(usize::MAX, state);
        }
    }

    /// No checkpoint is on its way.
    fn free(&self) -> bool {
        self.frozen.is_none() && self.submitted.is_none()
    }

    fn freeze(&mut self, tip: &Tip, state: &mut State, folded: (Folded, Folded), last: bool) {
        fault_point::reach("checkpoint.freeze");
        let Memory { rows, resident, changes } = state.memory();
        let urgent = last || rows + changes > self.room(resident);
        self.on_its_way_bytes = changes;
        let mut rows = Vec::new();
        let epoch = state.close(|row| rows.push(row));
        fault_point::reach("checkpoint.frozen");
        self.lines = 0;
        let (seq, hash, clockwork) = (tip.seq, tip.hash, state.clockwork());
        let (tip, tallies) = (None, None);
        let frozen = Frozen { seq, hash, tip, epoch, rows, tallies, clockwork, folded, urgent };
        self.frozen = Some(frozen);
    }

    /// Gathers some more of what is frozen, and the more of it the more was folded meanwhile: or a
    /// checkpoint under load would take as many turns as it has slices, and a restart would fold
    /// all that again. Whether there is more to do.
    pub fn gather_some(&mut self, state: &mut State) -> bool {
        let lines = std::mem::take(&mut self.lines_ungathered);
        let slices = 1 + usize::try_from(lines).map_or(0, |lines| lines / LINES_AT_ONCE);
        self.gather(slices.saturating_mul(self.gathered_at_once), state)
    }

    fn gather(&mut self, most: usize, state: &mut State) -> bool {
        let Some(frozen) = self.frozen.as_mut().filter(|frozen| frozen.tallies.is_none()) else {
            return false;
        };
        frozen.tallies = state.gather(most, |row| frozen.rows.push(row));
        if frozen.tallies.is_some() {
            fault_point::reach("checkpoint.gathered");
        }
        frozen.tallies.is_none()
    }

    /// A record has joined the valid chain.
    pub fn won(&mut self, tip: &Tip) {
        if let Some(frozen) = &mut self.frozen
            && frozen.seq == tip.seq
        {
            assert!(frozen.hash == tip.hash, "a frozen list of another record was kept");
            frozen.tip = Some(tip.clone());
        }
    }

    /// The checkpoint to be written now, if its record has won and is published.
    pub fn submit(
        &mut self,
        published_through: Option<u64>,
        blocks: impl FnOnce() -> Vec<(String, Option<BlockRow>)>,
    ) -> Option<Checkpoint> {
        let frozen = self.frozen.take_if(|frozen| {
            let whole = frozen.tallies.is_some() && frozen.tip.is_some();
            whole && published_through >= Some(frozen.seq)
        })?;
        let (tip, tallies) = (frozen.tip?, frozen.tallies?);
        self.submitted = Some(tip.clone());
        let now = frozen.clockwork.now.unwrap_or(Millis(0));
        let retention = Retention {
            days_before: Day(now.day().0 - self.retention_days),
            months_before: Month(now.month().0 - self.retention_months),
            minutes_before: frozen.clockwork.forgotten_before_minute,
        };
        let (billed, commands) = frozen.folded;
        let position = Position {
            tip,
            clockwork: frozen.clockwork,
            billed_latest: billed.latest,
            commands_latest: commands.latest,
        };
        let (epoch, rows, urgent, blocks) = (frozen.epoch, frozen.rows, frozen.urgent, blocks());
        Some(Checkpoint { epoch, position, rows, tallies, blocks, retention, urgent })
    }

    /// The submitted checkpoint is on disk: rows beyond the memory budget may go.
    pub fn written(&mut self, epoch: Epoch, state: &mut State) -> Option<Tip> {
        let tip = self.submitted.take();
        self.on_its_way_bytes = 0;
        if let Some(tip) = &tip {
            self.stored = Some(tip.seq);
        }
        for unused in UNUSED_EPOCHS {
            if !self.is_over_what_is_kept(state) {
                break;
            }
            state.evict(epoch, (epoch + 1).saturating_sub(unused));
        }
        tip
    }
}
