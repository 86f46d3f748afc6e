//! Functions as whole as Lambda shows them, and their code.
//!
//! Invariants: the place of a function's code, a URL that is signed for whoever has it, stays in here:
//! it is in no answer, no error and no log; a package is streamed to disk, and counted while it comes.
//! Deliberately absent: retries, and any judgement of the hash.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    Concurrency, FunctionConfiguration, LogFormat, SnapStartApplyOn, VpcConfigResponse,
};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, Collected, Limited};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use wavegate_core::name::{FunctionName, VersionId};
use wavegate_engine::ports::{
    CloudError, Existing, FaultKind, FetchedCode, FunctionView, Setting, WholeFunction,
};

use crate::cloud::{AwsCloud, absent_is_none};
use crate::fault::{Answer, from_answer, from_sdk, from_transport, plain, unreadable};
use crate::settings::Endpoint;
use crate::upload::element;
use crate::view::DescribesFunction as _;

const OPERATION: &str = "GetFunction";

/// The request to where the code is, by S3's name.
const FETCH: &str = "GetObject";

/// The largest package that is fetched: what Lambda takes unzipped, and a little more, because a zip
/// that compresses nothing is larger than what is in it.
const PACKAGE_MAX: u64 = 262_144_000 + 64 * 1024 * 1024;

/// The longest refusal that is read. S3's are a few hundred bytes.
const REFUSAL_MAX: usize = 64 * 1024;

#[async_trait]
impl Existing for AwsCloud {
    async fn whole_function(
        &self,
        function: &FunctionName,
        version: Option<VersionId>,
    ) -> Result<Option<WholeFunction>, CloudError> {
        let Some(answer) = self.shown(function, version).await? else { return Ok(None) };
        let (configuration, view) = described(&answer)?;
        let rest = settings(function, configuration, &answer);
        Ok(Some(WholeFunction { view, tags: tags(&answer), rest }))
    }

    async fn fetch_code(
        &self,
        function: &FunctionName,
        version: Option<VersionId>,
        to: &Path,
    ) -> Result<Option<FetchedCode>, CloudError> {
        let Some(answer) = self.shown(function, version).await? else { return Ok(None) };
        let location = answer.code().and_then(|code| code.location());
        let Some(location) = location.filter(|location| !location.is_empty()) else {
            return Err(unreadable(OPERATION, "no Code.Location"));
        };
        self.check_place(location)?;
        let fetch = self.fetch(location, to);
        match tokio::time::timeout(self.timeouts.package, fetch).await {
            Ok(outcome) => outcome.map(Some),
            Err(_) => Err(plain(FETCH, FaultKind::Unknown, "the code did not come in time")),
        }
    }
}

/// What `GetFunction` says of a function, as it is and as the engine knows it.
pub(crate) fn described(
    answer: &GetFunctionOutput,
) -> Result<(&FunctionConfiguration, FunctionView), CloudError> {
    let configuration = answer.configuration();
    let configuration = configuration.ok_or_else(|| unreadable(OPERATION, "no Configuration"))?;
    let mut view = configuration.view(OPERATION)?;
    view.image_uri = answer.code().and_then(|code| code.image_uri()).map(str::to_owned);
    Ok((configuration, view))
}

impl AwsCloud {
    /// `GetFunction` of `$LATEST` or of one version, whole. `Ok(None)`: not there.
    pub(crate) async fn shown(
        &self,
        function: &FunctionName,
        version: Option<VersionId>,
    ) -> Result<Option<GetFunctionOutput>, CloudError> {
        let answer = self
            .lambda
            .get_function()
            .function_name(function.as_str())
            .set_qualifier(version.map(|version| version.to_string()))
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => absent_is_none(from_sdk(OPERATION, &error)),
        }
    }

    /// Whether code may be fetched from there: as safely as Lambda itself was spoken to, and from this
    /// machine alone where only that is spoken to.
    fn check_place(&self, location: &str) -> Result<(), CloudError> {
        let bad = |why: &str| {
            plain(
                FETCH,
                FaultKind::Invalid,
                &format!("the place of the code cannot be used: {why}"),
            )
        };
        let base = location.split(['?', '#']).next().unwrap_or_default();
        let place = Endpoint::parse("code", base).map_err(|_| bad("it is no URL"))?;
        let is_plain = !place.url.to_ascii_lowercase().starts_with("https://");
        if is_plain && !self.is_plain {
            return Err(bad("it is not https, and Lambda's own endpoint is"));
        }
        if self.transport.is_loopback() && !place.is_loopback() {
            return Err(bad("it is not on this machine, and the local cloud's code is"));
        }
        Ok(())
    }

    async fn fetch(&self, location: &str, to: &Path) -> Result<FetchedCode, CloudError> {
        let mut request = HttpRequest::new(SdkBody::empty());
        // The library's words would repeat the URL.
        let is_taken = request.set_method("GET").is_ok() && request.set_uri(location).is_ok();
        if !is_taken {
            let text = "the place of the code cannot be used: it is no URL";
            return Err(plain(FETCH, FaultKind::Invalid, text));
        }
        let settings =
            HttpConnectorSettings::builder().connect_timeout(self.timeouts.connect).build();
        let answer = self.transport.streaming(&settings).call(request).await;
        let mut answer = answer.map_err(|e| from_transport(FETCH, &e, FaultKind::Unknown))?;
        if answer.status().as_u16() != 200 {
            return Err(refusal(answer).await);
        }
        write(answer.take_body(), to).await
    }
}

/// Writes a body to a file, and hashes and counts what it writes.
async fn write(mut body: SdkBody, to: &Path) -> Result<FetchedCode, CloudError> {
    let disk = |error: std::io::Error| {
        let text = format!("the code cannot be written to {}: {error}", to.display());
        plain(FETCH, FaultKind::Invalid, &text)
    };
    let mut file = tokio::fs::File::create(to).await.map_err(disk)?;
    let mut hasher = Sha256::new();
    let mut bytes: u64 = 0;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| from_transport(FETCH, error.as_ref(), FaultKind::Unknown))?;
        let Ok(chunk) = frame.into_data() else { continue };
        bytes = bytes.saturating_add(chunk.len() as u64);
        if bytes > PACKAGE_MAX {
            let text = format!("the code has more than {PACKAGE_MAX} bytes");
            return Err(plain(FETCH, FaultKind::TooLarge, &text));
        }
        hasher.update(&chunk);
        file.write_all(&chunk).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    let code_sha256 = aws_smithy_types::base64::encode(hasher.finalize());
    Ok(FetchedCode { code_sha256, bytes })
}

/// Why the code is not given, in S3's words.
async fn refusal(mut answer: HttpResponse) -> CloudError {
    let body = Limited::new(answer.take_body(), REFUSAL_MAX).collect().await;
    let bytes = body.map(Collected::to_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let (code, message) = (element(&text, "Code"), element(&text, "Message"));
    from_answer(
        FETCH,
        &Answer {
            status: answer.status().as_u16(),
            headers: answer.headers(),
            code: code.as_deref(),
            message: message.as_deref(),
        },
    )
}

/// The tags. Lambda gives the function without them to those who may not read them.
fn tags(answer: &GetFunctionOutput) -> Result<BTreeMap<String, String>, CloudError> {
    if let Some(error) = answer.tags_error() {
        let mut fault = plain("ListTags", FaultKind::Denied, error.message());
        fault.code = Some(error.error_code().to_owned());
        return Err(fault);
    }
    let tags = answer.tags().into_iter().flatten();
    Ok(tags.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// What is set on a function and is no part of [`wavegate_core::spec::FunctionConfig`].
fn settings(
    function: &FunctionName,
    configuration: &FunctionConfiguration,
    answer: &GetFunctionOutput,
) -> Vec<Setting> {
    let reserved = answer.concurrency().and_then(Concurrency::reserved_concurrent_executions);
    let source_key = answer.code().and_then(|code| code.source_kms_key_arn());
    let tags = answer.tags().map(std::collections::HashMap::len).filter(|count| *count > 0);
    let snap_start = configuration.snap_start().and_then(|snap| snap.apply_on());
    let snap_start = snap_start.filter(|on| **on != SnapStartApplyOn::None);
    let mounts = configuration.file_system_configs();
    let vpc = configuration.vpc_config();
    let is_ipv6 = vpc.and_then(VpcConfigResponse::ipv6_allowed_for_dual_stack).unwrap_or_default();
    let is_set = |is: bool| is.then_some(None);
    [
        ("ReservedConcurrentExecutions", reserved.map(|count| Some(count.to_string()))),
        ("Tags", tags.map(|count| Some(count.to_string()))),
        ("KMSKeyArn", configuration.kms_key_arn().map(|_| None)),
        ("SourceKMSKeyArn", source_key.map(|_| None)),
        ("SnapStart", snap_start.map(|on| Some(on.as_str().to_owned()))),
        ("FileSystemConfigs", is_set(!mounts.is_empty())),
        ("LoggingConfig", is_set(has_logging(function, configuration))),
        ("ImageConfig", configuration.image_config_response().map(|_| None)),
        ("SigningProfileVersionArn", configuration.signing_profile_version_arn().map(|_| None)),
        ("Ipv6AllowedForDualStack", is_set(is_ipv6)),
        ("TenancyConfig", configuration.tenancy_config().map(|_| None)),
        ("CapacityProviderConfig", configuration.capacity_provider_config().map(|_| None)),
        ("DurableConfig", configuration.durable_config().map(|_| None)),
    ]
    .into_iter()
    .filter_map(|(property, value)| Some(Setting { property, value: value? }))
    .collect()
}

/// Whether a function logs otherwise than functions do by default.
fn has_logging(function: &FunctionName, configuration: &FunctionConfiguration) -> bool {
    configuration.logging_config().is_some_and(|logging| {
        let is_json = logging.log_format().is_some_and(|format| *format != LogFormat::Text);
        let group = logging.log_group().unwrap_or_default();
        let is_elsewhere = !group.is_empty() && group != format!("/aws/lambda/{function}");
        is_json || is_elsewhere
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{LoggingConfig, SnapStartResponse, TagsError};

    use super::*;

    fn of(
        configuration: &FunctionConfiguration,
        reserved: Option<i32>,
    ) -> Vec<(&'static str, Option<String>)> {
        let concurrency =
            Concurrency::builder().set_reserved_concurrent_executions(reserved).build();
        let answer = GetFunctionOutput::builder().concurrency(concurrency).build();
        let function = FunctionName::new("fn").unwrap();
        let settings = settings(&function, configuration, &answer);
        settings.into_iter().map(|setting| (setting.property, setting.value)).collect()
    }

    #[test]
    fn what_every_function_has_is_no_setting() {
        let usual =
            LoggingConfig::builder().log_format(LogFormat::Text).log_group("/aws/lambda/fn");
        let snap = SnapStartResponse::builder().apply_on(SnapStartApplyOn::None);
        let configuration = FunctionConfiguration::builder()
            .logging_config(usual.build())
            .snap_start(snap.build())
            .build();
        assert_eq!(of(&configuration, None), []);
    }

    #[test]
    fn what_is_set_is_told_by_its_name() {
        let snap = SnapStartResponse::builder().apply_on(SnapStartApplyOn::PublishedVersions);
        let logs = LoggingConfig::builder().log_format(LogFormat::Json).log_group("/aws/lambda/fn");
        let configuration = FunctionConfiguration::builder()
            .snap_start(snap.build())
            .logging_config(logs.build())
            .kms_key_arn("arn")
            .build();
        let value = |text: &str| Some(text.to_owned());
        assert_eq!(
            of(&configuration, Some(5)),
            [
                ("ReservedConcurrentExecutions", value("5")),
                ("KMSKeyArn", None),
                ("SnapStart", value("PublishedVersions")),
                ("LoggingConfig", None),
            ]
        );
    }

    #[test]
    fn tags_that_may_not_be_read_are_not_taken_for_none() {
        let error = TagsError::builder().error_code("AccessDeniedException").message("no");
        let answer = GetFunctionOutput::builder().tags_error(error.build().unwrap()).build();
        let fault = tags(&answer).unwrap_err();
        assert_eq!((fault.kind, fault.operation), (FaultKind::Denied, "ListTags"));
        assert_eq!(tags(&GetFunctionOutput::builder().build()), Ok(BTreeMap::new()));
    }
}
