//! The accounts, profiles and numbers of a seed. Promise: nothing is stored but the two Zipf
//! tables; a name is computed from its place, so a million accounts cost no memory.

use std::fmt::Write as _;

use compact_str::{CompactString, format_compact};

use super::catalog::Country;
use super::random::{Zipf, mixed, reduce};
use super::{Options, random::Draws};

/// Kinds of places that names are computed for; a number once used keeps its meaning.
const PROFILE: u64 = 1;
const SENDER: u64 = 2;
const RECIPIENT: u64 = 3;

/// Recipients that an account has in each country.
const RECIPIENTS_PER_COUNTRY: u64 = 2_000;
/// Sender numbers of an account.
pub const SENDERS_PER_ACCOUNT: u64 = 3;

pub struct World {
    seed: u64,
    accounts: Zipf,
    profiles: Zipf,
}

/// An account by its rank: 0 has the most traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRank(pub u32);

impl World {
    pub fn new(options: &Options) -> World {
        World {
            seed: options.seed,
            accounts: Zipf::new(options.accounts, options.zipf_exponent),
            profiles: Zipf::new(options.profiles_per_account, options.zipf_exponent),
        }
    }

    pub fn draw_account(&self, draws: &mut Draws) -> AccountRank {
        AccountRank(self.accounts.draw(draws))
    }

    pub fn draw_profile(&self, draws: &mut Draws) -> u32 {
        self.profiles.draw(draws)
    }

    /// Events of this account among so many of all.
    pub fn expected_of_account(&self, account: AccountRank, events: u64) -> u64 {
        self.accounts.expected(account.0, events)
    }

    /// Events of this profile among so many of its account.
    pub fn expected_of_profile(&self, profile: u32, events: u64) -> u64 {
        self.profiles.expected(profile, events)
    }

    pub fn account_id(&self, account: AccountRank) -> CompactString {
        format_compact!("acct-{:06}", account.0 + 1)
    }

    pub fn profile_id(&self, account: AccountRank, profile: u32) -> CompactString {
        let (a, b) = (u64::from(account.0), u64::from(profile));
        uuid_text(mixed(self.seed, PROFILE, a, 2 * b), mixed(self.seed, PROFILE, a, 2 * b + 1))
    }

    pub fn sender(&self, account: AccountRank, number: u64) -> CompactString {
        let bits = mixed(self.seed, SENDER, account.0.into(), number);
        format_compact!("+1555{:07}", reduce(bits, 10_000_000))
    }

    pub fn draw_recipient(
        &self,
        account: AccountRank,
        country: &Country,
        draws: &mut Draws,
    ) -> CompactString {
        let place = u64::from(account.0) << 32 | draws.below(RECIPIENTS_PER_COUNTRY);
        let country_key = country.code.bytes().fold(0, |key, byte| key << 8 | u64::from(byte));
        let bits = mixed(self.seed, RECIPIENT, place, country_key);
        let number = reduce(bits, 10_u64.pow(country.digits));
        format_compact!("{}{:0width$}", country.prefix, number, width = country.digits as usize)
    }
}

/// A random (version 4) UUID of these bits.
pub fn uuid_text(high: u64, low: u64) -> CompactString {
    let bits = u128::from(high) << 64 | u128::from(low);
    let uuid = uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid();
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    CompactString::from(&*uuid.hyphenated().encode_lower(&mut text))
}

/// 16 lower-case hex digits.
pub fn hex(bits: u64) -> CompactString {
    let mut text = CompactString::default();
    write!(text, "{bits:016x}").expect("a text in memory takes every write");
    text
}
