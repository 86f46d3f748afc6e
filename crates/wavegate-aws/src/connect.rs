//! From settings to clients: the standard AWS chain, or the local cloud without any of it.
//!
//! Invariants: the SDK's own retries are off, because a retry that the engine does not see could
//! repeat a write; the behaviour version is pinned, so that an SDK update changes nothing unasked.
//! Deliberately absent: a look at credentials; the first call finds out whether they work.

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials as Keys;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::Semaphore;

use crate::cloud::{AwsCloud, UPLOADS_MAX};
use crate::settings::{ConnectError, Credentials, Endpoint, Settings, Timeouts, check_region};
use crate::transport::{Reach, Transport};
use crate::upload::ArtifactStore;

/// Where the local cloud is, as far as anybody asks.
const LOCAL_REGION: &str = "us-east-1";

/// Both halves of the local cloud's key.
const LOCAL_KEY: &str = "wavegate";

impl AwsCloud {
    /// The region it was connected to: the one that was asked for, or the chain's.
    pub fn region(&self) -> &str {
        &self.artifacts.region
    }

    /// Finds region, endpoints and credentials as `settings` and AWS's chain say.
    ///
    /// Makes no call to the services themselves; the chain may ask the instance it runs on for
    /// its region.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        if let Some(region) = &settings.region {
            check_region(region)?;
        }
        let endpoint = match &settings.endpoint_url {
            Some(url) => Some(Endpoint::parse("AWS", url)?),
            None => None,
        };
        let (transport, config) = match settings.credentials {
            Credentials::Local => {
                let transport = Transport::new(Reach::Loopback);
                let config = local_config(&settings, endpoint, &transport)?;
                (transport, config)
            }
            Credentials::Chain => {
                let transport = Transport::new(Reach::Network);
                let config = chain_config(&settings, endpoint, &transport).await;
                (transport, config)
            }
        };
        let region = config.region().ok_or(ConnectError::NoRegion)?.to_string();
        check_region(&region)?;
        let is_plain = effective_endpoint(&config, "Lambda")
            .is_some_and(|url| !url.to_ascii_lowercase().starts_with("https://"));
        for service in ["Lambda", "STS", "S3", "CodeDeploy"] {
            if let Some(url) = effective_endpoint(&config, service) {
                Endpoint::parse(service, &url)?;
            }
        }
        Ok(Self {
            lambda: aws_sdk_lambda::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            codedeploy: aws_sdk_codedeploy::Client::new(&config),
            artifacts: ArtifactStore {
                endpoint: effective_endpoint(&config, "S3"),
                region,
                fips: config.use_fips().unwrap_or(false),
                dual_stack: config.use_dual_stack().unwrap_or(false),
                credentials: config.credentials_provider(),
                time: config.time_source().unwrap_or_default(),
                transport: transport.clone(),
                timeouts: settings.timeouts,
            },
            uploads: Semaphore::new(UPLOADS_MAX),
            timeouts: settings.timeouts,
            transport,
            is_plain,
        })
    }
}

async fn chain_config(
    settings: &Settings,
    endpoint: Option<Endpoint>,
    transport: &Transport,
) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(transport.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeout_config(&settings.timeouts))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(name) = app_name() {
        loader = loader.app_name(name);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint.url);
    }
    loader.load().await
}

/// Everything by hand: no file and no variable can lead the local cloud's client elsewhere.
fn local_config(
    settings: &Settings,
    endpoint: Option<Endpoint>,
    transport: &Transport,
) -> Result<SdkConfig, ConnectError> {
    let endpoint = endpoint.ok_or(ConnectError::LocalWithoutEndpoint)?;
    if !endpoint.is_loopback() {
        return Err(ConnectError::LocalElsewhere { url: endpoint.url });
    }
    let keys = Keys::from_keys(LOCAL_KEY, LOCAL_KEY, None);
    let region = settings.region.clone().unwrap_or_else(|| LOCAL_REGION.to_owned());
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .http_client(transport.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeout_config(&settings.timeouts))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::default());
    builder.set_app_name(app_name());
    builder.set_endpoint_url(Some(endpoint.url));
    Ok(builder.build())
}

/// One deadline per call. No read time-out beside it: one that is long enough for an upload would
/// never come before the deadline of any other call.
pub(crate) fn timeout_config(timeouts: &Timeouts) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts.connect)
        .operation_timeout(timeouts.operation)
        .build()
}

/// What AWS's own logs call the caller.
fn app_name() -> Option<AppName> {
    AppName::new("wavegate").ok()
}

/// The endpoint that a service's client will use, by the SDKs' rule: one that was given in code,
/// else `AWS_ENDPOINT_URL_<SERVICE>` or the profile's, else `AWS_ENDPOINT_URL`. `None`: AWS itself.
fn effective_endpoint(config: &SdkConfig, service: &'static str) -> Option<String> {
    let general = config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return general;
    }
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    config.service_config().and_then(|own| own.load_config(key)).or(general)
}
