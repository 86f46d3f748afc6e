//! Strategy `all-at-once`: the candidate gets all traffic in one step.
//!
//! ```toml
//! [defaults]
//! strategy = "AllAtOnce"
//! ```
//!
//! It takes no keys. Alarms still count: a firing one keeps the candidate from being promoted.

use schemars::JsonSchema;
use serde::Deserialize;
use wavegate_plugin_sdk::{
    Decision, Observation, Outline, PluginError, Strategy, Target, export_plugin, strategy,
};

/// The strategy.
pub struct AllAtOnce;

/// What people write for it: nothing.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{}]))]
pub struct Config {}

impl Strategy for AllAtOnce {
    const ID: &'static str = "all-at-once";
    const SUMMARY: &'static str = "all traffic in one step";
    type Config = Config;
    type State = ();

    fn outline(&self, _config: &Config, _target: &Target) -> Outline {
        Outline::default()
    }

    fn decide(
        &self,
        _config: &Config,
        (): &mut (),
        seen: &Observation,
    ) -> Result<Decision, PluginError> {
        Ok(strategy::climb(&Outline::default(), seen))
    }
}

export_plugin! { strategies: [AllAtOnce] }

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::json;
    use wavegate_plugin_sdk::DynStrategy;
    use wavegate_plugin_sdk::laws::{self, Turn};

    use super::*;

    const ALL_AT_ONCE: &dyn DynStrategy = &AllAtOnce;

    #[test]
    fn the_first_decision_is_the_promotion() {
        let walk = laws::healthy_walk(ALL_AT_ONCE, &json!({})).unwrap();
        assert_eq!((walk.decisions, walk.shifting_ms), (vec![Decision::Promote], 0));
    }

    #[test]
    fn the_config_that_its_schema_shows_is_valid() {
        assert_eq!(laws::examples_are_valid(ALL_AT_ONCE), Ok(()));
    }

    #[test]
    fn it_takes_no_keys() {
        assert_eq!(ALL_AT_ONCE.validate(&json!({})).unwrap(), []);
        assert_eq!(ALL_AT_ONCE.validate(&json!({"percent": 100})).unwrap()[0].path, "percent");
    }

    proptest! {
        #[test]
        fn the_laws_of_strategies_hold(
            trace in vec((0..2_u32, 0..2_u32, 0..100_000_u64), 0..20),
        ) {
            let turns: Vec<Turn> = trace
                .into_iter()
                .map(|(firing, unknown, passes_ms)| Turn {
                    firing,
                    unknown,
                    passes_ms,
                    ..Turn::default()
                })
                .collect();
            prop_assert_eq!(laws::strategy(ALL_AT_ONCE, &json!({}), &turns), Ok(()));
        }
    }
}
