//! The fence: what a strategy may decide, given what it promised and what it saw.
//!
//! A strategy may be anybody's code. It promised an [`Outline`], people said yes to a plan that
//! shows it, and nothing else may happen to their traffic. The release machine and the simulation
//! share this one judgment.
//!
//! Going back, waiting and pausing are always inside: only what gives the candidate more traffic
//! is held against the promise.

use std::time::Duration;

use crate::plan::{Outline, OutlineStep};
use crate::release::{Decision, Observation};
use crate::time::human;
use crate::weight::Weight;

/// A decision outside the outline. Its words follow "decided": `to shift to 60%, which ...`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// The weight is none of the outline's.
    #[error("to shift to {weight}, which it did not promise")]
    NotPromised {
        /// The weight.
        weight: Weight,
    },
    /// The weight is not above the one in force.
    #[error("to shift to {weight}, which is not above the {present} in force")]
    NotUp {
        /// The weight.
        weight: Weight,
        /// The weight in force.
        present: Weight,
    },
    /// A step that comes first is left out.
    #[error("to {verb}, but {next} comes first")]
    Skips {
        /// What it wanted, in words.
        verb: String,
        /// The step that comes first.
        next: Weight,
    },
    /// The weight in force has not been baked as long as was promised.
    #[error(
        "to {verb} when {present} was baked for {}, not for the {} it promised",
        human(*baked),
        human(*promised)
    )]
    TooEarly {
        /// What it wanted, in words.
        verb: String,
        /// The weight in force.
        present: Weight,
        /// How long it has been.
        baked: Duration,
        /// How long it was to be.
        promised: Duration,
    },
}

/// Whether a decision on what was seen is inside the outline. A shift to all traffic is a
/// promotion.
///
/// # Errors
/// How it breaks the promise.
pub fn judge(outline: &Outline, seen: &Observation, decision: &Decision) -> Result<(), Breach> {
    let wanted = match decision {
        Decision::Shift(weight) => *weight,
        Decision::Promote => Weight::FULL,
        Decision::Wait(_) | Decision::Pause(_) | Decision::Rollback(_) => return Ok(()),
    };
    let present = seen.weight;
    let is_promised = |step: &OutlineStep| step.weight == wanted;
    if wanted < Weight::FULL && !outline.steps.iter().any(is_promised) {
        return Err(Breach::NotPromised { weight: wanted });
    }
    if wanted <= present {
        return Err(Breach::NotUp { weight: wanted, present });
    }
    let verb = || match decision {
        Decision::Promote => "promote".to_owned(),
        _ => format!("shift to {wanted}"),
    };
    let between = |step: &&OutlineStep| present < step.weight && step.weight < wanted;
    if let Some(next) = outline.steps.iter().find(between) {
        return Err(Breach::Skips { verb: verb(), next: next.weight });
    }
    let step = outline.steps.iter().rfind(|step| step.weight <= present);
    match step.map(|step| step.bake_min) {
        Some(promised) if seen.bake_elapsed < promised => {
            Err(Breach::TooEarly { verb: verb(), present, baked: seen.bake_elapsed, promised })
        }
        _ => Ok(()),
    }
}

/// Whether the weight in force has been there as long as was promised at the most. A strategy that
/// holds longer holds because of what it sees: its alarms cannot tell, most often.
pub fn is_overdue(outline: &Outline, seen: &Observation) -> bool {
    let step = outline.steps.iter().find(|step| step.weight == seen.weight);
    step.is_some_and(|step| seen.bake_elapsed >= step.bake_max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bp(bp: u16) -> Weight {
        Weight::from_bp(bp).unwrap()
    }

    fn outline(steps: &[(u16, u64)]) -> Outline {
        let step = |(weight, minutes): &(u16, u64)| OutlineStep {
            weight: bp(*weight),
            bake_min: Duration::from_mins(*minutes),
            bake_max: Duration::from_mins(*minutes + 60),
        };
        Outline { steps: steps.iter().map(step).collect(), longest: Duration::from_hours(9) }
    }

    #[test]
    fn a_weight_is_overdue_when_its_longest_bake_is_over() {
        // At the least one minute, at the most an hour more.
        let outline = outline(&[(1_000, 1)]);
        for (weight, minutes, is_overdue) in
            [(0, 600, false), (1_000, 1, false), (1_000, 60, false), (1_000, 61, true)]
        {
            assert_eq!(
                super::is_overdue(&outline, &seen(weight, minutes)),
                is_overdue,
                "{minutes}"
            );
        }
    }

    fn seen(weight: u16, minutes: u64) -> Observation {
        let bake_elapsed = Duration::from_mins(minutes);
        Observation { weight: bp(weight), bake_elapsed, ..Observation::default() }
    }

    #[test]
    fn what_was_promised_passes_and_nothing_else_goes_up() {
        let outline = outline(&[(500, 5), (2500, 10), (6000, 0)]);
        let shift = |weight| Decision::Shift(bp(weight));
        let promote = || Decision::Promote;
        for (seen, decision, words) in [
            (seen(0, 0), shift(500), None),
            (seen(500, 5), shift(2500), None),
            (seen(6000, 0), promote(), None),
            (seen(6000, 0), shift(10_000), None),
            (seen(0, 0), shift(700), Some("to shift to 7%, which it did not promise")),
            (seen(500, 9), shift(0), Some("to shift to 0%, which it did not promise")),
            (seen(500, 9), shift(500), Some("to shift to 5%, which is not above the 5% in force")),
            (
                seen(2500, 9),
                shift(500),
                Some("to shift to 5%, which is not above the 25% in force"),
            ),
            (seen(0, 99), shift(2500), Some("to shift to 25%, but 5% comes first")),
            (seen(500, 99), promote(), Some("to promote, but 25% comes first")),
            (seen(0, 99), promote(), Some("to promote, but 5% comes first")),
            (
                seen(500, 4),
                shift(2500),
                Some("to shift to 25% when 5% was baked for 4m, not for the 5m it promised"),
            ),
        ] {
            let breach = judge(&outline, &seen, &decision).err().map(|breach| breach.to_string());
            assert_eq!(breach.as_deref(), words, "{decision:?} at {}", seen.weight);
        }
    }

    #[test]
    fn a_strategy_without_steps_may_promote_at_once_and_not_shift() {
        let none = Outline::default();
        assert_eq!(judge(&none, &seen(0, 0), &Decision::Promote), Ok(()));
        assert!(judge(&none, &seen(0, 0), &Decision::Shift(bp(1))).is_err());
    }

    proptest! {
        #[test]
        fn going_back_waiting_and_pausing_are_always_inside(
            weight in 0_u16..=10_000, minutes in 0_u64..100, steps in 0_usize..4,
        ) {
            let outline = outline(&[(500, 5), (2500, 10), (6000, 1)][..steps.min(3)]);
            for decision in [
                Decision::Rollback("r".into()),
                Decision::Wait(Duration::from_secs(1)),
                Decision::Pause("p".into()),
            ] {
                prop_assert_eq!(judge(&outline, &seen(weight, minutes), &decision), Ok(()));
            }
        }

        #[test]
        fn whatever_a_strategy_says_the_weights_in_force_are_the_promised_ones_in_order(
            wishes in proptest::collection::vec((0_u16..=10, 0_u64..12), 0..60),
        ) {
            let outline = outline(&[(1000, 5), (3000, 10), (6000, 1)]);
            let mut weight = 0;
            let mut path = vec![];
            for (wish, minutes) in wishes {
                let decision = Decision::Shift(bp(wish * 1000));
                if judge(&outline, &seen(weight, minutes), &decision).is_ok() {
                    weight = wish * 1000;
                    path.push(weight);
                }
            }
            prop_assert!([1000, 3000, 6000, 10_000].starts_with(&path), "{:?}", path);
        }
    }
}
