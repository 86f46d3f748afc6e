//! The laws of strategies and of configs.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wavegate_plugin_sdk::{
    Component, Decision, Diagnostic, DynStrategy, Observation, Outline, OutlineStep, PluginDecl,
    PluginError, Strategy, Target, WeightBp,
};
use wavegate_plugin_testkit::{CheckError, Report, conformance};

use crate::{held, plugin, the_one_broken};

/// What is wrong with a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    ShiftsWhileFiring,
    TakesUnknownForOk,
    SkipsARung,
    PromotesEarly,
    WaitsForNothing,
    PanicsAtTheEndOfTime,
    Hangs,
    CountsItsCalls,
    RemembersBesideItsState,
    NeverEnds,
    HeedsNoApproval,
    CountsDown,
    OutlineFalls,
    TakesAnyKey,
    NamesNoMissingKey,
    ChokesOnAConfig,
    ExampleIsWrong,
}

/// Climbs its rungs, each baked for a while; pauses for an approval on the first if asked to.
struct Mutant(Fault);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    rungs: Vec<WeightBp>,
    bake_ms: u64,
    #[serde(default)]
    approve: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    asked: u32,
}

static CALLS: AtomicU64 = AtomicU64::new(0);
/// The last weight that was seen, and the one before.
static WEIGHTS: AtomicU32 = AtomicU32::new(0);

impl Mutant {
    fn climb(&self, outline: &Outline, config: &Config, seen: &Observation) -> Decision {
        let fault = self.0;
        if seen.alarms_firing > 0 && fault != Fault::ShiftsWhileFiring {
            return Decision::Rollback { reason: "firing".to_owned() };
        }
        let rung = outline.steps.iter().rfind(|step| step.weight_bp <= seen.weight_bp);
        let bake = match (rung, fault) {
            (Some(step), Fault::PromotesEarly) if step.weight_bp.get() > 4_000 => {
                config.bake_ms / 2
            }
            (Some(step), _) => step.bake_ms_min,
            (None, _) => 0,
        };
        if seen.bake_elapsed_ms < bake {
            return Decision::Wait { millis: bake - seen.bake_elapsed_ms };
        }
        if seen.alarms_unknown > 0 && fault != Fault::TakesUnknownForOk {
            return Decision::Wait { millis: 1_000 };
        }
        let is_first = outline.steps.first().is_some_and(|step| step.weight_bp == seen.weight_bp);
        if config.approve && is_first && (seen.approvals == 0 || fault == Fault::HeedsNoApproval) {
            let reason = match fault {
                Fault::CountsDown => format!("{} ms so far", seen.bake_elapsed_ms),
                _ => "go on?".to_owned(),
            };
            return Decision::Pause { reason };
        }
        let mut above = outline.steps.iter().filter(|step| step.weight_bp > seen.weight_bp);
        let next = if fault == Fault::SkipsARung { above.next_back() } else { above.next() };
        match next {
            Some(step) => Decision::Shift { weight_bp: step.weight_bp },
            None if fault == Fault::NeverEnds => Decision::Wait { millis: 3_600_000 },
            None => Decision::Promote,
        }
    }
}

impl Strategy for Mutant {
    const ID: &'static str = "mutant";
    const SUMMARY: &'static str = "climbs, and has a fault";
    type Config = Config;
    type State = State;

    fn outline(&self, config: &Config, _: &Target) -> Outline {
        let mut steps: Vec<OutlineStep> = Vec::new();
        for weight_bp in &config.rungs {
            let below = steps.last().map_or(WeightBp::NONE, |step| step.weight_bp);
            if (*weight_bp > below && *weight_bp < WeightBp::FULL) || self.0 == Fault::OutlineFalls
            {
                let bake_ms = config.bake_ms;
                steps.push(OutlineStep {
                    weight_bp: *weight_bp,
                    bake_ms_min: bake_ms,
                    bake_ms_max: bake_ms,
                });
            }
        }
        let duration_ms_max =
            steps.iter().fold(0_u64, |all, step| all.saturating_add(step.bake_ms_max));
        Outline { steps, duration_ms_max }
    }

    fn decide(
        &self,
        config: &Config,
        state: &mut State,
        seen: &Observation,
    ) -> Result<Decision, PluginError> {
        state.asked = state.asked.saturating_add(1);
        let decision = self.climb(&Strategy::outline(self, config, &target()), config, seen);
        Ok(match (self.0, decision) {
            (Fault::WaitsForNothing, Decision::Wait { .. }) if state.asked == 2 => {
                Decision::Wait { millis: 0 }
            }
            (Fault::PanicsAtTheEndOfTime, _) if seen.bake_elapsed_ms == u64::MAX => {
                panic!("time is over")
            }
            (Fault::Hangs, _) if seen.alarms_unknown > 1_000 => {
                return Err(PluginError::new("call.deadline", "as the host says it"));
            }
            (Fault::CountsItsCalls, Decision::Wait { millis }) => {
                let odd = CALLS.fetch_add(1, Ordering::Relaxed) % 2;
                Decision::Wait { millis: millis.saturating_sub(odd).max(1) }
            }
            // Asked twice it says the same, but not if something else was seen before.
            (Fault::RemembersBesideItsState, decision) => {
                match (weight_before(seen.weight_bp), decision) {
                    (before, Decision::Wait { millis }) => {
                        Decision::Wait { millis: millis.saturating_sub(before).max(1) }
                    }
                    (_, decision) => decision,
                }
            }
            (_, decision) => decision,
        })
    }
}

/// The weight that was seen before this one, in basis points.
fn weight_before(weight: WeightBp) -> u64 {
    let now = u32::from(weight.get());
    let shift = |weights: u32| (weights & 0xffff != now).then_some((weights & 0xffff) << 16 | now);
    let _ = WEIGHTS.fetch_update(Ordering::AcqRel, Ordering::Acquire, shift);
    u64::from(WEIGHTS.load(Ordering::Acquire) >> 16)
}

fn target() -> Target {
    Target { app: "app".into(), function: "function".into(), alias: "live".into() }
}

/// A strategy whose JSON side is wrong.
struct Outside(Mutant);

impl DynStrategy for Outside {
    fn id(&self) -> &'static str {
        "mutant"
    }

    fn summary(&self) -> &'static str {
        "wrong outside"
    }

    fn config_schema(&self) -> Value {
        let mut schema = self.0.config_schema();
        schema["examples"] = match self.0.0 {
            Fault::ExampleIsWrong => json!([{"rungs": "all of them", "bake_ms": 5}]),
            _ => json!([{"rungs": [1_000, 5_000], "bake_ms": 60_000}]),
        };
        schema
    }

    fn validate(&self, config: &Value) -> Result<Vec<Diagnostic>, PluginError> {
        let mut config = config.clone();
        if let Some(keys) = config.as_object_mut() {
            match self.0.0 {
                Fault::TakesAnyKey => keys.retain(|key, _| !key.starts_with("wavegate_unknown")),
                Fault::NamesNoMissingKey => {
                    keys.entry("bake_ms").or_insert(json!(1));
                }
                _ => {}
            }
        } else if self.0.0 == Fault::ChokesOnAConfig {
            panic!("a config is always an object");
        }
        DynStrategy::validate(&self.0, &config)
    }

    fn outline(&self, config: &Value, target: &Target) -> Result<Outline, PluginError> {
        DynStrategy::outline(&self.0, config, target)
    }

    fn decide(
        &self,
        config: &Value,
        state: &Value,
        seen: &Observation,
    ) -> Result<(Decision, Value), PluginError> {
        DynStrategy::decide(&self.0, config, state, seen)
    }
}

/// Tries the mutant with configs that show its fault.
fn report(plugin: &'static PluginDecl) -> Report {
    conformance(plugin)
        .config(
            "mutant",
            json!({"rungs": [1_000, 5_000, 7_500], "bake_ms": 60_000, "approve": true}),
        )
        .config("mutant", json!({"rungs": [1_000, 5_000, 7_500], "bake_ms": 60_000}))
        .seed(7)
        .report()
        .unwrap()
}

/// Each mutant, and the one law that it breaks.
macro_rules! mutants {
    ($($test:ident: $fault:ident breaks $law:literal;)*) => {$(
        #[test]
        fn $test() {
            plugin!(PLUGIN, Component::Strategy(&Mutant(Fault::$fault)));
            let report = report(&PLUGIN);
            let (law, breach) = the_one_broken(&report);
            assert_eq!((law.law.as_str(), law.component.as_deref()), ($law, Some("strategy mutant")), "{report}");
            assert!(breach.config.is_some(), "{report}");
        }
    )*};
}

mutants! {
    a_strategy_that_shifts_while_an_alarm_fires_is_caught:
        ShiftsWhileFiring breaks "while an alarm fires it goes back or pauses";
    a_strategy_that_takes_unknown_for_ok_is_caught:
        TakesUnknownForOk breaks "an alarm that cannot be told is never taken for quiet";
    a_strategy_that_skips_a_rung_is_caught:
        SkipsARung breaks "its weights are those of its outline, in order";
    a_strategy_that_promotes_early_is_caught:
        PromotesEarly breaks "a weight is kept for as long as its outline says";
    a_strategy_that_waits_for_nothing_is_caught:
        WaitsForNothing breaks "a wait takes some time";
    a_strategy_that_panics_at_an_extreme_is_caught:
        PanicsAtTheEndOfTime breaks "whatever it sees, it decides";
    a_strategy_that_gives_no_answer_is_caught:
        Hangs breaks "whatever it sees, it decides";
    a_strategy_that_answers_by_its_count_is_caught:
        CountsItsCalls breaks "the same question gets the same answer";
    a_strategy_that_remembers_beside_its_state_is_caught:
        RemembersBesideItsState breaks
            "a rollout goes on in a new process as it would have in the old one";
    a_strategy_that_never_ends_is_caught:
        NeverEnds breaks "a healthy rollout is promoted within the time of its outline";
    a_strategy_that_heeds_no_approval_is_caught:
        HeedsNoApproval breaks "a pause ends when a person says go on";
    a_strategy_whose_pause_counts_down_is_caught:
        CountsDown breaks "a pause says the same as long as it lasts";
}

#[test]
fn a_strategy_without_a_fault_keeps_every_law() {
    plugin!(PLUGIN, Component::Strategy(&Mutant(Fault::Nothing)));
    let report = report(&PLUGIN);
    assert!(report.is_ok(), "{report}");
    for law in [
        "while an alarm fires it goes back or pauses",
        "whatever it sees, it decides",
        "a pause ends when a person says go on",
        "a pause says the same as long as it lasts",
        "a key that must be there is missed by its name",
        "10000 calls from 64 threads are replied to once each",
    ] {
        assert!(held(&report, law), "{law}: {report}");
    }
}

#[test]
fn an_outline_that_falls_is_caught() {
    plugin!(PLUGIN, Component::Strategy(&Mutant(Fault::OutlineFalls)));
    let config = json!({"rungs": [5_000, 1_000], "bake_ms": 1});
    let report = conformance(&PLUGIN).config("mutant", config).report().unwrap();
    let (law, breach) = the_one_broken(&report);
    assert_eq!(law.law, "its outline climbs, and its times add up");
    assert_eq!(breach.words, "10% is no step after 50%");
}

/// The shape of a finding is the same in every run of a seed, and short.
#[test]
fn a_breach_is_told_with_its_seed_its_config_and_the_shortest_trace() {
    plugin!(PLUGIN, Component::Strategy(&Mutant(Fault::ShiftsWhileFiring)));
    let config = json!({"rungs": [1_000], "bake_ms": 60_000});
    let found = |seed| {
        let report = conformance(&PLUGIN).config("mutant", config.clone()).seed(seed).report();
        let report = report.unwrap();
        let (_, breach) = the_one_broken(&report);
        breach.clone()
    };
    let breach = found(11);
    assert_eq!(breach.seed, Some(11));
    assert_eq!(breach.config, Some(Box::new(config.clone())));
    assert_eq!(breach.trace, ["at 0% for 0 ms, 1 firing: shift to 10%"]);
    assert_eq!(breach, found(11));
}

macro_rules! outside {
    ($($test:ident: $fault:ident breaks $law:literal;)*) => {$(
        #[test]
        fn $test() {
            plugin!(PLUGIN, Component::Strategy(&Outside(Mutant(Fault::$fault))));
            let report = conformance(&PLUGIN).report().unwrap();
            let (law, _) = the_one_broken(&report);
            assert_eq!(law.law, $law, "{report}");
        }
    )*};
}

outside! {
    a_config_that_takes_any_key_is_caught:
        TakesAnyKey breaks "a key that it does not know is rejected by its name";
    a_missing_key_that_is_not_missed_is_caught:
        NamesNoMissingKey breaks "a key that must be there is missed by its name";
    an_example_that_is_wrong_is_caught:
        ExampleIsWrong breaks
            "the configs that it shows, and those that were given, are accepted";
}

#[test]
fn a_config_that_makes_it_panic_is_caught() {
    plugin!(PLUGIN, Component::Strategy(&Outside(Mutant(Fault::ChokesOnAConfig))));
    let report = conformance(&PLUGIN).report().unwrap();
    let (law, breach) = the_one_broken(&report);
    assert_eq!(law.law, "no config breaks it");
    assert!(breach.words.contains("a config is always an object"), "{report}");
    assert!(!breach.config.as_ref().unwrap().is_object(), "{report}");
}

/// Whoever gave it has made the mistake: no law is broken by it.
#[test]
fn a_config_that_was_given_and_is_none_is_told_before_any_law_is_tried() {
    plugin!(PLUGIN, Component::Strategy(&Mutant(Fault::ShiftsWhileFiring)));
    let config = json!({"rungs": [1_000], "bake_ms": "long"});
    let error = conformance(&PLUGIN).config("mutant", config).report().unwrap_err();
    let words = error.to_string();
    assert!(words.starts_with("a config that was given for `mutant` is rejected: "), "{words}");
    let CheckError::BadConfig { component, diagnostics } = error else { panic!("{words}") };
    assert_eq!(component, "mutant");
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    assert_eq!(diagnostics[0].path, "bake_ms");
}

#[test]
fn a_strategy_of_which_no_config_is_known_is_not_in_order() {
    plugin!(PLUGIN, Component::Strategy(&Mutant(Fault::Nothing)));
    let report = conformance(&PLUGIN).report().unwrap();
    let (_, breach) = the_one_broken(&report);
    assert!(breach.words.contains("put `examples` into its schema"), "{report}");
    let error = conformance(&PLUGIN).config("other", json!({})).report().unwrap_err();
    assert_eq!(error.to_string(), "the plugin has no component `other`; it has: mutant");
}
