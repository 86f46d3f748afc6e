//! Settings for asynchronous events: kept and shown. Events are tried as AWS does by default.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Lambda;
use super::beside::{EventInvokeRecord, seconds};
use crate::lambda::error::{ApiError, Constraints};

/// `PutFunctionEventInvokeConfig`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EventInvokeInput {
    /// How often a failed event is tried again: 0 to 2.
    pub maximum_retry_attempts: Option<i64>,
    /// How old an event may become: 60 to 21 600 seconds.
    pub maximum_event_age_in_seconds: Option<i64>,
    /// Where results go.
    pub destination_config: Option<Value>,
}

impl Lambda {
    /// `PutFunctionEventInvokeConfig`: replaces all of it.
    pub fn put_event_invoke(
        &mut self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
        input: EventInvokeInput,
    ) -> Result<Value, ApiError> {
        let mut constraints = Constraints::default();
        if let Some(retries) = input.maximum_retry_attempts {
            constraints.range("maximumRetryAttempts", retries, 0, 2);
        }
        if let Some(age) = input.maximum_event_age_in_seconds {
            constraints.range("maximumEventAgeInSeconds", age, 60, 21_600);
        }
        constraints.finish()?;
        let (target, key) = self.qualified(now, name, qualifier)?;
        let arn = self.arn_of(&target.name, &key);
        let record = EventInvokeRecord {
            retries: input.maximum_retry_attempts,
            age_max_s: input.maximum_event_age_in_seconds,
            destinations: input.destination_config,
            changed_ms: now,
        };
        let shown = show(&arn, &record);
        self.function_mut(now, &target.name)?.beside.event_invoke.insert(key, record);
        Ok(shown)
    }

    /// `GetFunctionEventInvokeConfig`.
    pub fn get_event_invoke(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Value, ApiError> {
        let (target, key) = self.qualified(now, name, qualifier)?;
        let arn = self.arn_of(&target.name, &key);
        let found = self.function(&target.name)?.beside.event_invoke.get(&key);
        found.map(|record| show(&arn, record)).ok_or_else(|| missing(&arn))
    }

    /// `DeleteFunctionEventInvokeConfig`.
    pub fn delete_event_invoke(
        &mut self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), ApiError> {
        let (target, key) = self.qualified(now, name, qualifier)?;
        let arn = self.arn_of(&target.name, &key);
        let configs = &mut self.function_mut(now, &target.name)?.beside.event_invoke;
        configs.remove(&key).map(drop).ok_or_else(|| missing(&arn))
    }
}

fn missing(arn: &str) -> ApiError {
    ApiError::not_found(format!("The function {arn} doesn't have an EventInvokeConfig"))
}

fn show(arn: &str, record: &EventInvokeRecord) -> Value {
    let mut shown = json!({ "FunctionArn": arn, "LastModified": seconds(record.changed_ms) });
    for (key, value) in [
        ("MaximumRetryAttempts", record.retries.map(|retries| json!(retries))),
        ("MaximumEventAgeInSeconds", record.age_max_s.map(|age| json!(age))),
        ("DestinationConfig", record.destinations.clone()),
    ] {
        if let Some(value) = value {
            shown[key] = value;
        }
    }
    shown
}
