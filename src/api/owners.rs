//! Who owns which partition, as the journal says: the address in the last record of each. Promise:
//! only a hint, good for a moment; the process reached says itself whether it owns the partition.

use std::sync::{Arc, Mutex, PoisonError};

use crate::journal::{Owner, Record};
use crate::tail::{self, SharedClock, Tail, Taken};

pub struct Owners {
    last: Arc<Mutex<Vec<Option<Owner>>>>,
    _tail: Tail,
}

impl Owners {
    /// Begins to read. `options` names the journal, from its last records on.
    ///
    /// # Errors
    /// The tail's.
    pub fn start(
        options: &tail::Options,
        partitions: u32,
        clock: SharedClock,
    ) -> Result<Owners, tail::Error> {
        let last = Arc::new(Mutex::new(vec![None; partitions as usize]));
        let seen = Arc::clone(&last);
        let tail = Tail::start(options, clock, move |record| {
            // Bytes of somebody else are void to everyone.
            if let Ok(journaled) = Record::decode(record.value.unwrap_or_default()) {
                let mut last = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(owner) = last.get_mut(record.partition.unsigned_abs() as usize) {
                    *owner = Some(journaled.owner);
                }
            }
            Taken::Yes
        })?;
        Ok(Owners { last, _tail: tail })
    }

    /// The partition's last owner; `None` before the first record.
    #[must_use]
    pub fn of(&self, partition: u32) -> Option<Owner> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.get(partition as usize).cloned().flatten()
    }
}
