//! A function's configuration: its checks and defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::VersionRecord;
use crate::lambda::error::{ApiError, Constraints};
use crate::lambda::input::{
    ConfigurationInput, DeadLetterConfig, Environment, EphemeralStorage, TracingConfig,
};
use crate::lambda::name::{Home, LATEST};
use crate::lambda::output::{FunctionConfiguration, SnapStartResponse};

const ROLE_PATTERN: &str = "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
const HANDLER_PATTERN: &str = "[^\\s]+";
const VARIABLE_PATTERN: &str = "[a-zA-Z]([a-zA-Z0-9_])+";
/// AWS's service model: seconds a function may run.
const TIMEOUT_MAX: i64 = 5400;
/// AWS's service model: megabytes of memory.
const MEMORY_MAX: i64 = 32_768;
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

/// Everything about a function that `UpdateFunctionConfiguration` can change, and what was fixed at
/// its creation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are AWS's own, by AWS's names")]
pub struct Configuration {
    pub package_type: String,
    pub runtime: Option<String>,
    pub role: String,
    pub handler: Option<String>,
    pub description: String,
    pub timeout: i64,
    pub memory_size: i64,
    pub variables: BTreeMap<String, String>,
    pub dead_letter_target: Option<String>,
    pub vpc_config: Option<Value>,
    pub kms_key_arn: Option<String>,
    pub tracing_mode: String,
    pub image_config: Option<Value>,
    pub ephemeral_mb: i64,
    pub snap_start: String,
    pub logging_config: Option<Value>,
    pub architectures: Vec<String>,
}

impl Default for Configuration {
    /// AWS's defaults.
    fn default() -> Self {
        Self {
            package_type: "Zip".to_owned(),
            runtime: None,
            role: String::new(),
            handler: None,
            description: String::new(),
            timeout: 3,
            memory_size: 128,
            variables: BTreeMap::new(),
            dead_letter_target: None,
            vpc_config: None,
            kms_key_arn: None,
            tracing_mode: "PassThrough".to_owned(),
            image_config: None,
            ephemeral_mb: 512,
            snap_start: "None".to_owned(),
            logging_config: None,
            architectures: vec!["x86_64".to_owned()],
        }
    }
}

impl Configuration {
    /// Takes over what the input sets.
    pub(super) fn apply(&mut self, input: ConfigurationInput) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut self.role, input.role);
        set(&mut self.description, input.description);
        set(&mut self.timeout, input.timeout);
        set(&mut self.memory_size, input.memory_size);
        set(&mut self.variables, input.environment.map(|environment| environment.variables));
        set(&mut self.tracing_mode, input.tracing_config.map(|tracing| tracing.mode));
        set(&mut self.ephemeral_mb, input.ephemeral_storage.map(|storage| storage.size));
        set(&mut self.snap_start, input.snap_start.map(|snap_start| snap_start.apply_on));
        self.runtime = input.runtime.or(self.runtime.take());
        self.handler = input.handler.or(self.handler.take());
        self.vpc_config = input.vpc_config.or(self.vpc_config.take());
        self.image_config = input.image_config.or(self.image_config.take());
        self.logging_config = input.logging_config.or(self.logging_config.take());
        // Empty texts clear these two.
        if let Some(dead_letter) = input.dead_letter_config {
            self.dead_letter_target = dead_letter.target_arn.filter(|arn| !arn.is_empty());
        }
        if let Some(key) = input.kms_key_arn {
            self.kms_key_arn = Some(key).filter(|key| !key.is_empty());
        }
    }
}

/// Checks what the input sets, as AWS's front door does, then what the local cloud cannot do.
pub(super) fn check(input: &ConfigurationInput) -> Result<(), ApiError> {
    let mut constraints = Constraints::default();
    check_constraints(input, &mut constraints);
    constraints.finish()?;
    if let Some(environment) = &input.environment {
        check_environment(environment)?;
    }
    if input.layers.as_ref().is_some_and(|layers| !layers.is_empty()) {
        return Err(ApiError::invalid(
            "The local cloud has no layers: put their content into the deployment package",
        ));
    }
    if input.file_system_configs.as_ref().is_some_and(|configs| !configs.is_empty()) {
        return Err(ApiError::invalid("The local cloud has no file systems to mount"));
    }
    input.runtime.as_deref().map_or(Ok(()), check_runtime)
}

fn check_constraints(input: &ConfigurationInput, constraints: &mut Constraints) {
    if let Some(role) = &input.role {
        constraints.pattern("role", role, is_role(role), ROLE_PATTERN);
    }
    if let Some(handler) = &input.handler {
        let ok = !handler.is_empty() && !handler.contains(char::is_whitespace);
        constraints.pattern("handler", handler, ok, HANDLER_PATTERN);
        constraints.max_length("handler", handler, 128);
    }
    if let Some(description) = &input.description {
        constraints.max_length("description", description, 256);
    }
    if let Some(timeout) = input.timeout {
        constraints.range("timeout", timeout, 1, TIMEOUT_MAX);
    }
    if let Some(memory) = input.memory_size {
        constraints.range("memorySize", memory, 128, MEMORY_MAX);
    }
    if let Some(storage) = &input.ephemeral_storage {
        constraints.range("ephemeralStorage.size", storage.size, 512, 10_240);
    }
    if let Some(tracing) = &input.tracing_config {
        one_of(constraints, "tracingConfig.mode", &tracing.mode, &["Active", "PassThrough"]);
    }
    if let Some(snap_start) = &input.snap_start {
        let allowed = ["PublishedVersions", "None"];
        one_of(constraints, "snapStart.applyOn", &snap_start.apply_on, &allowed);
    }
    for name in input.environment.iter().flat_map(|environment| environment.variables.keys()) {
        let ok = name.len() > 1
            && name.as_bytes()[0].is_ascii_alphabetic()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        // Reserved names such as _HANDLER have their own, clearer error.
        if !RESERVED_VARIABLES.contains(&name.as_str()) {
            constraints.pattern("environment.variables", name, ok, VARIABLE_PATTERN);
        }
    }
}

/// Notes a value outside an enum.
pub(super) fn one_of(constraints: &mut Constraints, field: &str, value: &str, allowed: &[&str]) {
    if !allowed.contains(&value) {
        let text = format!("Member must satisfy enum value set: [{}]", allowed.join(", "));
        constraints.broken(field, value, &text);
    }
}

fn is_role(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts.as_slice() else {
        return false;
    };
    let resource_ok = resource.strip_prefix("role").is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte))
    });
    *arn == "arn"
        && (partition.is_empty() || partition.starts_with("aws"))
        && *service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource_ok
}

fn check_environment(environment: &Environment) -> Result<(), ApiError> {
    let trouble = "Lambda was unable to configure your environment variables because the \
                   environment variables you have provided";
    let reserved: Vec<&str> = environment
        .variables
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
    let size: usize =
        environment.variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > ENVIRONMENT_MAX {
        // AWS prints the variables here; their values do not belong into errors and logs.
        return Err(ApiError::invalid(format!("{trouble} exceeded the 4KB limit ({size} bytes)")));
    }
    Ok(())
}

fn check_runtime(runtime: &str) -> Result<(), ApiError> {
    let numbered = |prefix: &str, suffix: &str| {
        runtime.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix)).is_some_and(
            |version| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()),
        )
    };
    if numbered("python3.", "")
        || numbered("nodejs", ".x")
        || ["provided", "provided.al2", "provided.al2023"].contains(&runtime)
    {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Value {runtime} at 'runtime' failed to satisfy constraint: the local cloud runs \
         python3.N, nodejsN.x, provided, provided.al2 and provided.al2023"
    )))
}

/// How AWS shows a version at a moment for which it is settled.
pub(super) fn show(
    home: &Home,
    name: &str,
    qualifier: Option<&str>,
    version: &VersionRecord,
) -> FunctionConfiguration {
    let configuration = &version.configuration;
    let pending = version.creating.is_some();
    let updating = version.updating.is_some();
    let reason = "The function is being created.";
    let published = version.version != LATEST;
    let snap_start_on = published && configuration.snap_start == "PublishedVersions";
    FunctionConfiguration {
        function_name: name.to_owned(),
        function_arn: home.arn(name, qualifier),
        runtime: configuration.runtime.clone(),
        role: configuration.role.clone(),
        handler: configuration.handler.clone(),
        code_size: version.code.size(),
        description: configuration.description.clone(),
        timeout: configuration.timeout,
        memory_size: configuration.memory_size,
        last_modified: timestamp(version.last_modified_ms),
        code_sha256: version.code.sha256().to_owned(),
        version: version.version.clone(),
        vpc_config: configuration.vpc_config.clone(),
        dead_letter_config: configuration
            .dead_letter_target
            .clone()
            .map(|arn| DeadLetterConfig { target_arn: Some(arn) }),
        environment: Some(&configuration.variables)
            .filter(|variables| !variables.is_empty())
            .map(|variables| Environment { variables: variables.clone() }),
        kms_key_arn: configuration.kms_key_arn.clone(),
        tracing_config: TracingConfig { mode: configuration.tracing_mode.clone() },
        revision_id: version.revision_id.clone(),
        state: Some(if pending { "Pending" } else { "Active" }),
        state_reason: pending.then_some(reason),
        state_reason_code: pending.then_some("Creating"),
        last_update_status: match (pending, updating) {
            (true, _) => None,
            (false, true) => Some("InProgress"),
            (false, false) => Some("Successful"),
        },
        last_update_status_reason: (!pending && updating).then_some(reason),
        last_update_status_reason_code: (!pending && updating).then_some("Creating"),
        package_type: configuration.package_type.clone(),
        image_config_response: configuration
            .image_config
            .as_ref()
            .map(|config| json!({ "ImageConfig": config })),
        architectures: configuration.architectures.clone(),
        ephemeral_storage: EphemeralStorage { size: configuration.ephemeral_mb },
        snap_start: SnapStartResponse {
            apply_on: configuration.snap_start.clone(),
            optimization_status: if snap_start_on { "On" } else { "Off" },
        },
        logging_config: logging(name, configuration.logging_config.as_ref()),
    }
}

fn logging(name: &str, set: Option<&Value>) -> Value {
    let mut config = json!({ "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}") });
    if let (Some(config), Some(Value::Object(set))) = (config.as_object_mut(), set) {
        for (key, value) in set {
            config.insert(key.clone(), value.clone());
        }
    }
    config
}

/// `LastModified` as AWS prints it.
pub(super) fn timestamp(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string())
        .unwrap_or_default()
}
