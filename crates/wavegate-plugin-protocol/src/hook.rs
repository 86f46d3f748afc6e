//! What a hook is told and what it answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CloudAccess, WeightBp};

/// A point of a rollout at which hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookPhase {
    /// The candidate is published and has no traffic yet.
    PreTraffic,
    /// The candidate has all traffic.
    PostTraffic,
    /// The stable version has all traffic again.
    OnRollback,
}

impl HookPhase {
    /// The word used in messages, payloads and the manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreTraffic => "pre_traffic",
            Self::PostTraffic => "post_traffic",
            Self::OnRollback => "on_rollback",
        }
    }
}

/// One published version of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionRef {
    /// The version's number, as Lambda writes it.
    pub version: String,
    /// The version's qualified ARN.
    pub arn: String,
}

/// What a hook is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookEvent {
    /// The app's name.
    pub app: String,
    /// The release's id.
    pub release: String,
    /// The release's number, counted per app.
    pub release_number: u64,
    /// The function's name in AWS.
    pub function: String,
    /// The alias whose traffic moves.
    pub alias: String,
    /// Where in the rollout this is.
    pub phase: HookPhase,
    /// The version being replaced; absent on a first deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<VersionRef>,
    /// The version being rolled out.
    pub candidate: VersionRef,
    /// The candidate's share of traffic now.
    pub weight_bp: WeightBp,
    /// Why the rollout goes back, for `on_rollback`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How to reach the cloud.
    pub cloud: CloudAccess,
}

/// What a hook answers. Whatever is not a pass keeps the rollout from going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HookOutcome {
    /// The rollout may go on.
    Pass {
        /// What the hook had to say, for people; may be empty.
        #[serde(default)]
        detail: String,
    },
    /// The rollout must go back.
    Fail {
        /// Why, in the judge's own words.
        reason: String,
    },
    /// Not decided yet: ask again with the same idempotency key. The host bounds how long.
    Retry {
        /// How long to wait first, in milliseconds.
        after_ms: u64,
        /// What is being waited for, for people; may be empty.
        #[serde(default)]
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn phases_are_the_words_of_the_manifest() {
        for phase in [HookPhase::PreTraffic, HookPhase::PostTraffic, HookPhase::OnRollback] {
            assert_eq!(serde_json::to_value(phase).unwrap(), json!(phase.as_str()));
        }
    }

    #[test]
    fn a_first_deploy_has_no_stable_version_in_its_message() {
        let message = json!({
            "app": "shop", "release": "r-1", "release_number": 1, "function": "shop-auth",
            "alias": "live", "phase": "pre_traffic", "weight_bp": 0,
            "candidate": {"version": "1", "arn": "arn:aws:lambda:eu-west-1:1:function:a:1"},
            "cloud": {"region": "eu-west-1", "local": true},
        });
        let event: HookEvent = serde_json::from_value(message.clone()).unwrap();
        assert_eq!(event.stable, None);
        assert_eq!(serde_json::to_value(&event).unwrap(), message);
    }

    #[test]
    fn outcomes_are_tagged_by_kind() {
        for (outcome, message) in [
            (HookOutcome::Pass { detail: "ok".into() }, json!({"kind": "pass", "detail": "ok"})),
            (HookOutcome::Fail { reason: "no".into() }, json!({"kind": "fail", "reason": "no"})),
            (
                HookOutcome::Retry { after_ms: 1, detail: "soon".into() },
                json!({"kind": "retry", "after_ms": 1, "detail": "soon"}),
            ),
        ] {
            assert_eq!(serde_json::to_value(&outcome).unwrap(), message);
            assert_eq!(serde_json::from_value::<HookOutcome>(message).unwrap(), outcome);
        }
    }
}
