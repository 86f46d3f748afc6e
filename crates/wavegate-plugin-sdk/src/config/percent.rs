//! Percentages as people write them.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use wavegate_plugin_protocol::WeightBp;

/// A share from 0 to 100 percent, written as a number (`10`, `0.5`) or as a string (`"10%"`), to
/// hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(WeightBp);

/// A value that is no percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPercent {
    /// It cannot be read as one.
    #[error("`{0}` is not a percentage; write 10 or \"10%\"")]
    Unreadable(String),
    /// It is below 0 or above 100.
    #[error("`{0}` is not between 0 and 100 percent")]
    OutOfRange(String),
    /// It has more than two decimals.
    #[error("`{0}` is finer than 0.01 percent")]
    TooFine(String),
}

impl Percent {
    /// A share of so many basis points.
    pub const fn from_weight(weight: WeightBp) -> Self {
        Self(weight)
    }

    /// In basis points: 100 for one percent.
    pub const fn basis_points(self) -> u16 {
        self.0.get()
    }

    /// As a weight.
    pub const fn weight(self) -> WeightBp {
        self.0
    }

    /// The share that `value` percent is.
    pub fn from_f64(value: f64) -> Result<Self, InvalidPercent> {
        if !(0.0..=100.0).contains(&value) {
            return Err(InvalidPercent::OutOfRange(value.to_string()));
        }
        let exact = value * 100.0;
        let rounded = exact.round();
        if (exact - rounded).abs() > FLOAT_NOISE {
            return Err(InvalidPercent::TooFine(value.to_string()));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rounded, and between 0 and 10000 by the check above"
        )]
        let basis_points = rounded as u16;
        WeightBp::new(basis_points)
            .map(Self)
            .map_err(|_| InvalidPercent::OutOfRange(value.to_string()))
    }
}

/// What a decimal fraction may be off by after its way through binary floating point: far below
/// the next decimal that a person could have meant.
const FLOAT_NOISE: f64 = 1e-6;

/// A string must say `%`: a bare number in quotes may have meant anything.
impl FromStr for Percent {
    type Err = InvalidPercent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = || InvalidPercent::Unreadable(text.to_owned());
        let number = text.strip_suffix('%').ok_or_else(unreadable)?;
        let plain = number.starts_with(|c: char| c.is_ascii_digit())
            && number.ends_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || c == '.');
        if !plain {
            return Err(unreadable());
        }
        let value: f64 = number.parse().map_err(|_| unreadable())?;
        Self::from_f64(value)
    }
}

/// Without trailing zeros: `10%`, `0.5%`.
impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Percent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage such as 10 or \"10%\"")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
                Percent::from_f64(value).map_err(E::custom)
            }

            #[expect(clippy::cast_precision_loss, reason = "only 0 to 100 is accepted")]
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
                self.visit_f64(value as f64)
            }

            #[expect(clippy::cast_precision_loss, reason = "only 0 to 100 is accepted")]
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                self.visit_f64(value as f64)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "number", "minimum": 0, "maximum": 100 },
                { "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,2})?%$" },
            ],
            "examples": [10, "10%", 0.5],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn percentages_are_numbers_or_say_percent() {
        for (written, basis_points) in [
            (json!(10), 1_000),
            (json!(0), 0),
            (json!(100), 10_000),
            (json!(0.29), 29),
            (json!(33.33), 3_333),
            (json!("10%"), 1_000),
            (json!("0.5%"), 50),
            (json!("100%"), 10_000),
        ] {
            let percent: Percent = from_value(written.clone()).unwrap();
            assert_eq!(percent.basis_points(), basis_points, "{written}");
        }
    }

    #[test]
    fn what_is_no_percentage_is_refused_with_the_reason() {
        for (written, reason) in [
            (json!(101), "not between 0 and 100"),
            (json!(-1), "not between 0 and 100"),
            (json!("100.01%"), "not between 0 and 100"),
            (json!(0.005), "finer than 0.01"),
            (json!("10"), "write 10 or \"10%\""),
            (json!("ten%"), "write 10 or \"10%\""),
            (json!("-1%"), "write 10 or \"10%\""),
            (json!("1e1%"), "write 10 or \"10%\""),
            (json!("%"), "write 10 or \"10%\""),
            (json!("1.2.3%"), "write 10 or \"10%\""),
            (json!(true), "expected a percentage such as"),
        ] {
            let error = from_value::<Percent>(written.clone()).unwrap_err().to_string();
            assert!(error.contains(reason), "{written}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_share_is_read_back_as_text_and_as_number(basis_points in 0_u16..=10_000) {
            let weight = WeightBp::new(basis_points).unwrap();
            let percent = Percent::from_weight(weight);
            proptest::prop_assert_eq!(percent.to_string().parse::<Percent>().unwrap(), percent);
            proptest::prop_assert_eq!(Percent::from_f64(weight.percent()).unwrap(), percent);
            let schema = schemars::schema_for!(Percent);
            let text = serde_json::Value::String(percent.to_string());
            proptest::prop_assert!(jsonschema::is_valid(schema.as_value(), &text));
        }
    }
}
