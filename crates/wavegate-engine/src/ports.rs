//! The ports: what the engine needs of the world, as traits that adapters implement.
//!
//! Every method is one API call (paging aside) and does not retry: one layer retries, and that is
//! [`crate::caller`] for calls that are safe to repeat and the release machine for alias writes.
//! Futures are cancelled by dropping them.

use std::time::Duration;

use async_trait::async_trait;
use wavegate_core::inventory::{AliasState, Artifact, ExtraVersion};
use wavegate_core::name::{AliasName, FunctionName, VersionId};
use wavegate_core::spec::FunctionConfig;

/// What kind of failure a cloud call met, as far as it decides what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The function, alias or version does not exist (404).
    NotFound,
    /// It exists already (409 on a create).
    AlreadyExists,
    /// The revision id or code hash that was sent is not the current one (412, and Lambda's 400
    /// for a wrong `CodeSha256`).
    Precondition,
    /// Another update of the function is in progress (409).
    UpdateInProgress,
    /// Too many requests (429, and Lambda's 400 whose text speaks of throttling).
    Throttled,
    /// The credentials may not do this (403).
    Denied,
    /// The credentials are wrong, missing or expired.
    Credentials,
    /// The request is not acceptable and never will be (other 4xx).
    Invalid,
    /// The package or the account's code storage is over a limit.
    TooLarge,
    /// Nothing answered: name, route or connection refused. The request was not applied.
    Unreachable,
    /// The outcome is unknown: a time-out, a reset or a 5xx. It may have been applied.
    Unknown,
}

/// A cloud call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {}{message}", code.as_ref().map(|c| format!("{c}: ")).unwrap_or_default())]
pub struct CloudError {
    /// The operation, such as `UpdateAlias`.
    pub operation: &'static str,
    /// What kind of failure it is.
    pub kind: FaultKind,
    /// The service's own error code, if it gave one.
    pub code: Option<String>,
    /// The service's words, or the transport's.
    pub message: String,
    /// The service's request id, for support.
    pub request_id: Option<String>,
    /// How long the service asked to wait.
    pub retry_after: Option<Duration>,
}

/// A function, or one version of it, as `GetFunction` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionView {
    /// The unqualified ARN.
    pub arn: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// The base64 SHA-256 of the code. Empty where the service gives none.
    pub code_sha256: String,
    /// The image, if it is one (as it was given, not as it was resolved).
    pub image_uri: Option<String>,
    /// The configuration.
    pub config: FunctionConfig,
    /// `Pending`, `Active`, `Inactive`, `Failed` and whatever Lambda adds.
    pub state: String,
    /// Why it is in that state.
    pub state_reason: Option<String>,
    /// `Successful`, `Failed`, `InProgress`.
    pub last_update_status: String,
    /// Why.
    pub last_update_reason: Option<String>,
    /// The revision id; `None` where the service has none (some emulators).
    pub revision: Option<String>,
}

/// What `UpdateAlias` is to change. Fields that are `None` are left out of the request and so
/// left alone by Lambda.
#[derive(Debug, Clone, PartialEq)]
pub struct AliasUpdate {
    /// The revision id the alias must still have.
    pub base: String,
    /// The main version and the additional version: always sent together, so that no weight of
    /// an earlier state can survive. `Some((v, None))` sends an empty routing config.
    pub routing: Option<(VersionId, Option<ExtraVersion>)>,
    /// The description.
    pub description: String,
}

/// What a new alias is.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAlias {
    /// Its name.
    pub name: AliasName,
    /// The version it points at; `None` is `$LATEST` (only the lock alias).
    pub version: Option<VersionId>,
    /// Its description.
    pub description: String,
}

/// One published version, as `ListVersionsByFunction` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionView {
    /// Its number.
    pub version: VersionId,
    /// The base64 SHA-256 of its code.
    pub code_sha256: String,
}

/// Who the credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account id.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}

/// The cloud: Lambda's control plane, and S3 for artifacts that are too large to send directly.
///
/// `function` is the name in Lambda.
#[async_trait]
pub trait Cloud: Send + Sync + 'static {
    /// `GetFunction` of `$LATEST` (`version` is `None`) or of one version. `Ok(None)`: not there.
    async fn get_function(
        &self,
        function: &FunctionName,
        version: Option<VersionId>,
    ) -> Result<Option<FunctionView>, CloudError>;

    /// `CreateFunction` with `Publish=true`: answers with version 1 (or whatever comes next).
    async fn create_function(
        &self,
        function: &FunctionName,
        config: &FunctionConfig,
        code: &Artifact,
    ) -> Result<FunctionView, CloudError>;

    /// `UpdateFunctionCode`; with `publish`, answers with the version that was published.
    async fn update_code(
        &self,
        function: &FunctionName,
        code: &Artifact,
        architecture: &str,
        base: Option<&str>,
        publish: bool,
    ) -> Result<FunctionView, CloudError>;

    /// `UpdateFunctionConfiguration`: sends every field of `config`.
    async fn update_config(
        &self,
        function: &FunctionName,
        config: &FunctionConfig,
        base: Option<&str>,
    ) -> Result<FunctionView, CloudError>;

    /// `PublishVersion` under a code hash and a revision id.
    async fn publish_version(
        &self,
        function: &FunctionName,
        code_sha256: Option<&str>,
        base: Option<&str>,
        description: &str,
    ) -> Result<FunctionView, CloudError>;

    /// `ListVersionsByFunction`, all pages, without `$LATEST`.
    async fn list_versions(&self, function: &FunctionName) -> Result<Vec<VersionView>, CloudError>;

    /// `DeleteFunction` of one version, never of the function.
    async fn delete_version(
        &self,
        function: &FunctionName,
        version: VersionId,
    ) -> Result<(), CloudError>;

    /// `ListAliases`, all pages. `Ok(None)`: the function does not exist.
    async fn list_aliases(
        &self,
        function: &FunctionName,
    ) -> Result<Option<Vec<AliasState>>, CloudError>;

    /// `GetAlias`. `Ok(None)`: not there.
    async fn get_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
    ) -> Result<Option<AliasState>, CloudError>;

    /// `CreateAlias`.
    async fn create_alias(
        &self,
        function: &FunctionName,
        alias: &NewAlias,
    ) -> Result<AliasState, CloudError>;

    /// `UpdateAlias` under a revision id.
    async fn update_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
        update: &AliasUpdate,
    ) -> Result<AliasState, CloudError>;

    /// `DeleteAlias`. Absent is success, as in Lambda.
    async fn delete_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
    ) -> Result<(), CloudError>;

    /// `PutObject` of a zip, streamed from disk, where the target has S3.
    async fn put_artifact(
        &self,
        bucket: &str,
        key: &str,
        zip: &std::path::Path,
    ) -> Result<(), CloudError>;

    /// `GetCallerIdentity`.
    async fn identity(&self) -> Result<Identity, CloudError>;
}
