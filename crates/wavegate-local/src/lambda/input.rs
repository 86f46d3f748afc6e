//! What callers send: the bodies of Lambda's REST-JSON requests.
//!
//! Unknown fields are ignored, as AWS ignores them. Code never arrives here as bytes: the server
//! takes it in and hands the model a [`Code`], which keeps the model free of I/O.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The code of a function, after it was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Code {
    /// A deployment package.
    Zip {
        /// Base64 of the SHA-256 of the zip, as AWS reports it.
        sha256: String,
        /// Bytes of the zip.
        size: u64,
    },
    /// A container image.
    Image {
        /// Where the image lies.
        uri: String,
        /// Base64 of the SHA-256 that stands for the image.
        sha256: String,
    },
}

impl Code {
    /// `CodeSha256` as AWS reports it.
    pub fn sha256(&self) -> &str {
        match self {
            Self::Zip { sha256, .. } | Self::Image { sha256, .. } => sha256,
        }
    }

    /// `CodeSize` as AWS reports it: zero for images.
    pub fn size(&self) -> u64 {
        match self {
            Self::Zip { size, .. } => *size,
            Self::Image { .. } => 0,
        }
    }
}

/// Where the code of a request lies.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CodeLocation {
    /// Base64 of a zip.
    pub zip_file: Option<String>,
    /// Bucket of a zip.
    #[serde(rename = "S3Bucket")]
    pub s3_bucket: Option<String>,
    /// Key of a zip.
    #[serde(rename = "S3Key")]
    pub s3_key: Option<String>,
    /// `S3ObjectVersion`: the current one when absent.
    pub s3_object_version: Option<String>,
    /// URI of a container image.
    pub image_uri: Option<String>,
    /// The key that the package is encrypted with.
    #[serde(rename = "SourceKMSKeyArn")]
    pub source_kms_key_arn: Option<String>,
}

/// `Environment`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Environment {
    /// The variables.
    pub variables: BTreeMap<String, String>,
}

/// `DeadLetterConfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeadLetterConfig {
    /// ARN of a queue or topic; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_arn: Option<String>,
}

/// `TracingConfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TracingConfig {
    /// `Active` or `PassThrough`.
    pub mode: String,
}

/// `EphemeralStorage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EphemeralStorage {
    /// Megabytes of `/tmp`.
    pub size: i64,
}

/// `SnapStart` as callers send it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SnapStart {
    /// `None` or `PublishedVersions`.
    pub apply_on: String,
}

/// The part of a configuration that callers may set; absent fields stay as they are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfigurationInput {
    /// `Runtime`.
    pub runtime: Option<String>,
    /// `Role`.
    pub role: Option<String>,
    /// `Handler`.
    pub handler: Option<String>,
    /// `Description`.
    pub description: Option<String>,
    /// `Timeout` in seconds.
    pub timeout: Option<i64>,
    /// `MemorySize` in megabytes.
    pub memory_size: Option<i64>,
    /// `Environment`.
    pub environment: Option<Environment>,
    /// `DeadLetterConfig`.
    pub dead_letter_config: Option<DeadLetterConfig>,
    /// `VpcConfig`, kept as it came: the local cloud has no networks.
    pub vpc_config: Option<Value>,
    /// `KMSKeyArn`.
    #[serde(rename = "KMSKeyArn")]
    pub kms_key_arn: Option<String>,
    /// `TracingConfig`.
    pub tracing_config: Option<TracingConfig>,
    /// `Layers`: ARNs of layer versions; an empty list takes all away.
    pub layers: Option<Vec<String>>,
    /// `FileSystemConfigs`; refused unless empty.
    pub file_system_configs: Option<Vec<Value>>,
    /// `ImageConfig`.
    pub image_config: Option<Value>,
    /// `EphemeralStorage`.
    pub ephemeral_storage: Option<EphemeralStorage>,
    /// `SnapStart`.
    pub snap_start: Option<SnapStart>,
    /// `LoggingConfig`; what it leaves out stays.
    pub logging_config: Option<Value>,
    /// `TenancyConfig`, kept as it came.
    pub tenancy_config: Option<Value>,
    /// `CapacityProviderConfig`; refused.
    pub capacity_provider_config: Option<Value>,
    /// `DurableConfig`; refused.
    pub durable_config: Option<Value>,
    /// `RuntimeConfig`; refused.
    pub runtime_config: Option<Value>,
    /// `AcceleratorConfig`; refused.
    pub accelerator_config: Option<Value>,
}

/// `CreateFunction`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateFunction {
    /// The new function's name.
    pub function_name: String,
    /// Where its code lies.
    pub code: CodeLocation,
    /// `Zip` or `Image`.
    pub package_type: Option<String>,
    /// Publish version 1 at once.
    pub publish: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// `Architectures`.
    pub architectures: Option<Vec<String>>,
    /// The code signing configuration that its packages are held against.
    pub code_signing_config_arn: Option<String>,
    /// Everything that can be changed later.
    #[serde(flatten)]
    pub configuration: ConfigurationInput,
}

/// `UpdateFunctionCode`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateFunctionCode {
    /// Where the new code lies.
    #[serde(flatten)]
    pub code: CodeLocation,
    /// Publish a version of it at once.
    pub publish: bool,
    /// Check everything, change nothing.
    pub dry_run: bool,
    /// Act only on this revision.
    pub revision_id: Option<String>,
    /// `Architectures`.
    pub architectures: Option<Vec<String>>,
}

/// `UpdateFunctionConfiguration`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateFunctionConfiguration {
    /// What to change.
    #[serde(flatten)]
    pub configuration: ConfigurationInput,
    /// Act only on this revision.
    pub revision_id: Option<String>,
}

/// `PublishVersion`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PublishVersion {
    /// Act only on this code.
    pub code_sha256: Option<String>,
    /// Description of the version; the function's own when absent.
    pub description: Option<String>,
    /// Act only on this revision.
    pub revision_id: Option<String>,
}

/// `RoutingConfig` of an alias.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RoutingConfig {
    /// At most one version and its share of the traffic, 0.0 to 1.0.
    pub additional_version_weights: Option<BTreeMap<String, f64>>,
}

/// `CreateAlias`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateAlias {
    /// The alias's name.
    pub name: String,
    /// The version that gets the rest of the traffic.
    pub function_version: String,
    /// Free text, at most 256 characters.
    pub description: Option<String>,
    /// A second version and its weight.
    pub routing_config: Option<RoutingConfig>,
}

/// `UpdateAlias`. Absent fields stay as they are; for `RoutingConfig` AWS's behaviour is not
/// documented, and keeping the weights is the reading that loses nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateAlias {
    /// The version that gets the rest of the traffic.
    pub function_version: Option<String>,
    /// Free text, at most 256 characters.
    pub description: Option<String>,
    /// A second version and its weight; an empty map clears it.
    pub routing_config: Option<RoutingConfig>,
    /// Act only on this revision.
    pub revision_id: Option<String>,
}

/// `AddPermission`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AddPermission {
    /// Name of the statement.
    pub statement_id: String,
    /// What is allowed, such as `lambda:InvokeFunction`.
    pub action: String,
    /// To whom.
    pub principal: String,
    /// From which resource.
    pub source_arn: Option<String>,
    /// From which account.
    pub source_account: Option<String>,
    /// `AuthType` of a function URL.
    pub function_url_auth_type: Option<String>,
    /// Whether only calls through a function URL are allowed.
    pub invoked_via_function_url: Option<bool>,
    /// A token that Alexa skills show.
    pub event_source_token: Option<String>,
    /// Organization that may call.
    #[serde(rename = "PrincipalOrgID")]
    pub principal_org_id: Option<String>,
    /// Act only on this revision of the policy.
    pub revision_id: Option<String>,
}
