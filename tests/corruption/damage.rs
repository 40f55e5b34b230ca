//! What happens to bytes.

use crate::dice::Dice;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    BitFlip,
    BitFlips,
    Cut,
    Zeros,
    Garbage,
    Gone,
}

pub const DAMAGES: [Damage; 6] =
    [Damage::BitFlip, Damage::BitFlips, Damage::Cut, Damage::Zeros, Damage::Garbage, Damage::Gone];

impl Damage {
    pub fn any(dice: &mut Dice) -> Damage {
        DAMAGES[dice.below(DAMAGES.len())]
    }

    /// The bytes after it, at a place the dice choose; `None` when they are gone.
    pub fn done_to(self, bytes: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        if bytes.is_empty() {
            return (self != Damage::Gone).then_some(bytes);
        }
        let flips = match self {
            Damage::BitFlip => 1,
            Damage::BitFlips => 2 + dice.below(6),
            Damage::Cut => {
                bytes.truncate(dice.below(bytes.len()));
                0
            }
            Damage::Zeros | Damage::Garbage => {
                let from = dice.below(bytes.len());
                let to = bytes.len().min(from + 1 + dice.below(512));
                for byte in &mut bytes[from..to] {
                    *byte = if self == Damage::Zeros { 0 } else { dice.below(256) as u8 };
                }
                0
            }
            Damage::Gone => return None,
        };
        for _ in 0..flips {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
        }
        Some(bytes)
    }
}
