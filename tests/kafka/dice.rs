//! Seeded randomness, a few lines of it (SplitMix64), so that a scenario can be told by its seed.

pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound`, `bound` left out.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len() as u64) as usize]
    }
}

/// The suite's seed: `TOLLGATE_TEST_SEED`, or a fixed one.
pub fn seed() -> u64 {
    std::env::var("TOLLGATE_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20240820)
}
