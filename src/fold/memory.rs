//! What the state takes of memory, for whoever keeps a budget. Promise: estimates, from the number
//! of rows alone, at no more cost than a few sums.

use super::state::State;

/// A scope with its newest day and month, and its part of the index.
const SCOPE_BYTES: usize = 160;
/// A window of a scope beside its newest two.
const OLDER_BYTES: usize = 64;
/// A limit's group with a few times or members, in a small table of its own limit.
const GROUP_BYTES: usize = 320;
/// An account, a limit, a timer.
const RESIDENT_BYTES: usize = 256;
/// A remembered id: 29 bytes in a table seven sixteenths full at the least, and its packed form
/// until it is written.
const ID_BYTES: usize = 64;
/// A window or group on its way to the store: gathered, then encoded and sorted.
const CHECKPOINT_ROW_BYTES: usize = 192;
/// Windows that a line changes in a scope: a day and a month.
const WINDOWS_PER_SCOPE: usize = 2;

/// Bytes in memory, estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Of rows that may go once the store has them.
    pub rows: usize,
    /// Of accounts, limits and timers, which stay, and of ids, which do for the dedup window.
    pub resident: usize,
    /// What the changes of the present epoch will take as a checkpoint, until it is written.
    pub changes: usize,
}

impl State {
    #[must_use]
    pub fn memory(&self) -> Memory {
        let (resident, _, ids) = self.rows();
        let newest = WINDOWS_PER_SCOPE * self.scopes.rows_len();
        let older = self.scopes.len().saturating_sub(newest);
        let groups = self.slidings.len() + self.distincts.len();
        let changed_groups = self.slidings.changed() + self.distincts.changed();
        let changed = WINDOWS_PER_SCOPE * self.scopes.changed() + changed_groups;
        Memory {
            rows: SCOPE_BYTES * self.scopes.rows_len() + OLDER_BYTES * older + GROUP_BYTES * groups,
            resident: RESIDENT_BYTES * resident + ID_BYTES * ids,
            changes: CHECKPOINT_ROW_BYTES * changed,
        }
    }
}
