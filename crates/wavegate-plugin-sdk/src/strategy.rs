//! Strategies that climb: a list of weights, each baked for a while, then the promotion.
//!
//! The weight in force *is* the state of a climb, so nothing has to be remembered: whoever takes
//! over a rollout and sees the alias goes on from there. A strategy that decides otherwise (by
//! traffic, by time of day) writes its own `decide`.

use wavegate_plugin_protocol::{Decision, Observation, Outline, OutlineStep, WeightBp};

use crate::config::HumanDuration;

/// How long to wait before asking again when an alarm cannot be told, in milliseconds. The host
/// asks earlier when a reading changes, and bounds how often this may be.
pub const UNKNOWN_RECHECK_MS: u64 = 10_000;

/// The outline of a climb over `rungs`: a weight and how long it is baked, lowest first.
///
/// Rungs that are no step (no traffic, all of it, or not above the one before) are left out, so
/// that every config has a legal outline.
pub fn outline(rungs: impl IntoIterator<Item = (WeightBp, HumanDuration)>) -> Outline {
    let mut steps: Vec<OutlineStep> = Vec::new();
    for (weight_bp, bake) in rungs {
        let below = steps.last().map_or(WeightBp::NONE, |step| step.weight_bp);
        if weight_bp > below && weight_bp < WeightBp::FULL {
            let bake_ms = bake.millis();
            steps.push(OutlineStep { weight_bp, bake_ms_min: bake_ms, bake_ms_max: bake_ms });
        }
    }
    let duration_ms_max =
        steps.iter().fold(0_u64, |total, step| total.saturating_add(step.bake_ms_max));
    Outline { steps, duration_ms_max }
}

/// The next decision of a climb over `outline`.
///
/// A firing alarm goes back. An alarm that cannot be told holds the climb where it is: it neither
/// shifts up nor promotes.
pub fn climb(outline: &Outline, seen: &Observation) -> Decision {
    if let Some(rollback) = rollback_when_firing(seen) {
        return rollback;
    }
    let rung = outline.steps.iter().rfind(|step| step.weight_bp <= seen.weight_bp);
    if let Some(rest) = rung.and_then(|step| step.bake_ms_min.checked_sub(seen.bake_elapsed_ms))
        && rest > 0
    {
        return Decision::Wait { millis: rest };
    }
    if seen.alarms_unknown > 0 {
        return Decision::Wait { millis: UNKNOWN_RECHECK_MS };
    }
    match outline.steps.iter().find(|step| step.weight_bp > seen.weight_bp) {
        Some(next) => Decision::Shift { weight_bp: next.weight_bp },
        None => Decision::Promote,
    }
}

/// Going back, if any alarm fires.
pub fn rollback_when_firing(seen: &Observation) -> Option<Decision> {
    match seen.alarms_firing {
        0 => None,
        1 => Some(Decision::Rollback { reason: "1 alarm is firing".to_owned() }),
        many => Some(Decision::Rollback { reason: format!("{many} alarms are firing") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_rungs() -> Outline {
        outline([
            (WeightBp::new(1_000).unwrap(), HumanDuration::from_millis(100)),
            (WeightBp::new(5_000).unwrap(), HumanDuration::from_millis(200)),
        ])
    }

    fn seen(weight_bp: u16, bake_elapsed_ms: u64) -> Observation {
        let weight_bp = WeightBp::new(weight_bp).unwrap();
        Observation { weight_bp, bake_elapsed_ms, ..Observation::default() }
    }

    #[test]
    fn a_climb_goes_on_from_the_weight_in_force() {
        let shift = |bp| Decision::Shift { weight_bp: WeightBp::new(bp).unwrap() };
        for (observation, expected) in [
            (seen(0, 9_999), shift(1_000)),
            (seen(400, 0), shift(1_000)),
            (seen(1_000, 0), Decision::Wait { millis: 100 }),
            (seen(1_000, 99), Decision::Wait { millis: 1 }),
            (seen(1_000, 100), shift(5_000)),
            // A weight between two rungs, set by somebody: baked as the rung below it.
            (seen(3_000, 50), Decision::Wait { millis: 50 }),
            (seen(3_000, 100), shift(5_000)),
            (seen(5_000, 100), Decision::Wait { millis: 100 }),
            (seen(5_000, 200), Decision::Promote),
            (seen(10_000, 200), Decision::Promote),
        ] {
            assert_eq!(climb(&two_rungs(), &observation), expected, "{observation:?}");
        }
    }

    #[test]
    fn a_firing_alarm_never_promotes() {
        for weight in [0, 1_000, 5_000, 10_000] {
            let observation = Observation { alarms_firing: 1, ..seen(weight, u64::MAX) };
            assert!(matches!(climb(&two_rungs(), &observation), Decision::Rollback { .. }));
        }
    }

    #[test]
    fn an_alarm_that_cannot_be_told_holds_the_climb() {
        for weight in [0, 1_000, 5_000, 10_000] {
            let observation = Observation { alarms_unknown: 1, ..seen(weight, u64::MAX) };
            assert_eq!(
                climb(&two_rungs(), &observation),
                Decision::Wait { millis: UNKNOWN_RECHECK_MS }
            );
        }
    }

    #[test]
    fn rungs_that_are_no_step_are_left_out() {
        let rungs = [0, 2_000, 2_000, 1_000, 10_000, 9_999];
        let outline =
            outline(rungs.map(|bp| (WeightBp::new(bp).unwrap(), HumanDuration::from_millis(7))));
        let weights: Vec<u16> = outline.steps.iter().map(|step| step.weight_bp.get()).collect();
        assert_eq!((weights, outline.duration_ms_max), (vec![2_000, 9_999], 14));
    }
}
