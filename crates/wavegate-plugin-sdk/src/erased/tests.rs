//! Laws of the fence around components.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wavegate_plugin_protocol::{AlarmSubject, CloudAccess, HookPhase, Look, VersionRef, WeightBp};

use super::*;
use crate::Diagnostics;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rungs {
    rungs_bp: Vec<WeightNumber>,
}

#[derive(Deserialize, JsonSchema, Clone, Copy)]
struct WeightNumber(u16);

#[derive(Default, Serialize, Deserialize)]
struct Rung {
    rung: usize,
}

/// Remembers its rung, unlike the strategies that ship: what is tested is the journaled state.
struct Ladder;

impl Strategy for Ladder {
    const ID: &'static str = "ladder";
    const SUMMARY: &'static str = "climbs";
    type Config = Rungs;
    type State = Rung;

    fn outline(&self, _config: &Rungs, _target: &Target) -> Outline {
        panic!("no outline {}", "today")
    }

    fn decide(
        &self,
        config: &Rungs,
        state: &mut Rung,
        _seen: &Observation,
    ) -> Result<Decision, PluginError> {
        let Some(WeightNumber(rung)) = config.rungs_bp.get(state.rung) else {
            return Ok(Decision::Promote);
        };
        state.rung += 1;
        let weight_bp = WeightBp::new(*rung)
            .map_err(|error| PluginError::new("ladder.weight", error.to_string()))?;
        Ok(Decision::Shift { weight_bp })
    }

    fn validate(&self, config: &Rungs) -> Diagnostics {
        assert!(!config.rungs_bp.is_empty(), "forgot the empty ladder");
        Diagnostics::none()
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
struct Behaviour {
    behaviour: Kind,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Pass,
    Panic,
    Hang,
}

/// Sets its flag when a run ends, however it ends.
struct Moody(Arc<AtomicBool>);

struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Hook for Moody {
    const ID: &'static str = "moody";
    const SUMMARY: &'static str = "does as it is told";
    type Config = Behaviour;

    async fn run(
        &self,
        _cx: &CallContext,
        config: Behaviour,
        event: HookEvent,
    ) -> Result<HookOutcome, PluginError> {
        let _ended = OnDrop(Arc::clone(&self.0));
        match config.behaviour {
            Kind::Pass => Ok(HookOutcome::Pass { detail: event.function }),
            Kind::Panic => panic!("bad mood"),
            Kind::Hang => std::future::pending().await,
        }
    }
}

impl AlarmProvider for Moody {
    const ID: &'static str = "half-hearted";
    const SUMMARY: &'static str = "answers the first query only, and one that nobody asked";
    type Config = Behaviour;

    async fn read(
        &self,
        _cx: &CallContext,
        queries: Vec<AlarmQuery<Behaviour>>,
    ) -> Result<Vec<AlarmReading>, PluginError> {
        let keys = queries.iter().take(1).map(|query| query.key.clone()).chain(["who?".into()]);
        let reading =
            |key| AlarmReading { key, status: AlarmStatus::Ok, detail: String::new(), link: None };
        Ok(keys.map(reading).collect())
    }
}

fn moody() -> (Moody, Arc<AtomicBool>) {
    let ended = Arc::new(AtomicBool::new(false));
    (Moody(Arc::clone(&ended)), ended)
}

fn event() -> HookEvent {
    HookEvent {
        app: "shop".into(),
        release: "r".into(),
        release_number: 1,
        function: "auth".into(),
        alias: "live".into(),
        phase: HookPhase::PreTraffic,
        stable: None,
        candidate: VersionRef { version: "1".into(), arn: "arn".into() },
        weight_bp: WeightBp::NONE,
        reason: None,
        cloud: CloudAccess::default(),
    }
}

fn query(key: &str, behaviour: &str) -> AlarmQuery<Value> {
    AlarmQuery {
        key: key.into(),
        config: json!({"behaviour": behaviour}),
        subject: AlarmSubject {
            app: "shop".into(),
            function: "auth".into(),
            alias: "live".into(),
            stable: None,
            candidate: None,
        },
        look: Look::Watch,
        since_ms: None,
        now_ms: 0,
        cloud: CloudAccess::default(),
    }
}

fn a_minute() -> CallContext {
    CallContext::new(Duration::from_mins(1), "key")
}

#[test]
fn the_state_of_a_strategy_is_handed_back_as_it_was() {
    let strategy: &dyn DynStrategy = &Ladder;
    let config = json!({"rungs_bp": [1000, 5000]});
    let seen = Observation::default();
    let mut state = Value::Null;
    let mut decisions = Vec::new();
    for _ in 0..3 {
        let (decision, next) = strategy.decide(&config, &state, &seen).unwrap();
        decisions.push(decision);
        state = serde_json::from_str(&next.to_string()).unwrap();
    }
    let shift = |bp| Decision::Shift { weight_bp: WeightBp::new(bp).unwrap() };
    assert_eq!(decisions, [shift(1_000), shift(5_000), Decision::Promote]);
    assert_eq!(state, json!({"rung": 2}));
}

#[test]
fn a_state_of_somebody_else_is_refused() {
    let strategy: &dyn DynStrategy = &Ladder;
    let config = json!({"rungs_bp": []});
    let error =
        strategy.decide(&config, &json!({"rung": "x"}), &Observation::default()).unwrap_err();
    assert_eq!(error.code(), PluginError::STATE_INVALID);
    assert!(error.message().contains("rung"), "{error}");
}

#[test]
fn a_panic_in_a_strategy_is_an_error_and_not_the_end_of_the_host() {
    let strategy: &dyn DynStrategy = &Ladder;
    let config = json!({"rungs_bp": []});
    let target = Target { app: "a".into(), function: "f".into(), alias: "live".into() };
    let error = strategy.outline(&config, &target).unwrap_err();
    assert_eq!(error.code(), PluginError::PANICKED);
    assert_eq!(error.message(), "`ladder` panicked: no outline today");
    let error = strategy.validate(&config).unwrap_err();
    assert_eq!(error.code(), PluginError::PANICKED);
    assert!(error.message().contains("forgot the empty ladder"), "{error}");
}

#[tokio::test]
async fn a_hook_that_panics_answers_with_its_panic() {
    let (moody, ended) = moody();
    let hook: &dyn DynHook = &moody;
    let error = hook.run(&a_minute(), &json!({"behaviour": "panic"}), event()).await.unwrap_err();
    assert_eq!((error.code(), error.message()), ("plugin.panicked", "`moody` panicked: bad mood"));
    assert!(ended.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_hangs_is_dropped_at_its_deadline() {
    let (moody, ended) = moody();
    let hook: &dyn DynHook = &moody;
    let error = hook.run(&a_minute(), &json!({"behaviour": "hang"}), event()).await.unwrap_err();
    assert_eq!(error.code(), PluginError::DEADLINE);
    assert_eq!(error.message(), "`moody` did not answer within 1m");
    assert!(ended.load(Ordering::SeqCst), "dropping the future is the cancellation");
}

#[tokio::test]
async fn a_cancelled_hook_is_dropped() {
    let (moody, ended) = moody();
    let hook: &dyn DynHook = &moody;
    let cx = a_minute();
    let config = json!({"behaviour": "hang"});
    let run = hook.run(&cx, &config, event());
    let (answer, ()) = tokio::join!(run, async { cx.cancel.cancel() });
    assert_eq!(answer.unwrap_err().code(), PluginError::CANCELLED);
    assert!(ended.load(Ordering::SeqCst));
}

#[tokio::test]
async fn every_query_gets_one_reading_and_silence_is_unknown() {
    let (moody, _) = moody();
    let provider: &dyn DynAlarmProvider = &moody;
    let readings =
        provider.read(&a_minute(), vec![query("a", "pass"), query("b", "pass")]).await.unwrap();
    let told: Vec<_> = readings.iter().map(|r| (r.key.as_str(), r.status)).collect();
    assert_eq!(told, [("a", AlarmStatus::Ok), ("b", AlarmStatus::Unknown)]);
}

#[tokio::test]
async fn a_bad_config_among_queries_is_named() {
    let (moody, _) = moody();
    let provider: &dyn DynAlarmProvider = &moody;
    let error =
        provider.read(&a_minute(), vec![query("a", "pass"), query("b", "sulk")]).await.unwrap_err();
    assert!(
        error.message().starts_with("alarm `b`: invalid config for `half-hearted`: `behaviour`")
    );
}
