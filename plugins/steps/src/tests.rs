//! The strategy as a host sees it.

use proptest::collection::vec;
use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as _;
use serde_json::{Value, json};
use wavegate_plugin_sdk::laws::{self, Turn};
use wavegate_plugin_sdk::{DynStrategy, OutlineStep, Severity, WeightBp};

use super::*;

const STEPS: &dyn DynStrategy = &Steps;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn target() -> Target {
    Target { app: "shop".into(), function: "auth".into(), alias: "live".into() }
}

fn bp(bp: u16) -> WeightBp {
    WeightBp::new(bp).unwrap()
}

fn shift(weight: u16) -> Decision {
    Decision::Shift { weight_bp: bp(weight) }
}

fn wait(millis: u64) -> Decision {
    Decision::Wait { millis }
}

fn pause(reason: &str) -> Decision {
    Decision::Pause { reason: reason.to_owned() }
}

fn rollback(reason: &str) -> Decision {
    Decision::Rollback { reason: reason.to_owned() }
}

/// The example of the schema, which is that of the module.
fn train() -> Value {
    STEPS.config_schema()["examples"][0].clone()
}

/// Asks one strategy again and again, as a host that keeps its state.
struct Asked {
    config: Value,
    state: Value,
}

impl Asked {
    fn new(config: Value) -> Self {
        assert!(
            STEPS.validate(&config).unwrap().iter().all(|d| d.severity != Severity::Error),
            "{config}"
        );
        Self { config, state: Value::Null }
    }

    fn sees(&mut self, seen: &Observation) -> Decision {
        let (decision, state) = STEPS.decide(&self.config, &self.state, seen).unwrap();
        self.state = state;
        decision
    }

    /// At a weight that has been in force for so long, after so many approvals at it.
    fn at(&mut self, weight: u16, bake_elapsed_ms: u64, approvals: u32) -> Decision {
        let weight_bp = bp(weight);
        self.sees(&Observation { weight_bp, bake_elapsed_ms, approvals, ..Observation::default() })
    }
}

#[test]
fn the_config_that_its_schema_shows_is_valid() {
    assert_eq!(laws::examples_are_valid(STEPS), Ok(()));
}

#[test]
fn an_outline_promises_bakes_and_bounds_approvals() {
    let step = |weight, min, max| OutlineStep {
        weight_bp: bp(weight),
        bake_ms_min: min * MINUTE,
        bake_ms_max: max * MINUTE,
    };
    let outline = STEPS.outline(&train(), &target()).unwrap();
    assert_eq!(outline.steps, [step(500, 5, 5), step(2500, 10, 130), step(6000, 10, 10)]);
    assert_eq!(outline.duration_ms_max, 145 * MINUTE);
    // Without a timeout, a day; before the first shift, no step's, but part of the whole.
    let config = json!({"steps": [{"approve": "may it begin?"}, {"weight": 10, "bake": "1h"}]});
    let outline = STEPS.outline(&config, &target()).unwrap();
    assert_eq!(outline.steps, [step(1000, 60, 60)]);
    assert_eq!(outline.duration_ms_max, 25 * HOUR);
}

#[test]
fn the_steps_follow_each_other_and_the_promotion_the_last() {
    let walk = laws::healthy_walk(STEPS, &train()).unwrap();
    let question = "product looks at the dashboards (within 2h, else it goes back)";
    assert_eq!(
        walk.decisions,
        [
            shift(500),
            wait(5 * MINUTE),
            shift(2500),
            wait(10 * MINUTE),
            pause(question),
            shift(6000),
            wait(10 * MINUTE),
            Decision::Promote,
        ]
    );
    assert_eq!(walk.shifting_ms, 25 * MINUTE);
}

#[test]
fn an_approval_that_nobody_gives_ends_at_its_timeout() {
    let question = "nobody approved within 2h: product looks at the dashboards";
    let walk = laws::unattended_walk(STEPS, &train()).unwrap();
    assert_eq!(walk.decisions.last(), Some(&rollback(question)));
    assert_eq!(walk.shifting_ms, 5 * MINUTE + 10 * MINUTE + 2 * HOUR);

    let mut config = train();
    config["steps"][2]["on_timeout"] = json!("continue");
    let walk = laws::unattended_walk(STEPS, &config).unwrap();
    assert_eq!(walk.decisions.last(), Some(&Decision::Promote));
    assert_eq!(walk.shifting_ms, 145 * MINUTE);
}

#[test]
fn a_bake_that_follows_an_approval_begins_with_it() {
    let steps = json!([
        {"weight": 10, "bake": "10m"},
        {"approve": "good?", "timeout": "1h"},
        {"bake": "5m"},
    ]);
    let mut asked = Asked::new(json!({"steps": steps}));
    let question = "good? (within 1h, else it goes back)";
    assert_eq!(asked.at(1000, 9 * MINUTE, 0), wait(MINUTE));
    assert_eq!(asked.at(1000, 10 * MINUTE, 0), pause(question));
    assert_eq!(asked.at(1000, 40 * MINUTE, 0), pause(question));
    assert_eq!(asked.at(1000, 41 * MINUTE, 1), wait(5 * MINUTE));
    assert_eq!(asked.at(1000, 45 * MINUTE, 1), wait(MINUTE));
    assert_eq!(asked.at(1000, 46 * MINUTE, 1), Decision::Promote);
}

#[test]
fn one_that_goes_on_unapproved_begins_its_next_bake_at_the_timeout() {
    let steps = json!([
        {"weight": 10},
        {"approve": "good?", "timeout": "10m", "on_timeout": "continue"},
        {"bake": "5m"},
    ]);
    let mut asked = Asked::new(json!({"steps": steps}));
    assert_eq!(asked.at(1000, 0, 0), pause("good? (within 10m, else it goes on)"));
    // It was noticed four minutes late.
    assert_eq!(asked.at(1000, 14 * MINUTE, 0), wait(MINUTE));
    assert_eq!(asked.at(1000, 15 * MINUTE, 0), Decision::Promote);
}

#[test]
fn one_approval_ends_one_pause() {
    let steps = json!([
        {"weight": 10},
        {"approve": "first", "timeout": "10m", "on_timeout": "continue"},
        {"approve": "second", "timeout": "10m"},
        {"weight": 20},
        {"approve": "third", "timeout": "10m"},
    ]);
    let mut asked = Asked::new(json!({"steps": steps}));
    let [first, second, third] = [
        pause("first (within 10m, else it goes on)"),
        pause("second (within 10m, else it goes back)"),
        pause("third (within 10m, else it goes back)"),
    ];
    assert_eq!(asked.at(1000, 0, 0), first);
    assert_eq!(asked.at(1000, MINUTE, 1), second);
    assert_eq!(asked.at(1000, 2 * MINUTE, 1), second);
    assert_eq!(asked.at(1000, 3 * MINUTE, 2), shift(2000));
    // The host counts anew at every weight.
    assert_eq!(asked.at(2000, 0, 0), third);
    assert_eq!(asked.at(2000, MINUTE, 1), Decision::Promote);

    // The first one's timeout uses up nobody's word.
    let mut asked = Asked::new(asked.config);
    assert_eq!(asked.at(1000, 10 * MINUTE, 0), second);
    assert_eq!(asked.at(1000, 11 * MINUTE, 1), shift(2000));
}

#[test]
fn a_person_who_comes_before_the_timeout_was_noticed_comes_in_time() {
    let steps = json!([{"weight": 10}, {"approve": "good?", "timeout": "10m"}]);
    let mut asked = Asked::new(json!({"steps": steps}));
    assert!(matches!(asked.at(1000, 9 * MINUTE, 0), Decision::Pause { .. }));
    assert_eq!(asked.at(1000, 10 * MINUTE + 14_000, 1), Decision::Promote);
}

#[test]
fn an_approval_before_the_first_shift_can_time_out() {
    let steps =
        json!([{"approve": "may it begin?", "timeout": "30m"}, {"weight": 10, "bake": "1m"}]);
    let mut asked = Asked::new(json!({"steps": steps}));
    assert_eq!(asked.at(0, 0, 0), pause("may it begin? (within 30m, else it goes back)"));
    assert_eq!(asked.at(0, 20 * MINUTE, 1), shift(1000));
    let mut asked = Asked::new(asked.config);
    assert_eq!(asked.at(0, 30 * MINUTE, 0), rollback("nobody approved within 30m: may it begin?"));
}

#[test]
fn whoever_does_not_know_when_an_approval_came_waits_too_long_never_too_short() {
    let steps = json!([
        {"weight": 10, "bake": "10m"},
        {"approve": "good?", "timeout": "1h"},
        {"bake": "5m"},
    ]);
    // A new owner: nothing is remembered, and the time at the weight begins again.
    let mut asked = Asked::new(json!({"steps": steps}));
    assert_eq!(asked.at(1000, HOUR, 1), wait(5 * MINUTE));
    assert_eq!(asked.at(1000, HOUR + 5 * MINUTE, 1), Decision::Promote);
    // Somebody was at the alias, and the host has kept what was approved: it bakes again.
    let mut asked = Asked::new(asked.config);
    assert!(matches!(asked.at(1000, 10 * MINUTE, 0), Decision::Pause { .. }));
    assert_eq!(asked.at(1000, 50 * MINUTE, 1), wait(5 * MINUTE));
    assert_eq!(asked.at(1000, 0, 1), wait(10 * MINUTE));
    assert_eq!(asked.at(1000, 10 * MINUTE, 1), wait(5 * MINUTE));
    assert_eq!(asked.at(1000, 15 * MINUTE, 1), Decision::Promote);
}

#[test]
fn what_was_approved_before_the_time_began_again_is_asked_again() {
    let steps = json!([
        {"weight": 10},
        {"approve": "first", "timeout": "10m", "on_timeout": "continue"},
        {"approve": "second", "timeout": "10m"},
        {"bake": "5m"},
    ]);
    let [first, second] = [
        pause("first (within 10m, else it goes on)"),
        pause("second (within 10m, else it goes back)"),
    ];
    // Nobody answered the first; the second was given; then somebody was at the alias. The time
    // seen next may be less than it was, or more.
    for seen_next_ms in [0, 12 * MINUTE] {
        let mut asked = Asked::new(json!({"steps": steps}));
        assert_eq!(asked.at(1000, 10 * MINUTE, 0), second);
        assert_eq!(asked.at(1000, 11 * MINUTE, 1), wait(5 * MINUTE));
        let again = if seen_next_ms == 0 { first.clone() } else { second.clone() };
        assert_eq!(asked.at(1000, seen_next_ms, 0), again);
    }
}

#[test]
fn a_firing_alarm_goes_back_and_one_that_cannot_be_told_holds() {
    let unknown = |weight, bake_elapsed_ms, approvals| Observation {
        weight_bp: bp(weight),
        bake_elapsed_ms,
        approvals,
        alarms_unknown: 1,
        ..Observation::default()
    };
    for (weight, minutes, approvals) in [(0, 0, 0), (500, 5, 0), (2500, 10, 0), (2500, 10, 1)] {
        let seen = unknown(weight, minutes * MINUTE, approvals);
        let firing = Observation { alarms_firing: 2, ..seen };
        assert_eq!(Asked::new(train()).sees(&firing), rollback("2 alarms are firing"));
        let held = Asked::new(train()).sees(&seen);
        assert!(matches!(held, Decision::Wait { .. } | Decision::Pause { .. }), "{held:?}");
    }
    // Approved under an alarm that cannot be told: not forgotten when it can.
    let mut asked = Asked::new(train());
    asked.sees(&unknown(2500, 11 * MINUTE, 1));
    assert_eq!(asked.at(2500, 12 * MINUTE, 1), shift(6000));
}

#[test]
fn every_wrong_step_is_named_with_a_way_out() {
    for (steps, path, words) in [
        (json!([]), "steps", "no steps"),
        (json!(vec![json!({"approve": "x"}); 101]), "steps", "more than 100"),
        (json!([{}]), "steps[0]", "says nothing"),
        (json!([{"weight": 0, "bake": "1m"}]), "steps[0].weight", "0% of the traffic"),
        (json!([{"weight": 100, "bake": "1m"}]), "steps[0].weight", "is the promotion"),
        (
            json!([{"weight": 20, "bake": "1m"}, {"weight": 20, "bake": "1m"}]),
            "steps[1].weight",
            "20% is not above the 20% before it",
        ),
        (json!([{"weight": 10, "bake": "0s"}]), "steps[0].bake", "no time"),
        (json!([{"bake": "1m"}, {"weight": 10, "bake": "1m"}]), "steps[0].bake", "no traffic"),
        (json!([{"weight": 10, "approve": "x"}]), "steps[0].approve", "what comes first"),
        (
            json!([{"weight": 10}, {"bake": "1m", "approve": "x"}]),
            "steps[1].approve",
            "what comes first",
        ),
        (json!([{"approve": " "}]), "steps[0].approve", "what to judge"),
        (json!([{"approve": "x", "timeout": "0s"}]), "steps[0].timeout", "in no time"),
        (json!([{"approve": "x", "timeout": "8d"}]), "steps[0].timeout", "8d is longer than 7d"),
        (
            json!([{"weight": 10, "bake": "1m", "timeout": "1m"}]),
            "steps[0].timeout",
            "belongs to an approval",
        ),
        (
            json!([{"weight": 10, "bake": "1m", "on_timeout": "continue"}]),
            "steps[0].on_timeout",
            "belongs to an approval",
        ),
    ] {
        let found = STEPS.validate(&json!({"steps": steps})).unwrap();
        assert_eq!(found.len(), 1, "{steps}: {found:?}");
        assert_eq!((found[0].path.as_str(), found[0].severity), (path, Severity::Error));
        assert!(found[0].message.contains(words) && found[0].hint.is_some(), "{found:?}");
    }
    for (step, path) in [
        (json!({"weight": 101}), "steps[0].weight"),
        (json!({"bake": 5}), "steps[0].bake"),
        (json!({"approve": "x", "on_timeout": "pause"}), "steps[0].on_timeout"),
        (json!({"weigth": 5}), "steps[0].weigth"),
    ] {
        let found = STEPS.validate(&json!({"steps": [step]})).unwrap();
        assert_eq!((found.len(), found[0].path.as_str()), (1, path), "{found:?}");
    }
    let all = json!({"steps": [{"weight": 0}, {}, {"timeout": "1m"}, {"weight": 200.0}]});
    assert_eq!(STEPS.validate(&all).unwrap().len(), 1, "a value that cannot be read comes first");
    let all = json!({"steps": [{"weight": 0, "bake": "0s"}, {}, {"timeout": "1m"}]});
    assert_eq!(STEPS.validate(&all).unwrap().len(), 5);
}

#[test]
fn a_weight_that_is_left_at_once_is_doubted() {
    let found =
        STEPS.validate(&json!({"steps": [{"weight": 5}, {"weight": 25, "bake": "1m"}]})).unwrap();
    assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
    assert_eq!(found[0].path, "steps[0].weight");
    let fine = json!({"steps": [{"weight": 5}, {"approve": "x"}]});
    assert_eq!(STEPS.validate(&fine).unwrap(), []);
}

/// A step in the making: whether a weight comes before it, its bake, its approval's timeout, and
/// whether it goes on after it.
type Draft = (bool, u64, Option<(u64, bool)>);

/// A config that is valid but for doubts.
fn config(drafts: Vec<Draft>) -> Value {
    let mut weight = 0;
    let mut steps = vec![];
    for (climbs, bake, approval) in drafts {
        if climbs {
            weight += 7;
            steps.push(json!({"weight": weight}));
        }
        if weight > 0 && bake > 0 {
            steps.push(json!({"bake": format!("{bake}s")}));
        }
        if let Some((timeout, goes_on)) = approval {
            let on_timeout = if goes_on { "continue" } else { "rollback" };
            let timeout = format!("{timeout}s");
            steps.push(json!({"approve": "x", "timeout": timeout, "on_timeout": on_timeout}));
        }
    }
    steps.push(json!({"weight": 99, "bake": "1m"}));
    json!({"steps": steps})
}

fn drafts() -> impl proptest::strategy::Strategy<Value = Vec<Draft>> {
    let approval = proptest::option::of((1_u64..900, any::<bool>()));
    vec((any::<bool>(), 0_u64..600, approval), 0..10)
}

fn turn() -> impl proptest::strategy::Strategy<Value = Turn> {
    let firing = prop_oneof![19 => Just(0_u32), 1 => 1..3_u32];
    let unknown = prop_oneof![4 => Just(0_u32), 1 => 1..3_u32];
    (firing, unknown, 0..400_000_u64, any::<bool>()).prop_map(
        |(firing, unknown, passes_ms, approves)| Turn { firing, unknown, passes_ms, approves },
    )
}

proptest! {
    #[test]
    fn the_laws_of_strategies_hold(drafts in drafts(), trace in vec(turn(), 0..40)) {
        let config = config(drafts);
        prop_assert!(jsonschema::is_valid(&STEPS.config_schema(), &config));
        prop_assert!(STEPS.validate(&config).unwrap().iter().all(|d| d.severity == Severity::Warning));
        prop_assert_eq!(laws::strategy(STEPS, &config, &trace), Ok(()));
    }

    #[test]
    fn a_rollout_that_nobody_attends_ends_inside_its_outline(drafts in drafts()) {
        let config = config(drafts);
        let outline = STEPS.outline(&config, &target()).unwrap();
        let walk = laws::unattended_walk(STEPS, &config).unwrap();
        // A timeout is noticed when the host asks, at most a quarter of a minute late.
        let late = 15_000 * 10;
        prop_assert!(walk.shifting_ms <= outline.duration_ms_max + late);
        let end = walk.decisions.last();
        let is_end = matches!(end, Some(Decision::Promote | Decision::Rollback { .. }));
        prop_assert!(is_end, "{:?}", end);
    }

    #[test]
    fn no_observation_makes_it_panic_or_shift_elsewhere(
        drafts in drafts(),
        observations in vec(
            (0_u16..=10_000, any::<u64>(), 0_u32..4, 0_u32..2, 0_u32..3), 1..8,
        ),
    ) {
        let config = config(drafts);
        let outline = STEPS.outline(&config, &target()).unwrap();
        let mut asked = Asked::new(config);
        for (weight, bake_elapsed_ms, approvals, alarms_firing, alarms_unknown) in observations {
            let weight_bp = bp(weight);
            let seen = Observation {
                weight_bp,
                bake_elapsed_ms,
                rollout_elapsed_ms: bake_elapsed_ms,
                alarms_firing,
                alarms_unknown,
                alarms_ok: 0,
                approvals,
            };
            let decision = asked.sees(&seen);
            if let Decision::Shift { weight_bp: to } = decision {
                prop_assert!(to > weight_bp);
                prop_assert!(outline.steps.iter().any(|step| step.weight_bp == to));
            }
            let goes_up = matches!(decision, Decision::Shift { .. } | Decision::Promote);
            prop_assert!(!goes_up || (alarms_firing == 0 && alarms_unknown == 0));
        }
    }
}
