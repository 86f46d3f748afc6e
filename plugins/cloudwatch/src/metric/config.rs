//! What people write for `cloudwatch-metric`, and what is wrong with it.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use wavegate_plugin_sdk::Diagnostics;
use wavegate_plugin_sdk::config::{HumanDuration, MissingData, Percent};

/// What people write for it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "metric": "Errors", "max": "1%" }]))]
pub struct MetricConfig {
    /// A metric of the namespace `AWS/Lambda`: `Errors`, `Throttles`, `Duration`, ...
    #[schemars(length(min = 1))]
    pub metric: String,
    /// The most that is still fine: `"1%"` of the candidate's invocations, or a number for each
    /// period.
    pub max: Max,
    /// The statistic: `Sum`, `Average`, `Maximum`, `p95`, ...
    #[serde(default = "default_stat")]
    pub stat: String,
    /// The length of one period: whole minutes.
    #[serde(default = "default_period")]
    pub period: HumanDuration,
    /// How many periods with data in a row must be over `max`.
    #[serde(default = "default_one")]
    #[schemars(range(min = 1, max = 60))]
    pub periods: u32,
    /// How many invocations a period must have to count.
    #[serde(default = "default_one")]
    #[schemars(range(min = 1))]
    pub min_samples: u32,
    /// What it means when no period counts.
    #[serde(default)]
    pub missing_data: MissingData,
}

/// The most that is still fine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Max {
    /// A share of the candidate's invocations.
    Share(Percent),
    /// A value of the metric itself.
    Value(f64),
}

fn default_stat() -> String {
    "Sum".to_owned()
}

fn default_period() -> HumanDuration {
    HumanDuration::from_millis(MINUTE_MS)
}

const fn default_one() -> u32 {
    1
}

const MINUTE_MS: u64 = 60_000;

/// CloudWatch's longest period.
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// More periods in a row than this are no gate any more.
const MAX_PERIODS: u32 = 60;

/// The metrics that are no count of invocations that went wrong: a share of them means nothing.
const NOT_A_SHARE: [&str; 5] = [
    "Duration",
    "PostRuntimeExtensionsDuration",
    "Invocations",
    "ConcurrentExecutions",
    "IteratorAge",
];

impl MetricConfig {
    /// The statistic `Sum`: values that can be added up, and that are zero when nothing is reported.
    pub(crate) fn is_count(&self) -> bool {
        self.stat == "Sum"
    }

    /// The period in milliseconds, as timestamps are counted.
    pub(crate) fn period_ms(&self) -> i64 {
        i64::try_from(self.period.millis().clamp(MINUTE_MS, DAY_MS)).unwrap_or(i64::MAX)
    }

    pub(crate) fn check(&self) -> Diagnostics {
        let mut found = Diagnostics::none();
        if self.metric.is_empty() || self.metric.contains(char::is_whitespace) {
            found
                .error("metric", "not the name of a metric of AWS/Lambda")
                .hint("write \"Errors\", \"Throttles\" or \"Duration\"");
        }
        self.check_max(&mut found);
        if !is_statistic(&self.stat) {
            found
                .error("stat", format!("`{}` is not a statistic of CloudWatch", self.stat))
                .hint("write \"Sum\", \"Average\", \"Minimum\", \"Maximum\" or a percentile such as \"p95\"");
        }
        let period_ms = self.period.millis();
        if period_ms == 0 || !period_ms.is_multiple_of(MINUTE_MS) || period_ms > DAY_MS {
            found
                .error(
                    "period",
                    "Lambda reports by the minute: a period is whole minutes, up to a day",
                )
                .hint("write \"1m\" or \"5m\"");
        }
        if !(1..=MAX_PERIODS).contains(&self.periods) {
            found.error("periods", format!("must be between 1 and {MAX_PERIODS}"));
        }
        if self.min_samples == 0 {
            found
                .error("min_samples", "a period without invocations has nothing to judge")
                .hint("write at least 1; `missing_data` says what silence means");
        }
        found
    }

    fn check_max(&self, found: &mut Diagnostics) {
        match self.max {
            Max::Share(_) if NOT_A_SHARE.contains(&self.metric.as_str()) => {
                found
                    .error("max", format!("{} is not a share of the invocations", self.metric))
                    .hint("write a number, such as `max = 500`");
            }
            Max::Share(_) if !self.is_count() => {
                found
                    .error(
                        "max",
                        format!("a share of the invocations needs `Sum`, not `{}`", self.stat),
                    )
                    .hint("leave `stat` out, or write a number for `max`");
            }
            Max::Value(_) if self.metric == "Duration" && self.is_count() => {
                found
                    .warning("stat", "the sum of durations grows with the traffic")
                    .hint("write `stat = \"p95\"`, and `max` in milliseconds");
            }
            _ => {}
        }
    }
}

fn is_statistic(stat: &str) -> bool {
    if matches!(stat, "Sum" | "Average" | "Minimum" | "Maximum" | "SampleCount" | "IQM") {
        return true;
    }
    let number = ["p", "tm", "wm", "tc", "ts"].iter().find_map(|prefix| stat.strip_prefix(prefix));
    number.is_some_and(|number| {
        number.starts_with(|c: char| c.is_ascii_digit())
            && number.parse().is_ok_and(|percentile: f64| (0.0..=100.0).contains(&percentile))
    })
}

impl<'de> Deserialize<'de> for Max {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Max;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a share of the invocations such as \"1%\", or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Max, E> {
                text.parse().map(Max::Share).map_err(E::custom)
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Max, E> {
                if value.is_finite() && value >= 0.0 {
                    Ok(Max::Value(value))
                } else {
                    Err(E::custom(format!("{value} is no value that a metric can have")))
                }
            }

            #[expect(clippy::cast_precision_loss, reason = "metrics are floats in CloudWatch too")]
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Max, E> {
                self.visit_f64(value as f64)
            }

            #[expect(clippy::cast_precision_loss, reason = "metrics are floats in CloudWatch too")]
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Max, E> {
                self.visit_f64(value as f64)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Max {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Max".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "number", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,2})?%$" },
            ],
            "examples": ["1%", 500],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wavegate_plugin_sdk::DynAlarmProvider;

    use super::*;
    use crate::CloudWatchMetric;

    const PROVIDER: &dyn DynAlarmProvider = &CloudWatchMetric;

    fn with(extra: Value) -> Value {
        let mut config = json!({"metric": "Errors", "max": "1%"});
        let Value::Object(extra) = extra else { panic!("an object") };
        config.as_object_mut().unwrap().extend(extra);
        config
    }

    #[test]
    fn two_keys_are_enough() {
        let config: MetricConfig = serde_json::from_value(with(json!({}))).unwrap();
        assert_eq!(config.stat, "Sum");
        assert_eq!((config.period_ms(), config.periods, config.min_samples), (60_000, 1, 1));
        assert_eq!(config.missing_data, MissingData::Unknown);
        assert_eq!(config.max, Max::Share("1%".parse().unwrap()));
        assert_eq!(PROVIDER.validate(&with(json!({}))).unwrap(), []);
        let slow = json!({"metric": "Duration", "max": 500, "stat": "p99.9", "period": "5m"});
        assert_eq!(PROVIDER.validate(&slow).unwrap(), []);
    }

    #[test]
    fn what_cannot_be_measured_is_told_at_plan_time() {
        for (extra, path) in [
            (json!({"metric": ""}), "metric"),
            (json!({"max": "1"}), "max"),
            (json!({"max": -1}), "max"),
            (json!({"max": "101%"}), "max"),
            (json!({"metric": "Duration", "stat": "p95"}), "max"),
            (json!({"stat": "p95"}), "max"),
            (json!({"stat": "p101", "max": 5}), "stat"),
            (json!({"stat": "pinf", "max": 5}), "stat"),
            (json!({"stat": "median", "max": 5}), "stat"),
            (json!({"metric": "Duration", "max": 500}), "stat"),
            (json!({"period": "90s"}), "period"),
            (json!({"period": "0s"}), "period"),
            (json!({"period": "2d"}), "period"),
            (json!({"periods": 0}), "periods"),
            (json!({"min_samples": 0}), "min_samples"),
            (json!({"missing_data": "fine"}), "missing_data"),
            (json!({"threshold": 1}), "threshold"),
        ] {
            let found = PROVIDER.validate(&with(extra.clone())).unwrap();
            assert_eq!(found.len(), 1, "{extra}: {found:?}");
            assert_eq!(found[0].path, path, "{extra}");
        }
    }

    #[test]
    fn the_schema_takes_what_the_parser_takes() {
        let schema = PROVIDER.config_schema();
        for good in [json!({}), json!({"max": 0.5}), json!({"max": "0.5%"}), json!({"periods": 3})]
        {
            assert!(jsonschema::is_valid(&schema, &with(good.clone())), "{good}");
        }
        for bad in [json!({"max": "1"}), json!({"periods": 0}), json!({"more": 1})] {
            assert!(!jsonschema::is_valid(&schema, &with(bad.clone())), "{bad}");
        }
    }
}
