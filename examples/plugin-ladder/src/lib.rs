//! Strategy `ladder`: from rung to rung, each baked until all has been well for a while.
//!
//! Time in which an alarm cannot be told does not count: the bake of that rung begins again.

use wavegate_plugin_sdk::config::{HumanDuration, Percent};
use wavegate_plugin_sdk::schemars::JsonSchema;
use wavegate_plugin_sdk::serde::{Deserialize, Serialize};
use wavegate_plugin_sdk::strategy::{self, UNKNOWN_RECHECK_MS};
use wavegate_plugin_sdk::{
    Decision, Diagnostics, Observation, Outline, PluginError, Strategy, Target, WeightBp,
    export_plugin,
};

/// The strategy.
pub struct Ladder;

/// What people write for it in deploy.toml.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "wavegate_plugin_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "wavegate_plugin_sdk::schemars")]
#[schemars(extend("examples" = [{ "rungs": [10, "50%"], "bake": "5m" }]))]
pub struct Config {
    /// The candidate's shares of the traffic, lowest first.
    rungs: Vec<Percent>,
    /// How long all must be well on each.
    bake: HumanDuration,
}

/// What it remembers from one decision to the next, also across a restart.
#[derive(Default, Deserialize, Serialize)]
#[serde(crate = "wavegate_plugin_sdk::serde")]
pub struct State {
    /// Up to when it could not be told whether all is well, in milliseconds on this rung.
    unknown_until_ms: u64,
}

impl Strategy for Ladder {
    const ID: &'static str = "ladder";
    const SUMMARY: &'static str = "from rung to rung, each baked until all has been well";
    type Config = Config;
    type State = State;

    fn outline(&self, config: &Config, _: &Target) -> Outline {
        strategy::outline(config.rungs.iter().map(|rung| (rung.weight(), config.bake)))
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
        let wait = |millis| Ok(Decision::Wait { millis });
        let on_rung_ms = seen.bake_elapsed_ms;
        if seen.alarms_unknown > 0 {
            state.unknown_until_ms = on_rung_ms;
            return wait(UNKNOWN_RECHECK_MS);
        }
        // The time on a rung begins again at zero when another machine takes over.
        state.unknown_until_ms = state.unknown_until_ms.min(on_rung_ms);
        let well_ms = on_rung_ms - state.unknown_until_ms;
        let bake_ms = config.bake.millis();
        if seen.weight_bp > WeightBp::NONE && well_ms < bake_ms {
            return wait(bake_ms - well_ms);
        }
        *state = State::default();
        let mut rungs = config.rungs.iter().map(|rung| rung.weight());
        Ok(match rungs.find(|weight| *weight > seen.weight_bp) {
            Some(weight_bp) if weight_bp < WeightBp::FULL => Decision::Shift { weight_bp },
            _ => Decision::Promote,
        })
    }

    fn validate(&self, config: &Config) -> Diagnostics {
        let mut found = Diagnostics::none();
        if !config.rungs.is_sorted_by(|rung, next| rung < next) {
            found
                .error("rungs", "a rung is not above the one before it")
                .hint("write them lowest first");
        }
        found
    }
}

export_plugin! { strategies: [Ladder] }
