//! What is known about each partition: how far it is read, and when that was its end.
//! Promise: a partition counts as read to its end as of the moment at which that end was asked for,
//! never later, so that no slow answer makes old knowledge look fresh.

/// Everything known about the partitions of a topic, by number.
#[derive(Debug, Default)]
pub(super) struct Watch(Vec<Partition>);

#[derive(Debug, Default)]
struct Partition {
    /// Offset behind the last record that the sink took, or at which reading began.
    next: i64,
    /// Nothing came since the broker told the end.
    at_end: bool,
    /// Where it told the end last, as the client's statistics have it. Behind the last record may
    /// be offsets without one, once compaction took a tombstone that was the last.
    end_told: i64,
    /// The end at the start, and when it was asked for.
    first: Asked,
    caught_up: bool,
    /// A question that reading has not caught up with. At most one, lest a steady stream of records
    /// put off every proof.
    asked: Option<Asked>,
    proven_us: Option<i64>,
}

/// An end, and when it was asked for: whatever stood before it was there then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub at_us: i64,
    pub end: i64,
}

/// How far one partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub partition: i32,
    /// Offset behind the last record that the sink took, or at which reading began.
    pub next: u64,
    /// Read to the end that it had when the tail began.
    pub caught_up: bool,
    /// When, by the tail's clock, it had the end to which it is read.
    pub proven_us: Option<i64>,
}

impl Watch {
    /// Partitions with the offsets at which reading begins, and their ends.
    pub fn new(starts: &[(i64, Asked)]) -> Watch {
        let partition = |(next, first): &(i64, Asked)| {
            let mut partition = Partition { next: *next, first: *first, ..Partition::default() };
            partition.asked = Some(*first);
            partition.settle();
            partition
        };
        Watch(starts.iter().map(partition).collect())
    }

    /// The sink took the record before `next`. False when that lies before what it took earlier.
    pub fn took(&mut self, partition: i32, next: i64) -> bool {
        let Some(partition) = self.partition(partition) else { return true };
        let onwards = next >= partition.next;
        partition.next = next;
        partition.at_end = false;
        partition.settle();
        onwards
    }

    /// The broker had no more when it was read last.
    pub fn met_end(&mut self, partition: i32) {
        let Some(partition) = self.partition(partition) else { return };
        partition.at_end = true;
        if !partition.caught_up {
            partition.caught_up = true;
            // Reading began after the first question was asked.
            partition.proven_us = Some(partition.first.at_us);
            partition.asked = None;
        }
        partition.settle();
    }

    /// The statistics say where the broker told the end last.
    pub fn end_was_told(&mut self, partition: i32, end: i64) {
        let Some(partition) = self.partition(partition) else { return };
        partition.end_told = end;
        partition.settle();
    }

    /// The end was asked for and is known.
    pub fn was_asked(&mut self, partition: i32, asked: Asked) {
        let Some(partition) = self.partition(partition) else { return };
        if partition.asked.is_none() {
            partition.asked = Some(asked);
            partition.settle();
        }
    }

    /// Whether the partitions are known and all were read to their first ends.
    pub fn caught_up(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|partition| partition.caught_up)
    }

    /// The oldest of the partitions' proofs; `None` while one has none.
    pub fn proven_us(&self) -> Option<i64> {
        if !self.caught_up() {
            return None;
        }
        let proofs = self.0.iter().map(|partition| partition.proven_us);
        proofs.min().flatten()
    }

    pub fn progress(&self) -> Vec<Progress> {
        let shown = |(number, partition): (usize, &Partition)| Progress {
            partition: i32::try_from(number).expect("a partition of Kafka"),
            next: u64::try_from(partition.next).unwrap_or(0),
            caught_up: partition.caught_up,
            proven_us: partition.proven_us,
        };
        self.0.iter().enumerate().map(shown).collect()
    }

    fn partition(&mut self, partition: i32) -> Option<&mut Partition> {
        usize::try_from(partition).ok().and_then(|number| self.0.get_mut(number))
    }
}

impl Partition {
    /// Below this everything was read.
    fn read_to(&self) -> i64 {
        if self.at_end { self.next.max(self.end_told) } else { self.next }
    }

    fn settle(&mut self) {
        let read_to = self.read_to();
        if read_to >= self.first.end {
            self.caught_up = true;
        }
        if let Some(asked) = self.asked
            && read_to >= asked.end
        {
            self.asked = None;
            self.proven_us = Some(asked.at_us);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(at_us: i64, end: i64) -> Asked {
        Asked { at_us, end }
    }

    #[test]
    fn nothing_is_caught_up_before_its_partitions_are_known() {
        let watch = Watch::default();
        assert!(!watch.caught_up());
        assert_eq!(watch.proven_us(), None);
    }

    #[test]
    fn an_empty_partition_is_caught_up_at_once_as_of_the_question() {
        let watch = Watch::new(&[(0, asked(7, 0))]);
        assert!(watch.caught_up());
        assert_eq!(watch.proven_us(), Some(7));
    }

    #[test]
    fn every_partition_must_reach_the_end_that_it_had_at_the_start() {
        let mut watch = Watch::new(&[(0, asked(7, 2)), (5, asked(8, 6))]);
        watch.took(0, 1);
        watch.took(1, 6);
        assert!(!watch.caught_up());
        assert_eq!(watch.proven_us(), None);
        watch.took(0, 2);
        assert!(watch.caught_up());
        assert_eq!(watch.proven_us(), Some(7), "the older of the two");
    }

    #[test]
    fn a_proof_is_as_old_as_its_question() {
        let mut watch = Watch::new(&[(0, asked(7, 0))]);
        watch.was_asked(0, asked(100, 2));
        watch.was_asked(0, asked(200, 9));
        assert_eq!(watch.proven_us(), Some(7));
        watch.took(0, 1);
        assert_eq!(watch.proven_us(), Some(7));
        watch.took(0, 2);
        assert_eq!(watch.proven_us(), Some(100), "the second question came too early");
        watch.was_asked(0, asked(300, 2));
        assert_eq!(watch.proven_us(), Some(300), "nothing new came");
    }

    #[test]
    fn offsets_without_records_at_the_end_are_no_backlog() {
        let mut watch = Watch::new(&[(0, asked(7, 10))]);
        watch.took(0, 8);
        assert!(!watch.caught_up());
        watch.met_end(0);
        assert!(watch.caught_up());
        assert_eq!(watch.proven_us(), Some(7));
        watch.was_asked(0, asked(100, 10));
        watch.end_was_told(0, 10);
        assert_eq!(watch.proven_us(), Some(100));
        // What was told about the end is no news about what comes behind it.
        watch.took(0, 11);
        watch.was_asked(0, asked(200, 12));
        assert_eq!(watch.proven_us(), Some(100));
    }

    #[test]
    fn a_log_that_went_back_is_noticed() {
        let mut watch = Watch::new(&[(0, asked(7, 5))]);
        assert!(watch.took(0, 5));
        assert!(!watch.took(0, 1));
        watch.was_asked(0, asked(100, 3));
        assert_eq!(watch.proven_us(), Some(7), "it is read again");
        assert!(watch.took(0, 3));
        assert_eq!(watch.proven_us(), Some(100));
    }
}
