//! The checks of a function's configuration that AWS's model does not make: what Lambda itself refuses.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::lambda::error::ApiError;
use crate::lambda::input::ConfigurationInput;
use crate::lambda::runtimes;

/// AWS: bytes of all environment variables together.
const ENVIRONMENT_MAX: usize = 4096;
/// AWS: names a function may not set, since the runtime sets them.
const RESERVED_VARIABLES: [&str; 17] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
];

/// Checks what the input sets, then what the local cloud cannot do.
pub(super) fn check(input: &ConfigurationInput) -> Result<(), ApiError> {
    if let Some(environment) = &input.environment {
        check_environment(&environment.variables)?;
    }
    check_offered(input)?;
    input.runtime.as_deref().map_or(Ok(()), check_runtime)
}

/// Refuses in words what the local cloud has not.
fn check_offered(input: &ConfigurationInput) -> Result<(), ApiError> {
    let is_set = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_null());
    let lacks = if input.file_system_configs.as_ref().is_some_and(|configs| !configs.is_empty()) {
        "file systems to mount"
    } else if is_set(&input.capacity_provider_config) {
        "capacity providers"
    } else if is_set(&input.durable_config) {
        "durable executions"
    } else if is_set(&input.runtime_config) {
        "runtimes of customers"
    } else if is_set(&input.accelerator_config) {
        "accelerators"
    } else {
        return Ok(());
    };
    Err(ApiError::invalid(format!("The local cloud has no {lacks}")))
}

fn check_environment(variables: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let trouble = "Lambda was unable to configure your environment variables because the \
                   environment variables you have provided";
    let reserved: Vec<&str> = variables
        .keys()
        .map(String::as_str)
        .filter(|name| RESERVED_VARIABLES.contains(name))
        .collect();
    if !reserved.is_empty() {
        return Err(ApiError::invalid(format!(
            "{trouble} contains reserved keys that are currently not supported for modification. \
             Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    // AWS measures the variables as JSON.
    let size = serde_json::to_string(variables).map_or(0, |text| text.len());
    if size > ENVIRONMENT_MAX {
        // AWS prints the variables here; their values do not belong into errors and logs.
        return Err(ApiError::invalid(format!("{trouble} exceeded the 4KB limit ({size} bytes)")));
    }
    Ok(())
}

/// A function may be created for a runtime that AWS supports, whether this machine can run it or not.
fn check_runtime(runtime: &str) -> Result<(), ApiError> {
    if runtimes::is_supported(runtime) {
        return Ok(());
    }
    if runtimes::is_retired(runtime) {
        return Err(ApiError::invalid(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating \
             AWS Lambda functions. We recommend you use a supported runtime while creating or \
             updating functions."
        )));
    }
    Err(ApiError::invalid(format!(
        "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value \
         set: [{}] or be a valid ARN",
        runtimes::SUPPORTED.join(", ")
    )))
}

/// AWS takes snapshots of some runtimes only.
pub(super) fn check_snap_start(runtime: Option<&str>, apply_on: &str) -> Result<(), ApiError> {
    let (Some(runtime), "PublishedVersions") = (runtime, apply_on) else { return Ok(()) };
    let number = |prefix: &str| {
        let version = runtime.strip_prefix(prefix)?.split('.').next_back()?;
        version.parse::<u32>().ok()
    };
    let has_snapshots = number("java").is_some_and(|version| version >= 11)
        || number("python3.").is_some_and(|version| version >= 12)
        || number("dotnet").is_some_and(|version| version >= 8);
    if has_snapshots {
        return Ok(());
    }
    Err(ApiError::invalid(format!("{runtime} is not supported for SnapStart enabled functions.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retired_and_unknown_runtimes_are_refused_in_the_words_of_aws() {
        for runtime in ["python3.8", "java21", "provided.al2023", "python3.15"] {
            assert_eq!(check_runtime(runtime), Ok(()), "{runtime}");
        }
        let retired = check_runtime("go1.x").unwrap_err();
        assert!(retired.message.starts_with("The runtime parameter of go1.x is no longer"));
        for unknown in ["PYTHON3.9", "python3.99", ""] {
            let refused = check_runtime(unknown).unwrap_err().message;
            assert!(refused.starts_with(&format!("Value {unknown} at 'runtime' failed")));
            assert!(refused.ends_with("provided.al2, java8.al2] or be a valid ARN"), "{refused}");
        }
    }

    #[test]
    fn the_environment_is_measured_as_json() {
        let around = r#"{"NAME":""}"#.len();
        let of = |length: usize| BTreeMap::from([("NAME".to_owned(), "x".repeat(length))]);
        assert_eq!(check_environment(&of(ENVIRONMENT_MAX - around)), Ok(()));
        let refused = check_environment(&of(ENVIRONMENT_MAX - around + 1)).unwrap_err();
        assert!(refused.message.contains("exceeded the 4KB limit"), "{refused}");
    }

    #[test]
    fn snapshots_are_taken_of_some_runtimes_only() {
        for (runtime, is_fine) in [
            ("java11", true),
            ("java8.al2", false),
            ("python3.12", true),
            ("python3.11", false),
            ("dotnet8", true),
            ("dotnet6", false),
            ("nodejs22.x", false),
        ] {
            let checked = check_snap_start(Some(runtime), "PublishedVersions");
            assert_eq!(checked.is_ok(), is_fine, "{runtime}");
            assert_eq!(check_snap_start(Some(runtime), "None"), Ok(()));
        }
    }
}
