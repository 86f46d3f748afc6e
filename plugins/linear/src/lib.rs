//! Strategy `linear`: equal shares of traffic at equal intervals.
//!
//! ```toml
//! [strategies.steady]
//! use = "linear"
//! percent = 10
//! every = "1m"
//! ```
//!
//! As AWS CodeDeploy does it: the first share at once, one more after every interval, and the last
//! one is the promotion. So 10 percent every minute is at 100 percent after nine minutes, not ten.

use schemars::JsonSchema;
use serde::Deserialize;
use wavegate_plugin_sdk::config::{HumanDuration, Percent};
use wavegate_plugin_sdk::{
    Decision, Diagnostics, Observation, Outline, PluginError, Strategy, Target, WeightBp,
    export_plugin, strategy,
};

/// The strategy.
pub struct Linear;

/// What people write for it.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "percent": 10, "every": "1m" }]))]
pub struct Config {
    /// The share of traffic that each step adds: at least 0.1, less than 100 percent.
    pub percent: Percent,
    /// How long to wait between two steps.
    pub every: HumanDuration,
}

/// Each step is a write to the cloud and a line of the plan: a thousand is more than anybody reads,
/// and less than any limit.
const MIN_PERCENT_BP: u16 = 10;

impl Strategy for Linear {
    const ID: &'static str = "linear";
    const SUMMARY: &'static str = "equal shares of the traffic at equal intervals";
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
        if weight == WeightBp::FULL {
            found
                .error("percent", "100% of the traffic at every step is one step")
                .hint("write a share below 100, or use the strategy `all-at-once`");
        }
        if weight.get() < MIN_PERCENT_BP {
            found
                .error("percent", format!("{weight} of the traffic at every step is too little"))
                .hint("write at least 0.1, which is a thousand steps");
        }
        if config.every.is_zero() {
            found
                .error("every", "steps without time between them are one step")
                .hint("write how long to watch each, such as \"1m\", or use `all-at-once`");
        }
        found
    }
}

fn rungs(config: &Config) -> Outline {
    // A share that validation refuses still gets a legal outline, of at most a thousand steps.
    let share = config.percent.basis_points().max(MIN_PERCENT_BP);
    let weights = (1..).map_while(|step: u16| WeightBp::new(step.checked_mul(share)?).ok());
    strategy::outline(weights.map(|weight| (weight, config.every)))
}

export_plugin! { strategies: [Linear] }

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{
        Just, ProptestConfig, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
    };
    use proptest::strategy::Strategy as _;
    use serde_json::{Value, json};
    use wavegate_plugin_sdk::DynStrategy;
    use wavegate_plugin_sdk::laws::{self, Turn};

    use super::*;

    const LINEAR: &dyn DynStrategy = &Linear;

    fn target() -> Target {
        Target { app: "shop".into(), function: "auth".into(), alias: "live".into() }
    }

    fn turn() -> impl proptest::strategy::Strategy<Value = Turn> {
        (prop_oneof![19 => Just(0_u32), 1 => 1..3_u32], 0..2_u32, 0..400_000_u64).prop_map(
            |(firing, unknown, passes_ms)| Turn { firing, unknown, passes_ms, ..Turn::default() },
        )
    }

    #[test]
    fn the_first_share_comes_at_once_and_the_last_is_the_promotion() {
        for (config, weights, minutes) in [
            (json!({"percent": 10, "every": "1m"}), (1..10).map(|n| n * 1_000).collect(), 9),
            (json!({"percent": 30, "every": "2m"}), vec![3_000, 6_000, 9_000], 6),
            (json!({"percent": 50, "every": "3m"}), vec![5_000], 3),
            (json!({"percent": 99, "every": "1m"}), vec![9_900], 1),
            (json!({"percent": "33.33%", "every": "1m"}), vec![3_333, 6_666, 9_999], 3),
        ] {
            let outline = LINEAR.outline(&config, &target()).unwrap();
            let promised: Vec<u16> = outline.steps.iter().map(|s| s.weight_bp.get()).collect();
            assert_eq!(promised, weights, "{config}");
            assert_eq!(outline.duration_ms_max, minutes * 60_000, "{config}");
            let walk = laws::healthy_walk(LINEAR, &config).unwrap();
            assert_eq!(walk.shifting_ms, minutes * 60_000, "{config}");
            assert_eq!(
                walk.decisions[0],
                Decision::Shift { weight_bp: outline.steps[0].weight_bp }
            );
        }
    }

    #[test]
    fn the_config_that_its_schema_shows_is_valid() {
        assert_eq!(laws::examples_are_valid(LINEAR), Ok(()));
    }

    #[test]
    fn what_is_not_linear_is_refused_with_a_way_out() {
        for (config, paths) in [
            (json!({"percent": 0, "every": "5m"}), vec!["percent"]),
            (json!({"percent": 0.05, "every": "5m"}), vec!["percent"]),
            (json!({"percent": 100, "every": "0s"}), vec!["percent", "every"]),
            (json!({"percent": 10, "bake": "1m"}), vec!["bake", "every"]),
        ] {
            let found = LINEAR.validate(&config).unwrap();
            let found: Vec<&str> = found.iter().map(|finding| finding.path.as_str()).collect();
            assert_eq!(found, paths, "{config}");
        }
        assert_eq!(LINEAR.validate(&json!({"percent": 0.1, "every": "1s"})).unwrap(), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_laws_of_strategies_hold(
            // Small shares make long walks: the interesting ones are kept, the rest is drawn.
            basis_points in prop_oneof![4 => 100_u32..=10_000, 1 => 0_u32..100],
            every_ms in 0_u64..400_000,
            trace in vec(turn(), 0..60),
        ) {
            let percent = f64::from(basis_points) / 100.0;
            let config = json!({"percent": percent, "every": format!("{every_ms}ms")});
            prop_assert!(jsonschema::is_valid(&LINEAR.config_schema(), &config));
            prop_assert_eq!(laws::strategy(LINEAR, &config, &trace), Ok(()));
        }

        #[test]
        fn no_observation_makes_it_panic_or_shift_outside_its_outline(
            basis_points in 10_u16..10_000,
            weight in 0_u16..=10_000,
            times in (any::<u64>(), any::<u64>()),
            alarms in (any::<u32>(), any::<u32>(), any::<u32>()),
        ) {
            let percent = f64::from(basis_points) / 100.0;
            let config = json!({"percent": percent, "every": "1h"});
            let seen = Observation {
                weight_bp: WeightBp::new(weight).unwrap(),
                bake_elapsed_ms: times.0,
                rollout_elapsed_ms: times.1,
                alarms_firing: alarms.0,
                alarms_unknown: alarms.1,
                alarms_ok: alarms.2,
                approvals: alarms.1,
            };
            let (decision, _) = LINEAR.decide(&config, &Value::Null, &seen).unwrap();
            if let Decision::Shift { weight_bp } = decision {
                prop_assert!(weight_bp.get() > weight && weight_bp.get() % basis_points == 0);
            }
            prop_assert_eq!(alarms.0 > 0, matches!(decision, Decision::Rollback { .. }));
        }
    }
}
