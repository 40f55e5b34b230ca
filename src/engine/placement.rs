//! Whether accounts lie on the partition where the configured partitioner puts them (DESIGN.md,
//! "Around the engine"). If not, one account's totals would be kept in two places.

use crate::fold::event::Input;
use crate::journal::Partitioner;

/// Accounts that are looked at after a start; beyond, it is known.
const LOOKED_AT_MAX: u32 = 1_000;

/// Looks at the first lines after a start.
#[derive(Clone, Debug)]
pub struct Placement {
    partitioner: Partitioner,
    partition: u32,
    partitions: u32,
    looked_at: u32,
    elsewhere: u32,
}

impl Placement {
    #[must_use]
    pub fn new(partitioner: Partitioner, partition: u32, partitions: u32) -> Placement {
        Placement { partitioner, partition, partitions, looked_at: 0, elsewhere: 0 }
    }

    pub fn look(&mut self, input: &Input<'_>) {
        let account_id = match input {
            Input::Billed(event) => &*event.account_id,
            Input::Command(command) => command.account_id.as_str(),
            Input::Tick | Input::Rejected(_) => return,
        };
        if self.looked_at < LOOKED_AT_MAX {
            self.looked_at += 1;
            let place = self.partitioner.place(account_id, self.partitions);
            self.elsewhere += u32::from(place != self.partition);
        }
    }

    /// What is wrong and what to set, when most accounts belong elsewhere.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let most = 2 * self.elsewhere > self.looked_at;
        most.then(|| {
            format!(
                "{} of the first {} lines are of accounts that partitioner {} puts on another of \
                 the {} partitions: set input.partitioner to what the producers use (murmur2 for \
                 Java's client, crc32 for librdkafka's default), and let commands use the same",
                self.elsewhere,
                self.looked_at,
                self.partitioner.as_str(),
                self.partitions
            )
        })
    }
}

impl Partitioner {
    /// The partition of a key among `partitions` (at least 1).
    #[must_use]
    pub fn place(self, key: &str, partitions: u32) -> u32 {
        let hash = match self {
            Partitioner::Murmur2 => murmur2(key.as_bytes()) & 0x7fff_ffff,
            Partitioner::Crc32 => crc32fast::hash(key.as_bytes()),
        };
        hash % partitions
    }
}

/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Kafka's own `UtilsTest`.
    #[test]
    fn murmur2_is_that_of_javas_client() {
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }
}
