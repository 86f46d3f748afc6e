//! The simulation with strategies of a few lines.

use proptest::prelude::*;

use super::*;
use crate::plan::OutlineStep;

const MINUTE: Duration = Duration::from_mins(1);

type Decides = fn(&Observation) -> Decision;

fn bp(bp: u16) -> Weight {
    Weight::from_bp(bp).unwrap()
}

fn outline() -> Outline {
    let step = |weight, minutes: u32| OutlineStep {
        weight: bp(weight),
        bake_min: MINUTE * minutes,
        bake_max: MINUTE * minutes,
    };
    Outline { steps: vec![step(1000, 5), step(5000, 10)], longest: 15 * MINUTE }
}

/// Climbs the outline as the strategies that ship do.
fn climb(seen: &Observation) -> Decision {
    let outline = outline();
    let step = outline.steps.iter().find(|step| step.weight == seen.weight);
    let rest = step.map(|step| step.bake_min.saturating_sub(seen.bake_elapsed));
    match rest.filter(|rest| !rest.is_zero()) {
        _ if seen.alarms_firing > 0 => Decision::Rollback("1 alarm is firing".into()),
        Some(rest) => Decision::Wait(rest),
        None if seen.alarms_unknown > 0 => Decision::Wait(Duration::from_secs(10)),
        None => match outline.steps.iter().find(|step| step.weight > seen.weight) {
            Some(step) => Decision::Shift(step.weight),
            None => Decision::Promote,
        },
    }
}

/// The same, with a person's word before the promotion.
fn careful(seen: &Observation) -> Decision {
    match climb(seen) {
        Decision::Promote if seen.approvals == 0 => Decision::Pause("good?".into()),
        decision => decision,
    }
}

fn play(decides: Decides, scenario: &str) -> Story {
    play_in(outline(), decides, scenario)
}

fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

/// The outline of a climb that may stay at 50% for so long.
fn attended(bake_max: Duration) -> Outline {
    let mut outline = outline();
    outline.steps[1].bake_max = bake_max;
    outline.longest = 5 * MINUTE + bake_max;
    outline
}

fn play_in(outline: Outline, decides: Decides, scenario: &str) -> Story {
    let scenario = Scenario::parse([scenario]).unwrap();
    let mut simulation = Simulation::new(outline, scenario);
    loop {
        match simulation.next() {
            Next::Ask { seen, .. } => simulation.answer(decides(&seen), Opaque("1".into())),
            Next::Ended(story) => return story,
        }
    }
}

/// The story in short: `0s 10% shift to 10%`.
fn told(story: &Story) -> Vec<String> {
    let words = |entry: &Entry| match &entry.decision {
        None => entry.note.clone(),
        Some(Decision::Shift(weight)) => format!("shift {weight}"),
        Some(Decision::Wait(span)) => {
            format!("wait {} x{}", crate::time::human(*span), entry.times)
        }
        Some(Decision::Pause(on)) => format!("pause {on} x{}", entry.times),
        Some(Decision::Promote) => "promote".into(),
        Some(Decision::Rollback(why)) => format!("rollback {why}"),
    };
    let line = |e: &Entry| format!("{} {} {}", crate::time::human(e.at), e.weight, words(e));
    story.entries.iter().map(line).collect()
}

#[test]
fn a_healthy_rollout_climbs_to_the_promotion() {
    let story = play(climb, "healthy");
    assert_eq!(
        told(&story),
        [
            "0s 10% shift 10%",
            "0s 10% wait 5m x1",
            "5m 50% shift 50%",
            "5m 50% wait 10m x1",
            "15m 100% promote",
        ]
    );
    assert_eq!((story.end, story.took, story.decisions), (End::Promoted, 15 * MINUTE, 5));
    assert_eq!(story.entries[0].alarms, Alarms { ok: 1, ..Alarms::default() });
}

#[test]
fn a_firing_alarm_is_put_to_the_strategy_at_once() {
    for (scenario, at) in [("alarm-at-40%", "5m"), ("alarm-at-12m", "12m"), ("alarm-at-0s", "0s")] {
        let story = play(climb, scenario);
        let lines = told(&story);
        let weight = if at == "0s" { "10%" } else { "50%" };
        assert_eq!(
            lines[lines.len() - 2..],
            [
                format!("{at} {weight} {scenario}: the alarm fires"),
                format!("{at} 0% rollback 1 alarm is firing"),
            ]
        );
        assert_eq!(story.end, End::RolledBack { reason: "1 alarm is firing".into() });
    }
}

#[test]
fn a_strategy_that_does_not_mind_alarms_is_not_followed() {
    let deaf: Decides = |seen| climb(&Observation { alarms_firing: 0, ..*seen });
    let story = play(deaf, "alarm-at-12m");
    let lines = told(&story);
    assert_eq!(
        lines[lines.len() - 3..],
        [
            "12m 50% alarm-at-12m: the alarm fires",
            "12m 50% wait 3m x1",
            "12m 0% the release goes back by itself: an alarm fires",
        ]
    );
    assert_eq!(story.entries[lines.len() - 2].note, "not followed");
    assert_eq!(story.end, End::RolledBack { reason: "an alarm fires".into() });
}

#[test]
fn an_alarm_that_cannot_tell_holds_until_it_can() {
    let story = play(climb, "unknown-at-14m-for-3m");
    let lines = told(&story);
    assert_eq!(
        lines[lines.len() - 4..],
        [
            "14m 50% unknown-at-14m-for-3m: the alarm cannot tell",
            "15m 50% wait 10s x8",
            "17m 50% unknown-at-14m-for-3m: the alarm is quiet again",
            "17m 100% promote",
        ]
    );
    assert_eq!(story.end, End::Promoted);
}

#[test]
fn unknown_is_never_taken_for_quiet() {
    let blunt: Decides = |seen| climb(&Observation { alarms_unknown: 0, ..*seen });
    let story = play(blunt, "unknown-at-50%");
    assert_eq!(story.end, End::RolledBack { reason: "an alarm could not tell for 10m".into() });
    assert!(story.entries.iter().all(|entry| entry.weight < Weight::FULL));
    // A short while is waited for, whatever the strategy wants.
    let story = play(blunt, "unknown-at-50%-for-12m");
    assert_eq!((story.end, story.took), (End::Promoted, 17 * MINUTE));
}

#[test]
fn a_pause_is_approved_as_the_scenario_says_or_never() {
    let hour = Duration::from_hours(1);
    let play = |decides, scenario| play_in(attended(hour), decides, scenario);
    let story = play(careful, "approve-after-10m");
    let lines = told(&story);
    assert_eq!(
        lines[lines.len() - 3..],
        ["15m 50% pause good? x40", "25m 50% a person says: go on", "25m 100% promote"]
    );
    let story = play(careful, "healthy");
    let End::BrokeOutline(breach) = &story.end else { panic!("{story:?}") };
    assert_eq!(breach.to_string(), "to pause at 50% after 1h10m, where it promised 1h at the most");
    // While it pauses, alarms still count.
    let story = play(careful, "alarm-at-20m");
    assert_eq!(
        (story.end, story.took),
        (End::RolledBack { reason: "1 alarm is firing".into() }, 20 * MINUTE)
    );
}

#[test]
fn a_strategy_that_leaves_its_outline_is_stopped_by_the_same_fence() {
    let hasty: Decides = |seen| match climb(seen) {
        Decision::Wait(_) => Decision::Promote,
        decision => decision,
    };
    let story = play(hasty, "healthy");
    let End::BrokeOutline(breach) = &story.end else { panic!("{story:?}") };
    assert_eq!(breach.to_string(), "to promote, but 50% comes first");
    assert_eq!(story.entries.last().map(|entry| entry.weight), Some(Weight::ZERO));
}

#[test]
fn a_strategy_that_never_decides_comes_to_an_end_all_the_same() {
    let for_ever = Outline { longest: Duration::MAX, ..outline() };
    let story = play_in(for_ever, |_| Decision::Wait(Duration::ZERO), "healthy");
    assert_eq!((&story.end, story.decisions), (&End::Endless, limits::DECISIONS));
    assert_eq!(story.entries.len(), 2);
}

#[test]
fn a_pause_that_is_promised_for_ever_comes_to_an_end_all_the_same() {
    let for_ever = Outline { longest: Duration::MAX, ..outline() };
    let story = play_in(for_ever, |_| Decision::Pause("good?".into()), "healthy");
    assert_eq!(story.end, End::Paused { on: "good?".into() });
    assert!(story.took >= days(30) && story.took < days(31), "{:?}", story.took);
}

#[test]
fn a_strategy_that_only_waits_does_not_hold_its_weight_for_ever() {
    let idle: Decides = |seen| match climb(seen) {
        Decision::Promote => Decision::Wait(Duration::from_hours(48)),
        decision => decision,
    };
    let story = play(idle, "healthy");
    let End::BrokeOutline(breach) = &story.end else { panic!("{story:?}") };
    assert_eq!(breach.to_string(), "to wait at 50% after 20m, where it promised 10m at the most");
    assert_eq!(story.took, 25 * MINUTE);
}

#[test]
fn blindness_counts_from_the_shortest_bake_however_long_a_person_may_take() {
    let story = play_in(attended(days(1)), climb, "unknown-at-14m");
    let why = "an alarm could not tell for 10m";
    assert_eq!(story.end, End::RolledBack { reason: why.into() });
    assert!(story.took < 26 * MINUTE, "{:?}", story.took);
    // A pause is not ended by it: a person may take that time.
    let pauses: Decides = |seen| match climb(&Observation { alarms_unknown: 0, ..*seen }) {
        Decision::Promote if seen.approvals == 0 => Decision::Pause("good?".into()),
        decision => decision,
    };
    let story = play_in(attended(days(1)), pauses, "unknown-at-14m-for-2h,approve-after-3h");
    assert_eq!(story.end, End::Promoted);
}

#[test]
fn a_pause_that_goes_on_is_one_decision() {
    let curious: Decides = |seen| match climb(seen) {
        Decision::Promote if seen.approvals == 0 && seen.bake_elapsed < days(18) => {
            Decision::Pause("good?".into())
        }
        decision => decision,
    };
    let story = play_in(attended(days(21)), curious, "healthy");
    assert_eq!(story.end, End::Promoted);
    assert!(story.took >= days(18) && story.decisions > limits::DECISIONS, "{}", story.decisions);
}

#[test]
fn a_strategy_that_cannot_decide_ends_the_story() {
    let mut simulation = Simulation::new(outline(), Scenario::default());
    simulation.fail("it panicked".into());
    simulation.answer(Decision::Promote, Opaque(String::new()));
    let Next::Ended(story) = simulation.next() else { panic!("it goes on") };
    assert_eq!(story.end, End::Failed { reason: "it panicked".into() });
}

#[test]
fn what_a_strategy_remembers_is_handed_back() {
    let mut simulation = Simulation::new(outline(), Scenario::default());
    let Next::Ask { state: None, .. } = simulation.next() else { panic!("no first question") };
    simulation.answer(Decision::Wait(MINUTE), Opaque("7".into()));
    let Next::Ask { state, seen } = simulation.next() else { panic!("no second question") };
    assert_eq!((state, seen.bake_elapsed), (Some(Opaque("7".into())), MINUTE));
}

#[test]
fn trouble_that_was_never_reached_is_told() {
    let story = play(climb, "alarm-at-80%, alarm-at-2h, unknown-at-10%-for-1m");
    assert_eq!(story.end, End::Promoted);
    assert_eq!(story.unmet, ["alarm-at-80%", "alarm-at-2h"]);
}

/// Any decision at all, the sensible ones more often.
fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![
        3 => prop::sample::select(vec![1000_u16, 5000, 2000, 0, 10_000]).prop_map(|w| Decision::Shift(bp(w))),
        3 => (0_u64..1_200_000).prop_map(|ms| Decision::Wait(Duration::from_millis(ms))),
        1 => Just(Decision::Pause("p".into())),
        1 => Just(Decision::Promote),
        1 => Just(Decision::Rollback("r".into())),
    ]
}

proptest! {
    #[test]
    fn whatever_is_decided_time_goes_on_and_weights_are_the_promised_ones(
        decisions in proptest::collection::vec(decision(), 0..30),
        scenario in prop::sample::select(vec![
            "healthy", "alarm-at-10%", "alarm-at-7m-for-1m", "unknown-at-50%,approve-after-1m",
        ]),
    ) {
        let mut simulation = Simulation::new(outline(), Scenario::parse([scenario]).unwrap());
        for decision in decisions.into_iter().chain([Decision::Rollback("end".into())]) {
            simulation.answer(decision, Opaque("1".into()));
        }
        let Next::Ended(story) = simulation.next() else { panic!("it goes on") };
        prop_assert!(story.entries.is_sorted_by_key(|entry| entry.at));
        let mut weights: Vec<Weight> = story.entries.iter().map(|entry| entry.weight).collect();
        weights.dedup();
        weights.retain(|weight| *weight > Weight::ZERO);
        prop_assert!([bp(1000), bp(5000), Weight::FULL].starts_with(&weights), "{:?}", weights);
        let unhealthy = |entry: &Entry| entry.alarms.firing + entry.alarms.unknown > 0;
        let is_over_baked = story.end != End::Promoted || story.took >= 15 * MINUTE;
        prop_assert!(is_over_baked);
        if let (End::Promoted, Some(last)) = (&story.end, story.entries.last()) {
            prop_assert!(!unhealthy(last));
        }
    }
}
