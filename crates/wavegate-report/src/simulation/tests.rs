//! Rollouts that were played, as people and machines read them.

use std::time::Duration;

use proptest::prelude::*;
use wavegate_core::plan::{Outline, OutlineStep};
use wavegate_core::release::Observation;
use wavegate_core::simulate::{Next, Scenario, Simulation};
use wavegate_core::spec::Opaque;
use wavegate_core::weight::Weight;

use super::*;
use crate::style::{Charset, Color};

const UNICODE: Style = Style { charset: Charset::Unicode, color: Color::Never };

fn outline(steps: &[(u16, u64)]) -> Outline {
    let step = |(weight, minutes): &(u16, u64)| OutlineStep {
        weight: Weight::from_bp(*weight).unwrap(),
        bake_min: Duration::from_mins(*minutes),
        bake_max: Duration::from_mins(*minutes),
    };
    let longest = steps.iter().map(|(_, minutes)| Duration::from_mins(*minutes)).sum();
    Outline { steps: steps.iter().map(step).collect(), longest }
}

/// Climbs an outline, and asks a person at 50 %.
fn climb(outline: &Outline, seen: &Observation) -> Decision {
    let step = outline.steps.iter().find(|step| step.weight == seen.weight);
    let rest = step.map(|step| step.bake_min.saturating_sub(seen.bake_elapsed));
    match rest.filter(|rest| !rest.is_zero()) {
        _ if seen.alarms_firing > 0 => Decision::Rollback("1 alarm is firing".into()),
        Some(rest) => Decision::Wait(rest),
        None if seen.alarms_unknown > 0 => Decision::Wait(Duration::from_secs(10)),
        None if seen.weight.bp() == 5000 && seen.approvals == 0 => {
            Decision::Pause("is it good?".into())
        }
        None => match outline.steps.iter().find(|step| step.weight > seen.weight) {
            Some(step) => Decision::Shift(step.weight),
            None => Decision::Promote,
        },
    }
}

fn play(
    outline: &Outline,
    scenario: &str,
    mut decide: impl FnMut(&Observation) -> Decision,
) -> Story {
    let scenario = Scenario::parse([scenario]).unwrap();
    let mut simulation = Simulation::new(outline.clone(), scenario);
    loop {
        match simulation.next() {
            Next::Ask { seen, .. } => simulation.answer(decide(&seen), Opaque("1".into())),
            Next::Ended(story) => return story,
        }
    }
}

fn played(steps: &[(u16, u64)], scenario: &str) -> Story {
    let outline = outline(steps);
    play(&outline, scenario, |seen| climb(&outline, seen))
}

#[test]
fn a_healthy_climb_with_an_approval() {
    let story = played(&[(1000, 5), (5000, 10)], "unknown-at-2m-for-1m, approve-after-5m");
    insta::assert_snapshot!(simulation_text("careful (steps)", &story, UNICODE, 60), @r"
    careful (steps), scenario unknown-at-2m-for-1m, approve-after-5m
    promises 10% for 5m, 50% for 10m, then 100%

    100% ┤                                                    ┌─
         │                                                    │
         │                                                    │
         │                                                    │
         │                                                    │
     50% ┤             ┌──────────────────────────────────────┘
         │             │
         │             │
         │             │
         │─────────────┘
      0% ┤
         └──────────────────────────────────────────────────────
          0s                      10m                      20m
               ???                              ‖‖‖‖‖‖‖‖‖‖‖‖‖
          ? an alarm cannot tell  ‖ a person is waited for

    [    0s]    10%  shift to 10%
    [    0s]    10%  wait 5m
    [ 2m00s]    10%  unknown-at-2m-for-1m: the alarm cannot tell
    [ 3m00s]    10%  unknown-at-2m-for-1m: the alarm is quiet again
    [ 5m00s]    50%  shift to 50%
    [ 5m00s]    50%  wait 10m
    [15m00s]    50%  wait for an approval: is it good?, 20 times
    [20m00s]    50%  a person says: go on
    [20m00s]   100%  promote
    promoted after 20m00s; asked 25 times
    ");
}

#[test]
fn an_alarm_fires_in_ascii() {
    let story = played(&[(1000, 5), (4000, 10), (7000, 5)], "alarm-at-12m");
    insta::assert_snapshot!(simulation_text("careful", &story, Style::PLAIN, 50), @r"
    careful, scenario alarm-at-12m
    promises 10% for 5m, 40% for 10m, 70% for 5m, then 100%

    100% +
         |
         |
         |
         |
     50% +
         |                 +------------------------+
         |                 |                        |
         |                 |                        |
         |-----------------+                        |
      0% +                                          +-
         +--------------------------------------------
          0s                 6m                  12m
                                                   xx
          x an alarm fires

    [    0s]    10%  shift to 10%
    [    0s]    10%  wait 5m
    [ 5m00s]    40%  shift to 40%
    [ 5m00s]    40%  wait 10m
    [12m00s]    40%  alarm-at-12m: the alarm fires
    [12m00s]     0%  roll back: 1 alarm is firing
    rolled back after 12m00s: 1 alarm is firing; asked 5 times
    ");
}

#[test]
fn a_peak_that_goes_back_at_once_is_seen() {
    let story = played(&[(1000, 5), (4000, 10)], "alarm-at-40%, alarm-at-80%");
    insta::assert_snapshot!(simulation_text("careful", &story, UNICODE, 40), @r"
    careful, scenario alarm-at-40%, alarm-at-80%
    promises 10% for 5m, 40% for 10m, then 100%

    100% ┤
         │
         │
         │
         │
     50% ┤
         │                               ┌┐
         │                               ││
         │                               ││
         │───────────────────────────────┘│
      0% ┤                                └─
         └──────────────────────────────────
          0s           2m30s            5m
                                         ✖✖
          ✖ an alarm fires

    [    0s]    10%  shift to 10%
    [    0s]    10%  wait 5m
    [ 5m00s]    40%  shift to 40%
    [ 5m00s]    40%  alarm-at-40%: the alarm fires
    [ 5m00s]     0%  roll back: 1 alarm is firing
    rolled back after 5m00s: 1 alarm is firing; asked 4 times
    note: alarm-at-80% never came: the rollout was over before
    ");
}

#[test]
fn nothing_takes_time() {
    let story = played(&[], "healthy");
    insta::assert_snapshot!(simulation_text("all-at-once", &story, UNICODE, 30), @r"
    all-at-once, scenario healthy
    promises 100% at once

    100% ┤────────────────────────
         │
         │
         │
         │
     50% ┤
         │
         │
         │
         │
      0% ┤
         └────────────────────────
          0s

    [    0s]   100%  promote
    promoted after 0s; asked once
    ");
}

#[test]
fn every_end_is_told_in_words() {
    let outline = Outline { longest: Duration::MAX, ..outline(&[(1000, 5)]) };
    let end = |decision: Decision| {
        let story = play(&outline, "healthy", |_| decision.clone());
        simulation_text("odd", &story, Style::PLAIN, 40).lines().last().unwrap().to_owned()
    };
    let ends = [
        end(Decision::Pause("good?".into())),
        end(Decision::Promote),
        end(Decision::Wait(Duration::from_secs(1))),
        end(Decision::Rollback("no\x1b[2J".into())),
    ];
    insta::assert_snapshot!(ends.join("\n"), @r"
    pauses for ever, as nobody approves in this scenario: good?; asked 172802 times
    broke its outline after 0s (WG335): it decided to promote, but 10% comes first; asked once
    never ends: 1d03h, and asked 100000 times
    rolled back after 0s: no; asked once
    ");
    let mut simulation = Simulation::new(outline, Scenario::default());
    simulation.fail("it panicked".into());
    let Next::Ended(story) = simulation.next() else { panic!("it goes on") };
    let text = simulation_text("odd", &story, Style::PLAIN, 40);
    assert!(text.ends_with("could not decide after 0s: it panicked; asked 0 times\n"), "{text}");
}

#[test]
fn a_story_for_machines() {
    let story = played(&[(1000, 5)], "alarm-at-1m");
    let quiet = json!({ "ok": 1, "firing": 0, "unknown": 0 });
    let firing = json!({ "ok": 0, "firing": 1, "unknown": 0 });
    let entry = |at_ms: u64, weight_bp: u16, alarms: &Value, decision: Value, note: &str| {
        json!({
            "at_ms": at_ms, "weight_bp": weight_bp, "alarms": alarms, "decision": decision,
            "times": 1, "note": note,
        })
    };
    let reason = "1 alarm is firing";
    assert_eq!(
        simulation_json("careful", &story),
        json!({
            "v": 1,
            "strategy": "careful",
            "scenario": "alarm-at-1m",
            "outline": {
                "words": "10% for 5m, then 100%",
                "steps": [{ "weight_bp": 1000, "bake_min_ms": 300_000, "bake_max_ms": 300_000 }],
                "longest_ms": 300_000,
            },
            "end": { "kind": "rolled_back", "reason": reason },
            "took_ms": 60_000,
            "decisions": 3,
            "unmet": [],
            "entries": [
                entry(0, 1000, &quiet, json!({ "kind": "shift", "weight_bp": 1000 }), ""),
                entry(0, 1000, &quiet, json!({ "kind": "wait", "millis": 300_000 }), ""),
                entry(60_000, 1000, &firing, Value::Null, "alarm-at-1m: the alarm fires"),
                entry(60_000, 0, &firing, json!({ "kind": "rollback", "reason": reason }), ""),
            ],
        })
    );
}

proptest! {
    #[test]
    fn no_story_is_wider_than_asked_or_breaks_the_plot(
        climbs in proptest::collection::vec((1_u16..200, 0_u64..90), 0..40),
        scenario in prop::sample::select(vec![
            "healthy", "approve-after-1h", "alarm-at-7m", "unknown-at-5%-for-20m",
        ]),
        width in 0_usize..200,
    ) {
        let mut weight = 0;
        let mut steps = vec![];
        for (rise, minutes) in climbs {
            weight += rise;
            steps.push((weight, minutes));
        }
        let story = played(&steps, scenario);
        for charset in [Charset::Unicode, Charset::Ascii] {
            let lines = plot::lines(&story, charset, width);
            for line in &lines[..12] {
                prop_assert!(line.columns() <= width.max(26));
            }
            let style = Style { charset, color: Color::Never };
            let drawn: Vec<String> = lines.iter().map(|line| line.render(style)).collect();
            // The line is in every column: none is empty from the top to the bottom.
            let rows: Vec<Vec<char>> = drawn[..11].iter().map(|row| row.chars().collect()).collect();
            let columns = drawn[11].chars().count();
            for column in 6..columns {
                let cell = |row: &Vec<char>| row.get(column).is_some_and(|c| *c != ' ');
                prop_assert!(rows.iter().any(cell), "{}", drawn.join("\n"));
            }
        }
    }
}
