//! What silence means.

use schemars::JsonSchema;
use serde::Deserialize;
use wavegate_plugin_protocol::AlarmStatus;

/// What it means when there is no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingData {
    /// It cannot be told.
    #[default]
    Unknown,
    /// Nobody called, nothing failed.
    Ok,
    /// Silence is a failure.
    Breaching,
}

impl MissingData {
    /// The reading that it comes to.
    pub const fn status(self) -> AlarmStatus {
        match self {
            Self::Unknown => AlarmStatus::Unknown,
            Self::Ok => AlarmStatus::Ok,
            Self::Breaching => AlarmStatus::Firing,
        }
    }

    /// The word that people write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Breaching => "breaching",
        }
    }
}
