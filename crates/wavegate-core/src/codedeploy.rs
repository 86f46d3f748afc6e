//! AWS CodeDeploy as the engine: what a deployment of it is to do, decided before anything is asked
//! of it.
//!
//! CodeDeploy moves the weights of one alias on a schedule of its own, which goes on when wavegate's
//! machine is gone. So a strategy must be one that CodeDeploy has: [`Routing::lower`] says whether it
//! is.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::plan::{Outline, OutlineStep};
use crate::time::human;
use crate::weight::Weight;

/// The longest time from the first shift to the last, in minutes. Source: CodeDeploy's user guide,
/// "Deployment configurations on an AWS Lambda compute platform".
pub const LONGEST_MINUTES: u64 = 2880;

/// Begins the names of deployment configs that wavegate makes. Configs of the same schedule are
/// shared by all apps of an account.
pub const CONFIG_PREFIX: &str = "wavegate-";

/// Who moves a function's traffic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Engine {
    /// wavegate, with the alias's weights.
    #[default]
    Native,
    /// AWS CodeDeploy.
    CodeDeploy(Box<Group>),
}

impl Engine {
    /// The deployment group, if CodeDeploy moves the traffic.
    pub fn group(&self) -> Option<&Group> {
        match self {
            Self::Native => None,
            Self::CodeDeploy(group) => Some(group),
        }
    }
}

/// The deployment group of one function, as it is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// The application.
    pub application: String,
    /// The group's name.
    pub name: String,
    /// wavegate makes it and keeps it as the manifest says. One that somebody else made is used as
    /// it is: what must differ is said with each deployment.
    pub is_own: bool,
    /// The service role that CodeDeploy acts with. Needed to make a group.
    pub role: Option<String>,
    /// CloudWatch alarms that CodeDeploy watches.
    pub alarms: Vec<String>,
    /// A deployment goes on if CodeDeploy cannot read its alarms.
    pub ignores_unreadable_alarms: bool,
    /// Whom CodeDeploy tells of what.
    pub triggers: Vec<Trigger>,
    /// The function that CodeDeploy calls before it moves traffic (`BeforeAllowTraffic`).
    pub before: Option<String>,
    /// The function that CodeDeploy calls after it moved traffic (`AfterAllowTraffic`).
    pub after: Option<String>,
}

impl Group {
    /// The functions that CodeDeploy calls: names or ARNs.
    pub fn hooks(&self) -> impl Iterator<Item = &str> {
        [&self.before, &self.after].into_iter().flatten().map(String::as_str)
    }
}

/// The functions that CodeDeploy calls. It knows no qualifier, so it is their `$LATEST` that runs.
#[derive(Debug, Clone, Default)]
pub struct Called<'a>(BTreeSet<&'a str>);

impl<'a> FromIterator<&'a Group> for Called<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Group>>(groups: I) -> Self {
        Self(groups.into_iter().flat_map(Group::hooks).collect())
    }
}

impl Called<'_> {
    /// Whether the function with that ARN is one of them.
    pub fn has(&self, arn: &str) -> bool {
        // A name, or a part of an ARN, is what the whole one ends with.
        let mut ends = arn.match_indices(':').filter_map(|(at, _)| arn.get(at + 1..));
        self.0.contains(arn) || ends.any(|end| self.0.contains(end))
    }
}

/// An SNS topic that CodeDeploy tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The topic's ARN.
    pub topic: String,
    /// CodeDeploy's names of events, such as `DeploymentFailure`.
    pub events: Vec<String>,
}

/// How CodeDeploy moves traffic from one version to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// All of it at once.
    AllAtOnce,
    /// A share, and the rest after a time.
    Canary {
        /// The share, in percent: 1 to 99.
        percent: u8,
        /// The time, in minutes.
        minutes: u32,
    },
    /// A share at once, and one more each time.
    Linear {
        /// The share, in percent: 1 to 99.
        percent: u8,
        /// The time, in minutes.
        minutes: u32,
    },
}

/// Why CodeDeploy cannot follow a strategy. The words follow "its strategy".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotLowered {
    /// A share of less than a percent.
    #[error("sets {weight}, and CodeDeploy knows whole percents only")]
    Percent {
        /// The weight.
        weight: Weight,
    },
    /// A time of less than a minute.
    #[error("stays at {weight} for {}, and CodeDeploy knows whole minutes only", human(*bake))]
    Minutes {
        /// The weight.
        weight: Weight,
        /// How long it stays there.
        bake: Duration,
    },
    /// How long it stays depends on what it sees.
    #[error(
        "stays at {weight} for {} to {}, and CodeDeploy goes by the clock alone",
        human(*min), human(*max)
    )]
    Open {
        /// The weight.
        weight: Weight,
        /// The shortest time.
        min: Duration,
        /// The longest time.
        max: Duration,
    },
    /// Steps of different size or length.
    #[error("goes {steps}, and CodeDeploy takes one step, or steps of equal size and time")]
    Uneven {
        /// The weights, in words.
        steps: String,
    },
    /// Longer than CodeDeploy allows.
    #[error("takes {} from its first shift to its last, and CodeDeploy allows 48 hours", human(*longest))]
    Long {
        /// How long it takes.
        longest: Duration,
    },
}

impl Routing {
    /// The schedule of CodeDeploy's that does what an outline promises.
    ///
    /// # Errors
    /// The first thing about the outline that CodeDeploy cannot do.
    pub fn lower(outline: &Outline) -> Result<Self, NotLowered> {
        let Some(first) = outline.steps.first() else { return Ok(Self::AllAtOnce) };
        for step in &outline.steps {
            whole_minutes(step)?;
        }
        let minutes = whole_minutes(first)?;
        let percent = whole_percent(first.weight)?;
        let count = u64::try_from(outline.steps.len()).unwrap_or(u64::MAX);
        let total = u64::from(minutes).saturating_mul(count);
        if total > LONGEST_MINUTES {
            let longest = Duration::from_secs(total.saturating_mul(60));
            return Err(NotLowered::Long { longest });
        }
        if outline.steps.len() == 1 {
            return Ok(Self::Canary { percent, minutes });
        }
        let is_even = outline.steps.iter().zip(1_u16..).all(|(step, nth)| {
            step.bake_min == first.bake_min
                && Some(step.weight.bp()) == first.weight.bp().checked_mul(nth)
        });
        // One more step of the same size must reach the end, or pass it.
        let reached = outline.steps.last().map_or(0, |last| last.weight.bp());
        if !is_even || reached.saturating_add(first.weight.bp()) < Weight::FULL.bp() {
            let weights = outline.steps.iter().map(|step| step.weight.to_string());
            let steps = weights.collect::<Vec<_>>().join(", ");
            return Err(NotLowered::Uneven { steps });
        }
        Ok(Self::Linear { percent, minutes })
    }

    /// The deployment config's name: AWS's own where there is one, else one of wavegate's.
    pub fn config_name(self) -> String {
        let name = self.to_string();
        let is_aws = match self {
            Self::AllAtOnce => true,
            Self::Canary { percent, minutes } => {
                percent == 10 && matches!(minutes, 5 | 10 | 15 | 30)
            }
            Self::Linear { percent, minutes } => percent == 10 && matches!(minutes, 1 | 2 | 3 | 10),
        };
        if is_aws {
            format!("CodeDeployDefault.Lambda{name}")
        } else {
            format!("{CONFIG_PREFIX}{name}")
        }
    }

    /// Whether AWS has a config of this schedule.
    pub fn is_predefined(self) -> bool {
        !self.config_name().starts_with(CONFIG_PREFIX)
    }
}

/// As AWS writes it: `Canary10Percent5Minutes`.
impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = |minutes: u32| if minutes == 1 { "Minute" } else { "Minutes" };
        match *self {
            Self::AllAtOnce => f.write_str("AllAtOnce"),
            // AWS writes one minute of a canary in the plural.
            Self::Canary { percent, minutes } => {
                write!(f, "Canary{percent}Percent{minutes}Minutes")
            }
            Self::Linear { percent, minutes } => {
                write!(f, "Linear{percent}PercentEvery{minutes}{}", unit(minutes))
            }
        }
    }
}

fn whole_percent(weight: Weight) -> Result<u8, NotLowered> {
    match weight.bp() % 100 {
        0 => u8::try_from(weight.bp() / 100).map_err(|_| NotLowered::Percent { weight }),
        _ => Err(NotLowered::Percent { weight }),
    }
}

fn whole_minutes(step: &OutlineStep) -> Result<u32, NotLowered> {
    let (weight, min, max) = (step.weight, step.bake_min, step.bake_max);
    if min != max {
        return Err(NotLowered::Open { weight, min, max });
    }
    let minutes = u32::try_from(min.as_secs() / 60).ok();
    minutes
        .filter(|minutes| *minutes > 0 && Duration::from_secs(u64::from(*minutes) * 60) == min)
        .ok_or(NotLowered::Minutes { weight, bake: min })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(steps: &[(u16, u64, u64)]) -> Outline {
        let step = |&(bp, min, max): &(u16, u64, u64)| OutlineStep {
            weight: Weight::from_bp(bp).expect("a weight"),
            bake_min: Duration::from_secs(min),
            bake_max: Duration::from_secs(max),
        };
        Outline { steps: steps.iter().map(step).collect(), longest: Duration::ZERO }
    }

    #[test]
    fn a_schedule_that_codedeploy_has_is_lowered_to_its_name() {
        let linear: Vec<_> = (1..10).map(|n| (n * 1000, 600, 600)).collect();
        let thirds = [(3300, 60, 60), (6600, 60, 60), (9900, 60, 60)];
        let cases = [
            (outline(&[]), "CodeDeployDefault.LambdaAllAtOnce"),
            (outline(&[(1000, 300, 300)]), "CodeDeployDefault.LambdaCanary10Percent5Minutes"),
            (outline(&[(1000, 420, 420)]), "wavegate-Canary10Percent7Minutes"),
            (outline(&linear), "CodeDeployDefault.LambdaLinear10PercentEvery10Minutes"),
            (outline(&thirds), "wavegate-Linear33PercentEvery1Minute"),
        ];
        for (outline, name) in cases {
            let routing = Routing::lower(&outline).expect(name);
            assert_eq!(routing.config_name(), name);
            assert_eq!(routing.is_predefined(), name.starts_with("CodeDeployDefault."));
        }
    }

    #[test]
    fn what_codedeploy_cannot_do_is_refused_with_the_reason() {
        let weight = |bp| Weight::from_bp(bp).expect("a weight");
        let secs = Duration::from_secs;
        let cases = [
            (outline(&[(50, 60, 60)]), NotLowered::Percent { weight: weight(50) }),
            (
                outline(&[(1000, 90, 90)]),
                NotLowered::Minutes { weight: weight(1000), bake: secs(90) },
            ),
            (outline(&[(1000, 0, 0)]), NotLowered::Minutes { weight: weight(1000), bake: secs(0) }),
            (
                outline(&[(1000, 60, 120)]),
                NotLowered::Open { weight: weight(1000), min: secs(60), max: secs(120) },
            ),
            (
                outline(&[(1000, 60, 60), (5000, 60, 60)]),
                NotLowered::Uneven { steps: "10%, 50%".to_owned() },
            ),
            (
                outline(&[(1000, 60, 60), (2000, 60, 60)]),
                NotLowered::Uneven { steps: "10%, 20%".to_owned() },
            ),
            (outline(&[(1000, 180_000, 180_000)]), NotLowered::Long { longest: secs(180_000) }),
        ];
        for (outline, reason) in cases {
            assert_eq!(Routing::lower(&outline), Err(reason));
        }
    }
}
