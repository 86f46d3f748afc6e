//! The error of a call, as it travels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a call could not be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginErrorBody {
    /// Stable and dotted, for programs: `config.invalid`, `plugin.panicked`, `aws.access_denied`.
    pub code: String,
    /// For people: lower case, no final period.
    pub message: String,
    /// Whether the same call may succeed later.
    #[serde(default)]
    pub retryable: bool,
    /// More about the cause, for people: a chain of causes, the last lines of a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
