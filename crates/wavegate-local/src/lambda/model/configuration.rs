//! A function's configuration: its defaults, its changes, and how AWS shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::layer::LayerUse;
use super::record::VersionRecord;
use crate::lambda::archive::hex_sha256;
use crate::lambda::input::{
    ConfigurationInput, DeadLetterConfig, Environment, EphemeralStorage, TracingConfig,
};
use crate::lambda::name::{Home, LATEST};
use crate::lambda::output::{
    FunctionConfiguration, Layer, RuntimeVersionConfig, SnapStartResponse,
};

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
    /// Whether an environment was ever given: AWS shows an empty one then.
    #[serde(default)]
    pub has_environment: bool,
    /// The layers, in the order they are laid over each other.
    #[serde(default)]
    pub layers: Vec<LayerUse>,
    #[serde(default)]
    pub tenancy_config: Option<Value>,
    /// The key that the package is encrypted with.
    #[serde(default)]
    pub source_kms_key_arn: Option<String>,
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
            has_environment: false,
            layers: Vec::new(),
            tenancy_config: None,
            source_kms_key_arn: None,
        }
    }
}

impl Configuration {
    /// Takes over what the input sets, but for the layers, which the account knows.
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
        self.has_environment |= input.environment.is_some();
        set(&mut self.variables, input.environment.map(|environment| environment.variables));
        set(&mut self.tracing_mode, input.tracing_config.map(|tracing| tracing.mode));
        set(&mut self.ephemeral_mb, input.ephemeral_storage.map(|storage| storage.size));
        set(&mut self.snap_start, input.snap_start.map(|snap_start| snap_start.apply_on));
        self.runtime = input.runtime.or(self.runtime.take());
        self.handler = input.handler.or(self.handler.take());
        self.vpc_config = input.vpc_config.or(self.vpc_config.take());
        self.tenancy_config = input.tenancy_config.or(self.tenancy_config.take());
        if let Some(logging) = input.logging_config {
            self.logging_config = Some(merged(self.logging_config.take(), logging));
        }
        // Empty ones clear these three.
        if let Some(image) = input.image_config {
            self.image_config = Some(image).filter(|image| *image != json!({}));
        }
        if let Some(dead_letter) = input.dead_letter_config {
            self.dead_letter_target = dead_letter.target_arn.filter(|arn| !arn.is_empty());
        }
        if let Some(key) = input.kms_key_arn {
            self.kms_key_arn = Some(key).filter(|key| !key.is_empty());
        }
    }
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
        vpc_config: configuration.vpc_config.as_ref().map(vpc),
        dead_letter_config: configuration
            .dead_letter_target
            .clone()
            .map(|arn| DeadLetterConfig { target_arn: Some(arn) }),
        environment: Some(&configuration.variables)
            .filter(|variables| configuration.has_environment || !variables.is_empty())
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
        runtime_version_config: runtime_version(home, version),
        layers: configuration.layers.iter().map(Layer::from).collect(),
        logging_config: logging(name, configuration.logging_config.as_ref()),
        tenancy_config: configuration.tenancy_config.clone(),
    }
}

/// Lays what a caller sets over what was set before.
fn merged(before: Option<Value>, now: Value) -> Value {
    match (before, now) {
        (Some(Value::Object(mut all)), Value::Object(now)) => {
            all.extend(now);
            Value::Object(all)
        }
        (_, now) => now,
    }
}

/// Log levels are there for JSON only.
fn logging(name: &str, set: Option<&Value>) -> Value {
    let of = |key: &str, default: &str| match set.and_then(|set| set.get(key)) {
        Some(Value::String(value)) => json!(value),
        _ => json!(default),
    };
    let mut config = json!({
        "LogFormat": of("LogFormat", "Text"),
        "LogGroup": of("LogGroup", &format!("/aws/lambda/{name}")),
    });
    if config["LogFormat"] == "JSON" {
        config["ApplicationLogLevel"] = of("ApplicationLogLevel", "INFO");
        config["SystemLogLevel"] = of("SystemLogLevel", "INFO");
    }
    config
}

/// A network as AWS shows it. The local cloud has none: the id of the network is made of its first
/// subnet's, so that it is the same at every look.
fn vpc(given: &Value) -> Value {
    let list = |key: &str| given.get(key).filter(|list| list.is_array()).cloned();
    let subnets = list("SubnetIds").unwrap_or_else(|| json!([]));
    let id = subnets[0]
        .as_str()
        .map_or_else(String::new, |subnet| format!("vpc-{}", &hex_sha256(subnet.as_bytes())[..17]));
    json!({
        "SubnetIds": subnets,
        "SecurityGroupIds": list("SecurityGroupIds").unwrap_or_else(|| json!([])),
        "VpcId": id,
        "Ipv6AllowedForDualStack": given["Ipv6AllowedForDualStack"].as_bool().unwrap_or(false),
    })
}

/// The version of the runtime: one for each runtime, since the local cloud runs what is installed.
fn runtime_version(home: &Home, version: &VersionRecord) -> Option<RuntimeVersionConfig> {
    let runtime = version.configuration.runtime.as_deref()?;
    let runtime_version_arn = version.pinned_runtime.clone().unwrap_or_else(|| {
        let hash = hex_sha256(runtime.as_bytes());
        format!("arn:{}:lambda:{}::runtime:{hash}", home.partition(), home.region)
    });
    Some(RuntimeVersionConfig { runtime_version_arn })
}

/// `LastModified` as AWS prints it.
pub(super) fn timestamp(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string())
        .unwrap_or_default()
}
