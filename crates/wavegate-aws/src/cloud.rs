//! The cloud port on the SDK: one call per method, paging aside, and no retries.
//!
//! Invariants: every `UpdateAlias` carries the revision id it is based on; main version and
//! routing config are sent together or not at all; a list is complete or an error; a deletion
//! always names a version. Deliberately absent: counting of calls, rate limits and retries, which
//! are the engine's.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use async_trait::async_trait;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Architecture, DeadLetterConfig, Environment, EphemeralStorage,
    FunctionCode, FunctionConfiguration, PackageType, Runtime, TracingConfig, TracingMode,
    VpcConfig,
};
use aws_smithy_types::timeout::TimeoutConfig;
use tokio::sync::Semaphore;
use wavegate_core::inventory::{AliasState, Artifact, ExtraVersion};
use wavegate_core::name::{AliasName, FunctionName, VersionId};
use wavegate_core::spec::FunctionConfig;
use wavegate_engine::ports::{
    AliasUpdate, Cloud, CloudError, FaultKind, FunctionView, Identity, NewAlias, VersionView,
};

use crate::existing::described;
use crate::fault::{from_sdk, plain, unreadable, without_secrets};
use crate::settings::Timeouts;
use crate::transport::Transport;
use crate::upload::ArtifactStore;
use crate::view::{DescribesAlias, DescribesFunction};

/// How many packages are sent at once. Lambda's API takes a package as base64 inside JSON, so
/// each one in flight is in memory about 2.4 times: 50 MB packages need 120 MB each.
pub(crate) const UPLOADS_MAX: usize = 4;

/// Most pages of one list: 50 000 versions or aliases. More is a service that never ends its list.
const PAGES_MAX: usize = 1000;

/// Entries per page: the most that `ListVersionsByFunction` gives.
pub(crate) const PAGE_SIZE: i32 = 50;

/// The cloud ports on AWS Lambda, S3, STS and CodeDeploy, or on any endpoint that speaks like them.
///
/// Made by [`AwsCloud::connect`].
#[derive(Debug)]
pub struct AwsCloud {
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) codedeploy: aws_sdk_codedeploy::Client,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) uploads: Semaphore,
    pub(crate) timeouts: Timeouts,
    pub(crate) transport: Transport,
    /// Whether Lambda is spoken to without TLS: an endpoint of somebody's own.
    pub(crate) is_plain: bool,
}

impl AwsCloud {
    /// Every published version of a function, as `read` sees its entry, of all pages.
    pub(crate) async fn published_versions<T>(
        &self,
        function: &FunctionName,
        read: impl Fn(VersionId, &FunctionConfiguration) -> T,
    ) -> Result<Vec<T>, CloudError> {
        const OPERATION: &str = "ListVersionsByFunction";
        let mut versions = Vec::new();
        let mut pages = Pages::new(OPERATION);
        loop {
            let page = self
                .lambda
                .list_versions_by_function()
                .function_name(function.as_str())
                .set_marker(pages.marker.clone())
                .max_items(PAGE_SIZE)
                .send()
                .await
                .map_err(|error| from_sdk(OPERATION, &error))?;
            for entry in complete(OPERATION, page.versions.as_ref())? {
                let version = version_number(OPERATION, entry)?;
                versions.extend(version.map(|version| read(version, entry)));
            }
            if !pages.turn(page.next_marker())? {
                return Ok(versions);
            }
        }
    }
}

#[async_trait]
impl Cloud for AwsCloud {
    async fn get_function(
        &self,
        function: &FunctionName,
        version: Option<VersionId>,
    ) -> Result<Option<FunctionView>, CloudError> {
        let Some(answer) = self.shown(function, version).await? else { return Ok(None) };
        let (_, view) = described(&answer)?;
        Ok(Some(view))
    }

    async fn create_function(
        &self,
        function: &FunctionName,
        config: &FunctionConfig,
        code: &Artifact,
    ) -> Result<FunctionView, CloudError> {
        const OPERATION: &str = "CreateFunction";
        // Held until the answer is there: it bounds the packages in memory.
        let _permit = self.uploads.acquire().await.ok();
        let package = match code {
            Artifact::Image { .. } => PackageType::Image,
            Artifact::Zip { .. } | Artifact::S3 { .. } => PackageType::Zip,
        };
        let answer = self
            .lambda
            .create_function()
            .function_name(function.as_str())
            .publish(true)
            .package_type(package)
            .code(function_code(OPERATION, code).await?)
            .role(&config.role)
            .description(&config.description)
            .set_runtime(config.runtime.as_deref().map(Runtime::from))
            .set_handler(config.handler.clone())
            .memory_size(signed(config.memory_mb))
            .timeout(signed(config.timeout_s))
            .architectures(Architecture::from(config.architecture.as_str()))
            .set_ephemeral_storage(ephemeral_storage(config))
            .tracing_config(tracing(config))
            .environment(environment(config))
            .set_layers((!config.layers.is_empty()).then(|| config.layers.clone()))
            .set_vpc_config(config.vpc.as_ref().map(|_| vpc(config)))
            .set_dead_letter_config(config.dead_letter.as_ref().map(|_| dead_letter(config)))
            .customize()
            .config_override(self.for_upload())
            .send()
            .await
            .map_err(|error| without_secrets(from_sdk(OPERATION, &error), config))?;
        Ok(with_image(answer.view(OPERATION)?, code))
    }

    async fn update_code(
        &self,
        function: &FunctionName,
        code: &Artifact,
        architecture: &str,
        base: Option<&str>,
        publish: bool,
    ) -> Result<FunctionView, CloudError> {
        const OPERATION: &str = "UpdateFunctionCode";
        let _permit = self.uploads.acquire().await.ok();
        let code_parts = function_code(OPERATION, code).await?;
        let answer = self
            .lambda
            .update_function_code()
            .function_name(function.as_str())
            .set_zip_file(code_parts.zip_file)
            .set_s3_bucket(code_parts.s3_bucket)
            .set_s3_key(code_parts.s3_key)
            .set_image_uri(code_parts.image_uri)
            .architectures(Architecture::from(architecture))
            .set_revision_id(base.map(str::to_owned))
            .publish(publish)
            .customize()
            .config_override(self.for_upload())
            .send()
            .await
            .map_err(|error| from_sdk(OPERATION, &error))?;
        Ok(with_image(answer.view(OPERATION)?, code))
    }

    async fn update_config(
        &self,
        function: &FunctionName,
        config: &FunctionConfig,
        base: Option<&str>,
    ) -> Result<FunctionView, CloudError> {
        const OPERATION: &str = "UpdateFunctionConfiguration";
        // Lambda keeps what is left out, so what the manifest no longer has is sent as empty.
        let answer = self
            .lambda
            .update_function_configuration()
            .function_name(function.as_str())
            .role(&config.role)
            .description(&config.description)
            .set_runtime(config.runtime.as_deref().map(Runtime::from))
            .set_handler(config.handler.clone())
            .memory_size(signed(config.memory_mb))
            .timeout(signed(config.timeout_s))
            .set_ephemeral_storage(ephemeral_storage(config))
            .tracing_config(tracing(config))
            .environment(environment(config))
            .set_layers(Some(config.layers.clone()))
            .vpc_config(vpc(config))
            .dead_letter_config(dead_letter(config))
            .set_revision_id(base.map(str::to_owned))
            .send()
            .await
            .map_err(|error| without_secrets(from_sdk(OPERATION, &error), config))?;
        answer.view(OPERATION)
    }

    async fn publish_version(
        &self,
        function: &FunctionName,
        code_sha256: Option<&str>,
        base: Option<&str>,
        description: &str,
    ) -> Result<FunctionView, CloudError> {
        const OPERATION: &str = "PublishVersion";
        // Left out, the version takes the function's own description; empty text would clear it.
        let description = (!description.is_empty()).then(|| description.to_owned());
        self.lambda
            .publish_version()
            .function_name(function.as_str())
            .set_code_sha256(code_sha256.map(str::to_owned))
            .set_revision_id(base.map(str::to_owned))
            .set_description(description)
            .send()
            .await
            .map_err(|error| from_sdk(OPERATION, &error))?
            .view(OPERATION)
    }

    async fn list_versions(&self, function: &FunctionName) -> Result<Vec<VersionView>, CloudError> {
        self.published_versions(function, |version, entry| VersionView {
            version,
            code_sha256: entry.code_sha256().unwrap_or_default().to_owned(),
        })
        .await
    }

    async fn list_functions(&self) -> Result<Vec<FunctionName>, CloudError> {
        const OPERATION: &str = "ListFunctions";
        let mut names = Vec::new();
        let mut pages = Pages::new(OPERATION);
        loop {
            let page = self
                .lambda
                .list_functions()
                .set_marker(pages.marker.clone())
                .max_items(PAGE_SIZE)
                .send()
                .await
                .map_err(|error| from_sdk(OPERATION, &error))?;
            let found = page.functions().iter().filter_map(|function| function.function_name());
            // A name that Lambda would not take names no function.
            names.extend(found.filter_map(|name| FunctionName::new(name).ok()));
            if !pages.turn(page.next_marker())? {
                return Ok(names);
            }
        }
    }

    async fn delete_version(
        &self,
        function: &FunctionName,
        version: VersionId,
    ) -> Result<(), CloudError> {
        // The qualifier is what keeps this from deleting the whole function.
        let answer = self
            .lambda
            .delete_function()
            .function_name(function.as_str())
            .qualifier(version.to_string())
            .send()
            .await;
        absent_is_done(answer.map(drop).map_err(|error| from_sdk("DeleteFunction", &error)))
    }

    async fn list_aliases(
        &self,
        function: &FunctionName,
    ) -> Result<Option<Vec<AliasState>>, CloudError> {
        const OPERATION: &str = "ListAliases";
        let mut aliases = Vec::new();
        let mut pages = Pages::new(OPERATION);
        loop {
            let page = self
                .lambda
                .list_aliases()
                .function_name(function.as_str())
                .set_marker(pages.marker.clone())
                .max_items(PAGE_SIZE)
                .send()
                .await;
            let page = match page {
                Ok(page) => page,
                // A function that vanishes between two pages does not exist either.
                Err(error) => return absent_is_none(from_sdk(OPERATION, &error)),
            };
            for alias in complete(OPERATION, page.aliases.as_ref())? {
                aliases.push(alias.state(OPERATION)?);
            }
            if !pages.turn(page.next_marker())? {
                return Ok(Some(aliases));
            }
        }
    }

    async fn get_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
    ) -> Result<Option<AliasState>, CloudError> {
        const OPERATION: &str = "GetAlias";
        let answer = self
            .lambda
            .get_alias()
            .function_name(function.as_str())
            .name(alias.as_str())
            .send()
            .await;
        match answer {
            Ok(answer) => answer.state(OPERATION).map(Some),
            Err(error) => absent_is_none(from_sdk(OPERATION, &error)),
        }
    }

    async fn create_alias(
        &self,
        function: &FunctionName,
        alias: &NewAlias,
    ) -> Result<AliasState, CloudError> {
        const OPERATION: &str = "CreateAlias";
        let version = alias.version.map_or_else(|| "$LATEST".to_owned(), |v| v.to_string());
        self.lambda
            .create_alias()
            .function_name(function.as_str())
            .name(alias.name.as_str())
            .function_version(version)
            .description(&alias.description)
            .send()
            .await
            .map_err(|error| from_sdk(OPERATION, &error))?
            .state(OPERATION)
    }

    async fn update_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
        update: &AliasUpdate,
    ) -> Result<AliasState, CloudError> {
        const OPERATION: &str = "UpdateAlias";
        let (version, routing) = match &update.routing {
            Some((version, extra)) => (Some(version.to_string()), Some(routing(extra.as_ref()))),
            None => (None, None),
        };
        self.lambda
            .update_alias()
            .function_name(function.as_str())
            .name(alias.as_str())
            .revision_id(&update.base)
            .description(&update.description)
            .set_function_version(version)
            .set_routing_config(routing)
            .send()
            .await
            .map_err(|error| from_sdk(OPERATION, &error))?
            .state(OPERATION)
    }

    async fn delete_alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
    ) -> Result<(), CloudError> {
        let answer = self
            .lambda
            .delete_alias()
            .function_name(function.as_str())
            .name(alias.as_str())
            .send()
            .await;
        absent_is_done(answer.map(drop).map_err(|error| from_sdk("DeleteAlias", &error)))
    }

    async fn put_artifact(&self, bucket: &str, key: &str, zip: &Path) -> Result<(), CloudError> {
        let _permit = self.uploads.acquire().await.ok();
        self.artifacts.put(bucket, key, zip).await
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        const OPERATION: &str = "GetCallerIdentity";
        let answer = self
            .sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| from_sdk(OPERATION, &error))?;
        match (answer.account(), answer.arn()) {
            (Some(account), Some(arn)) => {
                Ok(Identity { account: account.to_owned(), arn: arn.to_owned() })
            }
            _ => Err(unreadable(OPERATION, "no Account or no Arn")),
        }
    }
}

impl AwsCloud {
    /// A call that carries a package may take longer than others.
    fn for_upload(&self) -> aws_sdk_lambda::config::Builder {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.timeouts.connect)
            .operation_timeout(self.timeouts.package)
            .build();
        aws_sdk_lambda::config::Config::builder().timeout_config(timeouts)
    }
}

/// Where a list is, and whether it may go on. Complete or an error, never silently short.
pub(crate) struct Pages {
    operation: &'static str,
    pub(crate) marker: Option<String>,
    seen: HashSet<String>,
}

impl Pages {
    pub(crate) fn new(operation: &'static str) -> Self {
        Self { operation, marker: None, seen: HashSet::new() }
    }

    /// Takes the marker of the next page; `false` after the last one.
    pub(crate) fn turn(&mut self, next: Option<&str>) -> Result<bool, CloudError> {
        let Some(next) = next.filter(|marker| !marker.is_empty()) else { return Ok(false) };
        if !self.seen.insert(next.to_owned()) {
            return Err(unreadable(self.operation, "the list repeats a page and does not end"));
        }
        if self.seen.len() >= PAGES_MAX {
            let what = format!("the list has more than {PAGES_MAX} pages");
            return Err(unreadable(self.operation, &what));
        }
        self.marker = Some(next.to_owned());
        Ok(true)
    }
}

/// A page's entries. An answer without any list, as an empty body is, is no empty list: a function
/// that has aliases would be taken for a new one.
fn complete<'a, T>(
    operation: &'static str,
    entries: Option<&'a Vec<T>>,
) -> Result<&'a [T], CloudError> {
    entries.map(Vec::as_slice).ok_or_else(|| unreadable(operation, "no list in it"))
}

/// The number in an entry of the list of versions; `None` for `$LATEST` and its like.
fn version_number(
    operation: &'static str,
    entry: &FunctionConfiguration,
) -> Result<Option<VersionId>, CloudError> {
    let text = entry.version().ok_or_else(|| unreadable(operation, "an entry without Version"))?;
    if text.starts_with('$') {
        return Ok(None);
    }
    VersionId::parse(text)
        .map(Some)
        .ok_or_else(|| unreadable(operation, &format!("version `{text}` is not a number")))
}

/// "Does not exist" is an answer where the port asks whether something exists.
pub(crate) fn absent_is_none<T>(error: CloudError) -> Result<Option<T>, CloudError> {
    if error.kind == FaultKind::NotFound { Ok(None) } else { Err(error) }
}

/// What is to be deleted and is not there is deleted: Lambda answers 204 then, others answer 404.
pub(crate) fn absent_is_done(outcome: Result<(), CloudError>) -> Result<(), CloudError> {
    match outcome {
        Err(error) if error.kind == FaultKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Answers about images do not name the image: it is the one that was sent.
fn with_image(mut view: FunctionView, code: &Artifact) -> FunctionView {
    if let Artifact::Image { uri } = code {
        view.image_uri = Some(uri.clone());
    }
    view
}

/// Where the code is, or the code itself.
///
/// The API takes a package inside JSON and the SDK wants all of it at once: this read, just
/// before the call, is the one place where a package is held in memory.
async fn function_code(
    operation: &'static str,
    code: &Artifact,
) -> Result<FunctionCode, CloudError> {
    let builder = FunctionCode::builder();
    let builder = match code {
        Artifact::Zip { path, .. } => {
            let bytes = tokio::fs::read(path).await.map_err(|error| {
                let text = format!("the package {} cannot be read: {error}", path.display());
                plain(operation, FaultKind::Invalid, &text)
            })?;
            builder.zip_file(Blob::new(bytes))
        }
        Artifact::S3 { bucket, key } => builder.s3_bucket(bucket).s3_key(key),
        Artifact::Image { uri } => builder.image_uri(uri),
    };
    Ok(builder.build())
}

/// No additional version is an empty map, which clears the weights; leaving it out might keep them.
fn routing(extra: Option<&ExtraVersion>) -> AliasRoutingConfiguration {
    let weights: HashMap<String, f64> = extra
        .map(|extra| (extra.version.to_string(), extra.weight.to_share()))
        .into_iter()
        .collect();
    AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build()
}

fn environment(config: &FunctionConfig) -> Environment {
    let variables = config
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), value.expose().to_owned()))
        .collect();
    Environment::builder().set_variables(Some(variables)).build()
}

fn ephemeral_storage(config: &FunctionConfig) -> Option<EphemeralStorage> {
    EphemeralStorage::builder().size(signed(config.ephemeral_storage_mb)).build().ok()
}

fn tracing(config: &FunctionConfig) -> TracingConfig {
    let mode = if config.tracing { TracingMode::Active } else { TracingMode::PassThrough };
    TracingConfig::builder().mode(mode).build()
}

/// Empty lists take a function out of its VPC.
fn vpc(config: &FunctionConfig) -> VpcConfig {
    let vpc = config.vpc.clone().unwrap_or_default();
    VpcConfig::builder()
        .set_subnet_ids(Some(vpc.subnets.into_iter().collect()))
        .set_security_group_ids(Some(vpc.security_groups.into_iter().collect()))
        .build()
}

/// An empty ARN removes the target.
fn dead_letter(config: &FunctionConfig) -> DeadLetterConfig {
    DeadLetterConfig::builder().target_arn(config.dead_letter.clone().unwrap_or_default()).build()
}

/// What does not fit is over every limit of Lambda's, which says so.
fn signed(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_does_not_end_is_an_error() {
        let mut pages = Pages::new("ListAliases");
        assert_eq!(pages.turn(Some("a")), Ok(true));
        assert_eq!(pages.turn(Some("b")), Ok(true));
        assert_eq!(pages.turn(Some("a")).unwrap_err().kind, FaultKind::Unknown);
        let mut pages = Pages::new("ListAliases");
        let end =
            (0..=PAGES_MAX).map(|page| pages.turn(Some(&page.to_string()))).find(Result::is_err);
        assert_eq!(end.unwrap().unwrap_err().kind, FaultKind::Unknown);
        assert_eq!(Pages::new("ListAliases").turn(None), Ok(false));
        assert_eq!(Pages::new("ListAliases").turn(Some("")), Ok(false));
    }
}
