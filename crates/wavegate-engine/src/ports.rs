//! The ports: what the engine needs of the world, as traits that adapters implement.
//!
//! Every method is one API call (paging aside) and does not retry: one layer retries, and that is
//! [`crate::caller`] for calls that are safe to repeat and the release machine for alias writes.
//! Futures are cancelled by dropping them.

mod deployments;

use std::collections::BTreeMap;
use std::time::Duration;

pub use deployments::{
    DeploymentView, Deployments, GroupView, LifecycleEvent, NewDeployment, TargetView,
};

use async_trait::async_trait;
use wavegate_core::doctor::{Mapping, Provisioned, PublishedVersion, Statement};
use wavegate_core::inventory::{AliasState, Artifact, ExtraVersion};
use wavegate_core::name::{AliasName, FunctionName, VersionId};
use wavegate_core::plan::{AlarmStatus, Outline};
use wavegate_core::release::{Decision, HookContext, HookPhase, Observation};
use wavegate_core::spec::{ComponentUse, FunctionConfig, HookUse, Opaque};

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

    /// `PublishVersion` under a code hash and a revision id. Without a `description` the version has
    /// the function's own.
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

    /// `ListFunctions`, all pages: the names of all functions of the account and region.
    async fn list_functions(&self) -> Result<Vec<FunctionName>, CloudError>;

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

/// What stands around functions and aliases: who calls them, what they cost. Only a doctor looks at
/// it, so a cloud that is only deployed to need not have it.
#[async_trait]
pub trait Surroundings: Send + Sync + 'static {
    /// `ListVersionsByFunction`, all pages, without `$LATEST`, with what Lambda compares before it
    /// splits traffic.
    async fn published(&self, function: &FunctionName)
    -> Result<Vec<PublishedVersion>, CloudError>;

    /// `ListEventSourceMappings` of the whole account, all pages, by function. Asking for one
    /// function finds only those that name it without a qualifier.
    async fn mappings(&self) -> Result<BTreeMap<String, Vec<Mapping>>, CloudError>;

    /// `GetFunctionUrlConfig` of the function itself: its authorization type, if it has a URL.
    async fn url(&self, function: &FunctionName) -> Result<Option<String>, CloudError>;

    /// `GetPolicy` of the function itself or of an alias: the statements that allow something. Empty
    /// where there is no policy.
    async fn policy(
        &self,
        function: &FunctionName,
        alias: Option<&AliasName>,
    ) -> Result<Vec<Statement>, CloudError>;

    /// `ListProvisionedConcurrencyConfigs`, all pages.
    async fn provisioned(&self, function: &FunctionName) -> Result<Vec<Provisioned>, CloudError>;
}

/// Functions as whole as the service shows them, and their code. Only who writes a manifest of what
/// exists looks at it.
#[async_trait]
pub trait Existing: Send + Sync + 'static {
    /// `GetFunction` of `$LATEST` (`version` is `None`) or of one version, with what no manifest says.
    /// `Ok(None)`: not there.
    async fn whole_function(
        &self,
        function: &FunctionName,
        version: Option<VersionId>,
    ) -> Result<Option<WholeFunction>, CloudError>;

    /// `GetFunction`, and one request to the place of the code that it answers with: writes the package
    /// to `to`, over what is there. The place is asked for anew each time, because it is open for
    /// minutes only, and to whoever knows it: it is in no answer and in no error.
    ///
    /// `Ok(None)`: the function, or the version, is not there.
    async fn fetch_code(
        &self,
        function: &FunctionName,
        version: Option<VersionId>,
        to: &std::path::Path,
    ) -> Result<Option<FetchedCode>, CloudError>;
}

/// A function with what no key of a manifest is for.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeFunction {
    /// What a manifest can say.
    pub view: FunctionView,
    /// Its tags, or why they cannot be read: they take a permission of their own.
    pub tags: Result<BTreeMap<String, String>, CloudError>,
    /// What else is set on it.
    pub rest: Vec<Setting>,
}

/// A property of a function that no key of a manifest is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name in Lambda's API.
    pub property: &'static str,
    /// Its value, where that is short and tells something.
    pub value: Option<String>,
}

/// A package that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedCode {
    /// The base64 SHA-256 of the bytes that were written.
    pub code_sha256: String,
    /// How many there are.
    pub bytes: u64,
}

/// The strategies. Pure by contract, but they may live in another process, so calls are async.
#[async_trait]
pub trait Strategies: Send + Sync + 'static {
    /// What the strategy promises for a function.
    ///
    /// # Errors
    /// The strategy's own words.
    async fn outline(&self, strategy: &ComponentUse, subject: &Subject) -> Result<Outline, String>;

    /// What the strategy says now, and what it wants to remember.
    ///
    /// # Errors
    /// The strategy's own words.
    async fn decide(
        &self,
        strategy: &ComponentUse,
        state: Option<&Opaque>,
        seen: &Observation,
    ) -> Result<(Decision, Opaque), String>;
}

/// The function that a component is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The app.
    pub app: String,
    /// The function's name in Lambda.
    pub function: String,
    /// The alias.
    pub alias: String,
}

/// The hooks.
#[async_trait]
pub trait Hooks: Send + Sync + 'static {
    /// Runs a hook once. Cancelled by dropping the future.
    async fn run(&self, hook: &HookUse, call: &HookCall) -> HookVerdict;
}

/// One call of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookCall {
    /// About which function.
    pub subject: Subject,
    /// The release's id.
    pub release: String,
    /// The release's number.
    pub number: u64,
    /// When in the rollout.
    pub phase: HookPhase,
    /// What the rollout looks like.
    pub context: HookContext,
    /// The same for every try of the same call: hooks run at least once.
    pub idempotency_key: String,
    /// Counts tries from 1.
    pub attempt: u32,
    /// How much of its time is left.
    pub left: Duration,
}

/// What a hook said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookVerdict {
    /// It passed.
    Pass {
        /// Its words.
        detail: String,
    },
    /// It failed, or could not be run: a hook fails closed.
    Fail {
        /// Why, in its words.
        reason: String,
    },
    /// It does not know yet.
    Retry {
        /// When to ask again.
        after: Duration,
        /// Its words.
        detail: String,
    },
}

/// The alarm providers.
#[async_trait]
pub trait Alarms: Send + Sync + 'static {
    /// Reads many alarms in as few calls as possible. One answer per question, in any order.
    ///
    /// # Errors
    /// What went wrong with all of them.
    async fn read(&self, questions: Vec<AlarmQuestion>) -> Result<Vec<AlarmAnswer>, String>;
}

/// One alarm to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmQuestion {
    /// Whose alarm: the manifest's function and alarm name.
    pub key: (FunctionName, String),
    /// The alarm.
    pub alarm: ComponentUse,
    /// About which function.
    pub subject: Subject,
    /// The version being replaced.
    pub stable: Option<VersionId>,
    /// The version being rolled out; `None` before anything was changed.
    pub candidate: Option<VersionId>,
    /// When the candidate first took traffic, in milliseconds since the Unix epoch on the
    /// release's clock; `None` before anything was changed.
    pub since_ms: Option<u64>,
    /// Now, on the same clock: providers have none of their own.
    pub now_ms: u64,
}

/// What one alarm says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmAnswer {
    /// Whose alarm.
    pub key: (FunctionName, String),
    /// What it says.
    pub status: AlarmStatus,
    /// The provider's words.
    pub detail: String,
}

/// Time. One implementation reads the machine's clock; tests own another.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch on the release's clock: virtual under a time scale.
    /// Never goes back.
    fn now_ms(&self) -> u64;

    /// How many virtual seconds pass in one.
    fn scale(&self) -> f64;

    /// Returns when `now_ms` has reached `at_ms`.
    async fn sleep_until(&self, at_ms: u64);
}
