//! What an operation is asked; each reads of it what its model has.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Refusal, invalid};
use crate::wire::Fault;

/// The members of all inputs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Asked {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    pub(super) log_group_identifiers: Vec<String>,
    pub(super) resource_arn: Option<String>,
    pub(super) log_group_name_prefix: Option<String>,
    pub(super) log_group_name_pattern: Option<String>,
    pub(super) log_group_class: Option<String>,
    pub(super) kms_key_id: Option<String>,
    pub(super) deletion_protection_enabled: bool,
    pub(super) retention_in_days: i64,
    /// Tags to add, or, in `UntagLogGroup`, the keys of those to remove.
    tags: Value,
    tag_keys: Vec<String>,
    pub(super) log_stream_name: String,
    pub(super) log_stream_names: Option<Vec<String>>,
    pub(super) log_stream_name_prefix: Option<String>,
    pub(super) order_by: Option<String>,
    pub(super) descending: bool,
    pub(super) log_events: Vec<NewEvent>,
    pub(super) log_event_messages: Vec<String>,
    pub(super) start_time: Option<i64>,
    pub(super) end_time: Option<i64>,
    pub(super) start_from_head: bool,
    pub(super) filter_pattern: Option<String>,
    pub(super) filter_name: String,
    pub(super) filter_name_prefix: Option<String>,
    pub(super) metric_name: Option<String>,
    pub(super) metric_namespace: Option<String>,
    pub(super) metric_transformations: Value,
    pub(super) apply_on_transformed_logs: Option<bool>,
    pub(super) field_selection_criteria: Value,
    pub(super) emit_system_field_dimensions: Value,
    pub(super) next_token: Option<String>,
    pub(super) limit: Option<usize>,
}

/// An event to be put.
#[derive(Debug, Deserialize)]
pub(super) struct NewEvent {
    pub(super) timestamp: i64,
    pub(super) message: String,
}

impl Asked {
    /// The name of the group, whichever way it is given.
    pub(super) fn group_name(&self) -> Result<&str, Refusal> {
        self.group_name_if_any()?
            .ok_or_else(|| invalid("Please specify a log group name or identifier."))
    }

    /// The name of the group, where one need not be given.
    pub(super) fn group_name_if_any(&self) -> Result<Option<&str>, Refusal> {
        match (&self.log_group_name, &self.log_group_identifier) {
            (Some(_), Some(_)) => Err(Fault::new(
                "ValidationException",
                "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
            )
            .into()),
            (Some(name), None) => Ok(Some(name)),
            (None, Some(identifier)) => Ok(Some(name_of(identifier))),
            (None, None) => Ok(self.resource_arn.as_deref().map(name_of)),
        }
    }

    /// The tags to add.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        BTreeMap::deserialize(&self.tags).unwrap_or_default()
    }

    /// The keys of the tags to remove.
    pub(super) fn tag_keys(&self) -> Vec<String> {
        Vec::deserialize(&self.tags).unwrap_or_else(|_| self.tag_keys.clone())
    }
}

/// The group's name in an ARN: `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`, perhaps with `:*` behind it.
pub(super) fn name_of(identifier: &str) -> &str {
    let name = match identifier.split_once(":log-group:") {
        Some((_, name)) => name,
        None => identifier,
    };
    name.split(':').next().unwrap_or(name)
}
