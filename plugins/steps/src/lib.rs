//! Strategy `steps`: an explicit list of weights, bakes and approvals.
//!
//! ```toml
//! [strategies.release-train]
//! use = "steps"
//! steps = [
//!   { weight = 5, bake = "5m" },
//!   { weight = 25, bake = "10m" },
//!   { approve = "product looks at the dashboards", timeout = "2h", on_timeout = "rollback" },
//!   { weight = 60, bake = "10m" },
//! ]
//! ```
//!
//! Each step follows when the one before it is over, and the promotion follows the last. Times are
//! measured from when the weight came into force; a bake that follows an approval begins with it.
//!
//! Invariants: a firing alarm goes back, wherever it stands; nothing goes up while an alarm cannot
//! be told; an approval ends one pause and no other. Deliberately absent: a pause without an end.
//! One that nobody answers ends at its timeout.

mod climb;
mod validate;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wavegate_plugin_sdk::config::{HumanDuration, Percent};
use wavegate_plugin_sdk::{
    Decision, Diagnostics, Observation, Outline, PluginError, Strategy, Target, export_plugin,
    strategy,
};

pub use climb::State;
use climb::{Climb, Stand};

/// The strategy.
pub struct Steps;

/// What people write for it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{
    "steps": [
        { "weight": 5, "bake": "5m" },
        { "weight": 25, "bake": "10m" },
        { "approve": "product looks at the dashboards", "timeout": "2h", "on_timeout": "rollback" },
        { "weight": 60, "bake": "10m" },
    ],
}]))]
pub struct Config {
    /// The steps, in order. The promotion follows the last one.
    pub steps: Vec<Step>,
}

/// One step: a weight, which may be baked at once; a bake; or an approval.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Give the candidate this share of the traffic: above the weight before it, below 100 percent.
    pub weight: Option<Percent>,
    /// Stay at the weight in force for so long.
    pub bake: Option<HumanDuration>,
    /// Wait until a person says "go on"; the text says what there is to judge.
    pub approve: Option<String>,
    /// How long the approval is waited for, at most 7 days; 24h unless said otherwise.
    pub timeout: Option<HumanDuration>,
    /// What follows if nobody has said "go on" by then; `rollback` unless said otherwise.
    pub on_timeout: Option<OnTimeout>,
}

/// What follows when nobody says "go on" in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// Put back.
    #[default]
    Rollback,
    /// The next step.
    Continue,
}

impl Strategy for Steps {
    const ID: &'static str = "steps";
    const SUMMARY: &'static str = "a list of weights, bakes and approvals";
    type Config = Config;
    type State = State;

    fn outline(&self, config: &Config, _target: &Target) -> Outline {
        Climb::of(config).outline()
    }

    fn decide(
        &self,
        config: &Config,
        state: &mut State,
        seen: &Observation,
    ) -> Result<Decision, PluginError> {
        if let Some(rollback) = strategy::rollback_when_firing(seen) {
            return Ok(rollback);
        }
        let climb = Climb::of(config);
        Ok(match state.stand(climb.rung(seen.weight_bp), seen) {
            Stand::Bakes { rest_ms } => Decision::Wait { millis: rest_ms },
            Stand::Asks(approval) => Decision::Pause { reason: approval.question() },
            Stand::Unanswered(approval) => Decision::Rollback { reason: approval.unanswered() },
            Stand::Over => climb.up(seen),
        })
    }

    fn validate(&self, config: &Config) -> Diagnostics {
        validate::config(config)
    }
}

export_plugin! { strategies: [Steps] }

#[cfg(test)]
mod tests;
