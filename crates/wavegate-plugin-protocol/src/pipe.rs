//! What travels on the pipes to and from a plugin's own process: one JSON object per line.
//!
//! The calls and replies are the same as in process. The end of the plugin's input is its shutdown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::abi::Level;

/// Nobody waits for a call any more: `{"cancel": 7}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// The call's id.
    pub cancel: u64,
}

/// A log record on its way to the host: `{"log": {...}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// The record and where it belongs.
    pub log: LogEntry,
}

/// A log record and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogEntry {
    /// How important it is: 1 is an error, 5 is a trace.
    pub level: Level,
    /// The call it belongs to, or 0.
    #[serde(default)]
    pub call_id: u64,
    /// The record: `log-record.json`, but any JSON is taken.
    pub record: Value,
}

/// A log record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LogRecord {
    /// What is said.
    #[serde(default)]
    pub message: String,
    /// Where in the plugin it was said: a module's path, most often.
    #[serde(default)]
    pub target: String,
    /// What else was said, by name.
    #[serde(default)]
    pub fields: serde_json::Map<String, Value>,
}
