//! The fence: what a strategy may decide, given what it promised and what it saw.
//!
//! A strategy may be anybody's code. It promised an [`Outline`], people said yes to a plan that
//! shows it, and nothing else may happen to their traffic. The release machine and the simulation
//! share this one judgment.
//!
//! Going back is always inside. What gives the candidate more traffic is held against all of the
//! promise; waiting and pausing against its longest time, and [`GRACE`] beyond it.
//!
//! While an alarm cannot tell, nothing is too long: [`holds_blind`] says when the release waits by
//! itself, and it does not wait for ever.

use std::time::Duration;

use crate::plan::{Outline, OutlineStep};
use crate::release::{Decision, Observation, limits};
use crate::time::human;
use crate::weight::Weight;

/// How much longer than it promised a strategy may stay at a weight: as long as blind alarms may
/// hold it there.
pub const GRACE: Duration = limits::BLIND;

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
    /// It stays at a weight for longer than was promised.
    #[error(
        "to {verb} at {present} after {}, where it promised {} at the most",
        human(*stayed),
        human(*promised)
    )]
    TooLong {
        /// What it wanted, in words.
        verb: &'static str,
        /// The weight in force.
        present: Weight,
        /// How long it has been.
        stayed: Duration,
        /// How long it was to be at the most.
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
        Decision::Wait(_) => return judge_stay(outline, seen, "wait"),
        Decision::Pause(_) => return judge_stay(outline, seen, "pause"),
        Decision::Rollback(_) => return Ok(()),
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
    match step(outline, present).map(|step| step.bake_min) {
        Some(promised) if seen.bake_elapsed < promised => {
            Err(Breach::TooEarly { verb: verb(), present, baked: seen.bake_elapsed, promised })
        }
        _ => Ok(()),
    }
}

fn judge_stay(outline: &Outline, seen: &Observation, verb: &'static str) -> Result<(), Breach> {
    if seen.alarms_unknown > 0 || !patience(outline, seen).is_zero() {
        return Ok(());
    }
    let promised = longest(outline, seen.weight);
    Err(Breach::TooLong { verb, present: seen.weight, stayed: seen.bake_elapsed, promised })
}

/// How much longer a strategy may stay at the weight in force. No wait is longer than this.
pub fn patience(outline: &Outline, seen: &Observation) -> Duration {
    longest(outline, seen.weight).saturating_add(GRACE).saturating_sub(seen.bake_elapsed)
}

/// Whether a decision is not followed because an alarm cannot tell: nothing goes up, and a strategy
/// that waits longer than its shortest bake waits for the alarm, most often. A pause waits for a
/// person, until its longest time is over.
pub fn holds_blind(outline: &Outline, seen: &Observation, decision: &Decision) -> bool {
    let shortest = step(outline, seen.weight).map(|step| step.bake_min).unwrap_or_default();
    seen.alarms_unknown > 0
        && match decision {
            Decision::Shift(_) | Decision::Promote => true,
            Decision::Wait(_) => seen.bake_elapsed >= shortest,
            Decision::Pause(_) => seen.bake_elapsed >= longest(outline, seen.weight),
            Decision::Rollback(_) => false,
        }
}

/// The step whose promise holds at a weight; none before the first.
pub(crate) fn step(outline: &Outline, weight: Weight) -> Option<&OutlineStep> {
    outline.steps.iter().rfind(|step| step.weight <= weight)
}

/// The longest time at a weight. What may pass before the first shift is promised as a part of the
/// whole only.
fn longest(outline: &Outline, weight: Weight) -> Duration {
    step(outline, weight).map_or(outline.longest, |step| step.bake_max)
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
    fn nothing_stays_longer_than_its_longest_time_and_a_grace() {
        // At the least one minute, at the most an hour more; all in all nine hours.
        let outline = outline(&[(1_000, 1)]);
        let (wait, pause) = (Decision::Wait(Duration::MAX), Decision::Pause("p".into()));
        for (weight, minutes, left) in
            [(0, 549, 1), (0, 550, 0), (1_000, 70, 1), (1_000, 71, 0), (3_000, 72, 0)]
        {
            let seen = seen(weight, minutes);
            assert_eq!(patience(&outline, &seen), Duration::from_mins(left), "{seen:?}");
            let blind = Observation { alarms_unknown: 1, ..seen };
            for decision in [&wait, &pause] {
                assert_eq!(judge(&outline, &seen, decision).is_ok(), left > 0, "{seen:?}");
                assert_eq!(judge(&outline, &blind, decision), Ok(()));
            }
        }
        let breach = judge(&outline, &seen(1_000, 71), &wait).unwrap_err();
        assert_eq!(
            breach.to_string(),
            "to wait at 10% after 1h11m, where it promised 1h01m at the most"
        );
    }

    #[test]
    fn blindness_holds_waits_from_the_shortest_bake_and_pauses_from_the_longest() {
        let outline = outline(&[(1_000, 5)]);
        let (wait, pause) = (Decision::Wait(Duration::MAX), Decision::Pause("p".into()));
        let goes_back = Decision::Rollback("r".into());
        for (weight, minutes, holds_wait, holds_pause) in [
            (0, 0, true, false),
            (0, 540, true, true),
            (1_000, 4, false, false),
            (1_000, 5, true, false),
            (1_000, 64, true, false),
            (1_000, 65, true, true),
        ] {
            let quiet = seen(weight, minutes);
            let blind = Observation { alarms_unknown: 1, ..quiet };
            let holds = |decision| holds_blind(&outline, &blind, decision);
            assert_eq!((holds(&wait), holds(&pause)), (holds_wait, holds_pause), "{blind:?}");
            assert!(holds(&Decision::Promote) && !holds(&goes_back));
            for decision in [&wait, &pause, &Decision::Promote] {
                assert!(!holds_blind(&outline, &quiet, decision));
            }
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
        fn going_back_is_always_inside_and_staying_for_as_long_as_was_promised(
            weight in 0_u16..=10_000, minutes in 0_u64..100, steps in 0_usize..4,
        ) {
            let outline = outline(&[(500, 5), (2500, 10), (6000, 1)][..steps.min(3)]);
            let seen = seen(weight, minutes);
            prop_assert_eq!(judge(&outline, &seen, &Decision::Rollback("r".into())), Ok(()));
            let is_inside = seen.bake_elapsed < longest(&outline, seen.weight) + GRACE;
            for decision in [Decision::Wait(Duration::from_secs(1)), Decision::Pause("p".into())] {
                prop_assert_eq!(judge(&outline, &seen, &decision).is_ok(), is_inside);
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
