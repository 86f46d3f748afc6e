//! Weights: shares of traffic in basis points.

use std::fmt;

/// The candidate's share of traffic in basis points: 0 is none, 10 000 is all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Weight(u16);

impl Weight {
    /// No traffic.
    pub const ZERO: Self = Self(0);
    /// All traffic.
    pub const FULL: Self = Self(10_000);

    /// A weight of `bp` basis points; `None` above 10 000.
    pub fn from_bp(bp: u16) -> Option<Self> {
        (bp <= Self::FULL.0).then_some(Self(bp))
    }

    /// The weight in basis points.
    pub fn bp(self) -> u16 {
        self.0
    }

    /// What is left for the other version.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(Self::FULL.0 - self.0)
    }

    /// The share that Lambda's routing config takes: 0.0 to 1.0.
    pub fn to_share(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }

    /// The weight nearest to a share that Lambda reported; `None` unless it is within 0.0 to 1.0.
    ///
    /// Lambda keeps a double, so what comes back is the double nearest to the decimal that was
    /// sent: rounding restores the basis points exactly.
    pub fn from_share(share: f64) -> Option<Self> {
        if !(0.0..=1.0).contains(&share) {
            return None;
        }
        let bp = (share * 10_000.0).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10 000")]
        Self::from_bp(bp as u16)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.0.is_multiple_of(100) {
            format!("{}%", self.0 / 100)
        } else {
            let percent = format!("{}.{:02}", self.0 / 100, self.0 % 100);
            format!("{}%", percent.trim_end_matches('0'))
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_read_percent() {
        for (bp, text) in [(0, "0%"), (1000, "10%"), (250, "2.5%"), (1, "0.01%"), (10_000, "100%")]
        {
            assert_eq!(Weight::from_bp(bp).unwrap().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn a_weight_survives_the_double(bp in 0_u16..=10_000) {
            let weight = Weight::from_bp(bp).unwrap();
            prop_assert_eq!(Weight::from_share(weight.to_share()), Some(weight));
        }

        #[test]
        fn no_share_outside_the_range_is_a_weight(share in prop_oneof![1.000_1..1e9, -1e9..-0.000_1]) {
            prop_assert_eq!(Weight::from_share(share), None);
            prop_assert_eq!(Weight::from_share(f64::NAN), None);
        }
    }
}
