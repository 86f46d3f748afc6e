//! The engine's strategies on the plugins' components.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use wavegate_core::plan::{Outline, OutlineStep};
use wavegate_core::release::{Decision, Observation};
use wavegate_core::spec::{ComponentUse, Opaque};
use wavegate_core::weight::Weight;
use wavegate_engine::ports::{Strategies, Subject};
use wavegate_plugin_host::Plugin;
use wavegate_plugin_sdk as sdk;
use wavegate_plugin_sdk::ComponentKind;

use super::{millis, words};
use crate::manifest;
use crate::registry::Registry;

/// Strategies of plugins.
#[derive(Debug, Clone)]
pub(crate) struct PluginStrategies {
    registry: Arc<Registry>,
}

impl PluginStrategies {
    /// The strategies of these plugins.
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    fn find(&self, strategy: &ComponentUse) -> Result<(&Plugin, Value), String> {
        let id = &strategy.component;
        let plugin = self
            .registry
            .find(ComponentKind::Strategy, id)
            .ok_or_else(|| format!("there is no strategy component `{id}`"))?;
        Ok((plugin, manifest::parse(&strategy.config)?))
    }
}

#[async_trait]
impl Strategies for PluginStrategies {
    async fn outline(&self, strategy: &ComponentUse, subject: &Subject) -> Result<Outline, String> {
        let (plugin, config) = self.find(strategy)?;
        let target = sdk::Target {
            app: subject.app.clone(),
            function: subject.function.clone(),
            alias: subject.alias.clone(),
        };
        let outline = plugin.outline(&strategy.component, &config, target).await;
        let outline = outline.map_err(|error| words(plugin, &error))?;
        core_outline(&outline)
    }

    async fn decide(
        &self,
        strategy: &ComponentUse,
        state: Option<&Opaque>,
        seen: &Observation,
    ) -> Result<(Decision, Opaque), String> {
        let (plugin, config) = self.find(strategy)?;
        let state = match state {
            Some(state) => serde_json::from_str(&state.0)
                .map_err(|error| format!("what it remembered is not JSON: {error}"))?,
            None => Value::Null,
        };
        let seen = observation(seen)?;
        let decided = plugin.decide(&strategy.component, &config, state, seen).await;
        let (decision, state) = decided.map_err(|error| words(plugin, &error))?;
        Ok((core_decision(decision)?, Opaque(state.to_string())))
    }
}

fn core_outline(outline: &sdk::Outline) -> Result<Outline, String> {
    let steps = outline.steps.iter().map(|step| {
        Ok(OutlineStep {
            weight: core_weight(step.weight_bp)?,
            bake_min: Duration::from_millis(step.bake_ms_min),
            bake_max: Duration::from_millis(step.bake_ms_max),
        })
    });
    let steps = steps.collect::<Result<Vec<_>, String>>()?;
    let outline = Outline { steps, longest: Duration::from_millis(outline.duration_ms_max) };
    outline.check().map_err(|bad| format!("its outline {bad} (WG331)"))?;
    Ok(outline)
}

fn observation(seen: &Observation) -> Result<sdk::Observation, String> {
    Ok(sdk::Observation {
        weight_bp: wire_weight(seen.weight)?,
        bake_elapsed_ms: millis(seen.bake_elapsed),
        rollout_elapsed_ms: millis(seen.rollout_elapsed),
        alarms_firing: seen.alarms_firing,
        alarms_unknown: seen.alarms_unknown,
        alarms_ok: seen.alarms_ok,
        approvals: seen.approvals,
    })
}

fn core_decision(decision: sdk::Decision) -> Result<Decision, String> {
    match decision {
        sdk::Decision::Shift { weight_bp } => Ok(Decision::Shift(core_weight(weight_bp)?)),
        sdk::Decision::Wait { millis } => Ok(Decision::Wait(Duration::from_millis(millis))),
        sdk::Decision::Pause { reason } => Ok(Decision::Pause(reason)),
        sdk::Decision::Promote => Ok(Decision::Promote),
        sdk::Decision::Rollback { reason } => Ok(Decision::Rollback(reason)),
        other => Err(format!("its decision is not one that this version knows: {other:?}")),
    }
}

/// The protocol's weight in the core's words.
fn core_weight(weight: sdk::WeightBp) -> Result<Weight, String> {
    Weight::from_bp(weight.get()).ok_or_else(|| format!("{weight} is not a weight"))
}

/// The core's weight in the protocol's words.
pub(super) fn wire_weight(weight: Weight) -> Result<sdk::WeightBp, String> {
    sdk::WeightBp::new(weight.bp()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(config: &str) -> ComponentUse {
        ComponentUse {
            name: "careful".to_owned(),
            component: "canary".to_owned(),
            config: Opaque(config.to_owned()),
        }
    }

    async fn strategies() -> PluginStrategies {
        PluginStrategies::new(crate::adapter::tests::linked().await)
    }

    fn subject() -> Subject {
        Subject { app: "shop".into(), function: "auth".into(), alias: "live".into() }
    }

    #[tokio::test]
    async fn a_canary_keeps_its_weights_and_times_on_the_way_through() {
        let strategy = canary(r#"{"percent": 12.5, "bake": "10m"}"#);
        let outline = strategies().await.outline(&strategy, &subject()).await.unwrap();
        let bake = Duration::from_mins(10);
        let weight = Weight::from_bp(1250).unwrap();
        assert_eq!(outline.steps, [OutlineStep { weight, bake_min: bake, bake_max: bake }]);
        assert_eq!(outline.longest, bake);

        let (decision, state) =
            strategies().await.decide(&strategy, None, &Observation::default()).await.unwrap();
        assert_eq!(decision, Decision::Shift(weight));
        let seen = Observation { weight, bake_elapsed: bake, ..Observation::default() };
        let (decision, _) =
            strategies().await.decide(&strategy, Some(&state), &seen).await.unwrap();
        assert_eq!(decision, Decision::Promote);
    }

    #[test]
    fn an_outline_that_no_release_could_follow_is_an_error() {
        let step = |weight: u16, min: u64, max: u64| sdk::OutlineStep {
            weight_bp: sdk::WeightBp::new(weight).unwrap(),
            bake_ms_min: min,
            bake_ms_max: max,
        };
        for (steps, words) in [
            (vec![step(0, 0, 0)], "not between 0% and 100%"),
            (vec![step(10_000, 0, 0)], "not between 0% and 100%"),
            (vec![step(2_000, 0, 0), step(2_000, 0, 0)], "not above the 20% before it"),
            (vec![step(2_000, 9, 1)], "for at least"),
        ] {
            let error = core_outline(&sdk::Outline { steps, duration_ms_max: 9 }).unwrap_err();
            assert!(error.contains(words) && error.ends_with("(WG331)"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_firing_alarm_never_promotes() {
        let strategy = canary(r#"{"percent": 10, "bake": "1m"}"#);
        let weight = Weight::from_bp(1000).unwrap();
        let seen = Observation {
            weight,
            bake_elapsed: Duration::from_mins(5),
            alarms_firing: 1,
            ..Observation::default()
        };
        let (decision, _) = strategies().await.decide(&strategy, None, &seen).await.unwrap();
        assert_ne!(decision, Decision::Promote);
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_an_error_in_words() {
        let unknown = ComponentUse { component: "nope".into(), ..canary("{}") };
        let error = strategies().await.outline(&unknown, &subject()).await.unwrap_err();
        assert!(error.contains("`nope`"), "{error}");
        let error = strategies().await.outline(&canary("{}"), &subject()).await.unwrap_err();
        assert!(error.contains("percent"), "{error}");
        let state = Opaque("not json".to_owned());
        let good = canary(r#"{"percent": 10, "bake": "1m"}"#);
        let seen = Observation::default();
        assert!(strategies().await.decide(&good, Some(&state), &seen).await.is_err());
    }
}
