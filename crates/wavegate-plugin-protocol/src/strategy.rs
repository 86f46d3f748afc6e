//! What a strategy promises (outline), sees (observation) and says (decision).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::WeightBp;

/// What a rollout acts on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The app's name.
    pub app: String,
    /// The function's name in AWS; where a strategy is tried without one, the strategy's own name.
    pub function: String,
    /// The alias whose traffic moves.
    pub alias: String,
}

/// What a strategy will do if nothing goes wrong. Shown by a plan, and a fence afterwards: the
/// host refuses a decision outside it.
///
/// The promotion is not a step: it follows the last step's bake. No steps means that the candidate
/// is promoted at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Outline {
    /// The weights in the order in which they are set, each above the one before and below
    /// 10 000, which is all traffic.
    pub steps: Vec<OutlineStep>,
    /// The longest time from the first question to the promotion, in milliseconds, if every
    /// observation is healthy. Approvals that are waited for before the first shift are in it.
    pub duration_ms_max: u64,
}

/// One weight and how long it is baked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutlineStep {
    /// The candidate's share of traffic.
    pub weight_bp: WeightBp,
    /// The shortest time this weight stays in force before the next decision moves it, in
    /// milliseconds.
    pub bake_ms_min: u64,
    /// The longest such time when everything is healthy, in milliseconds.
    pub bake_ms_max: u64,
}

/// What a strategy sees: all it knows about time and about the candidate's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// The weight in force, as read back from the alias.
    pub weight_bp: WeightBp,
    /// How long that weight has been in force untouched, in milliseconds. Before the first shift:
    /// since the first question. Starts again from zero after any discontinuity (a new owner, a
    /// weight changed and put back).
    pub bake_elapsed_ms: u64,
    /// Time since the candidate first got traffic, in milliseconds; zero before.
    pub rollout_elapsed_ms: u64,
    /// How many alarms fire.
    pub alarms_firing: u32,
    /// How many alarms could not be told. Never to be counted as quiet.
    pub alarms_unknown: u32,
    /// How many alarms are quiet.
    pub alarms_ok: u32,
    /// How often a person said "go on" to a pause since the weight in force was set. Starts again
    /// from zero with every change of weight and with a new owner. A host that knows no approvals
    /// leaves it out.
    #[serde(default)]
    pub approvals: u32,
}

/// What a strategy says. A decision that the host does not know breaks the protocol.
// Non-exhaustive for hosts: one that does not know a decision must say so instead of guessing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decision {
    /// Set the candidate's share of traffic.
    Shift {
        /// The share, which must be one of the outline's.
        weight_bp: WeightBp,
    },
    /// Ask again later, or earlier when an alarm changes.
    Wait {
        /// How long to wait, in milliseconds.
        millis: u64,
    },
    /// Stay where it stands until a person decides. The host asks again now and then, and at once
    /// when a person says "go on" (the observation's `approvals`), so a strategy may give up waiting.
    Pause {
        /// Why, for people. The same pause says the same every time it is asked.
        reason: String,
    },
    /// Give the candidate all traffic: it becomes the stable version.
    Promote,
    /// Give the stable version all traffic again.
    Rollback {
        /// Why, for people.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn decisions_are_tagged_by_kind() {
        let weight_bp = WeightBp::new(1_000).unwrap();
        for (decision, message) in [
            (Decision::Shift { weight_bp }, json!({"kind": "shift", "weight_bp": 1000})),
            (Decision::Wait { millis: 5 }, json!({"kind": "wait", "millis": 5})),
            (Decision::Pause { reason: "r".into() }, json!({"kind": "pause", "reason": "r"})),
            (Decision::Promote, json!({"kind": "promote"})),
            (Decision::Rollback { reason: "r".into() }, json!({"kind": "rollback", "reason": "r"})),
        ] {
            assert_eq!(serde_json::to_value(&decision).unwrap(), message);
            assert_eq!(serde_json::from_value::<Decision>(message).unwrap(), decision);
        }
    }

    #[test]
    fn a_newer_peer_may_send_fields_that_are_unknown_here() {
        let message = json!({"kind": "wait", "millis": 5, "jitter_ms": 2});
        assert_eq!(
            serde_json::from_value::<Decision>(message).unwrap(),
            Decision::Wait { millis: 5 }
        );
        let message = json!({
            "weight_bp": 1000, "bake_elapsed_ms": 1, "rollout_elapsed_ms": 2, "alarms_firing": 0,
            "alarms_unknown": 0, "alarms_ok": 3, "alarms_muted": 1,
        });
        assert_eq!(serde_json::from_value::<Observation>(message).unwrap().alarms_ok, 3);
    }

    #[test]
    fn an_older_host_knows_no_approvals() {
        let message = json!({
            "weight_bp": 1000, "bake_elapsed_ms": 1, "rollout_elapsed_ms": 2, "alarms_firing": 0,
            "alarms_unknown": 0, "alarms_ok": 3,
        });
        assert_eq!(serde_json::from_value::<Observation>(message).unwrap().approvals, 0);
    }

    #[test]
    fn an_outline_with_an_illegal_weight_is_refused() {
        let message = json!({
            "steps": [{"weight_bp": 10_001, "bake_ms_min": 0, "bake_ms_max": 0}],
            "duration_ms_max": 0,
        });
        assert!(serde_json::from_value::<Outline>(message).is_err());
    }
}
