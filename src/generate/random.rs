//! The one source of chance of `generate`: ChaCha8 and reductions of our own.
//! Promise: one seed gives the same draws on every machine and in every release; that is why no
//! distribution of another crate and no logarithm or power of the platform is used here.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::Share;

/// Draws from a seed.
pub struct Draws(ChaCha8Rng);

impl Draws {
    #[must_use]
    pub fn new(seed: u64) -> Draws {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Draws(ChaCha8Rng::from_seed(bytes))
    }

    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..bound`; `bound` is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw needs a choice");
        reduce(self.bits(), bound)
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.abs_diff(low) + 1;
        low.saturating_add_unsigned(self.below(span))
    }

    pub fn chance(&mut self, share: Share) -> bool {
        self.below(Share::WHOLE) < u64::from(share.per_million())
    }

    pub fn pick<'list, T>(&mut self, list: &'list [T]) -> &'list T {
        &list[self.below(list.len() as u64) as usize]
    }

    /// Picks by weight; `total` is the sum of all weights.
    pub fn weighted<'list, T>(
        &mut self,
        list: &'list [T],
        total: u64,
        weight: fn(&T) -> u64,
    ) -> &'list T {
        let mut rest = self.below(total);
        for item in list {
            match rest.checked_sub(weight(item)) {
                Some(left) => rest = left,
                None => return item,
            }
        }
        unreachable!("the weights add up to the total")
    }
}

/// A fixed value for a place: what the seed makes of account 17's third number, for instance.
#[must_use]
pub fn mixed(seed: u64, kind: u64, a: u64, b: u64) -> u64 {
    let fields = [seed, kind, a, b];
    fields.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, field| {
        let mut word = (hash ^ field).wrapping_add(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    })
}

/// Maps 64 uniform bits to `0..bound` (the bias is below bound / 2^64).
#[must_use]
pub fn reduce(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// Ranks 0.. with weights 1 / (rank + 1)^exponent.
pub struct Zipf {
    cumulative: Vec<u64>,
}

impl Zipf {
    /// `count` in 1..=1,000,000; `exponent` in 0.0..=8.0, read to 16 binary digits.
    #[must_use]
    pub fn new(count: u32, exponent: f64) -> Zipf {
        const FIRST: f64 = (1_u64 << 40) as f64;
        let mut sum = 0;
        let weights = (1..=count).map(|rank| {
            let weight = (FIRST / power(f64::from(rank), exponent)) as u64;
            sum += weight.max(1);
            sum
        });
        Zipf { cumulative: weights.collect() }
    }

    pub fn draw(&self, draws: &mut Draws) -> u32 {
        let at = draws.below(self.total());
        let rank = self.cumulative.partition_point(|sum| *sum <= at);
        u32::try_from(rank).expect("as many ranks as a u32 counts")
    }

    /// How many of `draws` draws fall on this rank, on average.
    #[must_use]
    pub fn expected(&self, rank: u32, draws: u64) -> u64 {
        let at = rank as usize;
        let before = if at == 0 { 0 } else { self.cumulative[at - 1] };
        let weight = u128::from(self.cumulative[at] - before);
        let share = weight * u128::from(draws) / u128::from(self.total());
        u64::try_from(share).expect("at most the draws")
    }

    fn total(&self) -> u64 {
        *self.cumulative.last().expect("at least one rank")
    }
}

/// By multiplications and square roots alone: IEEE 754 fixes their every bit, `powf`'s it does
/// not.
fn power(base: f64, exponent: f64) -> f64 {
    let mut result = 1.0;
    for _ in 0..exponent as u32 {
        result *= base;
    }
    let (mut root, mut rest) = (base, exponent.fract());
    for _ in 0..16 {
        root = root.sqrt();
        rest *= 2.0;
        if rest >= 1.0 {
            result *= root;
            rest -= 1.0;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_draws_for_ever() {
        let mut draws = Draws::new(7);
        let drawn: Vec<u64> = (0..4).map(|_| draws.below(1_000_000)).collect();
        assert_eq!(drawn, [764_109, 465_937, 5_674, 301_373]);
        assert_eq!(mixed(7, 1, 2, 3), 16_563_206_432_854_155_343);
    }

    #[test]
    fn zipf_halves_with_the_rank_at_exponent_one() {
        let zipf = Zipf::new(1000, 1.0);
        let mut draws = Draws::new(1);
        let mut drawn = [0_u64; 1000];
        for _ in 0..100_000 {
            drawn[zipf.draw(&mut draws) as usize] += 1;
        }
        for rank in 0..4 {
            let expected = zipf.expected(rank, 100_000);
            assert!(drawn[rank as usize].abs_diff(expected) < expected / 10, "{rank}: {drawn:?}");
        }
        assert_eq!(zipf.expected(0, 1000), 133);
    }

    #[test]
    fn powers_are_close_to_the_platforms() {
        for (base, exponent) in [(2.0, 0.5), (10.0, 1.1), (1000.0, 2.75), (5.0, 0.0)] {
            let ours = power(base, exponent);
            let theirs = f64::powf(base, exponent);
            assert!((ours / theirs - 1.0).abs() < 0.001, "{base}^{exponent}: {ours} {theirs}");
        }
    }
}
