//! Strategy `canary`: a share of the traffic first, the rest after a bake.
//!
//! ```toml
//! [strategies.careful]
//! use = "canary"
//! percent = 10
//! bake = "10m"
//! ```
//!
//! The same as AWS CodeDeploy's `Canary10Percent10Minutes`, for any percent and any time.

use schemars::JsonSchema;
use serde::Deserialize;
use wavegate_plugin_sdk::config::{HumanDuration, Percent};
use wavegate_plugin_sdk::{
    Decision, Diagnostics, Observation, Outline, PluginError, Strategy, Target, WeightBp,
    export_plugin, strategy,
};

/// The strategy.
pub struct Canary;

/// What people write for it.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "percent": 10, "bake": "10m" }]))]
pub struct Config {
    /// The candidate's share of traffic during the bake: more than 0, less than 100 percent.
    pub percent: Percent,
    /// How long the candidate keeps that share before it gets all traffic.
    pub bake: HumanDuration,
}

impl Strategy for Canary {
    const ID: &'static str = "canary";
    const SUMMARY: &'static str = "a share of the traffic first, the rest after a bake";
    type Config = Config;
    // The weight in force says everything.
    type State = ();

    fn outline(&self, config: &Config, _target: &Target) -> Outline {
        rungs(config)
    }

    fn decide(
        &self,
        config: &Config,
        (): &mut (),
        seen: &Observation,
    ) -> Result<Decision, PluginError> {
        Ok(strategy::climb(&rungs(config), seen))
    }

    fn validate(&self, config: &Config) -> Diagnostics {
        let mut found = Diagnostics::none();
        let weight = config.percent.weight();
        if weight == WeightBp::NONE || weight == WeightBp::FULL {
            found
                .error("percent", format!("{weight} of the traffic is no canary"))
                .hint("write a share between 0 and 100, or use the strategy `all-at-once`");
        }
        if config.bake.is_zero() {
            found
                .error("bake", "a canary that is not baked proves nothing")
                .hint("write how long to watch it, such as \"10m\", or use `all-at-once`");
        }
        found
    }
}

fn rungs(config: &Config) -> Outline {
    strategy::outline([(config.percent.weight(), config.bake)])
}

export_plugin! { strategies: [Canary] }

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy as _;
    use serde_json::{Value, json};
    use wavegate_plugin_sdk::laws::{self, Turn};
    use wavegate_plugin_sdk::{DynStrategy, OutlineStep};

    use super::*;

    const CANARY: &dyn DynStrategy = &Canary;

    fn target() -> Target {
        Target { app: "shop".into(), function: "auth".into(), alias: "live".into() }
    }

    fn turn() -> impl proptest::strategy::Strategy<Value = Turn> {
        (prop_oneof![9 => Just(0_u32), 1 => 1..3_u32], 0..2_u32, 0..900_000_u64).prop_map(
            |(firing, unknown, passes_ms)| Turn { firing, unknown, passes_ms, ..Turn::default() },
        )
    }

    #[test]
    fn a_canary_bakes_once_and_is_promoted() {
        let config = json!({"percent": 10, "bake": "5m"});
        let weight_bp = WeightBp::new(1_000).unwrap();
        let outline = CANARY.outline(&config, &target()).unwrap();
        assert_eq!(
            outline,
            Outline {
                steps: vec![OutlineStep { weight_bp, bake_ms_min: 300_000, bake_ms_max: 300_000 }],
                duration_ms_max: 300_000,
            }
        );
        let walk = laws::healthy_walk(CANARY, &config).unwrap();
        assert_eq!(
            walk.decisions,
            [Decision::Shift { weight_bp }, Decision::Wait { millis: 300_000 }, Decision::Promote]
        );
        assert_eq!(walk.shifting_ms, 300_000);
    }

    #[test]
    fn the_config_that_its_schema_shows_is_valid() {
        assert_eq!(laws::examples_are_valid(CANARY), Ok(()));
    }

    #[test]
    fn a_canary_that_is_none_is_refused_with_a_way_out() {
        for (config, path) in [
            (json!({"percent": 0, "bake": "5m"}), "percent"),
            (json!({"percent": "100%", "bake": "5m"}), "percent"),
            (json!({"percent": 10, "bake": "0s"}), "bake"),
            (json!({"percent": 10, "bake": 5}), "bake"),
            (json!({"percent": 10, "bake": "5m", "every": "1m"}), "every"),
            (json!({"percent": 10}), "bake"),
        ] {
            let found = CANARY.validate(&config).unwrap();
            assert_eq!(found.len(), 1, "{config}: {found:?}");
            assert_eq!(found[0].path, path, "{config}");
        }
        assert_eq!(CANARY.validate(&json!({"percent": 0, "bake": "0s"})).unwrap().len(), 2);
        assert_eq!(CANARY.validate(&json!({"percent": 0.01, "bake": "1ms"})).unwrap(), []);
    }

    proptest! {
        #[test]
        fn the_laws_of_strategies_hold(
            basis_points in 0_u32..=10_000,
            bake_ms in 0_u64..900_000,
            trace in vec(turn(), 0..30),
        ) {
            let percent = f64::from(basis_points) / 100.0;
            let config = json!({"percent": percent, "bake": format!("{bake_ms}ms")});
            prop_assert!(jsonschema::is_valid(&CANARY.config_schema(), &config));
            prop_assert_eq!(laws::strategy(CANARY, &config, &trace), Ok(()));
        }

        #[test]
        fn no_observation_makes_it_panic_or_shift_elsewhere(
            basis_points in 1_u16..10_000,
            weight in 0_u16..=10_000,
            times in (any::<u64>(), any::<u64>(), any::<u64>()),
            alarms in (any::<u32>(), any::<u32>(), any::<u32>()),
        ) {
            let percent = f64::from(basis_points) / 100.0;
            let config = json!({"percent": percent, "bake": "1h"});
            let seen = Observation {
                weight_bp: WeightBp::new(weight).unwrap(),
                bake_elapsed_ms: times.0,
                rollout_elapsed_ms: times.1,
                alarms_firing: alarms.0,
                alarms_unknown: alarms.1,
                alarms_ok: alarms.2,
                approvals: alarms.1,
            };
            let (decision, _) = CANARY.decide(&config, &Value::Null, &seen).unwrap();
            if let Decision::Shift { weight_bp } = decision {
                prop_assert_eq!(weight_bp.get(), basis_points);
            }
            prop_assert_eq!(alarms.0 > 0, matches!(decision, Decision::Rollback { .. }));
        }
    }
}
