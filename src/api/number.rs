//! Amounts in JSON bodies: numbers that keep every digit (C1). Promise: what is read and written
//! here never becomes a float.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::fold::limit::Amount;
use crate::money::Money;

/// A JSON number as its digits: `150.75`. Where bodies have it as a text, that is taken too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(String);

impl Number {
    /// The digits as they came: perhaps with a sign or an exponent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// USD, if it is a plain decimal with at most six decimals.
    #[must_use]
    pub fn money(&self) -> Option<Money> {
        Money::parse(&self.0).ok()
    }

    #[must_use]
    pub fn whole(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

impl From<Money> for Number {
    /// Without decimals that say nothing: `500`, `150.75`.
    fn from(money: Money) -> Number {
        let text = money.six().to_string();
        Number(text.trim_end_matches('0').trim_end_matches('.').to_owned())
    }
}

impl From<u64> for Number {
    fn from(count: u64) -> Number {
        Number(count.to_string())
    }
}

impl From<Amount> for Number {
    fn from(amount: Amount) -> Number {
        match amount {
            Amount::Cost(money) => money.into(),
            Amount::Count(count) => count.into(),
        }
    }
}

/// How much of `amount` is used up, in percent with one decimal, rounded half up on the exact
/// quotient (A5). A total below nothing is 0.
#[must_use]
pub fn percentage_used(used: Amount, amount: Amount) -> Number {
    let (used, amount) = (used.units().max(0), amount.units().max(1));
    let tenths = (used * 2_000 + amount) / (amount * 2);
    Number(format!("{}.{}", tenths / 10, tenths % 10))
}

/// What is left of `amount`, never below 0 (A5).
#[must_use]
pub fn remaining(used: Amount, amount: Amount) -> Amount {
    match (used, amount) {
        (Amount::Cost(used), Amount::Cost(amount)) => {
            Amount::Cost(Money((amount.0 - used.0).max(0)))
        }
        (Amount::Count(used), Amount::Count(amount)) => Amount::Count(amount.saturating_sub(used)),
        (Amount::Cost(_), Amount::Count(_)) | (Amount::Count(_), Amount::Cost(_)) => {
            unreachable!("a limit's total has the unit of its amount")
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.clone()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let raw = raw.get();
        let text: String = match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).map_err(D::Error::custom)?,
            Some(b'0'..=b'9' | b'-') => raw.to_owned(),
            _ => return Err(D::Error::custom("expected a number")),
        };
        Ok(Number(text))
    }
}

impl PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new()
            .schema_type(Type::Number)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)));
        number.into()
    }
}

impl ToSchema for Number {}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Amount {
        Amount::Cost(Money::parse(text).expect("money"))
    }

    /// A5: binary floats give 30.1.
    #[test]
    fn percentages_are_rounded_half_up_on_exact_decimals() {
        for (used, amount, percent) in [
            ("150.75", "500", "30.2"),
            ("150.74", "500", "30.1"),
            ("0", "500", "0.0"),
            ("500", "500", "100.0"),
            ("10.02", "10", "100.2"),
            ("0.000001", "999999999999.999999", "0.0"),
            ("1", "3", "33.3"),
            ("2", "3", "66.7"),
        ] {
            assert_eq!(
                percentage_used(usd(used), usd(amount)).as_str(),
                percent,
                "{used}/{amount}"
            );
        }
        assert_eq!(percentage_used(Amount::Cost(Money(-5)), usd("10")).as_str(), "0.0");
        assert_eq!(percentage_used(Amount::Count(1), Amount::Count(8)).as_str(), "12.5");
    }

    #[test]
    fn what_remains_is_never_below_nothing() {
        assert_eq!(remaining(usd("10.02"), usd("10")), usd("0"));
        assert_eq!(remaining(Amount::Cost(Money(-1_000_000)), usd("10")), usd("11"));
        assert_eq!(remaining(Amount::Count(3), Amount::Count(10)), Amount::Count(7));
    }

    #[test]
    fn numbers_keep_their_digits() {
        let read = |text: &str| serde_json::from_str::<Number>(text).map(|number| number.0);
        for text in ["0.1", "150.75", "123456789012.123456", "-1", "1e3"] {
            assert_eq!(read(text).expect("a number"), text);
        }
        assert_eq!(read("\"12.50\"").expect("a text"), "12.50");
        for text in ["null", "true", "[]", "{}"] {
            assert!(read(text).is_err(), "{text}");
        }
        let shown = |number: Number| serde_json::to_string(&number).expect("a number");
        assert_eq!(shown(Money::parse("150.750000").expect("money").into()), "150.75");
        assert_eq!(shown(Money::parse("500").expect("money").into()), "500");
        assert_eq!(shown(Money(0).into()), "0");
        assert_eq!(shown(7_u64.into()), "7");
    }
}
