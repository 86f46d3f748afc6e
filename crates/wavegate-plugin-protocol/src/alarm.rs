//! What an alarm provider is asked and what it answers. Asked in batches, so that many readings
//! can be folded into few calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::CloudAccess;

/// One question to an alarm provider.
// `C` is the component's config: the provider's own type in the SDK, plain JSON on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmQuery<C> {
    /// Names the question within its batch; the reading carries it back.
    pub key: String,
    /// The component's config.
    pub config: C,
    /// What is looked at.
    pub subject: AlarmSubject,
    /// For what the reading is used.
    pub look: Look,
    /// When the candidate first got traffic, in milliseconds since the epoch by the host's clock;
    /// absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// Now, in milliseconds since the epoch by the host's clock. Plugins have no clock of their
    /// own: under a compressed or simulated time theirs would be wrong.
    pub now_ms: i64,
    /// How to reach the cloud.
    pub cloud: CloudAccess,
}

/// What an alarm is read for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmSubject {
    /// The app's name.
    pub app: String,
    /// The function's name in AWS.
    pub function: String,
    /// The alias whose traffic moves.
    pub alias: String,
    /// The version being replaced; absent on a first deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
    /// The version being rolled out; absent until it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
}

/// For what a reading is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// Before the start: tells what is red already.
    Snapshot,
    /// While the candidate has traffic: tells a new breach.
    Watch,
}

/// What a reading says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmStatus {
    /// Quiet.
    Ok,
    /// In breach.
    Firing,
    /// Cannot be told. Never the same as quiet.
    Unknown,
    /// There is no such alarm.
    Missing,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmReading {
    /// The query's key.
    pub key: String,
    /// What was read.
    pub status: AlarmStatus,
    /// Measured value, comparator and threshold, or the source's own words; one line for people.
    #[serde(default)]
    pub detail: String,
    /// Where a person can look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_query_carries_any_config_as_json() {
        let message = json!({
            "key": "errors", "config": {"metric": "Errors", "max": "1%"},
            "subject": {"app": "shop", "function": "shop-auth", "alias": "live"},
            "look": "snapshot", "now_ms": 1_700_000_000_000_i64,
            "cloud": {"region": "eu-west-1", "local": false},
        });
        let query: AlarmQuery<Value> = serde_json::from_value(message.clone()).unwrap();
        assert_eq!((query.look, query.since_ms), (Look::Snapshot, None));
        assert_eq!(serde_json::to_value(&query).unwrap(), message);
    }

    #[test]
    fn a_status_that_is_not_in_the_protocol_is_refused_and_not_taken_for_ok() {
        assert!(serde_json::from_value::<AlarmStatus>(json!("fine")).is_err());
        assert!(serde_json::from_value::<AlarmReading>(json!({"key": "a"})).is_err());
    }
}
