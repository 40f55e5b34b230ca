//! What the made-up carrier sells and where: features, countries, prices. Promise: prices and
//! weights are plausible, no more; changing a row changes what every seed gives.

/// A destination country with the price of one sms in micro-dollars.
pub struct Country {
    pub code: &'static str,
    /// Dialling prefix with its plus.
    pub prefix: &'static str,
    /// Digits behind the prefix.
    pub digits: u32,
    pub weight: u64,
    pub sms_micros: i64,
}

const fn country(
    code: &'static str,
    prefix: &'static str,
    digits: u32,
    weight: u64,
    sms_micros: i64,
) -> Country {
    Country { code, prefix, digits, weight, sms_micros }
}

pub const COUNTRIES: [Country; 16] = [
    country("US", "+1", 10, 260, 4_000),
    country("IN", "+91", 10, 160, 2_600),
    country("BR", "+55", 11, 90, 7_500),
    country("IT", "+39", 10, 80, 41_000),
    country("GB", "+44", 10, 70, 37_500),
    country("DE", "+49", 11, 60, 72_000),
    country("FR", "+33", 9, 55, 53_500),
    country("ES", "+34", 9, 45, 36_100),
    country("MX", "+52", 10, 40, 8_900),
    country("NG", "+234", 10, 35, 31_000),
    country("ID", "+62", 10, 30, 48_200),
    country("PL", "+48", 9, 25, 22_400),
    country("TR", "+90", 10, 20, 5_100),
    country("AU", "+61", 9, 15, 35_250),
    country("KE", "+254", 9, 10, 18_000),
    country("CH", "+41", 9, 5, 61_125),
];
pub const COUNTRIES_WEIGHT: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    Sms,
    Whatsapp,
    Voice,
    Api,
    Numbers,
    Features,
    Fees,
}

pub const FEATURES: [(Feature, u64); 7] = [
    (Feature::Sms, 620),
    (Feature::Whatsapp, 190),
    (Feature::Voice, 110),
    (Feature::Api, 60),
    (Feature::Numbers, 5),
    (Feature::Features, 5),
    (Feature::Fees, 10),
];
pub const FEATURES_WEIGHT: u64 = 1_000;

/// What an event costs on average with these tables; limits are sized by it.
pub const COST_MICROS_MEAN: u64 = 62_000;

impl Feature {
    pub fn as_str(self) -> &'static str {
        match self {
            Feature::Sms => "sms",
            Feature::Whatsapp => "whatsapp",
            Feature::Voice => "voice",
            Feature::Api => "api",
            Feature::Numbers => "numbers",
            Feature::Features => "features",
            Feature::Fees => "fees",
        }
    }

    /// Whether it goes from a sender to a recipient in a country.
    pub fn is_message(self) -> bool {
        matches!(self, Feature::Sms | Feature::Whatsapp | Feature::Voice)
    }
}
