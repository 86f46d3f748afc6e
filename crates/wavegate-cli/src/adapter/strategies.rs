//! The engine's strategies on the linked components.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use wavegate_core::plan::{Outline, OutlineStep};
use wavegate_core::release::{Decision, Observation};
use wavegate_core::spec::{ComponentUse, Opaque};
use wavegate_core::weight::Weight;
use wavegate_engine::ports::{Strategies, Subject};
use wavegate_plugin_sdk as sdk;

use super::millis;
use crate::{manifest, registry};

/// Strategies of the plugins that are linked in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LinkedStrategies;

#[async_trait]
impl Strategies for LinkedStrategies {
    async fn outline(&self, strategy: &ComponentUse, subject: &Subject) -> Result<Outline, String> {
        let (component, config) = find(strategy)?;
        let target = sdk::Target {
            app: subject.app.clone(),
            function: subject.function.clone(),
            alias: subject.alias.clone(),
        };
        let outline = component.outline(&config, &target).map_err(|error| words(&error))?;
        core_outline(&outline)
    }

    async fn decide(
        &self,
        strategy: &ComponentUse,
        state: Option<&Opaque>,
        seen: &Observation,
    ) -> Result<(Decision, Opaque), String> {
        let (component, config) = find(strategy)?;
        let state = match state {
            Some(state) => serde_json::from_str(&state.0)
                .map_err(|error| format!("what it remembered is not JSON: {error}"))?,
            None => Value::Null,
        };
        let seen = observation(seen)?;
        let (decision, state) =
            component.decide(&config, &state, &seen).map_err(|error| words(&error))?;
        Ok((core_decision(decision)?, Opaque(state.to_string())))
    }
}

fn find(strategy: &ComponentUse) -> Result<(&'static dyn sdk::DynStrategy, Value), String> {
    let component = registry::strategy(&strategy.component)
        .ok_or_else(|| format!("there is no strategy component `{}`", strategy.component))?;
    Ok((component, manifest::parse(&strategy.config)?))
}

fn words(error: &sdk::PluginError) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.message()),
        None => error.message().to_owned(),
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
    Ok(Outline { steps, longest: Duration::from_millis(outline.duration_ms_max) })
}

fn observation(seen: &Observation) -> Result<sdk::Observation, String> {
    Ok(sdk::Observation {
        weight_bp: wire_weight(seen.weight)?,
        bake_elapsed_ms: millis(seen.bake_elapsed),
        rollout_elapsed_ms: millis(seen.rollout_elapsed),
        alarms_firing: seen.alarms_firing,
        alarms_unknown: seen.alarms_unknown,
        alarms_ok: seen.alarms_ok,
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

    fn subject() -> Subject {
        Subject { app: "shop".into(), function: "auth".into(), alias: "live".into() }
    }

    #[tokio::test]
    async fn a_canary_keeps_its_weights_and_times_on_the_way_through() {
        let strategy = canary(r#"{"percent": 12.5, "bake": "10m"}"#);
        let outline = LinkedStrategies.outline(&strategy, &subject()).await.unwrap();
        let bake = Duration::from_mins(10);
        let weight = Weight::from_bp(1250).unwrap();
        assert_eq!(outline.steps, [OutlineStep { weight, bake_min: bake, bake_max: bake }]);
        assert_eq!(outline.longest, bake);

        let (decision, state) =
            LinkedStrategies.decide(&strategy, None, &Observation::default()).await.unwrap();
        assert_eq!(decision, Decision::Shift(weight));
        let seen = Observation { weight, bake_elapsed: bake, ..Observation::default() };
        let (decision, _) = LinkedStrategies.decide(&strategy, Some(&state), &seen).await.unwrap();
        assert_eq!(decision, Decision::Promote);
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
        let (decision, _) = LinkedStrategies.decide(&strategy, None, &seen).await.unwrap();
        assert_ne!(decision, Decision::Promote);
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_an_error_in_words() {
        let unknown = ComponentUse { component: "nope".into(), ..canary("{}") };
        let error = LinkedStrategies.outline(&unknown, &subject()).await.unwrap_err();
        assert!(error.contains("`nope`"), "{error}");
        let error = LinkedStrategies.outline(&canary("{}"), &subject()).await.unwrap_err();
        assert!(error.contains("percent"), "{error}");
        let state = Opaque("not json".to_owned());
        let good = canary(r#"{"percent": 10, "bake": "1m"}"#);
        let seen = Observation::default();
        assert!(LinkedStrategies.decide(&good, Some(&state), &seen).await.is_err());
    }
}
