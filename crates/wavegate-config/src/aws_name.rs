//! AWS's names of deployment configs, taken as strategies.
//!
//! CodeDeploy ships a fixed list (`CodeDeployDefault.LambdaCanary10Percent5Minutes`, …) and SAM drops
//! the prefix. The name says all there is to know, so any percent and any number of minutes is read
//! from it, whether CodeDeploy ships it or not.

use serde_json::json;
use wavegate_core::spec::{ComponentUse, Opaque};

/// A strategy read from an AWS name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AwsStrategy {
    /// All traffic at once.
    AllAtOnce,
    /// One step, a wait, the rest.
    Canary { percent: u8, minutes: u32 },
    /// Equal steps at equal distances.
    Linear { percent: u8, minutes: u32 },
}

/// What a name turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A deployment config.
    Strategy(AwsStrategy),
    /// Meant as one, but not one: the reason.
    Malformed(&'static str),
    /// Nothing of AWS's.
    Other,
}

/// The component ids that AWS names are translated to.
pub(crate) const ALL_AT_ONCE: &str = "all-at-once";
pub(crate) const CANARY: &str = "canary";
pub(crate) const LINEAR: &str = "linear";

/// Reads a strategy's name.
pub(crate) fn read(name: &str) -> Reading {
    let (is_aws, rest) = match name.strip_prefix("CodeDeployDefault.") {
        Some(rest) => (true, rest.strip_prefix("Lambda").unwrap_or(rest)),
        None => (false, name),
    };
    if rest == "AllAtOnce" {
        return Reading::Strategy(AwsStrategy::AllAtOnce);
    }
    if rest.starts_with("ECS") && is_aws {
        return Reading::Malformed("it is for ECS, not for Lambda");
    }
    for (start, middle, is_canary) in
        [("Canary", "Percent", true), ("Linear", "PercentEvery", false)]
    {
        // `Canary` and `Linear` in capitals, followed by a digit, are nobody's own words.
        let Some(tail) = rest.strip_prefix(start) else { continue };
        if !is_aws && !tail.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        return match numbers(tail, middle) {
            Ok((percent, minutes)) if is_canary => {
                Reading::Strategy(AwsStrategy::Canary { percent, minutes })
            }
            Ok((percent, minutes)) => Reading::Strategy(AwsStrategy::Linear { percent, minutes }),
            Err(reason) => Reading::Malformed(reason),
        };
    }
    if is_aws {
        Reading::Malformed("no deployment config of Lambda is called so")
    } else {
        Reading::Other
    }
}

/// Reads `<P>MIDDLE<N>Minute(s)`.
fn numbers(tail: &str, middle: &str) -> Result<(u8, u32), &'static str> {
    const FORM: &str = "the form is `Canary10Percent5Minutes` or `Linear10PercentEvery1Minute`";
    let (percent, rest) = tail.split_once(middle).ok_or(FORM)?;
    let minutes =
        rest.strip_suffix("Minutes").or_else(|| rest.strip_suffix("Minute")).ok_or(FORM)?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(percent) || !is_number(minutes) {
        return Err(FORM);
    }
    let percent = percent.parse().ok().filter(|p| (1..=99).contains(p));
    let percent = percent.ok_or("the percentage must be 1 to 99")?;
    let minutes = minutes.parse().ok().filter(|m| (1..=MINUTES_MAX).contains(m));
    Ok((percent, minutes.ok_or("the minutes must be 1 to 525600")?))
}

/// A year: no rollout waits longer, and no sum of waits overflows.
const MINUTES_MAX: u32 = 525_600;

impl AwsStrategy {
    /// The component that does what the name says.
    pub(crate) fn component(self) -> &'static str {
        match self {
            Self::AllAtOnce => ALL_AT_ONCE,
            Self::Canary { .. } => CANARY,
            Self::Linear { .. } => LINEAR,
        }
    }

    /// The same as a use of a component, under the name it was written.
    pub(crate) fn into_use(self, name: &str) -> ComponentUse {
        let config = match self {
            Self::AllAtOnce => json!({}),
            Self::Canary { percent, minutes } => {
                json!({ "bake": format!("{minutes}m"), "percent": percent })
            }
            Self::Linear { percent, minutes } => {
                json!({ "every": format!("{minutes}m"), "percent": percent })
            }
        };
        ComponentUse {
            name: name.to_owned(),
            component: self.component().to_owned(),
            config: Opaque(config.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read_with_and_without_prefix() {
        use AwsStrategy::{AllAtOnce, Canary, Linear};
        for (name, expected) in [
            ("AllAtOnce", AllAtOnce),
            ("CodeDeployDefault.LambdaAllAtOnce", AllAtOnce),
            ("CodeDeployDefault.AllAtOnce", AllAtOnce),
            ("Canary10Percent5Minutes", Canary { percent: 10, minutes: 5 }),
            (
                "CodeDeployDefault.LambdaCanary10Percent30Minutes",
                Canary { percent: 10, minutes: 30 },
            ),
            ("Canary33Percent1Minute", Canary { percent: 33, minutes: 1 }),
            ("Linear10PercentEvery1Minute", Linear { percent: 10, minutes: 1 }),
            (
                "CodeDeployDefault.LambdaLinear10PercentEvery2Minutes",
                Linear { percent: 10, minutes: 2 },
            ),
        ] {
            assert_eq!(read(name), Reading::Strategy(expected), "{name}");
        }
        for name in
            ["careful", "Canary", "CanaryByTeamA", "linear", "LambdaAllAtOnce", "ECSAllAtOnce"]
        {
            assert_eq!(read(name), Reading::Other, "{name}");
        }
        for name in [
            "Canary0Percent5Minutes",
            "Canary100Percent5Minutes",
            "Canary10Percent0Minutes",
            "Canary10Percent5Hours",
            "Canary10Percent",
            "Linear10Percent5Minutes",
            "Canary10Percent99999999999Minutes",
            "CodeDeployDefault.ECSLinear10PercentEvery1Minutes",
            "CodeDeployDefault.OneAtATime",
        ] {
            assert!(matches!(read(name), Reading::Malformed(_)), "{name}");
        }
    }

    #[test]
    fn a_name_becomes_a_component_and_its_config() {
        let Reading::Strategy(canary) = read("Canary10Percent5Minutes") else { panic!() };
        let used = canary.into_use("Canary10Percent5Minutes");
        assert_eq!(
            (used.name.as_str(), used.component.as_str()),
            ("Canary10Percent5Minutes", "canary")
        );
        assert_eq!(used.config.0, r#"{"bake":"5m","percent":10}"#);
        let Reading::Strategy(linear) = read("Linear5PercentEvery2Minutes") else { panic!() };
        assert_eq!(linear.into_use("x").config.0, r#"{"every":"2m","percent":5}"#);
        assert_eq!(AwsStrategy::AllAtOnce.into_use("x").config.0, "{}");
    }

    proptest! {
        #[test]
        fn every_percent_and_minute_is_read_back(percent in 1_u8..=99, minutes in 1_u32..=MINUTES_MAX) {
            let name = format!("Canary{percent}Percent{minutes}Minutes");
            prop_assert_eq!(read(&name), Reading::Strategy(AwsStrategy::Canary { percent, minutes }));
        }

        #[test]
        fn any_text_is_answered(text in "(CodeDeployDefault\\.)?(Lambda)?(Canary|Linear)?.{0,20}") {
            let _ = read(&text);
        }
    }
}
