//! Durations as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration written as a string: `90s`, `10m`, `1h30m`, `500ms`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(Duration);

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// It cannot be read as one.
    #[error("`{0}` is not a duration; write it like \"90s\", \"10m\" or \"1h30m\"")]
    Unreadable(String),
    /// It is longer than any rollout.
    #[error("`{0}` is longer than 366 days")]
    TooLong(String),
}

/// The units that may be written. Months and years vary in length, and `M` reads like minutes.
const UNITS: [&str; 5] = ["ms", "s", "m", "h", "d"];

/// What [`UNITS`] mean as a regular expression, for editors.
const PATTERN: &str = "^([0-9]+(ms|s|m|h|d))+$";

/// Longer than any rollout, and short enough that sums of many cannot overflow.
const MAX: Duration = Duration::from_hours(366 * 24);

impl HumanDuration {
    /// A duration of so many milliseconds, at most 366 days.
    pub fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis).min(MAX))
    }

    /// In whole milliseconds.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// As the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl FromStr for HumanDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = || InvalidDuration::Unreadable(text.to_owned());
        // Stricter than the library, which takes spaces, a bare zero and units such as months: what
        // is accepted here is what the schema says.
        let mut units = text.split(|c: char| c.is_ascii_digit());
        let framed = text.starts_with(|c: char| c.is_ascii_digit())
            && text.ends_with(|c: char| c.is_ascii_alphabetic());
        if !framed || !units.all(|unit| unit.is_empty() || UNITS.contains(&unit)) {
            return Err(unreadable());
        }
        match humantime::parse_duration(text) {
            Ok(duration) if duration > MAX => Err(InvalidDuration::TooLong(text.to_owned())),
            Ok(duration) => Ok(Self(duration)),
            Err(humantime::DurationError::NumberOverflow) => {
                Err(InvalidDuration::TooLong(text.to_owned()))
            }
            Err(_) => Err(unreadable()),
        }
    }
}

/// The shortest way to write it: `1h30m`.
impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.millis();
        if total == 0 {
            return f.write_str("0s");
        }
        let mut rest = total;
        for (unit, length) in
            [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
        {
            if rest >= length {
                write!(f, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = HumanDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"90s\", \"10m\" or \"1h30m\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": PATTERN,
            "examples": ["90s", "10m", "1h30m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("90s", 90_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("2d", 172_800_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse::<HumanDuration>().unwrap().millis(), millis, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in [
            "",
            " ",
            " 0s",
            "1h 30m",
            "0",
            "10",
            "10 minutes",
            "10M",
            "1y",
            "-5s",
            "5s5",
            "s",
            "1.5h",
            "５s",
        ] {
            let error = text.parse::<HumanDuration>().unwrap_err().to_string();
            assert!(error.contains("\"1h30m\""), "{text}: {error}");
        }
        for text in ["367d", "99999999999999999999s", "18446744073709551615d"] {
            let error = text.parse::<HumanDuration>().unwrap_err();
            assert_eq!(error, InvalidDuration::TooLong(text.to_owned()));
        }
    }

    #[test]
    fn a_number_is_no_duration_because_it_has_no_unit() {
        let error = serde_json::from_str::<HumanDuration>("90").unwrap_err().to_string();
        assert!(error.contains("expected a duration such as \"90s\""), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back_and_fits_the_schema(millis in 0_u64..=31_622_400_000) {
            let duration = HumanDuration::from_millis(millis);
            let text = duration.to_string();
            proptest::prop_assert_eq!(text.parse::<HumanDuration>().unwrap(), duration);
            let schema = schemars::schema_for!(HumanDuration);
            let value = serde_json::Value::String(text);
            proptest::prop_assert!(jsonschema::is_valid(schema.as_value(), &value));
        }

        #[test]
        fn the_schema_and_the_parser_agree(text in "[0-9]{0,3}(ms|s|m|h|d|y|)[ ]?[0-9]{0,2}(s|m|)") {
            let schema = schemars::schema_for!(HumanDuration);
            let value = serde_json::Value::String(text.clone());
            let parsed = text.parse::<HumanDuration>();
            if !matches!(parsed, Err(InvalidDuration::TooLong(_))) {
                let valid = jsonschema::is_valid(schema.as_value(), &value);
                proptest::prop_assert_eq!(valid, parsed.is_ok(), "{:?}", text);
            }
        }
    }
}
