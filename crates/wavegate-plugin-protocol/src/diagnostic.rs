//! What is said about a component and about the config that people wrote for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a component is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ComponentKind {
    /// Decides how traffic moves.
    Strategy,
    /// Judges at one point of a rollout.
    Hook,
    /// A source of alarms.
    Alarm,
}

impl ComponentKind {
    /// The word used in messages and texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Hook => "hook",
            Self::Alarm => "alarm",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The component cannot run with this config.
    Error,
    /// It can, but probably not as was meant.
    Warning,
}

/// One finding about a component's config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// The key, dotted, inside the component's config; empty for the config as a whole.
    pub path: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: lower case, no final period.
    pub message: String,
    /// How to put it right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
