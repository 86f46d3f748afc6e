//! What stands beside a function and points at it or at one of its qualifiers: function URLs,
//! provisioned concurrency, settings for asynchronous events.
//!
//! These records are part of the function's own, and so of the format on disk. What acts on them is
//! elsewhere: it asks for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Lambda;
use super::mapping::MappingRecord;
use crate::lambda::error::ApiError;
use crate::lambda::name::Target;

/// Everything beside one function. The key of the last three is a qualifier, empty for the
/// function itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beside {
    /// Event source mappings by id, as older states keep them: they have rows of their own now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mappings: BTreeMap<String, MappingRecord>,
    /// Function URLs.
    pub urls: BTreeMap<String, UrlRecord>,
    /// Provisioned concurrency.
    pub provisioned: BTreeMap<String, ProvisionedRecord>,
    /// Settings for asynchronous events.
    pub event_invoke: BTreeMap<String, EventInvokeRecord>,
}

impl Beside {
    /// Forgets what belonged to a qualifier that is gone.
    pub(super) fn forget(&mut self, qualifier: &str) {
        self.urls.remove(qualifier);
        self.provisioned.remove(qualifier);
        self.event_invoke.remove(qualifier);
    }
}

/// A function URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UrlRecord {
    /// The first label of its host name.
    pub id: String,
    /// `NONE` or `AWS_IAM`.
    pub auth_type: String,
    /// Its CORS settings, as they were given.
    pub cors: Option<Value>,
    /// `BUFFERED` or `RESPONSE_STREAM`.
    pub invoke_mode: String,
    /// Whether it was ever given: AWS answers changes with it then.
    #[serde(default)]
    pub has_invoke_mode: bool,
    /// Virtual time of its creation.
    pub created_ms: i64,
    /// Virtual time of the last change.
    pub changed_ms: i64,
}

/// Provisioned concurrency of a version or an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionedRecord {
    /// How many environments were asked for.
    pub requested: u32,
    /// Virtual time at which they are ready.
    pub ready_at_ms: i64,
    /// Virtual time of the last change.
    pub changed_ms: i64,
    /// Its alias went to another version, and what it left is still there.
    #[serde(default)]
    pub is_moving: bool,
    /// The number of the start of its environments that is under way. A restart ends it.
    #[serde(skip)]
    pub start: Option<u64>,
    /// AWS's reason why they could not be started.
    #[serde(default)]
    pub failure: Option<String>,
}

/// Settings for asynchronous events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventInvokeRecord {
    /// How often a failed event is tried again.
    pub retries: Option<i64>,
    /// How old an event may become, in seconds.
    pub age_max_s: Option<i64>,
    /// Where results go, as it was given.
    pub destinations: Option<Value>,
    /// Virtual time of the last change.
    pub changed_ms: i64,
}

impl Lambda {
    /// A function, version or alias that exists, and its key in the maps above.
    pub(super) fn qualified(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(Target, String), ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        self.version(now, &target)?;
        let key = target.qualifier.clone().unwrap_or_default();
        Ok((target, key))
    }

    /// The ARN of a key in the maps above.
    pub(super) fn arn_of(&self, name: &str, key: &str) -> String {
        self.home.arn(name, Some(key).filter(|key| !key.is_empty()))
    }
}

/// Seconds since the epoch, as REST-JSON prints times.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// Texts of AWS for something that is not there.
pub(super) fn no_such_resource() -> ApiError {
    ApiError::not_found("The resource you requested does not exist.")
}
