//! Settings for asynchronous events of a function, version or alias.

use serde::Deserialize;
use serde_json::{Value, json};

use super::beside::{EventInvokeRecord, seconds};
use super::{Lambda, page};
use crate::lambda::error::ApiError;
use crate::lambda::name::{LATEST, Target};
use crate::lambda::output::Page;

/// `PutFunctionEventInvokeConfig` and `UpdateFunctionEventInvokeConfig`.
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
        let target = self.eventful(now, name, qualifier, &input)?;
        let record = EventInvokeRecord {
            retries: input.maximum_retry_attempts,
            age_max_s: input.maximum_event_age_in_seconds,
            destinations: input.destination_config,
            changed_ms: now,
        };
        self.keep_event_invoke(now, &target, record)
    }

    /// `UpdateFunctionEventInvokeConfig`: what is left out stays.
    pub fn update_event_invoke(
        &mut self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
        input: EventInvokeInput,
    ) -> Result<Value, ApiError> {
        let target = self.eventful(now, name, qualifier, &input)?;
        let found = self.function(&target.name)?.beside.event_invoke.get(&key(&target));
        let mut record = found.ok_or_else(|| self.no_event_invoke(&target))?.clone();
        record.retries = input.maximum_retry_attempts.or(record.retries);
        record.age_max_s = input.maximum_event_age_in_seconds.or(record.age_max_s);
        record.destinations = input.destination_config.or(record.destinations);
        record.changed_ms = now;
        self.keep_event_invoke(now, &target, record)
    }

    /// `GetFunctionEventInvokeConfig`.
    pub fn get_event_invoke(&self, name: &str, qualifier: Option<&str>) -> Result<Value, ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        let function = self.functions.get(&target.name);
        let found = function.and_then(|it| it.beside.event_invoke.get(&key(&target)));
        found
            .map(|record| show(&self.event_invoke_arn(&target), record))
            .ok_or_else(|| self.no_event_invoke(&target))
    }

    /// `ListFunctionEventInvokeConfigs`.
    pub fn list_event_invoke(
        &self,
        name: &str,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Result<Page<Value>, ApiError> {
        let name = self.unqualified(name)?;
        let function = self.functions.get(&name).ok_or_else(no_function)?;
        let items = function.beside.event_invoke.iter().map(|(key, record)| {
            // AWS's own name of the function itself.
            let qualifier = if key.is_empty() { LATEST } else { key };
            (qualifier.to_owned(), (self.home.arn(&name, Some(qualifier)), record))
        });
        Ok(page(items, marker, max_items, |(arn, record)| show(&arn, record)))
    }

    /// `DeleteFunctionEventInvokeConfig`.
    pub fn delete_event_invoke(
        &mut self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(), ApiError> {
        let target = self.home.resolve(name, qualifier)?;
        let missing = self.no_event_invoke(&target);
        let Ok(function) = self.function_mut(now, &target.name) else { return Err(missing) };
        function.beside.event_invoke.remove(&key(&target)).map(drop).ok_or(missing)
    }

    /// What settings are put on, once they were found to make sense.
    fn eventful(
        &self,
        now: i64,
        name: &str,
        qualifier: Option<&str>,
        input: &EventInvokeInput,
    ) -> Result<Target, ApiError> {
        let sets_something = input.maximum_retry_attempts.is_some()
            || input.maximum_event_age_in_seconds.is_some()
            || input.destination_config.is_some();
        if !sets_something {
            return Err(ApiError::invalid(
                "You must specify at least one of error handling or destination setting.",
            ));
        }
        let target = self.home.resolve(name, qualifier)?;
        self.version(now, &target).map_err(|_| no_function())?;
        for when in ["OnSuccess", "OnFailure"] {
            self.check_destination(now, &target, when, input.destination_config.as_ref())?;
        }
        Ok(target)
    }

    fn check_destination(
        &self,
        now: i64,
        target: &Target,
        when: &str,
        config: Option<&Value>,
    ) -> Result<(), ApiError> {
        let destination =
            |when: &str| config.and_then(|config| config[when]["Destination"].as_str());
        let Some(arn) = destination(when) else { return Ok(()) };
        match arn.split(':').nth(2) {
            Some("sqs" | "sns" | "events") => Ok(()),
            // AWS: buckets are for failures only.
            Some("s3") if when == "OnFailure" => Ok(()),
            Some("lambda") => {
                let invalid =
                    || ApiError::invalid(format!("The destination ARN {arn} is invalid."));
                let named = self.home.resolve(arn, None).map_err(|_| invalid())?;
                self.version(now, &named).map_err(|_| invalid())?;
                if named.name == target.name {
                    return Err(ApiError::invalid(
                        "You can't specify the function as a destination for itself.",
                    ));
                }
                Ok(())
            }
            _ => {
                // AWS prints its own objects here.
                let told = |class: &str, when: &str| match destination(when) {
                    Some(arn) => format!("{class}(destination={arn})"),
                    None => "null".to_owned(),
                };
                Err(ApiError::invalid(format!(
                    "The provided destination config DestinationConfig(onSuccess={}, \
                     onFailure={}) is invalid.",
                    told("OnSuccess", "OnSuccess"),
                    told("OnFailure", "OnFailure")
                )))
            }
        }
    }

    fn keep_event_invoke(
        &mut self,
        now: i64,
        target: &Target,
        record: EventInvokeRecord,
    ) -> Result<Value, ApiError> {
        let shown = show(&self.event_invoke_arn(target), &record);
        let beside = &mut self.function_mut(now, &target.name)?.beside;
        beside.event_invoke.insert(key(target), record);
        Ok(shown)
    }

    fn event_invoke_arn(&self, target: &Target) -> String {
        self.home.arn(&target.name, Some(target.qualifier.as_deref().unwrap_or(LATEST)))
    }

    fn no_event_invoke(&self, target: &Target) -> ApiError {
        let arn = self.event_invoke_arn(target);
        ApiError::not_found(format!("The function {arn} doesn't have an EventInvokeConfig"))
    }
}

/// The function's own settings and `$LATEST`'s are the same.
fn key(target: &Target) -> String {
    target.qualifier.clone().filter(|qualifier| qualifier != LATEST).unwrap_or_default()
}

fn no_function() -> ApiError {
    ApiError::not_found("The function doesn't exist.")
}

fn show(arn: &str, record: &EventInvokeRecord) -> Value {
    let destination = |when: &str| match record.destinations.as_ref().map(|all| &all[when]) {
        Some(set) if set.is_object() => set.clone(),
        _ => json!({}),
    };
    let mut shown = json!({
        "FunctionArn": arn,
        "LastModified": seconds(record.changed_ms),
        "DestinationConfig": {
            "OnSuccess": destination("OnSuccess"),
            "OnFailure": destination("OnFailure"),
        },
    });
    for (key, value) in
        [("MaximumRetryAttempts", record.retries), ("MaximumEventAgeInSeconds", record.age_max_s)]
    {
        if let Some(value) = value {
            shown[key] = json!(value);
        }
    }
    shown
}
