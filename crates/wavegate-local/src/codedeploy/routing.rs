//! How traffic moves: all at once, canary or linear; and the deployment configurations that say so.

use serde::{Deserialize, Serialize};

/// AWS: minutes between the first and the last shift (48 hours).
const SHIFT_MINUTES_MAX: u32 = 2_880;
/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

/// How the traffic of a deployment moves, in percent and minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Routing {
    /// Everything in one shift.
    AllAtOnce,
    /// A first part, and the rest after an interval.
    Canary {
        /// The first part.
        percent: u8,
        /// Until the rest.
        minutes: u32,
    },
    /// Equal parts, one each interval. The last one may be smaller.
    Linear {
        /// Each part.
        percent: u8,
        /// Between two of them.
        minutes: u32,
    },
}

/// The deployment configurations for Lambda that AWS brings along.
pub(crate) const PREDEFINED: [(&str, Routing); 9] = [
    ("CodeDeployDefault.LambdaAllAtOnce", Routing::AllAtOnce),
    (
        "CodeDeployDefault.LambdaCanary10Percent10Minutes",
        Routing::Canary { percent: 10, minutes: 10 },
    ),
    (
        "CodeDeployDefault.LambdaCanary10Percent15Minutes",
        Routing::Canary { percent: 10, minutes: 15 },
    ),
    (
        "CodeDeployDefault.LambdaCanary10Percent30Minutes",
        Routing::Canary { percent: 10, minutes: 30 },
    ),
    (
        "CodeDeployDefault.LambdaCanary10Percent5Minutes",
        Routing::Canary { percent: 10, minutes: 5 },
    ),
    (
        "CodeDeployDefault.LambdaLinear10PercentEvery10Minutes",
        Routing::Linear { percent: 10, minutes: 10 },
    ),
    (
        "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
        Routing::Linear { percent: 10, minutes: 1 },
    ),
    (
        "CodeDeployDefault.LambdaLinear10PercentEvery2Minutes",
        Routing::Linear { percent: 10, minutes: 2 },
    ),
    (
        "CodeDeployDefault.LambdaLinear10PercentEvery3Minutes",
        Routing::Linear { percent: 10, minutes: 3 },
    ),
];

/// The configuration of deployments and groups that name none.
pub(crate) const DEFAULT: &str = "CodeDeployDefault.LambdaAllAtOnce";

/// The prefix of AWS's own configurations, which nobody else may use.
pub(crate) const RESERVED: &str = "CodeDeployDefault.";

impl Routing {
    /// A canary within AWS's bounds.
    pub(crate) fn canary(percent: i64, minutes: i64) -> Result<Self, String> {
        let (percent, minutes) = (part(percent)?, interval(minutes)?);
        Ok(Self::Canary { percent, minutes })
    }

    /// A linear shift within AWS's bounds.
    pub(crate) fn linear(percent: i64, minutes: i64) -> Result<Self, String> {
        let (percent, minutes) = (part(percent)?, interval(minutes)?);
        let intervals = 100_u32.div_ceil(u32::from(percent)) - 1;
        if intervals * minutes > SHIFT_MINUTES_MAX {
            return Err(format!(
                "{percent} percent every {minutes} minutes take longer than {SHIFT_MINUTES_MAX} \
                 minutes from the first shift to the last"
            ));
        }
        Ok(Self::Linear { percent, minutes })
    }

    /// The target version's percentage after the next shift.
    pub(crate) fn next(self, weight: u8) -> u8 {
        match self {
            Self::Canary { percent, .. } if weight == 0 => percent,
            Self::AllAtOnce | Self::Canary { .. } => 100,
            Self::Linear { percent, .. } => weight.saturating_add(percent).min(100),
        }
    }

    /// Between two shifts.
    pub(crate) fn pause_ms(self) -> i64 {
        match self {
            Self::AllAtOnce => 0,
            Self::Canary { minutes, .. } | Self::Linear { minutes, .. } => {
                i64::from(minutes) * MINUTE_MS
            }
        }
    }
}

fn part(percent: i64) -> Result<u8, String> {
    u8::try_from(percent)
        .ok()
        .filter(|percent| (1..=99).contains(percent))
        .ok_or_else(|| format!("{percent} percent are not between 1 and 99"))
}

fn interval(minutes: i64) -> Result<u32, String> {
    u32::try_from(minutes)
        .ok()
        .filter(|minutes| (1..=SHIFT_MINUTES_MAX).contains(minutes))
        .ok_or_else(|| format!("{minutes} minutes are not between 1 and {SHIFT_MINUTES_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(routing: Routing) -> Vec<u8> {
        let steps = std::iter::successors(Some(routing.next(0)), |weight| {
            (*weight < 100).then(|| routing.next(*weight))
        });
        steps.collect()
    }

    #[test]
    fn each_routing_ends_with_everything_shifted() {
        let linear = |percent| Routing::linear(percent, 1).unwrap();
        assert_eq!(weights(Routing::AllAtOnce), [100]);
        assert_eq!(weights(Routing::canary(10, 5).unwrap()), [10, 100]);
        assert_eq!(weights(linear(10)), [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        assert_eq!(weights(linear(30)), [30, 60, 90, 100]);
        assert_eq!(weights(linear(99)), [99, 100]);
    }

    #[test]
    fn what_is_beyond_awss_bounds_is_refused() {
        assert!(Routing::canary(0, 5).is_err() && Routing::canary(100, 5).is_err());
        assert!(Routing::canary(10, 0).is_err() && Routing::canary(10, 2_881).is_err());
        assert!(Routing::canary(1, 2_880).is_ok());
        // Nine intervals lie between the ten shifts.
        assert!(Routing::linear(10, 320).is_ok() && Routing::linear(10, 321).is_err());
        assert!(Routing::linear(1, 30).is_err() && Routing::linear(1, 29).is_ok());
    }

    #[test]
    fn predefined_names_say_what_they_do() {
        for (name, routing) in PREDEFINED {
            let said = name.strip_prefix("CodeDeployDefault.Lambda").unwrap();
            let plural = |minutes| if minutes == 1 { "" } else { "s" };
            let does = match routing {
                Routing::AllAtOnce => "AllAtOnce".to_owned(),
                Routing::Canary { percent, minutes } => {
                    format!("Canary{percent}Percent{minutes}Minute{}", plural(minutes))
                }
                Routing::Linear { percent, minutes } => {
                    format!("Linear{percent}PercentEvery{minutes}Minute{}", plural(minutes))
                }
            };
            assert_eq!(said, does);
        }
    }
}
