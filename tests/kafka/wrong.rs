//! In how many ways an engine was wrong, and the first of them in words.

use std::fmt;

const TOLD_MAX: usize = 20;

#[derive(Default)]
pub struct Wrong {
    /// Decisions that were never published.
    pub lost: usize,
    /// Published, and nothing leads to it.
    pub invented: usize,
    /// Published or kept with another content.
    pub differing: usize,
    told: Vec<String>,
}

impl Wrong {
    pub fn lost(&mut self, told: String) {
        self.lost += 1;
        self.told.push(told);
    }

    pub fn invented(&mut self, told: String) {
        self.invented += 1;
        self.told.push(told);
    }

    pub fn differs(&mut self, told: String) {
        self.differing += 1;
        self.told.push(told);
    }

    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Takes over what was found in `place`.
    pub fn add(&mut self, place: &str, other: Wrong) {
        self.lost += other.lost;
        self.invented += other.invented;
        self.differing += other.differing;
        self.told.extend(other.told.into_iter().map(|told| format!("{place}: {told}")));
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { lost, invented, differing, told } = self;
        write!(out, "{lost} lost, {invented} invented, {differing} differing")?;
        told.iter().take(TOLD_MAX).try_for_each(|told| write!(out, "\n{told}"))
    }
}
