//! Weights: the share of traffic that the candidate gets, in basis points.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// A share of traffic in basis points: 0 is none of it, 10 000 is all of it.
///
/// Serialised as a plain number; a number above 10 000 is refused while parsing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u16", into = "u16")]
pub struct WeightBp(u16);

/// A number of basis points that is more than the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("weight {0} is above 10000 basis points, which is all traffic")]
pub struct WeightOutOfRange(pub u16);

impl WeightBp {
    /// No traffic.
    pub const NONE: Self = Self(0);
    /// All traffic.
    pub const FULL: Self = Self(10_000);

    /// A weight of `basis_points`, or an error if that is more than the whole.
    pub const fn new(basis_points: u16) -> Result<Self, WeightOutOfRange> {
        if basis_points > Self::FULL.0 {
            return Err(WeightOutOfRange(basis_points));
        }
        Ok(Self(basis_points))
    }

    /// The number of basis points, 0 to 10 000.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The same share in percent, 0.0 to 100.0: for people and for payloads read by people's code.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl JsonSchema for WeightBp {
    fn schema_name() -> Cow<'static, str> {
        "WeightBp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A share of traffic in basis points: 10000 is all of it.",
            "type": "integer", "minimum": 0, "maximum": 10_000,
        })
    }
}

impl TryFrom<u16> for WeightBp {
    type Error = WeightOutOfRange;

    fn try_from(basis_points: u16) -> Result<Self, Self::Error> {
        Self::new(basis_points)
    }
}

impl From<WeightBp> for u16 {
    fn from(weight: WeightBp) -> Self {
        weight.0
    }
}

/// In percent without trailing zeros: `10%`, `12.5%`, `0.01%`.
impl fmt::Display for WeightBp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.percent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_a_plain_number_on_the_wire_and_never_more_than_the_whole() {
        assert_eq!(serde_json::to_string(&WeightBp::new(1_250).unwrap()).unwrap(), "1250");
        assert_eq!(serde_json::from_str::<WeightBp>("10000").unwrap(), WeightBp::FULL);
        let error = serde_json::from_str::<WeightBp>("10001").unwrap_err().to_string();
        assert!(error.contains("above 10000 basis points"), "{error}");
        assert!(serde_json::from_str::<WeightBp>("-1").is_err());
    }

    #[test]
    fn people_read_percent_without_trailing_zeros() {
        for (basis_points, shown) in
            [(0, "0%"), (1, "0.01%"), (29, "0.29%"), (1_000, "10%"), (1_250, "12.5%")]
        {
            assert_eq!(WeightBp::new(basis_points).unwrap().to_string(), shown);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_legal_weight_survives_the_wire(basis_points in 0_u16..=10_000) {
            let weight = WeightBp::new(basis_points).unwrap();
            let text = serde_json::to_string(&weight).unwrap();
            proptest::prop_assert_eq!(serde_json::from_str::<WeightBp>(&text).unwrap(), weight);
        }
    }
}
