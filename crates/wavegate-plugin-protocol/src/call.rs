//! Calls and replies: the envelope around every message, and how the two sides agree on a protocol.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    AlarmQuery, AlarmReading, ComponentKind, Decision, Diagnostic, HookEvent, HookOutcome,
    Observation, PROTOCOL, PluginErrorBody, Target,
};

/// What can be asked of a plugin.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Method {
    /// `plugin.describe.params.json` to `plugin.describe.ok.json`: what the plugin is and has. The
    /// first call.
    #[serde(rename = "plugin.describe")]
    Describe,
    /// `config.validate.params.json` to `config.validate.ok.json`: what is wrong with a config. While
    /// planning, so that none is found wrong in the middle of a rollout.
    #[serde(rename = "config.validate")]
    Validate,
    /// `strategy.outline.params.json` to `strategy.outline.ok.json`: what a strategy will do. While
    /// planning; a fence afterwards.
    #[serde(rename = "strategy.outline")]
    Outline,
    /// `strategy.decide.params.json` to `strategy.decide.ok.json`: what a strategy does next. Pure:
    /// all that it may know is in its params.
    #[serde(rename = "strategy.decide")]
    Decide,
    /// `hook.run.params.json` to `hook.run.ok.json`: a hook's verdict.
    #[serde(rename = "hook.run")]
    RunHook,
    /// `alarm.read.params.json` to `alarm.read.ok.json`: many alarms at once.
    #[serde(rename = "alarm.read")]
    ReadAlarms,
}

impl Method {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Describe => "plugin.describe",
            Self::Validate => "config.validate",
            Self::Outline => "strategy.outline",
            Self::Decide => "strategy.decide",
            Self::RunHook => "hook.run",
            Self::ReadAlarms => "alarm.read",
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One call. A plugin answers a method that it does not know with an error, so it reads the method as
/// text first.
// That is what `M` is for: `Method` for the host, text for a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Request<P, M = Method> {
    /// Names the call until it is replied to.
    pub id: u64,
    /// What is asked.
    pub method: M,
    /// The protocol that both sides agreed on; in the first call the highest that the host speaks.
    pub protocol: u32,
    /// What is asked about.
    pub params: P,
}

/// The one reply to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reply<T> {
    /// The call's id.
    pub id: u64,
    /// The answer, or why there is none.
    #[serde(flatten)]
    pub answer: Answer<T>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Reply<T> {
    /// Not derived: with both an answer and an error it is no reply, or an error might be overlooked.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw<T> {
            id: u64,
            // Every answer is an object, so `null` is none.
            ok: Option<T>,
            error: Option<PluginErrorBody>,
        }

        let Raw { id, ok, error } = Raw::deserialize(deserializer)?;
        match (ok, error) {
            (Some(ok), None) => Ok(Self { id, answer: Answer::Ok(ok) }),
            (None, Some(error)) => Ok(Self { id, answer: Answer::Error(error) }),
            (Some(_), Some(_)) => Err(D::Error::custom("both `ok` and `error`")),
            (None, None) => Err(D::Error::custom("neither `ok` nor `error`")),
        }
    }
}

/// An answer, or why there is none: `"ok": {...}` or `"error": {...}`, never both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// What the method answers with.
    Ok(T),
    /// Why it could not answer.
    Error(PluginErrorBody),
}

/// A range of protocols, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "[u32; 2]", into = "[u32; 2]")]
pub struct ProtocolRange {
    /// The lowest.
    pub min: u32,
    /// The highest.
    pub max: u32,
}

impl ProtocolRange {
    /// What this crate speaks.
    pub const SUPPORTED: Self = Self { min: PROTOCOL, max: PROTOCOL };

    /// The highest that both speak; `None` if there is none.
    pub fn common(self, other: Self) -> Option<u32> {
        let highest = self.max.min(other.max);
        (highest >= self.min.max(other.min)).then_some(highest)
    }
}

impl From<[u32; 2]> for ProtocolRange {
    fn from([min, max]: [u32; 2]) -> Self {
        Self { min, max }
    }
}

impl From<ProtocolRange> for [u32; 2] {
    fn from(range: ProtocolRange) -> Self {
        [range.min, range.max]
    }
}

/// `1` or `1-3`.
impl std::fmt::Display for ProtocolRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.min == self.max {
            return write!(f, "{}", self.min);
        }
        write!(f, "{}-{}", self.min, self.max)
    }
}

/// The program that runs the plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostIdentity {
    /// Its name: `wavegate`, or a test kit's.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Asks what a plugin is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DescribeParams {
    /// Who asks.
    pub host: HostIdentity,
    /// The protocols that the host speaks.
    pub protocol: ProtocolRange,
    /// The features that the host has, beyond the protocol.
    #[serde(default)]
    pub features: BTreeSet<String>,
}

/// Asks what is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidateParams {
    /// The kind of the component whose config it is.
    pub kind: ComponentKind,
    /// Its id.
    pub component: String,
    /// The config.
    pub config: Value,
}

/// What is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Validation {
    /// All of it; empty if nothing is.
    pub diagnostics: Vec<Diagnostic>,
}

/// Asks a strategy what it will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutlineParams {
    /// The strategy's id.
    pub component: String,
    /// Its config.
    pub config: Value,
    /// What the rollout acts on.
    pub target: Target,
}

/// Asks a strategy what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecideParams {
    /// The strategy's id.
    pub component: String,
    /// Its config.
    pub config: Value,
    /// What it answered the last time; `null` before the first.
    pub state: Value,
    /// What it may know.
    pub observation: Observation,
}

/// What a strategy decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decided {
    /// What to do.
    pub decision: Decision,
    /// What it wants to be told the next time.
    #[serde(default)]
    pub state: Value,
}

/// Asks a hook for its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunHookParams {
    /// The hook's id.
    pub component: String,
    /// Its config.
    pub config: Value,
    /// What it judges.
    pub event: HookEvent,
    /// How long the call may take, in milliseconds of real time.
    pub deadline_ms: u64,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The same for every try, also after the release was resumed elsewhere: one key, one effect.
    pub idempotency_key: String,
}

/// What a hook says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookVerdict {
    /// Pass, fail, or not yet.
    pub outcome: HookOutcome,
}

/// Asks an alarm provider about many alarms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadAlarmsParams {
    /// The provider's id.
    pub component: String,
    /// The questions.
    pub queries: Vec<AlarmQuery<Value>>,
    /// How long the call may take, in milliseconds of real time.
    pub deadline_ms: u64,
}

/// What an alarm provider read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Readings {
    /// One per query. A query without one counts as `unknown`.
    pub readings: Vec<AlarmReading>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn methods_are_the_words_of_the_wire() {
        for method in [
            Method::Describe,
            Method::Validate,
            Method::Outline,
            Method::Decide,
            Method::RunHook,
            Method::ReadAlarms,
        ] {
            assert_eq!(serde_json::to_value(method).unwrap(), json!(method.as_str()));
        }
    }

    #[test]
    fn a_reply_is_an_answer_or_an_error_and_both_sides_ignore_what_they_do_not_know() {
        let reply: Reply<Readings> =
            serde_json::from_value(json!({"id": 7, "ok": {"readings": []}, "took_ms": 3})).unwrap();
        assert_eq!(reply, Reply { id: 7, answer: Answer::Ok(Readings::default()) });
        let reply: Reply<Readings> =
            serde_json::from_value(json!({"id": 7, "error": {"code": "x.y", "message": "no"}}))
                .unwrap();
        assert!(matches!(reply.answer, Answer::Error(error) if !error.retryable));
        for neither_nor in [
            json!({"id": 7}),
            json!({"ok": {"readings": []}}),
            json!({"id": 7, "ok": null}),
            json!({"id": 7, "ok": {"readings": []}, "error": {"code": "x.y", "message": "no"}}),
        ] {
            assert!(serde_json::from_value::<Reply<Readings>>(neither_nor).is_err());
        }
        let sent = Reply { id: 1, answer: Answer::Ok(Readings::default()) };
        assert_eq!(serde_json::to_value(sent).unwrap(), json!({"id": 1, "ok": {"readings": []}}));
    }

    #[test]
    fn the_highest_common_protocol_is_spoken() {
        let range = |min, max| ProtocolRange { min, max };
        for (host, plugin, common) in [
            (range(1, 1), range(1, 1), Some(1)),
            (range(1, 3), range(2, 5), Some(3)),
            (range(2, 5), range(1, 3), Some(3)),
            (range(1, 1), range(2, 3), None),
            (range(4, 6), range(1, 3), None),
            (range(3, 1), range(1, 3), None),
        ] {
            assert_eq!(host.common(plugin), common, "{host} {plugin}");
        }
        assert_eq!(serde_json::to_value(range(1, 2)).unwrap(), json!([1, 2]));
    }
}
